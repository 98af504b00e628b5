"""For how many people the vendor's e-mail address is not the user principal name, from the vendor's export of users."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from msgspec import Struct

from auditor.errors import InputError

MAX_BYTES = 256 << 20
EMAIL_COLUMNS = ("email", "emailaddress", "useremail", "zoomemail", "mail")
UPN_COLUMNS = ("upn", "userprincipalname", "ssoid", "loginid")
"""Column names without case, blanks and punctuation."""


class ZoomUsers(Struct, frozen=True, kw_only=True):
    """What an export of users says; numbers of people, and nobody's name."""

    total: int
    """Rows that hold anything; at least one."""
    unequal: int
    """People of whom the file does not show that the e-mail address is the user principal name, whatever its case."""
    not_comparable: int
    """Those among them without an e-mail address or, where the file's own column is compared, without a user principal
    name."""
    compared_with: str
    """What the addresses were compared with: the tenant's user principal names, or a column of the file."""


def count_unequal(path: Path, upns: Iterable[str] | None) -> ZoomUsers:
    """Count the people in a CSV export whose e-mail address is not their user principal name.

    Comma, semicolon and tab are read, in UTF-8 or UTF-16. Columns are found by name: `Email`, `E-mail` or
    `Email Address`, and `UPN`, `User Principal Name` or `SSO ID`.

    Args:
        path: the export.
        upns: every user principal name of the tenant; with it an address that is nobody's counts as unequal. None:
            the file's own column is compared, row by row.

    Raises:
        InputError: the file cannot be read, is no CSV, lacks a column, or lists nobody.
    """
    rows = _rows(path)
    header = next(rows, [])
    names = [re.sub(r"[\W_]", "", name).lower() for name in header]
    email = _column(names, EMAIL_COLUMNS)
    own = _column(names, UPN_COLUMNS)
    if email is None:
        raise _lacks(path, header, "e-mail addresses", "Email")
    if upns is None and own is None:
        raise _lacks(path, header, "user principal names", "User Principal Name")
    known = None if upns is None else frozenset(_folded(upn) for upn in upns)
    total = unequal = not_comparable = 0
    for row in rows:
        if not any(cell.strip() for cell in row):
            continue
        total += 1
        address = _folded(row[email]) if email < len(row) else ""
        upn = _folded(row[own]) if own is not None and own < len(row) else ""
        if not address or (known is None and not upn):
            not_comparable += 1
        if not address or (address not in known if known is not None else address != upn):
            unequal += 1
    where = (
        f"the column '{header[own].strip()}'"
        if known is None and own is not None
        else "the tenant's user principal names"
    )
    if not total:
        raise InputError("The file lists nobody.", where=str(path), advice="Export the users again, with their rows.")
    return ZoomUsers(total=total, unequal=unequal, not_comparable=not_comparable, compared_with=where)


def _rows(path: Path) -> Iterator[list[str]]:
    text = _text(path)
    first = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)
    try:
        yield from csv.reader(text.splitlines(keepends=True), delimiter=delimiter, strict=True)
    except csv.Error as error:
        raise InputError(
            f"The file is not CSV: {error}.", where=str(path), advice="Export the users again as CSV."
        ) from error


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InputError(
            f"The file cannot be read: {error.strerror}.",
            where=str(path),
            advice="Check its name and your access to it.",
        ) from error
    if len(data) > MAX_BYTES:
        raise InputError(f"The file is larger than {MAX_BYTES >> 20} MiB.", where=str(path), advice="Split it.")
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise InputError(
            "The file is neither UTF-8 nor UTF-16 text.", where=str(path), advice="Save it as CSV UTF-8."
        ) from error


def _column(names: list[str], wanted: tuple[str, ...]) -> int | None:
    return next((names.index(name) for name in wanted if name in names), None)


def _lacks(path: Path, header: list[str], what: str, name: str) -> InputError:
    there = ", ".join(cell.strip()[:40] for cell in header[:20]) or "nothing"
    return InputError(
        f"The file has no column of {what}; its first line names {there}.",
        where=f"{path}:1",
        advice=f"Name one column '{name}', or export the users again with it.",
    )


def _folded(text: str) -> str:
    return text.strip().casefold()
