"""The option `--fail-on`: which findings give exit code 1."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from auditor.errors import ExitCode, UsageError
from auditor.model.outcome import AuditResult, Severity

F = TypeVar("F", bound=Callable[..., Any])
NEVER = "never"
NEW = "new:"


def fail_on_option(command: F) -> F:
    """Give a command the option `--fail-on`."""
    severities = [severity.value for severity in Severity]
    return click.option(
        "--fail-on",
        type=click.Choice([*severities, *(NEW + severity for severity in severities), NEVER]),
        metavar=f"[{NEW}]SEVERITY",
        default="high",
        show_default=True,
        help="Exit 1 for a finding of this severity or worse: critical, high, medium, low, info, never. With new: only "
        "for one that is new or has returned since the run before.",
    )(command)


def gate(chosen: str, *, history: str) -> Callable[[AuditResult], ExitCode]:
    """Return what gives an audit its exit code.

    Args:
        chosen: the value of --fail-on.
        history: where runs are kept; empty: nowhere.

    Raises:
        UsageError: what is new cannot be told without a history.
    """
    from auditor.engine.audit import exit_code

    only_new = chosen.startswith(NEW)
    if only_new and not history:
        raise UsageError(
            "What is new can only be told from a history.",
            where=f"--fail-on {chosen}",
            advice="Give --history, or `history:` in the configuration.",
        )
    severity = None if chosen == NEVER else Severity(chosen.removeprefix(NEW))

    def judged(result: AuditResult) -> ExitCode:
        if only_new and not result.drift:
            click.echo("No run of this tenant was kept before: every finding counts as new.", err=True)
        return exit_code(result, severity, only_new=only_new)

    return judged
