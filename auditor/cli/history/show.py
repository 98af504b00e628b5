"""`entra-audit history show`: a kept run's reports again."""

from __future__ import annotations

from typing import Any

import click

from auditor.cli.history.where import where, where_options
from auditor.cli.options import Target
from auditor.cli.run import FORMATS, choose_formats


@click.command(epilog="Example: entra-audit history show 12 --history default --out run-12")
@click.argument("number", type=click.IntRange(1), metavar="RUN")
@where_options
@click.option("--format", "formats", default="html,csv,json", show_default=True, help=FORMATS)
@click.option("--out", type=Target(), required=True, metavar="DIR", help="Folder for the reports.")
def command(number: int, **values: Any) -> int:
    """Write the reports of a kept run again, byte for byte the same.

    What changed since the run before is told from both runs: where the contents of the one before were pruned, the
    reports are written without it.
    """
    from auditor.workflow.history import show

    reporters = choose_formats(values.pop("formats"))
    location, chosen, _ = where(values)
    paths, whole = show(location, number, chosen, reporters=reporters, out=values["out"])
    if not whole:
        click.echo("The run before was pruned: what changed since then is left out of these reports.", err=True)
    for path in paths:
        click.echo(path)
    return 0
