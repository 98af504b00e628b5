"""A write that cannot be is refused in Graph's words, and the tenant is as it was."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from auditor.graph.writes import WRITES
from auditor.knowledge.sketch import without
from auditor.model.plan import Write
from auditor.model.snapshot import Snapshot, items
from auditor.simulator.sample import PILOT
from tests.simulator.writing import (
    ABSENT,
    GRANTS,
    NOBODY,
    SIDES,
    Caller,
    app,
    bearer,
    every_write,
    granted,
    held,
    new_grant,
    new_role,
    refusal,
    resource,
    road,
    role_id,
    roles,
)

WRONG_ROLE: tuple[tuple[dict[str, Any], int, str, str], ...] = (
    ({}, 400, "Request_BadRequest", "Permission being assigned already exists on the object"),
    ({"appRoleId": NOBODY}, 400, "Request_BadRequest", "Permission being assigned was not found on application"),
    ({"principalId": NOBODY}, 404, "Request_ResourceNotFound", f"Resource '{NOBODY}' {ABSENT}"),
    ({"resourceId": NOBODY}, 400, "Request_BadRequest", "Not a valid reference update."),
    ({"appRoleId": "x"}, 400, "Request_BadRequest", "`$.appRoleId`"),
    ({"appRoleId": None}, 400, "Request_BadRequest", "Expected `str`, got `null`"),
    ({"more": 1}, 400, "Request_BadRequest", "unknown field `more`"),
)


WRONG_GRANT: tuple[tuple[dict[str, Any], int, str, str], ...] = (
    ({}, 409, "Request_MultipleObjectsWithSameKeyValue", "Permission entry already exists."),
    ({"scope": "Other"}, 409, "Request_MultipleObjectsWithSameKeyValue", "Permission entry already exists."),
    ({"clientId": NOBODY}, 404, "Request_ResourceNotFound", f"Resource '{NOBODY}' {ABSENT}"),
    ({"resourceId": NOBODY}, 404, "Request_ResourceNotFound", f"Resource '{NOBODY}' {ABSENT}"),
    ({"consentType": "Principal"}, 400, "Request_BadRequest", "principalId"),
    ({"principalId": NOBODY}, 400, "Request_BadRequest", "principalId"),
    ({"consentType": "Everybody"}, 400, "Request_BadRequest", "`$.consentType`"),
    ({"scope": "x" * 3851}, 400, "Request_BadRequest", "`$.scope`"),
)


BODIES: tuple[object, ...] = (
    b"",
    b"{",
    b"\xff",
    b"[" * 200_000,
    [],
    "scope",
    {},
    {"scope": None},
    {"accountEnabled": 1},
)


@pytest.mark.parametrize(("change", "status", "code", "said"), WRONG_ROLE)
def test_a_role_that_cannot_be_given_is_refused(
    tenant: Snapshot, change: dict[str, Any], status: int, code: str, said: str
) -> None:
    """A double, what does not exist, what does not fit the path, and a body of the wrong shape; nothing changes."""
    caller, like = Caller(tenant), held(tenant, "Mail.ReadWrite")
    got = refusal(caller.call("POST", road("appRoleAssignedTo", like), new_role(like) | change))
    assert got[:2] == (status, code)
    assert said in got[2]
    assert caller.snapshot is tenant


def test_a_path_and_a_body_have_to_agree(tenant: Snapshot) -> None:
    """Below the app its own id, below the resource the resource's; a resource that does not exist is said to be so."""
    caller, like = Caller(tenant), held(tenant, "Mail.ReadWrite")
    body = new_role(like) | {"appRoleId": role_id(tenant, "Mail.Read")}
    for side, owner in ((SIDES[0], like.principal_id), (SIDES[1], like.resource_id)):
        got = refusal(caller.call("POST", f"/servicePrincipals/{owner}/{side}", body))
        assert got == (400, "Request_BadRequest", "Not a valid reference update.")
    path = f"/servicePrincipals/{like.principal_id}/appRoleAssignments"
    assert refusal(caller.call("POST", path, body | {"resourceId": NOBODY}))[2] == f"Resource '{NOBODY}' {ABSENT}"
    assert caller.snapshot is tenant


@pytest.mark.parametrize("role", [{"is_enabled": False}, {"allowed_member_types": ("User",)}])
def test_a_role_that_no_app_may_hold_is_not_given(tenant: Snapshot, role: dict[str, Any]) -> None:
    """Neither one that is switched off nor one for people."""
    wanted = role_id(tenant, "Mail.Read")

    def other(found: Any) -> Any:
        return tuple(replace(r, **role) if r.id == wanted else r for r in found.app_roles)

    listed = tuple(replace(r, app_roles=other(r)) for r in items(tenant.resources))
    caller = Caller(replace(tenant, resources=replace(tenant.resources, items=listed)))
    like = replace(roles(tenant)[0], app_role_id=wanted)
    got = refusal(caller.call("POST", road("appRoleAssignedTo", like), new_role(like)))
    assert got == (400, "Request_BadRequest", "Permission being assigned was not found on application")


@pytest.mark.parametrize(("change", "status", "code", "said"), WRONG_GRANT)
def test_a_grant_that_cannot_be_made_is_refused(
    tenant: Snapshot, change: dict[str, Any], status: int, code: str, said: str
) -> None:
    """The same client, resource, principal and consent twice, whatever the scopes; and what is not there."""
    caller = Caller(tenant)
    got = refusal(caller.call("POST", GRANTS, new_grant(granted(tenant), **change)))
    assert got[:2] == (status, code)
    assert said in got[2]
    assert caller.snapshot is tenant


@pytest.mark.parametrize("body", [*BODIES, {"scope": "", "id": "x"}, {"accountEnabled": True, "tags": []}], ids=repr)
def test_a_body_of_the_wrong_shape_is_refused(tenant: Snapshot, body: object) -> None:
    """No JSON, no object, nothing that may be changed, or more than that; of an app nothing but accountEnabled."""
    caller, one = Caller(tenant), app(tenant).service_principal
    for method, path in (
        ("PATCH", f"{GRANTS}/{granted(tenant).id}"),
        ("PATCH", f"/servicePrincipals/{one.id}"),
        ("POST", GRANTS),
        ("POST", f"/servicePrincipals/{one.id}/appRoleAssignments"),
    ):
        status, code, message = refusal(caller.call(method, path, body))
        assert (status, code) == (400, "Request_BadRequest")
        assert message.startswith("Invalid request body: ")
    assert caller.snapshot is tenant


def test_a_body_has_to_say_that_it_is_json(tenant: Snapshot) -> None:
    """As with Graph, which is what a bare curl meets; a charset may be said as well."""
    caller, path = Caller(tenant), f"{GRANTS}/{granted(tenant).id}"
    form = {"content-type": "application/x-www-form-urlencoded"}
    assert refusal(caller.call("PATCH", path, {"scope": "x"}, **form))[:2] == (400, "BadRequest")
    assert caller.snapshot is tenant
    assert (
        caller.call("PATCH", path, {"scope": "x"}, **{"content-type": "application/JSON; charset=utf-8"}).status == 204
    )


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", f"/servicePrincipals/{NOBODY}/appRoleAssignedTo/x"),
        ("DELETE", f"/servicePrincipals/{NOBODY}/appRoleAssignments/x"),
        ("POST", f"/servicePrincipals/{NOBODY}/appRoleAssignedTo"),
        ("POST", f"/servicePrincipals(appId='{NOBODY}')/appRoleAssignments"),
        ("PATCH", f"/servicePrincipals/{NOBODY}"),
        ("PATCH", f"{GRANTS}/{NOBODY}"),
        ("DELETE", f"{GRANTS}/{NOBODY}"),
    ],
)
def test_what_does_not_exist_is_not_found(tenant: Snapshot, method: str, path: str) -> None:
    """In Graph's words, whatever the body says."""
    status, code, message = refusal(Caller(tenant).call(method, path, {}))
    assert (status, code) == (404, "Request_ResourceNotFound")
    assert message in (f"Resource '{NOBODY}' {ABSENT}", f"Resource 'x' {ABSENT}")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", GRANTS),
        ("DELETE", GRANTS),
        ("DELETE", "/servicePrincipals/{id}"),
        ("PATCH", "/servicePrincipals/{id}/appRoleAssignments/x"),
        ("POST", "/servicePrincipals/{id}/owners"),
        ("POST", "/servicePrincipals"),
        ("POST", "/servicePrincipals/{id}/oauth2PermissionGrants"),
        ("HEAD", "/organization"),
    ],
)
def test_nothing_else_can_be_written(tenant: Snapshot, method: str, path: str) -> None:
    """Deleting an app, new owners, new apps: the simulator has no such call."""
    path = path.format(id=app(tenant).service_principal.id)
    assert Caller(tenant).call(method, path, {}).status == 405


@pytest.mark.parametrize("write", WRITES)
def test_a_write_takes_its_permission(tenant: Snapshot, write: Write) -> None:
    """The one that the table names, of an app or of a person: with every other 403, and nothing changes."""
    path, body = every_write(tenant)[write]
    method, needed = WRITES[write].method, WRITES[write].permission
    others = {w.permission for w in WRITES.values()} - {needed}
    assert len(others) == 2
    for token in (bearer(*others), bearer(scp=" ".join(others)), Caller(tenant).reader, "sample"):
        caller = Caller(tenant)
        got = refusal(caller.call(method, path, body, token))
        assert got == (403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")
        assert caller.snapshot is tenant
    for token in (bearer(needed), bearer(scp=f"openid {needed}")):
        assert Caller(tenant).call(method, path, body, token).status in (201, 204)


def test_without_the_right_to_write_nothing_is_told_of_what_is_there(tenant: Snapshot) -> None:
    """403 comes before 404 and 400."""
    assert refusal(Caller(tenant).call("DELETE", f"{GRANTS}/{NOBODY}", token="sample"))[0] == 403


def test_permissions_of_an_app_that_is_not_audited_are_not_kept(tenant: Snapshot) -> None:
    """The snapshot has no place for them, so they are refused; to read them gives nothing, as before."""
    caller, ordinary = Caller(tenant), items(tenant.service_principals)[-1]
    role = replace(roles(tenant)[0], principal_id=ordinary.id)
    for path, body in (
        (road("appRoleAssignments", role), new_role(role)),
        (GRANTS, new_grant(granted(tenant), clientId=ordinary.id)),
    ):
        status, code, message = refusal(caller.call("POST", path, body))
        assert (status, code) == (403, "Authorization_RequestDenied")
        assert message == "The snapshot does not hold the permissions of this service principal."
    assert caller.rows(road("appRoleAssignments", role)) == []


@pytest.mark.parametrize("collection", ["appRoleAssignments", "oauth2PermissionGrants"])
def test_what_may_not_be_read_may_not_be_written(tenant: Snapshot, collection: str) -> None:
    """Where a snapshot has none of a collection, whose state nobody knows, a write to it is refused."""
    closed = {w for w in WRITES if ("grant" in w) is (collection == "oauth2PermissionGrants")}
    for write, (path, body) in every_write(tenant).items():
        caller = Caller(without(tenant, collection))
        refused = caller.call(WRITES[write].method, path, body).status == 403
        assert refused is (write in closed - {"update-service-principal"}), write


def test_a_resource_that_may_not_be_read_is_not_switched_off(tenant: Snapshot) -> None:
    """The apps that are audited can be, and roles are taken from them; no resource joins those that are unread."""
    hidden = without(tenant, "resources")
    caller, gone = Caller(hidden), held(tenant, "Mail.ReadWrite")
    body = {"accountEnabled": False}
    assert caller.call("PATCH", f"/servicePrincipals/{resource(tenant)}", body).status == 403
    assert caller.snapshot is hidden
    assert caller.call("PATCH", f"/servicePrincipals/{gone.principal_id}", body).status == 204
    assert caller.call("DELETE", f"{road('appRoleAssignedTo', gone)}/{gone.id}").status == 204
    assert caller.snapshot.resources == hidden.resources


def test_one_apps_closed_collection_is_no_others(tenant: Snapshot) -> None:
    """Below a resource, what is known is written; what an app that is closed holds cannot be found, nor added to."""
    (hidden,) = without(replace(tenant, clients=(app(tenant),)), "appRoleAssignments").clients
    part = replace(tenant, clients=tuple(hidden if c == app(tenant) else c for c in tenant.clients))
    caller, theirs, known = Caller(part), held(tenant, "Mail.Read", PILOT), held(tenant, "Mail.ReadWrite")
    assert caller.call("DELETE", f"{road('appRoleAssignedTo', known)}/{known.id}").status == 404
    assert caller.call("POST", road("appRoleAssignedTo", known), new_role(known)).status == 403
    assert caller.call("DELETE", f"{road('appRoleAssignedTo', theirs)}/{theirs.id}").status == 204
