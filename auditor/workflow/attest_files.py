"""Tables that come back from people: XLSX and CSV, read within bounds, every value as text.

A workbook is somebody else's file: it is measured before it is opened, nothing in it is calculated, and a cell that
holds a formula is refused.
"""

from __future__ import annotations

import csv
import io
import re
import warnings
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from datetime import date, datetime, time
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from xml.etree.ElementTree import ParseError

from msgspec import Struct

from auditor.errors import InputError, MissingPartError
from auditor.model.text import encoding_of
from auditor.sources.files import MIB, named, read, shown

LIMIT = 16 * MIB
"""Bytes of a file above which it is refused."""
UNPACKED = 32 * MIB
"""Bytes of everything in a workbook."""
MARKS = 1_000_000
"""Cells, rows and texts of a workbook."""
ROWS = 20_000
"""Rows of a table."""
_MEMBERS = 1_000
_WIDEST, _LONGEST = 64, 100_000
"""Columns and rows of a sheet that are looked at."""
_MARK = re.compile(rb"<(?:[\w.-]+:)?(?:c|row|si|r|t)[\s/>]")
_DECLARED = re.compile(rb"<!(DOCTYPE|ENTITY)", re.IGNORECASE)
_ESCAPE = re.compile("_x([0-9A-Fa-f]{4})_")
_ZIP, _OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"
_BROKEN = (
    AttributeError, EOFError, IndexError, KeyError, NotImplementedError, OSError, OverflowError, ParseError,
    RuntimeError, TypeError, ValueError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip
"""What openpyxl and what it stands on raise for a workbook that is none."""
_DAMAGED = "Save it again as .xlsx, or give the CSV."


class Row(Struct, frozen=True, kw_only=True):
    """One row of a table."""

    file: str
    sheet: str
    """Empty for CSV."""
    number: int
    """As a spreadsheet numbers it: the header is 1."""
    cells: dict[str, str]
    """Column to text; days as YYYY-MM-DD."""
    refused: tuple[str, ...] = ()
    """Columns whose cells hold a formula or an error."""

    @property
    def place(self) -> str:
        """Where it stands, for messages."""
        return f"{self.file}, {f'sheet {self.sheet}, ' if self.sheet else ''}row {self.number}"


def require_spreadsheets() -> None:
    """Raise MissingPartError where what reads and writes workbooks is not installed."""
    for module in ("openpyxl", "xlsxwriter"):
        if find_spec(module) is None:
            raise MissingPartError(
                f"Workbooks need '{module}', which is not installed.",
                advice='Install it: pip install "entra-auditor[xlsx]"',
            )


def read_table(path: Path, *, columns: Sequence[str], sheet: str, optional: Sequence[str] = ()) -> tuple[Row, ...]:
    """Return the rows of a table that are not blank, told by its first bytes: a workbook's sheet, or CSV.

    Args:
        path: the file.
        columns: what the first row has to name, in any order and with nothing beside it.
        sheet: the sheet of a workbook; others are not looked at.
        optional: columns that may be left out.

    Raises:
        InputError: it cannot be read, is too large or none of both, or has other columns.
        MissingPartError: it is a workbook, and what reads one is not installed.
    """
    where = str(path)
    data = read(path, where=where, limit=LIMIT)
    if data.startswith(_OLE):
        raise InputError("This workbook is protected by a password, or an old .xls.", where=where, advice=_DAMAGED)
    packed = data.startswith(_ZIP)
    lines = _workbook(data, sheet, where) if packed else _csv(data, where)
    if not lines:
        raise InputError("The table is empty.", where=where, advice="Give the file that was sent back.")
    head = [text.strip() for text in lines[0].texts]
    while head and not head[-1]:
        head.pop()
    _check_head(head, columns, optional, where)
    return tuple(_row(line, head, optional, where, sheet if packed else "") for line in lines[1:])


class _Line(Struct, frozen=True):
    """A row that is not blank: its number, its texts, and the places of cells with a formula or an error."""

    number: int
    texts: list[str]
    refused: tuple[int, ...] = ()


def _row(line: _Line, head: Sequence[str], optional: Sequence[str], where: str, label: str) -> Row:
    texts = [*line.texts, *[""] * len(head)]
    beside = (at for at in range(len(head), len(line.texts)) if texts[at].strip() and at not in line.refused)
    strange = (head[at] if at < len(head) else f"column {at + 1}" for at in (*line.refused, *beside))
    cells = dict.fromkeys(optional, "") | dict(zip(head, texts, strict=False))
    return Row(file=where, sheet=label, number=line.number, cells=cells, refused=tuple(strange))


def _check_head(head: Sequence[str], columns: Sequence[str], optional: Sequence[str], where: str) -> None:
    known = (*columns, *optional)
    twice = sorted({name for name in head if head.count(name) > 1})
    strange = [name for name in head if name not in known]
    missing = [name for name in columns if name not in head]
    for what, names in (("lacks", missing), ("has twice", twice), ("has beside its own", strange)):
        if names:
            raise InputError(
                f"The first row {what}: {named([name or '(no name)' for name in names])}.",
                where=where,
                advice=f"It names: {', '.join(known)}.",
            )


def _filled(lines: Iterable[_Line], where: str) -> list[_Line]:
    """Return the lines that are not blank.

    Raises:
        InputError: there are over ROWS of them below the first.
    """
    found = list(islice((one for one in lines if one.refused or any(map(str.strip, one.texts))), ROWS + 2))
    if len(found) > ROWS + 1:
        raise InputError(f"The table has over {ROWS:,} rows.", where=where, advice="Check that it is the right file.")
    return found


def _csv(data: bytes, where: str) -> list[_Line]:
    try:
        text = data.decode(encoding_of(data[:2]))
    except UnicodeError:
        raise InputError("This is neither a workbook nor UTF-8 or UTF-16 text.", where=where, advice=_DAMAGED) from None
    delimiter = max(",;\t", key=text.partition("\n")[0].count)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        return _filled((_Line(number, row) for number, row in enumerate(rows, 1)), where)
    except csv.Error as error:
        raise InputError(f"This is not CSV: {shown(str(error))}.", where=where, advice=_DAMAGED) from None


def _workbook(data: bytes, sheet: str, where: str) -> list[_Line]:
    require_spreadsheets()
    _measure(data, where)
    from openpyxl import load_workbook

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Of parts that it does not read, such as validation.
            book = load_workbook(io.BytesIO(data), read_only=True, keep_links=False)
            if sheet not in book.sheetnames:
                raise InputError(f"The workbook has no sheet '{sheet}'.", where=where, advice=_DAMAGED)
            page = book[sheet]
            page.reset_dimensions()
            rows = page.iter_rows(max_row=_LONGEST, max_col=_WIDEST)
            return _filled((_line(number, row) for number, row in enumerate(rows, 1)), where)
    except _BROKEN as error:
        what = f"The workbook cannot be read: {shown(str(error)) or type(error).__name__}."
        raise InputError(what, where=where, advice=_DAMAGED) from None


def _measure(data: bytes, where: str) -> None:
    """Refuse a workbook that is larger inside than it may be, or that declares entities, before it is parsed."""
    large = InputError(
        f"The workbook is too large (over {UNPACKED // MIB} MiB unpacked, or {MARKS:,} cells).",
        where=where,
        advice=_DAMAGED,
    )
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
            if len(members) > _MEMBERS or sum(member.file_size for member in members) > UNPACKED:
                raise large
            marks = 0
            for member in members:
                content = archive.read(member)
                marks += sum(1 for _ in _MARK.finditer(content))
                xml = member.filename.lower().endswith((".xml", ".rels"))
                if xml and (_DECLARED.search(content) or b"\0" in content):
                    raise InputError("The workbook holds XML that no spreadsheet writes.", where=where, advice=_DAMAGED)
            if marks > MARKS:
                raise large
    except _BROKEN as error:
        what = f"The workbook is damaged: {shown(str(error)) or type(error).__name__}."
        raise InputError(what, where=where, advice=_DAMAGED) from None


def _line(number: int, row: Sequence[object]) -> _Line:
    refused = tuple(at for at, one in enumerate(row) if getattr(one, "data_type", "n") in ("f", "e"))
    return _Line(number, [_text(getattr(one, "value", None)) for one in row], refused)


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return (value.date() if value.time() == time() else value).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return _ESCAPE.sub(lambda hit: chr(int(hit[1], 16)), str(value))
