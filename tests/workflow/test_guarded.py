"""What a guarded run promises: one at a time, another attempt, a log and a record, whatever happens to it."""

from __future__ import annotations

import json
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from auditor.errors import AuditorError, GraphError, InputError, OutputError
from auditor.workflow.guarded import LOG_SIZE, LOGS_KEPT, STATE, Guard, guarded, last_run

HOLDER = """
import sys, time
from pathlib import Path
from auditor.workflow.guarded import Guard, guarded
def work():
    print("under way", flush=True)
    time.sleep(120)
    return 0
guarded(work, Guard(out=Path(sys.argv[1])))
"""


@contextmanager
def holder(out: Path) -> Iterator[subprocess.Popen[str]]:
    """Run a guarded run in another process, which lasts until it is killed."""
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(out)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "under way\n"
        try:
            yield process
        finally:
            process.kill()


def test_a_living_run_is_left_alone_and_a_killed_one_is_followed(tmp_path: Path) -> None:
    """A second run is refused, naming the process that holds the lock; after kill -9 the next run goes ahead."""
    log = tmp_path / "log"
    with holder(tmp_path) as process:
        work, attempts = failing(0, GraphError("Never raised."))
        with pytest.raises(OutputError, match=f"Another run is under way: process {process.pid} on ") as refused:
            guarded(work, Guard(out=tmp_path, log=log))
        assert refused.value.exit_code == 2
        assert attempts == []
        assert "refused: " in log.read_text()
        process.send_signal(signal.SIGKILL)
        process.wait()
    cut = last_run(tmp_path)
    assert cut is not None
    assert (cut.run, cut.pid, cut.ended) == (1, process.pid, None)
    assert guarded(lambda: 1, Guard(out=tmp_path)) == 1
    after = last_run(tmp_path)
    assert after is not None
    assert (after.run, after.exit_code, after.message) == (2, 1, "")
    assert after.ended is not None
    assert after.started <= after.ended


def failing(times: int, error: AuditorError) -> tuple[Callable[[], int], list[int]]:
    """Return work that fails so many times, and what counts its attempts."""
    attempts: list[int] = []

    def work() -> int:
        attempts.append(1)
        if len(attempts) <= times:
            raise error
        return 0

    return work, attempts


def test_an_error_is_raised_and_recorded(tmp_path: Path) -> None:
    """Its words stand in the record and in the log."""
    work, _ = failing(1, GraphError("No answer."))
    log = tmp_path / "log"
    with pytest.raises(GraphError, match=r"No answer\."):
        guarded(work, Guard(out=tmp_path, log=log))
    state = last_run(tmp_path)
    assert state is not None
    assert (state.exit_code, state.message) == (2, "No answer.")
    assert "run 1 ended with exit code 2 after " in log.read_text()
    assert log.read_text().endswith(": No answer.\n")


def test_an_interrupted_run_is_recorded_as_one(tmp_path: Path) -> None:
    def work() -> int:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        guarded(work, Guard(out=tmp_path))
    state = last_run(tmp_path)
    assert state is not None
    assert (state.exit_code, state.message) == (130, "interrupted")


def test_the_wait_before_a_run_is_random_and_bounded(tmp_path: Path) -> None:
    waits: list[float] = []
    for _ in range(50):
        guarded(lambda: 0, Guard(out=tmp_path, jitter=300), sleep=waits.append)
    assert len(waits) == 50
    assert min(waits) >= 0
    assert max(waits) <= 300
    assert len(set(waits)) > 25


def test_lock_state_and_log_are_their_owners_alone(tmp_path: Path) -> None:
    guarded(lambda: 0, Guard(out=tmp_path / "out", log=tmp_path / "logs" / "log"))
    for path in (tmp_path / "out" / STATE, tmp_path / "out" / ".entra-audit.lock", tmp_path / "logs" / "log"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_log_is_set_aside_when_it_has_grown(tmp_path: Path) -> None:
    """The newest lines are in LOG, older ones in LOG.1 and so on; there are never more than LOGS_KEPT of those."""
    log = tmp_path / "log"
    for number in range(LOGS_KEPT + 3):
        log.write_bytes(b"%d" % number * LOG_SIZE)
        guarded(lambda: 0, Guard(out=tmp_path, log=log))
    assert len(log.read_text().splitlines()) == 2
    kept = sorted(path.name for path in tmp_path.glob("log.*"))
    assert kept == [f"log.{number}" for number in range(1, LOGS_KEPT + 1)]
    assert [(tmp_path / name).read_bytes()[:1] for name in kept] == [b"7", b"6", b"5", b"4", b"3"]


def test_neither_log_nor_record_holds_a_secret_or_steers_a_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_CLIENT_SECRET", "made-up-secret-0123456789")
    work, _ = failing(1, GraphError("made-up-secret-0123456789 \x1b[2J\nforged line"))
    log = tmp_path / "log"
    with pytest.raises(GraphError):
        guarded(work, Guard(out=tmp_path, log=log))
    for text in (log.read_text(), (tmp_path / STATE).read_text()):
        assert "made-up-secret" not in text
        assert "\x1b" not in text
        assert "forged line" in text
    assert all(line[:4].isdigit() for line in log.read_text().splitlines())


@pytest.mark.parametrize("data", [b"", b"{", b'{"run": "x"}', b"\xff"])
def test_a_record_that_cannot_be_read_is_an_error_and_stops_no_run(tmp_path: Path, data: bytes) -> None:
    (tmp_path / STATE).write_bytes(data)
    with pytest.raises(InputError, match=STATE.replace(".", r"\.")):
        last_run(tmp_path)
    assert guarded(lambda: 0, Guard(out=tmp_path)) == 0
    assert json.loads((tmp_path / STATE).read_bytes())["run"] == 1


@pytest.mark.parametrize("name", ["lock", "log"])
def test_a_file_that_cannot_be_written_is_an_error(tmp_path: Path, name: str) -> None:
    """A folder in its place: exit 2 with its path, before any work."""
    (tmp_path / "folder").mkdir()
    work, attempts = failing(0, GraphError("Never raised."))
    where = tmp_path / "folder"
    guard = Guard(out=tmp_path, lock=where) if name == "lock" else Guard(out=tmp_path, log=where)
    with pytest.raises(OutputError) as ended:
        guarded(work, guard)
    assert ended.value.where == str(where)
    assert attempts == []


def test_eight_runs_at_once_are_one_after_another(tmp_path: Path) -> None:
    """Each either runs alone or is refused; none overlaps."""
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom auditor.errors import OutputError\n"
        "from auditor.workflow.guarded import Guard, guarded\n"
        "out = Path(sys.argv[1])\n"
        "def work():\n"
        "    (out / 'inside').touch(exist_ok=False)\n    time.sleep(0.05)\n"
        "    (out / 'inside').unlink()\n    return 0\n"
        "try:\n    sys.exit(guarded(work, Guard(out=out)))\nexcept OutputError:\n    sys.exit(2)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    processes = [subprocess.Popen(command) for _ in range(8)]
    codes = [process.wait(timeout=60) for process in processes]
    state = last_run(tmp_path)
    assert state is not None
    assert state.run == codes.count(0)
    assert set(codes) <= {0, 2}
    assert time.time() >= state.started.timestamp()
