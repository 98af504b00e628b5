"""Words of others in a chat message: no mark-up, no link, no mention and no address comes alive in them."""

from __future__ import annotations

import re
from functools import cache

from auditor.knowledge.references import known_permissions
from auditor.model.text import visible

LONGEST = 120
"""Characters that are shown of one name."""

_ADDRESS = re.compile(r"(?<!\S)[^\s@]*@\S*")
_LINK_DOT = re.compile(r"\.(?=\S)")
_LINK_COLON = re.compile(r":(?=\S)")
_MARKUP = str.maketrans({mark: chr(ord(mark) + 0xFEE0) for mark in "#$&*<>@[\\]^_`{|}~"})
"""To the same character in its full width, which is read alike and means nothing to any channel."""


def inert(text: str, *, names: bool, longest: int = LONGEST) -> str:
    """Return `text` on one line, cut, with nothing in it that a channel could take for more than text.

    Args:
        text: hostile.
        names: leave what looks like a person's user principal name or mail address; else it reads `(a person)`.
        longest: characters.
    """
    shown = visible(" ".join(text[: longest * 20].split()))
    if not names:
        shown = _ADDRESS.sub("(a person)", shown)
    if len(shown) > longest:
        shown = f"{shown[: longest - 1]}…"
    return _LINK_COLON.sub("\N{FULLWIDTH COLON}", _LINK_DOT.sub("\N{ONE DOT LEADER}", shown)).translate(_MARKUP)


def permission(value: str, *, names: bool) -> str:
    """Return a permission's value as it is written where the permission tables have it, else as `inert` gives it."""
    return value if value in _known() else inert(value, names=names)


@cache
def _known() -> frozenset[str]:
    return frozenset(entry.permission for family in known_permissions().families for entry in family.permissions)
