"""Start-up: --version and --help, beside a Python that imports click and no more."""

from __future__ import annotations

import sys

from bench.measure import median_seconds, table

RUNS = 15


def report() -> str:
    """Return the table of median start-up times."""
    base = median_seconds([sys.executable, "-c", "import click"], RUNS)
    rows = [("python -c 'import click'", f"{base * 1000:.0f}", "1.0x")]
    for option in ("--version", "--help"):
        seconds = median_seconds([sys.executable, "-m", "auditor", option], RUNS)
        rows.append((f"entra-audit {option}", f"{seconds * 1000:.0f}", f"{seconds / base:.1f}x"))
    return table(f"Start-up: median of {RUNS} runs", ("command", "ms", "ratio"), rows)
