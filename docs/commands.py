"""The command line, as its own help says it."""

from __future__ import annotations

from collections.abc import Iterator

import click

from auditor.cli.main import cli
from auditor.reporters import reporters
from auditor.sources import sources
from docs.markdown import block, code, document, table

WIDTH = 100
INTRODUCTION = """\
Each command with its own help. `python -m auditor` is the same program. Results go to stdout, progress and messages
to stderr.

Completion of commands and options in bash: `eval "$(_ENTRA_AUDIT_COMPLETE=bash_source entra-audit)"`; in zsh and fish
with `zsh_source` and `fish_source`."""
EXIT_CODES = (
    ("0", "Complete, and no finding at or above `--fail-on`."),
    ("1", "Complete, with a finding at or above `--fail-on` (default: high)."),
    ("2", "A wrong option, configuration or input; no sign-in; Graph not reached; the result not writable."),
    ("3", "INCOMPLETE: something that is judged could not be read. It comes before 1."),
    ("4", "Refused: a plan was edited, has aged, is too large or another tenant's, or the tenant has moved."),
    ("5", "A plan was applied in part, or what was done could not be verified."),
    ("130", "Interrupted. Nothing is left half-written."),
)


def page() -> str:
    """Return the page of all commands."""
    return document(
        "Command line",
        INTRODUCTION,
        *(f"## {context.command_path}\n\n{block(context.get_help(), 'text')}" for context in walk()),
        "## Sources\n\n" + table(("option", "reads"), _sources()),
        "## Formats\n\n" + table(("`--format`", "writes"), ((code(r.name), r.help) for r in reporters().values())),
        "## Exit codes\n\n" + table(("code", "meaning"), EXIT_CODES),
    )


def walk() -> Iterator[click.Context]:
    """Yield a context for every command, each group before its commands."""
    yield from _walk(click.Context(cli, info_name="entra-audit", terminal_width=WIDTH, **cli.context_settings))


def _walk(context: click.Context) -> Iterator[click.Context]:
    yield context
    if isinstance(context.command, click.Group):
        for name in context.command.list_commands(context):
            command = context.command.get_command(context, name)
            assert command is not None, name  # noqa: S101 - a group lists the commands that it has
            yield from _walk(click.Context(command, info_name=name, parent=context, terminal_width=WIDTH))


def _sources() -> Iterator[tuple[str, str]]:
    for kind in sources().values():
        yield (code(f"{kind.option} {kind.metavar}") if kind.option else "none of them: the default"), kind.help
    yield code("--demo"), "A made-up tenant, served on this machine and read through the whole live path."
