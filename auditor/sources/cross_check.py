"""Two roads to the same rows: what was read is Complete only where another way of asking agrees.

Only what one of both roads shows can be found: rows on a resource that no road names, or a lie that both tell, cannot.
Graph has lost rows without a word before (https://github.com/microsoftgraph/microsoft-graph-docs issues 12243 and 5877:
assignments that a listing left out), so assignments, grants, owners, memberships, the listing and the logs are each
asked for twice, in different ways. What one road lacks and the other has is kept, named, and makes the collection
Partial.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any, TypeVar

from msgspec.structs import replace

from auditor.model.directory import AppRoleAssignment, GrantEvent, OAuth2PermissionGrant, ServicePrincipal
from auditor.model.snapshot import Collected, Complete, Partial, Unavailable, items

T = TypeVar("T")
NAMED = 3
"""Rows that a difference names one by one."""


def confirmed(
    first: Collected[T], second: Collected[T], *, road: str, key: Callable[[T], Hashable], name: Callable[[T], str]
) -> Collected[T]:
    """Return what the first road brought, Complete only if the second one shows the same rows.

    Args:
        first: what was read.
        second: the same rows by another call.
        road: what to call the second one: `the resource's side`.
        key: what must agree of a row.
        name: how a message names a row.
    """
    if isinstance(first, Unavailable):
        return first
    first = replace(first, faults=(*first.faults, *second.faults))
    if isinstance(second, Unavailable):
        return gap(first, f"not confirmed by {road}: {second.why}")
    ours, theirs = {key(row): row for row in first.items}, {key(row): row for row in second.items}
    more = [row for known, row in theirs.items() if known not in ours]
    fewer = [row for known, row in ours.items() if known not in theirs]
    if more:
        first = gap(replace(first, items=(*first.items, *more)), f"only {road} shows {_named(more, name)}")
    if not isinstance(second, Complete):
        return gap(first, f"{road} was read in part: {second.why}")
    if fewer:
        first = gap(first, f"{road} does not show {_named(fewer, name)}")
    return first


def counted(first: Collected[T], count: Collected[int]) -> Collected[T]:
    """Return what was read, Complete only if Graph counts no more items.

    The count comes from an index that lags behind, so a smaller one says nothing
    (https://learn.microsoft.com/graph/aad-advanced-queries).
    """
    if isinstance(first, Unavailable):
        return first
    if not items(count):
        return _unconfirmed(first, count, "the count")
    (number,) = items(count)
    if number <= len(first.items):
        return first
    return gap(first, f"Microsoft Graph counts {number} items, {len(first.items)} came")


def same_count(first: Collected[int], second: Collected[int]) -> Collected[int]:
    """Return a count of accounts, Complete only if it is not zero and a second count, where there is one, agrees."""
    if isinstance(first, Unavailable) or not first.items:
        return first
    if first.items == (0,):
        return gap(replace(first, items=()), "no account is counted, which no tenant has")
    if not items(second):
        return _unconfirmed(first, second, "the second count")
    if items(second) != first.items:
        return gap(first, f"counted again, there are {items(second)[0]}")
    return first


def one(collected: Collected[T], what: str) -> Collected[T]:
    """Return a collection that holds one item in every tenant, Complete only if it does."""
    if isinstance(collected, Unavailable) or len(collected.items) == 1:
        return collected
    return gap(collected, f"{len(collected.items)} items came of what every tenant has one: {what}")


def switched_on(own: Collected[T], any_row: Collected[Any], what: str) -> Collected[T]:
    """Return an app's rows of a log; none of them say nothing where the log holds no row of anybody."""
    if isinstance(own, Unavailable) or own.items:
        return own
    if isinstance(any_row, Unavailable) or not any_row.items:
        unread = any_row.why if isinstance(any_row, Unavailable | Partial) else "no answer"
        return gap(own, f"{what} shows no row of the app, and whether it is on could not be read: {unread}")
    if not any_row.items[0]:
        return Unavailable(why=f"{what} holds no row of anything: it is off, or cannot be seen", faults=own.faults)
    return own


def reaches_back(records: Collected[GrantEvent], first: Collected[str]) -> Collected[GrantEvent]:
    """Return an app's audit records, Complete only if its oldest one is among them."""
    if isinstance(records, Unavailable):
        return records
    if isinstance(first, Unavailable) or not first.items:
        return _unconfirmed(records, first, "the oldest record")
    if first.items[0] in {record.id for record in records.items}:
        return records
    return gap(records, "the oldest record about the app is not among those that came")


def gap(collected: Collected[T], why: str) -> Collected[T]:
    """Return the same items as Partial, with a further reason."""
    if isinstance(collected, Unavailable):
        return collected
    reasons = (collected.why, why) if isinstance(collected, Partial) else (why,)
    return Partial(items=collected.items, why="; ".join(reasons), pages=collected.pages, faults=collected.faults)


def assignments(
    first: Collected[AppRoleAssignment], principal_id: str, sides: Sequence[Collected[AppRoleAssignment]]
) -> Collected[AppRoleAssignment]:
    """Return an app's assignments, confirmed by the lists of the resources that it may hold roles of."""
    unread = next((side for side in sides if isinstance(side, Unavailable)), None)
    partial = next((side for side in sides if isinstance(side, Partial)), None)
    rows = tuple(row for side in sides for row in items(side) if row.principal_id == principal_id)
    faults = tuple(fault for side in sides for fault in side.faults)
    second: Collected[AppRoleAssignment] = Complete(items=rows, faults=faults)
    if unread or partial:
        second = Partial(items=rows, why=(unread or partial).why, faults=faults)  # type: ignore[union-attr]
    return confirmed(
        first,
        second,
        road="the resource's side",
        key=lambda row: (row.id, row.app_role_id, row.resource_id, row.principal_type),
        name=lambda row: f"role {row.app_role_id} on {row.resource_id}",
    )


def grants(
    first: Collected[OAuth2PermissionGrant], second: Collected[OAuth2PermissionGrant]
) -> Collected[OAuth2PermissionGrant]:
    """Return an app's delegated grants, confirmed by the tenant's own list of them."""
    return confirmed(
        first,
        second,
        road="the tenant's list",
        key=lambda row: (row.id, row.resource_id, row.consent_type, row.principal_id, row.scope),
        name=lambda row: f"grant {row.id}",
    )


def listing(first: Collected[ServicePrincipal], second: Collected[ServicePrincipal]) -> Collected[ServicePrincipal]:
    """Return the listing of service principals, confirmed by that of the beta version."""
    return confirmed(first, second, road="the beta version's list", key=lambda row: row.id, name=lambda row: row.app_id)


def _named(rows: Sequence[T], name: Callable[[T], str]) -> str:
    names = sorted(name(row) for row in rows)
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def _unconfirmed(first: Collected[T], second: Collected[Any], what: str) -> Collected[T]:
    """Return what was read where its confirmation was not: Partial, unless Graph does not offer that confirmation.

    It does not where it refuses the query (400, 501), or answers without the number that was asked for.
    """
    why = "" if isinstance(second, Complete) else second.why
    if isinstance(second, Unavailable) and not why.startswith(("HTTP 400", "HTTP 501")):
        return gap(first, f"{what} could not be read: {why}")
    if isinstance(first, Unavailable):
        return first
    return replace(first, faults=(*first.faults, *second.faults, f"{what} is not offered here: {why}"))
