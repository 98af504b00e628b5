"""A reader of a server on loopback, with time that passes only when somebody sleeps."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import httpx

from auditor.graph import endpoints, wire
from auditor.graph.auth import simulator_connection
from auditor.graph.client import TIMEOUT, GraphClient
from auditor.graph.endpoints import Endpoint
from auditor.graph.reader import Call, Reader
from auditor.model.directory import ServicePrincipal
from auditor.model.snapshot import Collected
from auditor.simulator.server import Running
from tests.graph.contoso import contoso
from tests.graph.wireserver import Respond, Wire, wire_server

TOKEN = "c4n4ry-t0k3n"
START = datetime(2026, 11, 22, 9, 14, tzinfo=UTC)
LISTING = endpoints.SERVICE_PRINCIPALS


class Time:
    """Time that passes only when somebody sleeps."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.seconds += seconds

    def now(self) -> datetime:
        return START + timedelta(seconds=self.seconds)


def run(
    url: str,
    use: Callable[[Reader], Awaitable[Any]],
    time: Time | None = None,
    token: str = TOKEN,
    timeout: httpx.Timeout = TIMEOUT,
) -> Any:
    """Run `use` with a reader of the server at `url`."""
    passing = time or Time()

    async def go() -> Any:
        to = simulator_connection(url, token)
        async with GraphClient(to, now=passing.now, sleep=passing.sleep, timeout=timeout) as client:
            return await use(Reader(client, sleep=passing.sleep, clock=lambda: passing.seconds, now=passing.now))

    return asyncio.run(go())


def call(endpoint: Endpoint, type_: type, id_: str = "") -> Call:
    """Return a call that decodes to `type_`."""
    return Call(endpoint=endpoint, id=id_, decode=partial(wire.decode, type_=type_))


def simulated(running: Running, wanted: Call, time: Time | None = None) -> Collected[Any]:
    """Return one collection from a simulator."""
    found: Collected[Any] = run(running.url, lambda reader: reader.get_all(wanted), time, running.token)
    return found


def from_wire(respond: Respond, wanted: Call, time: Time | None = None) -> tuple[Collected[Any], Wire]:
    """Return one collection from a server of the test's own, and the server."""
    with wire_server(respond) as server:
        return run(server.url, lambda reader: reader.get_all(wanted), time), server


def many_from_wire(respond: Respond, wanted: list[Call], time: Time | None = None) -> tuple[Collected[Any], ...]:
    """Return several collections from a server of the test's own."""
    with wire_server(respond) as server:
        found: tuple[Collected[Any], ...] = run(server.url, lambda reader: reader.get_many(wanted), time)
        return found


APPS = call(LISTING, ServicePrincipal)
SNAPSHOT = contoso(others=94)
EVERY_APP = {sp.id for sp in SNAPSHOT.service_principals.items}  # type: ignore[union-attr]
