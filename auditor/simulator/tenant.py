"""A tenant as Graph shows it: which collection stands under which path, and which of them may not be read.

What a snapshot could not read, the tenant refuses to show; what it read in part, the tenant shows as if it were
all. Memberships are known transitively only, so `memberOf` and `transitiveMemberOf` are the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cached_property
from operator import itemgetter
from typing import Any

from msgspec.structs import replace

from auditor.model.directory import AppRoleAssignment
from auditor.model.snapshot import Collected, Complete, Snapshot, Unavailable, items
from auditor.simulator import audits, bodies
from auditor.simulator.query import Json
from auditor.simulator.refused import Refused
from auditor.simulator.state import State, held
from auditor.simulator.table import Table, Users, shared, whole

_BY_APP_ID = re.compile(r"servicePrincipals\(appId='([^']*)'\)")
_ROLE = "#microsoft.graph.directoryRole"
_CAST = "microsoft.graph."
_GRANT_FILTERS = "clientId consentType principalId resourceId"
_SIGN_INS = "reports/servicePrincipalSignInActivities"
_WITH_ITEMS = ("appRoleAssignment", "oAuth2PermissionGrant")
"""Types whose objects can be asked for by their id, below the collection."""
_NOTHING: Complete[Any] = Complete(items=())


class Tenant:
    """The collections of one tenant, each made when it is first asked for.

    Args:
        state: the tenant.
        before: the same tenant before a write; what has not changed is taken from it.
    """

    def __init__(self, state: State, before: Tenant | None = None) -> None:
        self.state = state
        self._snapshot = state.snapshot
        self._apps = state.apps
        self._clients = {client.service_principal.id.lower(): client for client in state.snapshot.clients}
        self._bodies = before.kept(state) if before else {}
        self._below: dict[str, dict[str, Table]] = {}
        self._tables: dict[str, Table] = {}
        self._makers: dict[str, Callable[[], Table]] = {
            "servicePrincipals": self._service_principals,
            "oauth2PermissionGrants": self._grants,
            "organization": lambda: whole("organization", self._snapshot.organization, bodies.body),
            "users": self._users,
            "applications": lambda: Table(type="application", filters=frozenset({"appId", "id"})),
            "directoryRoles": self._roles,
            "auditLogs/directoryAudits": self._audits,
            _SIGN_INS: self._sign_ins,
        }

    def kept(self, state: State) -> dict[str, Json]:
        """Return the bodies of the service principals that are the same in `state`."""
        if state.apps is self._apps:
            return self._bodies
        return {key: body for key, body in self._bodies.items() if state.apps.get(key) is self._apps[key]}

    def table(self, version: str, path: str) -> Table | None:
        """Return the collection under `path` (below the version), or None where there is none."""
        if path in self._makers and (path != _SIGN_INS or version == "beta"):
            if path not in self._tables:
                self._tables[path] = self._makers[path]()
            return self._tables[path]
        owner, _, part = path.rpartition("/")
        if part.startswith(_CAST):
            return _cast(self.table(version, owner), part.removeprefix(_CAST))
        key = self.key(owner)
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
        key = self.key(path)
        found = self._apps.get(key)
        if {key, found.app_id.lower() if found else key} & self._unread:
            raise Refused(403)
        return self._body(key) if found else None

    def item(self, version: str, path: str) -> tuple[str, Json] | None:
        """Return the type and the body of what `COLLECTION/{id}` names, where items can be asked for; None: nothing.

        Raises:
            Refused: the collection may not be read.
        """
        collection, _, id_ = path.rpartition("/")
        table = self.table(version, collection)
        if table is None or table.type not in _WITH_ITEMS:
            return None
        if table.closed:
            raise Refused(403)
        return next(((table.type, item) for item in table.items if item["id"] == id_), None)

    def key(self, path: str) -> str:
        """Return the object id, lower case, that a path to a service principal names; else an empty text."""
        by_app = _BY_APP_ID.fullmatch(path)
        if by_app:
            app_id = by_app.group(1).lower()
            return self._ids.get(app_id, app_id)
        head, _, key = path.partition("/")
        return key.lower() if head == "servicePrincipals" else ""

    def _body(self, key: str) -> Json:
        if key not in self._bodies:
            self._bodies[key] = bodies.service_principal(self._apps[key])
        return self._bodies[key]

    @cached_property
    def _ids(self) -> dict[str, str]:
        return {app.app_id.lower(): key for key, app in self._apps.items()}

    @cached_property
    def _held(self) -> dict[str, list[AppRoleAssignment]]:
        return _by_resource(self._snapshot)

    @cached_property
    def _assigned(self) -> Table:
        """What `appRoleAssignedTo` of a resource is without its items."""
        table = Table(type="appRoleAssignment", filters=frozenset({"principalId"}))
        return shared(table, self._snapshot.clients, lambda client: client.app_role_assignments)

    @cached_property
    def _unread(self) -> frozenset[str]:
        """Return the ids and appIds of the resources where the snapshot could not read them."""
        if not isinstance(self._snapshot.resources, Unavailable):
            return frozenset()
        others = [app for key, app in self._apps.items() if key not in self._clients]
        named = {name.lower() for app in others for name in (app.id, app.app_id)}
        resources = (held(client) for client in self._snapshot.clients)
        return frozenset(named.union(*resources))

    def _service_principals(self) -> Table:
        names = "accountEnabled appId displayName id servicePrincipalNames servicePrincipalType tags"
        return Table(
            type="servicePrincipal",
            items=list(map(self._body, self._apps)),
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
        events = [event for client in clients for event in items(client.grant_events)]
        found = [(e.activity_date_time, e.id, audits.directory_audit(e, self._apps)) for e in events]
        found += [(record.when, str(record.body["id"]), record.body) for record in self.state.records]
        records = [body for _, _, body in sorted(found, key=itemgetter(0, 1), reverse=True)]
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


def _cast(table: Table | None, type_: str) -> Table | None:
    if table is None or table.type != "directoryObject":
        return None
    kept = [item for item in table.items if item.get("@odata.type") == f"#{_CAST}{type_}"]
    return Table(type="directoryObject", items=kept, closed=table.closed)
