"""Reading what an audit needs: requests, round trips, time and memory, beside a loop over the SDK's typed models."""

from __future__ import annotations

import sys

from msgspec import Struct

from auditor.model.snapshot import Snapshot
from auditor.simulator.server import serve
from bench.measure import Cost, run, table
from bench.tenants import tenant

LATENCY = 0.08
"""Seconds that are added to every request."""
RUNS = 3
READERS = (("entra-audit collect", "bench.read_batched"), ("typed msgraph-sdk loop", "bench.read_typed"))


class Measured(Struct, frozen=True):
    """One reader on one tenant."""

    requests: int
    round_trips: float
    far: Cost
    near: Cost


def report() -> str:
    """Return the table for a tenant of 999 service principals, four of them Zoom's."""
    snapshot = tenant(999)
    measured = [_measure(snapshot, module) for _, module in READERS]
    rows = [
        (
            name,
            str(one.requests),
            f"{one.round_trips:.1f}",
            f"{one.far.seconds:.2f}",
            f"{one.near.seconds:.2f}",
            f"{one.far.peak_mib:.0f}",
        )
        for (name, _), one in zip(READERS, measured, strict=True)
    ]
    ours, typed = measured
    rows.append(
        (
            "typed / ours",
            f"{typed.requests / ours.requests:.1f}x",
            f"{typed.round_trips / ours.round_trips:.1f}x",
            f"{typed.far.seconds / ours.far.seconds:.1f}x",
            f"{typed.near.seconds / ours.near.seconds:.1f}x",
            f"{typed.far.peak_mib / ours.far.peak_mib:.1f}x",
        )
    )
    header = ("reader", "requests", "round trips", "s at 80 ms", "s at 0 ms", "peak MiB")
    return table("Collection: 999 service principals, 4 apps (round trips = added time / 80 ms)", header, rows)


def _measure(snapshot: Snapshot, module: str) -> Measured:
    far, requests = _read(snapshot, module, LATENCY)
    near, _ = _read(snapshot, module, 0.0)
    added = float(far.output) - float(near.output)
    return Measured(requests, added / LATENCY, far, near)


def _read(snapshot: Snapshot, module: str, latency: float) -> tuple[Cost, int]:
    """Return the cheapest of RUNS readings, and how many requests one takes."""
    costs, requests = [], 0
    for _ in range(RUNS):
        with serve(snapshot, latency=latency) as running:
            costs.append(run([sys.executable, "-m", module, running.url], {"BENCH_TOKEN": running.token}))
            requests = running.requests
    return min(costs, key=lambda cost: float(cost.output)), requests
