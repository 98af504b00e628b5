"""Each fault does what its name says, as often as it says, and to what it is meant for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, get_args

import httpx
import pytest
from msgspec.structs import replace

from auditor.model.snapshot import Complete, Snapshot
from auditor.simulator.fault import FaultKind, Faults, FaultStatus
from auditor.simulator.refused import Refused
from auditor.simulator.server import Fault
from tests.simulator.conftest import Start

LIST = "/v1.0/servicePrincipals"
EVENTUAL = {"ConsistencyLevel": "eventual"}
PAGING = ("empty-page", "repeated-next-link", "foreign-next-link", "missing-last-page", "moved-row", "wrong-count")


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "BadRequest"),
        (401, "InvalidAuthenticationToken"),
        (403, "Authorization_RequestDenied"),
        (404, "Request_ResourceNotFound"),
        (410, "Gone"),
        (429, "TooManyRequests"),
        (500, "InternalServerError"),
        (502, "BadGateway"),
        (503, "ServiceUnavailable"),
        (504, "GatewayTimeout"),
        (507, "InsufficientStorage"),
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


def test_every_status_of_a_fault_has_words() -> None:
    """There is no status that a fault may have and that Graph's error body cannot say."""
    assert all(Refused(status).code and Refused(status).message for status in get_args(FaultStatus))


@pytest.mark.parametrize("wait", ["2.128", "200", "Sun, 22 Nov 2026 09:14:30 GMT"])
def test_the_wait_is_sent_as_it_was_written(start: Start, tenant: Snapshot, wait: str) -> None:
    """Fractions, more than the SDK bears, and dates: Retry-After is text, alone and in a batch."""
    client, _ = start(tenant, faults=(Fault(match="/organization", status=429, retry_after=wait, times=2),))
    assert client.get("/v1.0/organization").headers["retry-after"] == wait
    (member,) = batch(client, "/organization")
    assert (member["status"], member["headers"]["Retry-After"]) == (429, wait)


def test_a_fault_can_wait_for_its_turn(start: Start, tenant: Snapshot) -> None:
    """`after` lets so many matching calls through, members of a batch among them; other calls do not count."""
    fault = Fault(match="/organization", status=401, after=3, times=2)
    client, _ = start(tenant, faults=(fault,))
    first = client.get("/v1.0/organization").status_code
    client.get("/v1.0/applications")
    members = sorted((m["id"], m["status"]) for m in batch(client, "/organization", "/users", "/organization"))
    later = [client.get("/v1.0/organization").status_code for _ in range(3)]
    assert first == 200
    assert members == [("0", 200), ("1", 200), ("2", 200)]
    assert later == [401, 401, 200]


def test_a_fault_that_waits_counts_the_calls_that_another_strikes() -> None:
    """Each fault counts the calls that match it until it is due; a spent fault leaves them to those behind it."""
    faults = Faults((Fault(match="x", status=401, after=1), Fault(match="x", status=500, times=2)))
    struck = [faults.strike("GET /x") for _ in range(4)]
    assert [fault.status if fault else None for fault in struck] == [500, 401, 500, None]


@pytest.mark.parametrize("wrong", [{"status": 404}, {"retry_after": "7"}])
def test_what_would_be_without_effect_is_refused(wrong: dict[str, Any]) -> None:
    """A status or a wait beside another kind is a mistake of who wrote the fault."""
    with pytest.raises(ValueError, match="belong to the kind 'status', and not to 'reset'"):
        Fault(match="x", kind="reset", **wrong)


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


def rows(client: httpx.Client, target: str) -> list[str]:
    return [row["id"] for page in pages(client, target) for row in page["value"]]


def pages(client: httpx.Client, target: str) -> Iterator[dict[str, Any]]:
    """Follow the links as a reader does, and stop where one leads to a page that was already read."""
    read = set()
    while target and target not in read:
        read.add(target)
        page = client.get(target).json()
        yield page
        target = page.get("@odata.nextLink", "")


def listed(tenant: Snapshot) -> list[str]:
    assert isinstance(tenant.service_principals, Complete)
    return [app.id for app in tenant.service_principals.items]


def batch(client: httpx.Client, *urls: str) -> list[dict[str, Any]]:
    requests = [{"id": str(number), "method": "GET", "url": url} for number, url in enumerate(urls)]
    responses: list[dict[str, Any]] = client.post("/v1.0/$batch", json={"requests": requests}).json()["responses"]
    return responses


@pytest.mark.parametrize(("match", "times", "empty"), [(LIST, 1, 1), ("skiptoken", 1, 1), (LIST, 0, 2)])
def test_a_page_can_be_empty_and_go_on(start: Start, tenant: Snapshot, match: str, times: int, empty: int) -> None:
    """An empty page leads to the items that it left out, the first page or a later one: nobody may stop at it."""
    client, _ = start(tenant, page_size=40, faults=(Fault(match=match, kind="empty-page", times=times),))
    sizes = [len(page["value"]) for page in pages(client, LIST)]
    assert sizes.count(0) == empty
    assert sum(sizes) == len(listed(tenant))
    assert rows(client, LIST) == listed(tenant)


def test_a_next_link_can_lead_elsewhere(start: Start, tenant: Snapshot) -> None:
    """The foreign link names another host; a client that follows it would give its token away."""
    client, running = start(tenant, faults=(Fault(match=LIST, kind="foreign-next-link"),))
    link = client.get(f"{LIST}?$top=10").json()["@odata.nextLink"]
    assert link.startswith("https://graph.fabrikam.example/v1.0/servicePrincipals?")
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


@pytest.mark.parametrize("times", [1, 0])
def test_a_row_can_move_between_pages(start: Start, tenant: Snapshot, times: int) -> None:
    """As many rows come as there are, one of them twice and another never: only names can tell."""
    client, _ = start(tenant, page_size=20, faults=(Fault(match=LIST, kind="moved-row", times=times),))
    truth, got = listed(tenant), rows(client, LIST)
    lost = [number for number in (20, 40) if number < len(truth)][: times or None]
    assert len(got) == len(truth)
    assert [truth.index(row) for row in truth if row not in got] == lost
    assert all(got[number] == truth[number - 1] for number in lost)
    if times:
        assert rows(client, LIST) == truth


def test_a_moved_row_stays_moved_when_its_page_is_read_again(start: Start, tenant: Snapshot) -> None:
    """The link holds what happened: a page that comes again after an empty one, or is asked for twice, is the same."""
    faults = (Fault(match=LIST, kind="moved-row"), Fault(match="skiptoken", kind="empty-page"))
    client, _ = start(tenant, page_size=20, faults=faults)
    link = client.get(LIST).json()["@odata.nextLink"]
    empty = client.get(link).json()
    moved = client.get(empty["@odata.nextLink"]).json()["value"]
    assert empty["value"] == []
    assert moved[0]["id"] == listed(tenant)[19]
    assert client.get(link).json()["value"] == moved


def test_a_collection_of_one_page_has_no_row_to_move(start: Start, tenant: Snapshot) -> None:
    """Where no page follows, nothing is lost."""
    client, _ = start(tenant, faults=(Fault(match=LIST, kind="moved-row", times=0),))
    assert rows(client, f"{LIST}?$top=999") == listed(tenant)


def test_a_count_can_be_wrong(start: Start, tenant: Snapshot) -> None:
    """One more than there are, also where nobody asked for a count, and where the count is all that was asked."""
    client, _ = start(tenant, faults=(Fault(match="GET", kind="wrong-count", times=0),))
    number = len(listed(tenant))
    assert client.get(LIST).json()["@odata.count"] == number + 1
    assert client.get(f"{LIST}?$count=true&$top=1", headers=EVENTUAL).json()["@odata.count"] == number + 1
    assert client.get(f"{LIST}/$count", headers=EVENTUAL).text == str(number + 1)
    assert rows(client, f"{LIST}?$top=999") == listed(tenant)


def test_a_feature_can_be_off(start: Start, tenant: Snapshot) -> None:
    """200 without an item and without a link, and a count of 0 where one is asked for; then it is on again."""
    client, _ = start(tenant, page_size=7, faults=(Fault(match=LIST, kind="feature-off", times=3),))
    off = client.get(LIST)
    counted = client.get(f"{LIST}?$count=true", headers=EVENTUAL).json()
    assert off.status_code == 200
    assert off.json() == {"@odata.context": off.json()["@odata.context"], "value": []}
    assert (counted["@odata.count"], counted["value"]) == (0, [])
    assert client.get(f"{LIST}/$count", headers=EVENTUAL).text == "0"
    assert rows(client, LIST) == listed(tenant)


@pytest.mark.parametrize("number", [2, 3, 20])
def test_a_batch_can_answer_last_first(start: Start, tenant: Snapshot, number: int) -> None:
    """Out of order for certain, however few the members; each answer still carries its id and its own body."""
    client, _ = start(tenant, faults=(Fault(match=r"POST /v1.0/\$batch", kind="out-of-order"),))
    apps = listed(tenant)[:number]
    answers = batch(client, *(f"/servicePrincipals/{app}?$select=id" for app in apps))
    assert [member["id"] for member in answers] == [str(n) for n in reversed(range(number))]
    assert [member["body"]["id"] for member in answers] == apps[::-1]


def test_one_member_of_a_batch_can_fail_alone(start: Start, tenant: Snapshot) -> None:
    """A fault that names a member's path strikes that member; the batch and the other 19 are well."""
    apps = listed(tenant)[:20]
    client, _ = start(tenant, faults=(Fault(match=apps[7], status=503, retry_after="1"),))
    answers = {m["id"]: m["status"] for m in batch(client, *(f"/servicePrincipals/{app}" for app in apps))}
    assert answers == {str(n): 503 if n == 7 else 200 for n in range(20)}


def test_a_page_holds_no_more_than_the_server_likes(start: Start, tenant: Snapshot) -> None:
    """Whatever $top asks, a page has max_page items at most, and the links lead to all of them."""
    client, running = start(tenant, max_page=9)
    sizes = [len(page["value"]) for page in pages(client, f"{LIST}?$top=50")]
    assert set(sizes[:-1]) == {9}
    assert sum(sizes) == len(listed(tenant))
    assert running.requests == len(sizes) == -(-len(listed(tenant)) // 9)
    assert len(client.get(f"{LIST}?$top=3").json()["value"]) == 3


@pytest.mark.parametrize("kind", [*PAGING, "feature-off", "out-of-order"])
def test_paging_faults_leave_objects_alone(start: Start, tenant: Snapshot, kind: FaultKind) -> None:
    """A fault of paging changes nothing on a single object."""
    app = tenant.clients[0].service_principal
    client, _ = start(replace(tenant, notes=()), faults=(Fault(match=app.id, kind=kind),))
    assert client.get(f"{LIST}/{app.id}").json()["appId"] == app.app_id


def test_latency_is_added_to_every_request(start: Start, tenant: Snapshot) -> None:
    """Each HTTP request takes at least as much longer."""
    client, _ = start(tenant, latency=0.08)
    assert client.get("/v1.0/organization").elapsed >= timedelta(seconds=0.08)
