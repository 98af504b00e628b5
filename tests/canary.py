"""Canaries: made-up secrets, and every form in which one could leave the program."""

from __future__ import annotations

import base64
import gzip
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import quote, quote_plus

SHORTEST = 12
"""Bytes of a part of a secret that count as the secret."""


def forms(secret: str) -> Iterator[tuple[str, bytes]]:
    """Yield a secret's forms by name: plain, URL, hex, reversed, UTF-16, and base64 from each of the three offsets."""
    raw = secret.encode()
    yield "plain", raw
    yield "URL", quote(secret, safe="").encode()
    yield "form", quote_plus(secret).encode()
    yield "hex", raw.hex().encode()
    yield "HEX", raw.hex().upper().encode()
    yield "UTF-16", secret.encode("utf-16-le")
    for offset in range(3):
        encoded = base64.b64encode(b"\0" * offset + raw)
        # Without the letters that the neighbours of the secret would change.
        core = encoded[4 if offset else 0 : len(encoded) - 4]
        yield f"base64 {offset}", core
        yield f"base64url {offset}", core.translate(bytes.maketrans(b"+/", b"-_"))


def parts(secret: str) -> Iterator[str]:
    """Yield a secret, and of a long one (a token, a key) its thirds too, so that a cut one is found."""
    yield secret
    third = len(secret) // 3
    if third >= SHORTEST:
        yield from (secret[:third], secret[third : 2 * third], secret[-third:])


def leaks(secrets: dict[str, str], texts: Iterable[tuple[str, bytes]]) -> list[str]:
    """Return each place in which a form of a secret stands, as `name of the secret, form, place`."""
    sought = {
        (name, form, needle)
        for name, secret in secrets.items()
        for part in parts(secret)
        for form, needle in forms(part)
        if len(needle) >= SHORTEST
    }
    return sorted(
        {f"{name}, {form}, {place}" for place, text in texts for name, form, needle in sought if needle in text}
    )


def written(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield every file below a folder by its name, its content unpacked too."""
    for path in sorted(folder.rglob("*")):
        if not path.is_file():
            continue
        data = path.read_bytes()
        yield path.name, data
        if data.startswith(b"\x1f\x8b"):
            yield f"{path.name}, unpacked", gzip.decompress(data)
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                yield from ((f"{path.name}, {name}", archive.read(name)) for name in archive.namelist())
