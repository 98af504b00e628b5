"""`entra-audit revoke apply`: a plan carried out."""

from __future__ import annotations

import shlex
import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from auditor.cli.options import sign_in_options, writer_connection
from auditor.errors import ExitCode, UsageError
from auditor.model.plan import AccountChange, RevokePlan, takes
from auditor.model.text import count, moment, visible

if TYPE_CHECKING:
    from auditor.remedy.conduct import Applied
    from auditor.workflow.apply import Carried, Carry

_REMOVED = (
    "Removed by {now}. Effective by about {later} for app-only tokens, which by Microsoft's default live 60 to 90 "
    "minutes (not measured here): those that were given before live on until they expire, and Exchange may keep its "
    "answer up to 2 hours more. It is not proven until the logs show no success after that. Reconnecting in the "
    "vendor's portal may grant everything again."
)
_OFF = (
    "Sign-in is off since {now}: no new token. Those that were given before live on until they expire, by Microsoft's "
    "default for 60 to 90 minutes, so until about {later} (not measured here). The grants stay."
)
_GRANTED = (
    "Granted again by {now}, with new ids and dates. What hangs on the vendor's own connection may have to be "
    "connected there again."
)
_ON = "Sign-in is on again since {now}, with every grant that the app still holds."
OPTIONS = (
    click.option("--tenant-name", metavar="NAME", help="The tenant's name or domain, typed; else it is asked for."),
    click.option("--approved", metavar="HASH", default="", help="Refuse a plan with another approved hash than this."),
    click.option("--max-steps", type=click.IntRange(1), default=25, show_default=True, help="Refuse a larger plan."),
    click.option("--keep-going", is_flag=True, help="Go on with the next step where one is refused or fails."),
    click.option(
        "--journal",
        type=click.Path(path_type=Path),
        help="The journal; default: beside the plan, NAME.journal.jsonl.",
    ),
)


@click.command(epilog="Example: entra-audit revoke apply plan.json --auth device-code --tenant-id contoso.example")
@click.argument("plan", type=click.Path(path_type=Path), metavar="PLAN.json")
@sign_in_options
def command(plan: Path, **values: Any) -> int:
    """Carry a plan out in the tenant: this writes.

    Every object is read again and the whole plan is refused where one is not as planned. Each write is journalled
    before it is sent and verified by two reads after it. Run it again after a stop: it goes on, and repeats nothing.
    Signs in as somebody else than who read the tenant.
    """
    from auditor.workflow.apply import apply, default_journal

    return told(apply(plan, carry(values, default_journal(plan))))


def carry(values: dict[str, Any], journal: Path) -> Any:
    """Take the options out of a command's `values`, and return what makes a Carry of a plan."""
    from auditor.workflow.apply import Carry

    name, most = values.pop("tenant_name"), values.pop("max_steps")
    approved = values.pop("approved")
    keep_going, place = values.pop("keep_going"), values.pop("journal") or journal
    connection = writer_connection(values)

    def of(plan: RevokePlan) -> Carry:
        return Carry(
            connection=connection,
            typed=lambda plan: typed(plan, name),
            journal=place,
            approved=approved,
            most_steps=most,
            keep_going=keep_going,
            say=lambda line: click.echo(visible(line), err=True),
            progress=lambda steps: click.echo(f"{steps} of {len(plan.steps)} steps", err=True),
        )

    return of


def typed(plan: RevokePlan, name: str | None) -> str:
    """Return the tenant's name as a person types it, after saying what will be done.

    Raises:
        UsageError: nobody is there to ask.
    """
    if name is not None:
        return name
    tenant = visible(plan.tenant_name or plan.tenant_id)
    if sys.stdin is None or not sys.stdin.isatty():
        raise UsageError(
            "Nobody is there to type the tenant's name.", where="--tenant-name", advice=f"For {tenant}: give it."
        )
    click.echo(f"{count(len(plan.steps), 'step')} in the tenant {tenant} ({plan.tenant_id}):", err=True)
    for step in plan.steps:
        click.echo(f"  {step.number}. {visible(step.title)}", err=True)
        for check in step.checks:
            click.echo(f"     [ ] first: {visible(check)}", err=True)
    for warning in plan.warnings:
        click.echo(f"  - {visible(warning)}", err=True)
    click.echo(f"Approved hash: {plan.approved_hash}", err=True)
    answer: str = click.prompt("Type the tenant's name to go on", err=True)
    return answer


def told(carried: Carried) -> int:
    """Print what became of a plan, and return the exit code."""
    applied = carried.applied
    for outcome in applied.steps:
        before = ", by an earlier run" if outcome.before else ""
        why = f": {visible(outcome.why)}" if outcome.why else ""
        click.echo(f"{outcome.step.number:3}. {outcome.outcome}{before}  {visible(outcome.step.title)}{why}")
    click.echo(f"{count(applied.written, 'write')}. Journal: {carried.journal}")
    if applied.written:
        for line in _effects(carried):
            click.echo(line)
        undo = shlex.quote(str(carried.journal))
        click.echo(f"Take it back: entra-audit revoke undo {undo}")
    return int(_exit_code(applied))


def _effects(carried: Carried) -> list[str]:
    """Return what was done in this run, when it takes effect, and what that does not mean; nothing of what failed."""
    changes = [c for o in carried.applied.steps if o.outcome == "done" and o.written for c in o.step.changes]
    of_apps = [change for change in changes if isinstance(change, AccountChange)]
    of_grants = [change for change in changes if not isinstance(change, AccountChange)]
    said = (
        (any(takes(change) for change in of_grants), _REMOVED),
        (any(not takes(change) for change in of_grants), _GRANTED),
        (any(takes(change) for change in of_apps), _OFF),
        (any(not takes(change) for change in of_apps), _ON),
    )
    later = moment(carried.ended_at + timedelta(minutes=90))
    return [text.format(now=moment(carried.ended_at), later=later) for holds, text in said if holds]


def _exit_code(applied: Applied) -> ExitCode:
    if applied.interrupted:
        return ExitCode.INTERRUPTED
    if applied.done:
        return ExitCode.CLEAN
    refused = all(outcome.outcome in ("refused", "not-reached", "done") for outcome in applied.steps)
    return ExitCode.REFUSED if refused and not applied.written else ExitCode.UNVERIFIED


for _option in reversed(OPTIONS):
    command = _option(command)
