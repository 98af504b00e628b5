"""The chain of a stream: each entry holds the hash of the one before, and the hashes of what its run left.

Pure: no database here. What is found: entries and contents that were altered, removed, inserted, swapped or doubled.
What cannot be found without a hash noted elsewhere: a tail that was cut by somebody who also wrote the head anew, and
a chain that was written anew from the altered entry on. `noted` compares with such a hash.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

import msgspec
from msgspec import Struct

from auditor.errors import InputError
from auditor.model.canonical import sha256, to_json
from auditor.model.history import FIRST, SCHEMA, VERSION, Entry, Stream

What = Literal["entry", "order", "head", "content", "missing", "stray", "noted"]
"""`entry`: altered or unreadable; `order`: one was removed, inserted, swapped or doubled; `head`: the chain does not
end where the database says; `content`: altered; `missing`: gone without having been pruned; `stray`: belongs to no
run, or to one that was pruned; `noted`: not the entry that was noted elsewhere."""


class Link(Struct, frozen=True, kw_only=True):
    """An entry as it is stored."""

    number: int
    """Under which it is stored."""
    data: bytes
    """Its canonical JSON."""

    @property
    def sha256(self) -> str:
        """The entry's hash."""
        return sha256(self.data)


class Head(Struct, frozen=True, kw_only=True):
    """Where a chain ends."""

    number: int = 0
    """0: before the first entry."""
    sha256: str = FIRST


class Fault(Struct, frozen=True, kw_only=True):
    """Something that is not as it was written."""

    stream: Stream
    number: int
    """Of the entry; 0 for the chain as a whole."""
    what: What
    text: str


def linked(entry: Entry) -> Link:
    """Return an entry as it is to be stored."""
    return Link(number=entry.number, data=to_json(entry))


def decoded(link: Link) -> Entry:
    """Return the entry of a link.

    Raises:
        InputError: it is none, or of a newer version.
    """
    try:
        entry = msgspec.json.decode(link.data, type=Entry)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _unreadable(f"Entry {link.number} cannot be read: {error}.") from None
    if entry.schema != SCHEMA or entry.version != VERSION:
        raise _unreadable(f"Entry {link.number} is of another version of this program.")
    return entry


def held(entries: Sequence[Entry]) -> tuple[Entry, ...]:
    """Return the runs whose contents were not pruned, in order."""
    gone = {number for entry in entries for number in entry.pruned}
    return tuple(entry for entry in entries if entry.kind == "run" and entry.number not in gone)


def contents(entries: Sequence[Entry]) -> frozenset[str]:
    """Return the hashes of all contents that have to be there."""
    whole = {name for entry in held(entries) for name in (entry.snapshot_sha256, entry.result_sha256)}
    return frozenset(whole | {entry.summary_sha256 for entry in entries if entry.kind == "run"})


def check(stream: Stream, links: Sequence[Link], head: Head, found: Mapping[str, str]) -> tuple[Fault, ...]:
    """Return everything that is wrong with a stream.

    Args:
        stream: which one.
        links: its entries, in the order of their numbers.
        head: where the database says that the chain ends.
        found: name of each stored content to the SHA-256 of what is stored under it; empty where it is unreadable.
    """
    if not links and not found and head == Head():
        text = "Its rows do not say in plain text which tenant or profile they are of."
        return (Fault(stream=stream, number=0, what="entry", text=text),)
    faults, entries = check_links(stream, links, head)
    return (*faults, *_check_contents(stream, entries, found))


def check_links(stream: Stream, links: Sequence[Link], head: Head) -> tuple[tuple[Fault, ...], tuple[Entry, ...]]:
    """Return what is wrong with the entries alone, and those that can be read."""
    faults: list[Fault] = []
    entries: list[Entry] = []
    before = Head()
    for link in links:
        entry = _entry(link)
        wrong = _wrong(stream, link, entry, before)
        faults += [Fault(stream=stream, number=link.number, what=what, text=text) for what, text in wrong]
        if entry is not None:
            faults += [
                Fault(stream=stream, number=link.number, what="entry", text=text)
                for text in _wrongly_pruned(entry, entries)
            ]
            entries.append(entry)
        before = Head(number=link.number, sha256=link.sha256)
    if before != head:
        text = (
            f"The chain ends with entry {before.number} ({before.sha256[:12]}), and the database says with "
            f"{head.number} ({head.sha256[:12]})."
        )
        faults.append(Fault(stream=stream, number=0, what="head", text=text))
    return tuple(faults), tuple(entries)


def noted(stream: Stream, links: Sequence[Link], *, number: int, head: str) -> tuple[Fault, ...]:
    """Return a fault where entry `number` is gone, or is not the one whose hash was noted."""
    known = [link.sha256 for link in links if link.number == number]
    if known == [head]:
        return ()
    text = f"Entry {number} has the hash {known[0][:12]}, not {head[:12]}." if known else f"Entry {number} is gone."
    return (Fault(stream=stream, number=number, what="noted", text=text),)


def _entry(link: Link) -> Entry | None:
    try:
        return decoded(link)
    except InputError:
        return None


def _wrong(stream: Stream, link: Link, entry: Entry | None, before: Head) -> Iterator[tuple[What, str]]:
    if link.number != before.number + 1:
        yield "order", f"Entry {link.number} follows entry {before.number}."
    if entry is None:
        yield "entry", f"Entry {link.number} cannot be read."
        return
    if entry.number != link.number:
        yield "order", f"Entry {entry.number} stands in the place of entry {link.number}."
    if (entry.tenant_id, entry.profile) != (stream.tenant_id, stream.profile):
        yield "order", f"Entry {link.number} belongs to another tenant or profile."
    if entry.previous != before.sha256:
        yield "order", f"Entry {link.number} does not follow the entry {before.number} that stands before it."


def _wrongly_pruned(entry: Entry, before: Sequence[Entry]) -> Iterator[str]:
    there = {run.number for run in held(before)} if entry.pruned else frozenset()
    for number in entry.pruned:
        if number not in there:
            yield f"Entry {entry.number} says that run {number} was pruned, which was not there then."


def _check_contents(stream: Stream, entries: Sequence[Entry], found: Mapping[str, str]) -> Iterator[Fault]:
    wanted = contents(entries)
    for name in sorted(wanted | found.keys()):
        text: str = ""
        what: What = "content"
        if name not in found:
            what, text = "missing", f"Content {name[:12]} is gone and was not pruned."
        elif name not in wanted:
            what, text = "stray", f"Content {name[:12]} belongs to no run that is kept."
        elif found[name] != name:
            text = f"Content {name[:12]} was altered."
        if text:
            yield Fault(stream=stream, number=_number(entries, name), what=what, text=text)


def _number(entries: Sequence[Entry], name: str) -> int:
    """Return the first run that names a content; 0 for none."""
    named = (e.number for e in entries if name in {e.snapshot_sha256, e.result_sha256, e.summary_sha256})
    return next(named, 0)


def _unreadable(what: str) -> InputError:
    return InputError(what, advice="Run: entra-audit history verify")
