"""Writes to a simulated tenant, without a server: who calls, what stands there, and what is expected after."""

from __future__ import annotations

import json
from typing import Any

from msgspec.structs import replace

from auditor.graph.writes import WRITES
from auditor.model.directory import AppRoleAssignment, OAuth2PermissionGrant
from auditor.model.plan import Write
from auditor.model.snapshot import Client, Snapshot, items
from auditor.simulator.assertions import unsigned
from auditor.simulator.bearers import read_token, write_token
from auditor.simulator.graph import Answer, Graph, GraphRequest
from auditor.simulator.identities import READER
from auditor.simulator.sample import CALENDAR
from auditor.simulator.server import Fault

URL = "http://127.0.0.1:1"
NOBODY = "99999999-9999-4999-8999-999999999999"
GRANTS = "/oauth2PermissionGrants"
SIDES = ("appRoleAssignedTo", "appRoleAssignments")
EXCHANGE = "Office 365 Exchange Online"
ABSENT = "does not exist or one of its queried reference-property objects are not present."


class Caller:
    """Calls a tenant's Graph, as the identity that writes where nothing else is said."""

    def __init__(self, tenant: Snapshot, *faults: Fault) -> None:
        self.reader, self.writer = read_token(tenant), write_token(tenant)
        self.graph = Graph(
            tenant,
            url=URL,
            token=self.reader,
            write_token=self.writer,
            page_size=100,
            faults=faults,
            opens=lambda header: header.startswith("Bearer "),
        )

    @property
    def snapshot(self) -> Snapshot:
        """The tenant as it is now."""
        return self.graph.snapshot

    def call(self, method: str, path: str, body: object = None, token: str = "", **headers: str) -> Answer:
        """Return the answer to a call below v1.0; a body of bytes is sent as it is."""
        named = {"content-type": "application/json"} if body is not None else {}
        return self.graph.answer(
            GraphRequest(
                method=method,
                target=f"/v1.0{path}",
                headers={"authorization": f"Bearer {token or self.writer}"} | named | headers,
                body=b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode(),
            )
        )

    def get(self, path: str) -> Any:
        """Return the body of what is read."""
        answer = self.call("GET", path, token=self.reader)
        assert answer.status == 200, answer.body
        return answer.body

    def rows(self, path: str) -> list[Any]:
        """Return the rows of what is read."""
        return list(self.get(path)["value"])


def bearer(*roles: str, **claims: object) -> str:
    """Return a token that reads and has these permissions besides."""
    return unsigned({"roles": [*READER, *roles], "app_displayname": "Sample", **claims})


def refusal(answer: Answer) -> tuple[int, str, str]:
    """Return the status, Graph's code and what it says."""
    body: Any = answer.body
    return answer.status, body["error"]["code"], body["error"]["message"]


def app(tenant: Snapshot, app_id: str = CALENDAR) -> Client:
    return next(c for c in tenant.clients if c.service_principal.app_id == app_id)


def resource(tenant: Snapshot, name: str = "Microsoft Graph") -> str:
    """Return the object id of a resource."""
    return next(r.id for r in items(tenant.resources) if r.display_name == name)


def role_id(tenant: Snapshot, value: str, name: str = "Microsoft Graph") -> str:
    """Return the id of a role that a resource publishes."""
    (found,) = [r for r in items(tenant.resources) if r.display_name == name]
    return next(role.id for role in found.app_roles or () if role.value == value)


def held(tenant: Snapshot, value: str, app_id: str = CALENDAR, name: str = "Microsoft Graph") -> AppRoleAssignment:
    """Return the assignment of a role that an app holds."""
    wanted = role_id(tenant, value, name)
    return next(a for a in items(app(tenant, app_id).app_role_assignments) if a.app_role_id == wanted)


def granted(tenant: Snapshot, consent: str = "AllPrincipals", app_id: str = CALENDAR) -> OAuth2PermissionGrant:
    """Return the first delegated grant of an app, for all people or for one."""
    return next(g for g in items(app(tenant, app_id).oauth2_permission_grants) if g.consent_type == consent)


def new_role(assignment: AppRoleAssignment) -> dict[str, str]:
    """Return the body that gives the role of an assignment."""
    return {
        "principalId": assignment.principal_id,
        "resourceId": assignment.resource_id,
        "appRoleId": assignment.app_role_id,
    }


def new_grant(grant: OAuth2PermissionGrant, **changes: object) -> dict[str, object]:
    """Return the body that makes a delegated grant."""
    return {
        "clientId": grant.client_id,
        "consentType": grant.consent_type,
        "principalId": grant.principal_id,
        "resourceId": grant.resource_id,
        "scope": grant.scope,
    } | changes


def changed(tenant: Snapshot, app_id: str = CALENDAR, **parts: tuple[Any, ...]) -> Snapshot:
    """Return a tenant where these collections of one app hold other items."""
    client = app(tenant, app_id)
    new = replace(client, **{n: replace(getattr(client, n), items=found) for n, found in parts.items()})
    return replace(tenant, clients=tuple(new if c is client else c for c in tenant.clients))


def road(side: str, assignment: Any) -> str:
    """Return the path of the collection that holds an assignment, from one side."""
    owner = assignment.resource_id if side == "appRoleAssignedTo" else assignment.principal_id
    return f"/servicePrincipals/{owner}/{side}"


def roles(tenant: Snapshot, app_id: str = CALENDAR) -> tuple[Any, ...]:
    return items(app(tenant, app_id).app_role_assignments)


def grants(tenant: Snapshot, app_id: str = CALENDAR) -> tuple[Any, ...]:
    return items(app(tenant, app_id).oauth2_permission_grants)


def events(tenant: Snapshot, app_id: str = CALENDAR) -> tuple[Any, ...]:
    return items(app(tenant, app_id).grant_events)


def every_write(tenant: Snapshot) -> dict[Write, tuple[str, object]]:
    """Return a path and a body for each write that there is, which the tenant carries out."""
    role, grant = held(tenant, "Mail.ReadWrite"), granted(tenant)
    below = {"owner": role.resource_id, "id": role.id}
    more = new_role(role) | {"appRoleId": role_id(tenant, "Mail.Read")}
    bodies: dict[Write, tuple[dict[str, str], object]] = {
        "delete-assignment": (below, None),
        "add-assignment": (below, more),
        "delete-grant": ({"id": grant.id}, None),
        "update-grant": ({"id": granted(tenant, "Principal").id}, {"scope": "openid"}),
        "add-grant": ({}, new_grant(grant, consentType="Principal", principalId=NOBODY)),
        "update-service-principal": ({"id": grant.client_id}, {"accountEnabled": False}),
    }
    return {write: (WRITES[write].path.format(**names), body) for write, (names, body) in bodies.items()}
