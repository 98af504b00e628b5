"""The live source: a tenant's Zoom apps, or another vendor's, read through Microsoft Graph.

Three round trips in a tenant of up to 999 service principals: the listings beside the organization and the number of
accounts; everything about each app; the resources that the apps hold grants on. msgraph-sdk and azure-identity are
imported when the reading begins.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from msgspec import UNSET, Struct, ValidationError
from msgspec.structs import replace

from auditor import __version__
from auditor.errors import UsageError
from auditor.graph import endpoints, wire
from auditor.graph.auth import Claims, Connection, SignIn, connection
from auditor.graph.identity import require_read_only, writes
from auditor.knowledge.identify import identify
from auditor.knowledge.permissions import RESOURCES
from auditor.model.activity import is_change
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
from auditor.sources import SourceKind, SourceRequest, cross_check

if TYPE_CHECKING:
    from auditor.graph.client import GraphClient
    from auditor.graph.reader import Call, Reader

T = TypeVar("T")
ASKED_AGAIN = 20
"""Rows that only one version lists, up to which each is asked for by its id."""


def read(request: SourceRequest) -> Snapshot:
    """Return the tenant as it is now.

    Raises:
        SignInError: no token could be had, Graph does not take it, or it could write and must not.
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
        return await read_tenant(request, client, reader)


async def read_tenant(request: SourceRequest, client: GraphClient, reader: Reader) -> Snapshot:
    """Return the tenant that `client` and its `reader` reach; see `read`."""
    claims = await client.identify()
    if request.strict_identity:
        require_read_only(claims)
    writable = writes(claims)
    tenant = await _tenant(reader)
    client.require_taken()
    tenant_id = next((o.id for o in items(tenant.organization)), claims.tid.lower())
    apps = _identified(request, tenant.service_principals, tenant_id)
    read_ = await _apps(reader, apps, tenant)
    third = await _resources(reader, read_, tenant.service_principals)
    records = (record.activity_date_time for app in read_ for record in items(app.records))
    return Snapshot(
        tool_version=__version__,
        taken_at=reader.now().replace(microsecond=0),
        taken_at_basis="clock",
        profile=request.profile.id,
        source=_source(client.connection, claims),
        tenant_id=tenant_id,
        organization=tenant.organization,
        enabled_members=tenant.enabled_members,
        service_principals=tenant.service_principals,
        resources=third.resources,
        clients=third.clients,
        audit_log_since=min((*(when for when in items(tenant.oldest_audit) if when), *records), default=None),
        notes=(
            *((f"The identity that read could also write: {', '.join(writable)}.",) if writable else ()),
            *tenant.notes,
            *(app.note for app in read_ if app.note),
        ),
    )


def _source(reached_by: Connection, claims: Claims) -> Source:
    return Source(
        kind="simulator" if reached_by.simulated else "tenant",
        cloud=reached_by.cloud.name,
        reader_app_id=claims.appid.lower(),
        reader_object_id=claims.oid.lower(),
    )


class _Tenant(Struct, frozen=True, kw_only=True):
    """What the first round trip brings."""

    service_principals: Collected[ServicePrincipal]
    organization: Collected[Organization]
    enabled_members: Collected[int]
    oldest_audit: Collected[datetime | None]
    any_sign_in: Collected[bool]
    notes: tuple[str, ...]


async def _tenant(reader: Reader) -> _Tenant:
    """Read what is the tenant's: the listings page by page, beside one batch a version for the rest."""
    listing, publishers, (organization, members, again, oldest, sign_in) = await asyncio.gather(
        reader.get_all(replace(_call(endpoints.SERVICE_PRINCIPALS, ServicePrincipal), aside=_nameless_agent)),
        reader.get_all(replace(_call(endpoints.PUBLISHERS, ServicePrincipal), aside=_nameless_agent)),
        reader.get_many(
            (
                _call(endpoints.ORGANIZATION, Organization),
                _call(endpoints.ENABLED_MEMBERS, decode=_count),
                _call(endpoints.ENABLED_MEMBERS_AGAIN, decode=_count),
                _call(endpoints.OLDEST_AUDIT, decode=_first_time),
                _call(endpoints.ANY_SIGN_IN, decode=_any),
            )
        ),
    )
    return _Tenant(
        service_principals=_published(
            cross_check.listing(listing, await _of_both_versions(reader, listing, publishers)), publishers
        ),
        organization=cross_check.one(organization, "organization"),
        enabled_members=cross_check.same_count(members, again),
        oldest_audit=oldest,
        any_sign_in=sign_in,
        notes=() if isinstance(publishers, Complete) else (f"publisher names: {publishers.why}",),
    )


async def _of_both_versions(
    reader: Reader, listing: Collected[ServicePrincipal], publishers: Collected[ServicePrincipal]
) -> Collected[ServicePrincipal]:
    """Return the beta version's rows without those that v1.0 says do not exist there, when asked for them by id."""
    if isinstance(listing, Unavailable) or isinstance(publishers, Unavailable):
        return publishers
    listed = {sp.id for sp in listing.items}
    more = [sp.id for sp in publishers.items if sp.id not in listed]
    if not 0 < len(more) <= ASKED_AGAIN:
        return publishers
    answers = await reader.get_many([_call(endpoints.SERVICE_PRINCIPAL, ServicePrincipal, id_) for id_ in more])
    unknown = {
        id_
        for id_, answer in zip(more, answers, strict=True)
        if isinstance(answer, Unavailable) and answer.why.startswith("HTTP 404")
    }
    return replace(publishers, items=tuple(sp for sp in publishers.items if sp.id not in unknown))


def _nameless_agent(row: object) -> bool:
    """Tell whether a row is an agent's identity without an appId: it holds permissions of its own, and is no app.

    Its page does not list appId: https://learn.microsoft.com/graph/api/resources/agentidentity (read 2026-11-22).
    """
    if not isinstance(row, Mapping) or row.get("appId"):
        return False
    return str(row.get("@odata.type")).lower().endswith("agentidentity")


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


class _App(Struct, frozen=True, kw_only=True):
    """What the second round trip brings of one app."""

    client: Client
    note: str
    records: Collected[GrantEvent]
    """All records about the app, of those too that grant nothing."""


async def _apps(reader: Reader, apps: Sequence[ServicePrincipal], tenant: _Tenant) -> list[_App]:
    """Read everything about the apps in one go."""
    calls = [call for app in apps for call in _app_calls(app)]
    answers = await reader.get_many(calls) if calls else ()
    width = len(calls) // len(apps) if apps else 1
    return [_app(app, answers[number * width :][:width], tenant) for number, app in enumerate(apps)]


def _app_calls(app: ServicePrincipal) -> tuple[Call, ...]:
    return (
        _call(endpoints.SERVICE_PRINCIPAL, ServicePrincipal, app.id),
        _call(endpoints.APP_ROLE_ASSIGNMENTS, AppRoleAssignment, app.id),
        _call(endpoints.OAUTH2_PERMISSION_GRANTS, OAuth2PermissionGrant, app.id),
        _call(endpoints.GRANTS_OF_CLIENT, OAuth2PermissionGrant, app.id),
        _call(endpoints.OWNERS, DirectoryObject, app.id),
        _call(endpoints.OWNER_COUNT, id_=app.id, decode=_count),
        _call(endpoints.MEMBER_OF, DirectoryObject, app.id),
        _call(endpoints.MEMBER_OF_COUNT, id_=app.id, decode=_count),
        _call(endpoints.DIRECTORY_AUDITS, GrantEvent, app.id),
        _call(endpoints.SIGN_IN_ACTIVITY, SignInActivity, app.app_id),
    )


def _app(app: ServicePrincipal, answers: Sequence[Collected[Any]], tenant: _Tenant) -> _App:
    own, roles, grants, grants_again, owners, owner_count, member_of, member_count, events, activity = answers
    records = cross_check.switched_on(events, tenant.oldest_audit, "The directory audit log")
    client = Client(
        service_principal=_merged(app, own),
        app_role_assignments=roles,
        oauth2_permission_grants=cross_check.grants(grants, grants_again),
        owners=cross_check.counted(owners, owner_count),
        member_of=cross_check.counted(member_of, member_count),
        sign_in_activity=cross_check.switched_on(activity, tenant.any_sign_in, "The report of sign-ins"),
        grant_events=_only(records, is_change),
    )
    unread = "" if isinstance(own, Complete) else own.why
    note = f"{app.app_id}: the listing's fields stand; the app itself could not be read: {unread}" if unread else ""
    return _App(client=client, note=note, records=records)


def _merged(listed: ServicePrincipal, own: Collected[ServicePrincipal]) -> ServicePrincipal:
    """Return an app with all fields of its own answer, else of the listing; what it publishes is left out."""
    read_again = next((sp for sp in items(own) if sp.id == listed.id), listed)
    fields = {name: getattr(read_again, name) for name in read_again.__struct_fields__}
    kept = {name: getattr(listed, name) if value is UNSET else value for name, value in fields.items()}
    return replace(ServicePrincipal(**kept), app_roles=UNSET, oauth2_permission_scopes=UNSET)


class _Resources(Struct, frozen=True, kw_only=True):
    """What the third round trip brings."""

    resources: Collected[ServicePrincipal]
    clients: tuple[Client, ...]
    """The apps' clients, their assignments and records confirmed."""


async def _resources(reader: Reader, apps: Sequence[_App], listing: Collected[ServicePrincipal]) -> _Resources:
    """Read the resources that the apps hold grants on, and from their side who holds their roles."""
    clients = [app.client for app in apps]
    held = {a.resource_id for client in clients for a in items(client.app_role_assignments)}
    named = sorted(held | {g.resource_id for client in clients for g in items(client.oauth2_permission_grants)})
    known = {sp.id for sp in items(listing) if sp.app_id in RESOURCES.values()} if apps else set()
    sides = sorted(held | known)
    logged = [app for app in apps if items(app.records)]
    answers = await reader.get_many(
        (
            *(_call(endpoints.RESOURCE, ServicePrincipal, id_) for id_ in named),
            *(_call(endpoints.APP_ROLE_ASSIGNED_TO, AppRoleAssignment, id_) for id_ in sides),
            *(
                _call(endpoints.FIRST_GRANT_EVENT, id_=app.client.service_principal.id, decode=_first_id)
                for app in logged
            ),
        )
    )
    published, assigned, firsts = answers[: len(named)], answers[len(named) :][: len(sides)], answers[-len(logged) :]
    first_of = {app.client.service_principal.id: first for app, first in zip(logged, firsts, strict=False)}
    return _Resources(
        resources=_published_by(named, published),
        clients=tuple(_confirmed(app, assigned, first_of.get(app.client.service_principal.id)) for app in apps),
    )


def _confirmed(app: _App, assigned: Sequence[Collected[AppRoleAssignment]], first: Collected[str] | None) -> Client:
    client = app.client
    records = cross_check.reaches_back(app.records, first) if first else app.records
    return replace(
        client,
        app_role_assignments=cross_check.assignments(
            client.app_role_assignments, client.service_principal.id, assigned
        ),
        grant_events=_only(records, is_change),
    )


def _published_by(ids: Sequence[str], answers: Sequence[Collected[ServicePrincipal]]) -> Collected[ServicePrincipal]:
    """Return the resources of these ids as one collection."""
    if not ids:
        return Complete(items=())
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


def _any(body: object) -> bool:
    """Return whether a page holds a row."""
    return bool(_rows(body))


def _first_time(body: object) -> datetime | None:
    """Return the time of the first record of a page; None where there is none."""
    return next((wire.moment(row.get("activityDateTime")) for row in _rows(body)), None)


def _first_id(body: object) -> str:
    """Return the id of the first record of a page; empty where there is none."""
    return next((str(row.get("id") or "") for row in _rows(body)), "")


def _rows(body: object) -> list[Mapping[str, object]]:
    rows = body.get("value") if isinstance(body, Mapping) else None
    if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
        raise ValidationError("Expected a list - at `value`")
    return rows
