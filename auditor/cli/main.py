"""The `entra-audit` command: verbs are imported when they are used, so that --help and --version stay fast."""

from __future__ import annotations

import io
import sys
from collections.abc import Mapping
from importlib import import_module
from types import TracebackType
from typing import Any, NoReturn, cast

import click

from auditor import __version__
from auditor.errors import AuditorError, ExitCode
from auditor.model.text import visible

VERBS = {
    "run": "Audit the tenant, a snapshot or an export, and write the reports.",
    "watch": "Audit every tenant and app of the configuration, and say what changed since last time.",
    "collect": "Read the tenant or an export and write a snapshot, without judging it.",
    "doctor": "Try the sign-in, and say what an audit could read with it and what it would leave not evaluated.",
    "report": "Render an audit.json again, byte for byte the same.",
    "diff": "Say what changed between two audits of one tenant, with who did it and when.",
    "history": "List, show, draw, prune and verify the runs that were kept.",
    "evidence": "Pack a run for an auditor, and verify such a package on another machine.",
    "init": "Write entra-audit.yaml: what only the team knows.",
    "rules": "List, show and test the rules.",
    "permissions": "Show what a permission opens.",
    "schedule": "Write or install what starts the watch each day or week, and say how it stands.",
    "revoke": "Take permissions away: plan, change page, scripts, apply, verify, undo.",
    "attest": "Have business owners sign for what is kept: give out, import, status.",
    "contain": "Make the emergency plan for one app: its sign-in is switched off.",
    "simulate": "Serve a snapshot as a Microsoft Graph tenant on this machine.",
}
"""Each verb with its short help, in the order of a newcomer's way; a test keeps them equal to the commands' own."""


class Verbs(click.Group):
    """A group whose commands live in modules of their own, imported on use.

    Args:
        package: where the modules are; each holds a `command`.
        verbs: name and short help of each.
        other: what click.Group takes.
    """

    def __init__(self, *, package: str, verbs: Mapping[str, str], **other: Any) -> None:
        super().__init__(**other)
        self.package = package
        self.verbs = verbs

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the verbs."""
        return list(self.verbs)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Return a verb's command."""
        if cmd_name not in self.verbs:
            return None
        command = cast("click.Command", import_module(f"{self.package}.{cmd_name}").command)
        if not any(option.name == "verbose" for option in command.params):
            from auditor.cli.logs import verbose_option

            command.params.append(verbose_option())
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the list of verbs without importing one."""
        with formatter.section("Commands"):
            formatter.write_dl(list(self.verbs.items()))


@click.command(
    cls=Verbs,
    package="auditor.cli",
    verbs=VERBS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Try it without a tenant: entra-audit run --demo --out demo-report",
)
@click.version_option(__version__, prog_name="entra-audit", message="%(prog)s %(version)s")
def cli() -> None:
    """Say what an enterprise app may do in a Microsoft Entra ID tenant, and what to do about each grant.

    Exit codes: 0 complete and clean, 1 findings at or above --fail-on, 2 usage or configuration, 3 incomplete,
    4 plan refused, 5 applied in part or unverified, 130 interrupted.
    """


def main() -> NoReturn:
    """Run the command line and leave with its exit code."""
    sys.excepthook = _defect
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal or pipe that cannot show a letter gets its escape instead of a failure.
            stream.reconfigure(errors="backslashreplace")
    try:
        code = cli.main(prog_name="entra-audit", standalone_mode=False)
    except AuditorError as error:
        click.echo(f"entra-audit: {printable(str(error))}", err=True)
        code = error.exit_code
    except click.exceptions.Abort:
        click.echo("entra-audit: interrupted; nothing was left half-written.", err=True)
        code = ExitCode.INTERRUPTED
    except click.ClickException as error:
        error.show()
        code = ExitCode.USAGE
    sys.exit(int(code or 0))


def _defect(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> NoReturn:
    """Show a defect of the program, and leave with 3: Python's own exit code would be 1, complete with findings."""
    sys.__excepthook__(kind, error, trace)
    sys.exit(int(ExitCode.INCOMPLETE))


def printable(text: str) -> str:
    """Return `text` without anything that could steer a terminal."""
    return "\n".join(map(visible, text.split("\n")))
