"""Words for numbers and moments, and hostile text made visible, the same on every machine.

What counts as invisible is a fixed list of ranges and not the interpreter's Unicode tables, so that the same input
gives the same bytes under every Python version.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime

_MARK = "[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]"
_HIDDEN = re.compile(
    "["
    "\x00-\x1f\x7f-\x9f"  # C0, DEL, C1
    "\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"  # soft hyphen, joiners, fillers, Arabic letter mark
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f\u2800"  # zero-width, marks, separators, bidi, blank
    "\u3164\uffa0\ufe00-\ufe0f\ufeff"  # fillers, variation selectors, byte order mark
    "\ufdd0-\ufdef\ufff0-\ufffb\ufffe\uffff"  # no characters, annotations
    "\ud800-\udfff\ue000-\uf8ff"  # lone surrogates, private use
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U00040000-\U0010ffff"  # tags, private use, nothing
    f"]|{_MARK}(?<={_MARK * 4})"  # marks upon three marks: they pile up over the lines around
)

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def visible(text: str) -> str:
    """Return `text` with characters that hide, steer or turn text as U+ escapes in angle quotes."""
    if text.isascii() and text.isprintable():
        return text
    return _HIDDEN.sub(lambda hit: f"\u2039U+{ord(hit[0]):04X}\u203a", text)


def moment(when: datetime) -> str:
    """Return a moment as `22 Nov 2026 09:14 UTC`, whatever the locale."""
    utc = when.astimezone(UTC)
    return f"{utc.day} {MONTHS[utc.month - 1]} {utc.year} {utc:%H:%M} UTC"


def count(number: int, noun: str, plural: str = "") -> str:
    """Return `1 grant`, `4,210 grants`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def listed(words: Sequence[str]) -> str:
    """Return `a`, `a and b`, `a, b and c`."""
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)


def steps(text: str) -> list[str]:
    """Return the parts of `1) ... 2) ...`, or the whole as one part where it is not numbered so."""
    parts = [text]
    while (cut_at := parts[-1].find(f" {len(parts) + 1}) ")) >= 0 and text.startswith("1) "):
        parts[-1:] = [parts[-1][:cut_at], parts[-1][cut_at + 1 :]]
    return [part.partition(") ")[2] for part in parts] if len(parts) > 1 else [text]


def encoding_of(head: bytes) -> str:
    """Return the encoding of a text file by its first bytes: a byte order mark, else where the NUL of UTF-16 stands.

    Text without either is taken for UTF-8. The names are Python's, and each drops a byte order mark.
    """
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    if head[1:2] == b"\0":
        return "utf-16-le"
    return "utf-16-be" if head[:1] == b"\0" else "utf-8-sig"
