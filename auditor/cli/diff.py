"""`entra-audit diff`: what changed between two audits."""

from __future__ import annotations

from pathlib import Path

import click

from auditor.cli.options import Target
from auditor.errors import ExitCode, UsageError
from auditor.model.outcome import Severity

MOST = 40
"""Changes that the terminal shows under one head."""
NEW = [f"new:{severity.value}" for severity in Severity]


@click.command(
    epilog="Examples: entra-audit diff last-week today --out changes   |   "
    "entra-audit diff history:11 history:12 --history default"
)
@click.argument("first", metavar="BEFORE")
@click.argument("second", metavar="AFTER")
@click.option("--history", metavar="LOCATION", help="Where `history:N` is: `default`, a file, or a database.")
@click.option(
    "--config", type=click.Path(path_type=Path), help="Configuration; default ./entra-audit.yaml if there is one."
)
@click.option("--tenant", metavar="ID", default="", help="Of a history with several: runs of this tenant.")
@click.option("--profile", metavar="P", default="", help="Of a history with several: runs of this app profile.")
@click.option("--out", type=Target(), metavar="DIR", help="Folder for drift.json, drift.csv and drift.md.")
@click.option(
    "--fail-on",
    type=click.Choice([*NEW, "never"]),
    metavar="new:SEVERITY",
    default="never",
    show_default=True,
    help="Exit 1 for a finding of this severity or worse that is new or has returned.",
)
def command(
    *,
    first: str,
    second: str,
    history: str | None,
    config: Path | None,
    tenant: str,
    profile: str,
    out: Path | None,
    fail_on: str,
) -> int:
    """Say what changed between two audits of one tenant, with who did it and when.

    BEFORE and AFTER are each a folder that `run` wrote, an audit.json whose snapshot lies beside it, or history:N, the
    run N of a history. Grants, answers and decisions, apps, findings and waivers are compared; what one of the audits
    did not read to the end is not taken for gone.
    """
    from rich.console import Console

    from auditor.cli.changes import change_lines
    from auditor.cli.summary import print_lines
    from auditor.reporters.text import prose
    from auditor.workflow.diff import diff
    from auditor.workflow.history import Chosen
    from auditor.workflow.prepare import configured

    if history is not None and not history.strip():
        raise UsageError("The location is empty.", where="--history", advice="Name one, or leave it out.")
    kept = any(one.startswith("history:") for one in (first, second))
    location = history or (configured(config)[0].history if kept else "")
    chosen = Chosen(tenant_id=tenant, profile=profile)
    found, paths = diff(first, second, history=location, chosen=chosen, out=out)
    console = Console()
    print_lines(change_lines(found, most=MOST), console)
    for path in paths:
        console.print(f"Written: {prose(str(path))}", markup=False, highlight=False, emoji=False, soft_wrap=True)
    if fail_on == "never":
        return int(ExitCode.CLEAN)
    least = Severity(fail_on.removeprefix("new:")).rank
    loud = any(one.what in {"new", "returned"} and Severity(one.severity).rank <= least for one in found.findings)
    return int(ExitCode.FINDINGS if loud else ExitCode.CLEAN)
