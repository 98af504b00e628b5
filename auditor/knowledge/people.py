"""For how many people the vendor's e-mail address is not the user principal name, from the vendor's export of users."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TextIO

from msgspec import Struct

from auditor.errors import InputError
from auditor.model.text import encoding_of

MAX_BYTES = 256 << 20
MAX_LINE = 1 << 20
"""Characters; a longer line is no row of a person."""
EMAIL_COLUMNS = ("email", "emailaddress", "useremail", "zoomemail", "mail")
UPN_COLUMNS = ("upn", "userprincipalname", "ssoid", "loginid")
"""Column names without case, blanks and punctuation."""


class ZoomUsers(Struct, frozen=True, kw_only=True):
    """What an export of users says; numbers of people, and nobody's name.

    Rows = people + repeated rows; empty rows are none.
    """

    total: int
    """People: a row without an e-mail address is one, and rows with the same address are one; at least one."""
    repeated: int
    """Further rows of people who stand in the file already."""
    unequal: int
    """People of whom the file does not show that the e-mail address is the user principal name, whatever its case; of
    somebody with several rows each must show it."""
    not_comparable: int
    """Those among them of whom a row is without an e-mail address, is longer than the first line or, where the file's
    own column is compared, is without a user principal name."""
    compared_with: str
    """What the addresses were compared with: the tenant's user principal names, or a column of the file."""


class _Person(Struct):
    equal: bool = True
    comparable: bool = True


class _Columns(Struct, frozen=True, kw_only=True):
    email: int
    own: int | None
    width: int


def count_unequal(path: Path, upns: Iterable[str] | None) -> ZoomUsers:
    """Count the people in a CSV export whose e-mail address is not their user principal name.

    Comma, semicolon and tab are read, in UTF-8 or UTF-16. Columns are found by name: `Email`, `E-mail` or
    `Email Address`, and `UPN`, `User Principal Name` or `SSO ID`.

    Args:
        path: the export.
        upns: every user principal name of the tenant; with it an address that is nobody's counts as unequal. None:
            the file's own column is compared, row by row.

    Raises:
        InputError: the file cannot be read, is no CSV, lacks a column or has it twice, or lists nobody.
    """
    known = None if upns is None else frozenset(_folded(upn) for upn in upns)
    people: dict[str | int, _Person] = {}
    number = 0
    with closing(_rows(path)) as rows:
        header = next(rows, [])
        columns = _columns(path, header, needs_own=known is None)
        for row in rows:
            if any(cell.strip() for cell in row):
                number += 1
                _judge(people, row, number, columns, known)
    if not number:
        raise InputError("The file lists nobody.", where=str(path), advice="Export the users again, with their rows.")
    own = header[columns.own].strip() if known is None and columns.own is not None else ""
    return ZoomUsers(
        total=len(people),
        repeated=number - len(people),
        unequal=sum(not person.equal for person in people.values()),
        not_comparable=sum(not person.comparable for person in people.values()),
        compared_with=f"the column '{own}'" if own else "the tenant's user principal names",
    )


def _judge(
    people: dict[str | int, _Person], row: list[str], number: int, columns: _Columns, known: frozenset[str] | None
) -> None:
    """Note what one row says of its person, who is told by the address or, without one, by the row's number."""
    address = _cell(row, columns.email)
    upn = _cell(row, columns.own)
    person = people.setdefault(address or number, _Person())
    shifted = any(cell.strip() for cell in row[columns.width :])
    if shifted or not address or (known is None and not upn):
        person.equal = person.comparable = False
    elif (address not in known) if known is not None else address != upn:
        person.equal = False


def _rows(path: Path) -> Generator[list[str]]:
    try:
        with path.open("rb") as file:
            encoding = encoding_of(file.read(2))
            size = file.seek(0, os.SEEK_END)
        if size > MAX_BYTES:
            raise InputError(f"The file is larger than {MAX_BYTES >> 20} MiB.", where=str(path), advice="Split it.")
        with path.open(encoding=encoding, newline="") as text:
            delimiter = max(",;\t", key=text.readline(MAX_LINE).count)
            text.seek(0)
            yield from csv.reader(_lines(text, path), delimiter=delimiter, strict=True)
    except OSError as error:
        raise InputError(
            f"The file cannot be read: {error.strerror}.",
            where=str(path),
            advice="Check its name and your access to it.",
        ) from error
    except UnicodeError as error:
        raise InputError(
            "The file is neither UTF-8 nor UTF-16 text.", where=str(path), advice="Save it as CSV UTF-8."
        ) from error
    except csv.Error as error:
        raise InputError(
            f"The file is not CSV: {error}.", where=str(path), advice="Export the users again as CSV."
        ) from error


def _lines(text: TextIO, path: Path) -> Iterator[str]:
    while line := text.readline(MAX_LINE + 1):
        if len(line) > MAX_LINE:
            raise InputError(
                f"A line is longer than {MAX_LINE:,} characters.",
                where=str(path),
                advice="Export the users again as CSV.",
            )
        yield line


def _columns(path: Path, header: list[str], *, needs_own: bool) -> _Columns:
    """Return where the first line has the two columns; of different names for the second, UPN_COLUMNS has the order."""
    names = [re.sub(r"[\W_]", "", name).lower() for name in header]
    first = next((name for name in UPN_COLUMNS if name in names), "")
    email = _only(path, header, [n for n, name in enumerate(names) if name in EMAIL_COLUMNS], "e-mail addresses")
    own = _only(path, header, [n for n, name in enumerate(names) if name == first], "user principal names")
    if email is None:
        raise _lacks(path, header, "e-mail addresses", "Email")
    if needs_own and own is None:
        raise _lacks(path, header, "user principal names", "User Principal Name")
    return _Columns(email=email, own=own, width=len(header))


def _only(path: Path, header: list[str], found: list[int], what: str) -> int | None:
    if len(found) > 1:
        columns = " and ".join(f"'{header[n].strip()[:40]}'" for n in found[:5])
        raise InputError(
            f"The file has {len(found)} columns of {what}: {columns}.",
            where=f"{path}:1",
            advice="Leave the one that is meant, and give the others another name.",
        )
    return found[0] if found else None


def _lacks(path: Path, header: list[str], what: str, name: str) -> InputError:
    there = ", ".join(cell.strip()[:40] for cell in header[:20]) or "nothing"
    return InputError(
        f"The file has no column of {what}; its first line names {there}.",
        where=f"{path}:1",
        advice=f"Name one column '{name}', or export the users again with it.",
    )


def _cell(row: list[str], column: int | None) -> str:
    return _folded(row[column]) if column is not None and column < len(row) else ""


def _folded(text: str) -> str:
    return text.strip().casefold()
