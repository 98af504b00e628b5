"""Canonical bytes: the same value gives the same JSON, hash and archive, wherever and whenever it is written."""

from __future__ import annotations

import gzip
import hashlib
import io

import msgspec


def to_json(value: object) -> bytes:
    """Return `value` as compact UTF-8 JSON with sorted keys and a final newline."""
    return msgspec.json.encode(value, order="sorted") + b"\n"


def sha256(data: bytes) -> str:
    """Return the SHA-256 of `data` as lower-case hex."""
    return hashlib.sha256(data).hexdigest()


def to_gzip(data: bytes) -> bytes:
    """Return `data` gzipped without name and time, so that equal data gives equal archives."""
    buffer = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=buffer, mtime=0, compresslevel=9) as archive:
        archive.write(data)
    return buffer.getvalue()
