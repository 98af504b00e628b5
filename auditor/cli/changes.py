"""What changed, on the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from auditor.model.drift import Drift
from auditor.model.text import count
from auditor.reporters.changes import Change, groups
from auditor.reporters.text import prose, when

if TYPE_CHECKING:
    from rich.text import Text

_STYLES = {
    "added": "red",
    "widened": "red",
    "granted-again": "red",
    "new": "red",
    "returned": "bold red",
    "lapsed": "yellow",
    "closed": "green",
}


def change_lines(drift: Drift, *, most: int) -> Iterator[tuple[int, Text]]:
    """Yield lines with their indentation: at most `most` changes under each head.

    Everything is rich Text, never markup, and without control, bidi or zero-width characters.
    """
    from rich.text import Text

    found = groups(drift)
    since = Text.assemble((f"Since {when(drift.before_taken_at)}", "bold"))
    if not found:
        since.append(": nothing changed, as far as could be compared.")
    yield 0, since
    for group in found:
        yield 2, Text.assemble((group.title, "bold"), (f" ({len(group.changes):,})", "dim"))
        for change in group.changes[:most]:
            yield 4, _change(change)
        if len(group.changes) > most:
            yield 4, Text(f"and {count(len(group.changes) - most, 'more line')}: see drift.csv", "dim")
    for note in drift.notes:
        yield 2, Text(prose(note), "yellow")


def _change(change: Change) -> Text:
    from rich.text import Text

    severity = f"{prose(change.severity)} " if change.severity else ""
    about = f"{prose(change.about)} " if change.about else ""
    who = f" By {prose(change.who)}" if change.who else ""
    return Text.assemble(
        (f"{prose(change.word)} " if change.word else "", _STYLES.get(change.word, "")),
        (severity, ""),
        (about, "bold"),
        (f"{prose(change.where)}{':' if change.details or who else ''}", "dim"),
        (f" {prose(' '.join(change.details))}" if change.details else "", ""),
        (who, "italic"),
    )
