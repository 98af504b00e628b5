"""Measuring a command as a whole process, from outside."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Mapping, Sequence

from msgspec import Struct


class Cost(Struct, frozen=True):
    """What one run of a command cost."""

    seconds: float
    peak_mib: float
    output: str


def run(command: Sequence[str], environment: Mapping[str, str] | None = None) -> Cost:
    """Run a command to its end and return its wall time and the peak of its resident memory."""
    start = time.perf_counter()
    surroundings = {**os.environ, **(environment or {})}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=surroundings) as process:
        output = process.stdout.read() if process.stdout else ""
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - start
    if process.returncode:
        message = f"{' '.join(command)} ended with exit code {process.returncode}"
        raise RuntimeError(message)
    return Cost(seconds, usage.ru_maxrss / 1024, output)


def median_seconds(command: Sequence[str], runs: int) -> float:
    """Return the median wall time of `runs` runs after one that does not count."""
    run(command)
    return statistics.median(run(command).seconds for _ in range(runs))


def table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in plain text."""
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(len(header))]
    padded = [[cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in (header, *rows)]
    lines = ["  ".join(row).rstrip() for row in padded]
    return "\n".join([title, lines[0], "-" * len(lines[0]), *lines[1:], ""])
