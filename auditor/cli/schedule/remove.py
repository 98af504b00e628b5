"""`entra-audit schedule remove`: an installed schedule taken away."""

from __future__ import annotations

import click

from auditor.delivery.schedules import schedules


@click.command(epilog="Example: entra-audit schedule remove cron --name entra-audit")
@click.argument("platform", type=click.Choice([s.name for s in schedules().values() if s.remove]))
@click.option("--name", default="entra-audit", show_default=True, help="What the schedule is called.")
@click.option("--system", is_flag=True, help="It is a unit of the system (--run-as).")
def command(platform: str, name: str, system: bool) -> int:  # noqa: FBT001 - click calls it by name
    """Take an installed schedule away again.

    Reports, history and log stay.
    """
    from auditor.workflow.schedule import remove

    for line in remove(schedules()[platform], name, system=system):
        click.echo(line)
    return 0
