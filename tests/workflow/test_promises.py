"""Promises of the whole program, kept through the command line."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from auditor.model.canonical import to_gzip
from auditor.simulator.sample import sample
from auditor.sources.snapshot_file import encode
from auditor.workflow.writing import write_file

ZONES = ("UTC", "Pacific/Kiritimati", "America/St_Johns", "Asia/Kathmandu")
LOCALES = ("C", "tr_TR.UTF-8", "de_DE.UTF-8", "ar_EG.UTF-8")


@pytest.mark.parametrize("runs", [2, pytest.param(20, marks=pytest.mark.slow)])
def test_runs_under_other_seeds_zones_and_locales_give_the_same_bytes(tmp_path: Path, runs: int) -> None:
    """Same snapshot, rules and configuration: every format byte for byte the same, and the same words on stdout."""
    snapshot = write_file(tmp_path / "tenant.json.gz", to_gzip(encode(sample())))
    chance = random.Random(20261122)

    def run(number: int) -> str:
        surroundings = {
            **os.environ,
            "PYTHONHASHSEED": str(chance.randrange(2**32)),
            "TZ": chance.choice(ZONES),
            "LC_ALL": chance.choice(LOCALES),
        }
        folder = tmp_path / f"run-{number}" / "out"
        folder.parent.mkdir()
        wanted = ["--snapshot", str(snapshot), "--format", "all", "--out", "out"]
        command = [sys.executable, "-m", "auditor", "run", *wanted]
        done = subprocess.run(command, env=surroundings, cwd=folder.parent, capture_output=True, check=False)
        assert done.returncode in (1, 3), done.stderr
        digest = hashlib.sha256(done.stdout)
        for path in sorted(folder.iterdir()):
            digest.update(path.name.encode() + path.read_bytes())
        return digest.hexdigest()

    with ThreadPoolExecutor(2) as pool:
        assert len(set(pool.map(run, range(runs)))) == 1
