"""Each fault does what its name says, as often as it says, and to what it is meant for."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import httpx
import pytest
from msgspec.structs import replace

from auditor.model.snapshot import Snapshot
from auditor.simulator.server import Fault
from tests.simulator.conftest import Start

LIST = "/v1.0/servicePrincipals"


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "BadRequest"),
        (401, "InvalidAuthenticationToken"),
        (403, "Authorization_RequestDenied"),
        (404, "Request_ResourceNotFound"),
        (429, "TooManyRequests"),
        (500, "InternalServerError"),
        (502, "BadGateway"),
        (503, "ServiceUnavailable"),
        (504, "GatewayTimeout"),
    ],
)
def test_a_status_comes_in_graphs_words(start: Start, tenant: Snapshot, status: Any, code: str) -> None:
    """The status strikes as often as it says, with Retry-After as it was written, and then no more."""
    client, _ = start(tenant, faults=(Fault(match="/organization", status=status, retry_after="120", times=2),))
    for _ in range(2):
        answer = client.get("/v1.0/organization")
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
        assert answer.headers["retry-after"] == "120"
    assert client.get("/v1.0/organization").status_code == 200


def test_a_fault_can_last_for_ever_and_say_nothing_of_waiting(start: Start, tenant: Snapshot) -> None:
    """times=0 never ends; without retry_after there is no header; other paths stay well."""
    client, _ = start(tenant, faults=(Fault(match="/organization", times=0),))
    for _ in range(5):
        answer = client.get("/v1.0/organization")
        assert answer.status_code == 503
        assert "retry-after" not in answer.headers
    assert client.get("/v1.0/applications").status_code == 200


@pytest.mark.parametrize(
    ("match", "strikes"),
    [
        ("/users/$count", True),
        (r"GET .*count\?", True),
        ("accountEnabled eq true", True),
        ("(", False),
        ("POST", False),
    ],
)
def test_a_fault_is_meant_for_a_part_or_a_pattern(match: str, strikes: bool) -> None:
    """The text is looked for as it is, then as a regular expression; one that is none matches nothing more."""
    assert Fault(match=match).hits("GET /v1.0/users/$count?$filter=accountEnabled eq true") is strikes


def test_faults_come_in_their_order(start: Start, tenant: Snapshot) -> None:
    """The first fault that is left strikes; the next waits until it is spent."""
    faults = (Fault(match="/organization", status=429), Fault(match="/organization", status=500))
    client, _ = start(tenant, faults=faults)
    assert [client.get("/v1.0/organization").status_code for _ in range(3)] == [429, 500, 200]


def test_json_can_be_cut(start: Start, tenant: Snapshot) -> None:
    """Half a body comes with its own length, so that only reading it tells."""
    client, _ = start(tenant, faults=(Fault(match=LIST, kind="cut-json"),))
    cut = client.get(LIST)
    assert cut.status_code == 200
    with pytest.raises(json.JSONDecodeError):
        cut.json()
    assert client.get(LIST).text.startswith(cut.text)


def test_an_answer_can_be_html(start: Start, tenant: Snapshot) -> None:
    """A proxy's page comes with status 200."""
    client, _ = start(tenant, faults=(Fault(match=LIST, kind="not-json"),))
    answer = client.get(LIST)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.text.startswith("<!DOCTYPE html>")


def test_a_connection_can_be_dropped(start: Start, tenant: Snapshot) -> None:
    """The client gets no answer, and the next call works on a new connection; another client's stays open."""
    client, running = start(tenant, faults=(Fault(match=LIST, kind="reset"),))
    with httpx.Client(base_url=running.url, headers=client.headers) as other:
        before = other.get("/v1.0/organization").extensions["network_stream"].get_extra_info("client_addr")
        with pytest.raises(httpx.RemoteProtocolError):
            client.get(LIST)
        assert client.get(LIST).status_code == 200
        after = other.get("/v1.0/organization").extensions["network_stream"].get_extra_info("client_addr")
    assert before == after


def test_an_answer_can_fail_to_come(start: Start, tenant: Snapshot) -> None:
    """The client waits as long as it likes, gives up, and the next call works."""
    client, _ = start(tenant, faults=(Fault(match=LIST, kind="timeout"),))
    with pytest.raises(httpx.ReadTimeout):
        client.get(LIST, timeout=0.2)
    assert client.get(LIST).status_code == 200


def test_a_page_can_be_empty_and_go_on(start: Start, tenant: Snapshot) -> None:
    """An empty page leads to the items that it left out: nobody may stop at it."""
    client, _ = start(tenant, page_size=40, faults=(Fault(match=LIST, kind="empty-page"),))
    page = client.get(LIST).json()
    assert page["value"] == []
    assert len(client.get(page["@odata.nextLink"]).json()["value"]) == 40


def test_a_next_link_can_lead_elsewhere(start: Start, tenant: Snapshot) -> None:
    """The foreign link names another host; a client that follows it would give its token away."""
    client, running = start(tenant, faults=(Fault(match=LIST, kind="foreign-next-link"),))
    link = client.get(f"{LIST}?$top=10").json()["@odata.nextLink"]
    assert link.startswith("https://graph.fabrikam.example/servicePrincipals?")
    assert running.url not in link


def test_a_next_link_can_lead_back(start: Start, tenant: Snapshot) -> None:
    """The repeated link is the same on each page, and the page is too: whoever follows it never ends."""
    client, _ = start(tenant, page_size=10, faults=(Fault(match=LIST, kind="repeated-next-link", times=0),))
    first = client.get(LIST).json()
    second = client.get(first["@odata.nextLink"]).json()
    assert second == first


def test_the_last_page_can_go_missing(start: Start, tenant: Snapshot) -> None:
    """No page leads to the last one; only the count tells that items are missing."""
    client, _ = start(tenant, page_size=20, faults=(Fault(match=LIST, kind="missing-last-page", times=0),))
    page = client.get(f"{LIST}?$count=true", headers={"ConsistencyLevel": "eventual"}).json()
    count, got = page["@odata.count"], len(page["value"])
    while link := page.get("@odata.nextLink"):
        page = client.get(link).json()
        got += len(page["value"])
    assert got == 40 < count


def test_paging_faults_leave_objects_alone(start: Start, tenant: Snapshot) -> None:
    """A fault of paging changes nothing on a single object."""
    app = tenant.clients[0].service_principal
    client, _ = start(replace(tenant, notes=()), faults=(Fault(match=app.id, kind="empty-page"),))
    assert client.get(f"{LIST}/{app.id}").json()["appId"] == app.app_id


def test_latency_is_added_to_every_request(start: Start, tenant: Snapshot) -> None:
    """Each HTTP request takes at least as much longer."""
    client, _ = start(tenant, latency=0.08)
    assert client.get("/v1.0/organization").elapsed >= timedelta(seconds=0.08)
