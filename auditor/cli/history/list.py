"""`entra-audit history list`: what is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from auditor.cli.history.where import where, where_options
from auditor.model.outcome import Severity
from auditor.model.text import moment, visible

if TYPE_CHECKING:
    from auditor.model.trend import RunSummary
    from auditor.workflow.history import Listed

HASH = 12
"""Letters of a hash that a line shows."""


@click.command(epilog="Example: entra-audit history list --history default")
@where_options
def command(**values: Any) -> int:
    """List the runs that were kept, with their findings and the head of each chain.

    One block per tenant and profile. Note the head outside of the history, for `history verify --head`.
    """
    from auditor.workflow.history import list_runs

    location, chosen, _ = where(values)
    listed = list_runs(location, chosen)
    for one in listed:
        for line in _block(one):
            click.echo(line)
    if not listed:
        click.echo("No run is kept here.")
    return 0


def _block(listed: Listed) -> list[str]:
    named = next((run.tenant_name for run in reversed(listed.runs) if run.tenant_name), "")
    of = f"{named} ({listed.stream.tenant_id})" if named else listed.stream.tenant_id
    severities = "".join(f"{severity.value:>9}" for severity in Severity)
    return [
        visible(f"{of}, {listed.stream.profile}"),
        f"{'run':>6}  {'taken':<22}  {'complete':<10}{severities}  hash",
        *(_row(run, there=run.number in listed.there) for run in listed.runs),
        f"Head: entry {listed.last} {listed.head}",
        "",
    ]


def _row(run: RunSummary, *, there: bool) -> str:
    numbers = dict.fromkeys(Severity, 0)
    for finding in run.findings:
        numbers[finding.severity] += not finding.waived
    counts = "".join(f"{number:>9}" for number in numbers.values())
    complete = "yes" if run.complete else "INCOMPLETE"
    return (
        f"{run.number:>6}  {moment(run.taken_at):<22}  {complete:<10}{counts}  {run.sha256[:HASH]}"
        f"{'' if there else '  contents pruned'}"
    )
