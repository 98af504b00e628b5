"""Values with one string in every text field, found by walking the Structs, so that a new field is covered too."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from msgspec import Struct
from msgspec.structs import replace

T = TypeVar("T", bound=Struct)
Change = Callable[[str, str], str]
"""Path of the field (`AuditResult.apps.name`) and its value to the new value."""


def fill(value: T, change: Change) -> T:
    """Return `value` with `change` applied to each field declared as str, or as a tuple of str, at any depth."""
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
    if hint is str:
        return change(path, value)
    if get_origin(hint) is tuple and isinstance(value, tuple):
        hints = get_args(hint)
        inner = [hints[0]] * len(value) if Ellipsis in hints else hints
        return tuple(_walk(item, of, path, change) for item, of in zip(value, inner, strict=True))
    if get_origin(hint) is Union:
        return _walk(value, next((of for of in get_args(hint) if of is str), None), path, change)
    return value


def text_fields(value: Struct) -> tuple[str, ...]:
    """Return the path of every text field that `value` holds, once, in order."""
    found: dict[str, None] = {}

    def note(path: str, text: str) -> str:
        found[path] = None
        return text

    fill(value, note)
    return tuple(found)
