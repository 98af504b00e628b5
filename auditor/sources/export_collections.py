"""From a saved answer to a `Collected`: every row is an item, a repetition, or rejected with its reason."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Generic, TypeVar, cast

import msgspec
from msgspec import Struct

from auditor.errors import InputError
from auditor.model.snapshot import Collected, Complete, Partial, Unavailable
from auditor.sources.export_folder import Answer, Folder
from auditor.sources.files import shown

T = TypeVar("T")
_TOLD = 5
"""Rejected rows that are told one by one; further ones are counted."""


class Rows(Struct, Generic[T], frozen=True, kw_only=True):
    """The rows of an answer: rows = items + repeated + rejected."""

    items: tuple[T, ...]
    repeated: int
    rejected: tuple[str, ...]
    """File, index and reason of each row that could not be read."""


class Saved(Struct, Generic[T], frozen=True, kw_only=True):
    """A kind of saved answer: where it stands, which Graph call gives it, and how its items are read."""

    path: str
    """The Graph path, which is the file's name without its ending."""
    call: str
    """The GET that answers it: `GET /v1.0/organization`."""
    decode: Callable[[Mapping[str, object]], T]
    key: Callable[[T], str]
    """What tells items apart; two rows with one key and one content are one item."""
    refuse: Callable[[T], str] = lambda _: ""
    """Why an item that can be read does not belong here; empty when it does."""

    @property
    def opens(self) -> str:
        """Return what to do to have this answer in the export."""
        return f"Save {shown(self.call)} as {shown(self.path)}.json."


def saved_answer(folder: Folder, kind: Saved[T]) -> Answer | Unavailable:
    """Return what the export holds of a kind; Unavailable where there is no file, or only an error in it."""
    try:
        answer = folder.answer(kind.path)
    except InputError as error:
        return Unavailable(why=f"{error.where}: {error.what}", opens=kind.opens)
    if answer is None:
        return Unavailable(why=f"The export has no file {shown(kind.path)}.json.", opens=kind.opens)
    if answer.errors and not answer.items:
        why = f"{answer.file}: Microsoft Graph answered {answer.errors[0]}"
        return Unavailable(why=why, opens=f"An account that may read it. {kind.opens}")
    return answer


def collect(folder: Folder, kind: Saved[T]) -> Collected[T]:
    """Return the items of one saved answer, and how completely they were read.

    A row that was rejected, a page that is missing or a count that is not reached makes it Partial.
    """
    answer = saved_answer(folder, kind)
    return answer if isinstance(answer, Unavailable) else collected(answer, rows(answer, kind))


def rows(answer: Answer, kind: Saved[T]) -> Rows[T]:
    """Return every row of an answer as an item, a repetition or a rejection."""
    found: dict[str, T] = {}
    repeated = 0
    rejected: list[str] = []
    for index, raw in enumerate(answer.items):
        try:
            item = kind.decode(cast("Mapping[str, object]", _object(raw)))
            reason = kind.refuse(item)
            if not reason and found.setdefault(kind.key(item), item) is not item:
                if found[kind.key(item)] == item:
                    repeated += 1
                else:
                    reason = "it differs from an earlier item with the same id"
        except (msgspec.ValidationError, RecursionError) as error:
            reason = shown(str(error))
        if reason:
            rejected.append(f"{answer.file}, item {index}: {reason}")
    faults = (f"{answer.file}, {fault}" for fault in answer.faults)
    return Rows(items=tuple(found.values()), repeated=repeated, rejected=(*rejected, *faults))


def collected(answer: Answer, read: Rows[T]) -> Collected[T]:
    """Return the items of an answer as Complete, or as Partial with every reason."""
    reasons = [f"{answer.file}: {gap}" for gap in answer.gaps]
    reasons += [f"{answer.file}: Microsoft Graph answered {error}" for error in answer.errors]
    if read.rejected:
        total = len(read.items) + read.repeated + len(read.rejected)
        reasons.append(f"{len(read.rejected)} of {total} rows could not be read: {_told(read.rejected)}")
    if answer.count is not None and answer.count > len(read.items) and not reasons:
        reasons.append(f"{answer.file}: Microsoft Graph counted {answer.count}, the file holds {len(read.items)}")
    faults = (f"{answer.file}: {read.repeated} repeated rows, taken once",) if read.repeated else ()
    if reasons:
        return Partial(items=read.items, why="; ".join(reasons), pages=answer.pages, faults=faults)
    return Complete(items=read.items, pages=answer.pages, faults=faults)


def _object(raw: object) -> object:
    if not isinstance(raw, dict):
        raise msgspec.ValidationError("Expected `object`")
    return raw


def _told(rejected: tuple[str, ...]) -> str:
    more = len(rejected) - _TOLD
    return "; ".join(rejected[:_TOLD]) + (f"; and {more} more" if more > 0 else "")
