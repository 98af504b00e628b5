"""What a run of seeds gives: how many were read and refused, the slowest, and the memory at its peak."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from time import process_time

SECONDS = 2
"""Processor time that one input may take."""


def run(name: str, one: Callable[[int], bool], seeds: Iterable[int]) -> str:
    """Give each seed to `one`, which tells whether the input was read, and return the figures as one line.

    A seed that fails is named in the error's notes.
    """
    examples = refused = 0
    slowest = (0.0, 0)
    start = process_time()
    for seed in seeds:
        before = process_time()
        try:
            refused += not one(seed)
        except BaseException as error:
            error.add_note(f"{name}: seed {seed}")
            raise
        slowest = max(slowest, (process_time() - before, seed))
        examples += 1
    took = process_time() - start
    assert slowest[0] < SECONDS, f"{name}: seed {slowest[1]} took {slowest[0]:.1f} s"
    return (
        f"{name}: {examples:,} examples, {examples - refused:,} read and {refused:,} refused, {took:.0f} s, "
        f"slowest {slowest[0]:.2f} s, process at most {_peak()} MiB"
    )


def _peak() -> str:
    """Return the memory of this process at its peak, in MiB, where Linux tells it; not that of who started it."""
    status = Path("/proc/self/status")
    text = status.read_text(encoding="ascii") if status.exists() else ""
    found = re.search(r"VmHWM:\s+(\d+) kB", text)
    return str(int(found[1]) // 1024) if found else "?"
