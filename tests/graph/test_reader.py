"""What is promised of reading: all of it, or said why not; never another host, never sooner than asked."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from auditor.errors import GraphError
from auditor.graph.auth import Connection, simulator_connection
from auditor.graph.client import GraphClient
from auditor.graph.reader import BUDGET, TRIES, Reader
from auditor.model.directory import AppRoleAssignment, DirectoryObject
from auditor.model.snapshot import Collected, Complete, Partial, Unavailable
from auditor.simulator.fault import Fault
from auditor.simulator.server import serve
from tests.graph.reading import (
    APPS,
    EVERY_APP,
    LISTING,
    SNAPSHOT,
    TOKEN,
    Time,
    call,
    from_wire,
    run,
    simulated,
)
from tests.graph.wireserver import Got, Reply, wire_server


@pytest.mark.parametrize("size", [1, 2, 50, 99, 100, 101])
def test_pages_of_every_size_add_up_to_all(size: int) -> None:
    """A hundred apps in pages of any size: none lost, none doubled, all pages counted."""
    with serve(SNAPSHOT, max_page=size) as running:
        found = simulated(running, APPS)
    assert isinstance(found, Complete)
    assert [sp.id for sp in found.items] == list(dict.fromkeys(sp.id for sp in found.items))
    assert {sp.id for sp in found.items} == EVERY_APP
    assert found.pages == -(-100 // size)
    assert found.faults == ()


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Fault(match="/servicePrincipals", status=503), "HTTP 503"),
        (Fault(match="/servicePrincipals", status=500, times=3), "HTTP 500"),
        (Fault(match="/servicePrincipals", status=502), "HTTP 502"),
        (Fault(match="/servicePrincipals", status=504), "HTTP 504"),
        (Fault(match="skiptoken", status=429, retry_after="3", times=2), "HTTP 429"),
        (Fault(match="skiptoken", kind="cut-json"), "was cut"),
        (Fault(match="skiptoken", kind="not-json"), "no JSON object"),
        (Fault(match="/servicePrincipals", kind="reset"), "no answer"),
        (Fault(match="skiptoken", kind="reset", times=4), "no answer"),
    ],
    ids=lambda value: f"{value.kind}-{value.status}-{value.match[-10:]}" if isinstance(value, Fault) else "",
)
def test_a_fault_that_passes_is_overcome_and_named(fault: Fault, said: str) -> None:
    """What comes after it is whole; the ledger says what was met."""
    with serve(SNAPSHOT, max_page=40, faults=(fault,)) as running:
        found = simulated(running, APPS)
    assert isinstance(found, Complete)
    assert {sp.id for sp in found.items} == EVERY_APP
    assert len(found.faults) == fault.times
    assert all(said in met and "sent again after" in met for met in found.faults)


def test_an_empty_page_that_leads_on_is_followed() -> None:
    """Graph sends pages without items; the end is where no link is."""
    with serve(SNAPSHOT, max_page=40, faults=(Fault(match="/servicePrincipals", kind="empty-page"),)) as running:
        found = simulated(running, APPS)
    assert isinstance(found, Complete)
    assert {sp.id for sp in found.items} == EVERY_APP


def test_a_repeated_link_ends_in_partial() -> None:
    """A page that leads to itself is read twice at most, its items are kept once, and it is said."""
    fault = Fault(match="/servicePrincipals", kind="repeated-next-link", times=0)
    with serve(SNAPSHOT, max_page=40, faults=(fault,)) as running:
        found = simulated(running, APPS)
        assert running.requests <= 2
    assert isinstance(found, Partial)
    assert "already read" in found.why
    assert len(found.items) == 40


def test_a_failing_later_page_ends_in_partial() -> None:
    """What was read stays, the reason names page and fault, and tries are bounded."""
    with serve(SNAPSHOT, max_page=40, faults=(Fault(match="skiptoken", status=503, times=0),)) as running:
        found = simulated(running, APPS)
        assert running.requests == 1 + TRIES
    assert isinstance(found, Partial)
    assert len(found.items) == 40
    assert found.pages == 1
    assert "page 2 could not be read: HTTP 503" in found.why
    assert f"given up after {TRIES} tries" in found.faults[-1]


@pytest.mark.parametrize(
    ("retry_after", "waits"), [("7", [7.0]), ("Sun, 22 Nov 2026 09:14:30 GMT", [30.0]), ("300", [300.0]), (None, [1.0])]
)
def test_the_servers_wait_is_kept(retry_after: str | None, waits: list[float]) -> None:
    """Seconds or a date, also longer than the SDK would bear; without it, one second and then double."""
    time = Time()
    fault = Fault(match="/servicePrincipals", status=429, retry_after=retry_after)
    with serve(SNAPSHOT, faults=(fault,)) as running:
        assert isinstance(simulated(running, APPS, time), Complete)
        assert running.requests == 2
    assert time.slept == waits


def test_throttled_for_ever_is_given_up_in_time() -> None:
    """At most 8 tries and 10 minutes for a collection; then Unavailable, never empty."""
    for retry_after, tries in (("1", TRIES), ("120", 6), (str(int(BUDGET) + 1), 1), (None, TRIES)):
        time = Time()
        fault = Fault(match="/servicePrincipals", status=429, retry_after=retry_after, times=0)
        with serve(SNAPSHOT, faults=(fault,)) as running:
            found = simulated(running, APPS, time)
            assert running.requests == tries
        assert isinstance(found, Unavailable)
        assert "HTTP 429" in found.why
        assert time.seconds <= BUDGET
        assert len(found.faults) == tries


def test_a_timeout_is_sent_again() -> None:
    """A request without an answer is one that may be repeated: it only reads."""
    with serve(SNAPSHOT, faults=(Fault(match="/servicePrincipals", kind="timeout"),)) as running:
        found = run(
            running.url, lambda reader: reader.get_all(APPS), token=running.token, timeout=httpx.Timeout(10, read=0.5)
        )
    assert isinstance(found, Complete)
    assert "ReadTimeout" in found.faults[0]


def foreign(server: str, elsewhere: str) -> dict[str, str]:
    """Return links that lead away from `server`, by what differs."""
    port = server.rpartition(":")[2]
    return {
        "host": f"{elsewhere}/v1.0/servicePrincipals?$skiptoken=x",
        "scheme": f"https://127.0.0.1:{port}/v1.0/servicePrincipals?$skiptoken=x",
        "name": f"http://localhost:{port}/v1.0/servicePrincipals?$skiptoken=x",
        "root": f"{server}/beta/servicePrincipals?$skiptoken=x",
        "above": f"{server}/v1.0/../beta/servicePrincipals?$skiptoken=x",
        "encoded": f"{server}/v1.0/%2e%2e/beta/servicePrincipals?$skiptoken=x",
        "backslash": f"{server}/v1.0/..\\beta/servicePrincipals",
        "user": f"http://x@127.0.0.1:{port}/v1.0/servicePrincipals",
        "trick": f"{server}@evil.example/v1.0/servicePrincipals",
        "relative": "/v1.0/servicePrincipals?$skiptoken=x",
        "bidi": f"{server}/v1.0/\u202eservicePrincipals",
        "port": "http://127.0.0.1:99999/v1.0/servicePrincipals",
        "bracket": "http://[::1/v1.0/servicePrincipals",
        "empty": "",
    }


@pytest.mark.parametrize("kind", [*foreign("http://127.0.0.1:1", ""), "number"])
def test_a_link_that_leads_away_is_never_followed(kind: str) -> None:
    """Another scheme, host, port or root: the page stays, the collection is Partial, the token goes nowhere."""
    links: dict[str, str] = {}

    def respond(_got: Got) -> Reply:
        link: object = 5 if kind == "number" else links[kind]
        return Reply({"value": [{"id": "a", "appId": "b"}], "@odata.nextLink": link})

    with wire_server(lambda _got: Reply({"value": []})) as elsewhere, wire_server(respond) as server:
        links.update(foreign(server.url, elsewhere.url))
        found = run(server.url, lambda reader: reader.get_all(APPS))
        assert len(server.got) == 1
        assert elsewhere.got == []
    assert isinstance(found, Partial)
    assert len(found.items) == 1
    assert "another host" in found.why or "already read" in found.why


def test_a_redirect_is_never_followed() -> None:
    """Graph does not redirect reads; who does may not have the token."""
    with wire_server(lambda _got: Reply({"value": []})) as elsewhere:
        found, server = from_wire(
            lambda _got: Reply({}, 307, {"Location": f"{elsewhere.url}/v1.0/servicePrincipals"}), APPS
        )
        assert elsewhere.got == []
    assert len(server.got) == 1
    assert isinstance(found, Unavailable)
    assert "HTTP 307" in found.why


def test_the_token_goes_with_every_request_to_the_root() -> None:
    """And the client refuses to be sent elsewhere by mistake."""
    _, server = from_wire(lambda _got: Reply({"value": []}), APPS)
    assert [got.headers["authorization"] for got in server.got] == [f"Bearer {TOKEN}"]

    async def away(reader: Reader) -> None:
        await reader._client.get(LISTING, "http://127.0.0.1:1/v1.0/x")

    with pytest.raises(GraphError, match="leads away"):
        run(server.url, away)


@pytest.mark.parametrize(
    "body",
    [{"value": {}}, {"value": None}, {}, {"error": {}}],
    ids=["object", "null", "absent", "error"],
)
def test_a_page_without_a_list_is_no_empty_collection(body: dict[str, object]) -> None:
    """`{}` does not say that there is nothing."""
    found, _ = from_wire(lambda _got: Reply(body), APPS)
    assert isinstance(found, Partial)
    assert "no list of values" in found.why


def test_items_that_are_not_accepted_are_counted() -> None:
    """Never dropped in silence: Partial, with how many and why."""
    good = {"id": "A1", "appRoleId": "r", "principalId": "p", "resourceId": "s"}
    values = [good, {**good, "id": "A2", "appRoleId": None}, "text", {}]
    found, _ = from_wire(lambda _got: Reply({"value": values}), call(LISTING, AppRoleAssignment))
    assert isinstance(found, Partial)
    assert len(found.items) == 1
    assert found.why.startswith("3 of 4 items in a shape that is not accepted (")
    assert "appRoleId" in found.why


def test_an_item_that_comes_twice_is_kept_once_and_makes_the_list_partial() -> None:
    """A collection that changes while it is paged repeats items, and may have skipped others."""
    found, _ = from_wire(
        lambda _got: Reply({"value": [{"id": "a"}, {"id": "b"}, {"id": "A"}]}), call(LISTING, DirectoryObject)
    )
    assert isinstance(found, Partial)
    assert [item.id for item in found.items] == ["a", "b"]
    assert found.why == "1 items came twice: the list changed while it was read"


@pytest.mark.parametrize(("count", "complete"), [(2, True), (3, False), (1, False), ("2", False), (None, True)])
def test_a_count_that_differs_from_the_items_makes_the_list_partial(count: object, complete: bool) -> None:
    """Whatever Graph says of the number, on the first page, must be what came."""
    body = {"value": [{"id": "a"}, {"id": "b"}], **({} if count is None else {"@odata.count": count})}
    found, _ = from_wire(lambda _got: Reply(body), call(LISTING, DirectoryObject))
    assert isinstance(found, Complete if complete else Partial)
    assert len(found.items) == 2
    assert complete or f"Microsoft Graph counts {count} items, 2 came" in found.why  # type: ignore[union-attr]


def test_too_many_pages_end_in_partial(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that never ends does not hold us for ever."""
    monkeypatch.setattr("auditor.graph.reader.PAGES", 5)
    with serve(SNAPSHOT, max_page=1) as running:
        found = simulated(running, APPS)
        assert running.requests == 5
    assert isinstance(found, Partial)
    assert "stopped after 5 pages" in found.why


def test_no_network_is_an_error_in_seconds() -> None:
    """Connection refused on the first request: three more tries, one paragraph, what to check."""
    with wire_server(lambda _got: Reply({})) as server:
        url = server.url
    time = Time()
    with pytest.raises(GraphError, match="could not be reached") as unreachable:
        run(url, lambda reader: reader.get_all(APPS), time)
    assert "network" in unreachable.value.advice
    assert time.slept == [1, 2, 4]


def test_a_network_that_goes_away_ends_in_partial() -> None:
    """Once Graph has answered, a lost connection is a fault of that page."""
    links: list[str] = []

    def gone(_got: Got) -> Reply:
        links.append("asked")
        return Reply(
            {"value": [{"id": "a", "appId": "b"}], "@odata.nextLink": links[0]}, headers={"Connection": "close"}
        )

    with wire_server(gone) as server:
        links.append(f"{server.url}/v1.0/servicePrincipals?$skiptoken=1")

        async def use(reader: Reader) -> Collected[Any]:
            client = reader._client
            await client.get(LISTING, client.url(LISTING))
            client._adapter._http_client._transport = _Refusing()
            return await reader.get_all(APPS)

        found = run(server.url, use)
    assert isinstance(found, Unavailable)
    assert "ConnectError" in found.why


class _Refusing(httpx.AsyncBaseTransport):
    """A network that is gone."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("All connection attempts failed", request=request)


def test_a_proxy_of_the_environment_is_for_the_world_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A real tenant is reached through HTTP_PROXY; the simulator on this machine is not."""
    with wire_server(lambda _got: Reply({"value": []})) as proxy, serve(SNAPSHOT) as running:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("NO_PROXY", "example.com")
        assert isinstance(simulated(running, APPS), Complete)
        assert proxy.got == []
        to = simulator_connection(running.url, running.token)

        async def go() -> None:
            async with GraphClient(Connection(base_url=to.base_url, credential=to.credential)) as client:
                await Reader(client).get_all(APPS)

        asyncio.run(go())
    assert [got.target.partition("?")[0] for got in proxy.got] == [f"{running.url}/v1.0/servicePrincipals"]
