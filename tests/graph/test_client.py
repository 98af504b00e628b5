"""What is promised of sending: one root, our own name, patience before Graph is reached, one new token after a 401."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from functools import partial
from typing import Any

import httpx
import pytest
from azure.core.credentials import AccessToken

from auditor import __version__
from auditor.errors import ExitCode, GraphError, SignInError
from auditor.graph import endpoints
from auditor.graph.answer import Answer
from auditor.graph.auth import Connection, simulator_connection
from auditor.graph.client import AGENT, CONNECTS, TIMEOUT, GraphClient
from auditor.model.snapshot import Complete, Unavailable, client_collections
from auditor.simulator.fault import Fault
from auditor.simulator.server import serve
from tests.graph.contoso import contoso
from tests.graph.wireserver import Got, Reply, wire_server
from tests.workflow.rehearsal import Clock, graph_of, rehearsed, run

ROOT = "http://127.0.0.1:1"
Handler = Callable[[httpx.Request], httpx.Response]


class Wire(httpx.AsyncBaseTransport):
    """The network: answers as a test tells it, and knows what was sent."""

    def __init__(self, handler: Handler) -> None:
        self.sent: list[httpx.Request] = []
        self.closed = False
        self._handler = handler

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.sent.append(request)
        await asyncio.sleep(0)
        return self._handler(request)

    async def aclose(self) -> None:
        self.closed = True


class Tokens:
    """A credential that gives another token each time."""

    def __init__(self) -> None:
        self.given = 0

    def get_token(self, *_scopes: str, **_options: object) -> AccessToken:
        self.given += 1
        return AccessToken(f"token-{self.given}", 2**40)


def ok(_request: httpx.Request) -> httpx.Response:
    return httpx.Response(200, json={"value": []})


def used(wire: Wire, use: Callable[[GraphClient], Awaitable[Any]], tokens: Tokens | None = None, **options: Any) -> Any:
    """Return what comes of using a client over a network of the test's own."""
    credential = tokens or Tokens()
    connection = Connection(base_url=ROOT, credential=lambda: credential, simulated=True)

    async def go() -> Any:
        async with GraphClient(connection, transport=wire, **options) as client:
            return await use(client)

    return asyncio.run(go())


async def organization(client: GraphClient) -> Answer:
    return await client.get(endpoints.ORGANIZATION, client.url(endpoints.ORGANIZATION))


class Slept:
    """Remembers how long somebody wanted to wait."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


def refusing(times: int, error: type[httpx.TransportError] = httpx.ConnectError) -> Handler:
    """Return a network that lets nobody through so often."""
    left = [times]

    def handle(request: httpx.Request) -> httpx.Response:
        if left[0]:
            left[0] -= 1
            raise error("Connection refused", request=request)
        return ok(request)

    return handle


@pytest.mark.parametrize("error", [httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError])
@pytest.mark.parametrize("times", range(CONNECTS))
def test_a_network_that_comes_up_is_waited_for(times: int, error: type[httpx.TransportError]) -> None:
    """Three tries more, after 1, 2 and 4 seconds."""
    wire, slept = Wire(refusing(times, error)), Slept()
    assert used(wire, organization, sleep=slept).succeeded
    assert slept.seconds == [1, 2, 4][:times]
    assert len(wire.sent) == times + 1


@pytest.mark.parametrize("error", [httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError])
def test_a_network_that_stays_away_is_an_error(error: type[httpx.TransportError]) -> None:
    """After the fourth try: exit 2, with where and what to check."""
    wire, slept = Wire(refusing(99, error)), Slept()
    with pytest.raises(GraphError, match=r"could not be reached: (Connect|Proxy)") as raised:
        used(wire, organization, sleep=slept)
    assert (raised.value.where, raised.value.exit_code) == (ROOT, ExitCode.USAGE)
    assert "HTTPS_PROXY" in raised.value.advice
    assert slept.seconds == [1, 2, 4]
    assert len(wire.sent) == CONNECTS


def test_a_port_that_opens_while_we_wait() -> None:
    """Over real TCP: refused twice, and read as if nothing had been."""
    with socket.socket() as free, ExitStack() as later:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        waits: list[float] = []

        async def sleep(seconds: float) -> None:
            waits.append(seconds)
            if len(waits) == 2:
                later.enter_context(wire_server(lambda _got: Reply({"value": []}), port=port))

        async def go() -> Answer:
            async with GraphClient(simulator_connection(f"http://127.0.0.1:{port}", "token"), sleep=sleep) as client:
                return await organization(client)

        assert asyncio.run(go()).succeeded
        assert waits == [1, 2]


def test_once_reached_a_lost_connection_is_an_answer_that_did_not_come() -> None:
    """The reader sends it again; nobody waits in here."""
    down: list[bool] = []

    def handle(request: httpx.Request) -> httpx.Response:
        return refusing(1)(request) if down else ok(request)

    async def twice(client: GraphClient) -> Answer:
        await organization(client)
        down.append(True)
        return await organization(client)

    slept = Slept()
    answer = used(Wire(handle), twice, sleep=slept)
    assert (answer.status, answer.message) == (0, "no answer: ConnectError Connection refused")
    assert slept.seconds == []


def taking(*tokens: str) -> Handler:
    """Return a Graph that takes these tokens only."""

    def handle(request: httpx.Request) -> httpx.Response:
        taken = request.headers["Authorization"].removeprefix("Bearer ") in tokens
        error = {"error": {"code": "InvalidAuthenticationToken", "message": "Lifetime validation failed."}}
        return ok(request) if taken else httpx.Response(401, json=error)

    return handle


def test_a_token_that_ends_in_the_middle_is_renewed_once() -> None:
    """The request is sent again with the new token, which serves all that follow."""

    async def use(client: GraphClient) -> list[Answer]:
        return [await organization(client) for _ in range(3)]

    wire, tokens = Wire(taking("token-2")), Tokens()
    answers = used(wire, use, tokens)
    assert [answer.status for answer in answers] == [200, 200, 200]
    assert [request.headers["Authorization"][-1] for request in wire.sent] == ["1", "2", "2", "2"]
    assert tokens.given == 2


def test_requests_that_are_refused_together_share_one_new_token() -> None:
    """Eight at a time, and one token more."""

    async def use(client: GraphClient) -> list[Answer]:
        return await asyncio.gather(*(organization(client) for _ in range(8)))

    tokens = Tokens()
    answers = used(Wire(taking("token-2")), use, tokens)
    assert {answer.status for answer in answers} == {200}
    assert tokens.given == 2


def test_a_token_that_is_never_taken_is_a_sign_in_error() -> None:
    """It is renewed once, and not for every request; then the run ends with Graph's own words and exit 2."""

    async def use(client: GraphClient) -> None:
        for _ in range(4):
            answer = await organization(client)
            assert answer.status == 401
        client.require_taken()

    wire, tokens = Wire(taking()), Tokens()
    with pytest.raises(SignInError, match=r"does not take the token.*Lifetime validation failed") as raised:
        used(wire, use, tokens)
    assert raised.value.exit_code == ExitCode.USAGE
    assert tokens.given == 2
    assert len(wire.sent) == 8


def test_a_token_that_was_taken_once_is_no_sign_in_error() -> None:
    """What is refused later is that call's own trouble; and before the first answer nothing is known."""
    asked: list[int] = []

    def handle(request: httpx.Request) -> httpx.Response:
        asked.append(1)
        return taking("token-1")(request) if len(asked) == 1 else taking()(request)

    async def use(client: GraphClient) -> int:
        client.require_taken()
        await organization(client)
        refused = await organization(client)
        client.require_taken()
        return refused.status

    assert used(Wire(handle), use) == 401


def test_a_call_that_is_refused_for_ever_is_unavailable_and_the_rest_is_read() -> None:
    """401 on one path, whatever the token."""
    with_fault = graph_of(contoso(), faults=(Fault(match="/owners", status=401, times=0),))
    clock = Clock()
    found = run(clock, rehearsed(with_fault, clock))
    for client in found.clients:
        for name, collected in client_collections(client).items():
            assert isinstance(collected, Unavailable if name == "owners" else Complete)
        assert "HTTP 401" in client.owners.why  # type: ignore[union-attr]


def test_no_call_that_takes_the_token_ends_the_run() -> None:
    """401 on everything: no snapshot of a tenant that nobody saw."""
    clock = Clock()
    with pytest.raises(SignInError, match="does not take the token"):
        run(clock, rehearsed(graph_of(contoso()), clock, token="another"))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("target", ["https://graph.fabrikam.example/v1.0/organization", f"{ROOT}/v1.0/organization"])
def test_a_redirect_is_an_answer_and_no_way(status: int, target: str) -> None:
    """Neither a GET nor a $batch follows it, so the token stays here."""

    def handle(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(status, headers={"Location": target})

    async def use(client: GraphClient) -> list[Answer]:
        return [await organization(client), await client.post_batch("v1.0", b'{"requests": []}')]

    wire = Wire(handle)
    answers = used(wire, use)
    assert [answer.status for answer in answers] == [status, status]
    assert [request.url.host for request in wire.sent] == ["127.0.0.1", "127.0.0.1"]


def test_every_request_says_who_we_are() -> None:
    """Name and version for the tenant's logs, on plain requests, batches and both versions; JSON is asked for."""

    async def use(client: GraphClient) -> None:
        await organization(client)
        await client.get(endpoints.PUBLISHERS, client.url(endpoints.PUBLISHERS))
        await client.post_batch("beta", b'{"requests": []}')

    wire = Wire(ok)
    used(wire, use)
    assert f"entra-auditor/{__version__}" == AGENT
    assert [request.headers["User-Agent"].split()[0] for request in wire.sent] == [AGENT] * 3
    assert {request.headers["Accept"] for request in wire.sent} == {"application/json"}
    assert wire.sent[2].headers["Content-Type"] == "application/json"
    assert wire.closed


def test_an_endpoints_headers_go_with_it() -> None:
    """A count needs ConsistencyLevel."""
    wire = Wire(ok)
    count = endpoints.ENABLED_MEMBERS
    used(wire, lambda client: client.get(count, client.url(count)))
    assert wire.sent[0].headers["ConsistencyLevel"] == "eventual"


def test_a_batch_names_its_members_below_the_root() -> None:
    """Every member's URL is relative, and no member carries the token."""
    clock, graph = Clock(), graph_of(contoso())
    bodies: list[Any] = []
    answer = graph.answer

    def listen(request: Any) -> Any:
        if request.method == "POST":
            bodies.append(request.body)
        return answer(request)

    graph.answer = listen  # type: ignore[method-assign]
    run(clock, rehearsed(graph, clock))
    members = [member for body in bodies for member in json.loads(body)["requests"]]
    assert len(members) > 20
    assert all(member["url"].startswith("/") and "://" not in member["url"] for member in members)
    assert {*(name for member in members for name in member.get("headers", {}))} == {"ConsistencyLevel"}
    assert not any(b"sample" in body for body in bodies)


def test_where_nothing_leads_away() -> None:
    """The client refuses any URL outside its root and the endpoint's version before it sends anything."""
    wire = Wire(ok)
    endpoint = endpoints.ORGANIZATION
    for url in ("https://graph.fabrikam.example/v1.0/organization", f"{ROOT}/beta/organization", f"{ROOT}:2/v1.0/x"):
        with pytest.raises(GraphError, match="leads away"):
            used(wire, partial(GraphClient.get, endpoint=endpoint, url=url))
    assert wire.sent == []


def test_a_silent_server_is_not_waited_for_for_ever() -> None:
    """Over real TCP, by the timeout that is given; by default 100 seconds, and 30 to connect."""
    assert (TIMEOUT.read, TIMEOUT.connect) == (100, 30)
    silent = Fault(match="/organization", kind="timeout", times=0)
    with serve(contoso(), faults=(silent,)) as running:

        async def go() -> Answer:
            connection = simulator_connection(running.url, running.token)
            async with GraphClient(connection, timeout=httpx.Timeout(0.2)) as client:
                return await organization(client)

        answer = asyncio.run(go())
    assert (answer.status, answer.succeeded) == (0, False)
    assert "ReadTimeout" in answer.why


def test_surroundings_that_cannot_be_used_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that is none, or authorities that are no certificates: our own error, with the variables."""
    real = Connection(base_url=ROOT, credential=Tokens)
    monkeypatch.setenv("HTTPS_PROXY", "ftp://proxy.contoso.example")
    with pytest.raises(GraphError, match="proxy or certificate settings cannot be used") as raised:
        GraphClient(real)
    assert "HTTPS_PROXY" in raised.value.where


def test_requests_are_counted_and_the_token_tells_who_reads() -> None:
    """One a request; before the first token nothing is known of the bearer."""
    clock, wire = Clock(), Wire(ok)

    async def use(client: GraphClient) -> tuple[int, str, str]:
        before = client.claims.tid
        claims = await client.identify()
        await organization(client)
        await organization(client)
        return client.sent, before, claims.tid

    assert used(wire, use, now=clock.now) == (2, "", "")


def test_a_wait_that_is_a_date_counts_from_the_clock_that_is_given() -> None:
    """Retry-After as a date, by the client's own time of day."""
    clock = Clock()

    def handle(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(429, headers={"Retry-After": "Sun, 22 Nov 2026 09:14:07 GMT"})

    assert used(Wire(handle), organization, now=clock.now).retry_after == 7


def test_a_request_that_cannot_be_sent_tells_nothing_of_its_headers() -> None:
    """The HTTP library's own words repeat the header that it does not like, and that may be the token's."""

    def handle(request: httpx.Request) -> httpx.Response:
        raise httpx.LocalProtocolError(f"Illegal header value {request.headers['Authorization']}", request=request)

    answer = used(Wire(handle), organization)
    assert answer.why == "no answer: LocalProtocolError"


def saying(content: bytes, _request: httpx.Request) -> httpx.Response:
    return httpx.Response(200, content=content)


def test_what_is_no_json_is_no_answer() -> None:
    """A success that carries HTML, or half a body, may be asked for again."""
    for content in (b"<html>", b'{"value": [', b"[]", b""):
        answer = used(Wire(partial(saying, content)), organization)
        assert (answer.status, answer.why) == (0, "the answer is no JSON object, or was cut")


def test_a_wire_server_gets_what_the_client_says() -> None:
    """Over real TCP: the token and our name, and nothing of the libraries' own invention about this machine."""
    got: list[Got] = []

    def respond(request: Got) -> Reply:
        got.append(request)
        return Reply({"value": []})

    with wire_server(respond) as server:

        async def go() -> Answer:
            async with GraphClient(simulator_connection(server.url, "token")) as client:
                return await organization(client)

        assert asyncio.run(go()).succeeded
    assert got[0].headers["user-agent"].split()[0] == AGENT
    assert got[0].headers["authorization"] == "Bearer token"
