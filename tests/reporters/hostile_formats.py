"""What the formats for other programs hold, read by other programs' readers, and what in it could live."""

from __future__ import annotations

import io
import json
import re
import unicodedata
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any
from xml.etree.ElementTree import Element, fromstring

import openpyxl
from junitparser import JUnitXml
from markdown_it import MarkdownIt
from markdown_it.token import Token

from auditor.reporters.text import https_only

Rendered = Mapping[str, bytes]

MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
DEAD = {"text", "code_inline", "strong_open", "strong_close", "text_special"}
"""Inline pieces of report.md: nothing in a name makes another kind."""
LINKED = re.compile(r"://|www\.|@|\w\.\w+/", re.IGNORECASE)
"""What a reader beyond CommonMark makes a link or a mention of."""
COMMENT = 65_536
"""Characters that GitHub takes in one comment."""
TRIGGERS = tuple("=+-@\t\r\n\0\uff1d\uff0b\uff0d\uff20")
UNSEEN = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]")
LONGEST_CELL = 32_767
"""UTF-16 units that Excel takes in one cell."""


def steering(text: str) -> list[str]:
    """Return the characters of `text` that steer, turn or hide; line feeds are the only ones that a text may have."""
    return [
        f"U+{ord(c):04X}"
        for c in set(text)
        if c != "\n" and (unicodedata.category(c) in {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"} or UNSEEN.match(c))
    ]


# SARIF


def strings(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Give every string of a JSON value with the key that it stands under."""
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from strings(inner, name)
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner, key)


def sarif_shape(value: Any) -> Any:
    """Return a SARIF document without its strings, and without what a text may or may not give a rule."""
    if isinstance(value, dict):
        free = {"helpUri"} | ({"name"} if "defaultConfiguration" in value else set())
        return {key: sarif_shape(inner) for key, inner in value.items() if key not in free}
    return [sarif_shape(inner) for inner in value] if isinstance(value, list) else type(value).__name__


def check_sarif(rendered: Rendered, plain: Rendered | None) -> None:
    """The document is shaped as with an x; each result has its place; no message holds a link or a placeholder."""
    log = json.loads(rendered["report.sarif"])
    if plain:
        assert sarif_shape(log) == sarif_shape(json.loads(plain["report.sarif"]))
    for result in log["runs"][0]["results"]:
        [place] = result["locations"]
        assert place["physicalLocation"]["artifactLocation"]["uri"] == "audit.json"
        assert result["message"]["text"]
    for key, text in strings(log):
        assert steering(text) == []
        if key == "text":
            assert not re.search(r"(?<!\\)(\\\\)*[\[\]]", text)
            assert not re.search(r"[{}]", text.replace("{{", "").replace("}}", ""))
        if key == "helpUri":
            assert https_only(text)


# JUnit


def xml_shape(element: Element) -> list[Any]:
    """Return an element's name, its attributes' names and its children, without any text."""
    return [element.tag, sorted(element.attrib), [xml_shape(child) for child in element]]


def check_junit(rendered: Rendered, plain: Rendered | None) -> None:
    """The XML has the elements and numbers that it has with an x, for two readers, and no character that steers."""
    data = rendered["junit.xml"]
    root = fromstring(data)  # noqa: S314 - our own file
    assert steering(data.decode()) == []
    read = JUnitXml.fromstring(data.decode())
    assert read.tests == sum(suite.tests for suite in read) > 0
    if plain:
        assert xml_shape(root) == xml_shape(fromstring(plain["junit.xml"]))  # noqa: S314
        expected = JUnitXml.fromstring(plain["junit.xml"].decode())
        assert [(s.tests, s.failures, s.errors, s.skipped) for s in read] == [
            (s.tests, s.failures, s.errors, s.skipped) for s in expected
        ]


# Markdown


def living(tokens: Sequence[Token]) -> list[tuple[str, str]]:
    """Return every inline piece that lives, and every text that a further reader would bring to life."""
    pieces = [piece for token in tokens for piece in token.children or ()]
    return [
        (p.type, p.content) for p in pieces if p.type not in DEAD or (p.type == "text" and LINKED.search(p.content))
    ]


@cache
def blocks(text: str) -> list[str]:
    """Return the kinds of the blocks of Markdown, in order."""
    return [token.type for token in MARKDOWN.parse(text)]


def check_md(rendered: Rendered, plain: Rendered | None) -> None:
    """The page has the blocks that it has with an x, or fewer rows and a word of them; nothing in it lives."""
    text = rendered["report.md"].decode()
    tokens = MARKDOWN.parse(text)
    assert living(tokens) == []
    assert steering(text) == []
    assert len(text) < COMMENT
    if plain is None:
        return
    found, expected = [token.type for token in tokens], blocks(plain["report.md"].decode())
    if "more row" in text:
        assert {*found} <= {*expected}
        assert found.count("heading_open") == expected.count("heading_open")
        assert found.count("tr_open") < expected.count("tr_open")
    else:
        assert found == expected


# XLSX


def cells(data: bytes) -> dict[str, list[list[Any]]]:
    """Return the cells of each sheet, and assert that none is a formula, a link or merged."""
    book = openpyxl.load_workbook(io.BytesIO(data))
    found = {}
    for sheet in book.worksheets:
        assert sheet.merged_cells.ranges == set()
        rows = [list(row) for row in sheet.iter_rows()]
        assert {cell.data_type for row in rows for cell in row} <= {"s", "n", "b", "d"}
        assert [cell for row in rows for cell in row if cell.hyperlink] == []
        found[sheet.title] = [[cell.value for cell in row] for row in rows]
    return found


def sizes(book: Mapping[str, list[list[Any]]]) -> dict[str, list[int]]:
    """Return how many cells each row of each sheet has."""
    return {name: [len(row) for row in rows] for name, rows in book.items()}


def check_xlsx(rendered: Rendered, plain: Rendered | None) -> None:
    """The sheets have the rows that they have with an x; no cell runs, links, steers, or is longer than Excel takes."""
    found = cells(rendered["report.xlsx"])
    if plain:
        assert sizes(found) == sizes(cells(plain["report.xlsx"]))
    texts = [value for rows in found.values() for row in rows for value in row if isinstance(value, str)]
    for text in texts:
        assert not text.lstrip(' \xa0\u3000\t\r\n\v\f"').startswith(TRIGGERS)
        assert steering(text) == []
        assert len(text.encode("utf-16-le")) // 2 <= LONGEST_CELL
    with zipfile.ZipFile(io.BytesIO(rendered["report.xlsx"])) as book:
        for name in book.namelist():
            assert b"<f>" not in book.read(name), name
            assert b"TargetMode" not in book.read(name), name
        assert {member.date_time for member in book.infolist()} == {(1980, 1, 1, 0, 0, 0)}


# Without `plain`, what an x would give is not compared: other names may be grouped otherwise.
CHECKS = {"junit": check_junit, "md": check_md, "sarif": check_sarif, "xlsx": check_xlsx}
