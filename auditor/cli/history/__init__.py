"""`entra-audit history`: the runs that were kept."""

from __future__ import annotations

import click

from auditor.cli.main import Verbs

VERBS = {
    "list": "List the runs that were kept, with their findings and the head of each chain.",
    "show": "Write the reports of a kept run again, byte for byte the same.",
    "trends": "Draw every kept run on one page: what is held against what is allowed, what is open and for how long.",
    "prune": "Take the contents of old runs away; their entries in the chain stay.",
    "verify": "Find runs that were altered, removed or inserted.",
}
"""Each verb with its short help; a test keeps them equal to the commands' own."""


@click.command(
    cls=Verbs,
    package="auditor.cli.history",
    verbs=VERBS,
    epilog="Example: entra-audit history list --history default",
)
def command() -> None:
    """List, show, draw, prune and verify the runs that were kept."""
