"""The kept corpus, input by input; and, when there is time, libFuzzer that starts from it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.conftest import IN_CI
from tests.fuzz.export_reader import FILES, reader
from tests.sources.exports import whole

CORPUS = Path(__file__).parent / "corpus" / "export_reader"
ROOT = Path(__file__).parents[2]
SECONDS = int(os.environ.get("FUZZ_SECONDS", "120"))
MEMORY = 512
"""MiB for the whole process: 256 for an input, and the interpreter with the program instrumented."""


def test_every_kept_input_is_read_or_refused(tmp_path: Path) -> None:
    """What once failed, and what leads deep into the reader; the corpus touches every file of an export."""
    inputs = sorted(CORPUS.glob("*.txt"))
    take = reader(tmp_path)
    for file in inputs:
        take(file.read_bytes())
    assert {file.read_bytes()[0] - ord("A") for file in inputs} == set(range(len(FILES)))
    assert {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*.json")} == set(whole())


@pytest.mark.slow
def test_libfuzzer_finds_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No input of two minutes ends in another error, takes two seconds or fills the memory."""
    if find_spec("atheris") is None:
        reason = "atheris is not installed; it has wheels for Linux on x86-64"
        pytest.fail(reason) if IN_CI else pytest.skip(reason)
    corpus, found = tmp_path / "corpus", tmp_path / "found"
    shutil.copytree(CORPUS, corpus)
    found.mkdir()
    command = [sys.executable, "-m", "tests.fuzz.export_reader", str(corpus), f"-artifact_prefix={found}/"]
    limits = [f"-max_total_time={SECONDS}", "-timeout=2", f"-rss_limit_mb={MEMORY}", "-max_len=8192", "-seed=1"]
    done = subprocess.run(
        [*command, *limits, "-print_final_stats=1"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS + 120,
    )
    artifacts = {file.name: file.read_bytes()[:300] for file in found.iterdir()}
    assert not artifacts, f"{artifacts}\n{done.stderr[-4000:]}"
    assert done.returncode == 0, done.stderr[-4000:]
    [runs] = re.findall(r"Done (\d+) runs", done.stderr)
    cover = re.findall(r"cov: (\d+) ft: (\d+) corp: (\d+)", done.stderr)
    assert int(runs) > 1_000
    assert int(cover[-1][0]) > 100
    with capsys.disabled():
        print(f"\natheris: {int(runs):,} runs, coverage {cover[0]} -> {cover[-1]} (edges, features, inputs)")  # noqa: T201 - the figures are part of the result
