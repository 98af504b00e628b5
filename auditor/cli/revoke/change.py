"""`entra-audit revoke change`: a plan for the change board."""

from __future__ import annotations

from pathlib import Path

import click

from auditor.cli.options import Target


@click.command(epilog="Example: entra-audit revoke change plan.json --change CHG0012345 --out change")
@click.argument("plan", type=click.Path(path_type=Path), metavar="PLAN.json")
@click.option("--change", "change_id", default="", metavar="ID", help="The change's id; else a line to fill in.")
@click.option("--approved-by", default="", metavar="NAME", help="Who approved it; else a line to fill in.")
@click.option("--out", type=Target(), default="change", show_default=True, metavar="DIR", help="Folder for the pages.")
def command(plan: Path, change_id: str, approved_by: str, out: Path) -> int:
    """Write the page for the change board and the tests to run.

    change.html and change.md say what is done and why, who is touched, the risk, the rollback and the timing, with a
    text for the service desk and lines to sign. testplan.md holds the tests. Nothing in the tenant is read or changed.
    """
    from auditor.workflow.change import change

    for path in change(plan, out=out, change_id=change_id, approved_by=approved_by):
        click.echo(path)
    return 0
