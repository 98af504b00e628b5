"""`entra-audit contain`: the emergency plan for one app."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from auditor.cli.options import Target, choose, request, sample_configuration, source_options


@click.command(
    epilog="Example: entra-audit contain --app 55555555-5555-4555-8555-555555555555 --auth azure-cli --out contain.json"
)
@click.option("--app", required=True, metavar="ID", help="appId or object id of an enterprise app of the tenant.")
@click.option("--profile", default="zoom", show_default=True, help="The app profile that may know the app.")
@click.option(
    "--config", type=click.Path(path_type=Path), help="Configuration; default ./entra-audit.yaml if there is one."
)
@click.option("--out", type=Target(), required=True, metavar="FILE", help="The plan; its page is written beside it.")
@source_options
def command(app: str, profile: str, config: Path | None, out: Path, **values: Any) -> int:
    """Make the emergency plan for one app: its sign-in is switched off.

    Nothing in the tenant is changed: `entra-audit revoke apply` carries the plan out, and `revoke undo` takes it back.
    Any enterprise app can be named, but Microsoft's own and the identity that reads the tenant.
    """
    from rich.console import Console

    from auditor.cli.revoke.shown import print_plan
    from auditor.model.configuration import AppConfiguration
    from auditor.workflow.contain import contain
    from auditor.workflow.prepare import prepare

    chosen = choose(values)
    prepared = prepare(profile, config=config, sample=sample_configuration(chosen), judging=False)
    team = prepared.configuration.apps.get(profile, AppConfiguration())
    with request(chosen, profile=prepared.rulebook.profile, configuration=team) as asked:
        planned = contain(chosen.kind, asked, prepared, app=app, out=out)
    if planned is None:
        click.echo("The app's sign-in is off already, so no plan was written.")
    else:
        print_plan(planned, Console())
    return 0
