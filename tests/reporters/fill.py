"""Values with hostile text in every text field, found by walking the Structs, so that a new field is covered too."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from msgspec import UNSET, Struct
from msgspec.structs import replace

T = TypeVar("T", bound=Struct)
Change = Callable[[str, Any], Any]
"""Struct and field (`AuditedApp.name`) and the value to the new value; None or UNSET where the field has no text."""


def fill(value: T, change: Change) -> T:
    """Return `value` with `change` applied to each field that may hold text, or a tuple of texts, at any depth."""
    hints = _hints(type(value))
    name = type(value).__name__
    fields = value.__struct_fields__
    return replace(
        value, **{field: _walk(getattr(value, field), hints[field], f"{name}.{field}", change) for field in fields}
    )


_hints = cache(get_type_hints)


def _walk(value: Any, hint: Any, path: str, change: Change) -> Any:
    if isinstance(value, Struct):
        return fill(value, change)
    choices = _choices(hint)
    if str in choices and (isinstance(value, str) or value in (None, UNSET)):
        return change(path, value)
    rows = next((choice for choice in choices if get_origin(choice) is tuple), None)
    if rows is None or not isinstance(value, tuple):
        return value
    hints = get_args(rows)
    inner = [hints[0]] * len(value) if Ellipsis in hints else hints
    return tuple(_walk(item, of, path, change) for item, of in zip(value, inner, strict=True))


def _choices(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) if get_origin(hint) in {Union, UnionType} else (hint,)


def texts(value: Struct) -> list[tuple[str, Any]]:
    """Return the Struct and name of every place for text in `value`, in order, with what stands there."""
    found: list[tuple[str, Any]] = []

    def note(path: str, text: Any) -> Any:
        found.append((path, text))
        return text

    fill(value, note)
    return found


def text_fields(value: Struct) -> tuple[str, ...]:
    """Return the Struct and name of every text field that `value` holds, once, in order."""
    return tuple(dict.fromkeys(path for path, _ in texts(value)))


def declared_fields(type_: type[Struct]) -> tuple[str, ...]:
    """Return the Struct and name of every text field that a value of the type can hold, by its annotations alone."""
    return tuple(dict.fromkeys(_declared(type_, {}, set())))


def _declared(hint: Any, variables: Mapping[Any, Any], seen: set[Any], path: str = "") -> Iterator[str]:
    hint = variables.get(hint, hint)
    origin = get_origin(hint) or hint
    if origin is str:
        yield path
    elif isinstance(origin, type) and issubclass(origin, Struct):
        if hint in seen:
            return
        seen.add(hint)
        given = dict(zip(getattr(origin, "__parameters__", ()), get_args(hint), strict=False))
        for field, inner in _hints(origin).items():
            if field in origin.__struct_fields__:
                yield from _declared(inner, given, seen, f"{origin.__name__}.{field}")
    elif origin in {Union, UnionType, tuple}:
        for inner in get_args(hint):
            yield from _declared(inner, variables, seen, path)
