"""Eight processes keep runs at once, and some are killed without warning: no run is lost, doubled or half there."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
from pathlib import Path

import msgspec
import pytest

from auditor.history.chain import held
from auditor.history.store import open_store
from auditor.model.outcome import AuditResult
from tests.history.kept import STREAM, contents

WRITERS, KILLED, RUNS = 8, 4, 8
ROOT = Path(__file__).resolve().parent.parent.parent


class Writer:
    """A process that keeps runs.

    Args:
        command: how it is started.
        doomed: number of its lines after which it is killed; None: never.
    """

    def __init__(self, command: list[str], doomed: int | None) -> None:
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)
        self._doomed = doomed
        self.lines: list[str] = []
        self.errors = ""
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            self.lines.append(line.strip())
            if self._doomed is not None and len(self.lines) >= self._doomed:
                self._process.kill()

    def end(self) -> int:
        """Wait for its end and return its exit code."""
        self._reader.join()
        assert self._process.stdout
        assert self._process.stderr
        self.errors = self._process.stderr.read()
        self._process.stdout.close()
        self._process.stderr.close()
        return self._process.wait()

    @property
    def told(self) -> list[tuple[int, str]]:
        """The runs that it said were kept."""
        pairs = (line.split() for line in self.lines if line != "building")
        return [(int(number), sha256) for number, sha256 in (pair for pair in pairs if len(pair) == 2)]


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1])
def test_eight_processes_at_once_and_four_of_them_killed(
    place: str, seed: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A killed process dies while it builds a run, with the lock in its hands, or just after it kept one."""
    audit = tmp_path / "audit.json"
    audit.write_bytes(contents(0).result)
    draw = random.Random(seed)
    writers = [
        Writer(
            [sys.executable, "-m", "tests.history.writer", place, f"writer {number}", str(RUNS), str(audit)],
            draw.randrange(1, 2 * RUNS) if number < KILLED else None,
        )
        for number in range(WRITERS)
    ]
    codes = [writer.end() for writer in writers]
    assert codes[KILLED:] == [0] * (WRITERS - KILLED), [writer.errors for writer in writers]
    assert codes[:KILLED] == [-9] * KILLED
    told = [run for writer in writers for run in writer.told]
    with open_store(place, create=False) as store:
        assert store.check() == ()
        links = {(link.number, link.sha256) for link in store.links(STREAM)}
        runs = held(store.entries(STREAM))
        kept = [store.run(STREAM, run.number) for run in runs]
    assert set(told) <= links, "a run that was told as kept is lost"
    assert len(runs) == len(links)
    untold = len(runs) - len(told)
    assert 0 <= untold <= KILLED, "more runs than were told, and than could have been cut off while telling"
    notes = [msgspec.json.decode(run.result, type=AuditResult).notes for run in kept if run]
    assert len(set(notes)) == len(runs), "a run is there twice"
    with capsys.disabled():
        sys.stdout.write(
            f"\n{place.partition(':')[0][:10]}: {WRITERS} writers, {KILLED} killed: {len(told)} runs told as kept, "
            f"{len(runs)} there, 0 lost, 0 half\n"
        )
