"""Grants that came, went, widened, narrowed, were granted again, or are judged otherwise; each is told once."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Hashable, Iterator

from auditor.history.side import Side
from auditor.model.drift import FieldChange, GrantChange, GrantDrift
from auditor.model.grant import Grant
from auditor.model.outcome import JudgedGrant

ANSWERS = ("policy", "vendor_says", "seen", "covered_by", "reach", "decision")
"""Fields of a judged grant that are compared."""
_Pair = tuple[JudgedGrant, JudgedGrant]


def grant_changes(before: Side, after: Side) -> tuple[GrantChange, ...]:
    """Return what became of the grants, in the order of app, kind, resource and permission."""
    return tuple(sorted(_changes(before, after), key=_order))


def _changes(before: Side, after: Side) -> Iterator[GrantChange]:
    old, new = list(before.result.grants), list(after.result.grants)
    same = [*_paired(old, new, _exact), *_paired(old, new, _object)]
    yield from (change for was, now in same if (change := _same(was, now)))
    parts = [{_part(one) for one in side.result.grants} - {None} for side in (before, after)]
    in_both = frozenset(parts[0] & parts[1])
    revoked = frozenset(_revoked(before, after))
    yield from (_scope_came(one, revoked) for one in _taken_out(new, in_both))
    yield from (_went("narrowed", one, certain=True) for one in _taken_out(old, in_both))
    for key in (_holding, _permission):
        yield from (_moved(was, now, before, after, revoked) for was, now in _paired(old, new, key))
    for_some = frozenset(_permission(one) for one in before.result.grants if one.grant.consent == "Principal")
    yield from (_came(one, before, for_some, revoked) for one in new)
    yield from (_went("removed", one, certain=after.shows_absent(one.grant)) for one in old)


def _paired(old: list[JudgedGrant], new: list[JudgedGrant], key: Callable[[JudgedGrant], Hashable]) -> list[_Pair]:
    """Take out of both lists what has the same key, and return it in pairs."""
    waiting: dict[Hashable, deque[JudgedGrant]] = defaultdict(deque)
    for one in old:
        waiting[key(one)].append(one)
    pairs: list[_Pair] = []
    left = []
    for one in new:
        if found := waiting.get(key(one)):
            pairs.append((found.popleft(), one))
        else:
            left.append(one)
    new[:] = left
    taken = {id(was) for was, _ in pairs}
    old[:] = [one for one in old if id(one) not in taken]
    return pairs


def _taken_out(grants: list[JudgedGrant], parts: frozenset[Hashable]) -> list[JudgedGrant]:
    """Take out of the list the scopes of delegated grants that both audits hold."""
    found = [one for one in grants if _part(one) in parts]
    grants[:] = [one for one in grants if _part(one) not in parts]
    return found


def _exact(one: JudgedGrant) -> Hashable:
    return one.grant.key


def _object(one: JudgedGrant) -> Hashable:
    """Return what stays where the name does not: a resource that was not read leaves a permission its id."""
    grant = one.grant
    name = grant.permission.lower() if grant.kind == "delegated" else ""
    return grant.service_principal_id, grant.kind, grant.grant_id, name


def _part(one: JudgedGrant) -> Hashable:
    """Return the delegated grant that a scope is part of; None for an application permission."""
    grant = one.grant
    return (grant.service_principal_id, grant.grant_id) if grant.kind == "delegated" else None


def _holding(one: JudgedGrant) -> Hashable:
    """Return what a permission that is granted again keeps, also where its app was registered anew."""
    return (*_permission(one), one.grant.consent, one.grant.principal_id)


def _permission(one: JudgedGrant) -> tuple[str, ...]:
    grant = one.grant
    resource = grant.resource_app_id or grant.resource_id
    return grant.app_id, grant.kind, resource, (grant.permission_id or grant.permission).lower()


def _reach(was: Grant, now: Grant) -> GrantDrift:
    """Return what it is when a permission that is held before and after changes its people."""
    if was.consent == now.consent:
        return "granted-again"
    return "widened" if now.consent == "AllPrincipals" else "narrowed"


def _fields(was: JudgedGrant | None, now: JudgedGrant) -> tuple[FieldChange, ...]:
    pairs = [(name, str(getattr(was, name)) if was else "", str(getattr(now, name))) for name in ANSWERS]
    if was and _exact(was)[2:] != _exact(now)[2:]:  # type: ignore[index]
        pairs.append(("permission", was.grant.permission, now.grant.permission))
    return tuple(FieldChange(field=name, before=old, after=new) for name, old, new in pairs if old != new)


def _same(was: JudgedGrant, now: JudgedGrant) -> GrantChange | None:
    fields = _fields(was, now)
    moved = (was.grant.consent, was.grant.principal_id) != (now.grant.consent, now.grant.principal_id)
    if not fields and not moved:
        return None
    return GrantChange(
        what=_reach(was.grant, now.grant) if moved else "judged-anew",
        certain=True,
        before=was.grant,
        after=now.grant,
        fields=fields,
        decision=now.decision,
    )


def _scope_came(one: JudgedGrant, revoked: frozenset[Hashable]) -> GrantChange:
    """Return the change of a scope in a delegated grant that both audits read: its scopes stand in one text."""
    again = _revocable(one.grant) in revoked
    return GrantChange(
        what="granted-again" if again else "widened",
        certain=True,
        before=None,
        after=one.grant,
        fields=_fields(None, one),
        decision=one.decision,
        after_revoke=again,
    )


def _moved(was: JudgedGrant, now: JudgedGrant, before: Side, after: Side, revoked: frozenset[Hashable]) -> GrantChange:
    return GrantChange(
        what=_reach(was.grant, now.grant),
        certain=before.shows_absent(now.grant) and after.shows_absent(was.grant),
        before=was.grant,
        after=now.grant,
        fields=_fields(was, now),
        decision=now.decision,
        after_revoke=_revocable(now.grant) in revoked,
    )


def _came(
    one: JudgedGrant, before: Side, for_some: frozenset[tuple[str, ...]], revoked: frozenset[Hashable]
) -> GrantChange:
    again = _revocable(one.grant) in revoked
    wider = one.grant.consent == "AllPrincipals" and _permission(one) in for_some
    return GrantChange(
        what="granted-again" if again else "widened" if wider else "added",
        certain=before.shows_absent(one.grant),
        before=None,
        after=one.grant,
        fields=_fields(None, one),
        decision=one.decision,
        after_revoke=again,
    )


def _went(what: GrantDrift, one: JudgedGrant, *, certain: bool) -> GrantChange:
    return GrantChange(what=what, certain=certain, before=one.grant, after=None, decision=one.decision)


def _revoked(*sides: Side) -> Iterator[Hashable]:
    """Return what plans took away, as far as the audits were given their journals."""
    for side in sides:
        for closed in side.result.closed:
            for permission in closed.permission.split(", "):
                yield closed.app_id, closed.kind, closed.resource_app_id, permission.lower()


def _revocable(grant: Grant) -> Hashable:
    return grant.app_id, grant.kind, grant.resource_app_id, grant.permission.lower()


def _order(change: GrantChange) -> tuple[object, ...]:
    grant = change.after or change.before
    assert grant  # noqa: S101 - a change has one side at least
    return (
        grant.app_id,
        grant.service_principal_id,
        grant.kind,
        grant.resource_name,
        grant.permission,
        grant.principal_id,
        grant.grant_id,
        change.what,
    )
