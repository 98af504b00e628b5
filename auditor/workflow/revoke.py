"""A plan, made from a finished audit or from the tenant as it is now, and written with its page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from msgspec import Struct

from auditor.engine.rulebook import load_rulebook
from auditor.engine.summary import GOES
from auditor.errors import InputError, RefusedError, UsageError
from auditor.model.configuration import AppConfiguration
from auditor.model.outcome import AuditResult
from auditor.model.plan import RevokePlan, Step
from auditor.model.snapshot import Snapshot
from auditor.remedy.planning import DAYS, Again, build_plan, permissions_of
from auditor.remedy.planning_contain import build_containment
from auditor.remedy.seal import decode_plan, encode_plan
from auditor.reporters.json import decode_audit
from auditor.sources import SourceKind, SourceRequest
from auditor.sources.files import MIB, read
from auditor.sources.snapshot_file import LIMIT as SNAPSHOT_LIMIT
from auditor.sources.snapshot_file import decode
from auditor.workflow.prepare import Prepared
from auditor.workflow.report import LIMIT
from auditor.workflow.run import SNAPSHOT, judge
from auditor.workflow.writing import check_folder, write_files

PLAN_LIMIT = 256 * MIB
"""Bytes of JSON above which a plan is refused."""


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


def make_plan(
    audit: Path,
    *,
    snapshot: Path | None,
    only: tuple[str, ...] = (),
    with_checks: bool = False,
    days: int = DAYS,
    allow_incomplete: bool = False,
    again: Path | None = None,
    out: Path,
) -> Planned:
    """Make the plan of an audit and write it, unless nothing is in it.

    Args:
        audit: an audit.json.
        snapshot: what it judged; None: snapshot.json.gz beside it.
        only: as `build_plan`, like the next three.
        with_checks: see there.
        days: see there.
        allow_incomplete: see there.
        again: the plan whose removals came back.
        out: the plan's file; its page lies beside it.

    Raises:
        AuditorError: something cannot be read, does not belong together or may not be planned; nothing is written.
    """
    check_folder(out.parent)
    old = read_plan(again) if again else None
    result = decode_audit(read(audit, where=str(audit), limit=LIMIT), str(audit))
    place = snapshot or audit.parent / SNAPSHOT
    taken = _snapshot(place)
    if old and old.tenant_id != taken.tenant_id:
        raise RefusedError("The earlier plan is another tenant's.", where=str(again), advice="Name this tenant's plan.")
    plan = build_plan(
        result,
        taken,
        rulebook=load_rulebook(result.profile),
        only=only,
        with_checks=with_checks,
        allow_incomplete=allow_incomplete,
        days=days,
        again=Again(follows=old.sha256, removed=permissions_of(old.steps)) if old else None,
    )
    back, new = _compared(old, result) if old else ((), ())
    paths = write_plan(plan, out) if plan.steps else ()
    return Planned(plan=plan, paths=paths, snapshot=place, back=back, new=new)


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
        if (grant.service_principal_id, grant.resource_id, grant.kind, grant.permission) in removed:
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
    check_folder(out.parent)
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
        reconfigured=old.configuration_sha256 != prepared.configuration_sha256,
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


def write_plan(plan: RevokePlan, out: Path) -> tuple[Path, ...]:
    """Write a plan and its page, both or none, and return their paths."""
    from auditor.reporters.plan_page import plan_html

    page = out.with_suffix(".html").name
    return write_files(out.parent, {out.name: encode_plan(plan), page: plan_html(plan)})
