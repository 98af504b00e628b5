"""`entra-audit history trends`: every kept run on one page."""

from __future__ import annotations

from typing import Any

import click

from auditor.cli.history.where import where, where_options
from auditor.cli.options import Target


@click.command(epilog="Example: entra-audit history trends --history default --out trends.html")
@where_options
@click.option("--out", type=Target(), required=True, metavar="FILE", help="The page to write.")
def command(**values: Any) -> int:
    """Draw every kept run on one page: what is held against what is allowed, what is open and for how long.

    One self-contained HTML file for all tenants and profiles of the history, or for those that are named. Runs whose
    contents were pruned are drawn as well.
    """
    from auditor.workflow.trends import trends

    out = values.pop("out")
    location, chosen, _ = where(values)
    click.echo(trends(location, chosen, out=out))
    return 0
