"""A tenant read in this process, in time that passes only while everybody waits.

The event loop's own clock stands still until nothing is left to do but to wait, and then jumps to the next moment that
somebody waits for. So waits of minutes cost nothing, waits at the same time overlap as they would, and whoever sends
too early is seen to.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from auditor.graph.auth import simulator_connection
from auditor.graph.client import GraphClient
from auditor.graph.reader import Reader
from auditor.knowledge.profile import load_profile
from auditor.model.configuration import AppConfiguration
from auditor.model.snapshot import Snapshot
from auditor.simulator.graph import Graph
from auditor.sources import SourceRequest
from auditor.sources.tenant import read_tenant
from tests.simulator.inprocess import InProcess

T = TypeVar("T")
URL = "http://127.0.0.1:1"
TOKEN = "sample"
"""No JSON Web Token, so it does not name the tenant."""
OPTIONS: dict[str, Any] = {"url": URL, "token": TOKEN, "page_size": 100, "faults": ()}
"""What a Graph cannot do without."""
START = datetime(2026, 11, 22, 9, 14, tzinfo=UTC)
PROFILE = load_profile("zoom")


class Clock:
    """Seconds that have passed."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        """Return them."""
        return self.seconds

    def now(self) -> datetime:
        """Return the time of day."""
        return START + timedelta(seconds=self.seconds)


class _Selector(selectors.DefaultSelector):
    """Waits by moving the clock; only for another thread, which is asked for a token, it waits in earnest."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(None if timeout is None else 0)
        if timeout and not ready:
            self._clock.seconds += timeout
        return ready


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        super().__init__(_Selector(clock))

    def time(self) -> float:
        return self._clock()


def run(clock: Clock, work: Coroutine[Any, Any, T]) -> T:
    """Return what comes of `work`, done in the clock's time."""
    with asyncio.Runner(loop_factory=lambda: _Loop(clock)) as runner:
        return runner.run(work)


def graph_of(tenant: Snapshot, **options: Any) -> Graph:
    """Return the tenant's Graph; see there for its options."""
    return Graph(tenant, **{**OPTIONS, **options})


async def rehearsed(graph: Graph, clock: Clock, *, token: str = TOKEN) -> Snapshot:
    """Return what is read of a tenant."""
    connection = simulator_connection(URL, token)
    request = SourceRequest(profile=PROFILE, configuration=AppConfiguration(), connection=connection)
    async with GraphClient(connection, transport=InProcess(graph, clock=clock), now=clock.now) as client:
        return await read_tenant(request, client, Reader(client, clock=clock, now=clock.now))
