"""What the snapshot holds is what the tenant answers, endpoint by endpoint, and it reads back as the same values."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from msgspec import UNSET
from msgspec.structs import asdict, replace

from auditor.graph import wire
from auditor.knowledge.sketch import SAMPLE_TENANT, without
from auditor.model.directory import DirectoryObject, GrantEvent, ServicePrincipal
from auditor.model.snapshot import Client, Collected, Complete, Partial, Snapshot, items
from auditor.simulator import sample
from tests.simulator.conftest import Start

EVENTUAL = {"ConsistencyLevel": "eventual"}
ROLE = "#microsoft.graph.directoryRole"


def values(response: httpx.Response) -> list[dict[str, Any]]:
    assert response.status_code == 200, response.text
    return list(response.json()["value"])


def client_of(tenant: Snapshot, app_id: str) -> Client:
    return next(client for client in tenant.clients if client.service_principal.app_id == app_id)


def test_the_list_of_service_principals_reads_back(graph: httpx.Client, tenant: Snapshot) -> None:
    """Every listed app is there with every field that the snapshot knows of it."""
    got = {app.id: app for app in map(wire.service_principal, values(graph.get("/beta/servicePrincipals")))}
    listed = items(tenant.service_principals)
    assert got.keys() == {app.id for app in listed}
    for app in listed:
        known = {name: value for name, value in asdict(app).items() if value is not UNSET}
        assert known.items() <= asdict(got[app.id]).items()


def test_a_client_reads_back_whole(graph: httpx.Client, tenant: Snapshot) -> None:
    """Identity, permissions, grants, owners, memberships, sign-ins and audit records survive the way through HTTP."""
    for client in tenant.clients:
        app = client.service_principal
        below = f"/v1.0/servicePrincipals/{app.id}"
        assert wire.service_principal(graph.get(f"/beta/servicePrincipals/{app.id}").json()) == app
        roads: tuple[tuple[str, Callable[[Any], object], Collected[Any]], ...] = (
            ("appRoleAssignments", wire.app_role_assignment, client.app_role_assignments),
            ("oauth2PermissionGrants", wire.oauth2_permission_grant, client.oauth2_permission_grants),
            ("owners", wire.directory_object, client.owners),
            ("memberOf", wire.directory_object, client.member_of),
            ("transitiveMemberOf", wire.directory_object, client.member_of),
        )
        for path, decode, part in roads:
            assert tuple(map(decode, values(graph.get(f"{below}/{path}")))) == items(part)
        line = graph.get(
            "/beta/reports/servicePrincipalSignInActivities", params={"$filter": f"appId eq '{app.app_id}'"}
        )
        assert tuple(map(wire.sign_in_activity, values(line))) == items(client.sign_in_activity)
        records = graph.get(
            "/v1.0/auditLogs/directoryAudits",
            params={"$filter": f"targetResources/any(t:t/id eq '{app.id}')"},
        )
        events = {event.id: event for event in map(wire.grant_event, values(records))}
        assert events == {event.id: event for event in items(client.grant_events)}


def test_an_app_is_found_by_its_app_id(graph: httpx.Client, tenant: Snapshot) -> None:
    """`servicePrincipals(appId='..')` is the same object, and so is what stands below it."""
    app = client_of(tenant, sample.CALENDAR).service_principal
    for tail in ("", "/appRoleAssignments"):
        by_app = graph.get(f"/v1.0/servicePrincipals(appId='{app.app_id}'){tail}").json()
        by_id = graph.get(f"/v1.0/servicePrincipals/{app.id.upper()}{tail}").json()
        by_app.pop("@odata.context")
        by_id.pop("@odata.context")
        assert by_app == by_id


def test_assigned_to_is_the_other_side_of_assignments(graph: httpx.Client, tenant: Snapshot) -> None:
    """What all clients hold on a resource is what the resource says is assigned on it: two roads, one truth."""
    for resource in items(tenant.resources):
        there = values(graph.get(f"/v1.0/servicePrincipals/{resource.id}/appRoleAssignedTo"))
        held = {
            role.id
            for client in tenant.clients
            for role in items(client.app_role_assignments)
            if role.resource_id == resource.id
        }
        assert {role["id"] for role in there} == held != set()


def test_an_app_that_was_not_read_closely_holds_nothing(graph: httpx.Client, tenant: Snapshot) -> None:
    """An ordinary app has empty collections, and an object that does not exist has none."""
    clients = {client.service_principal.id for client in tenant.clients}
    other = next(app for app in items(tenant.service_principals) if app.id not in clients)
    assert values(graph.get(f"/v1.0/servicePrincipals/{other.id}/appRoleAssignments")) == []
    nobody = "99999999-9999-4999-8999-999999999999"
    assert graph.get(f"/v1.0/servicePrincipals/{nobody}").status_code == 404
    assert graph.get(f"/v1.0/servicePrincipals/{nobody}/owners").status_code == 404


def test_the_tenants_grants_are_those_of_all_clients(graph: httpx.Client, tenant: Snapshot) -> None:
    """The tenant-wide list is the union, and its filters choose from it, joined by `and`."""
    grants = [grant for client in tenant.clients for grant in items(client.oauth2_permission_grants)]
    whole = values(graph.get("/v1.0/oauth2PermissionGrants"))
    assert [grant["id"] for grant in whole] == [grant.id for grant in grants]
    calendar = client_of(tenant, sample.CALENDAR).service_principal.id
    wanted = {"$filter": f"clientId eq '{calendar}' and consentType eq 'Principal'"}
    assert len(values(graph.get("/v1.0/oauth2PermissionGrants", params=wanted))) == 12
    person = next(grant.principal_id for grant in grants if grant.principal_id)
    one = values(graph.get("/v1.0/oauth2PermissionGrants", params={"$filter": f"principalId eq '{person}'"}))
    assert {grant["principalId"] for grant in one} == {person}


def test_the_organization_names_the_sample(graph: httpx.Client) -> None:
    """The tenant says who it is, and that it is made up."""
    (organization,) = values(graph.get("/v1.0/organization"))
    assert organization["id"] == SAMPLE_TENANT
    assert "(sample)" in organization["displayName"]


@pytest.mark.parametrize(
    ("filter_", "number"),
    [
        ("accountEnabled eq true and userType eq 'Member'", 4210),
        ("accountEnabled eq false", 0),
        ("userType eq 'Guest'", 0),
    ],
)
def test_enabled_members_are_counted(graph: httpx.Client, filter_: str, number: int) -> None:
    """Both ways to count agree with the snapshot's number."""
    counted = graph.get("/v1.0/users", params={"$filter": filter_, "$count": "true", "$top": "1"}, headers=EVENTUAL)
    assert counted.json()["@odata.count"] == number
    raw = graph.get("/v1.0/users/$count", params={"$filter": filter_}, headers=EVENTUAL)
    assert raw.headers["content-type"].startswith("text/plain")
    assert raw.text == str(number)


def test_a_count_needs_eventual_consistency(graph: httpx.Client) -> None:
    """Without the header, `$count=true` is ignored and `/$count` is refused, as Microsoft Graph does."""
    assert "@odata.count" not in graph.get("/v1.0/users", params={"$count": "true", "$top": "1"}).json()
    refused = graph.get("/v1.0/users/$count")
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "Request_UnsupportedQuery")
    everything = graph.get("/v1.0/servicePrincipals/$count", headers=EVENTUAL)
    listed = graph.get("/v1.0/servicePrincipals", params={"$count": "true"}, headers=EVENTUAL)
    assert everything.text == str(listed.json()["@odata.count"])
    assert graph.get("/v1.0/nothing/$count", headers=EVENTUAL).status_code == 404


def test_millions_of_users_cost_nothing(start: Start, tenant: Snapshot) -> None:
    """Users are made when they are asked for: a page of ten million is as quick as a page of ten."""
    client, _ = start(replace(tenant, enabled_members=Complete(items=(10_000_000,))))
    page = client.get("/v1.0/users", params={"$filter": "accountEnabled eq true", "$count": "true"}, headers=EVENTUAL)
    assert page.json()["@odata.count"] == 10_000_000
    assert page.elapsed < timedelta(seconds=2)
    assert len({user["id"] for user in page.json()["value"]}) == 100


def test_roles_and_groups_are_told_apart(start: Start, tenant: Snapshot) -> None:
    """A cast shows one kind of membership; directoryRoles shows every role that an app holds, on one page."""
    roles = [
        DirectoryObject(id=f"0000000{n}-0000-4000-8000-000000000000", odata_type=ROLE, role_template_id="t")
        for n in range(3)
    ]
    group = DirectoryObject(
        id="10000000-0000-4000-8000-000000000000", odata_type="#microsoft.graph.group", display_name="g"
    )
    first, *rest = tenant.clients
    changed = replace(first, member_of=Complete(items=(*roles, group)))
    client, _ = start(replace(tenant, clients=(changed, *rest)), page_size=1)
    below = f"/v1.0/servicePrincipals/{first.service_principal.id}/transitiveMemberOf"
    only = client.get(f"{below}/microsoft.graph.directoryRole", params={"$top": "999"})
    assert [role["id"] for role in values(only)] == [role.id for role in roles]
    assert len(values(client.get("/v1.0/directoryRoles"))) == 3
    assert client.get("/v1.0/users/microsoft.graph.directoryRole").status_code == 404
    assert client.get("/v1.0/microsoft.graph.directoryRole").status_code == 404


def test_applications_are_none(graph: httpx.Client) -> None:
    """The tenant registers no application of its own."""
    assert values(graph.get("/v1.0/applications")) == []


def test_the_audit_log_begins_where_the_snapshot_says(graph: httpx.Client, tenant: Snapshot) -> None:
    """The oldest record is as old as the log, the newest comes first, and a filter on time cuts it."""
    records = values(graph.get("/v1.0/auditLogs/directoryAudits"))
    moments = [wire.moment(record["activityDateTime"]) for record in records]
    assert moments == sorted(moments, key=lambda moment: moment or datetime.max.replace(tzinfo=UTC), reverse=True)
    assert moments[-1] == tenant.audit_log_since
    oldest = graph.get("/v1.0/auditLogs/directoryAudits", params={"$orderby": "activityDateTime asc", "$top": "1"})
    assert values(oldest)[0]["id"] == records[-1]["id"]
    recent = graph.get(
        "/v1.0/auditLogs/directoryAudits", params={"$filter": "activityDateTime ge 2026-11-05T00:00:00Z"}
    )
    assert 0 < len(values(recent)) < len(records)


EVENT = GrantEvent(
    id="20000000-0000-4000-8000-000000000000",
    activity_date_time=datetime(2026, 11, 3, 8, 30, tzinfo=UTC),
    activity="Consent to application",
    result="success",
    actor="sam.rivera@contoso.example",
    permissions=("openid", "Calendars.Read"),
)


@pytest.mark.parametrize(
    "event",
    [
        EVENT,
        replace(EVENT, actor="Sample provisioning"),
        replace(EVENT, actor=None, result="failure"),
        replace(EVENT, activity="Update service principal", permissions=()),
        replace(EVENT, activity="Add app role assignment to service principal", permissions=()),
        replace(EVENT, activity="Add app role assignment to service principal", permissions=("Mail.Read",)),
    ],
)
def test_audit_records_read_back(start: Start, tenant: Snapshot, event: GrantEvent) -> None:
    """A record of any kind, by a user, an app or nobody, tells the same grant after its way through Graph's shape."""
    first = tenant.clients[0]
    resource = items(tenant.resources)[0].id if event.activity.startswith("Add") else None
    event = replace(event, target_id=first.service_principal.id, resource_id=resource)
    only = replace(first, grant_events=Complete(items=(event,)))
    client, _ = start(replace(tenant, clients=(only,), audit_log_since=None))
    (record,) = values(client.get("/v1.0/auditLogs/directoryAudits"))
    assert wire.grant_event(record) == event


@pytest.mark.parametrize(
    ("collection", "paths"),
    [
        ("organization", ["/v1.0/organization"]),
        ("enabledMembers", ["/v1.0/users", "/v1.0/users/$count"]),
        ("servicePrincipals", ["/v1.0/servicePrincipals"]),
        ("appRoleAssignments", ["/v1.0/servicePrincipals/{id}/appRoleAssignments"]),
        (
            "oauth2PermissionGrants",
            ["/v1.0/servicePrincipals/{id}/oauth2PermissionGrants", "/v1.0/oauth2PermissionGrants"],
        ),
        ("owners", ["/v1.0/servicePrincipals/{id}/owners"]),
        (
            "memberOf",
            [
                "/v1.0/servicePrincipals/{id}/memberOf",
                "/v1.0/servicePrincipals/{id}/transitiveMemberOf/microsoft.graph.directoryRole",
                "/v1.0/directoryRoles",
            ],
        ),
        ("signInActivity", ["/beta/reports/servicePrincipalSignInActivities?$filter=appId eq '{app}'"]),
        ("grantEvents", ["/v1.0/auditLogs/directoryAudits?$filter=targetResources/any(t:t/id eq '{id}')"]),
        ("resources", ["/v1.0/servicePrincipals/{resource}", "/v1.0/servicePrincipals?$filter=id eq '{resource}'"]),
    ],
)
def test_what_could_not_be_read_is_refused(start: Start, tenant: Snapshot, collection: str, paths: list[str]) -> None:
    """An unavailable collection answers 403 on every road to it, and never an empty list."""
    client, _ = start(without(tenant, collection))
    app = client_of(tenant, sample.CALENDAR)
    resource = items(app.app_role_assignments)[0].resource_id
    for path in paths:
        ids = {"id": app.service_principal.id, "app": app.service_principal.app_id, "resource": resource}
        answer = client.get(path.format(**ids), headers=EVENTUAL)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "Authorization_RequestDenied")


def test_one_apps_gap_is_not_the_others(start: Start, tenant: Snapshot) -> None:
    """Where one client's grants could not be read, asking for it is refused, and the others are still there."""
    first, second, *rest = tenant.clients
    gap = without(replace(tenant, clients=(second,)), "oauth2PermissionGrants").clients[0]
    client, _ = start(replace(tenant, clients=(first, gap, *rest)))
    ask = "/v1.0/oauth2PermissionGrants?$filter=clientId eq '{}'"
    assert client.get(ask.format(gap.service_principal.id)).status_code == 403
    assert client.get(ask.format(rest[0].service_principal.id)).status_code == 200
    assert client.get("/v1.0/oauth2PermissionGrants").status_code == 200


def test_a_partial_collection_serves_what_was_read(start: Start, tenant: Snapshot) -> None:
    """Partial items are served; the simulator cannot know the rest."""
    some = items(tenant.service_principals)[:3]
    alone = replace(tenant, clients=(), service_principals=Partial(items=some, why="cut"), resources=Complete(items=()))
    client, _ = start(alone)
    assert len(values(client.get("/v1.0/servicePrincipals"))) == 3


def test_a_field_that_is_not_known_is_not_sent(start: Start, tenant: Snapshot) -> None:
    """UNSET stays away, null is null, and a certificate's key or a secret's value is never sent."""
    bare = ServicePrincipal(id="30000000-0000-4000-8000-000000000000", app_id="x", homepage=None)
    client, _ = start(replace(tenant, clients=(), service_principals=Complete(items=(bare,))))
    got = client.get(f"/v1.0/servicePrincipals/{bare.id}").json()
    assert got["homepage"] is None
    assert "replyUrls" not in got


def test_no_credential_value_is_ever_sent(graph: httpx.Client, tenant: Snapshot) -> None:
    """Keys and secrets come with a null where Graph has their value."""
    pilot, saml = (client_of(tenant, app).service_principal.id for app in (sample.PILOT, sample.SINGLE_SIGN_ON))
    (secret,) = graph.get(f"/v1.0/servicePrincipals/{pilot}").json()["passwordCredentials"]
    assert (secret["secretText"], secret["displayName"]) == (None, "pilot script")
    keys = graph.get(f"/v1.0/servicePrincipals/{saml}").json()["keyCredentials"]
    assert [key["key"] for key in keys] == [None, None]
