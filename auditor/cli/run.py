"""`entra-audit run`: the audit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from auditor.cli.gate import fail_on_option, gate
from auditor.cli.options import Target, app_ids, choose, request, sample_configuration, source_options
from auditor.errors import UsageError
from auditor.model.configuration import AppConfiguration
from auditor.reporters import Reporter, reporters

EVERY = "all"
"""The name under which `--format` takes every format."""
HISTORY = "Keep the run: `default`, a file, or postgresql://HOST/DATABASE; else as the configuration says."
FORMATS = "Formats, comma-separated; all: every one."


@click.command(
    epilog="Examples: entra-audit run --demo --out demo-report   |   "
    "entra-audit run --auth azure-cli --tenant-id contoso.example --out report"
)
@click.option("--app", default="zoom", show_default=True, help="The app profile to audit.")
@click.option("--app-id", "app_ids", multiple=True, metavar="ID", help="Audit this appId only; may be repeated.")
@click.option("--policy", metavar="P", help="minimal, required, or a policy of the configuration.")
@click.option("--feature", "features", multiple=True, metavar="F", help="A feature that is on; may be repeated.")
@click.option(
    "--config", type=click.Path(path_type=Path), help="Configuration; default ./entra-audit.yaml if there is one."
)
@click.option(
    "--attestations",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The register that `attest import` wrote; else that of the configuration.",
)
@click.option(
    "--after",
    type=click.Path(path_type=Path),
    metavar="JOURNAL",
    help="Show which findings this plan's journal closed.",
)
@click.option("--history", metavar="LOCATION", help=HISTORY)
@click.option("--no-history", is_flag=True, help="Keep nothing, whatever the configuration says.")
@click.option("--out", type=Target(), required=True, metavar="DIR", help="Folder for the reports.")
@click.option("--format", "formats", default="html,csv,json", show_default=True, help=FORMATS)
@fail_on_option
@source_options
def command(**values: Any) -> int:
    """Audit the tenant, a snapshot or an export, and write the reports.

    Reads Microsoft Graph (or what another tool saved of it), judges every permission that the app's service
    principals hold, and writes report.html, CSV and JSON files and snapshot.json.gz into --out. Nothing in the tenant
    is changed.
    """
    from rich.console import Console

    from auditor.cli.summary import print_summary
    from auditor.workflow.prepare import prepare
    from auditor.workflow.run import run

    chosen = choose(values)
    wanted = choose_formats(values["formats"])
    named = choose_history(values)
    prepared = prepare(
        values["app"],
        config=values["config"],
        policy=values["policy"],
        features=values["features"],
        sample=sample_configuration(chosen),
        attestations=values["attestations"],
    )
    history = prepared.configuration.history if named is None else named
    exit_code = gate(values["fail_on"], history=history)
    team = prepared.configuration.apps.get(values["app"], AppConfiguration())
    only = app_ids(values["app_ids"])
    with request(chosen, profile=prepared.rulebook.profile, configuration=team, only=only) as asked:
        audited = run(
            chosen.kind,
            asked,
            prepared,
            reporters=wanted,
            out=values["out"],
            after=values["after"],
            history=history,
        )
    print_summary(audited.result, audited.paths, Console())
    return int(exit_code(audited.result))


def choose_history(values: dict[str, Any]) -> str | None:
    """Take --history and --no-history out of a command's `values`: a location, empty for none, None: as configured.

    Raises:
        UsageError: both are given, or the location is empty, as an unset shell variable gives it.
    """
    named, none = values.pop("history"), values.pop("no_history")
    if named is not None and none:
        raise UsageError("--history and --no-history exclude each other.", advice="Give one of them.")
    if named is not None and not named.strip():
        raise UsageError("The location is empty.", where="--history", advice="Name one, or write --no-history.")
    return "" if none else named


def choose_formats(text: str) -> tuple[Reporter, ...]:
    """Return the reporters that a comma-separated list names; `all` names every one.

    Raises:
        UsageError: an unknown format.
        MissingPartError: a format needs what is not installed.
    """
    known = reporters()
    names = list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    for name in names or [text]:
        if name not in {EVERY, *known}:
            raise UsageError(
                f"There is no format '{name}'.", where="--format", advice=f"Name some of: {EVERY}, {', '.join(known)}."
            )
    chosen = tuple(known[name] for name in (known if EVERY in names else names))
    for reporter in chosen:
        reporter.check()
    return chosen
