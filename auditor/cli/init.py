"""`entra-audit init`: the configuration, by questions or from a file."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from auditor.cli.main import printable
from auditor.cli.options import Chosen, Target, choose, request, source_options
from auditor.errors import UsageError
from auditor.knowledge.identify import IdentifiedApp
from auditor.knowledge.profile import AppProfile
from auditor.model.configuration import Answer, AppConfiguration, Configuration

EXCLUDE, LATER = "exclude", "later"


@click.command(
    epilog="Examples: entra-audit init --snapshot contoso.snapshot.json.gz   |   entra-audit init --from answers.yaml"
)
@click.option("--app", default="zoom", show_default=True, help="The app profile.")
@click.option(
    "--from", "answers", type=click.Path(path_type=Path), metavar="FILE", help="Take the answers from a file."
)
@click.option(
    "--zoom-users",
    type=click.Path(path_type=Path),
    metavar="FILE.csv",
    help="Zoom's user export: counts differing UPNs.",
)
@click.option("--no-tenant", is_flag=True, help="Ask without reading a tenant first.")
@click.option("--out", type=Target(), default="entra-audit.yaml", show_default=True, help="The file.")
@click.option("--force", is_flag=True, help="Replace the file if it exists.")
@source_options
def command(**values: Any) -> int:
    """Write entra-audit.yaml: what only the team knows.

    Which of the tenant's apps is which integration, which features are on in the vendor's portal, and what must be
    known before a permission can go; each answer with who gave it and when.
    """
    from auditor.knowledge.profile import load_profile
    from auditor.workflow import initialize

    chosen = choose(values)
    profile = load_profile(values["app"])
    today = datetime.now(UTC).date()
    counted = {}
    if values["zoom_users"]:
        counted[initialize.UPN_QUESTION] = initialize.answer_from_users(values["zoom_users"], today)
        click.echo(counted[initialize.UPN_QUESTION].answered_by, err=True)
    if values["answers"]:
        configuration = initialize.from_file(values["answers"], profile)
    else:
        try:
            configuration = _ask(profile, _apps(chosen, profile, read=not values["no_tenant"]), counted)
        except (click.Abort, RuntimeError):
            if sys.stdin is not None and sys.stdin.isatty():
                raise
            raise UsageError(
                "The answers ended before the questions did.", advice="Give them with --from FILE."
            ) from None
    configuration = initialize.with_answers(configuration, profile.id, counted)
    click.echo(initialize.write(configuration, profile, out=values["out"], force=values["force"]))
    return 0


def _apps(chosen: Chosen, profile: AppProfile, *, read: bool) -> tuple[IdentifiedApp, ...]:
    from auditor.workflow.initialize import open_apps

    if not read:
        return ()
    with request(chosen, profile=profile, configuration=AppConfiguration()) as asked:
        return open_apps(chosen.kind.read(asked), profile)


def _ask(profile: AppProfile, apps: tuple[IdentifiedApp, ...], counted: dict[str, Answer]) -> Configuration:
    from auditor.workflow.initialize import open_questions

    integrations, excluded = _ask_apps(profile, apps)
    click.echo(f"\nWhat is switched on in {profile.title}'s portal?", err=True)
    features = tuple(
        name for name, integration in profile.integrations.items() if click.confirm(f"  {integration.title}", err=True)
    )
    policy = click.prompt(
        "\nPolicy: minimal (calendars only) or required (what these features need)",
        type=click.Choice(["minimal", "required"]),
        default=profile.default_policy,
        err=True,
    )
    so_far = AppConfiguration(
        policy=policy, integrations=integrations, features=features, exclude=excluded, answers=counted
    )
    answers = dict(counted)
    who = ""
    for question in open_questions(profile, so_far):
        click.echo(f"\n{question.text}\n  Who knows: {question.ask_whom}", err=True)
        answer = click.prompt("  Answer", type=click.Choice(["yes", "no", LATER]), default=LATER, err=True)
        if answer != LATER:
            who = click.prompt("  Who says so", default=who or None, err=True)
            answers[question.id] = Answer(value=answer == "yes", answered_by=who, date=datetime.now(UTC).date())
    team = AppConfiguration(
        policy=policy, integrations=integrations, features=features, exclude=excluded, answers=answers
    )
    return Configuration(apps={profile.id: team})


def _ask_apps(profile: AppProfile, apps: tuple[IdentifiedApp, ...]) -> tuple[dict[str, str], tuple[str, ...]]:
    integrations: dict[str, str] = {}
    excluded: list[str] = []
    for app in apps:
        name, app_id = app.service_principal.display_name or "", app.service_principal.app_id
        click.echo(f"\n{printable(name)} ({printable(app_id)}), {app.match}: {printable(app.reason)}", err=True)
        known = list(profile.integrations) if app.match != "look-alike" else []
        answer = click.prompt(
            "  Which integration is it?", type=click.Choice([*known, EXCLUDE, LATER]), default=LATER, err=True
        )
        if answer == EXCLUDE:
            excluded.append(app_id)
        elif answer != LATER:
            integrations[app_id] = answer
    return integrations, tuple(excluded)
