"""Markdown: a tenant's strings as text, whatever they hold, in every reader of CommonMark and GitHub's dialect.

What a reader could bring to life (a link, a name that somebody is told of, an emoji, a number of an issue) stands in
code spans, where nothing lives; the rest is escaped. No line begins with a tenant's string, none holds a line break.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from auditor.model.text import count
from auditor.reporters.text import cut, prose

_ALIVE = re.compile(r"[@#$]|:(?!$)|\w[./\\]\w|www", re.IGNORECASE)
_MARKS = re.compile(r"[\\`*_\[\]{}|~]")
_FIRST = re.compile(r"^([-+=]|\d+(?=[.)]))")
LONGEST_CELL = 200
"""Characters of one cell of a table; longer ones are cut."""

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


def cell(value: str) -> str:
    """Return sentences as one cell of a table; readers differ on bars behind backslashes, so each is a broken bar."""
    shown = prose(cut(" ".join(value.split()), LONGEST_CELL).replace("|", "\N{BROKEN BAR}"))
    return " ".join(_word(word) for word in shown.split())


def table(head: Sequence[str], rows: Iterable[Sequence[str]], longest: int) -> str:
    """Return a table of Markdown cells, of at most about `longest` characters, with a word of the rows left out."""
    lines = [f"| {' | '.join(row)} |" for row in rows]
    size, shown = 0, 0
    while shown < len(lines) and size + len(lines[shown]) <= longest:
        size += len(lines[shown])
        shown += 1
    left = [f"\nAnd {count(len(lines) - shown, 'more row')}: see the other reports."] if shown < len(lines) else []
    return "\n".join([f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}", *lines[:shown], *left])


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
