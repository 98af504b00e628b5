"""What an audit wants gone, as the snapshot holds it: the audit decides, the snapshot says what the objects are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec import Struct

from auditor.engine.grants import Resources, grants_of
from auditor.engine.summary import GOES
from auditor.errors import InputError
from auditor.knowledge.permissions import PermissionTable
from auditor.model.directory import AppRoleAssignment, OAuth2PermissionGrant
from auditor.model.grant import Grant, GrantKey
from auditor.model.outcome import AuditedApp, AuditResult, JudgedGrant
from auditor.model.snapshot import Client, Complete, Snapshot, items

_ADVICE = "Give the audit.json and the snapshot.json.gz that one run wrote together."

GraphObject = AppRoleAssignment | OAuth2PermissionGrant


class Holding(Struct, frozen=True, kw_only=True):
    """A grant that goes by its decision, with the object that it is a part of."""

    judged: JudgedGrant
    app: AuditedApp
    client: Client
    grant: Grant
    """As the snapshot gives it, whatever the audit says of it."""
    object: GraphObject
    twice: bool
    """The snapshot holds two different objects under this id."""


class Holdings:
    """The grants and objects of a snapshot.

    Raises:
        InputError: the snapshot holds an app twice.
    """

    def __init__(self, snapshot: Snapshot, permissions: PermissionTable) -> None:
        self.snapshot = snapshot
        self._resources = Resources(snapshot, permissions)
        self._clients = {client.service_principal.id: client for client in snapshot.clients}
        if len(self._clients) != len(snapshot.clients):
            raise InputError("The snapshot holds an app twice.", advice="Collect it again.")
        self._grants = {sp_id: self._of(client) for sp_id, client in self._clients.items()}
        self._objects = {sp_id: _objects(client) for sp_id, client in self._clients.items()}

    def _of(self, client: Client) -> Mapping[GrantKey, Grant]:
        return {grant.key: grant for grant in grants_of(client, self._resources)}

    def of_app(self, service_principal_id: str) -> tuple[Grant, ...]:
        """Return the permissions that an app holds, without default access."""
        held = self._grants.get(service_principal_id, {})
        return tuple(grant for grant in held.values() if not grant.default_access)

    def going(self, result: AuditResult) -> Iterator[Holding]:
        """Give each grant that goes by its decision, once.

        Raises:
            InputError: the audit names an app or a grant that the snapshot does not hold.
        """
        apps = {app.service_principal_id: app for app in result.apps}
        said: dict[GrantKey, JudgedGrant] = {}
        for judged in result.grants:
            said.setdefault(judged.grant.key, judged)
        for key, judged in said.items():
            if judged.decision in GOES:
                app, grant = apps.get(key[0]), self._grants.get(key[0], {}).get(key)
                if app is None or grant is None or app.app_id != grant.app_id:
                    raise InputError("The audit names a grant that the snapshot does not hold.", advice=_ADVICE)
                yield self._holding(judged, app, grant)

    def _holding(self, judged: JudgedGrant, app: AuditedApp, grant: Grant) -> Holding:
        objects = self._objects[grant.service_principal_id][grant.kind, grant.grant_id]
        return Holding(
            judged=judged,
            app=app,
            client=self._clients[grant.service_principal_id],
            grant=grant,
            object=objects[0],
            twice=any(other != objects[0] for other in objects),
        )

    def publishes(self, resource_id: str, permission_id: str, value: str) -> bool:
        """Tell whether a resource was seen to publish an application permission, and to accept it now."""
        for resource in items(self.snapshot.resources):
            if resource.id == resource_id:
                return any(
                    role.id == permission_id
                    and role.value == value
                    and role.is_enabled
                    and "Application" in role.allowed_member_types
                    for role in resource.app_roles or ()
                )
        return False

    def publishes_scope(self, resource_id: str, value: str) -> bool:
        """Tell whether a resource was seen to publish a delegated permission, and to accept it now."""
        return any(
            scope.value == value and scope.is_enabled
            for resource in items(self.snapshot.resources)
            if resource.id == resource_id
            for scope in resource.oauth2_permission_scopes or ()
        )

    def whole_tenant(self) -> int | None:
        """Return how many grants the tenant's service principals hold; None unless every one's were read."""
        listing = self.snapshot.service_principals
        read = {
            sp_id
            for sp_id, client in self._clients.items()
            if isinstance(client.app_role_assignments, Complete)
            and isinstance(client.oauth2_permission_grants, Complete)
        }
        if not isinstance(listing, Complete) or not {sp.id for sp in listing.items} <= read:
            return None
        return sum(len(self.of_app(sp_id)) for sp_id in self._clients)


def _objects(client: Client) -> Mapping[tuple[str, str], list[GraphObject]]:
    found: dict[tuple[str, str], list[GraphObject]] = {}
    for assignment in items(client.app_role_assignments):
        if assignment.principal_type in (None, "ServicePrincipal"):
            found.setdefault(("application", assignment.id), []).append(assignment)
    for consent in items(client.oauth2_permission_grants):
        found.setdefault(("delegated", consent.id), []).append(consent)
    return found
