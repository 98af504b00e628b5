"""`entra-audit watch`: every tenant and app of a configuration, side by side."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from auditor.cli.gate import fail_on_option, gate
from auditor.cli.guard import guard, guard_options
from auditor.cli.options import Chosen, Target, choose, sample_configuration, source_options
from auditor.cli.run import FORMATS, HISTORY, choose_formats, choose_history
from auditor.errors import AuditorError, UsageError
from auditor.graph.auth import connection
from auditor.model.configuration import Configuration

if TYPE_CHECKING:
    from auditor.workflow.watch import Watched
    from auditor.workflow.watch_tenants import Team, WatchedTenant

JOBS = 4
MOST_JOBS = 64
ALONE = "tenant"
"""The name of the one tenant that the command line names."""
REPORTED = ("config", "out", "only", "history", "no_history", "notify_file", "fail_on", "formats")
OWN = (*REPORTED, "jobs", "strict_identity", "lock", "retries", "jitter", "log")
"""Options that say nothing of where a tenant is read."""


@click.command(
    epilog="Examples: entra-audit watch --config entra-audit.yaml --out reports   |   "
    "entra-audit watch --demo --history demo.db --out reports"
)
@click.option(
    "--config", type=click.Path(path_type=Path), help="Configuration; default ./entra-audit.yaml if there is one."
)
@click.option("--only", multiple=True, metavar="TENANT", help="Watch this tenant only; may be repeated.")
@click.option("--out", type=Target(), required=True, metavar="DIR", help="Folder for the reports of all tenants.")
@click.option("--history", metavar="LOCATION", help=HISTORY)
@click.option("--no-history", is_flag=True, help="Keep nothing, whatever the configuration says.")
@click.option(
    "--notify-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="File with the addresses to tell of changes and failures; else ENTRA_AUDIT_NOTIFY has them.",
)
@click.option("--format", "formats", default="html,csv,json", show_default=True, help=FORMATS)
@fail_on_option
@click.option(
    "--jobs",
    type=click.IntRange(1, MOST_JOBS),
    default=JOBS,
    show_default=True,
    help="Tenants that are read at the same time.",
)
@guard_options
@source_options
@click.pass_context
def command(context: click.Context, /, **values: Any) -> int:
    """Audit every tenant and app of the configuration, and say what changed since last time.

    Tenants are read side by side, each with its own sign-in, policy, answers and waivers; one that fails does not stop
    the rest. Writes each tenant's reports into a folder of its name below --out, and watch.html, watch.json and
    watch.csv over all of them. Nothing in a tenant is changed.
    """
    from auditor.workflow.guarded import guarded

    guarding = guard(values, values["out"])
    try:
        return guarded(lambda: _watch(context, values, guarding.log), guarding)
    except AuditorError as error:
        _complain(_told(error, values["notify_file"]), guarding.log)
        raise


def _told(error: AuditorError, notify_file: Path | None) -> tuple[str, ...]:
    """Tell that there is no report; where the addresses themselves are what is wrong, nobody can be told."""
    from auditor.workflow.notifying import tell_error, whom

    with suppress(AuditorError):
        return tell_error(error, whom(notify_file, os.environ), names=False)
    return ()


def _watch(context: click.Context, values: dict[str, Any], log_file: Path | None) -> int:
    """Read, judge and report, and return the exit code."""
    from rich.console import Console

    from auditor.cli.watch_summary import print_watch
    from auditor.workflow.notifying import tell, whom

    to = whom(values["notify_file"], os.environ)
    watched, configuration = _watched(context, values, log_file, told=bool(to))
    print_watch(watched.watch, watched.paths, Console())
    page = values["out"].absolute() / "watch.html"
    _complain(tell(watched, to, configuration.notify, where=str(page)), log_file)
    return watched.watch.exit_code


def _watched(
    context: click.Context, values: dict[str, Any], log_file: Path | None, *, told: bool
) -> tuple[Watched, Configuration]:
    """Return the finished watch and the configuration; `told`: somebody is told of it.

    Raises:
        AuditorError: it came to no report.
    """
    from auditor.cli.progress import progress
    from auditor.cli.watch_summary import tell_end
    from auditor.workflow.guarded import log
    from auditor.workflow.watch import Reading, Wanted, watch

    formats, named = choose_formats(values["formats"]), choose_history(values)
    given = [name for name in context.params if _given(context, name)]
    chosen = choose(values)
    configuration, tenants = _tenants(chosen, values, [name for name in given if name not in OWN])
    history = configuration.history if named is None else named
    if told and not history and not configuration.notify.unchanged:
        click.echo("Without a history nobody knows what changed: only what fails is told.", err=True)
    wanted = Wanted(
        out=values["out"],
        reporters=formats,
        judged=gate(values["fail_on"], history=history),
        history=history,
        retention=configuration.retention,
    )
    with progress() as show:
        reading = Reading(
            jobs=values["jobs"],
            retries=values["retries"],
            strict_identity=chosen.strict_identity,
            taken_at=chosen.taken_at,
            progress=show,
        )
        return watch(tenants, wanted, reading, told=lambda audit: log(log_file, tell_end(audit))), configuration


def _complain(failures: Sequence[str], log_file: Path | None) -> None:
    """Say on stderr and in the log which channels were not told; the result stands."""
    from auditor.workflow.guarded import log

    for failure in failures:
        text = f"Notification {failure}. The result stands."
        click.echo(text, err=True)
        with suppress(AuditorError):
            log(log_file, text)


def _given(context: click.Context, name: str) -> bool:
    return context.get_parameter_source(name) is ParameterSource.COMMANDLINE


def _tenants(
    chosen: Chosen, values: dict[str, Any], given: Sequence[str]
) -> tuple[Configuration, tuple[WatchedTenant, ...]]:
    """Return the configuration, and its tenants or the one that the command line names.

    Raises:
        UsageError: both name a tenant, or --only none of the configuration.
        ConfigurationError: the configuration is wrong.
    """
    from auditor.workflow.watch_tenants import read_team, watched

    team = read_team(values["config"], sample_configuration(chosen))
    configuration = team.configuration
    if configuration.tenants and given:
        raise UsageError(
            "The configuration says where each of its tenants is read, and as whom.",
            where=", ".join(f"--{name.replace('_', '-')}" for name in given),
            advice="Leave it out, or take `tenants` out of the configuration.",
        )
    if configuration.tenants or values["only"]:
        return configuration, watched(team, os.environ, values["only"])
    return configuration, (_alone(chosen, team),)


def _alone(chosen: Chosen, team: Team) -> WatchedTenant:
    from auditor.workflow.demo import demo_connection
    from auditor.workflow.watch_tenants import WatchedTenant

    to = connection(chosen.sign_in, os.environ) if chosen.sign_in else None
    return WatchedTenant(
        name=ALONE,
        kind=chosen.kind,
        location=chosen.location,
        connect=demo_connection if chosen.demo else lambda: nullcontext(to),
        apps=team.apps(team.configuration),
    )
