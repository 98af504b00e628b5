"""`entra-audit attest new`: sheets for business owners."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

import click

from auditor.cli.options import Target
from auditor.model.text import count, visible


@click.command(
    epilog='Examples: entra-audit attest new report/audit.json --owner "Dana Reyes" --out review   |   '
    "entra-audit attest new report/audit.json --owners owners.csv --due 2027-01-15 --out review"
)
@click.argument("audit", type=click.Path(path_type=Path), metavar="AUDIT.json")
@click.option("--owner", metavar="NAME", help="Who answers for everything.")
@click.option(
    "--owners",
    type=click.Path(path_type=Path),
    metavar="FILE.csv",
    help="Who answers for what: columns app_id, permission (may be left out) and business_owner; "
    "an empty app_id is every other app.",
)
@click.option(
    "--register",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Leave out what an answer in it covers and is not due for review within 30 days.",
)
@click.option(
    "--due", type=click.DateTime(["%Y-%m-%d"]), metavar="DATE", help="The day by which the sheets should come back."
)
@click.option("--out", type=Target(), required=True, metavar="DIR", help="Folder for the sheets.")
def command(
    audit: Path, *, owner: str | None, owners: Path | None, register: Path | None, due: datetime | None, out: Path
) -> int:
    """Write a sheet for each business owner: what is kept, to be answered.

    A workbook and a CSV file with the same rows: one for each permission of each app that the audit keeps. Many
    people's own consents to one permission are one row with their number.
    """
    from auditor.workflow.attest import give_out

    answer_by: date | None = due.date() if due else None
    given = give_out(audit, owner=owner, owners=owners, register=register, answer_by=answer_by, out=out)
    for name, rows in given.rows.items():
        click.echo(f"{visible(name)}: {count(rows, 'row')}")
    if given.carried:
        click.echo(f"Left out, because an answer still holds: {count(given.carried, 'row')}")
    for path in given.paths:
        click.echo(f"Written: {visible(str(path))}")
    if not given.paths:
        click.echo("There is nothing to ask.")
    if not given.complete:
        click.echo("INCOMPLETE: the audit may lack permissions that nobody is asked about.")
    return 0
