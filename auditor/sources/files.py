"""Files that somebody else made: read within bounds, and spoken of safely."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

from auditor.errors import InputError
from auditor.model.text import visible

MIB = 2**20
_MAGIC = b"\x1f\x8b"
_RATIO, _SWOLLEN = 250, 64 * MIB
"""An archive of which 64 MiB unpack to more than 250 times what they were packed in was made to fill memory."""


def read(path: Path, *, where: str, limit: int) -> bytes:
    """Return the content of a file, unpacked where it is gzip (told by its first bytes, not by its name).

    Args:
        path: the file.
        where: what an error calls it.
        limit: bytes, packed and unpacked, above which the file is refused.

    Raises:
        InputError: the file cannot be read, is too large, or is a damaged archive.
    """
    try:
        with path.open("rb") as file:
            data = _bounded(file.read, where=where, limit=limit)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "no valid file name"
        raise InputError(
            f"The file cannot be read: {reason}.",
            where=where,
            advice="Check the name and your right to read it.",
        ) from None
    return unpack(data, where=where, limit=limit)


def unpack(data: bytes, *, where: str, limit: int) -> bytes:
    """Return `data` unpacked where it is gzip, else as it is.

    Raises:
        InputError: the archive is cut or damaged, or unpacks to more than `limit` bytes.
    """
    if not data.startswith(_MAGIC):
        return data
    try:
        packed = io.BytesIO(data)
        with gzip.GzipFile(fileobj=packed) as archive:
            return _bounded(archive.read, where=where, limit=limit, packed=packed.tell)
    except EOFError:
        what = "The gzip archive is cut off."
    except (OSError, zlib.error):
        what = "The gzip archive is damaged."
    raise InputError(what, where=where, advice="Copy or write the file again.")


def shown(text: str, *, limit: int = 120) -> str:
    """Return a name that somebody else chose, fit for a message: `visible`, and not long."""
    return visible(text) if len(text) <= limit else f"{visible(text[:limit])}..."


def named(names: Sequence[str], *, limit: int = 20) -> str:
    """Return names that somebody else chose, fit for a message; those after the first `limit` are counted."""
    more = len(names) - limit
    return ", ".join(map(shown, names[:limit])) + (f" and {more} more" if more > 0 else "")


def _bounded(
    read_some: Callable[[int], bytes], *, where: str, limit: int, packed: Callable[[], int] | None = None
) -> bytes:
    """Return all that `read_some` gives; `packed` tells how much of an archive it has taken in so far."""
    chunks: list[bytes] = []
    size = swollen = taken = 0
    while chunk := read_some(MIB):
        chunks.append(chunk)
        size += len(chunk)
        before, taken = taken, packed() if packed else size
        swollen += len(chunk) if len(chunk) > _RATIO * (taken - before) else 0
        if size > limit or swollen > _SWOLLEN:
            kind = "The unpacked archive" if packed else "The file"
            bound = f"more than {limit // MIB} MiB" if size > limit else f"over {_RATIO} times the archive"
            raise InputError(f"{kind} is too large ({bound}).", where=where, advice="Check that it is the right file.")
    return b"".join(chunks)
