"""Kept runs: listed, rendered again, pruned, and checked against their chain."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import UNSET, Struct

from auditor.errors import InputError, UsageError
from auditor.model.canonical import to_gzip
from auditor.model.configuration import Retention
from auditor.model.history import Stream
from auditor.model.trend import RunSummary
from auditor.reporters import Reporter
from auditor.workflow.keep import as_reported
from auditor.workflow.run import SNAPSHOT, render
from auditor.workflow.writing import check_folder, write_files

if TYPE_CHECKING:
    from auditor.history.chain import Fault
    from auditor.history.store import Store


class Chosen(Struct, frozen=True, kw_only=True):
    """Which streams of a history are meant; an empty field means every one."""

    tenant_id: str = ""
    profile: str = ""

    def names(self, streams: Sequence[Stream]) -> tuple[Stream, ...]:
        """Return the streams that are meant; none where there is none."""
        return tuple(
            one
            for one in streams
            if self.tenant_id.lower() in {"", one.tenant_id.lower()} and self.profile in {"", one.profile}
        )

    def among(self, streams: Sequence[Stream]) -> tuple[Stream, ...]:
        """Return the streams that are meant.

        Raises:
            UsageError: there is none.
        """
        meant = self.names(streams)
        if streams and not meant:
            raise UsageError("The history holds no such runs.", where="--tenant, --profile", advice=_named(streams))
        return meant

    def one(self, streams: Sequence[Stream]) -> Stream:
        """Return the one stream that is meant.

        Raises:
            UsageError: there are several, or none.
        """
        meant = self.among(streams)
        if len(meant) != 1:
            what = "The history holds runs of several tenants or profiles." if meant else "The history is empty."
            raise UsageError(what, where="--tenant, --profile", advice=_named(meant))
        return meant[0]


class Listed(Struct, frozen=True, kw_only=True):
    """The runs of one stream."""

    stream: Stream
    runs: tuple[RunSummary, ...]
    there: frozenset[int]
    """Numbers of the runs whose contents are there."""
    last: int
    """Number of the last entry."""
    head: str
    """Its hash."""


class Pruned(Struct, frozen=True, kw_only=True):
    """The runs of one stream whose contents went, or may go."""

    stream: Stream
    numbers: tuple[int, ...]
    left: int
    """Runs whose contents stay."""


class Verified(Struct, frozen=True, kw_only=True):
    """What a look at every entry and every content gave."""

    listed: tuple[tuple[Stream, int, str], ...]
    """Stream, number and hash of its last entry."""
    faults: tuple[Fault, ...]


def list_runs(location: str, chosen: Chosen) -> tuple[Listed, ...]:
    """Return what is kept at `location`, in order."""
    from auditor.history.chain import held
    from auditor.history.store import open_store

    with open_store(location, create=False) as store:
        return tuple(
            Listed(
                stream=stream,
                runs=store.summaries(stream),
                there=frozenset(run.number for run in held(store.entries(stream))),
                last=last,
                head=head,
            )
            for stream in chosen.among(store.streams())
            for last, head in (_end(store, stream),)
        )


def show(
    location: str, number: int, chosen: Chosen, *, reporters: Sequence[Reporter], out: Path
) -> tuple[tuple[Path, ...], bool]:
    """Write the reports of a kept run again, and its snapshot.

    Returns:
        The paths, and whether the reports are whole: not, where the run before was pruned since, so that what changed
        can no longer be told.

    Raises:
        UsageError: there is no such run.
        InputError: its contents were pruned, or altered.
    """
    from auditor.history.store import open_store

    check_folder(out)
    with open_store(location, create=False) as store:
        stream = chosen.one(store.streams())
        run = store.run(stream, number)
        if run is None:
            raise _no_run(store, stream, number)
        result = as_reported(store, stream, run)
    whole = result.drift is not UNSET or (result.history is not UNSET and not result.history.previous_run)
    return write_files(out, {SNAPSHOT: to_gzip(run.snapshot), **render(result, reporters)}), whole


def prune(location: str, chosen: Chosen, retention: Retention, *, really: bool) -> tuple[Pruned, ...]:
    """Take the contents of outdated runs away, or only say which would go."""
    from auditor.history.chain import held
    from auditor.history.retention import outdated
    from auditor.history.store import open_store

    gone = []
    with open_store(location, create=False) as store:
        for stream in chosen.among(store.streams()):
            entries = store.entries(stream)
            numbers = outdated(entries, retention)
            if really:
                store.prune(stream, numbers)
            gone.append(Pruned(stream=stream, numbers=numbers, left=len(held(entries)) - len(numbers)))
    return tuple(gone)


def verify(location: str, chosen: Chosen, *, number: int | None = None, head: str = "") -> Verified:
    """Look at every entry and every content, and for the entry `number` with the hash `head` that was noted outside.

    Raises:
        UsageError: a noted hash, and several streams to look for it in.
    """
    from auditor.history.store import open_store

    with open_store(location, create=False) as store:
        streams = store.streams()
        if number is not None and not chosen.names(streams):
            # Of the run that was noted nothing is left: that is what the noted hash is to show.
            streams = (Stream(tenant_id=chosen.tenant_id, profile=chosen.profile),)
        meant = chosen.among(streams)
        faults = tuple(fault for fault in store.check() if fault.stream in meant)
        if number is not None:
            faults += store.noted(chosen.one(meant), number=number, head=head.lower())
        return Verified(listed=tuple((stream, *_end(store, stream)) for stream in meant), faults=faults)


def _end(store: Store, stream: Stream) -> tuple[int, str]:
    links = store.links(stream)
    return (links[-1].number, links[-1].sha256) if links else (0, "")


def _no_run(store: Store, stream: Stream, number: int) -> UsageError | InputError:
    if any(entry.number == number and entry.kind == "run" for entry in store.entries(stream)):
        return InputError(
            f"The contents of run {number} were pruned.", advice="What is left of it: entra-audit history list"
        )
    return UsageError(f"There is no run {number}.", where="history", advice="See: entra-audit history list")


def _named(streams: Sequence[Stream]) -> str:
    named = "; ".join(f"--tenant {one.tenant_id} --profile {one.profile}" for one in streams)
    return f"Name one of: {named}." if named else "Keep runs in it first: entra-audit run --history LOCATION"
