"""`entra-audit revoke`: permissions taken away, as a plan that is read before anything is done."""

from __future__ import annotations

import click

from auditor.cli.main import Verbs

VERBS = {
    "plan": "Make a plan from an audit: the exact objects, what goes, and what is left.",
    "refresh": "Read the tenant again and keep the approval if no step moved.",
    "change": "Write the page for the change board and the tests to run.",
    "script": "Write scripts that carry the plan out without this program, and undo it.",
    "rehearse": "Carry the plan out on a simulated copy of the tenant and audit it again.",
    "apply": "Carry a plan out in the tenant: this writes.",
    "verify": "Look again: what is gone, what is still there, what came back, and who granted it anew.",
    "detect": "Write a query that warns when a removed permission comes back.",
    "undo": "Grant again exactly what a plan removed: a plan of its own, shown and limited the same way. This writes.",
}
"""Each verb with its short help, in the order of a change; a test keeps them equal to the commands' own."""


@click.command(
    cls=Verbs,
    package="auditor.cli.revoke",
    verbs=VERBS,
    epilog="Example: entra-audit revoke plan report/audit.json --out plan.json",
)
def command() -> None:
    """Take permissions away: plan, change page, scripts, apply, verify, undo."""
