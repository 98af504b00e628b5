"""Text for readers: hostile strings made visible, cells without formulas, moments in English, links safe to follow.

Every reporter passes what a tenant can name through this module.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, date, datetime
from functools import lru_cache
from urllib.parse import urlsplit

from auditor.model.text import MONTHS, moment, steps, visible

__all__ = ["cell", "cut", "day", "host", "https_only", "odd_letters", "prose", "steps", "when"]

LONGEST = 2000
"""Characters of one text that a page shows; longer ones are cut."""

LONGEST_CELL = 32_000
"""Characters of one CSV cell; Excel moves what goes beyond 32,767 into the next row."""

_FORMULA = re.compile('(^|;)(?=[\\s"]*[=+\\-@\uff1d\uff0b\uff0d\uff20\\t\\r\\0])')
_HOST = re.compile(r"(?!-)[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})*\.[a-z][a-z0-9-]{1,62}")
"""A host by name: the last part of an address by number begins with a digit."""
_URL = re.compile(r"https://[A-Za-z0-9._~:/?#\[\]@!$&()*+,;=%-]+")
_WORD = re.compile(r"[^\W\d_]+")
_OTHER_SHAPES = ("LATIN ", "CJK ", "HIRAGANA ", "KATAKANA", "HANGUL ")
"""Beginnings of the names of letters that are Latin, or that nobody takes for Latin ones."""

MOST_LETTERS = 3
"""Look-alike letters of one name that are spelled out."""


def odd_letters(name: str) -> str:
    """Return ` (contains U+043E Cyrillic small letter o)` for other scripts' letters inside Latin words, else nothing.

    Letters that stand apart from Latin ones, accented Latin letters and East Asian ones are no look-alikes.
    """
    words = [word for word in _WORD.findall(name) if any(letter.isascii() for letter in word)]
    letters = dict.fromkeys(letter for word in words for letter in word if not letter.isascii())
    named = [(letter, unicodedata.name(letter, "")) for letter in letters]
    odd = [
        f"U+{ord(letter):04X} {name.capitalize()}".rstrip()
        for letter, name in named
        if not name.startswith(_OTHER_SHAPES)
    ]
    return f" (contains {', '.join(odd[:MOST_LETTERS])}{' and more' if len(odd) > MOST_LETTERS else ''})" if odd else ""


@lru_cache(maxsize=4096)
def prose(text: str) -> str:
    """Return sentences on one line, cut: line breaks and runs of blanks become one blank."""
    return visible(cut(" ".join(text.split())))


def cut(text: str, longest: int = LONGEST) -> str:
    """Return `text` as it is up to `longest` characters, else its beginning and how long it was."""
    return text if len(text) <= longest else f"{text[:longest]}… ({len(text)} characters)"


def cell(value: object, longest: int = LONGEST_CELL) -> str:
    """Return `value` as one CSV cell that no spreadsheet takes for a formula.

    None is empty, booleans are `true` and `false`, moments are ISO 8601 in UTC, sequences are joined with `; `. A quote
    is set before a formula at the beginning, with blanks and double quotes before it or not, and after semicolons,
    because some locales split there and take the double quotes for their own.
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    if isinstance(value, tuple):
        return cell("; ".join(str(part) for part in value), longest)
    return cut(visible(_FORMULA.sub(r"\1'", str(value))), longest)


def when(at: datetime | None) -> str:
    """Return `22 Nov 2026 09:14 UTC`; empty for None."""
    return moment(at) if at else ""


def day(value: date | str) -> str:
    """Return `22 Nov 2026`; a string that is no YYYY-MM-DD date comes back as it is."""
    try:
        on = date.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        return str(value)
    return f"{on.day} {MONTHS[on.month - 1]} {on.year}"


@lru_cache(maxsize=4096)
def https_only(url: str) -> str:
    """Return `url` when it is a plain https address with a host name and nothing that hides its target, else empty."""
    if not _URL.fullmatch(url):
        return ""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return ""
    plain = _HOST.fullmatch(parts.hostname or "") and "@" not in parts.netloc and port in {None, 443}
    return url if plain else ""


def host(url: str) -> str:
    """Return the host name of a URL that `https_only` accepts."""
    return urlsplit(url).hostname or ""
