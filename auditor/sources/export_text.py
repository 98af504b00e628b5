"""What a saved Graph answer says, whatever tool wrote it down.

Read are: UTF-8 with or without byte order mark, UTF-16 in both orders, JSON and JSON lines, keys in camelCase
or PascalCase, times as `/Date(ms)/`, objects as text that holds JSON (Log Analytics). Objects of PowerShell's Graph
SDK print null both for what Graph says is null and for what was not asked for; null in an object with PascalCase keys
is therefore taken as not known.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import msgspec
from msgspec import Struct

from auditor.errors import InputError
from auditor.model.canonical import from_json
from auditor.model.text import encoding_of
from auditor.sources.files import shown

Json = object
_HINT = re.compile(rb'"[A-Z][A-Za-z0-9]*"\s*:|/Date\(|System\.(?:Object|Collections)|"@\{')
"""Only text in which this stands can hold anything that `_plain` changes."""
_DATE = re.compile(r"/Date\((-?\d{1,15})(?:[+-]\d{4})?\)/")
_OBJECTS = frozenset(
    {
        "additionalProperties",
        "appRoles",
        "initiatedBy",
        "keyCredentials",
        "oauth2PermissionScopes",
        "passwordCredentials",
        "targetResources",
        "verifiedDomains",
        "verifiedPublisher",
    },
)
"""Fields that hold objects: text in them is what ConvertTo-Json writes for values deeper than its -Depth."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Text(Struct, frozen=True, kw_only=True):
    """The JSON values of one file: one, or for JSON lines one per line."""

    values: tuple[Json, ...]
    faults: tuple[str, ...] = ()
    """Lines that are not JSON, each with its number and the reason."""
    pascal: bool = False
    """Some object had PascalCase keys."""
    cut: bool = False
    """Values were missing because they lay deeper than ConvertTo-Json was told to write."""


def read_text(data: bytes, *, where: str) -> Text:
    """Return what the bytes of a file say, with camelCase keys and ISO times.

    Raises:
        InputError: empty, in another encoding, neither JSON nor JSON lines, or nested too deeply.
    """
    text = _utf8(data, where)
    if not text.strip():
        raise InputError(
            "The file is empty.",
            where=where,
            advice='Save the answer again; one without items reads {"value": []}.',
        )
    try:
        values, faults = _values(text)
        shape = _Shape()
        if _HINT.search(text):
            values = [shape.plain(value) for value in values]
    except msgspec.DecodeError as error:
        raise InputError(
            f"The file is not JSON: {shown(str(error))}.", where=where, advice="Save the answer again."
        ) from None
    except RecursionError:
        raise InputError(
            "The file is nested too deeply.",
            where=where,
            advice="Check that it is an answer of Microsoft Graph.",
        ) from None
    return Text(values=tuple(values), faults=tuple(faults), pascal=shape.pascal, cut=shape.cut)


def _utf8(data: bytes, where: str) -> bytes:
    encoding = encoding_of(data)
    try:
        return data.decode(encoding, "surrogatepass").encode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        raise InputError(
            f"The file is not {encoding.removesuffix('-sig').upper()} text, or it is cut off.",
            where=where,
            advice="Save the answer again as UTF-8 (PowerShell: Out-File -Encoding utf8).",
        ) from None


def _values(text: bytes) -> tuple[list[Json], list[str]]:
    """Return the values of JSON, else of JSON lines; lines count only when the first is JSON by itself."""
    try:
        return [from_json(text)], []
    except msgspec.DecodeError as error:
        whole = error
    values: list[Json] = []
    faults: list[str] = []
    for number, line in enumerate(text.split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            values.append(from_json(line))
        except msgspec.DecodeError as error:
            if not values:
                raise whole from None
            faults.append(f"line {number}: {shown(str(error))}")
    return values, faults


class _Shape:
    """Gives parsed JSON Graph's own shape, and remembers what it met."""

    def __init__(self) -> None:
        self.pascal = False
        self.cut = False

    def plain(self, value: Json) -> Json:
        """Return `value` with camelCase keys, ISO times and AdditionalProperties merged in."""
        if isinstance(value, str):
            return _time(value)
        if isinstance(value, list):
            return [self.plain(inner) for inner in value]
        return self._object(value) if isinstance(value, dict) else value

    def _object(self, value: Mapping[str, Json]) -> Json:
        if "DateTime" in value and "value" in value:
            return self.plain(value["value"])
        pascal = any(key[:1].isupper() for key in value)
        self.pascal |= pascal
        result: dict[str, Json] = {}
        for key, inner in value.items():
            name = key[:1].lower() + key[1:]
            held = _opened(inner) if name in _OBJECTS else inner
            if name in _OBJECTS and _holds_text(held):
                self.cut = True
                continue
            plain = self.plain(held)
            if not pascal or (plain is not None and plain != {}):
                result.setdefault(name, plain)
        further = result.pop("additionalProperties", None)
        return {**further, **result} if isinstance(further, dict) else result


def _opened(value: Json) -> Json:
    """Return what JSON inside a text says, as Log Analytics exports objects; anything else as it is."""
    if not isinstance(value, str) or not value.lstrip().startswith(("{", "[")):
        return value
    try:
        return from_json(value)
    except msgspec.DecodeError:
        return value


def _holds_text(value: Json) -> bool:
    return any(isinstance(inner, str) for inner in (value if isinstance(value, list) else (value,)))


def _time(text: str) -> str:
    match = _DATE.fullmatch(text)
    if match is None:
        return text
    try:
        return (_EPOCH + timedelta(milliseconds=int(match[1]))).isoformat()
    except OverflowError:
        return text
