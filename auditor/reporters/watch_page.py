"""The combined report of several tenants: watch.html, watch.json and watch.csv."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from typing import get_args

from auditor.model.canonical import to_json
from auditor.model.outcome import Decision, Severity
from auditor.model.watch import Watch, WatchedAudit
from auditor.reporters.csv import table
from auditor.reporters.environment import rendered

COLUMNS = (
    "tenant", "app", "state", "exit_code", "tenant_id", "tenant_name", "taken_at", *get_args(Decision),
    *(severity.value for severity in Severity), "compared", "new_findings", "granted", "maybe_granted",
    "gone", "maybe_gone", "missed", "uncertain", "run", "head", "report",
    "why",
)  # fmt: skip
"""Of watch.csv. What changed is empty where nothing was compared, and the counts where the tenant failed."""
_CHANGED = ("granted", "maybe_granted", "gone", "maybe_gone", "missed", "uncertain")


def watch_files(watch: Watch) -> dict[str, bytes]:
    """Return the files of the combined report by name."""
    return {"watch.csv": table(COLUMNS, list(map(_row, watch.audits))), "watch.html": watch_html(watch),
            "watch.json": to_json(watch)}  # fmt: skip


def watch_html(watch: Watch) -> bytes:
    """Return the page: what is not known first, then one row for each tenant and app, with the way to its report."""
    return rendered(
        "watch.html.j2",
        styles=("report.css", "watch.css"),
        w=watch,
        total=_sum(audit.findings for audit in watch.audits),
        new=_sum(audit.change.new_findings for audit in watch.audits if audit.change),
        compared=[audit for audit in watch.audits if audit.change],
        severities=list(Severity),
        order=get_args(Decision),
    )


def _sum(counted: Iterable[dict[Severity, int]]) -> dict[Severity, int]:
    pairs = list(chain.from_iterable(counts.items() for counts in counted))
    return {severity: sum(number for one, number in pairs if one == severity) for severity in Severity}


def _row(audit: WatchedAudit) -> dict[str, object]:
    read, change, history = audit.state != "failed", audit.change, audit.history
    names = ("tenant", "app", "state", "exit_code", "tenant_id", "tenant_name", "taken_at", "report")
    return {
        **{name: getattr(audit, name) for name in names},
        **{decision: audit.decisions.get(decision, 0) if read else None for decision in get_args(Decision)},
        **{severity.value: audit.findings.get(severity, 0) if read else None for severity in Severity},
        "compared": change is not None,
        "new_findings": sum(change.new_findings.values()) if change else None,
        **{name: getattr(change, name) if change else None for name in _CHANGED},
        "run": history.number if history else None,
        "head": history.sha256 if history else "",
        "why": audit.why,
    }
