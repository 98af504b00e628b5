"""Kept runs in a database: appended whole or not at all, read back against their hashes, pruned as part of the chain.

Importing this module needs SQLAlchemy, an optional part: import it where it is used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from auditor.errors import InputError, MissingPartError, UsageError
from auditor.history.chain import (
    Fault,
    Head,
    Link,
    check,
    check_links,
    contents,
    decoded,
    held,
    linked,
    noted,
)
from auditor.history.short import Short, shortened
from auditor.model.canonical import sha256, to_gzip, to_json
from auditor.model.history import Entry, Stream
from auditor.model.outcome import AuditResult
from auditor.model.trend import RunSummary

try:
    from auditor.history.database import Database, opened
    from auditor.history.rows import Rows, streams
except ImportError as error:
    raise MissingPartError(
        f"A history needs '{error.name}', which is not installed.",
        advice='Install it: pip install "entra-auditor[history]"',
    ) from error

T = TypeVar("T")

__all__ = ["Contents", "Fault", "Kept", "Store", "open_store"]


class Contents(Struct, frozen=True, kw_only=True):
    """What a run leaves."""

    snapshot: bytes
    """Canonical JSON, not packed."""
    result: bytes
    """Canonical audit.json without drift and history."""
    taken_at: datetime


class Kept(Struct, frozen=True, kw_only=True):
    """A run as it was kept."""

    entry: Entry
    sha256: str
    """The entry's hash."""
    snapshot: bytes
    result: bytes


class Store:
    """A history, open.

    Args:
        database: where it is.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def streams(self) -> tuple[Stream, ...]:
        """Return what is kept here, in order."""
        with self._database.reading() as connection:
            return streams(connection)

    def entries(self, stream: Stream) -> tuple[Entry, ...]:
        """Return the entries of a stream in order; none for an unknown one.

        Raises:
            InputError: one cannot be read.
        """
        return tuple(map(decoded, self.links(stream)))

    def links(self, stream: Stream) -> tuple[Link, ...]:
        """Return the entries of a stream as they are stored, each with its hash."""
        with self._database.reading() as connection:
            return Rows(connection, stream).links()

    def summaries(self, stream: Stream) -> tuple[RunSummary, ...]:
        """Return every run of a stream in short, in order, the pruned ones too. No snapshot and no result is read.

        Raises:
            InputError: one is gone or was altered.
        """
        return tuple(short.summary for short in self._shorts(stream))

    def found_earlier(self, stream: Stream, number: int) -> frozenset[str]:
        """Return the ids of findings that a run before `number` had and a later one, up to `number`, shows to be gone.

        Raises:
            InputError: a run in short is gone or was altered.
        """
        return frozenset(id_ for short in self._shorts(stream) if short.summary.number <= number for id_ in short.gone)

    def _shorts(self, stream: Stream) -> tuple[Short, ...]:
        with self._database.reading() as connection:
            rows = Rows(connection, stream)
            runs = [(link, entry) for link in rows.links() if (entry := decoded(link)).kind == "run"]
            there = rows.contents({entry.summary_sha256 for _, entry in runs})
        found = []
        for link, entry in runs:
            short = _decoded(_sound(there, entry.summary_sha256, entry), Short)
            summary = replace(short.summary, number=entry.number, sha256=link.sha256)
            found.append(replace(short, summary=summary))
        return tuple(found)

    def run(self, stream: Stream, number: int | None = None) -> Kept | None:
        """Return a run with its contents; None where there is none of that number, or it was pruned.

        Args:
            stream: of which tenant and profile.
            number: which; None: the newest whose contents are there.

        Raises:
            InputError: the run was altered.
        """
        with self._database.reading() as connection:
            return _run(Rows(connection, stream), number)

    def append(self, stream: Stream, build: Callable[[Kept | None], Contents]) -> Kept:
        """Keep a run as the new end of its chain, and return it.

        Args:
            stream: of which tenant and profile.
            build: gets the newest run whose contents are there, and returns what to keep. No other process appends
                to the stream while it runs.

        Raises:
            InputError: the chain is not sound, so nothing is added to it.
            OutputError: the database cannot be written; nothing was kept then.
        """
        with self._database.writing(_lock(stream)) as connection:
            rows = Rows(connection, stream)
            head = self._sound_head(rows, stream)
            previous = _run(rows, None)
            made = build(previous)
            before = _decoded(previous.result, AuditResult) if previous else None
            summary = to_json(shortened(_decoded(made.result, AuditResult), before))
            pieces = {sha256(piece): piece for piece in (made.snapshot, made.result, summary)}
            entry = Entry(
                tenant_id=stream.tenant_id,
                profile=stream.profile,
                number=head.number + 1,
                previous=head.sha256,
                kind="run",
                taken_at=made.taken_at,
                snapshot_sha256=sha256(made.snapshot),
                result_sha256=sha256(made.result),
                summary_sha256=sha256(summary),
            )
            link = linked(entry)
            rows.add(link, {name: to_gzip(piece) for name, piece in pieces.items()})
        return Kept(entry=entry, sha256=link.sha256, snapshot=made.snapshot, result=made.result)

    def prune(self, stream: Stream, numbers: Sequence[int]) -> Entry | None:
        """Take the contents of runs away and say so in the chain; return that entry, None where none was there.

        What another process pruned meanwhile is passed over.

        Raises:
            UsageError: a number is no run, or is the newest whose contents are there.
            InputError: the chain is not sound.
            OutputError: the database cannot be written; nothing was pruned then.
        """
        if not numbers:
            return None
        with self._database.writing(_lock(stream)) as connection:
            rows = Rows(connection, stream)
            head = self._sound_head(rows, stream)
            entries = tuple(map(decoded, rows.links()))
            there = [entry.number for entry in held(entries)]
            may_go = {entry.number for entry in entries if entry.kind == "run"} - set(there[-1:])
            for number in numbers:
                if number not in may_go:
                    raise UsageError(
                        f"Run {number} is the newest, or is not there.",
                        where="history",
                        advice="Name runs that are kept; the newest stays.",
                    )
            gone = tuple(sorted(set(numbers).intersection(there)))
            if not gone:
                return None
            entry = Entry(
                tenant_id=stream.tenant_id,
                profile=stream.profile,
                number=head.number + 1,
                previous=head.sha256,
                kind="pruned",
                pruned=gone,
            )
            rows.remove(contents(entries) - contents((*entries, entry)))
            rows.add(linked(entry), {})
        return entry

    def check(self) -> tuple[Fault, ...]:
        """Return everything in the database that is not as it was written; empty when all is."""
        faults: list[Fault] = []
        with self._database.reading() as connection:
            for stream in streams(connection):
                rows = Rows(connection, stream)
                faults += check(stream, rows.links(), rows.head(), rows.hashes())
        return tuple(faults)

    def noted(self, stream: Stream, *, number: int, head: str) -> tuple[Fault, ...]:
        """Return a fault where entry `number` does not have the hash `head`, which was noted outside."""
        return noted(stream, self.links(stream), number=number, head=head)

    def _sound_head(self, rows: Rows, stream: Stream) -> Head:
        """Return the end of a chain, after a look at all its entries.

        Raises:
            InputError: an entry is not as it was written.
        """
        head = rows.head()
        faults, _ = check_links(stream, rows.links(), head)
        if faults:
            raise InputError(
                f"The chain of this history is broken, so nothing is added to it: {faults[0].text}",
                where=self._database.where,
                advice="Run: entra-audit history verify",
            )
        return head


@contextmanager
def open_store(location: str, *, create: bool = True) -> Iterator[Store]:
    """Yield the history at `location`.

    Args:
        location: `default`, a file, or `postgresql://[USER@]HOST[:PORT]/DATABASE`.
        create: make it where there is none, and refuse one that cannot be written; False: for reading.

    Raises:
        UsageError: the location is none, or holds a password.
        InputError: there is none, it cannot be read, is no history, or of a newer version.
        OutputError: it cannot be written.
        MissingPartError: PostgreSQL's driver is not installed.
    """
    with opened(location, create=create) as database:
        yield Store(database)


def _run(rows: Rows, number: int | None) -> Kept | None:
    links = rows.links()
    entries = tuple(map(decoded, links))
    there = [entry for entry in held(entries) if number in {None, entry.number}]
    if not there:
        return None
    entry = there[-1]
    found = rows.contents({entry.snapshot_sha256, entry.result_sha256})
    return Kept(
        entry=entry,
        sha256=links[entries.index(entry)].sha256,
        snapshot=_sound(found, entry.snapshot_sha256, entry),
        result=_sound(found, entry.result_sha256, entry),
    )


def _sound(found: dict[str, bytes], name: str, entry: Entry) -> bytes:
    """Return the content that an entry names.

    Raises:
        InputError: it is gone, or is not the one that was kept.
    """
    if name not in found or sha256(found[name]) != name:
        raise InputError(
            f"What run {entry.number} kept is gone or was altered.", advice="Run: entra-audit history verify"
        )
    return found[name]


def _decoded(data: bytes, shape: type[T]) -> T:
    """Return what a content holds.

    Raises:
        InputError: another version of this program wrote it, or none did.
    """
    try:
        return msgspec.json.decode(data, type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(
            f"What was kept cannot be read: {error}.",
            advice="Another version of entra-audit may have kept it: take that one, or keep new runs in another place.",
        ) from None


def _lock(stream: Stream) -> str:
    return to_json(stream).decode()
