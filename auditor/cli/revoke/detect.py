"""`entra-audit revoke detect`: an alert for what a plan took away."""

from __future__ import annotations

from pathlib import Path

import click

from auditor.cli.options import Target
from auditor.remedy.detect import queries


@click.command(epilog="Example: entra-audit revoke detect plan.json --format sentinel --out alert.kql")
@click.argument("plan", type=click.Path(path_type=Path), metavar="PLAN.json")
@click.option(
    "--format", "wanted", type=click.Choice(list(queries())), required=True, help="The product that runs the query."
)
@click.option("--out", type=Target(), metavar="FILE", help="File for the query; else it is printed.")
def command(plan: Path, wanted: str, out: Path | None) -> int:
    """Write a query that warns when a removed permission comes back.

    It watches the directory audit log for exactly the apps, resources and permissions of the plan, and shows when, who,
    from which address and with which correlation id. Nothing in the tenant is read or changed.
    """
    from auditor.workflow.detect import detect

    text = detect(plan, query=queries()[wanted], out=out)
    click.echo(out if out is not None else text, nl=out is not None)
    return 0
