"""What msgspec's validation errors mean to who wrote the document: where, what is wrong, what is allowed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any

import msgspec
from msgspec import inspect

_PATH = re.compile(r" - at (?P<key>`key` in )?`\$(?P<path>[^`]*)`$")
_STEP = re.compile(r"\.(?P<field>[^.\[]+)|\[(?P<index>\d+)\]|\[\.\.\.\]")
_NAMES = {
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "a mapping of keys to values",
    "null": "nothing",
    "date": "a date (2026-11-22)",
    "datetime": "a moment (2026-11-22T09:14:00Z)",
}


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One validation error, ready to report."""

    what: str
    advice: str
    steps: tuple[str | int, ...]
    """The way to the offending value."""
    at_key: bool = False
    """The key is wrong, not its value."""


def explain(message: str, value: object, shape: object) -> Problem:
    """Turn the text of a msgspec.ValidationError, raised for `value` as `shape`, into a Problem."""
    found = _PATH.search(message)
    text = message[: found.start()] if found else message
    steps = _steps(found["path"] if found else "", message, value, shape)
    if unknown := re.fullmatch(r"Object contains unknown field `(.*)`", text):
        name = unknown[1]
        return Problem(
            what=f"'{name}' is not a key here.",
            advice=_choose(name, sorted(_fields(shape, steps)), "keys"),
            steps=(*steps, name),
            at_key=True,
        )
    if missing := re.fullmatch(r"Object missing required field `(.*)`", text):
        return Problem(what=f"The key '{missing[1]}' is missing.", advice="Add it with its value.", steps=steps)
    if wrong := re.fullmatch(r"Invalid enum value '?(.*?)'?", text):
        allowed = sorted(str(v) for v in _values(shape, steps))
        return Problem(
            what=f"'{wrong[1]}' is not allowed here.",
            advice=_choose(wrong[1], allowed, "values"),
            steps=steps,
        )
    if types := re.fullmatch(r"Expected `(.*)`, got `(.*)`", text):
        expected, got = (" or ".join(_NAMES.get(name, name) for name in side.split(" | ")) for side in types.groups())
        quotes = "str" in types[1].split(" | ") and types[2] in ("int", "float", "bool", "null")
        return Problem(
            what=f"Expected {expected}, got {got}.",
            advice="Put the value in quotes." if quotes else "Write the value in that form.",
            steps=steps,
        )
    if time := re.fullmatch(r"Invalid RFC3339 encoded (date|datetime)", text):
        return Problem(what="The value cannot be read as a time.", advice=f"Write {_NAMES[time[1]]}.", steps=steps)
    return Problem(what=f"{text}.", advice="Correct the value.", steps=steps)


def _choose(name: str, allowed: list[str], kind: str) -> str:
    close = get_close_matches(name, allowed, n=1)
    return (f"Did you mean '{close[0]}'? " if close else "") + f"Allowed {kind}: {', '.join(allowed)}."


def _steps(path: str, message: str, value: Any, shape: object) -> tuple[str | int, ...]:  # noqa: ANN401
    """Return the way to the offending value; for `[...]`, any key of a mapping, each key is tried.

    A message quotes keys as they stand, so one that reads like a path leads nowhere: the way ends before it.
    """
    steps: tuple[str | int, ...] = ()
    inner = value
    for step in _STEP.finditer(path):
        key: str | int | None
        if step["index"]:
            key = int(step["index"]) if isinstance(inner, list) and int(step["index"]) < len(inner) else None
        elif not isinstance(inner, dict):
            key = None
        elif step["field"]:
            key = step["field"] if step["field"] in inner else None
        else:
            key = next((key for key in inner if _raises(message, _only(value, steps, key), shape)), None)
        if key is None:
            break
        steps, inner = (*steps, key), inner[key]
    return steps


def _only(value: Any, steps: tuple[str | int, ...], key: str) -> object:  # noqa: ANN401
    """Return `value` with the mapping at `steps` reduced to `key`."""
    if not steps:
        return {key: value[key]}
    copy = value.copy()
    copy[steps[0]] = _only(value[steps[0]], steps[1:], key)
    return copy


def _raises(message: str, value: object, shape: object) -> bool:
    try:
        msgspec.convert(value, shape)
    except msgspec.ValidationError as error:
        return str(error) == message
    return False


def _fields(shape: object, steps: tuple[str | int, ...]) -> Iterator[str]:
    for kind in _types(shape, steps):
        if isinstance(kind, inspect.StructType):
            yield from (field.encode_name for field in kind.fields)


def _values(shape: object, steps: tuple[str | int, ...]) -> Iterator[object]:
    for kind in _types(shape, steps):
        if isinstance(kind, inspect.LiteralType):
            yield from kind.values
        elif isinstance(kind, inspect.EnumType):
            yield from (member.value for member in kind.cls)


def _types(shape: object, steps: tuple[str | int, ...]) -> list[inspect.Type]:
    types = list(_flat(inspect.type_info(shape)))
    for step in steps:
        types = [inner for kind in types for child in _children(kind, step) for inner in _flat(child)]
    return types


def _flat(kind: inspect.Type) -> Iterator[inspect.Type]:
    yield from kind.types if isinstance(kind, inspect.UnionType) else (kind,)


def _children(kind: inspect.Type, step: str | int) -> Iterator[inspect.Type]:
    if isinstance(kind, inspect.StructType):
        yield from (field.type for field in kind.fields if field.encode_name == step)
    elif isinstance(kind, inspect.DictType):
        yield kind.value_type
    elif isinstance(kind, (inspect.ListType, inspect.VarTupleType)):
        yield kind.item_type
