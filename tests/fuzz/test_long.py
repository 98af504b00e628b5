"""The same targets as in the fast tests, by the thousand, each in a process with bounded memory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.targets import TARGETS

ROOT = Path(__file__).parents[2]
COUNTS = {
    "export": 10_000,
    "snapshot": 20_000,
    "judged_snapshot": 5_000,
    "audit": 20_000,
    "users": 20_000,
    "configuration": 5_000,
    "rule": 4_000,
    "condition": 10_000,
    "permissions": 2_000,
    "profile": 800,
}
"""Inputs per target, about a minute of one core each: YAML is read at some 35,000 values a second."""


def test_every_target_has_a_count() -> None:
    assert COUNTS.keys() == TARGETS.keys()


@pytest.mark.slow
@pytest.mark.parametrize("name", COUNTS)
def test_many_inputs_are_read_or_refused(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each within 2 s of processor time and 256 MiB; FUZZ_FIRST names the first seed, so that nights differ."""
    first = os.environ.get("FUZZ_FIRST", "0")
    command = [sys.executable, "-m", "tests.fuzz.long", name, str(COUNTS[name]), first]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=1800)
    assert done.returncode == 0, done.stderr[-4000:]
    with capsys.disabled():
        print(f"\n{done.stdout.strip()}")  # noqa: T201 - the figures are part of the result
