"""A plan, made from a finished audit or from the tenant as it is now, and written with its page."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from auditor.engine.rulebook import load_rulebook
from auditor.engine.summary import GOES
from auditor.errors import InputError, RefusedError, UsageError
from auditor.model.configuration import AppConfiguration
from auditor.model.outcome import AuditResult, JudgedGrant, tally
from auditor.model.plan import Begin, RevokePlan, Step
from auditor.model.snapshot import Snapshot
from auditor.model.text import listed
from auditor.remedy.journal import journal_of, read_journal
from auditor.remedy.planning import DAYS, Again, build_plan, permissions_of, removed_key
from auditor.remedy.planning_contain import build_containment
from auditor.remedy.planning_only import select
from auditor.remedy.seal import decode_plan, encode_plan, sealed
from auditor.reporters.json import decode_audit
from auditor.sources import SourceKind, SourceRequest
from auditor.sources.files import MIB, read
from auditor.sources.snapshot_file import LIMIT as SNAPSHOT_LIMIT
from auditor.sources.snapshot_file import decode
from auditor.workflow.prepare import Prepared
from auditor.workflow.rejudge import NOT_JUDGED_AGAIN, Judging, judged_again
from auditor.workflow.report import LIMIT
from auditor.workflow.run import SNAPSHOT, judge
from auditor.workflow.writing import check_folder, write_files

PLAN_LIMIT = 256 * MIB
"""Bytes of JSON above which a plan is refused."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,123}")


class Planned(Struct, frozen=True, kw_only=True):
    """A plan that was made; without a step it is not written."""

    plan: RevokePlan
    paths: tuple[Path, ...] = ()
    snapshot: Path | None = None
    """Where the snapshot lies that it was made from; None where the tenant was read for it."""
    back: tuple[str, ...] = ()
    """After a vendor's reconnect: what the earlier plan removed and the app holds again."""
    new: tuple[str, ...] = ()
    """What goes by its decision and the earlier plan neither removed nor left."""
    stays: tuple[str, ...] = ()
    """Of each app of which nothing goes, why."""
    simulated: bool = False
    """The tenant is none: a simulator served it, or it is a sample."""
    standing: Path | None = None
    """Where nothing was planned: an earlier file where the plan would have been written."""


class Moved(Struct, frozen=True, kw_only=True):
    """A step that is not as it was approved."""

    title: str
    how: Literal["gone", "changed", "new"]
    fields: tuple[str, ...] = ()
    """Of a changed step: what is different."""


class Refreshed(Struct, frozen=True, kw_only=True):
    """What became of a plan when the tenant was read again."""

    plan: RevokePlan | None
    """The same steps with new times; None where a step moved, and then nothing was written."""
    moved: tuple[Moved, ...]
    reconfigured: bool
    """The configuration is not the one that the plan was made with."""
    paths: tuple[Path, ...]


def read_plan(path: Path) -> RevokePlan:
    """Return the plan in a file.

    Raises:
        InputError: it cannot be read, or is no plan.
        RefusedError: it was edited.
    """
    return decode_plan(read(path, where=str(path), limit=PLAN_LIMIT), str(path))


class Wish(Struct, frozen=True, kw_only=True):
    """What of an audit is planned; see `build_plan`."""

    only: tuple[str, ...] = ()
    with_checks: bool = False
    days: int = DAYS
    allow_incomplete: bool = False


def make_plan(
    audit: Path, *, snapshot: Path | None, wish: Wish, judging: Judging, again: Path | None = None, out: Path
) -> Planned:
    """Make the plan of an audit and write it, unless nothing is in it.

    The snapshot is judged again where the configuration is the audit's, and the plan made of what comes out.

    Args:
        audit: an audit.json.
        snapshot: what it judged; None: snapshot.json.gz beside it.
        wish: what of it is planned.
        judging: by what it is judged again.
        again: the plan whose removals came back.
        out: the plan's file; its page lies beside it.

    Raises:
        RefusedError: the audit was edited, or may not be planned.
        AuditorError: something cannot be read or does not belong together; nothing is written.
    """
    place = snapshot or audit.parent / SNAPSHOT
    plan_target(out, audit, place, again, judging.config)
    old = read_plan(again) if again else None
    result = decode_audit(read(audit, where=str(audit), limit=LIMIT), str(audit))
    taken = _snapshot(place)
    if old and old.tenant_id != taken.tenant_id:
        raise RefusedError("The earlier plan is another tenant's.", where=str(again), advice="Name this tenant's plan.")
    anew = judged_again(result, taken, judging, where=str(audit))
    result, rulebook = anew or result, load_rulebook(result.profile)
    plan = build_plan(
        result,
        taken,
        rulebook=rulebook,
        only=wish.only,
        with_checks=wish.with_checks,
        allow_incomplete=wish.allow_incomplete,
        days=wish.days,
        again=Again(follows=old.sha256, removed=permissions_of(old.steps)) if old else None,
    )
    if anew is None:
        plan = sealed(replace(plan, warnings=(NOT_JUDGED_AGAIN, *plan.warnings)))
    back, new = _compared(old, result) if old else ((), ())
    chosen = select(wish.only, result, rulebook)
    return Planned(
        plan=plan,
        paths=write_plan(plan, out) if plan.steps else (),
        snapshot=place,
        back=back,
        new=new,
        stays=tuple(_staying([one for one in result.grants if chosen(one.grant)]))
        if wish.only or not plan.steps
        else (),
        simulated=is_simulated(taken),
        standing=out if not plan.steps and out.exists() else None,
    )


def is_simulated(snapshot: Snapshot) -> bool:
    """Tell whether a snapshot was read from a simulator, or is the sample itself."""
    return snapshot.source.kind in ("simulator", "sample")


def _staying(chosen: Sequence[JudgedGrant]) -> Iterator[str]:
    """Say of each app of which nothing goes by its decision what was decided."""
    apps: dict[str, list[JudgedGrant]] = {}
    for judged in chosen:
        apps.setdefault(judged.grant.service_principal_id, []).append(judged)
    for held in apps.values():
        decided = tally(held)
        if decided.keys() & set(GOES):
            continue
        said = listed([f"{number} {decision}" for decision, number in sorted(decided.items())])
        asks = dict.fromkeys(f"{one.reason} Ask: {one.ask_whom}." for one in held if one.decision == "ask")
        grant = held[0].grant
        yield f"Nothing of {grant.app_name or grant.app_id} ({grant.app_id}) goes by its decision: {said}. " + " ".join(
            asks
        )


def _snapshot(path: Path) -> Snapshot:
    if not path.is_file():
        raise InputError(
            "The snapshot that the audit judged is not there.",
            where=str(path),
            advice="Name it: --snapshot FILE. `entra-audit run` writes it beside the audit.json.",
        )
    return decode(read(path, where=str(path), limit=SNAPSHOT_LIMIT), str(path))


def _compared(old: RevokePlan, result: AuditResult) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return what an earlier plan removed and is there again, and what goes and that plan did not know."""
    removed = permissions_of(old.steps)
    left = {(left.app_id, left.permission, left.kind) for left in old.left}
    back: dict[str, None] = {}
    new: dict[str, None] = {}
    for judged in result.grants:
        grant = judged.grant
        said = f"{grant.permission} ({grant.kind}) of {grant.app_name or grant.app_id}"
        if removed_key(grant) in removed:
            back[said] = None
        elif judged.decision in GOES and (grant.app_id, grant.permission, grant.kind) not in left:
            new[said] = None
    return tuple(back), tuple(new)


def refresh(
    old: RevokePlan,
    kind: SourceKind,
    request: SourceRequest,
    prepared: Prepared,
    *,
    allow_incomplete: bool = False,
    out: Path,
) -> Refreshed:
    """Read a source again, make the plan anew, and write it where no step moved: then the approval stands.

    Raises:
        RefusedError: it is an undo, another tenant's plan, or nothing of it is left to judge; nothing is written.
        AuditorError: the source cannot be read, or the plan not written.
    """
    plan_target(out, Path(request.location) if request.location else None)
    if old.purpose == "undo":
        raise RefusedError("An undo is made from a journal.", advice="Make it anew: entra-audit revoke undo JOURNAL")
    snapshot = kind.read(request)
    if snapshot.tenant_id.lower() != old.tenant_id.lower():
        raise RefusedError(
            f"The plan is for the tenant {old.tenant_id}, and this is {snapshot.tenant_id or 'not named'}.",
            advice="Sign in to the plan's tenant.",
        )
    if old.purpose == "contain":
        plan = _contained_anew(old, snapshot, prepared)
    else:
        result, _ = judge(snapshot, prepared, only=request.only)
        plan = _planned_anew(old, result, snapshot, prepared, allow_incomplete=allow_incomplete)
    moved = tuple(_moved(old.steps, plan.steps if plan else ()))
    same = plan is not None and plan.approved_hash == old.approved_hash
    return Refreshed(
        plan=plan if same else None,
        moved=() if same else moved,
        reconfigured=old.configuration_sha256 != prepared.configuration_sha256
        and (plan is not None or old.purpose == "revoke"),
        paths=write_plan(plan, out) if plan and same else (),
    )


def _planned_anew(
    old: RevokePlan, result: AuditResult, snapshot: Snapshot, prepared: Prepared, *, allow_incomplete: bool
) -> RevokePlan | None:
    try:
        return build_plan(
            result,
            snapshot,
            rulebook=prepared.rulebook,
            only=old.only,
            with_checks=old.with_checks,
            allow_incomplete=allow_incomplete,
            days=(old.expires - old.created_at).days,
            again=Again(follows=old.follows, removed=permissions_of(old.steps)) if old.follows else None,
        )
    except UsageError:  # What --only names is not there any more.
        return None


def _contained_anew(old: RevokePlan, snapshot: Snapshot, prepared: Prepared) -> RevokePlan | None:
    return build_containment(
        snapshot,
        app=old.steps[0].target.service_principal_id,
        rulebook=prepared.rulebook,
        configuration=prepared.configuration.apps.get(old.profile, AppConfiguration()),
        configuration_sha256=prepared.configuration_sha256,
        days=(old.expires - old.created_at).days,
    )


def _moved(old: Sequence[Step], new: Sequence[Step]) -> Iterator[Moved]:
    """Give each step that is gone, changed or new."""
    before = {_about(step): step for step in old}
    after = {_about(step): step for step in new}
    for about, step in before.items():
        other = after.get(about)
        if other is None:
            yield Moved(title=step.title, how="gone")
        elif differing := [
            name for name in step.__struct_fields__ if name != "number" and getattr(step, name) != getattr(other, name)
        ]:
            yield Moved(title=step.title, how="changed", fields=tuple(differing))
    for about, step in after.items():
        if about not in before:
            yield Moved(title=step.title, how="new")
    if [*before] != [*after] and before.keys() == after.keys():
        yield Moved(title="The order of the steps", how="changed", fields=("number",))


def _about(step: Step) -> tuple[object, ...]:
    """Return what a step is about, whatever it is made of now."""
    target = step.target
    named = target.permissions if target.kind == "application" else ()
    return (target.service_principal_id, target.resource_id, target.kind, target.users > 0, named)


def plan_target(out: Path, *inputs: Path | None) -> None:
    """Refuse a place where no plan may be written, before any work is done for it.

    Args:
        out: the plan's file; an earlier plan may stand there.
        inputs: what the plan is made from.

    Raises:
        UsageError: it is a folder, one of the inputs or something else than a plan, or no name for a plan.
        OutputError: its folder cannot be written to.
    """
    where = ascii(str(out))[1:-1][:200]
    if out.is_dir():
        raise UsageError("This is a folder.", where=where, advice="Name a file in it: plan.json")
    if not _NAME.fullmatch(out.name):
        raise UsageError(
            "A plan's file name has letters, digits, dot, hyphen and underscore only: it stands in scripts.",
            where=where,
            advice="Name it plan.json",
        )
    if out.name.lower().endswith(".html"):
        raise UsageError("The plan's page would take its place.", where=where, advice="Name it plan.json")
    check_folder(out.parent)
    if not out.exists():
        return
    if any(one and one.exists() and out.samefile(one) for one in inputs):
        raise UsageError("The plan is made from this file.", where=where, advice="Name another file.")
    try:
        read_plan(out)
    except RefusedError:
        return  # A plan that was edited is one.
    except InputError:
        raise UsageError(
            "Something else than a plan stands there.", where=where, advice="Name another file, or move it away."
        ) from None


def write_plan(plan: RevokePlan, out: Path) -> tuple[Path, ...]:
    """Write a plan and its page, both or none, and return their paths.

    Raises:
        RefusedError: the journal of another plan stands beside it.
        OutputError: they cannot be written.
    """
    from auditor.reporters.plan_page import plan_html

    journal = journal_of(out)
    begun = {line.approved_hash for line in read_journal(journal) if isinstance(line, Begin)}
    if begun - {plan.approved_hash}:
        raise RefusedError(
            "It is the journal of another plan, which would be left without it.",
            where=str(journal),
            advice="Give the new plan another name (--out), or move the old one and its journal away together.",
        )
    page = out.with_suffix(".html").name
    return write_files(out.parent, {out.name: encode_plan(plan), page: plan_html(plan)})
