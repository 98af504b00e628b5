"""Strict YAML: what is written is what is meant, and every mistake is shown where it stands, with the way out."""

from __future__ import annotations

from contextlib import suppress
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta, Struct

from auditor.errors import AuditorError, ConfigurationError
from auditor.knowledge.documents import MAX_BYTES, MAX_DEPTH, load, load_text, load_with_lines


class Colour(StrEnum):
    """An enum of a shape."""

    RED = "red"
    GREEN = "green"


class Item(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A nested shape."""

    name: str
    tier: Literal[0, 1, 2] = 0
    access: Literal["read", "write"] = "read"
    colour: Colour | None = None
    read_on: date | None = None


class Document(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A shape with everything that the rules' shapes use."""

    text: str = ""
    on: str = ""
    number: int = 0
    share: float = 0
    flag: bool | None = None
    checked: str = ""
    moment: datetime | None = None
    items: tuple[Item, ...] = ()
    listed: list[Item] = []
    by_name: dict[str, Item] = {}
    groups: dict[str, dict[str, tuple[Item, ...]]] = {}
    maybe: Item | None = None
    several: list[Item] | None = None
    limited: Annotated[int, Meta(ge=1)] = 1


def read(text: str) -> Document:
    """Read `text` as a Document called doc.yaml."""
    return load_text(text, Document, "doc.yaml")


def refused(text: str) -> ConfigurationError:
    """Return the error that reading `text` gives."""
    with pytest.raises(ConfigurationError) as caught:
        read(text)
    return caught.value


@pytest.mark.parametrize("word", ["no", "yes", "on", "off", "No", "1e", "0x1F", "1_000", "12:30", "2026-11-22"])
def test_words_stay_words(word: str) -> None:
    """YAML 1.1's traps are text: Norway, on and off, sexagesimal numbers, and a date where text is asked for."""
    assert read(f"text: {word}\non: {word}") == Document(text=word, on=word)


def test_plain_values() -> None:
    """Numbers, truth values and null are what YAML 1.2 says; quotes make text of anything."""
    value = read(
        "number: -3\nshare: 1.5e3\nflag: true\ntext: '12'\nchecked: |\n  no\nitems: [{name: \"null\", colour: }]\n"
    )
    assert value == Document(
        number=-3, share=1500, flag=True, text="12", checked="no\n", items=(Item(name="null", colour=None),)
    )
    assert read("flag: False").flag is False
    assert read("flag: ~").flag is None


def test_dates() -> None:
    """A day and a moment can be written with or without quotes, for a field of text and for a field of time."""
    for day in ("2026-11-22", "'2026-11-22'"):
        value = read(f"checked: {day}\nitems: [{{name: a, read_on: {day}}}]\nmoment: 2026-11-22T09:14:00Z")
        assert value.checked == "2026-11-22"
        assert value.items[0].read_on == date(2026, 11, 22)
        assert value.moment == datetime.fromisoformat("2026-11-22T09:14:00Z")


@pytest.mark.parametrize(
    ("text", "where", "what", "advice"),
    [
        ("text: a\ntext: b", "2:1", "The key 'text' stands here twice", "line 1"),
        ("items:\n  - name: a\n    tier: 1\n    name: b", "4:5", "The key 'name'", "line 2"),
        ("by_name:\n  a: &x {name: a}", "2:6", "Anchors", "Write the value out"),
        ("text: *x", "1:7", "Anchors", "Write the value out"),
        ("&x text: a", "1:1", "A key must be plain text", "key: value"),
        ("? [a]\n: b", "1:3", "A key must be plain text", "key: value"),
        ("*x : b", "1:1", "A key must be plain text", "key: value"),
        ("text: !!str a", "1:7", "The tag", "Remove"),
        ("text: !python/object:os.system a", "1:7", "The tag", "Remove"),
        ("items: !!set {}", "1:8", "The tag", "Remove"),
        ("text: a\n---\ntext: b", "2:1", "second document", "---"),
        ("text: a\n  on: b", "2:5", "not valid YAML", "indentation"),
        ("text: [a", "1:9", "not valid YAML", "quotes"),
        ("text: 'a", "1:9", "not valid YAML", "quotes"),
        ("- a", "1:1", "Expected a mapping of keys to values, got a list", ""),
        ("text:\n  a: 1", "2:3", "Expected text, got a mapping", ""),
        ("text: 5", "1:7", "Expected text, got a whole number", "in quotes"),
        ("text: 5.0", "1:7", "Expected text, got a number", "in quotes"),
        ("text: true", "1:7", "Expected text, got true or false", "in quotes"),
        ("text:", "1:6", "Expected text, got nothing", "in quotes"),
        ("number: x", "1:9", "Expected a whole number, got text", "that form"),
        ("flag: yes", "1:7", "Expected true or false or nothing, got text", "that form"),
        ("items:\n  - name: a\n    tier: 3", "3:11", "'3' is not allowed here", "Allowed values: 0, 1, 2."),
        ("items:\n- {name: a, access: raed}", "2:21", "'raed' is not allowed", "Did you mean 'read'?"),
        ("listed:\n- name: a\n  colour: rad", "3:11", "'rad' is not allowed", "'red'? Allowed values: green, red"),
        ("nummber: 1", "1:1", "'nummber' is not a key here", "Did you mean 'number'? Allowed keys: by_name"),
        ("items:\n  - nmae: a", "2:5", "'nmae' is not a key here", "Did you mean 'name'? Allowed keys: access, colour"),
        ("items:\n  - tier: 1", "2:5", "The key 'name' is missing", "Add it"),
        ("by_name:\n  a: {name: x}\n  b: {tier: 1}", "3:6", "The key 'name' is missing", "Add it"),
        ("by_name:\n  a: {name: x}\n  b:\n    name: x\n    teir: 1", "5:5", "'teir' is not a key", "'tier'"),
        ("groups:\n  a: {x: []}\n  b:\n    x: []\n    y: [{name: a}, {name: b, tier: 9}]", "5:36", "'9'", "0, 1, 2"),
        ("maybe: {nam: a}", "1:9", "'nam' is not a key here", "Did you mean 'name'?"),
        ("several:\n  - {name: a, tier: 7}", "2:21", "'7' is not allowed", "Allowed values: 0, 1, 2."),
        ("limited: 0", "1:10", "Expected `int` >= 1.", "Correct the value."),
        ("items:\n- {name: a, read_on: 22.11.2026}", "2:22", "read as a time", "a date (2026-11-22)"),
    ],
)  # fmt: skip
def test_refusals(text: str, where: str, what: str, advice: str) -> None:
    """Each mistake is an error with its place, what is wrong in words, and what to do next."""
    error = refused(text)
    assert error.where == f"doc.yaml:{where}"
    assert what in error.what
    assert advice in error.advice
    assert error.advice


def test_empty_document() -> None:
    """A file without a document is an error and no empty value."""
    for text in ("", "# only a comment\n"):
        assert refused(text).what == "The file is empty."


def test_control_characters() -> None:
    """A character that YAML does not allow is an error of the file, not of the program."""
    assert "character" in refused("text: a\x00b").what


def test_depth() -> None:
    """Nesting up to the limit reads; deeper than that is refused before it can cost anything."""

    def nested(depth: int) -> str:
        return "[" * depth + "]" * depth

    assert load_text(nested(MAX_DEPTH + 1), list[object], "x") is not None
    for depth in (MAX_DEPTH + 2, 20_000):
        with pytest.raises(ConfigurationError, match="nested deeper"):
            load_text(nested(depth), list[object], "x")


def test_files(tmp_path: Path) -> None:
    """A file reads with and without a byte order mark; one that is absent, too large or no UTF-8 is an error."""
    file = tmp_path / "doc.yaml"
    file.write_bytes(b"\xef\xbb\xbftext: \xc3\xa9\r\n")
    assert load(file, Document) == Document(text="é")
    file.write_bytes(b"text: a\non: \xff")
    with pytest.raises(ConfigurationError, match="not UTF-8") as caught:
        load(file, Document)
    assert caught.value.where == f"{file}:2"
    file.write_bytes(b"#" * (MAX_BYTES + 1))
    with pytest.raises(ConfigurationError, match="larger than 512 KiB"):
        load(file, Document)
    with pytest.raises(ConfigurationError, match="No such file"):
        load(tmp_path / "absent.yaml", Document)


def test_lines(tmp_path: Path) -> None:
    """Whoever judges a value later can still say on which line it stands; a block's text begins below its key."""
    file = tmp_path / "doc.yaml"
    file.write_text("# first\ntext: a\nitems:\n  - name: x\n  - name: |\n      y\nby_name:\n  k: {name: z}\n", "utf-8")
    value, lines = load_with_lines(file, Document)
    assert value.items[1].name == "y\n"
    places = {"text": 2, "items": 4, "items[0]": 4, "items.1.name": 6, "by_name.k.name": 8, "by_name.absent": 8, "": 2}
    assert {path: lines.at(path) for path in places} == places
    assert lines.place(("by_name",), key=True) == f"{file}:7:1"
    assert lines.place((), key=True) == f"{file}:2:1"


@given(st.text(alphabet=st.sampled_from(list("ab:-[]{}&*!|>'\"#,? \n\t%@`~0.")), max_size=60))
def test_any_text_reads_or_is_refused(text: str) -> None:
    """Whatever is written, the reader gives a plain value or an error of its own that says what to do."""
    with suppress(AuditorError):
        assert isinstance(load_text(text, object, "any"), str | int | float | list | dict | None)
