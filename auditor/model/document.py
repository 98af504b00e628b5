"""A document of ours: JSON that names its schema and version, decoded strictly."""

from __future__ import annotations

from typing import TypeVar

import msgspec
from msgspec import Struct

from auditor.errors import InputError
from auditor.model.text import visible

T = TypeVar("T")


class Kind(Struct, frozen=True, kw_only=True):
    """One kind of document."""

    schema: str
    version: int
    """The newest that is read."""
    noun: str
    """What an error calls one: `audit result`."""
    article: str = "a"
    advice: str
    """What to give in place of a file that is none."""


class _Envelope(Struct):
    schema: str = ""
    version: int = 0


def decode_document(data: bytes, where: str, kind: Kind, shape: type[T]) -> T:
    """Return the document that `data` holds.

    Raises:
        InputError: it is cut, no JSON, of another kind or shape, or of a newer version; its place is `where`.
    """
    try:
        envelope = msgspec.json.decode(data, type=_Envelope)
        if envelope.schema != kind.schema:
            raise InputError(f"This is not {kind.article} {kind.noun}.", where=where, advice=kind.advice)
        if envelope.version > kind.version:
            raise InputError(
                f"This {kind.noun} has version {envelope.version}; this program reads up to {kind.version}.",
                where=where,
                advice="Use the entra-audit that wrote it, or a newer one.",
            )
        return msgspec.json.decode(data, type=shape)
    except msgspec.ValidationError as error:
        what = f"This is not a valid {kind.noun}: {visible(str(error))}."
        raise InputError(what, where=where, advice=kind.advice) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        what = f"This is not JSON, or it was cut: {visible(str(error))}."
        raise InputError(what, where=where, advice=kind.advice) from None
