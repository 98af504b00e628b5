"""`entra-audit revoke apply`: a plan carried out."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from auditor.cli.options import sign_in_options, writer_connection
from auditor.errors import ExitCode, UsageError
from auditor.model.plan import Purpose, RevokePlan
from auditor.model.text import count, visible

if TYPE_CHECKING:
    from auditor.remedy.apply import Applied
    from auditor.workflow.apply import Carried, Carry

_DID: dict[Purpose, str] = {"revoke": "Removed", "contain": "Disabled", "undo": "Granted again"}
_AFTER: dict[Purpose, str] = {
    "revoke": (
        "Effective by about {later} UTC for app-only tokens: those that were given before live on until they expire, "
        "and Exchange may keep its answer up to 2 hours more. It is not proven until the logs show no success after "
        "that. Reconnecting in the vendor's portal may grant everything again."
    ),
    "contain": (
        "No new token from now on. Those that were given before live on until they expire, by about {later} UTC for "
        "app-only tokens. The grants stay."
    ),
    "undo": "Grants have new ids and dates. What hangs on the vendor's own connection may have to be connected again.",
}
OPTIONS = (
    click.option("--tenant-name", metavar="NAME", help="The tenant's name or domain, typed; else it is asked for."),
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
    keep_going, place = values.pop("keep_going"), values.pop("journal") or journal
    connection = writer_connection(values)

    def of(plan: RevokePlan) -> Carry:
        return Carry(
            connection=connection,
            typed=lambda plan: typed(plan, name),
            journal=place,
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
    answer: str = click.prompt("Type the tenant's name to go on", err=True)
    return answer


def told(carried: Carried) -> int:
    """Print what became of a plan, and return the exit code."""
    from datetime import timedelta

    applied, plan = carried.applied, carried.plan
    for outcome in applied.steps:
        before = ", by an earlier run" if outcome.before else ""
        why = f": {visible(outcome.why)}" if outcome.why else ""
        click.echo(f"{outcome.step.number:3}. {outcome.outcome}{before}  {visible(outcome.step.title)}{why}")
    click.echo(f"{count(applied.written, 'write')}. Journal: {carried.journal}")
    if applied.written:
        later = carried.ended_at + timedelta(minutes=90)
        click.echo(
            f"{_DID[plan.purpose]} at {carried.ended_at:%H:%M} UTC. {_AFTER[plan.purpose]}".format(
                later=f"{later:%H:%M}"
            )
        )
        click.echo(f"Undo: entra-audit revoke undo {carried.journal}")
    return int(_exit_code(applied))


def _exit_code(applied: Applied) -> ExitCode:
    if applied.interrupted:
        return ExitCode.INTERRUPTED
    if applied.done:
        return ExitCode.CLEAN
    refused = all(outcome.outcome in ("refused", "not-reached", "done") for outcome in applied.steps)
    return ExitCode.REFUSED if refused and not applied.written else ExitCode.UNVERIFIED


for _option in reversed(OPTIONS):
    command = _option(command)
