"""`entra-audit history prune`: old contents taken away."""

from __future__ import annotations

from typing import Any

import click
from msgspec.structs import replace

from auditor.cli.history.where import where, where_options
from auditor.errors import UsageError
from auditor.model.text import count, visible


@click.command(epilog="Example: entra-audit history prune --history default --keep-days 400 --yes")
@where_options
@click.option("--keep-days", type=click.IntRange(1), metavar="D", help="Days that stay, back from the newest run.")
@click.option(
    "--at-least", type=click.IntRange(1), metavar="N", help="Newest runs that stay, however old. [default: 12]"
)
@click.option("--yes", is_flag=True, help="Do it; else it is only said what would go.")
def command(**values: Any) -> int:
    """Take the contents of old runs away; their entries in the chain stay.

    What goes is the snapshot and the result. The run in short, for lists and trends, stays, and the pruning is an
    entry of the chain itself.
    """
    from auditor.workflow.history import prune

    location, chosen, configuration = where(values)
    said = {"days": values["keep_days"], "at_least": values["at_least"]}
    retention = replace(configuration.retention, **{name: value for name, value in said.items() if value is not None})
    if not retention.days:
        raise UsageError("Nothing says how long runs stay.", where="--keep-days", advice="Give a number of days.")
    for pruned in prune(location, chosen, retention, really=values["yes"]):
        numbers = ", ".join(map(str, pruned.numbers)) or "none"
        verb = "Pruned" if values["yes"] else "Would go"
        of = visible(f"{pruned.stream.tenant_id}, {pruned.stream.profile}")
        click.echo(f"{of}: {verb}: {numbers}. Stay: {count(pruned.left, 'run')}.")
    if not values["yes"]:
        click.echo("Nothing was changed: add --yes to prune.", err=True)
    return 0
