"""`entra-audit revoke refresh`: an older plan held against the tenant as it is now."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from auditor.cli.options import Target, app_ids, choose, request, source_options
from auditor.errors import UsageError


@click.command(epilog="Example: entra-audit revoke refresh plan.json --auth azure-cli --config entra-audit.yaml")
@click.argument("plan", type=click.Path(path_type=Path), metavar="PLAN.json")
@click.option("--app-id", "app_ids", multiple=True, metavar="ID", help="As it was given to `run`.")
@click.option("--policy", metavar="P", help="As it was given to `run`.")
@click.option("--feature", "features", multiple=True, metavar="F", help="As it was given to `run`.")
@click.option(
    "--config", type=click.Path(path_type=Path), help="Configuration; default ./entra-audit.yaml if there is one."
)
@click.option("--allow-incomplete", is_flag=True, help="Also where the audit is incomplete; the plan says so.")
@click.option("--out", type=Target(), metavar="FILE", help="The refreshed plan; default: in the place of the old one.")
@source_options
def command(plan: Path, out: Path | None, **values: Any) -> int:
    """Read the tenant again and keep the approval if no step moved.

    Where every step is the same, the plan is written with new times and the same approved hash. Where one is gone,
    changed or new, each is listed, nothing is written, and the exit code is 4.
    """
    from rich.console import Console

    from auditor.cli.revoke.shown import print_refreshed
    from auditor.model.configuration import AppConfiguration
    from auditor.workflow.prepare import prepare
    from auditor.workflow.revoke import read_plan, refresh

    old = read_plan(plan)
    chosen = choose(values)
    if chosen.demo:
        raise UsageError(
            "The demo's tenant is made anew each time, around the present moment, so no plan of it can be refreshed.",
            where="--demo",
            advice="Serve the snapshot that the plan was made from: entra-audit simulate report/snapshot.json.gz",
        )
    prepared = prepare(
        old.profile,
        config=values["config"],
        policy=values["policy"],
        features=values["features"],
    )
    team = prepared.configuration.apps.get(old.profile, AppConfiguration())
    only = app_ids(values["app_ids"])
    with request(chosen, profile=prepared.rulebook.profile, configuration=team, only=only) as asked:
        refreshed = refresh(
            old, chosen.kind, asked, prepared, allow_incomplete=values["allow_incomplete"], out=out or plan
        )
    print_refreshed(refreshed, Console())
    return 0


for _option in command.params:
    if isinstance(_option, click.Option) and _option.name == "demo":
        _option.hidden = True  # It is refused, with the reason.
