"""Markdown: a tenant's strings as text, whatever they hold, in every reader of CommonMark and GitHub's dialect.

What a reader could bring to life (a link, a name that somebody is told of, an emoji, a number of an issue) stands in
code spans, where nothing lives; the rest is escaped. No line begins with a tenant's string, none holds a line break.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from auditor.reporters.text import prose

_ALIVE = re.compile(r"[@#$]|:(?!$)|\w[./\\]\w|www", re.IGNORECASE)
_MARKS = re.compile(r"[\\`*_\[\]{}|~]")
_FIRST = re.compile(r"^([-+=]|\d+(?=[.)]))")
_TAIL = re.compile(r"[.,;:)]*$")


def text(value: str) -> str:
    """Return sentences on one line."""
    return _FIRST.sub(_begun, " ".join(_word(word) for word in prose(value).split()))


def code(value: str) -> str:
    """Return a name or id as a code span."""
    shown = prose(value) or "(empty)"
    fence = "`" * (_longest(shown) + 1)
    pad = " " if shown.startswith("`") or shown.endswith("`") else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def block(lines: Iterable[str]) -> str:
    """Return lines as a block that can be pasted elsewhere as it is."""
    shown = [prose(line) for line in lines]
    fence = "`" * max(3, _longest("\n".join(shown)) + 1)
    return "\n".join([fence, *shown, fence])


def items(lines: Iterable[str], mark: str = "-") -> str:
    """Return lines of Markdown as a list."""
    return "\n".join(f"{mark} {line}" for line in lines)


def _word(word: str) -> str:
    if not _ALIVE.search(word):
        return _escaped(word)
    tail = (_TAIL.search(word) or [""])[0]
    body = word[: len(word) - len(tail)]
    return code(body) + tail if body else _escaped(word)


def _escaped(text: str) -> str:
    marked = _MARKS.sub(r"\\\g<0>", text)
    return marked.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _begun(hit: re.Match[str]) -> str:
    return f"\\{hit[0]}" if not hit[0].isdigit() else f"&#{ord(hit[0][0])};{hit[0][1:]}"


def _longest(text: str) -> int:
    """Return the length of the longest run of back-ticks."""
    return max((len(run) for run in re.findall("`+", text)), default=0)
