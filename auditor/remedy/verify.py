"""Verifying later: what a plan removed and is gone, what is still there, what came back, and who granted it anew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Literal

from msgspec import UNSET, Struct

from auditor.graph import endpoints, wire
from auditor.graph.endpoints import Endpoint
from auditor.graph.reader import Call, Reader
from auditor.model.activity import is_grant
from auditor.model.directory import AppRoleAssignment, GrantEvent, OAuth2PermissionGrant, ServicePrincipal
from auditor.model.plan import AccountChange, AssignmentChange, Change, GrantChange, RevokePlan, Step
from auditor.model.snapshot import Collected, Complete, items
from auditor.remedy.journal import Known

SKEW = timedelta(minutes=5)
"""How far this machine's clock may be ahead of Microsoft's."""
Holds = Literal["as-wanted", "still-there", "came-back", "not-there", "unknown"]


class Verified(Struct, frozen=True, kw_only=True):
    """One change, looked at later."""

    step: Step
    change: int
    holds: Holds
    """`still-there`: never removed. `came-back`: removed and granted anew. `not-there`: an undo did not restore it."""
    why: str = ""
    granted_at: datetime | None = None
    granted_by: str = ""
    """Who granted it anew, by the directory audit log; empty when that is not known."""


class _Held(Struct, frozen=True, kw_only=True):
    """What one app holds now."""

    app: Collected[ServicePrincipal]
    assignments: Collected[AppRoleAssignment]
    grants: Collected[OAuth2PermissionGrant]
    events: Collected[GrantEvent]


_READ: tuple[tuple[Endpoint, type], ...] = (
    (endpoints.SERVICE_PRINCIPAL, ServicePrincipal),
    (endpoints.APP_ROLE_ASSIGNMENTS, AppRoleAssignment),
    (endpoints.GRANTS_OF_CLIENT, OAuth2PermissionGrant),
    (endpoints.DIRECTORY_AUDITS, GrantEvent),
)


async def verify(plan: RevokePlan, reader: Reader, earlier: Mapping[tuple[str, int], Known]) -> tuple[Verified, ...]:
    """Return how each change of the plan stands now.

    Args:
        plan: what was carried out.
        reader: reads the tenant; nothing is written.
        earlier: what the journal knows.

    Raises:
        SignInError: no token, or Graph does not take it.
        GraphError: Graph was never reached.
    """
    apps = list(dict.fromkeys(step.target.service_principal_id for step in plan.steps))
    calls = [_call(endpoint, type_, app) for app in apps for endpoint, type_ in _READ]
    answers = await reader.get_many(calls)
    width = len(_READ)
    held = {app: _of(answers[number * width :][:width]) for number, app in enumerate(apps)}
    return tuple(
        _verified(step, index, held[step.target.service_principal_id], earlier.get((step.id, index)))
        for step in plan.steps
        for index in range(len(step.changes))
    )


def _call(endpoint: Endpoint, type_: type, id_: str) -> Call:
    return Call(endpoint=endpoint, id=id_, decode=partial(wire.decode, type_=type_))


def _of(answers: Sequence[Collected[object]]) -> _Held:
    app, assignments, grants, events = answers
    return _Held(app=app, assignments=assignments, grants=grants, events=events)  # type: ignore[arg-type]


def _verified(step: Step, index: int, held: _Held, earlier: Known | None) -> Verified:
    change = step.changes[index]
    found = _found(change, held)
    if isinstance(found, str):
        return Verified(step=step, change=index, holds="unknown", why=found)
    wants = _wants(change)
    if found == wants:
        return Verified(step=step, change=index, holds="as-wanted")
    if wants and not _wider_is_back(change, held):
        return Verified(step=step, change=index, holds="not-there", why="it is not granted")
    removed_at = earlier.result.at if earlier is not None and earlier.done and earlier.result else None
    if removed_at is None:
        return Verified(step=step, change=index, holds="still-there", why="no journal tells that it was removed")
    event = _anew(step, held, removed_at)
    return Verified(
        step=step,
        change=index,
        holds="came-back",
        why="" if event else _unlogged(held),
        granted_at=event.activity_date_time if event else None,
        granted_by=(event.actor or "") if event else "",
    )


def _wider_is_back(change: Change, held: _Held) -> bool:
    """Tell whether a scope that gave way to a narrower one is there again."""
    side = change.before
    if not isinstance(side, OAuth2PermissionGrant) or not isinstance(change, GrantChange):
        return False
    lost, whose = _scopes(side) - _scopes(change.after), (side.resource_id, side.consent_type, side.principal_id)
    same = [g for g in items(held.grants) if (g.resource_id, g.consent_type, g.principal_id) == whose]
    return any(_scopes(g) & lost for g in same)


def _wants(change: Change) -> bool:
    """Tell whether the change wants its permission to be there afterwards."""
    if isinstance(change, AccountChange):
        return change.after.account_enabled
    return change.after is not None and (change.before is None or len(_gained(change)) > 0)


def _gained(change: Change) -> set[str]:
    """Return the scopes that a change of a delegated grant adds."""
    if not isinstance(change, GrantChange):
        return set()
    return _scopes(change.after) - _scopes(change.before)


def _scopes(grant: OAuth2PermissionGrant | None) -> set[str]:
    return set((grant.scope or "").split()) if grant else set()


def _found(change: Change, held: _Held) -> bool | str:
    """Return whether what the change is about is there now; a text says why that is not known."""
    if isinstance(change, AccountChange):
        enabled = next((app.account_enabled for app in items(held.app)), UNSET)
        return enabled if isinstance(enabled, bool) else "the app could not be read"
    if isinstance(change, AssignmentChange):
        side = change.before or change.after
        assert side  # noqa: S101 - a change has one side at least
        key = (side.resource_id, side.app_role_id)
        return _any(held.assignments, [a for a in items(held.assignments) if (a.resource_id, a.app_role_id) == key])
    grant = change.before or change.after
    assert grant  # noqa: S101 - a change has one side at least
    whose = (grant.resource_id, grant.consent_type, grant.principal_id)
    same = [g for g in items(held.grants) if (g.resource_id, g.consent_type, g.principal_id) == whose]
    gained, lost = _gained(change), _scopes(change.before) - _scopes(change.after)
    if not gained:
        return _any(held.grants, [g for g in same if _scopes(g) & lost])
    if _wider_is_back(change, held):
        return False
    return _any(held.grants, [g for g in same if _scopes(g) >= gained])


def _any(collected: Collected[object], found: Sequence[object]) -> bool | str:
    """Return whether anything was found; that nothing was counts only where all was read."""
    if found or isinstance(collected, Complete):
        return bool(found)
    return collected.why


def _anew(step: Step, held: _Held, since: datetime) -> GrantEvent | None:
    """Return the newest record that grants one of the step's permissions after `since`."""
    wanted = {name.lower() for name in (*step.target.permissions, *step.target.permission_ids) if name}
    events = [
        event
        for event in items(held.events)
        if is_grant(event)
        and event.activity_date_time >= since - SKEW
        and wanted & {permission.lower() for permission in event.permissions}
    ]
    return max(events, key=lambda event: event.activity_date_time, default=None)


def _unlogged(held: _Held) -> str:
    if isinstance(held.events, Complete):
        return "the directory audit log does not (or not yet) tell who granted it"
    return f"who granted it is not known: {held.events.why}"
