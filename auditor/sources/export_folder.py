"""A folder of saved Graph answers: which files it holds, and the items and pages that each one carries."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import msgspec
from msgspec import Struct

from auditor.errors import InputError
from auditor.sources.export_text import Json, Text, read_text
from auditor.sources.files import MIB, read, shown

LIMIT = 512 * MIB
"""Bytes of one file, packed and unpacked, above which it is refused."""
_SUFFIXES = (".json", ".jsonl", ".ndjson")
_DEPTH = 4
"""Folders below this depth hold no Graph path that is read."""
_LAST_SECOND = 253402300799
"""31 December 9999, the last day that a date can hold."""
_CUT = "ConvertTo-Json left out values below its depth: save it again with -Depth 10"
_NEXT = ("@odata.nextLink", "odataNextLink", "nextLink")


class Answer(Struct, frozen=True, kw_only=True):
    """What one file says; `items` are as they stand in it, and who decodes them rejects the unreadable."""

    file: str
    items: tuple[Json, ...]
    pages: int
    gaps: tuple[str, ...] = ()
    """Reasons why there may be more items than these."""
    errors: tuple[str, ...] = ()
    """Graph's error bodies, as `code: message`."""
    faults: tuple[str, ...] = ()
    """Rows that are no items: lines that are not JSON, pages without a list."""
    count: int | None = None
    """Graph's own count of the items (`@odata.count`)."""
    powershell: bool = False


class Folder:
    """The files of an export, found by Graph path without regard to case; links are not followed.

    Raises:
        InputError: the folder cannot be listed.
    """

    def __init__(self, root: Path, *, where: str) -> None:
        self._where = where
        self._files: dict[str, list[tuple[Path, float]]] = {}
        self._names: dict[str, str] = {}
        self.remarks: list[str] = []
        """What was found and not taken, one sentence each."""
        self.newest = datetime.fromtimestamp(0, UTC)
        """The time of the newest file read so far, in whole seconds UTC; 1970 before the first one."""
        try:
            self._list(root, "")
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "no valid name"
            raise InputError(
                f"The folder cannot be read: {reason}.",
                where=where,
                advice="Give a folder that holds saved Graph answers, servicePrincipals.json among them.",
            ) from None

    def paths(self) -> tuple[str, ...]:
        """Return the Graph path of every file, lower case and sorted."""
        return tuple(sorted(self._files))

    def has(self, path: str) -> bool:
        """Tell whether there is a file for a Graph path."""
        return path.lower() in self._files

    def name(self, path: str) -> str:
        """Return how the file of a Graph path is written in the folder, fit for a message."""
        return shown(self._names[path])

    def answer(self, path: str) -> Answer | None:
        """Return what the file of a Graph path says; None where there is none.

        Raises:
            InputError: unreadable, too large, or two files for the same path.
        """
        found = self._files.get(path.lower(), [])
        if not found:
            return None
        file = self.name(path.lower())
        if len(found) > 1:
            raise InputError(
                f"Two files hold the answer to {shown(path)}.",
                where=file,
                advice="Leave the newer one in the folder.",
            )
        [(place, modified)] = found
        text = read_text(read(place, where=file, limit=LIMIT), where=file)
        self._see(modified)
        if text.pascal:
            self.remarks.append(f"{file}: written from PowerShell objects; a null there is taken as not known.")
        return _answer(text, file)

    def _see(self, modified: float) -> None:
        time = datetime.fromtimestamp(int(min(max(modified, 0), _LAST_SECOND)), UTC)
        self.newest = max(self.newest, time)

    def _list(self, folder: Path, prefix: str, depth: int = 1) -> None:
        with os.scandir(folder) as entries:
            for entry in sorted(entries, key=lambda e: e.name):
                name = prefix + entry.name
                if entry.is_symlink():
                    self.remarks.append(f"{shown(name)}: a link, which is not followed.")
                elif entry.is_dir(follow_symlinks=False) and depth < _DEPTH:
                    self._list(Path(entry.path), f"{name}/", depth + 1)
                elif not entry.is_file(follow_symlinks=False):
                    self.remarks.append(f"{shown(name)}: no file, or a folder too deep; it is not read.")
                else:
                    self._add(Path(entry.path), name, entry.stat(follow_symlinks=False).st_mtime)

    def _add(self, file: Path, name: str, modified: float) -> None:
        stem = name.lower().removesuffix(".gz")
        path = next((stem.removesuffix(s) for s in _SUFFIXES if stem.endswith(s)), name.lower())
        self._files.setdefault(path, []).append((file, modified))
        self._names.setdefault(path, name)


def _answer(text: Text, file: str) -> Answer:
    items: list[Json] = []
    pages: list[Mapping[str, Json]] = []
    faults = list(text.faults)
    for value in text.values:
        for element in value if isinstance(value, list) else [value]:
            if not _is_page(element):
                items.append(element)
                continue
            page = cast("Mapping[str, Json]", element)
            held = page.get("value")
            pages.append(page)
            if isinstance(held, list | dict):
                items.extend(held if isinstance(held, list) else [held])
            elif page.get("error") is None:
                faults.append(f"page {len(pages)}: its value is no list")
    counts = [c for c in (page.get("@odata.count") for page in pages) if type(c) is int]
    gaps = [*_gaps(pages), *([_CUT] if text.cut else [])]
    return Answer(
        file=file,
        items=tuple(items),
        pages=max(1, len(pages)),
        gaps=tuple(gaps),
        errors=tuple(_error(e) for page in pages if (e := page.get("error")) is not None),
        faults=tuple(faults),
        count=max(counts) if counts else None,
        powershell=text.pascal or text.cut,
    )


def _is_page(value: Json) -> bool:
    """Tell a response from an item: an item may have a `value`, but as text."""
    if not isinstance(value, dict):
        return False
    return value.get("error") is not None or ("value" in value and not isinstance(value["value"], str))


def _gaps(pages: list[Mapping[str, Json]]) -> list[str]:
    """Return why pages may be missing: saved pages do not say their own address, so nextLinks are counted.

    Of a whole answer every page but the last has a nextLink, and no two have the same, in whatever order they
    stand. The same page saved twice is no gap.
    """
    links = [link for page in pages if (link := _link(page))]
    if len(set(links)) < len(links):
        pages = list({msgspec.json.encode(page, order="sorted"): page for page in pages}.values())
        links = [link for page in pages if (link := _link(page))]
        if len(set(links)) < len(links):
            return ["two different pages have the same nextLink"]
    if len(links) >= len(pages) > 0:
        return ["the nextLink of its last page leads nowhere: pages are missing"]
    return []


def _link(page: Mapping[str, Json]) -> str:
    return next((str(page[name]) for name in _NEXT if page.get(name)), "")


def _error(error: Json) -> str:
    if not isinstance(error, dict):
        return shown(str(error))
    code, message = (str(error.get(name) or "") for name in ("code", "message"))
    return shown(": ".join(part for part in (code, message) if part) or "an error without a code", limit=300)
