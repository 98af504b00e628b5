"""Options of a run that a schedule starts: lock, retries, jitter, log."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from auditor.cli.options import Target
from auditor.workflow.guarded import Guard

F = TypeVar("F", bound=Callable[..., Any])
OPTIONS = (
    click.option(
        "--lock", type=Target(), metavar="FILE", help="File that one run locks; default .entra-audit.lock in --out."
    ),
    click.option(
        "--retries",
        type=click.IntRange(0, 5),
        default=0,
        show_default=True,
        help="New attempts for a tenant that could not be signed in to or reached, after 1, 2, 4 ... minutes.",
    ),
    click.option(
        "--jitter",
        type=click.IntRange(0, 86_400),
        default=0,
        show_default=True,
        metavar="SECONDS",
        help="Begin after a random wait of at most so long.",
    ),
    click.option("--log", type=Target(), metavar="FILE", help="Append what happens to a file of its owner's."),
)


def guard_options(command: F) -> F:
    """Add the options of a guarded run; `guard` reads them back, but for --retries."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


def guard(values: dict[str, Any], out: Path) -> Guard:
    """Take the options of a guarded run out of a command's `values`, and return what they say."""
    lock, jitter, log = (values.pop(name) for name in ("lock", "jitter", "log"))
    return Guard(out=out, lock=lock, jitter=jitter, log=log)
