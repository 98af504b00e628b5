"""`entra-audit schedule status`: how a schedule stands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from auditor.cli.schedule.platform import TIMES
from auditor.errors import ExitCode


@click.command(epilog="Example: entra-audit schedule status --reports reports")
@click.option("--reports", type=click.Path(path_type=Path), required=True, metavar="DIR", help="Where the reports go.")
@click.option(
    "--lock", type=click.Path(path_type=Path), metavar="FILE", help="The lock, where it is not the usual one."
)
def command(**values: Any) -> int:
    """Say when the last run was, how it ended, and whether one is overdue.

    When runs are due stands in schedule.json, which --install writes; where the schedule was installed in another way,
    say it with --every, --at and --on. Exit code 0: the last run was complete, or one is under way in time; else 3.
    """
    from auditor.delivery.schedules.timetable import timetable
    from auditor.workflow.schedule import lines, standing

    said = [values[name] for name in ("every", "at", "on")]
    plan = timetable(said[0] or "week", said[1] or "06:17", said[2] or "monday") if any(said) else None
    found = standing(values["reports"], lock=values["lock"], plan=plan)
    for what, text in lines(found):
        click.echo(f"{what:<10} {text}")
    return int(ExitCode.CLEAN if found.sound else ExitCode.INCOMPLETE)


for option in TIMES:
    command.params.append(
        click.Option(option.opts, type=option.type, metavar=option.metavar, help=f"{option.help} As installed.")
    )
