"""From an Outline to the Snapshot that it stands for: a sample, and equal outlines give equal snapshots."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from msgspec import UNSET
from msgspec.structs import replace

from auditor.knowledge.outline import SAMPLE_TENANT, SAMPLE_VENDOR, AppOutline, Outline, ScopeOutline
from auditor.knowledge.permissions import RESOURCES, PermissionTable
from auditor.knowledge.sample import (
    assignment,
    check_moment,
    delegated_grant,
    directory_object,
    grant_events,
    moment,
    publishing,
    resource_id,
    resource_principal,
    service_principal,
    unknown,
)
from auditor.model.directory import Organization, SignInActivity, VerifiedDomain
from auditor.model.snapshot import (
    CLIENT_COLLECTIONS,
    TENANT_COLLECTIONS,
    Client,
    Collected,
    Complete,
    Partial,
    Snapshot,
    Source,
    Unavailable,
    items,
)

__all__ = ["SAMPLE_TENANT", "SAMPLE_VENDOR", "AppOutline", "Outline", "ScopeOutline", "sketch", "without"]

_DOMAIN = VerifiedDomain(name="contoso.onmicrosoft.com", is_default=True, is_initial=True)
_NOT_LISTED = ("password_credentials", "key_credentials", "app_roles", "oauth2_permission_scopes")
"""Fields of a service principal that the list of the whole tenant does not carry."""


def sketch(outline: Outline, *, permissions: PermissionTable) -> Snapshot:
    """Return the snapshot that an outline stands for.

    Raises:
        ConfigurationError: it names a permission, resource, collection or field that does not exist, or a time
            without its zone.
    """
    check_moment(outline.taken_at, "taken_at")
    clients = tuple(_client(app, outline.unset, permissions) for app in outline.apps)
    touched = {held.resource_id for client in clients for held in items(client.app_role_assignments)}
    touched |= {held.resource_id for client in clients for held in items(client.oauth2_permission_grants)}
    resources = tuple(
        publishing(resource_principal(name, permissions), outline.undescribed_scopes if name == "graph" else ())
        for name in RESOURCES
        if resource_id(name) in touched
    )
    others = tuple(service_principal(app) for app in outline.other_service_principals)
    everyone = sorted((*(client.service_principal for client in clients), *others, *resources), key=lambda sp: sp.id)
    organization = Organization(id=outline.tenant_id, display_name=outline.tenant_name, verified_domains=(_DOMAIN,))
    snapshot = Snapshot(
        tool_version="sample",
        taken_at=outline.taken_at,
        taken_at_basis="clock",
        profile=outline.profile,
        source=Source(kind="sample"),
        tenant_id=outline.tenant_id,
        organization=Complete(items=(organization,)),
        enabled_members=Complete(items=(outline.enabled_members,)),
        service_principals=Complete(items=tuple(replace(sp, **dict.fromkeys(_NOT_LISTED, UNSET)) for sp in everyone)),
        resources=Complete(items=resources),
        clients=clients,
        audit_log_since=outline.taken_at - timedelta(days=30),
    )
    for collection in outline.partial:
        snapshot = _change(snapshot, collection, _cut)
    for collection in outline.unavailable:
        snapshot = without(snapshot, collection)
    return snapshot


def without(snapshot: Snapshot, collection: str) -> Snapshot:
    """Return the same snapshot with one collection unavailable, for the tenant or for every client.

    Raises:
        ConfigurationError: no collection has that name.
    """
    changed = _change(snapshot, collection, lambda _: Unavailable(why="Removed from this sample."))
    return replace(changed, audit_log_since=None) if collection == "grantEvents" else changed


def _cut(collected: Collected[Any]) -> Collected[Any]:
    return Partial(items=items(collected), why="A page is missing in this sample.")


def _change(snapshot: Snapshot, collection: str, change: Callable[[Collected[Any]], Collected[Any]]) -> Snapshot:
    name = re.sub("[A-Z]", lambda letter: f"_{letter[0].lower()}", collection)
    if collection in TENANT_COLLECTIONS:
        return replace(snapshot, **{name: change(getattr(snapshot, name))})
    if collection in CLIENT_COLLECTIONS:
        clients = (replace(client, **{name: change(getattr(client, name))}) for client in snapshot.clients)
        return replace(snapshot, clients=tuple(clients))
    raise unknown("collection", collection, (*TENANT_COLLECTIONS, *CLIENT_COLLECTIONS))


def _client(app: AppOutline, unset: tuple[str, ...], permissions: PermissionTable) -> Client:
    principal = service_principal(app, unset)
    roles = tuple(assignment(principal, role, app.granted_at, permissions) for role in app.roles)
    grants = tuple(delegated_grant(principal, scope) for scope in app.scopes)
    member_of = (
        *(directory_object("directoryRole", name) for name in app.directory_roles),
        *(directory_object("group", name) for name in app.groups),
    )
    seen = moment(app.last_sign_in) if app.last_sign_in else None
    activity = SignInActivity(app_id=app.app_id, last_sign_in=seen, application_client=seen)
    return Client(
        service_principal=principal,
        app_role_assignments=Complete(items=roles),
        oauth2_permission_grants=Complete(items=grants),
        owners=Complete(items=tuple(directory_object("user", owner) for owner in app.owners)),
        member_of=Complete(items=member_of),
        sign_in_activity=Complete(items=(activity,) if seen else ()),
        grant_events=Complete(items=tuple(grant_events(app, roles, grants)) if app.granted_by else ()),
    )
