"""JSON in and out.

Canonical bytes: the same value gives the same JSON, hash and archive, wherever and whenever it is written. A surrogate
that stands alone is half a character: JSON can spell it as an escape, no UTF-8 text can hold it, and whoever names an
app can choose it. On both ways U+FFFD takes its place, so that one name never costs a whole answer.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import re
from typing import TypeVar

import msgspec

T = TypeVar("T")
_LONE = re.compile("[\ud800-\udfff]")
_LONE_IN_JSON = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"  # a pair, which is one character
    rb"|(\\u[dD][89a-fA-F][0-9a-fA-F]{2}|\xed[\xa0-\xbf][\x80-\xbf])"  # one alone, as an escape or as it is
    rb"|\\.",  # any other escape, an escaped backslash among them
    re.DOTALL,
)


def shared(shape: type[T]) -> type[T]:
    """Decorate a shape that several threads decode: msgspec gets to know it here, as its module is imported.

    Two threads that make msgspec 0.22 get to know one shape at the same time end the process (a segmentation fault).
    """
    msgspec.json.Decoder(shape)
    return shape


def from_json(data: bytes | str) -> object:
    """Return what JSON says, with U+FFFD for each surrogate that stands alone.

    Raises:
        msgspec.DecodeError: not JSON, not UTF-8, cut, or nested too deeply.
    """
    text = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
    try:
        return _decoded(text)
    except msgspec.DecodeError:
        mended = _LONE_IN_JSON.sub(lambda hit: rb"\ufffd" if hit[1] else hit[0], text)
        if mended == text:
            raise
    return _decoded(mended)


def to_json(value: object) -> bytes:
    """Return `value` as compact UTF-8 JSON with sorted keys and a final newline."""
    try:
        data = msgspec.json.encode(value, order="sorted")
    except UnicodeEncodeError:
        data = msgspec.json.encode(_mended(msgspec.to_builtins(value)), order="sorted")
    return data + b"\n"


def sha256(data: bytes) -> str:
    """Return the SHA-256 of `data` as lower-case hex."""
    return hashlib.sha256(data).hexdigest()


def to_gzip(data: bytes) -> bytes:
    """Return `data` gzipped without name and time, so that equal data gives equal archives."""
    buffer = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=buffer, mtime=0, compresslevel=9) as archive:
        archive.write(data)
    return buffer.getvalue()


def _decoded(text: bytes) -> object:
    try:
        return msgspec.json.decode(text)
    except UnicodeDecodeError as error:
        raise msgspec.DecodeError(f"not UTF-8: {error.reason}") from None
    except RecursionError:
        raise msgspec.DecodeError("nested too deeply") from None


def _mended(value: object) -> object:
    """Return plain JSON values with U+FFFD for each lone surrogate of their texts and keys."""
    if isinstance(value, str):
        return _LONE.sub("\N{REPLACEMENT CHARACTER}", value)
    if isinstance(value, dict):
        return {_mended(key): _mended(inner) for key, inner in value.items()}
    return [_mended(inner) for inner in value] if isinstance(value, list | tuple) else value
