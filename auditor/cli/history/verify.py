"""`entra-audit history verify`: whether every kept run is as it was."""

from __future__ import annotations

import re
from typing import Any

import click

from auditor.cli.history.where import where, where_options
from auditor.errors import ExitCode, UsageError
from auditor.model.text import count, visible

_ADVICE = (
    "Leave this history as it is, for whoever finds out what happened. A broken chain takes no more runs: keep new "
    "ones in another place (--history, or `history:` in the configuration), or bring back a copy that is sound."
)
_HASH = re.compile("[0-9a-fA-F]{64}")


@click.command(epilog="Example: entra-audit history verify --history default --number 12 --head HASH")
@where_options
@click.option("--number", type=click.IntRange(1), metavar="N", help="Run whose hash was noted, as its report says.")
@click.option("--head", metavar="HASH", default="", help="The hash that was noted of it.")
def command(**values: Any) -> int:
    """Find runs that were altered, removed or inserted.

    Reads every entry and every content, and exits 1 for any fault. A chain that was cut at its end, or written anew as
    a whole, shows only against a hash that was noted outside: give one from an old report with --number and --head.
    """
    from auditor.workflow.history import verify

    location, chosen, _ = where(values)
    number, head = values["number"], values["head"]
    if (number is None) == bool(head) or (head and not _HASH.fullmatch(head)):
        raise UsageError(
            "A noted hash is a number and 64 hexadecimal digits.",
            where="--number, --head",
            advice="Give both as the report shows them, or neither.",
        )
    verified = verify(location, chosen, number=number, head=head)
    for stream, last, end in verified.listed:
        faults = [fault for fault in verified.faults if fault.stream == stream]
        state = count(len(faults), "FAULT") if faults else "sound"
        of = ", ".join(visible(name) for name in (stream.tenant_id, stream.profile) if name) or "history"
        click.echo(f"{of}: {state}. Head: entry {last} {end}")
        for fault in faults:
            click.echo(f"  {fault.what}: {visible(fault.text)}")
    if not verified.listed:
        click.echo("No run is kept here.")
    if verified.faults:
        click.echo(_ADVICE, err=True)
    return int(ExitCode.FINDINGS if verified.faults else ExitCode.CLEAN)
