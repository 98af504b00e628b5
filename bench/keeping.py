"""A history of 1,000 runs: what a look at it costs, and how it grows."""

from __future__ import annotations

import sys
import tempfile
from datetime import timedelta
from pathlib import Path

from msgspec.structs import replace

from auditor.engine.audit import Hashes, audit
from auditor.engine.rulebook import load_rulebook
from auditor.history.store import Contents, open_store
from auditor.model.canonical import sha256, to_json
from auditor.model.configuration import Configuration
from auditor.model.history import Stream
from auditor.simulator.sample import sample
from auditor.sources.snapshot_file import encode
from bench.measure import median_seconds, table

RUNS = 1000
REPEATS = 3
AUDIT = (sys.executable, "-m", "auditor")


def report() -> str:
    """Return the table of seconds per look, as ratios of starting the program, and of the growth per run."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "history.db"
        first, last = _fill(place)
        history = ("--history", str(place))
        looks = {
            "start alone (--version)": (*AUDIT, "--version"),
            "history list": (*AUDIT, "history", "list", *history),
            "history trends": (*AUDIT, "history", "trends", *history, "--out", str(Path(folder) / "trends.html")),
            "diff of the last two": (*AUDIT, "diff", f"history:{RUNS - 1}", f"history:{RUNS}", *history),
            "history verify": (*AUDIT, "history", "verify", *history),
        }
        seconds = {name: median_seconds(command, REPEATS) for name, command in looks.items()}
    start = seconds["start alone (--version)"]
    rows = [(name, f"{one:.2f}", f"{one / start:.1f}x") for name, one in seconds.items()]
    rows.append(("growth per run", f"{(last - first) / (RUNS - 1) / 1024:.1f} KiB", ""))
    return table(f"{RUNS:,} kept runs of the sample tenant", ("look", "s", "of the start"), rows)


def _fill(place: Path) -> tuple[int, int]:
    """Keep RUNS runs, each of another day and so with contents of its own; return the sizes after one and after all."""
    rulebook, snapshot = load_rulebook("zoom"), sample()
    result = audit(snapshot, rulebook=rulebook, configuration=Configuration(), hashes=Hashes(snapshot=""))
    stream = Stream(tenant_id=result.tenant_id, profile=result.profile)
    sizes = []
    with open_store(str(place)) as store:
        for day in range(RUNS):
            at = snapshot.taken_at + timedelta(days=day)
            data = encode(replace(snapshot, taken_at=at))
            provenance = replace(result.provenance, snapshot_sha256=sha256(data))
            told = to_json(replace(result, taken_at=at, provenance=provenance))
            made = Contents(snapshot=data, result=told, taken_at=at)
            store.append(stream, lambda _previous, made=made: made)  # type: ignore[misc]
            if day in {0, RUNS - 1}:
                sizes.append(sum(file.stat().st_size for file in place.parent.glob("history.db*")))
    return sizes[0], sizes[1]
