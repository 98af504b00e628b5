"""Two roads to the same rows: they show the same, and where a snapshot has none of it both are closed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from msgspec.structs import replace

from auditor.knowledge.sketch import without
from auditor.model.directory import DirectoryObject, GrantEvent
from auditor.model.snapshot import Client, Complete, Partial, Snapshot, Unavailable, items
from auditor.simulator import bodies, sample
from auditor.simulator.server import serve
from tests.simulator.conftest import Start

EVENTUAL = {"ConsistencyLevel": "eventual"}
COUNT = "$count=true&$top=1&$select=id"
OLDEST = "$orderby=activityDateTime asc&$top=1"
ROADS = {
    "app_role_assignments": "/v1.0/servicePrincipals/{resource}/appRoleAssignedTo?$filter=principalId eq '{id}'",
    "oauth2_permission_grants": "/v1.0/oauth2PermissionGrants?$filter=clientId eq '{id}'&$top=999",
    "owners": "/v1.0/servicePrincipals/{id}/owners?" + COUNT,
    "member_of": "/v1.0/servicePrincipals/{id}/transitiveMemberOf?" + COUNT,
    "grant_events": "/v1.0/auditLogs/directoryAudits?$filter=targetResources/any(t:t/id eq '{id}')&" + OLDEST,
    "sign_in_activity": "/beta/reports/servicePrincipalSignInActivities?$filter=appId eq '{app}'&$top=1",
}
"""A field of Client, and the second road to its rows."""
COLLECTIONS = {
    "app_role_assignments": "appRoleAssignments",
    "oauth2_permission_grants": "oauth2PermissionGrants",
    "owners": "owners",
    "member_of": "memberOf",
    "grant_events": "grantEvents",
    "sign_in_activity": "signInActivity",
}
OPEN_FOR_ALL = {
    "app_role_assignments": "/v1.0/servicePrincipals/{resource}/appRoleAssignedTo?$top=999",
    "oauth2_permission_grants": "/v1.0/oauth2PermissionGrants",
    "member_of": "/v1.0/directoryRoles",
    "grant_events": f"/v1.0/auditLogs/directoryAudits?{OLDEST}",
    "sign_in_activity": "/beta/reports/servicePrincipalSignInActivities?$top=1",
}
"""Lists that all clients share."""


@pytest.fixture(scope="module")
def tenant(tenant: Snapshot) -> Snapshot:
    """Return the sample tenant, where the first two apps have memberships, one and three, and old audit records."""
    groups = [
        DirectoryObject(id=f"0000000{n}-0000-4000-8000-000000000000", odata_type="#microsoft.graph.group")
        for n in range(4)
    ]
    apps = list(tenant.clients)
    for number, (few, day) in enumerate(((groups[:1], 2), (groups[1:], 1))):
        apps[number] = replace(
            apps[number],
            member_of=Complete(items=tuple(few)),
            grant_events=Complete(items=tuple(event(apps[number], day + later) for later in (0, 1))),
        )
    return replace(tenant, clients=tuple(apps))


def event(app: Client, day: int) -> GrantEvent:
    return GrantEvent(
        id=f"10000000-0000-4000-8000-{app.service_principal.id[-10:]}{day:02}",
        activity_date_time=datetime(2026, 11, day, tzinfo=UTC),
        activity="Consent to application",
        target_id=app.service_principal.id,
        permissions=("Calendars.Read",),
    )


@pytest.fixture(scope="module")
def graph(tenant: Snapshot) -> Iterator[httpx.Client]:
    """Return a client of one simulator of that tenant."""
    with serve(tenant) as running:
        header = {"Authorization": f"Bearer {running.token}"}
        with httpx.Client(base_url=running.url, headers=header) as client:
            yield client


def get(client: httpx.Client, road: str, app: Client, resource: str = "") -> httpx.Response:
    named = app.service_principal
    return client.get(road.format(id=named.id, app=named.app_id, resource=resource), headers=EVENTUAL)


def values(answer: httpx.Response) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    return list(answer.json()["value"])


def client_of(tenant: Snapshot, app_id: str) -> Client:
    return next(client for client in tenant.clients if client.service_principal.app_id == app_id)


def resource_of(app: Client) -> str:
    return items(app.app_role_assignments)[0].resource_id


def test_a_resource_shows_every_clients_rows_and_no_other(graph: httpx.Client, tenant: Snapshot) -> None:
    """appRoleAssignedTo of each resource holds the rows of all clients; together they are all assignments."""
    told: list[dict[str, Any]] = []
    held = [row for client in tenant.clients for row in items(client.app_role_assignments)]
    for resource in items(tenant.resources):
        here = values(graph.get(f"/v1.0/servicePrincipals/{resource.id}/appRoleAssignedTo?$top=999"))
        assert {row["resourceId"] for row in here} == {resource.id}
        told += here
    assert sorted(row["id"] for row in told) == sorted(row.id for row in held)
    assert len({row["principalId"] for row in told}) > 1


@pytest.mark.parametrize(("part", "below"), [("owners", "owners"), ("member_of", "transitiveMemberOf")])
def test_rows_below_an_app_are_counted(graph: httpx.Client, tenant: Snapshot, part: str, below: str) -> None:
    """With the header the first row comes with the number of all; without it there is no number."""
    numbers = set()
    for app in tenant.clients:
        answer = get(graph, ROADS[part], app)
        numbers.add(answer.json()["@odata.count"])
        assert answer.json()["@odata.count"] == len(items(getattr(app, part)))
        assert [set(row) <= {"id", "@odata.type"} for row in values(answer)] == [True][: answer.json()["@odata.count"]]
        bare = graph.get(f"/v1.0/servicePrincipals/{app.service_principal.id}/{below}?{COUNT}")
        assert "@odata.count" not in bare.json()
    assert len(numbers) > 1


def test_the_oldest_record_of_an_app_is_found(graph: httpx.Client, tenant: Snapshot) -> None:
    """The first of an app's audit records, oldest first, is its oldest."""
    found = 0
    for app in tenant.clients:
        times = [bodies.moment(event.activity_date_time) for event in items(app.grant_events)]
        got = [record["activityDateTime"] for record in values(get(graph, ROADS["grant_events"], app))]
        assert got == sorted(times)[:1]
        found += len(set(times)) > 1
    assert found


def test_one_line_of_the_sign_in_report_can_be_asked_for(graph: httpx.Client, tenant: Snapshot) -> None:
    """The report's first line is one of the clients', and the next page leads on."""
    page = graph.get("/beta/reports/servicePrincipalSignInActivities?$top=1").json()
    apps = {client.service_principal.app_id for client in tenant.clients}
    assert {line["appId"] for line in page["value"]} <= apps
    assert len(page["value"]) == 1
    assert "@odata.nextLink" in page
    assert graph.get("/v1.0/reports/servicePrincipalSignInActivities?$top=1").status_code == 404


def test_the_beta_version_lists_the_same_apps(graph: httpx.Client) -> None:
    """Both versions list the same service principals in the same order."""
    query = "$select=id,appId&$top=999"
    lists = [values(graph.get(f"/{version}/servicePrincipals?{query}")) for version in ("v1.0", "beta")]
    assert lists[0] == lists[1] != []


@pytest.mark.parametrize("part", ROADS)
def test_what_could_not_be_read_is_closed_on_the_second_road(start: Start, tenant: Snapshot, part: str) -> None:
    """An Unavailable collection of every client: 403 on its second road, and on the list that the clients share."""
    app = client_of(tenant, sample.CALENDAR)
    resource = resource_of(app)
    client, _ = start(without(tenant, COLLECTIONS[part]))
    for road in filter(None, (ROADS[part], OPEN_FOR_ALL.get(part))):
        assert get(client, road, app, resource).status_code == 403


@pytest.mark.parametrize("part", ROADS)
def test_one_clients_gap_closes_its_rows_alone(start: Start, tenant: Snapshot, part: str) -> None:
    """Where one client's rows could not be read, asking for them is refused; the others' are there, and shared lists
    show them."""
    gap, other = client_of(tenant, sample.CALENDAR), client_of(tenant, sample.ROOMS)
    changed = {gap: replace(gap, **{part: Unavailable(why="sample")})}
    client, _ = start(replace(tenant, clients=tuple(changed.get(c, c) for c in tenant.clients)))
    assert get(client, ROADS[part], gap, resource_of(gap)).status_code == 403
    assert get(client, ROADS[part], other, resource_of(other)).status_code == 200
    if part in OPEN_FOR_ALL:
        assert get(client, OPEN_FOR_ALL[part], other, resource_of(other)).status_code == 200


@pytest.mark.parametrize("part", ["app_role_assignments", "oauth2_permission_grants", "owners", "member_of"])
def test_what_was_read_in_part_is_the_same_on_both_roads(start: Start, tenant: Snapshot, part: str) -> None:
    """Partial rows are shown, and no other, whichever way they are asked for."""
    whole = max(tenant.clients, key=lambda client: len(items(getattr(client, part))))
    some = items(getattr(whole, part))[:1]
    cut = replace(whole, **{part: Partial(items=some, why="sample")})
    client, _ = start(replace(tenant, clients=(cut,)))
    resource = getattr(some[0], "resource_id", "")
    answer = get(client, ROADS[part], whole, resource)
    assert [row["id"] for row in values(answer)] == [row.id for row in some]
    assert answer.json().get("@odata.count", 1) == 1


def test_assignments_on_a_resource_that_was_not_read_are_shown(start: Start, tenant: Snapshot) -> None:
    """What the clients hold is known even where neither list nor resource is: its rows are there, the object is not."""
    app = client_of(tenant, sample.CALENDAR)
    resource = resource_of(app)
    nothing: Complete[Any] = Complete(items=())
    client, _ = start(replace(tenant, clients=(app,), resources=nothing, service_principals=nothing))
    held = [row.id for row in items(app.app_role_assignments) if row.resource_id == resource]
    below = f"/v1.0/servicePrincipals/{resource}"
    assert [row["id"] for row in values(client.get(f"{below}/appRoleAssignedTo"))] == held
    assert client.get(below).status_code == 404
    assert client.get(f"{below}/owners").status_code == 404
