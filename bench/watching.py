"""Several tenants side by side, one throttled and one failing: the whole takes about as long as the slowest of them."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from auditor.simulator.fault import Fault
from auditor.simulator.server import serve
from bench.measure import table
from bench.tenants import tenant

LATENCY = 1.0
"""Seconds that are added to every request."""
WAIT = "6"
"""Seconds that the throttled tenant asks to wait."""
TENANTS: dict[str, tuple[Fault, ...]] = {
    "plain": (),
    "throttled": (Fault(match="organization", status=429, retry_after=WAIT, times=2),),
    "failing": (Fault(match="/v1.0", status=401, times=0), Fault(match="/beta", status=401, times=0)),
}
SOURCE = "tenant_id: 11111111-1111-4111-8111-111111111111"
"""Of every tenant: the sample's."""


def report() -> str:
    """Return the table of seconds and exit codes, each tenant alone and then all of them together."""
    alone = {name: _watched([name]) for name in TENANTS}
    one_by_one, together = _watched(list(TENANTS), jobs=1), _watched(list(TENANTS))
    slowest = max(seconds for seconds, _ in alone.values())
    whole = sum(seconds for seconds, _ in alone.values())
    rows = [(f"{name} alone", f"{seconds:.1f}", str(code), "", "") for name, (seconds, code) in alone.items()]
    for name, (seconds, code) in (("all, one at a time", one_by_one), ("all, side by side", together)):
        rows.append((name, f"{seconds:.1f}", str(code), f"{seconds / slowest:.2f}x", f"{seconds / whole:.2f}x"))
    header = ("tenants", "s", "exit code", "of the slowest", "of the sum")
    return table(f"Watch: {len(TENANTS)} tenants, {LATENCY:.1f} s more for every request", header, rows)


def _watched(names: Sequence[str], *, jobs: int = len(TENANTS)) -> tuple[float, int]:
    """Return the wall time of a watch as a whole process, and its exit code; each tenant has a simulator of its own."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        environment = dict(os.environ)
        for name in names:
            simulator = stack.enter_context(serve(tenant(200), latency=LATENCY, faults=TENANTS[name]))
            environment[f"ENTRA_AUDIT_SIMULATOR_URL_{name.upper()}"] = simulator.url
            environment[f"ENTRA_AUDIT_SIMULATOR_TOKEN_{name.upper()}"] = simulator.token
        config = folder / "entra-audit.yaml"
        config.write_text("tenants:\n" + "".join(f"  {name}: {{{SOURCE}}}\n" for name in names), encoding="utf-8")
        command = (sys.executable, "-m", "auditor", "watch", "--config", str(config), "--out", str(folder / "out"))
        begun = time.perf_counter()
        done = subprocess.run(
            (*command, "--jobs", str(jobs), "--format", "json"), env=environment, check=False, capture_output=True
        )
        return time.perf_counter() - begun, done.returncode
