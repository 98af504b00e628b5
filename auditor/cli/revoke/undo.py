"""`entra-audit revoke undo`: what a journal tells, taken back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from auditor.cli.options import Target, sign_in_options
from auditor.cli.revoke.apply import OPTIONS, carry, told
from auditor.model.plan import RevokePlan
from auditor.model.text import count, visible


@click.command(epilog="Example: entra-audit revoke undo plan.journal.jsonl --auth device-code")
@click.argument("journal_to_undo", type=click.Path(path_type=Path), metavar="JOURNAL")
@click.option("--out", type=Target(), metavar="FILE", help="The undo's own plan; default: NAME.undo.json beside it.")
@click.option("--plan-only", is_flag=True, help="Write the plan of the undo and stop.")
@sign_in_options
def command(journal_to_undo: Path, out: Path | None, *, plan_only: bool, **values: Any) -> int:
    """Grant again exactly what a plan removed: a plan of its own, shown and limited the same way. This writes."""
    from auditor.workflow.undo import default_out, plan_undo, undoing

    place = out or default_out(journal_to_undo)
    with undoing(journal_to_undo):
        return _undo(plan_undo(journal_to_undo, out=place), place, values, plan_only=plan_only)


def _undo(plan: RevokePlan, place: Path, values: dict[str, Any], *, plan_only: bool) -> int:
    from auditor.workflow.apply import carry_out, default_journal

    click.echo(f"Undo: {count(len(plan.steps), 'step')}, written to {place} and {place.with_suffix('.html')}")
    for step in plan.steps:
        click.echo(f"{step.number:3}. {visible(step.title)} Needs {step.needs.permission}; role {step.needs.role}.")
    for warning in plan.warnings:
        click.echo(f"- {visible(warning)}")
    if plan_only:
        click.echo(f"Carry it out: entra-audit revoke apply {place}")
        return 0
    return told(carry_out(plan, carry(values, default_journal(place))(plan)))


for _option in reversed(OPTIONS):
    command = _option(command)
