"""A run that nobody watches: one at a time, not at the same second as others, logged, its end written down."""

from __future__ import annotations

import logging
import os
import secrets
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from filelock import FileLock, Timeout
from msgspec import Struct
from msgspec.structs import replace

from auditor.errors import AuditorError, ExitCode, InputError, OutputError
from auditor.graph.secret import redacted
from auditor.model.canonical import from_json, to_json
from auditor.model.text import moment, visible
from auditor.workflow.writing import check_folder, write_file

STATE = "last-run.json"
LOCK = ".entra-audit.lock"
LOG_SIZE = 2**20
"""Bytes at which a log is set aside, before a run."""
LOGS_KEPT = 5
_LOCK_WAIT = 3.0
"""Seconds: `schedule status` holds the lock for a moment."""
_MESSAGES = logging.getLogger("auditor")
"""What the run itself says while it is under way: new attempts, and what retention took."""
Sleep = Callable[[float], None]


class Guard(Struct, frozen=True, kw_only=True):
    """How a run is guarded."""

    out: Path
    """The folder of the reports, and of last-run.json."""
    lock: Path | None = None
    """None: LOCK in `out`."""
    jitter: int = 0
    """Seconds; the run begins after a random wait of at most so many."""
    log: Path | None = None
    """Where lines are appended; None: nowhere."""

    @property
    def lock_file(self) -> Path:
        """The file that a run locks."""
        return self.lock or self.out / LOCK


class LastRun(Struct, frozen=True, kw_only=True):
    """last-run.json: the run that is under way, else the one before."""

    run: int
    """Counts from 1."""
    started: datetime
    pid: int
    host: str
    ended: datetime | None = None
    """None: it is under way, or was cut."""
    exit_code: int | None = None
    message: str = ""
    """Why it could not end as it should."""


def guarded(work: Callable[[], int], guard: Guard, *, sleep: Sleep = time.sleep) -> int:
    """Do `work` as the guard says, and return its exit code.

    The lock belongs to the process: the system frees it when the process dies, however it dies.

    Raises:
        AuditorError: what `work` raised.
        OutputError: another run holds the lock, or a file cannot be written.
    """
    check_folder(guard.out)
    _wait_a_little(guard, sleep)
    try:
        with held(guard.lock_file):
            if guard.log:
                _set_aside(guard.log)
            return _recorded(work, guard)
    except Timeout:
        error = OutputError(
            f"Another run is under way{_by_whom(guard.out)}.",
            where=str(guard.lock_file),
            advice="Wait until it ends; a run that was cut holds nothing.",
        )
        log(guard.log, f"refused: {error}")
        raise error from None


@contextmanager
def held(path: Path, *, wait: float = _LOCK_WAIT) -> Iterator[None]:
    """Hold the lock of a file while the block runs.

    Raises:
        Timeout: another process holds it, for longer than `wait` seconds.
        OutputError: the file cannot be written.
    """
    lock = FileLock(path, mode=0o600)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=wait, poll_interval=0.1)
    except Timeout:
        raise
    except (OSError, NotImplementedError) as error:
        raise OutputError(
            f"The lock cannot be had: {getattr(error, 'strerror', None) or error}.",
            where=str(path),
            advice="Name another file with --lock.",
        ) from None
    try:
        yield
    finally:
        lock.release()


def last_run(out: Path) -> LastRun | None:
    """Return what last-run.json in the folder `out` says; None where there is none.

    Raises:
        InputError: it cannot be read, or is none.
    """
    path = out / STATE
    try:
        return msgspec.convert(from_json(path.read_bytes()), LastRun)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError) as error:
        raise InputError(
            f"This does not say how the last run ended: {error}.", where=str(path), advice="Remove it, and run again."
        ) from None


def log(path: Path | None, text: str) -> None:
    """Append one line with the time to a log that its owner alone reads; no secret, nothing that steers a terminal.

    Raises:
        OutputError: it cannot be written.
    """
    if path is None:
        return
    line = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {os.getpid()} {visible(redacted(text, (), os.environ))}\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "ab", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            file.write(line.encode())
    except OSError as error:
        raise OutputError(
            f"The log cannot be written: {error.strerror}.", where=str(path), advice="Name another file with --log."
        ) from None


class _Handler(logging.Handler):
    """Appends messages to the log, and shows them on stderr."""

    def __init__(self, path: Path | None) -> None:
        super().__init__(logging.WARNING)
        self._path = path

    def emit(self, record: logging.LogRecord) -> None:
        """Take one message; what cannot be written costs no run."""
        text = visible(redacted(record.getMessage(), (), os.environ))
        sys.stderr.write(f"entra-audit: {text}\n")
        with suppress(OutputError):
            log(self._path, text)


def _wait_a_little(guard: Guard, sleep: Sleep) -> None:
    if guard.jitter > 0:
        seconds = secrets.randbelow(guard.jitter * 1000 + 1) / 1000
        log(guard.log, f"waits {seconds:.0f} s before it begins")
        sleep(seconds)


def _recorded(work: Callable[[], int], guard: Guard) -> int:
    """Do the work, with its beginning and its end in last-run.json and in the log."""
    state = LastRun(
        run=_number(guard.out), started=datetime.now(UTC), pid=os.getpid(), host=visible(socket.gethostname())
    )
    _write(guard.out, state)
    log(guard.log, f"run {state.run} begins")
    begun = time.monotonic()
    code: int | None = None
    message = "It ended without an exit code: a defect of the program."
    handler = _Handler(guard.log)
    _MESSAGES.addHandler(handler)
    try:
        code, message = int(work()), ""
        return code  # noqa: TRY300 - what follows is for every way to leave
    except AuditorError as error:
        code, message = int(error.exit_code), visible(redacted(str(error), (), os.environ))
        raise
    except KeyboardInterrupt:
        code, message = int(ExitCode.INTERRUPTED), "interrupted"
        raise
    finally:
        _MESSAGES.removeHandler(handler)
        _write(guard.out, replace(state, ended=datetime.now(UTC), exit_code=code, message=message))
        why = f": {message}" if message else ""
        log(guard.log, f"run {state.run} ended with exit code {code} after {time.monotonic() - begun:.1f} s{why}")


def _number(out: Path) -> int:
    """Return the number of the run that begins; a record that cannot be read begins anew."""
    try:
        before = last_run(out)
    except InputError:
        return 1
    return before.run + 1 if before else 1


def _write(out: Path, state: LastRun) -> None:
    write_file(out / STATE, to_json(state))


def _by_whom(out: Path) -> str:
    try:
        holder = last_run(out)
    except InputError:
        return ""
    if holder is None or holder.ended is not None:
        return ""
    return f": process {holder.pid} on {holder.host}, since {moment(holder.started)}"


def _set_aside(path: Path) -> None:
    """Rename a log that has grown, LOG to LOG.1 and so on; the oldest goes.

    Raises:
        OutputError: it cannot be renamed.
    """
    try:
        if not path.exists() or path.stat().st_size < LOG_SIZE:
            return
        for number in range(LOGS_KEPT - 1, 0, -1):
            older = path.with_name(f"{path.name}.{number}")
            if older.exists():
                older.replace(path.with_name(f"{path.name}.{number + 1}"))
        path.replace(path.with_name(f"{path.name}.1"))
    except OSError as error:
        raise OutputError(
            f"The log cannot be set aside: {error.strerror}.", where=str(path), advice="Name another file with --log."
        ) from None
