"""The live source: a tenant's Zoom apps, or another vendor's, read through Microsoft Graph.

Three round trips in a tenant of up to 999 service principals: the listings beside the organization and the number of
accounts; everything about each app; the resources that the apps hold grants on. msgraph-sdk and azure-identity are
imported when the reading begins.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from msgspec import UNSET, Struct, ValidationError
from msgspec.structs import replace

from auditor import __version__
from auditor.errors import UsageError
from auditor.graph import endpoints, wire
from auditor.graph.auth import Claims, Connection, SignIn, connection
from auditor.knowledge.identify import identify
from auditor.model.directory import (
    AppRoleAssignment,
    DirectoryObject,
    GrantEvent,
    OAuth2PermissionGrant,
    Organization,
    ServicePrincipal,
    SignInActivity,
)
from auditor.model.snapshot import (
    Client,
    Collected,
    Complete,
    Partial,
    Snapshot,
    Source,
    Unavailable,
    items,
)
from auditor.sources import SourceKind, SourceRequest

if TYPE_CHECKING:
    from auditor.graph.reader import Call, Reader

T = TypeVar("T")


def read(request: SourceRequest) -> Snapshot:
    """Return the tenant as it is now.

    Raises:
        SignInError: no token could be had, or Graph does not take it.
        GraphError: Microsoft Graph could not be reached.
        UsageError: an appId to audit is not in the tenant, or the simulator's address is not on this machine.
    """
    if request.taken_at is not None:
        raise UsageError(
            "A live tenant is taken now.", where="--taken-at", advice="Leave --taken-at out: it is for exports."
        )
    return asyncio.run(_read(request, request.connection or connection(SignIn(), os.environ)))


SOURCE = SourceKind(
    name="tenant",
    option="",
    metavar="",
    help="Read the tenant through Microsoft Graph (the default).",
    read=read,
)


async def _read(request: SourceRequest, reached_by: Connection) -> Snapshot:
    from auditor.graph.client import GraphClient
    from auditor.graph.reader import Reader

    async with GraphClient(reached_by) as client:
        reader = Reader(client, progress=lambda sent: request.progress("Microsoft Graph requests", sent, None))
        tenant = await _tenant(reader)
        tenant_id = next((o.id for o in items(tenant.organization)), client.claims.tid.lower())
        apps = _identified(request, tenant.service_principals, tenant_id)
        clients, notes, records = await _clients(reader, apps)
        resources = await _resources(reader, clients)
        claims = client.claims
    return Snapshot(
        tool_version=__version__,
        taken_at=datetime.now(UTC).replace(microsecond=0),
        taken_at_basis="clock",
        profile=request.profile.id,
        source=_source(reached_by, claims),
        tenant_id=tenant_id,
        organization=tenant.organization,
        enabled_members=tenant.enabled_members,
        service_principals=tenant.service_principals,
        resources=resources,
        clients=clients,
        audit_log_since=min((*tenant.oldest_audit, *records), default=None),
        notes=(*tenant.notes, *notes),
    )


def _source(reached_by: Connection, claims: Claims) -> Source:
    kind = "simulator" if reached_by.simulated else "tenant"
    return Source(kind=kind, reader_app_id=claims.appid.lower(), reader_object_id=claims.oid.lower())


class _Tenant(Struct, frozen=True, kw_only=True):
    """What the first round trip brings."""

    service_principals: Collected[ServicePrincipal]
    organization: Collected[Organization]
    enabled_members: Collected[int]
    oldest_audit: tuple[datetime, ...]
    notes: tuple[str, ...]


async def _tenant(reader: Reader) -> _Tenant:
    """Read what is the tenant's: the listings page by page, beside one batch for the rest."""
    listing, publishers, (organization, members, oldest) = await asyncio.gather(
        reader.get_all(_call(endpoints.SERVICE_PRINCIPALS, ServicePrincipal)),
        reader.get_all(_call(endpoints.PUBLISHERS, ServicePrincipal)),
        reader.get_many(
            (
                _call(endpoints.ORGANIZATION, Organization),
                _call(endpoints.ENABLED_MEMBERS, decode=_count),
                _call(endpoints.OLDEST_AUDIT, decode=_oldest),
            )
        ),
    )
    names = publishers
    return _Tenant(
        service_principals=_published(listing, names),
        organization=organization,
        enabled_members=members,
        oldest_audit=items(oldest),
        notes=() if isinstance(names, Complete) else (f"publisher names: {names.why}",),
    )


def _published(
    listing: Collected[ServicePrincipal], publishers: Collected[ServicePrincipal]
) -> Collected[ServicePrincipal]:
    """Return the listing with the publishers' names, which stay UNSET where they could not be read."""
    if isinstance(listing, Unavailable):
        return listing
    names = {sp.id: sp.publisher_name for sp in items(publishers)}
    return replace(listing, items=tuple(replace(sp, publisher_name=names.get(sp.id, UNSET)) for sp in listing.items))


def _identified(request: SourceRequest, listing: Collected[ServicePrincipal], tenant_id: str) -> list[ServicePrincipal]:
    """Return the apps to audit: those that the profile identifies, candidates and look-alikes among them."""
    found = items(listing)
    if isinstance(listing, Complete):
        known = {sp.app_id for sp in found}
        missing = sorted(app_id for app_id in request.only if app_id.lower() not in known)
        if missing:
            raise UsageError(
                f"The tenant has no enterprise app with the appId {' or '.join(missing)}.",
                advice="Give the application (client) id, not the object id, of an app in this tenant.",
            )
    identification = identify(
        found,
        profile=request.profile,
        configuration=request.configuration,
        tenant_id=tenant_id,
        with_application_permissions=(),
        only=request.only,
    )
    return [app.service_principal for app in identification.apps]


async def _clients(
    reader: Reader, apps: Sequence[ServicePrincipal]
) -> tuple[tuple[Client, ...], tuple[str, ...], tuple[datetime, ...]]:
    """Read everything about the apps in one go; also return remarks, and the times of all audit records seen."""
    calls = [call for app in apps for call in _client_calls(app)]
    answers = await reader.get_many(calls) if calls else ()
    width = len(calls) // len(apps) if apps else 1
    clients, notes, times = [], [], []
    for number, app in enumerate(apps):
        own, assignments, grants, owners, member_of, events, activity = answers[number * width :][:width]
        records = events
        times += [event.activity_date_time for event in items(records)]
        if not isinstance(own, Complete):
            notes.append(f"{app.app_id}: the listing's fields stand; the app itself could not be read: {own.why}")
        clients.append(
            Client(
                service_principal=_merged(app, own),
                app_role_assignments=assignments,
                oauth2_permission_grants=grants,
                owners=owners,
                member_of=member_of,
                sign_in_activity=activity,
                grant_events=_only(records, wire.is_grant),
            )
        )
    return tuple(clients), tuple(notes), tuple(times)


def _client_calls(app: ServicePrincipal) -> tuple[Call, ...]:
    return (
        _call(endpoints.SERVICE_PRINCIPAL, ServicePrincipal, app.id),
        _call(endpoints.APP_ROLE_ASSIGNMENTS, AppRoleAssignment, app.id),
        _call(endpoints.OAUTH2_PERMISSION_GRANTS, OAuth2PermissionGrant, app.id),
        _call(endpoints.OWNERS, DirectoryObject, app.id),
        _call(endpoints.MEMBER_OF, DirectoryObject, app.id),
        _call(endpoints.DIRECTORY_AUDITS, GrantEvent, app.id),
        _call(endpoints.SIGN_IN_ACTIVITY, SignInActivity, app.app_id),
    )


def _merged(listed: ServicePrincipal, own: Collected[ServicePrincipal]) -> ServicePrincipal:
    """Return an app with all fields of its own answer, else of the listing; what it publishes is left out."""
    read_again = next((sp for sp in items(own) if sp.id == listed.id), listed)
    fields = {name: getattr(read_again, name) for name in read_again.__struct_fields__}
    kept = {name: getattr(listed, name) if value is UNSET else value for name, value in fields.items()}
    return replace(ServicePrincipal(**kept), app_roles=UNSET, oauth2_permission_scopes=UNSET)


async def _resources(reader: Reader, clients: Sequence[Client]) -> Collected[ServicePrincipal]:
    """Read the resources that the clients hold grants on, each once."""
    ids = sorted(
        {a.resource_id for client in clients for a in items(client.app_role_assignments)}
        | {g.resource_id for client in clients for g in items(client.oauth2_permission_grants)}
    )
    if not ids:
        return Complete(items=())
    answers = await reader.get_many([_call(endpoints.RESOURCE, ServicePrincipal, id_) for id_ in ids])
    read_ = [sp for answer in answers for sp in items(answer)]
    faults = tuple(fault for answer in answers for fault in answer.faults)
    lost = {id_: answer for id_, answer in zip(ids, answers, strict=True) if not isinstance(answer, Complete)}
    why = "not read: " + "; ".join(f"{id_} ({answer.why})" for id_, answer in lost.items())
    if len(lost) == len(ids):
        opens = next((a.opens for a in lost.values() if isinstance(a, Unavailable) and a.opens), "")
        return Unavailable(why=why, opens=opens, faults=faults)
    if lost:
        return Partial(items=tuple(read_), why=why, pages=len(read_), faults=faults)
    return Complete(items=tuple(read_), pages=len(read_), faults=faults)


def _only(collected: Collected[T], wanted: Callable[[T], bool]) -> Collected[T]:
    if isinstance(collected, Unavailable):
        return collected
    return replace(collected, items=tuple(item for item in collected.items if wanted(item)))


def _call(
    endpoint: endpoints.Endpoint,
    type_: type = object,
    id_: str = "",
    decode: Callable[[object], object] | None = None,
) -> Call:
    from auditor.graph.reader import Call

    return Call(endpoint=endpoint, id=id_, decode=decode or partial(wire.decode, type_=type_))


def _count(body: object) -> int:
    """Return the number of all items of a collection, of which the page shows one at most."""
    count = body.get("@odata.count") if isinstance(body, Mapping) else None
    if not isinstance(count, int) or isinstance(count, bool) or count < 0:
        raise ValidationError("Expected a number - at `@odata.count`")
    return count


def _oldest(body: object) -> datetime:
    """Return the time of the only record of a page."""
    records = body.get("value") if isinstance(body, Mapping) else None
    first = records[0] if isinstance(records, list) and records else None
    when = wire.moment(first.get("activityDateTime")) if isinstance(first, Mapping) else None
    if when is None:
        raise ValidationError("Expected a record - at `value[0]`")
    return when
