"""`entra-audit collect`: a snapshot without a judgement."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from auditor.cli.main import printable
from auditor.cli.options import Target, app_ids, choose, request, source_options
from auditor.errors import ExitCode


@click.command(epilog="Example: entra-audit collect --auth azure-cli --out contoso.snapshot.json.gz")
@click.option("--app", default="zoom", show_default=True, help="The app profile that chooses the service principals.")
@click.option("--app-id", "app_ids", multiple=True, metavar="ID", help="Read this appId only; may be repeated.")
@click.option(
    "--config", type=click.Path(path_type=Path), help="Configuration; default ./entra-audit.yaml if there is one."
)
@click.option("--out", type=Target(), required=True, metavar="FILE", help="Snapshot; .gz is compressed.")
@source_options
def command(**values: Any) -> int:
    """Read the tenant or an export and write a snapshot, without judging it.

    The snapshot holds what `run --snapshot` needs, and no credential. Exit 3 when a collection could not be read in
    full.
    """
    from auditor.model.configuration import AppConfiguration
    from auditor.model.snapshot import EXCHANGE, ledger
    from auditor.workflow.prepare import prepare
    from auditor.workflow.run import collect

    chosen = choose(values)
    prepared = prepare(values["app"], config=values["config"], judging=False)
    team = prepared.configuration.apps.get(values["app"], AppConfiguration())
    only = app_ids(values["app_ids"])
    with request(chosen, profile=prepared.rulebook.profile, configuration=team, only=only) as asked:
        snapshot, path = collect(chosen.kind, asked, out=values["out"])
    gaps = [entry for entry in ledger(snapshot) if entry.state != "complete" and entry.collection != EXCHANGE]
    for entry in gaps:
        click.echo(printable(f"{entry.state}: {entry.collection} {entry.app_id} {entry.why}"), err=True)
    click.echo(path)
    return int(ExitCode.INCOMPLETE if gaps else ExitCode.CLEAN)
