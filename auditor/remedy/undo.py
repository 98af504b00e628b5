"""Undo: from a journal to the plan that takes everything back that was done, or may have been.

It is a plan like any other: shown, limited, carried out object by object, verified and journalled. What it grants again
gets a new id and a new date, and it restores grants, not the vendor's own connection.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from auditor import __version__
from auditor.errors import RefusedError
from auditor.graph.writes import GRAPH, PRIVILEGED_ROLE_ADMINISTRATOR, WRITES, role_for
from auditor.knowledge.permissions import PermissionTable, load_permissions
from auditor.model.directory import AppRoleAssignment, OAuth2PermissionGrant
from auditor.model.grant import Kind
from auditor.model.outcome import Impact, Statement
from auditor.model.plan import (
    AccountChange,
    AssignmentChange,
    Begin,
    Change,
    GrantChange,
    Intent,
    Line,
    Needs,
    RevokePlan,
    Step,
    Target,
    inverse,
    reduced,
    takes,
)
from auditor.model.text import count, listed
from auditor.remedy.journal import Known, known
from auditor.remedy.seal import sealed, step_id

DAYS = 14
"""Until the plan of an undo expires."""
_AS_WRITTEN = "Give the journal as it was written: it is never edited."
_POWER = "This grants power again: what was taken away comes back."
_ANEW = "Ids and dates will be new; the directory audit log shows a new grant by whoever carries it out."
_ROLE = (
    f"Granting an application permission of Microsoft Graph again needs {PRIVILEGED_ROLE_ADMINISTRATOR}; "
    "Cloud Application Administrator cannot."
)
_CONNECTION = "It restores the grant and not the vendor's own connection, which may have to be made again there."


class Done(Struct, frozen=True, kw_only=True):
    """One step of a journal that was done, or may have been, in whole or in part."""

    step: str
    changes: tuple[tuple[int, Known], ...]


def undo_plan(
    lines: Sequence[Line], *, where: str, now: datetime, rules_sha256: str, plan: RevokePlan | None = None
) -> RevokePlan:
    """Return the plan that takes back what a journal tells.

    Args:
        lines: the journal's.
        where: its path, for messages.
        now: when the undo is planned.
        rules_sha256: of the rules installed here.
        plan: the plan that the journal is of, for its names; None where it is not at hand.

    Raises:
        RefusedError: the journal tells of nothing that could be taken back.
    """
    begins = [line for line in lines if isinstance(line, Begin)]
    begin = begins[-1] if begins else None
    done = _done(lines)
    if len({(one.tenant_id, one.approved_hash, one.purpose) for one in begins}) > 1:
        raise RefusedError("The journal tells of several plans.", where=where, advice=_AS_WRITTEN)
    if begin is None or not done:
        raise RefusedError(
            "The journal tells of nothing that was written.", where=where, advice="There is nothing to undo."
        )
    if plan is not None and plan.approved_hash != begin.approved_hash:
        plan = None
    if plan is not None:
        _require_of_plan(done, begin, plan, where)
    titles = {step.id: step for step in plan.steps} if plan else {}
    table = load_permissions()
    steps = tuple(_step(n, part, titles.get(part.step), table) for n, part in enumerate(reversed(done), 1))
    changes = [change for step in steps for change in step.changes]
    return sealed(
        RevokePlan(
            purpose="undo",
            tool_version=__version__,
            tenant_id=begin.tenant_id,
            tenant_name=plan.tenant_name if plan else "",
            cloud=begin.cloud,
            profile=plan.profile if plan else "",
            created_at=now,
            expires=now + timedelta(days=DAYS),
            snapshot_sha256="",
            rules_sha256=rules_sha256,
            configuration_sha256="",
            reader_app_id=begin.reader_app_id,
            reader_object_id=begin.reader_object_id,
            complete=True,
            follows=begin.plan,
            grants_removed=sum(takes(change) for change in changes),
            steps=steps,
            warnings=tuple(_warnings(steps, done)),
        )
    )


def _done(lines: Sequence[Line]) -> list[Done]:
    """Return the steps with changes that were done or are in doubt, in the order in which they were begun."""
    found: dict[str, dict[int, Known]] = {}
    states = known(lines)
    for line in lines:
        if isinstance(line, Intent):
            state = states[line.step, line.change]
            if state.result is None or state.result.outcome in ("done", "unverified"):
                found.setdefault(line.step, {})[line.change] = state
    return [Done(step=step, changes=tuple(sorted(changes.items()))) for step, changes in found.items()]


def _require_of_plan(done: Sequence[Done], begin: Begin, plan: RevokePlan, where: str) -> None:
    """Refuse a journal that tells of something else than its plan, Graph's new ids aside.

    Raises:
        RefusedError: it does.
    """
    steps = {step.id: step for step in plan.steps}
    for part in done:
        for index, state in part.changes:
            step = steps.get(part.step)
            planned = step.changes[index] if step and index < len(step.changes) else None
            if planned is not None and begin.purpose == "undo" != plan.purpose:
                planned = inverse(planned)
            if planned is None or _without_ids(reduced(planned)) != _without_ids(state.intent.doing):
                raise RefusedError("The journal tells of other writes than its plan.", where=where, advice=_AS_WRITTEN)


def _without_ids(change: Change) -> object:
    """Return a change without the ids and dates that Graph gives: the rest says which object it is."""
    if isinstance(change, AccountChange):
        return change
    if isinstance(change, GrantChange) and change.before and change.after:
        before, after = _scopes(change.before), _scopes(change.after)
        return [replace(change.before, id="", scope=""), after - before, before - after]
    sides = (change.before, change.after)
    bare = [side and replace(side, id="") for side in sides]
    return [replace(side, created_date_time=None) if isinstance(side, AppRoleAssignment) else side for side in bare]


def _step(number: int, part: Done, original: Step | None, table: PermissionTable) -> Step:
    intents = [state.intent for _, state in part.changes]
    changes = tuple(
        inverse(state.intent.doing, new_id=state.result.id if state.result else "")
        for _, state in reversed(part.changes)
    )
    target = original.target if original else _target(intents[0], changes, table)
    app = target.app_name or target.app_id
    return Step(
        id=step_id(changes),
        number=number,
        action="undo",
        title=_title(changes, target, app, table),
        target=target,
        changes=changes,
        why=f"It takes back: {original.title}" if original else "It takes back a step of the journal.",
        impact=_impact(changes, target, table),
        needs=needs(changes, target.resource_app_id),
        undo_needs=needs([inverse(change) for change in changes], target.resource_app_id),
    )


def needs(changes: Iterable[Change], resource_app_id: str) -> Needs:
    """Return the least permissions and roles for changes on a resource, the highest role alone where it has all."""
    all_ = list(changes)
    permissions = dict.fromkeys(WRITES[change.write].permission for change in all_)
    roles = dict.fromkeys(role_for(change.write, resource_app_id) for change in all_)
    return Needs(permission=", ".join(permissions), role=", ".join(roles))


def _target(intent: Intent, changes: Sequence[Change], table: PermissionTable) -> Target:
    first = changes[0]
    if isinstance(first, AccountChange):
        return Target(app_id=intent.app_id, service_principal_id=first.before.id, app_name="")
    side = first.before or first.after
    assert side  # noqa: S101 - a change has one side at least
    kind: Kind = "application" if isinstance(first, AssignmentChange) else "delegated"
    owner = side.principal_id if isinstance(first, AssignmentChange) else getattr(side, "client_id", "")
    return Target(
        app_id=intent.app_id,
        service_principal_id=owner or "",
        app_name="",
        kind=kind,
        resource_id=side.resource_id,
        resource_app_id=intent.resource_app_id,
        permissions=tuple(
            sorted(set().union(*(set().union(*_names(c, intent.resource_app_id, table)) for c in changes)))
        ),
        users=len(changes) if kind == "delegated" and len(changes) > 1 else 0,
    )


def _names(change: Change, resource_app_id: str, table: PermissionTable) -> tuple[set[str], set[str]]:
    """Return what a change gives and what it takes, told from itself and not from what a journal calls it."""
    if isinstance(change, GrantChange):
        before, after = _scopes(change.before), _scopes(change.after)
        return after - before, before - after
    side = None if isinstance(change, AccountChange) else change.before or change.after
    if side is None:
        return set(), set()
    entry = table.by_id(resource_app_id, side.app_role_id, "application")
    name = {entry.permission if entry else side.app_role_id}
    return (set(), name) if takes(change) else (name, set())


def _scopes(grant: OAuth2PermissionGrant | None) -> set[str]:
    return set((grant.scope or "").split()) if grant else set()


def _title(changes: Sequence[Change], target: Target, app: str, table: PermissionTable) -> str:
    last = changes[-1]
    if isinstance(last, AccountChange):
        return f"Let {app} sign in again." if last.after.account_enabled else f"Keep {app} from signing in again."
    named = [_names(change, target.resource_app_id, table) for change in changes]
    gives, takes_ = (sorted(set().union(*names)) for names in zip(*named, strict=True))
    who = f" for {count(target.users, 'user')}" if target.users else ""
    parts = ([f"give {listed(gives)} back to {app}"] if gives else []) + (
        [f"take {listed(takes_)} from {app} again"] if takes_ else []
    )
    said = f"{', and '.join(parts)}{who} ({target.kind})."
    return said[:1].upper() + said[1:]


def _impact(changes: Sequence[Change], target: Target, table: PermissionTable) -> Impact:
    if isinstance(changes[-1], AccountChange):
        text = "The app can sign in again, with every permission that it still holds."
    else:
        text = " ".join(_opens(target, table)) or "The app can do again what the permission opens."
    return Impact(
        what=Statement(text=text, basis="inferred", source="rules/permissions/", date=""),
        who_notices="nobody at once; whoever had lost something may have it back after connecting again",
        when="now",
        way_back="Undo this undo: its own journal tells what was granted again.",
    )


def _opens(target: Target, table: PermissionTable) -> Iterable[str]:
    for value in target.permissions:
        entry = table.by_value(target.resource_app_id, value, target.kind) if target.kind else None
        if entry is not None and entry.opens:
            yield f"Again possible: {entry.opens} ({value})."


def _warnings(steps: Sequence[Step], done: Sequence[Done]) -> Iterable[str]:
    changes = [change for step in steps for change in step.changes]
    gives = [change for change in changes if not takes(change)]
    if gives:
        yield _POWER
    if any(not isinstance(change, AccountChange) for change in gives):
        yield _ANEW
    if any(c.write == "add-assignment" and s.target.resource_app_id == GRAPH for s in steps for c in s.changes):
        yield _ROLE
    if gives:
        yield _CONNECTION
    doubtful = sum(not state.done for part in done for _, state in part.changes)
    if doubtful:
        yield f"{count(doubtful, 'change')} of the journal may not have been carried out; each is read first."
    if any(step.target.app_name == "" for step in steps):
        yield "The plan does not lie beside its journal, so apps and permissions are named by their ids and tables."
