"""The summary that a run prints: what was found, what is missing, where the reports lie, what to do next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from msgspec import UNSET, UnsetType

from auditor.cli.changes import change_lines
from auditor.model.history import HistoryHead
from auditor.model.outcome import AuditResult, ClosedFinding, Decision, Severity
from auditor.model.text import count
from auditor.reporters.page import AppBlock, Page, page
from auditor.reporters.text import prose, when

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

Line = tuple[int, "Text"]
"""Columns of indentation, and what stands behind them."""

NARROWEST = 20
"""Columns that a text gets however narrow the terminal is."""

TOP = 5
"""Kinds of finding, and changes under one head, that the summary names."""

_DECISION_STYLES = {
    "keep": "green",
    "keep-and-scope": "cyan",
    "revoke": "red",
    "revoke-after": "yellow",
    "replace": "magenta",
    "ask": "blue",
}
_SEVERITY_STYLES = {
    Severity.CRITICAL: "bold red",
    Severity.HIGH: "red",
    Severity.MEDIUM: "yellow",
    Severity.LOW: "blue",
    Severity.INFO: "dim",
}


def print_summary(result: AuditResult, paths: Sequence[Path], console: Console) -> None:
    """Print the summary of `result` and the `paths` that were written.

    Everything is printed as rich Text, never as markup, and without control, bidi or zero-width characters.
    """
    print_lines(_lines(result), console)
    for path in paths:
        console.print(f"Written: {prose(str(path))}", markup=False, highlight=False, emoji=False, soft_wrap=True)
    console.print(f"Next: {_next(result, paths)}", markup=False, highlight=False, emoji=False, soft_wrap=True)


def print_lines(lines: Iterable[Line], console: Console) -> None:
    """Print lines, each wrapped behind its own indentation."""
    for indent, line in lines:
        for part in line.wrap(console, max(console.width - indent, NARROWEST)) or [line]:
            part.rstrip()
            console.print(" " * indent, part, sep="", markup=False, highlight=False, soft_wrap=True)


def _lines(result: AuditResult) -> list[Line]:
    where = f"{prose(result.profile_title)} in {prose(result.tenant_name or result.tenant_id or 'an unnamed tenant')}"
    lines = [_line(0, (where, "bold"), (f", taken {when(result.taken_at)}, policy {prose(result.policy_name)}", ""))]
    if not result.complete:
        lines.append(_line(0, ("INCOMPLETE", "bold yellow"), (": what is missing is not known to be fine.", "")))
        lines += [_line(2, (prose(reason), "yellow")) for reason in result.incomplete_reasons]
    lines.append(_line(0, (prose(result.headline), "")))
    shown = page(result)
    for block in shown.blocks:
        lines += [_line(0), *_app(block)]
    since = change_lines(result.drift, most=TOP) if result.drift else ()
    return [
        *lines,
        _line(0),
        *_findings(shown),
        *_closed(result.closed),
        *since,
        *_kept(result.history),
        _line(0),
    ]


def _app(block: AppBlock) -> list[Line]:
    app = block.app
    parts = [(f"{number} {name}  ", _DECISION_STYLES[name]) for name, number in sorted(block.counts, key=_place)]
    what = f" · {prose(app.integration)}" if app.integration else ""
    return [
        _line(
            0,
            (f"{block.number}. {prose(block.title)}{what}", "bold"),
            (f" ({prose(app.app_id)}, {app.match})", "dim"),
            ("" if block.whole else " not read in full", "yellow"),
        ),
        _line(2, (prose(app.headline), "")),
        _line(2, *(parts or [("No permission was read.", "")])),
    ]


def _place(counted: tuple[str, int]) -> int:
    return get_args(Decision).index(counted[0])


def _findings(shown: Page) -> list[Line]:
    found: Counter[tuple[int, str, str]] = Counter()
    for group in shown.findings:
        found[group.first.severity.rank, group.first.axis, group.first.title] += len(group.rows)
    rows, each = (sum(numbers) for numbers in list(zip(*shown.severities, strict=True))[1:])
    persons = f" ({each} with each person)" if each > rows else ""
    lines = [
        _line(
            0,
            (count(rows, "finding"), "bold"),
            (f"{persons}, {count(shown.not_evaluated, 'outcome')} not evaluated", ""),
        )
    ]
    for (rank, axis, title), number in sorted(found.items())[:TOP]:
        severity = list(Severity)[rank]
        style = _SEVERITY_STYLES[severity]
        lines.append(_line(2, (f"{severity:<8}", style), (f" {prose(title)}", ""), (f" ({axis}, {number})", "dim")))
    if len(found) > TOP:
        lines.append(_line(2, (f"and {count(len(found) - TOP, 'more kind')}: see the report", "dim")))
    return lines


def _closed(closed: Sequence[ClosedFinding]) -> list[Line]:
    """Return what became of the findings that a plan was to close."""
    if not closed:
        return []
    anew = sum(bool(one.found_as) for one in closed)
    back = sum(one.still_open for one in closed) - anew
    unknown = sum(not one.evaluated for one in closed)
    plans = ", ".join(dict.fromkeys(prose(one.plan[:12]) for one in closed))
    rest = (
        (back, "open again", "bold red"),
        (anew, "open: the permission was granted again", "bold red"),
        (unknown, "not evaluated: not known to be gone", "yellow"),
    )
    gone = count(len(closed) - back - anew - unknown, "finding")
    return [
        _line(0, (gone, "bold green"), (f" closed since plan {plans}", "")),
        *(_line(2, (f"{count(number, 'finding')} {what}", style)) for number, what, style in rest if number),
    ]


def _kept(head: HistoryHead | UnsetType) -> list[Line]:
    """Return where the run stands in its history, with the hash in full: it is what a reader notes."""
    if head is UNSET:
        return []
    taken = head.previous_taken_at
    before = f"after run {head.previous_run} of {when(taken)}" if taken else "the first that is kept"
    return [_line(0, (f"Kept as run {head.number}", "bold"), (f", {before}: {prose(head.sha256)}", ""))]


def _next(result: AuditResult, paths: Sequence[Path]) -> str:
    page = next((path for path in paths if path.name == "report.html"), None)
    read = (
        f"open {prose(str(page))}"
        if page
        else "render the report: entra-audit report audit.json --format html --out DIR"
    )
    unconfirmed = sum(1 for app in result.apps if app.confirm_line)
    if not unconfirmed:
        return f"{read}."
    return (
        f"{read}; then confirm or exclude {count(unconfirmed, 'app')} in entra-audit.yaml (the report has the lines)."
    )


def _line(indent: int, *parts: tuple[str, str]) -> Line:
    from rich.text import Text

    return indent, Text.assemble(*parts)
