"""Writes on every road: over TCP and without, in batches, under faults; and the reads that a change makes."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from msgspec.structs import replace

from auditor.graph.auth import claims
from auditor.graph.writes import WRITES
from auditor.knowledge.sketch import without
from auditor.model.plan import Write
from auditor.model.snapshot import Snapshot, items
from auditor.simulator.fault import FaultKind
from auditor.simulator.graph import Call, Graph
from auditor.simulator.identities import Identities, Registration
from auditor.simulator.sample import CALENDAR
from auditor.simulator.server import Fault, serve
from tests.simulator.inprocess import InProcess
from tests.simulator.writing import (
    GRANTS,
    NOBODY,
    Caller,
    app,
    every_write,
    granted,
    held,
    new_role,
    refusal,
    road,
    role_id,
    roles,
)

LOST: dict[FaultKind, type[httpx.TransportError]] = {
    "timeout": httpx.ReadTimeout,
    "reset": httpx.RemoteProtocolError,
    "lost-answer": httpx.RemoteProtocolError,
}


@pytest.mark.parametrize("side", ["appRoleAssignedTo", "appRoleAssignments"])
def test_one_assignment_can_be_read(tenant: Snapshot, side: str) -> None:
    """By its id, which tells capitals apart, with $select as elsewhere; another owner does not have it."""
    caller, one = Caller(tenant), held(tenant, "Mail.ReadWrite")
    path = f"{road(side, one)}/{one.id}"
    whole = caller.get(path)
    assert whole.pop("@odata.context").endswith(f"#{road(side, one)[1:]}/$entity")
    assert whole in caller.rows(road(side, one))
    assert {"id": one.id, "appRoleId": one.app_role_id}.items() == {
        k: v for k, v in caller.get(f"{path}?$select=appRoleId").items() if k[0] != "@"
    }.items()
    other = replace(one, resource_id=NOBODY, principal_id=caller.snapshot.clients[-1].service_principal.id)
    for absent in (f"{road(side, one)}/{one.id.upper()}", f"{road(side, other)}/{one.id}"):
        assert refusal(caller.call("GET", absent))[:2] == (404, "Request_ResourceNotFound")
    assert refusal(caller.call("GET", f"{path}?$select=nothing"))[:2] == (400, "BadRequest")


def test_one_grant_can_be_read(tenant: Snapshot) -> None:
    """Of the whole tenant and below its client; where grants may not be read, it is refused."""
    caller, one = Caller(tenant), granted(tenant)
    for path in (GRANTS, f"/servicePrincipals/{one.client_id}{GRANTS}"):
        assert caller.get(f"{path}/{one.id}")["scope"] == one.scope
        assert caller.get(f"{path}/{one.id}?$select=scope").keys() == {"@odata.context", "id", "scope"}
    assert caller.call("GET", f"{GRANTS}/{NOBODY}").status == 404
    closed = Caller(without(tenant, "oauth2PermissionGrants"))
    assert refusal(closed.call("GET", f"{GRANTS}/{one.id}"))[0] == 403


def test_what_a_change_reads_can_be_filtered(tenant: Snapshot) -> None:
    """Assignments of an app on one resource, and the grants of a client on one."""
    caller, one, grant = Caller(tenant), held(tenant, "Mail.ReadWrite"), granted(tenant)
    rows = caller.rows(f"{road('appRoleAssignments', one)}?$filter=resourceId eq {one.resource_id}")
    assert {row["id"] for row in rows} == {a.id for a in roles(tenant) if a.resource_id == one.resource_id}
    assert 0 < len(rows) < len(roles(tenant))
    for resource, there in ((grant.resource_id, True), (NOBODY, False)):
        wanted = f"clientId eq '{grant.client_id}' and resourceId eq '{resource}'"
        found = caller.rows(f"{GRANTS}?$filter={wanted} and consentType eq 'AllPrincipals'")
        assert [row["id"] for row in found] == [grant.id] * there


def member(number: int, method: str, url: str, body: object = None, **more: Any) -> dict[str, Any]:
    sent = {} if body is None else {"body": body, "headers": {"Content-Type": "application/json"}}
    return {"id": str(number), "method": method, "url": url, **sent, **more}


def batch(caller: Caller, *members: dict[str, Any], token: str = "") -> dict[str, Any]:
    answer: Any = caller.call("POST", "/$batch", {"requests": members}, token)
    assert answer.status == 200, answer.body
    return {r["id"]: r for r in answer.body["responses"]}


def test_writes_in_a_batch_work_as_single_ones(tenant: Snapshot) -> None:
    """One after the other, each with its own status; a read among them sees what came before it."""
    alone, together = Caller(tenant), Caller(tenant)
    writes = [(WRITES[write].method, path, body) for write, (path, body) in every_write(tenant).items()]
    single = [alone.call(*each) for each in writes]
    list_ = f"/servicePrincipals/{app(tenant).service_principal.id}/appRoleAssignments"
    got = batch(
        together, member(90, "GET", list_), *(member(n, *w) for n, w in enumerate(writes)), member(91, "GET", list_)
    )
    assert together.snapshot == alone.snapshot != tenant
    for number, answer in enumerate(single):
        assert (got[str(number)]["status"], got[str(number)]["body"]) == (answer.status, answer.body)
        assert ("Content-Type" in got[str(number)]["headers"]) is (answer.status == 201)
    assert got["90"]["body"]["value"] != got["91"]["body"]["value"] == alone.rows(list_)
    assert [call.writes for call in together.graph.calls] == [False, False, *(True for _ in writes), False]


def test_a_member_has_the_rights_of_its_batch(tenant: Snapshot) -> None:
    """A better token among the member's own headers lifts nobody, and a body that does not say JSON is refused."""
    caller, (path, body) = Caller(tenant), every_write(tenant)["add-assignment"]
    own = {"Content-Type": "application/json", "Authorization": f"Bearer {caller.writer}"}
    got = batch(caller, member(1, "POST", path, body, headers=own), token=caller.reader)
    assert got["1"]["status"] == 403
    got = batch(caller, member(1, "POST", path, body, headers={}), member(2, "PATCH", f"{GRANTS}/{granted(tenant).id}"))
    assert (got["1"]["status"], got["2"]["status"]) == (400, 400)
    assert caller.snapshot is tenant


@pytest.mark.parametrize("kind", ["status", "timeout", "reset", "lost-answer", "cut-json", "not-json"])
@pytest.mark.parametrize("write", WRITES)
def test_a_fault_strikes_before_or_after_the_write(tenant: Snapshot, write: Write, kind: FaultKind) -> None:
    """An error, a time-out and a reset come before it is carried out; a lost and a broken answer come after."""
    path, body = every_write(tenant)[write]
    method = WRITES[write].method
    caller, well = Caller(tenant, Fault(match=f"{method} /v1.0{path}", kind=kind)), Caller(tenant)
    good, struck = well.call(method, path, body), caller.call(method, path, body)
    if kind in ("status", "timeout", "reset"):
        assert caller.snapshot is tenant
        assert (struck.status, struck.broken) == ((503, "") if kind == "status" else (200, kind))
        assert caller.call(method, path, body).status == good.status
    assert caller.snapshot == well.snapshot != tenant
    if kind == "lost-answer":
        assert struck.broken == "reset"
    if kind == "cut-json":
        assert struck.encoded() == good.encoded()[: len(good.encoded().decode()) // 2]
    if kind == "not-json":
        assert (struck.status, struck.content_type) == (200, "text/html")


def test_a_stale_read_shows_what_was_before_the_latest_write(tenant: Snapshot) -> None:
    """Of one object, of a collection, of a count and of an app; after two writes, what stood between them."""
    one, grant = held(tenant, "Mail.ReadWrite"), granted(tenant)
    path, app_ = road("appRoleAssignments", one), f"/servicePrincipals/{one.principal_id}"
    fault = Fault(match=f"GET /v1.0{app_}", kind="stale", times=5)
    caller = Caller(tenant, fault, Fault(match=f"GET /v1.0{GRANTS}", kind="stale"))
    assert len(caller.rows(path)) == len(roles(tenant))
    assert caller.call("DELETE", f"{path}/{one.id}").status == 204
    assert caller.get(f"{path}/{one.id}")["id"] == one.id
    assert len(caller.rows(path)) == len(roles(tenant))
    assert caller.call("PATCH", app_, {"accountEnabled": False}).status == 204
    assert caller.get(app_)["accountEnabled"] is True
    assert len(caller.rows(path)) == len(roles(tenant)) - 1
    assert caller.get(app_)["accountEnabled"] is False
    assert len(caller.rows(path)) == len(roles(tenant)) - 1
    assert caller.call("DELETE", f"{GRANTS}/{grant.id}").status == 204
    assert refusal(caller.call("DELETE", f"{GRANTS}/{grant.id}"))[0] == 404
    assert [grant.id in {g["id"] for g in caller.rows(GRANTS)} for _ in range(2)] == [True, False]


def test_a_stale_fault_leaves_writes_alone(tenant: Snapshot) -> None:
    """A double is refused by what is, not by what was; and without a write there is nothing older."""
    one = held(tenant, "Mail.ReadWrite")
    caller = Caller(tenant, Fault(match="/v1.0/", kind="stale", times=0))
    assert caller.rows(GRANTS) == Caller(tenant).rows(GRANTS)
    path = road("appRoleAssignedTo", one)
    assert [caller.call("DELETE", f"{path}/{one.id}").status for _ in range(2)] == [204, 404]
    assert [caller.call("POST", path, new_role(one)).status for _ in range(2)] == [201, 400]


@pytest.mark.parametrize(("kind", "carried_out"), [("reset", 1), ("timeout", 1), ("lost-answer", 2)])
def test_a_member_that_loses_the_connection_ends_its_batch(tenant: Snapshot, kind: FaultKind, carried_out: int) -> None:
    """What came before it is done, what comes after it is not, and nobody is told."""
    gone = [held(tenant, value) for value in ("Mail.ReadWrite", "Mail.Send", "Calendars.Read")]
    paths = [f"{road('appRoleAssignedTo', one)}/{one.id}" for one in gone]
    caller = Caller(tenant, Fault(match=gone[1].id, kind=kind))
    body = {"requests": [member(n, "DELETE", path) for n, path in enumerate(paths)]}
    assert caller.call("POST", "/$batch", body).broken
    assert [one in roles(caller.snapshot) for one in gone] == [n >= carried_out for n in range(3)]


@pytest.mark.parametrize(("kind", "carried_out"), [("status", False), ("reset", False), ("lost-answer", True)])
def test_a_batch_is_carried_out_or_not_as_a_whole(tenant: Snapshot, kind: FaultKind, carried_out: bool) -> None:
    """A fault of the batch itself strikes before its members, or after all of them."""
    one = held(tenant, "Mail.ReadWrite")
    caller = Caller(tenant, Fault(match="$batch", kind=kind))
    body = {"requests": [member(1, "DELETE", f"{road('appRoleAssignedTo', one)}/{one.id}")]}
    caller.call("POST", "/$batch", body)
    assert (caller.snapshot is not tenant) is carried_out


@pytest.mark.parametrize(
    ("method", "target", "writes"),
    [
        ("GET", "/v1.0/organization", False),
        ("POST", "/v1.0/$batch", False),
        ("POST", "/beta/$batch", False),
        ("PUT", "/v1.0/$batch", True),
        ("POST", f"/v1.0{GRANTS}", True),
        ("PATCH", f"/v1.0{GRANTS}/x", True),
        ("DELETE", f"/v1.0{GRANTS}/x", True),
    ],
)
def test_a_call_tells_whether_it_writes(method: str, target: str, writes: bool) -> None:
    """A batch by itself does not: its members stand in the log on their own."""
    assert Call(method, target, in_batch=False, agent="").writes is writes


def sent(tenant: Snapshot) -> list[tuple[str, str, object]]:
    """Return writes that are carried out and some that are refused, in order."""
    good = [(WRITES[write].method, path, body) for write, (path, body) in every_write(tenant).items()]
    return [*good, *good[:2], ("PATCH", f"{GRANTS}/{NOBODY}", {"scope": ""}), ("PUT", GRANTS, {})]


def test_the_server_and_the_transport_say_the_same(tenant: Snapshot) -> None:
    """Over TCP and without a socket a write has the same status, headers and bytes, and leaves the same tenant."""

    def seen(answer: httpx.Response) -> tuple[int, dict[str, str], bytes]:
        headers = {k: v for k, v in answer.headers.items() if k not in ("date", "connection")}
        return answer.status_code, headers, answer.content

    with (
        serve(tenant) as running,
        httpx.Client(base_url=f"{running.url}/v1.0", headers=_by(running.write_token)) as client,
    ):
        there = [seen(client.request(method, path, json=body)) for method, path, body in sent(tenant)]
        graph = Graph(tenant, url=running.url, token="x", write_token=running.write_token, page_size=9, faults=())
        transport = InProcess(graph, clock=lambda: 0.0)

        async def here() -> list[tuple[int, dict[str, str], bytes]]:
            async with httpx.AsyncClient(
                base_url=f"{running.url}/v1.0", headers=_by(running.write_token), transport=transport
            ) as local:
                return [seen(await local.request(method, path, json=body)) for method, path, body in sent(tenant)]

        assert asyncio.run(here()) == there
        assert {status for status, _, _ in there} == {201, 204, 400, 404, 405}
        assert {(len(body), "content-type" in headers) for status, headers, body in there if status == 204} == {
            (0, False)
        }
        assert running.snapshot == graph.snapshot != tenant


def _by(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.mark.parametrize("kind", LOST)
def test_a_connection_is_lost_over_tcp(tenant: Snapshot, kind: FaultKind) -> None:
    """The client cannot tell whether the write was carried out; the tenant can."""
    one = held(tenant, "Mail.ReadWrite")
    with serve(tenant, faults=(Fault(match="DELETE", kind=kind),)) as running:
        target = f"{running.url}/v1.0{road('appRoleAssignedTo', one)}/{one.id}"
        with pytest.raises(LOST[kind]):
            httpx.delete(target, headers=_by(running.write_token), timeout=0.5)
        assert (one in roles(running.snapshot)) is (kind != "lost-answer")
        assert [call.writes for call in running.calls] == [True]


def test_two_identities_one_reads_and_one_writes(tenant: Snapshot) -> None:
    """They differ in app and object, both belong to the tenant, and each run has tokens of its own."""
    with serve(tenant) as running, serve(tenant) as other:
        reads, writes = claims(running.token), claims(running.write_token)
        assert (reads.tid, writes.tid) == (tenant.tenant_id, tenant.tenant_id)
        assert reads.appid != writes.appid
        assert reads.oid != writes.oid
        assert writes.app_displayname == "Sample writer"
        assert set(writes.roles) - set(reads.roles) == {write.permission for write in WRITES.values()}
        assert not [role for role in reads.roles if "Write" in role]
        assert other.write_token != running.write_token
        one = held(tenant, "Mail.ReadWrite")
        target = f"{running.url}/v1.0{road('appRoleAssignedTo', one)}/{one.id}"
        statuses = [httpx.delete(target, headers=_by(t)).status_code for t in (other.write_token, running.token)]
        assert statuses == [401, 403]
        assert httpx.delete(target, headers=_by(running.write_token)).status_code == 204


def test_an_app_that_signs_in_may_write_where_its_registration_says_so(tenant: Snapshot) -> None:
    """The authority's tokens carry the roles of the registration, and the audit log names the app by its id."""
    needed = ("AppRoleAssignment.ReadWrite.All", "Directory.Read.All")
    apps = (Registration(client_id=CALENDAR, secret="one", roles=needed), Registration(client_id=NOBODY, secret="one"))
    like = replace(held(tenant, "Mail.ReadWrite"), app_role_id=role_id(tenant, "Mail.Read"))
    with serve(tenant, identities=Identities(registrations=apps)) as running:
        statuses = []
        for one in apps:
            form = {
                "grant_type": "client_credentials",
                "client_id": one.client_id,
                "client_secret": "one",
                "scope": f"{running.url}/.default",
            }
            given = httpx.post(f"{running.url}/{tenant.tenant_id}/oauth2/v2.0/token", data=form).json()
            target = f"{running.url}/v1.0{road('appRoleAssignedTo', like)}"
            statuses.append(httpx.post(target, json=new_role(like), headers=_by(given["access_token"])).status_code)
        assert statuses == [201, 403]
        assert items(app(running.snapshot).grant_events)[0].actor == CALENDAR
