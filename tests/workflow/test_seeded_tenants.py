"""1,000 tenants in a storm: what is read is byte for byte what is read of them in fair weather.

The numbers of apps, grants, owners, memberships and records are drawn, and so are the size of a page (1 to 7 rows) and
the faults: every second request, and every second member of a batch, fails in a way that passes.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable

import pytest
from msgspec.structs import replace

from auditor.graph.reader import BUDGET, TRIES
from auditor.model.snapshot import Complete, Snapshot, client_collections, items
from auditor.sources.snapshot_file import encode
from tests.workflow.rehearsal import OPTIONS, Clock, graph_of, rehearsed, run
from tests.workflow.storm import IN_A_ROW, Sent, Storm, early, longest, refusals, tries
from tests.workflow.tenants import drawn

TENANTS = 1000
CHUNKS = 10
QUICK = 1
"""Chunk of the fast suite; the others are slow."""
Record = Callable[[str, object], None]


def bare(snapshot: Snapshot, taken_at: Snapshot) -> bytes:
    """Return a snapshot's bytes without the faults that were overcome, taken when another one was."""

    def calm(holder: object) -> dict[str, object]:
        names = getattr(holder, "__struct_fields__", ())
        values = ((name, getattr(holder, name)) for name in names)
        return {name: replace(value, faults=()) for name, value in values if hasattr(value, "faults")}

    clients = tuple(replace(client, **calm(client)) for client in snapshot.clients)
    return encode(replace(snapshot, **{**calm(snapshot), "clients": clients, "taken_at": taken_at.taken_at}))


def in_fair_weather(tenant: Snapshot, max_page: int) -> Snapshot:
    """Return what is read of a tenant without a fault."""
    clock = Clock()
    return run(clock, rehearsed(graph_of(tenant, max_page=max_page), clock))


def in_a_storm(tenant: Snapshot, max_page: int, seed: int) -> tuple[Snapshot, list[Sent]]:
    """Return what is read of a tenant whose every second answer fails, and what was sent."""
    clock = Clock()
    storm = Storm(tenant, seed=seed, clock=clock, max_page=max_page, **OPTIONS)
    return run(clock, rehearsed(storm, clock)), storm.sent


@pytest.mark.parametrize(
    "chunk", [pytest.param(chunk, marks=pytest.mark.slow if chunk >= QUICK else ()) for chunk in range(CHUNKS)]
)
def test_a_storm_costs_time_and_nothing_else(chunk: int, record_property: Record) -> None:
    """Byte-equal; nothing sent before Retry-After, no page tried more than 8 times, no collection over 10 minutes."""
    requests = struck = 0
    for seed in range(chunk, TENANTS, CHUNKS):
        tenant, max_page = drawn(seed), random.Random(-seed).randrange(1, 8)
        fair = in_fair_weather(tenant, max_page)
        found, sent = in_a_storm(tenant, max_page, seed)
        assert bare(found, fair) == bare(fair, fair), seed
        assert early(sent) == [], seed
        assert tries(sent) <= TRIES, seed
        assert longest(sent) <= BUDGET, seed
        requests += len(sent)
        struck += sum(any(True for _ in refusals(one)) or one.answer.broken != "" for one in sent)
    record_property("tenants", TENANTS // CHUNKS)
    record_property("requests", requests)
    assert struck > requests / 3


def test_fair_weather_shows_the_tenant_as_it_is() -> None:
    """The measure itself is right: every row of every collection, and nothing but a report without any line missing."""
    rows: Counter[str] = Counter()
    for seed in range(0, TENANTS, 50):
        tenant = drawn(seed)
        found = in_fair_weather(tenant, random.Random(-seed).randrange(1, 8))
        assert {sp.id for sp in items(found.service_principals)} == {sp.id for sp in items(tenant.service_principals)}
        held = {client.service_principal.id: client_collections(client) for client in tenant.clients}
        assert {client.service_principal.id for client in found.clients} == set(held)
        for client in found.clients:
            for name, collected in client_collections(client).items():
                there = held[client.service_principal.id][name]
                assert isinstance(collected, Complete) or name == "signInActivity"
                if name != "grantEvents":
                    assert {*map(repr, items(collected))} == {*map(repr, items(there))}
                rows[name] += len(items(collected))
    assert min(rows.values()) >= 5


def test_the_storm_is_one() -> None:
    """Every kind of fault comes, seven in a row among them, and half of what is asked for is struck."""
    kinds: Counter[object] = Counter()
    row: Counter[str] = Counter()
    most = asked = struck = 0
    for seed in range(20):
        _, sent = in_a_storm(drawn(seed), 3, seed)
        for one in sent:
            refused = {call: status for call, status, _ in refusals(one)}
            whole = one.answer.broken or ("body" if isinstance(one.answer.body, str) else "")
            kinds.update(refused.values())
            kinds[whole] += 1
            for call in one.calls:
                asked += 1
                struck += bool(whole or call in refused)
                row[call] = row[call] + 1 if whole or call in refused else 0
                most = max(most, row[call])
    assert {401, 429, 500, 502, 503, 504, 507, "timeout", "reset", "body"} <= set(kinds)
    assert most >= IN_A_ROW - 1
    assert 0.4 < struck / asked < 0.75
