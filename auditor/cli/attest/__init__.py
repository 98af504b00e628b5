"""`entra-audit attest`: business owners sign for what is kept."""

from __future__ import annotations

import click

from auditor.cli.main import Verbs

VERBS = {
    "new": "Write a sheet for each business owner: what is kept, to be answered.",
    "import": "Check the sheets that came back, and write their answers into the register.",
    "status": "Say how each permission stands: signed, due, overdue, changed, missing.",
}
"""Each verb with its short help, in the order of a review; a test keeps them equal to the commands' own."""


@click.command(
    cls=Verbs,
    package="auditor.cli.attest",
    verbs=VERBS,
    epilog='Example: entra-audit attest new report/audit.json --owner "Dana Reyes" --out review',
)
def command() -> None:
    """Have business owners sign for what is kept: give out, import, status."""
