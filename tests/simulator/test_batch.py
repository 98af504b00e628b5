"""$batch: every member is a call of its own, answered by id."""

from __future__ import annotations

import base64
from typing import Any

import httpx
import pytest

from auditor.model.snapshot import Snapshot
from auditor.simulator import sample
from auditor.simulator.server import Call, Fault
from tests.simulator.conftest import Start


def members(*urls: str, method: str = "GET") -> list[dict[str, Any]]:
    return [{"id": str(number), "method": method, "url": url} for number, url in enumerate(urls)]


def post(client: httpx.Client, requests: object, version: str = "v1.0") -> httpx.Response:
    return client.post(f"/{version}/$batch", json={"requests": requests})


def by_id(response: httpx.Response) -> dict[str, dict[str, Any]]:
    assert response.status_code == 200, response.text
    return {member["id"]: member for member in response.json()["responses"]}


def test_a_member_is_answered_as_if_it_were_alone(graph: httpx.Client) -> None:
    """Status and body of each member are those of the same call made plainly, whatever the others do."""
    urls = (
        f"/servicePrincipals(appId='{sample.ROOMS}')?$select=appId",
        "servicePrincipals?%24top=2&%24select=id",
        "/nothing",
        "/organization?$expand=x",
        "/users?$filter=accountEnabled eq true&$top=1",
    )
    answers = by_id(post(graph, members(*urls)))
    for number, url in enumerate(urls):
        alone = graph.get(f"/v1.0/{url.lstrip('/')}")
        member = answers[str(number)]
        assert member["status"] == alone.status_code
        assert member["headers"]["Content-Type"] == "application/json"
        if alone.is_success:
            assert member["body"] == alone.json()
        else:
            assert member["body"]["error"]["code"] == alone.json()["error"]["code"]
    assert [answers[str(n)]["status"] for n in range(5)] == [200, 200, 404, 400, 200]


def test_headers_belong_to_the_member(graph: httpx.Client) -> None:
    """ConsistencyLevel counts where the member carries it, and a count comes in base64, being no JSON."""
    url = "/users/$count?$filter=accountEnabled eq true"
    asked, bare = members(url, url)
    asked["headers"] = {"ConsistencyLevel": "eventual", "client-request-id": "mine"}
    answers = by_id(post(graph, [asked, bare]))
    assert base64.b64decode(answers["0"]["body"]) == b"4210"
    assert answers["0"]["headers"]["client-request-id"] == "mine"
    assert answers["1"]["status"] == 400


def test_answers_come_in_another_order(graph: httpx.Client) -> None:
    """All members are answered, and whoever trusts the order gets it wrong; the order is the same each time."""
    requests = members(*["/organization"] * 20)
    orders = [[member["id"] for member in post(graph, requests).json()["responses"]] for _ in range(2)]
    ids = [request["id"] for request in requests]
    assert orders[0] == orders[1] != ids
    assert sorted(orders[0]) == sorted(ids)


def test_a_batch_of_the_beta_version_asks_beta(graph: httpx.Client) -> None:
    """The version of the batch is that of its members."""
    url = f"/reports/servicePrincipalSignInActivities?$filter=appId eq '{sample.ROOMS}'"
    assert by_id(post(graph, members(url), "beta"))["0"]["status"] == 200
    assert by_id(post(graph, members(url)))["0"]["status"] == 404


@pytest.mark.parametrize(
    "requests",
    [
        members(*["/organization"] * 21),
        [],
        [*members("/organization"), *members("/users")],
        [{"id": "a", "method": "GET", "url": "/users"}, {"id": "A", "method": "GET", "url": "/users"}],
        members("https://graph.microsoft.com/v1.0/users"),
        [{"id": "a", "url": "/users"}],
        [{"id": 1, "method": "GET", "url": "/users"}],
        "nothing",
        None,
    ],
)
def test_a_wrong_batch_is_refused_whole(graph: httpx.Client, requests: object) -> None:
    """More than 20 members, none, an id twice (in any case), an absolute URL or no shape: 400, and nothing is run."""
    answer = post(graph, requests)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "BadRequest")


def test_a_body_that_is_not_json_is_refused(graph: httpx.Client) -> None:
    """So is a batch that is no JSON at all."""
    assert graph.post("/v1.0/$batch", content=b"{").status_code == 400


def test_only_a_post_is_a_batch_and_none_holds_another(graph: httpx.Client) -> None:
    """GET of $batch is not allowed; neither is $batch, nor a write, as a member."""
    assert graph.get("/v1.0/$batch").status_code == 405
    nested = {"id": "0", "method": "POST", "url": "/$batch"}
    assert by_id(post(graph, [nested]))["0"]["status"] == 405
    assert by_id(post(graph, members("/organization", method="DELETE")))["0"]["status"] == 405


def test_members_are_throttled_on_their_own(start: Start, tenant: Snapshot) -> None:
    """One member's 429 stands inside a 200, with its Retry-After among the member's headers; the next try succeeds."""
    fault = Fault(match="/organization", status=429, retry_after="7")
    client, running = start(tenant, faults=(fault,))
    requests = members("/organization", "/applications")
    first, second = by_id(post(client, requests)), by_id(post(client, requests))
    assert (first["0"]["status"], first["1"]["status"]) == (429, 200)
    assert first["0"]["headers"]["Retry-After"] == "7"
    assert second["0"]["status"] == 200
    assert running.requests == 2
    agent = client.headers["user-agent"]
    assert running.calls[:3] == [
        Call("POST", "/v1.0/$batch", in_batch=False, agent=agent),
        Call("GET", "/v1.0/organization", in_batch=True, agent=agent),
        Call("GET", "/v1.0/applications", in_batch=True, agent=agent),
    ]


@pytest.mark.parametrize(
    ("kind", "body", "content_type"),
    [("cut-json", '{"@odata', "application/json"), ("not-json", None, "text/html")],
)
def test_a_members_broken_body_is_a_string(
    start: Start, tenant: Snapshot, kind: Any, body: str | None, content_type: str
) -> None:
    """A batch stays JSON when a member's body is not: the member's body is then a string."""
    client, _ = start(tenant, faults=(Fault(match="/organization", kind=kind),))
    member = by_id(post(client, members("/organization", "/applications")))["0"]
    assert member["headers"]["Content-Type"] == content_type
    if body is None:
        assert base64.b64decode(member["body"]).startswith(b"<!DOCTYPE html>")
    else:
        assert member["body"].startswith(body)


def test_a_members_lost_connection_is_the_batchs(start: Start, tenant: Snapshot) -> None:
    """A member cannot lose a connection alone; the next batch is answered."""
    client, _ = start(tenant, faults=(Fault(match="/organization", kind="reset"),))
    with pytest.raises(httpx.RemoteProtocolError):
        post(client, members("/applications", "/organization"))
    assert by_id(post(client, members("/organization")))["0"]["status"] == 200
