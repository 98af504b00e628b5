"""`entra-audit simulate`: a snapshot served as a tenant."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(epilog="Example: entra-audit simulate report/snapshot.json.gz --port 8801 --env-file sim.env")
@click.argument("snapshot", type=click.Path(path_type=Path), metavar="SNAPSHOT")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8801, show_default=True, help="Port on 127.0.0.1; 0: a free one."
)
@click.option(
    "--env-file", type=click.Path(path_type=Path), help="Write the lines that point this tool and curl at it."
)
def command(snapshot: Path, port: int, env_file: Path | None) -> int:
    """Serve a snapshot as a Microsoft Graph tenant on this machine.

    It answers on loopback only, with a token of its own, until Ctrl-C.
    """
    from auditor.workflow.simulate import simulate

    simulate(snapshot, port=port, env_file=env_file, say=lambda line: click.echo(line, err=True))
    return 0
