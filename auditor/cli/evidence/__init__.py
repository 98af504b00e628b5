"""`entra-audit evidence`: a run packed for an auditor, and such a package verified."""

from __future__ import annotations

import click

from auditor.cli.main import Verbs

VERBS = {
    "make": "Pack a run with everything that it takes to judge it again elsewhere.",
    "verify": "Look at a package: every byte, signature, chain, and the snapshot judged again.",
}
"""Each verb with its short help; a test keeps them equal to the commands' own."""


class _Makes(Verbs):
    """The group's own way: `evidence RUN` is `evidence make RUN`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put `make` before what names no verb."""
        if args and args[0] not in {*self.verbs, "-h", "--help"}:
            args.insert(0, "make")
        return super().parse_args(ctx, args)


@click.command(
    cls=_Makes,
    package="auditor.cli.evidence",
    verbs=VERBS,
    epilog="Example: entra-audit evidence make report --out evidence.zip",
)
def command() -> None:
    """Pack a run for an auditor, and verify such a package on another machine.

    `evidence RUN` is short for `evidence make RUN`.
    """
