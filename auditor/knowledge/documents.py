"""Strict YAML: a file becomes the value of a msgspec type, or an error with file, line, column and advice.

YAML 1.2, so `no` and `on` are text, and so is a date until a field asks for one. Refused: duplicate keys,
anchors, aliases, tags, several documents, files over 512 KiB or 20,000 values, and nesting deeper than 20.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from ruamel.yaml import YAML
from ruamel.yaml import events as yaml
from ruamel.yaml.error import MarkedYAMLError, StringMark, YAMLError

from auditor.errors import ConfigurationError
from auditor.knowledge.shapes import explain

MAX_BYTES = 512 << 10
MAX_VALUES = 20_000
"""Keys and values together; the parser reads about 35,000 a second."""
MAX_DEPTH = 20
MAX_DIGITS = 30
"""Of a whole number."""

T = TypeVar("T")
Steps = tuple[str | int, ...]
"""The way to a value: keys of mappings and indexes of lists."""
Position = tuple[int, int]
"""Line and column, from 1."""

# The core schema, https://yaml.org/spec/1.2.2/#1032-tag-resolution
_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE = frozenset({"true", "True", "TRUE"})
_FALSE = frozenset({"false", "False", "FALSE"})
_INT = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")


class Lines:
    """Where each value of a document stands."""

    def __init__(self, where: str, values: Mapping[Steps, Position], keys: Mapping[Steps, Position]) -> None:
        self.where = where
        self._values = values
        self._keys = keys

    def at(self, path: str) -> int:
        """Return the 1-based line on which the value at a dotted path begins.

        List items are numbered from 0: `cases.0.expect` or `cases[0].expect`. The text of a block scalar
        (`|`, `>`) begins on the line after the indicator. A path that is not there gives the line of the
        nearest value around it.
        """
        steps = tuple(int(step) if step.isdecimal() else step for step in re.findall(r"[^.\[\]]+", path))
        return self.position(steps)[0]

    def position(self, steps: Steps, *, key: bool = False) -> Position:
        """Return line and column, from 1, of the value at `steps` or of its key."""
        if key and steps in self._keys:
            return self._keys[steps]
        while steps not in self._values:
            steps = steps[:-1]
        return self._values[steps]

    def place(self, steps: Steps, *, key: bool = False) -> str:
        """Return `file:line:column` of the value at `steps` or of its key."""
        line, column = self.position(steps, key=key)
        return f"{self.where}:{line}:{column}"


def load(path: Path, shape: type[T]) -> T:
    """Read a YAML file as a value of `shape`.

    Raises:
        ConfigurationError: the file cannot be read, is not strict YAML, or does not have the shape.
    """
    return load_with_lines(path, shape)[0]


def load_text(text: str, shape: type[T], where: str) -> T:
    """Read YAML text as a value of `shape`; `where` names it in errors.

    Raises:
        ConfigurationError: the text is not strict YAML, or does not have the shape.
    """
    return _load(text, shape, where)[0]


def load_with_lines(path: Path, shape: type[T]) -> tuple[T, Lines]:
    """Read a YAML file as `load` does, and return with it where each value stands."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigurationError(
            f"The file cannot be read: {error.strerror}.",
            where=str(path),
            advice="Check its name and your access to it.",
        ) from error
    if len(data) > MAX_BYTES:
        raise ConfigurationError(
            f"The file is larger than {MAX_BYTES >> 10} KiB.",
            where=str(path),
            advice="Split it, or check that it is the right file.",
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigurationError(
            "The file is not UTF-8 text.", where=f"{path}:{line}", advice="Save it as UTF-8."
        ) from error
    return _load(text, shape, str(path))


def _load(text: str, shape: type[T], where: str) -> tuple[T, Lines]:
    try:
        reader = _Reader(text, where)
        value = reader.document()
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{where}:{mark.line + 1}:{mark.column + 1}" if mark else where
        what = error.problem or error.context or "no YAML"
        raise ConfigurationError(
            f"This is not valid YAML: {what}.",
            where=place,
            advice="Check quotes, indentation and colons on this line.",
        ) from error
    except YAMLError as error:
        raise ConfigurationError(
            "The file holds a character that YAML does not allow.",
            where=where,
            advice="Remove control characters from it.",
        ) from error
    try:
        return msgspec.convert(value, shape), reader.lines
    except msgspec.ValidationError as error:
        problem = explain(str(error), value, shape)
        raise ConfigurationError(
            problem.what, where=reader.lines.place(problem.steps, key=problem.at_key), advice=problem.advice
        ) from error


class _Reader:
    """Builds the plain value of one document from the parser's events, and notes where everything stands."""

    def __init__(self, text: str, where: str) -> None:
        self._values: dict[Steps, Position] = {(): (1, 1)}
        self._keys: dict[Steps, Position] = {}
        self.lines = Lines(where, self._values, self._keys)
        self._events: Iterator[Any] = YAML(typ="safe", pure=True).parse(text)
        self._last: Any = StringMark(where, 0, 0, 0, "", 0)
        self._left = MAX_VALUES

    def document(self) -> object:
        """Return the value of the one document."""
        event = self._next()
        while isinstance(event, (yaml.StreamStartEvent, yaml.DocumentStartEvent)):
            event = self._next()
        if isinstance(event, yaml.StreamEndEvent):
            raise ConfigurationError("The file is empty.", where=self.lines.where, advice="Write the document into it.")
        value = self._value(event, ())
        while not isinstance(event, yaml.StreamEndEvent):
            event = self._next()
            if isinstance(event, yaml.DocumentStartEvent):
                raise self._refused(
                    event.start_mark, "The file holds a second document.", "Remove the line '---' and what follows it."
                )
        return value

    def _next(self) -> Any:  # noqa: ANN401 - ruamel's events share no useful base type
        try:
            event = next(self._events)
        except (ValueError, OverflowError) as error:  # A character's number, or a version, that Python cannot hold.
            raise self._refused(
                self._last, "After this a number is out of range.", "Check the next \\U escape, or the line %YAML."
            ) from error
        self._last = event.end_mark or self._last
        if isinstance(event, yaml.NodeEvent):
            self._left -= 1
            if self._left < 0:
                raise self._refused(event.start_mark, f"The file holds more than {MAX_VALUES:,} values.", "Split it.")
        if isinstance(event, yaml.ScalarEvent) and not _is_unicode(event.value):
            raise self._refused(
                event.start_mark, "Half of a surrogate pair is no character.", "Write the character itself, or \\U."
            )
        return event

    def _value(self, event: Any, steps: Steps) -> object:  # noqa: ANN401
        if isinstance(event, yaml.AliasEvent) or event.anchor:
            raise self._refused(
                event.start_mark, "Anchors and aliases are not allowed.", "Write the value out where it is used."
            )
        if event.tag and not (isinstance(event, yaml.ScalarEvent) and event.implicit[0]):
            raise self._refused(event.start_mark, f"The tag '{event.tag}' is not allowed.", "Remove it.")
        if len(steps) > MAX_DEPTH:
            raise self._refused(event.start_mark, f"The file is nested deeper than {MAX_DEPTH}.", "Make it flatter.")
        block = isinstance(event, yaml.ScalarEvent) and event.style in ("|", ">")
        mark = event.start_mark
        self._values[steps] = (mark.line + 2, 1) if block else (mark.line + 1, mark.column + 1)
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(steps)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(steps)
        if not event.implicit[0]:
            return event.value
        if _INT.fullmatch(event.value) and len(event.value) > MAX_DIGITS:
            raise self._refused(
                mark, f"A whole number has more than {MAX_DIGITS} digits.", "Put it in quotes, or make it shorter."
            )
        return _plain(event.value)

    def _mapping(self, steps: Steps) -> dict[str, object]:
        mapping: dict[str, object] = {}
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent) or event.anchor or (event.tag and not event.implicit[0]):
                raise self._refused(event.start_mark, "A key must be plain text.", "Write `key: value`.")
            key = event.value
            if key in mapping:
                first = self.lines.position((*steps, key), key=True)[0]
                raise self._refused(
                    event.start_mark,
                    f"The key '{key}' stands here twice.",
                    f"Remove this one or the one in line {first}.",
                )
            self._keys[*steps, key] = (event.start_mark.line + 1, event.start_mark.column + 1)
            mapping[key] = self._value(self._next(), (*steps, key))
        return mapping

    def _sequence(self, steps: Steps) -> list[object]:
        sequence: list[object] = []
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            sequence.append(self._value(event, (*steps, len(sequence))))
        return sequence

    def _refused(self, mark: Any, what: str, advice: str) -> ConfigurationError:  # noqa: ANN401
        return ConfigurationError(what, where=f"{self.lines.where}:{mark.line + 1}:{mark.column + 1}", advice=advice)


def _is_unicode(text: str) -> bool:
    """Tell whether a text can be written: the parser takes a lone surrogate for a character."""
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)


def _plain(text: str) -> object:
    """Resolve an unquoted scalar by the core schema; dates stay text."""
    if text in _NULL:
        return None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    if _INT.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text
