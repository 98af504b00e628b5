"""`entra-audit schedule`: what starts the watch by itself, on each platform."""

from __future__ import annotations

import click

from auditor.cli.main import Verbs

VERBS = {
    "status": "Say when the last run was, how it ended, and whether one is overdue.",
    "remove": "Take an installed schedule away again.",
}
"""Each verb with its short help; a test keeps them equal to the commands' own."""


class Platforms(Verbs):
    """The platforms of auditor/delivery/schedules/, each a command, beside the verbs."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the platforms, then the verbs."""
        from auditor.delivery.schedules import schedules

        return [*schedules(), *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command of a platform or of a verb."""
        from auditor.cli.schedule.platform import platform_command
        from auditor.delivery.schedules import schedules

        found = schedules().get(cmd_name)
        return platform_command(found) if found else super().get_command(ctx, cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the list of platforms and verbs."""
        from auditor.delivery.schedules import schedules

        with formatter.section("Commands"):
            formatter.write_dl([*((s.name, s.help) for s in schedules().values()), *self.verbs.items()])


@click.command(
    cls=Platforms,
    package="auditor.cli.schedule",
    verbs=VERBS,
    epilog="Example: entra-audit schedule systemd --config entra-audit.yaml --reports reports --auth managed-identity",
)
def command() -> None:
    """Write or install what starts the watch each day or week, and say how it stands."""
