"""100 tenants in a storm over real TCP, with waits that are really waited."""

from __future__ import annotations

import asyncio
import random
import time
from typing import Any

import httpx
import pytest

from auditor.graph.auth import simulator_connection
from auditor.graph.client import GraphClient
from auditor.graph.reader import TRIES, Reader
from auditor.model.configuration import AppConfiguration
from auditor.model.snapshot import Snapshot
from auditor.simulator.graph import Graph
from auditor.simulator.server import Running, serve
from auditor.sources import SourceRequest
from auditor.sources.tenant import read_tenant
from tests.workflow.rehearsal import PROFILE
from tests.workflow.storm import Storm, early, refusals, tries
from tests.workflow.tenants import drawn
from tests.workflow.test_seeded_tenants import bare

CHUNKS = 4
TENANTS = 100
IN_A_ROW = 5
"""Fewer than the reader bears, because a machine that is busy can be late by itself."""
WAITS = ("0", "0.01", "0.05", "0.128", None)
LONGEST = 0.128
SHORT = 1.0
"""Seconds below which a wait is waited as it is."""


async def sleep(seconds: float) -> None:
    """Wait as long as the server asked for; the reader's own pauses, a second and more, are cut short.

    They stay longer than any wait of the server's, for which they may stand in a batch.
    """
    await asyncio.sleep(seconds if seconds < SHORT else LONGEST + seconds / 100)


def read(running: Running) -> Snapshot:
    """Return what is read of a running simulator."""
    connection = simulator_connection(running.url, running.token)
    request = SourceRequest(profile=PROFILE, configuration=AppConfiguration(), connection=connection)

    async def go() -> Snapshot:
        async with GraphClient(connection, timeout=httpx.Timeout(1, connect=10)) as client:
            return await read_tenant(request, client, Reader(client, sleep=sleep))

    return asyncio.run(go())


@pytest.mark.slow
@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_a_storm_over_tcp_costs_time_and_nothing_else(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Byte-equal to fair weather, and by the server's clock nothing comes before Retry-After has passed."""
    struck = late = 0
    for seed in range(chunk, TENANTS, CHUNKS):
        tenant, max_page = drawn(seed), random.Random(-seed).randrange(1, 8)
        storms: list[Storm] = []

        def stormy(snapshot: Snapshot, *, seed: int = seed, storms: list[Storm] = storms, **options: Any) -> Graph:
            storms.append(Storm(snapshot, seed=seed, clock=time.monotonic, waits=WAITS, in_a_row=IN_A_ROW, **options))
            return storms[0]

        with serve(tenant, max_page=max_page) as running:
            fair = read(running)
        with monkeypatch.context() as weather:
            weather.setattr("auditor.simulator.server.Graph", stormy)
            with serve(tenant, max_page=max_page) as running:
                found = read(running)
        (storm,) = storms
        assert bare(found, fair) == bare(fair, fair), seed
        assert early(storm.sent) == [], seed
        assert tries(storm.sent) <= TRIES, seed
        struck += sum(1 for one in storm.sent for _ in refusals(one))
        late += sum(wait > 0 for one in storm.sent for _, _, wait in refusals(one))
    assert struck > 100
    assert late > 20
