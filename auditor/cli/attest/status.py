"""`entra-audit attest status`: what is signed, and what is left to do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from auditor.cli.options import Target
from auditor.errors import ExitCode
from auditor.model.attestation import OPEN
from auditor.reporters.text import day, prose

if TYPE_CHECKING:
    from rich.table import Table

    from auditor.workflow.attest import Standing

_STYLES = {"current": "green", "due-soon": "yellow", "not-asked": "dim"}


@click.command(epilog="Example: entra-audit attest status report/audit.json --register attestations.json")
@click.argument("audit", type=click.Path(path_type=Path), metavar="AUDIT.json")
@click.option(
    "--register", type=click.Path(path_type=Path), required=True, metavar="FILE", help="What `attest import` wrote."
)
@click.option(
    "--on",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="DATE",
    help="The day for which it is said, not before the tenant was read; default: that day.",
)
@click.option("--out", type=Target(), metavar="FILE.csv", help="Write the table as CSV, too.")
def command(audit: Path, *, register: Path, on: datetime | None, out: Path | None) -> int:
    """Say how each permission stands: signed, due, overdue, changed, missing.

    Exit code 0: all that is kept is signed for. 1: something is overdue, changed, missing, or signed away and still
    held. 3: the audit is incomplete, so there may be more.
    """
    from rich.console import Console

    from auditor.workflow.attest import status, status_csv
    from auditor.workflow.writing import write_file

    result, lines = status(audit, register, day=on.date() if on else None)
    if out is not None:
        write_file(out, status_csv(lines))
    console = Console()
    shown = [line for line in lines if line.attestation.state != "not-asked"]
    if shown:
        console.print(_table(shown))
    numbers = Counter(line.attestation.state for line in lines)
    said = ", ".join(f"{number} {state}" for state, number in numbers.items()) or "no permission is held"
    on_day = on.date().isoformat() if on else f"{result.taken_at.date().isoformat()}, when the tenant was read"
    console.print(f"{said}; on {on_day}.", markup=False, highlight=False, soft_wrap=True)
    if not result.complete:
        console.print("INCOMPLETE: the audit may lack grants that nobody signed for.", markup=False, highlight=False)
        return int(ExitCode.INCOMPLETE)
    return int(ExitCode.FINDINGS if any(numbers[state] for state in OPEN) else ExitCode.CLEAN)


def _table(lines: Sequence[Standing]) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in ("state", "app", "permission", "grants", "signed by", "review"):
        table.add_column(name, justify="right" if name == "grants" else "left", overflow="fold")
    for line in lines:
        state = line.attestation.state
        kind = line.kind if line.consent != "AllPrincipals" else "delegated, everybody"
        table.add_row(
            Text(state, style=_STYLES.get(state, "red")),
            Text(prose(line.app_name or line.app_id)),
            Text(f"{prose(line.permission)} ({kind})"),
            Text(f"{line.grants:,}"),
            Text(prose(line.attestation.signer)),
            Text(day(line.attestation.next_review or "")),
        )
    return table
