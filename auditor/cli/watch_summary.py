"""What `watch` prints: a line on stderr as each tenant ends, and the summary of all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from auditor.model.text import count
from auditor.model.watch import Watch, WatchedAudit
from auditor.reporters.text import prose

if TYPE_CHECKING:
    from rich.console import Console

_STYLES = {"complete": "green", "incomplete": "bold yellow", "failed": "bold red"}


def tell_end(audit: WatchedAudit) -> str:
    """Say on stderr that an audit ended, and why it failed; return what was said."""
    why = f": {prose(' '.join(audit.why))}" if audit.state == "failed" else ""
    said = f"{audit.tenant}, {audit.app}: {audit.state}{why}"
    click.echo(said, err=True)
    return said


def print_watch(watch: Watch, paths: Sequence[Path], console: Console) -> None:
    """Print one line for each audit, and the `paths` of the combined report."""
    from rich.text import Text

    failed = sum(audit.state == "failed" for audit in watch.audits)
    head = f"{count(len(watch.audits), 'audit')}, {failed} failed, exit code {watch.exit_code}"
    lines = [Text(head, style="bold")]
    if watch.unknown:
        lines.append(Text.assemble(("INCOMPLETE", "bold yellow"), ": what is missing is not known to be fine."))
    for audit in watch.audits:
        named = prose(audit.tenant_name or audit.tenant_id)
        lines.append(
            Text.assemble(
                (audit.tenant, "bold"),
                f" ({named})" if named else "",
                f", {prose(audit.app_title)}: ",
                (audit.state if audit.state != "incomplete" else "INCOMPLETE", _STYLES[audit.state]),
                f". {_said(audit)}",
            )
        )
    for line in lines:
        console.print(line, markup=False, highlight=False, emoji=False, soft_wrap=True)
    for path in paths:
        console.print(f"Written: {prose(str(path))}", markup=False, highlight=False, emoji=False, soft_wrap=True)


def _said(audit: WatchedAudit) -> str:
    if audit.state == "failed":
        return prose(" ".join(audit.why))
    since = f" Since last time: {_since(audit)}." if audit.change else ""
    return f"Findings: {audit.found}.{since}"


def _since(audit: WatchedAudit) -> str:
    assert audit.change  # noqa: S101 - what it is called for
    new = ", ".join(f"{number:,} {severity}" for severity, number in audit.change.new_findings.items())
    return "; ".join(filter(None, (f"new {new}" if new else "", audit.change.words))) or audit.unchanged
