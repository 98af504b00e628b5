"""A snapshot as a Graph tenant: which collection stands under which path, and which of them may not be read.

What a snapshot could not read, the tenant refuses to show; what it read in part, the tenant shows as if it were
all. Memberships are known transitively only, so `memberOf` and `transitiveMemberOf` are the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain
from typing import Any

from msgspec import UNSET
from msgspec.structs import asdict, replace

from auditor.model.directory import AppRoleAssignment, ServicePrincipal
from auditor.model.snapshot import Client, Collected, Complete, Snapshot, Unavailable, items
from auditor.simulator import audits, bodies
from auditor.simulator.query import Json
from auditor.simulator.refused import Refused
from auditor.simulator.table import Table, Users, shared, whole

_BY_APP_ID = re.compile(r"servicePrincipals\(appId='([^']*)'\)")
_ROLE = "#microsoft.graph.directoryRole"
_CAST = "microsoft.graph."
_GRANT_FILTERS = "clientId consentType principalId resourceId"
_NOTHING: Complete[Any] = Complete(items=())


class Tenant:
    """The collections of one snapshot."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._clients = {client.service_principal.id.lower(): client for client in snapshot.clients}
        self._apps = _merged(snapshot)
        self._bodies = {key: bodies.service_principal(app) for key, app in self._apps.items()}
        self._ids = {app.app_id.lower(): key for key, app in self._apps.items()}
        self._unread = self._unread_resources()
        self._held = _by_resource(snapshot)
        self._assigned = self._no_assignments()
        self._tables = {
            "servicePrincipals": self._service_principals(),
            "oauth2PermissionGrants": self._grants(),
            "organization": whole("organization", snapshot.organization, bodies.body),
            "users": self._users(),
            "applications": Table(type="application", filters=frozenset({"appId", "id"})),
            "directoryRoles": self._roles(),
            "auditLogs/directoryAudits": self._audits(),
        }
        self._beta = {"reports/servicePrincipalSignInActivities": self._sign_ins()}
        self._below: dict[str, dict[str, Table]] = {}

    def table(self, version: str, path: str) -> Table | None:
        """Return the collection under `path` (below the version), or None where there is none."""
        if path in self._tables:
            return self._tables[path]
        if version == "beta" and path in self._beta:
            return self._beta[path]
        owner, _, part = path.rpartition("/")
        if part.startswith(_CAST):
            return _cast(self.table(version, owner), part.removeprefix(_CAST))
        key = self._key(owner)
        if key not in self._apps and key not in self._held:
            return None
        if key not in self._below:
            self._below[key] = dict(self._parts(key))
        return self._below[key].get(part)

    def service_principal(self, path: str) -> Json | None:
        """Return what `servicePrincipals/{id}` or `servicePrincipals(appId='..')` names; None: there is none.

        Raises:
            Refused: it may not be read.
        """
        key = self._key(path)
        found = self._apps.get(key)
        if {key, found.app_id.lower() if found else key} & self._unread:
            raise Refused(403)
        return self._bodies[key] if found else None

    def _key(self, path: str) -> str:
        """Return the object id, lower case, that a path to a service principal names; else an empty text."""
        by_app = _BY_APP_ID.fullmatch(path)
        if by_app:
            app_id = by_app.group(1).lower()
            return self._ids.get(app_id, app_id)
        head, _, key = path.partition("/")
        return key.lower() if head == "servicePrincipals" else ""

    def _unread_resources(self) -> frozenset[str]:
        """Return the ids and appIds of the resources where the snapshot could not read them."""
        if not isinstance(self._snapshot.resources, Unavailable):
            return frozenset()
        others = [app for key, app in self._apps.items() if key not in self._clients]
        named = {name.lower() for app in others for name in (app.id, app.app_id)}
        held = (_held(client) for client in self._snapshot.clients)
        return frozenset(named | {resource for resources in held for resource in resources})

    def _service_principals(self) -> Table:
        names = "accountEnabled appId displayName id servicePrincipalNames servicePrincipalType tags"
        return Table(
            type="servicePrincipal",
            items=list(self._bodies.values()),
            filters=frozenset(names.split()),
            orders=frozenset({"displayName"}),
            closed=isinstance(self._snapshot.service_principals, Unavailable),
            closed_for=self._unread,
        )

    def _grants(self) -> Table:
        clients = self._snapshot.clients
        table = Table(
            type="oAuth2PermissionGrant",
            items=[bodies.body(grant) for c in clients for grant in items(c.oauth2_permission_grants)],
            filters=frozenset(_GRANT_FILTERS.split()),
        )
        return shared(table, clients, lambda client: client.oauth2_permission_grants)

    def _users(self) -> Table:
        members = self._snapshot.enabled_members
        return Table(
            type="user",
            items=Users(next(iter(items(members)), 0), self._snapshot.tenant_id),
            filters=frozenset({"accountEnabled", "userType"}),
            closed=isinstance(members, Unavailable),
            uniform=True,
        )

    def _roles(self) -> Table:
        clients = self._snapshot.clients
        held = {m.id: m for c in clients for m in items(c.member_of) if m.odata_type == _ROLE}
        table = Table(
            type="directoryRole",
            items=[bodies.directory_object(held[key]) for key in sorted(held)],
            filters=frozenset({"roleTemplateId"}),
            paged=False,
        )
        return shared(table, clients, lambda client: client.member_of)

    def _audits(self) -> Table:
        clients, since = self._snapshot.clients, self._snapshot.audit_log_since
        events = sorted(
            (event for client in clients for event in items(client.grant_events)),
            key=lambda event: (event.activity_date_time, event.id),
            reverse=True,
        )
        records = [audits.directory_audit(event, self._apps) for event in events]
        if since and since not in {event.activity_date_time for event in events}:
            records.append(audits.oldest(since, self._snapshot.tenant_id))
        table = Table(
            type="directoryAudit",
            items=records,
            filters=frozenset({"activityDateTime", "activityDisplayName", "category", "targetResources"}),
            orders=frozenset({"activityDateTime"}),
            advanced=False,
        )
        return shared(table, clients, lambda client: client.grant_events)

    def _no_assignments(self) -> Table:
        """Return what `appRoleAssignedTo` of a resource is without its items."""
        table = Table(type="appRoleAssignment", filters=frozenset({"principalId"}))
        return shared(table, self._snapshot.clients, lambda client: client.app_role_assignments)

    def _sign_ins(self) -> Table:
        clients = self._snapshot.clients
        table = Table(
            type="servicePrincipalSignInActivity",
            items=[bodies.sign_in_activity(line) for c in clients for line in items(c.sign_in_activity)],
            filters=frozenset({"appId"}),
            advanced=False,
        )
        return shared(table, clients, lambda client: client.sign_in_activity)

    def _parts(self, key: str) -> Iterator[tuple[str, Table]]:
        """Give what stands below one service principal; below one that was not read closely, nothing.

        What clients hold on a resource is known even where the resource itself is not.
        """
        client = self._clients.get(key)

        def part(name: str) -> Collected[Any]:
            return getattr(client, name) if client else _NOTHING

        yield "appRoleAssignedTo", replace(self._assigned, items=list(map(bodies.assignment, self._held.get(key, ()))))
        if key not in self._apps:
            return
        members = whole("directoryObject", part("member_of"), bodies.directory_object)
        yield (
            "appRoleAssignments",
            whole("appRoleAssignment", part("app_role_assignments"), bodies.assignment, "resourceId"),
        )
        yield (
            "oauth2PermissionGrants",
            whole("oAuth2PermissionGrant", part("oauth2_permission_grants"), bodies.body, _GRANT_FILTERS),
        )
        yield "owners", whole("directoryObject", part("owners"), bodies.directory_object)
        yield "memberOf", members
        yield "transitiveMemberOf", members


def _by_resource(snapshot: Snapshot) -> dict[str, list[AppRoleAssignment]]:
    """Return the assignments of all clients by the id, lower case, of the resource that they are on."""
    found: dict[str, list[AppRoleAssignment]] = {}
    for client in snapshot.clients:
        for assignment in items(client.app_role_assignments):
            found.setdefault(assignment.resource_id.lower(), []).append(assignment)
    return found


def _merged(snapshot: Snapshot) -> dict[str, ServicePrincipal]:
    """Return every service principal by its id, lower case, with what any part of the snapshot knows of it."""
    merged: dict[str, dict[str, Any]] = {}
    clients = (client.service_principal for client in snapshot.clients)
    for app in chain(items(snapshot.service_principals), items(snapshot.resources), clients):
        known = {name: value for name, value in asdict(app).items() if value is not UNSET}
        merged.setdefault(app.id.lower(), {}).update(known)
    return {key: ServicePrincipal(**values) for key, values in merged.items()}


def _held(client: Client) -> set[str]:
    roles = {role.resource_id.lower() for role in items(client.app_role_assignments)}
    return roles | {grant.resource_id.lower() for grant in items(client.oauth2_permission_grants)}


def _cast(table: Table | None, type_: str) -> Table | None:
    if table is None or table.type != "directoryObject":
        return None
    kept = [item for item in table.items if item.get("@odata.type") == f"#{_CAST}{type_}"]
    return Table(type="directoryObject", items=kept, closed=table.closed)
