"""Tables from strangers: measured before they are opened, and an error that a user can act on, whatever they hold."""

from __future__ import annotations

import io
import random
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from openpyxl import Workbook

from auditor.errors import AuditorError, InputError
from auditor.workflow.attest_files import ROWS, UNPACKED, Row, read_table

HEAD = '<?xml version="1.0"?><worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'


def workbook(*rows: tuple[str | float | bool | None, ...]) -> bytes:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "t"
    for row in (("a", "b"), *rows):
        sheet.append(row)
    data = io.BytesIO()
    book.save(data)
    return data.getvalue()


def rebuilt(data: bytes, **members: bytes) -> bytes:
    """Return a workbook with other contents in some of its members, named with _ for / and without their ending."""
    to = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(to, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, members.get(name.removesuffix(".xml").replace("/", "_"), old.read(name)))
    return to.getvalue()


def sheet(body: bytes) -> bytes:
    return rebuilt(workbook(), xl_worksheets_sheet1=HEAD.encode() + body + b"</sheetData></worksheet>")


def opened(tmp_path: Path, data: bytes) -> tuple[Row, ...]:
    path = tmp_path / "table"
    path.write_bytes(data)
    return read_table(path, columns=("a", "b"), sheet="t")


def test_values_become_text(tmp_path: Path) -> None:
    """Whole numbers without a point, yes and no in words; blank rows are none, and numbers those of the sheet."""
    rows = opened(tmp_path, workbook((1.0, True), (None, None), (1.5, "x")))
    assert [(row.number, row.cells) for row in rows] == [(2, {"a": "1", "b": "True"}), (4, {"a": "1.5", "b": "x"})]
    assert rows[0].place == f"{tmp_path / 'table'}, sheet t, row 2"


def test_a_short_or_long_line_of_csv_shifts_nothing(tmp_path: Path) -> None:
    short, long = opened(tmp_path, b"a,b\r\n1\r\n1,2,3\r\n")
    assert short.cells == {"a": "1", "b": ""}
    assert (long.cells, long.refused) == ({"a": "1", "b": "2"}, ("column 3",))


NONE: dict[str, tuple[Callable[[], bytes], str]] = {
    "password": (lambda: b"\xd0\xcf\x11\xe0" + b"\0" * 600, "protected by a password"),
    "no archive": (lambda: b"PK\x03\x04 and no more", "damaged"),
    "cut": (lambda: workbook()[:-30], "damaged"),
    "other bytes": (lambda: b"\x81\x82\x83", "neither a workbook nor"),
    "open quote": (lambda: b'a,b\n"1', "This is not CSV"),
    "rows": (lambda: b"a,b\n" + b"1,2\n" * (ROWS + 1), f"over {ROWS:,} rows"),
    "large": (lambda: b"x" * (17 << 20), "too large"),
    "nothing": (lambda: b"", "empty"),
    "cells": (lambda: sheet(b"<row>" + b"<c/>" * 1_000_001 + b"</row>"), "too large"),
    "bomb": (lambda: rebuilt(workbook(), xl_theme_theme1=b"x" * (UNPACKED + 1)), "too large"),
    "entities": (
        lambda: rebuilt(workbook(), xl_workbook=b"<!DOCTYPE x [<!ENTITY e 'x'>]><x>&e;</x>"),
        "no spreadsheet writes",
    ),
    "wide letters": (
        lambda: rebuilt(workbook(), xl_workbook="<?xml version='1.0'?><x/>".encode("utf-16")),
        "no spreadsheet writes",
    ),
    "broken": (lambda: rebuilt(workbook(), xl_workbook=b"<x"), "cannot be read"),
    "far row": (lambda: sheet(b'<row r="99999999999"><c r="A1" t="str"><v>7</v></c></row>'), "empty"),
    "no such text": (lambda: sheet(b'<row r="1"><c r="A1" t="s"><v>7</v></c></row>'), "cannot be read"),
    "no number": (lambda: sheet(b'<row r="1"><c r="A1" t="n"><v>x</v></c></row>'), "cannot be read"),
}


@pytest.mark.parametrize("what", NONE)
def test_what_is_no_table_is_an_error(tmp_path: Path, what: str) -> None:
    data, says = NONE[what]
    with pytest.raises(InputError) as error:
        opened(tmp_path, data())
    assert says in str(error.value)
    assert str(tmp_path / "table") in str(error.value)


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_table(tmp_path / "none", columns=("a",), sheet="t")


@pytest.mark.parametrize("seed", range(24))
def test_a_damaged_workbook_never_fails_otherwise(tmp_path: Path, seed: int) -> None:
    """Bytes flipped in a member, or in the archive itself: rows come out, or an error that says where."""
    chance = random.Random(seed)
    data = bytearray(workbook(("one", 2), ("three", 4)))
    if seed % 2:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            name = chance.choice(archive.namelist())
            content = bytearray(archive.read(name))
        for _ in range(3):
            content[chance.randrange(len(content))] = chance.randrange(256)
        data = bytearray(rebuilt(bytes(data), **{name.removesuffix(".xml").replace("/", "_"): bytes(content)}))
    else:
        for _ in range(3):
            data[chance.randrange(len(data))] = chance.randrange(256)
    try:
        rows = opened(tmp_path, bytes(data))
    except AuditorError as error:
        assert str(tmp_path / "table") in str(error)  # noqa: PT017 - both ends are right
    else:
        assert all(isinstance(row, Row) for row in rows)
