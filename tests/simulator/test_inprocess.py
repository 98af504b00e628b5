"""The transport without a socket answers what the server answers, and tells what it was asked and when."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from types import MappingProxyType
from typing import Any, NamedTuple

import httpx
import pytest

from auditor.model.snapshot import Complete, Snapshot, items
from auditor.simulator.graph import Graph, GraphRequest
from auditor.simulator.server import Fault
from tests.simulator.conftest import Start
from tests.simulator.inprocess import InProcess

URL = "http://127.0.0.1:1"
TOKEN = "sample"
BATCH = "/v1.0/$batch"
EVENTUAL = {"ConsistencyLevel": "eventual"}
OF_A_SERVER = {"date", "connection"}
FAULTS = (
    Fault(match="/applications", status=429, retry_after="2.128", times=2),
    Fault(match="/organization?cut", kind="cut-json"),
    Fault(match="tags/any", kind="not-json"),
    Fault(match="/directoryRoles", kind="reset"),
    Fault(match="/users?$top=3", kind="timeout"),
    Fault(match="$batch", kind="out-of-order", after=1),
)


class Ask(NamedTuple):
    """A request of the comparison."""

    target: str
    method: str = "GET"
    headers: Mapping[str, str] = MappingProxyType({})
    members: Sequence[str] = ()


def asks(tenant: Snapshot) -> list[Ask]:
    app = tenant.clients[0].service_principal.id
    members = ("/organization", "/nothing", "/users/$count", f"/servicePrincipals/{app}/owners?%24select=id")
    return [
        Ask("/v1.0/servicePrincipals?$top=7&$select=id,displayName"),
        Ask(f"/v1.0/servicePrincipals/{app}/transitiveMemberOf?$count=true&$top=1&$select=id", headers=EVENTUAL),
        Ask("/v1.0/servicePrincipals?$filter=startswith(displayName,'zoom')&$count=true", headers=EVENTUAL),
        Ask("/v1.0/users/$count?$filter=accountEnabled%20eq%20true", headers=EVENTUAL),
        Ask("/v1.0/users?$filter=displayName eq 'é+%2B'"),
        Ask(f"/beta/servicePrincipals/{app}"),
        Ask("/v1.0/nothing", headers={"client-request-id": "mine"}),
        Ask("/v1.0/organization", headers={"Authorization": "Bearer wrong"}),
        Ask("/v1.0/organization", method="DELETE"),
        Ask("/v1.0/applications"),
        Ask("/v1.0/servicePrincipals?$filter=tags/any(t:t eq 'x')"),
        Ask("/v1.0/organization?cut"),
        Ask(BATCH, method="POST", members=members),
        Ask(BATCH, method="POST", members=(*members, "/applications", "/servicePrincipals?$top=2")),
        Ask(BATCH, method="POST", members=()),
    ]


def request(client: httpx.Client | httpx.AsyncClient, ask: Ask) -> httpx.Request:
    body = {"requests": [{"id": str(n), "method": "GET", "url": url} for n, url in enumerate(ask.members)]}
    json = body if ask.method == "POST" else None
    return client.build_request(ask.method, ask.target, headers=ask.headers, json=json)


def seen(answer: httpx.Response) -> tuple[int, dict[str, str], bytes]:
    headers = {name: value for name, value in answer.headers.items() if name not in OF_A_SERVER}
    return answer.status_code, headers, answer.content


def made(tenant: Snapshot, *faults: Fault, url: str = URL, token: str = TOKEN) -> Graph:
    return Graph(tenant, url=url, token=token, page_size=100, faults=faults)


def client_of(transport: InProcess, url: str = URL, token: str = TOKEN) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {token}"}, transport=transport)


def ticks() -> Iterator[float]:
    return (float(number) for number in count())


def test_it_answers_what_the_server_answers(start: Start, tenant: Snapshot) -> None:
    """Status, headers and bytes of plain calls, errors, broken bodies and batches are those that come over TCP."""
    client, running = start(tenant, faults=FAULTS)
    there = [seen(client.send(request(client, ask))) for ask in asks(tenant)]
    graph = made(tenant, *FAULTS, url=running.url, token=running.token)

    async def here() -> list[tuple[int, dict[str, str], bytes]]:
        async with client_of(InProcess(graph, clock=lambda: 0.0), running.url, running.token) as local:
            return [seen(await local.send(request(local, ask))) for ask in asks(tenant)]

    assert asyncio.run(here()) == there
    assert graph.calls == running.calls
    assert {status for status, _, _ in there} == {200, 400, 401, 404, 405, 429}
    assert len(there) == 15


@pytest.mark.parametrize(
    ("target", "error"), [("/v1.0/directoryRoles", httpx.ReadError), ("/v1.0/users?$top=3", httpx.ReadTimeout)]
)
def test_a_lost_connection_is_an_error_at_once(tenant: Snapshot, target: str, error: type[Exception]) -> None:
    """A reset and a time-out are httpx's own errors, nobody waits, the call is recorded, and the next one works."""
    transport = InProcess(made(tenant, *FAULTS), clock=lambda: 0.0)

    async def twice() -> int:
        async with client_of(transport) as client:
            with pytest.raises(error) as raised:
                await client.get(target)
            assert isinstance(raised.value, httpx.TransportError)
            assert str(raised.value.request.url).endswith(target)
            return (await client.get(target)).status_code

    assert asyncio.run(twice()) == 200
    assert [record.target for record in transport.records] == [target] * 2


def test_each_request_is_recorded_with_its_time(tenant: Snapshot) -> None:
    """Method and target as they were sent, the clock's time, and what came back; a batch is one request."""
    clock = ticks()
    transport = InProcess(made(tenant, Fault(match="/organization", status=429, retry_after="7")), clock=clock.__next__)

    async def ask() -> None:
        async with client_of(transport) as client:
            await client.get("/v1.0/organization", params={"$select": "id"})
            await client.send(request(client, Ask(BATCH, method="POST", members=("/organization", "/applications"))))

    asyncio.run(ask())
    first, second = transport.records
    assert (first.method, first.target, first.at) == ("GET", "/v1.0/organization?%24select=id", 0.0)
    assert (first.answer.status, first.answer.headers["Retry-After"]) == (429, "7")
    assert (second.method, second.target, second.at, second.answer.status) == ("POST", BATCH, 1.0, 200)


def test_every_page_of_it_adds_up(tenant: Snapshot) -> None:
    """The links of its pages lead back to it, and their union is the whole."""
    graph = Graph(tenant, url=URL, token=TOKEN, page_size=9, faults=())
    transport = InProcess(graph, clock=lambda: 0.0)

    async def read() -> list[str]:
        got, target = [], "/v1.0/servicePrincipals"
        async with client_of(transport) as client:
            while target:
                page: dict[str, Any] = (await client.get(target)).json()
                got += [app["id"] for app in page["value"]]
                target = page.get("@odata.nextLink", "")
        return got

    listed = tenant.service_principals
    assert isinstance(listed, Complete)
    assert asyncio.run(read()) == [app.id for app in items(listed)]
    assert len(transport.records) == -(-len(listed.items) // 9)


def test_it_costs_little_beside_what_it_answers(tenant: Snapshot) -> None:
    """Its own share of a request is under 0.3 ms, so that a thousand tenants can be read in a test."""
    number = 300
    transport = InProcess(made(tenant), clock=lambda: 0.0)
    header = {"authorization": f"Bearer {TOKEN}"}
    target = "/v1.0/applications"
    plain = GraphRequest(method="GET", target=target, headers=header)

    async def through() -> None:
        for _ in range(number):
            await transport.handle_async_request(httpx.Request("GET", f"{URL}{target}", headers=header))

    def directly() -> None:
        for _ in range(number):
            transport.graph.answer(plain).encoded()

    def seconds(run: Any) -> float:
        before = time.process_time()
        run()
        return time.process_time() - before

    own = min(seconds(lambda: asyncio.run(through())) - seconds(directly) for _ in range(3))
    assert own / number < 0.0003
