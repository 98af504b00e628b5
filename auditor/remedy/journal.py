"""The journal of a plan: what was about to be written and what became of it, on disk before anything else happens.

JSON lines, appended and never rewritten. A line that a crash cut is no line: what it would have told did not happen
before it was whole. The scripts that this program writes append the same lines.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

import msgspec
from filelock import FileLock, Timeout
from msgspec import Struct

from auditor.errors import InputError, OutputError, RefusedError
from auditor.model.canonical import to_json
from auditor.model.plan import (
    JOURNAL_SCHEMA,
    JOURNAL_VERSION,
    Begin,
    Change,
    Intent,
    Line,
    Purpose,
    Result,
    Step,
    is_sound,
    reduced,
)

LIMIT = 512 * 2**20
"""Bytes above which a journal is refused."""
SUFFIX = ".journal.jsonl"


class Known(Struct, frozen=True, kw_only=True):
    """What a journal says of one change."""

    intent: Intent
    result: Result | None
    """None: the run was cut before it was written down, or is under way."""

    @property
    def done(self) -> bool:
        """It was carried out and seen."""
        return self.result is not None and self.result.outcome == "done"

    @property
    def in_doubt(self) -> bool:
        """It may have been carried out, and nobody saw whether."""
        return self.result is None or self.result.outcome == "unverified"


def journal_of(plan: Path) -> Path:
    """Return where the journal of a plan's file stands: `plan.json` has `plan.journal.jsonl`."""
    return plan.with_name(plan.name.removesuffix(".json") + SUFFIX)


def encode_line(line: Line) -> bytes:
    """Return a line with its end."""
    return to_json(line)


def intent(step: Step, index: int, change: Change, *, at: datetime) -> Intent:
    """Return the line that says what is about to be written.

    What the step closes stands with its first change alone: a step of 5,000 consents names as many findings.
    """
    return Intent(
        at=at,
        step=step.id,
        change=index,
        write=change.write,
        doing=reduced(change),
        app_id=step.target.app_id,
        resource_app_id=step.target.resource_app_id,
        permissions=step.target.permissions,
        permission_ids=step.target.permission_ids,
        closes=() if index else step.closes,
    )


def read_journal(path: Path) -> tuple[Line, ...]:
    """Return the lines of a journal; none where there is no file.

    Raises:
        InputError: it cannot be read, or is no journal.
    """
    try:
        with path.open("rb") as file:
            data = file.read(LIMIT + 1)
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise InputError(
            f"The journal cannot be read: {error.strerror}.", where=str(path), advice="Check your right to read it."
        ) from None
    if len(data) > LIMIT:
        raise InputError("The journal is too large.", where=str(path), advice="Check that it is the right file.")
    return decode_journal(data, str(path))


def decode_journal(data: bytes, where: str) -> tuple[Line, ...]:
    """Return the lines of a journal; what follows the last line end was cut by a crash and is left out.

    Raises:
        InputError: a line is none, or of a newer version.
    """
    whole = data[: data.rfind(b"\n") + 1]
    lines = []
    for number, text in enumerate(whole.split(b"\n"), 1):
        if not text.strip():
            continue
        try:
            line = msgspec.json.decode(text, type=Line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise InputError(
                f"Line {number} is no line of a journal: {error}.",
                where=where,
                advice="Give the journal as it was written: it is never edited.",
            ) from None
        if isinstance(line, Begin) and (line.schema != JOURNAL_SCHEMA or line.version > JOURNAL_VERSION):
            raise InputError(
                f"Line {number} was written by another version.", where=where, advice="Use the newer entra-audit."
            )
        if isinstance(line, Intent) and not is_sound(line.doing):
            raise InputError(
                f"Line {number} tells of a change that is none.",
                where=where,
                advice="Give the journal as it was written: it is never edited.",
            )
        lines.append(line)
    if lines and not isinstance(lines[0], Begin):
        raise InputError("This is not a journal: it does not begin with a beginning.", where=where)
    return tuple(lines)


def require_own(lines: Sequence[Line], approved_hash: str, tenant_id: str, purpose: Purpose, where: str) -> None:
    """Refuse a journal that tells of another plan, of the undo of this one, or of another tenant.

    Raises:
        RefusedError: it does.
    """
    own = (approved_hash, tenant_id, purpose)
    for line in lines:
        if isinstance(line, Begin) and (line.approved_hash, line.tenant_id, line.purpose) != own:
            raise RefusedError(
                "The journal belongs to another plan.", where=where, advice="Name another place with --journal."
            )


def known(lines: Sequence[Line]) -> dict[tuple[str, int], Known]:
    """Return what a journal says of each change that was ever about to be written: by step id and index.

    A later intent takes the place of an earlier one; what was refused was not sent, and changes nothing.
    """
    found: dict[tuple[str, int], Known] = {}
    for line in lines:
        if isinstance(line, Intent):
            found[line.step, line.change] = Known(intent=line, result=None)
        elif isinstance(line, Result) and line.outcome != "refused":
            before = found.get((line.step, line.change))
            if before is not None:
                found[line.step, line.change] = Known(intent=before.intent, result=line)
    return found


class Journal:
    """A journal that is being written. Every line is on disk when `write` returns."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, line: Line) -> None:
        """Append a line.

        Raises:
            OutputError: it could not be written; nothing may be sent then.
        """
        new = not self.path.exists()
        try:
            handle = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
            with os.fdopen(handle, "r+b") as file:
                _drop_cut_line(file)
                file.write(encode_line(line))
                file.flush()
                os.fsync(file.fileno())
            if new:
                _sync_folder(self.path.parent)
        except OSError as error:
            raise OutputError(
                f"The journal could not be written: {error.strerror or error}.",
                where=str(self.path),
                advice="Free space or change the permissions, then run again: it goes on where it stopped.",
            ) from error


@contextmanager
def opened(path: Path) -> Iterator[Journal]:
    """Yield the journal at `path`, which nobody else on this machine writes meanwhile.

    Raises:
        RefusedError: somebody does. The lock of a process that died is no lock.
        OutputError: it cannot be locked there.
    """
    lock = FileLock(path.with_name(path.name + ".lock"), mode=0o600)
    try:
        with lock.acquire(timeout=0):
            yield Journal(path)
    except Timeout:
        raise RefusedError(
            "Somebody else is carrying this plan out right now.",
            where=str(path),
            advice="Wait until that run has ended.",
        ) from None
    except OSError as error:
        raise OutputError(
            f"The journal cannot be locked: {error.strerror or error}.", where=str(path), advice="Name another place."
        ) from error


def _drop_cut_line(file: BinaryIO) -> None:
    """Cut off what a crash left after the last whole line."""
    end = place = file.seek(0, os.SEEK_END)
    while place > 0:
        start = max(0, place - 4096)
        file.seek(start)
        cut = file.read(place - start).rfind(b"\n")
        place = start + cut + 1 if cut >= 0 else start
        if cut >= 0:
            break
    if place < end:
        file.truncate(place)
    file.seek(0, os.SEEK_END)


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":  # pragma: no cover - a folder cannot be opened there
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
