"""`entra-audit revoke verify`: what became of a plan."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from auditor.cli.options import reader_connection, sign_in_options
from auditor.errors import ExitCode
from auditor.model.text import count, moment, visible

if TYPE_CHECKING:
    from auditor.remedy.verify import Verified


@click.command(epilog="Example: entra-audit revoke verify plan.json --auth azure-cli")
@click.argument("plan", type=click.Path(path_type=Path), metavar="PLAN.json")
@click.option(
    "--journal", type=click.Path(path_type=Path), help="The journal; default: beside the plan, NAME.journal.jsonl."
)
@sign_in_options
def command(plan: Path, journal: Path | None, **values: Any) -> int:
    """Look again: what is gone, what is still there, what came back, and who granted it anew.

    Only reads. Exit code 0: everything is as the plan wants it. 1: something is still there or came back. 3: something
    could not be read.
    """
    from auditor.workflow.verify import verify

    made, found = verify(plan, reader_connection(values), journal=journal)
    for step in made.steps:
        click.echo(f"{step.number:3}. {visible(step.title)}")
        for line in _lines([one for one in found if one.step.id == step.id]):
            click.echo(f"     {line}")
    if any(one.holds in ("still-there", "came-back", "not-there") for one in found):
        return int(ExitCode.FINDINGS)
    return int(ExitCode.INCOMPLETE if any(one.holds == "unknown" for one in found) else ExitCode.CLEAN)


def _lines(found: list[Verified]) -> list[str]:
    """Return one line for each way in which the changes of a step stand."""
    lines: dict[str, int] = {}
    for one in found:
        when = f" on {moment(one.granted_at)}" if one.granted_at else ""
        who = f" by {visible(one.granted_by)}" if one.granted_by else ""
        anew = f"; granted anew{when}{who}" if one.granted_at else ""
        why = f" ({visible(one.why)})" if one.why else ""
        line = f"{one.holds.replace('-', ' ')}{anew}{why}"
        lines[line] = lines.get(line, 0) + 1
    return [f"{line}: {count(number, 'object')}" if number > 1 else line for line, number in lines.items()]
