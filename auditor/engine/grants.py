"""Snapshot to grants: one flat row per permission held, with names where the resource publishes them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta

from msgspec import UNSET

from auditor.knowledge.permissions import PermissionTable
from auditor.model.activity import is_grant
from auditor.model.directory import (
    NO_ROLE,
    AppRole,
    AppRoleAssignment,
    GrantEvent,
    OAuth2PermissionGrant,
    PermissionScope,
    ServicePrincipal,
)
from auditor.model.grant import Consent, Grant
from auditor.model.snapshot import Client, Snapshot, items

SAME_ACT = timedelta(minutes=5)
"""An audit record this close to an assignment's creation is taken to be the act that created it."""


class Resources:
    """What the snapshot knows of the resources that grants point to."""

    def __init__(self, snapshot: Snapshot, permissions: PermissionTable) -> None:
        self._permissions = permissions
        self._listed = {sp.id: sp for sp in items(snapshot.service_principals)}
        self._read = {sp.id: sp for sp in items(snapshot.resources)}
        self._roles = {sp.id: _roles(sp.app_roles) for sp in self._read.values() if sp.app_roles is not UNSET}
        self._scopes = {
            sp.id: _scopes(sp.oauth2_permission_scopes)
            for sp in self._read.values()
            if sp.oauth2_permission_scopes is not UNSET
        }

    def identity(self, resource_id: str) -> ServicePrincipal | None:
        """Return the resource with at least its appId and name, or None where nothing names it."""
        return self._read.get(resource_id) or self._listed.get(resource_id)

    def role(self, resource_id: str, role_id: str) -> tuple[str, bool]:
        """Return (value, known) of an app role: what the resource publishes, else what the permission tables say.

        The tables answer only where the resource's own roles were not read: an id that a resource read in full does
        not publish is unknown.
        """
        if resource_id in self._roles:
            value = self._roles[resource_id].get(role_id)
            return (value, True) if value else (role_id, False)
        named = self.identity(resource_id)
        entry = self._permissions.by_id(named.app_id, role_id, "application") if named else None
        return (entry.permission, True) if entry else (role_id, False)

    def scope(self, resource_id: str, value: str) -> tuple[str, str, bool]:
        """Return (value, id, known) of a delegated scope, spelled as the resource publishes it."""
        if resource_id in self._scopes:
            scope = self._scopes[resource_id].get(value.lower())
            return (scope.value or value, scope.id, True) if scope else (value, "", False)
        named = self.identity(resource_id)
        entry = self._permissions.by_value(named.app_id, value, "delegated") if named else None
        return (value, entry.id, True) if entry else (value, "", False)


def _roles(roles: tuple[AppRole, ...]) -> Mapping[str, str]:
    return {role.id: role.value for role in roles if role.value}


def _scopes(scopes: tuple[PermissionScope, ...]) -> Mapping[str, PermissionScope]:
    return {scope.value.lower(): scope for scope in scopes if scope.value}


def grants_of(client: Client, resources: Resources) -> tuple[Grant, ...]:
    """Return every grant of a client, application permissions first, in an order that depends on content alone."""
    events = tuple(event for event in items(client.grant_events) if is_grant(event))
    found: dict[tuple[str, str], Grant] = {}
    for assignment in items(client.app_role_assignments):
        # Users and groups can hold roles on the same resource; only a service principal's is an application permission.
        if assignment.principal_type in (None, "ServicePrincipal"):
            grant = _application(client, assignment, resources, events)
            found[grant.grant_id, grant.permission] = grant
    for consent in items(client.oauth2_permission_grants):
        for grant in _delegated(client, consent, resources, events):
            found[grant.grant_id, grant.permission] = grant
    return tuple(sorted(found.values(), key=_order))


def _order(grant: Grant) -> tuple[object, ...]:
    return (
        grant.kind,
        grant.resource_name,
        grant.resource_id,
        grant.permission,
        grant.consent != "AllPrincipals",
        grant.principal_id,
        grant.grant_id,
    )


def _application(
    client: Client, assignment: AppRoleAssignment, resources: Resources, events: tuple[GrantEvent, ...]
) -> Grant:
    default_access = assignment.app_role_id == NO_ROLE
    value, known = resources.role(assignment.resource_id, assignment.app_role_id)
    resource = resources.identity(assignment.resource_id)
    event = _act(events, assignment, value)
    return Grant(
        service_principal_id=client.service_principal.id,
        app_id=client.service_principal.app_id,
        app_name=client.service_principal.display_name or "",
        kind="application",
        consent="",
        principal_id="",
        resource_id=assignment.resource_id,
        resource_app_id=resource.app_id if resource else "",
        resource_name=(resource.display_name if resource else None) or assignment.resource_display_name or "",
        permission="default access" if default_access else value,
        permission_id=assignment.app_role_id,
        known=known or default_access,
        default_access=default_access,
        grant_id=assignment.id,
        granted_at=assignment.created_date_time,
        granted_by=(event.actor or "") if event else "",
    )


def _delegated(
    client: Client, consent: OAuth2PermissionGrant, resources: Resources, events: tuple[GrantEvent, ...]
) -> Iterator[Grant]:
    resource = resources.identity(consent.resource_id)
    kind: Consent = "AllPrincipals" if consent.consent_type == "AllPrincipals" else "Principal"
    for scope in dict.fromkeys((consent.scope or "").split()):
        value, scope_id, known = resources.scope(consent.resource_id, scope)
        # A delegated grant carries no time of its own; a later record may have widened it.
        named = [e for e in events if value in e.permissions and e.resource_id in (None, consent.resource_id)]
        event = (
            max(named, key=lambda e: (e.activity_date_time, e.id), default=None) if kind == "AllPrincipals" else None
        )
        yield Grant(
            service_principal_id=client.service_principal.id,
            app_id=client.service_principal.app_id,
            app_name=client.service_principal.display_name or "",
            kind="delegated",
            consent=kind,
            principal_id=(consent.principal_id or "") if kind == "Principal" else "",
            resource_id=consent.resource_id,
            resource_app_id=resource.app_id if resource else "",
            resource_name=(resource.display_name if resource else None) or "",
            permission=value,
            permission_id=scope_id,
            known=known,
            grant_id=consent.id,
            granted_at=event.activity_date_time if event else None,
            granted_by=(event.actor or "") if event else "",
        )


def _act(events: tuple[GrantEvent, ...], assignment: AppRoleAssignment, value: str) -> GrantEvent | None:
    """Return the audit record of the act that created an assignment, if one is near enough in time and names it."""
    created = assignment.created_date_time
    if created is None:
        return None
    near = [
        event
        for event in events
        if abs(event.activity_date_time - created) <= SAME_ACT
        and event.resource_id in (None, assignment.resource_id)
        and {value, assignment.app_role_id} & set(event.permissions)
    ]
    return min(near, key=lambda e: (abs(e.activity_date_time - created), e.id), default=None)
