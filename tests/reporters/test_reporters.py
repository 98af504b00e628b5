"""What every reporter promises, found by walking the registry."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from auditor.model.outcome import AuditResult
from auditor.reporters import reporters

PROGRAM = """
import hashlib
from auditor.reporters import reporters
from tests.reporters.sample import sample_result
for reporter in reporters().values():
    for name, content in sorted(reporter.render(sample_result()).items()):
        print(name, hashlib.sha256(content).hexdigest())
"""


def test_formats_are_found_in_name_order() -> None:
    """Each reporter answers to its module's name and says what it is for."""
    assert list(reporters()) == sorted(reporters())
    assert {"csv", "html", "json"} <= reporters().keys()
    assert all(reporter.help for reporter in reporters().values())


def test_no_two_formats_write_one_file(result: AuditResult) -> None:
    """All formats can be written into one folder."""
    names = [name for reporter in reporters().values() for name in reporter.render(result)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("seed", "zone", "locale"),
    [("0", "UTC", "C"), ("1", "Pacific/Kiritimati", "tr_TR.UTF-8"), ("77", "America/New_York", "C.UTF-8")],
)
def test_same_bytes_wherever_it_runs(result: AuditResult, seed: str, zone: str, locale: str) -> None:
    """Another process with another hash seed, time zone and locale gives the bytes that this one gives."""
    here = [
        f"{name} {hashlib.sha256(content).hexdigest()}"
        for reporter in reporters().values()
        for name, content in sorted(reporter.render(result).items())
    ]
    there = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=os.environ | {"PYTHONHASHSEED": seed, "TZ": zone, "LC_ALL": locale},
        cwd=Path(__file__).resolve().parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    assert here == there.stdout.splitlines()
