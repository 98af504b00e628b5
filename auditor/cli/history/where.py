"""Options that the verbs of `history` share: which history, and which tenant and profile in it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from auditor.errors import UsageError
from auditor.model.configuration import Configuration
from auditor.workflow.history import Chosen

F = TypeVar("F", bound=Callable[..., Any])


def where_options(command: F) -> F:
    """Add the options; `where` reads them back."""
    for option in reversed(
        (
            click.option(
                "--history",
                metavar="LOCATION",
                help="`default`, a file, or postgresql://HOST/DATABASE; else as configured.",
            ),
            click.option(
                "--config",
                type=click.Path(path_type=Path),
                help="Configuration; default ./entra-audit.yaml if there is one.",
            ),
            click.option("--tenant", metavar="ID", default="", help="Runs of this tenant only."),
            click.option("--profile", metavar="P", default="", help="Runs of this app profile only, as zoom."),
        )
    ):
        command = option(command)
    return command


def where(values: dict[str, Any]) -> tuple[str, Chosen, Configuration]:
    """Take the options out of a command's `values`: the location, which streams are meant, and the configuration.

    Raises:
        UsageError: no history is named.
        ConfigurationError: the configuration cannot be read.
    """
    from auditor.workflow.prepare import configured

    configuration, _ = configured(values.pop("config"))
    named = values.pop("history")
    location = configuration.history if named is None else named
    if not location:
        raise UsageError("No history is named.", where="--history", advice="Name one, or write --history default.")
    return location, Chosen(tenant_id=values.pop("tenant"), profile=values.pop("profile")), configuration
