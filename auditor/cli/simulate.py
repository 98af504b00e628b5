"""`entra-audit simulate`: a snapshot served as a tenant."""

from __future__ import annotations

from pathlib import Path

import click

HELP = """Serve a snapshot as a Microsoft Graph tenant on this machine.

It answers on loopback only, with tokens of its own, until Ctrl-C: one reads, the other grants, revokes and switches
apps off as well. What is written is gone when it stops.

A file of faults lists what goes wrong, each with the keys match (a part of `METHOD /v1.0/path?query`, or a regular
expression found in it), kind, status, retry_after (text), after (calls let through first, 0) and times (1; 0 is
for ever):

\b
  - {match: /organization, status: 429, retry_after: "2.128", times: 3}
  - {match: GET, status: 401, after: 20, times: 0}
  - {match: appRoleAssignments, kind: moved-row}

\b
Kinds for every call:
  status             an error: 400 401 403 404 410 429 500 502 503 504 507
  timeout            no answer
  reset              the connection is dropped
  lost-answer        the call is carried out, then the connection is dropped
  cut-json           half of the body
  not-json           200 with HTML
A kind for every read:
  stale              the answer from before the latest write
Kinds for a page of a collection:
  empty-page         no items, and a link to them
  repeated-next-link a link to the same page again
  foreign-next-link  a link to another host
  missing-last-page  no link, where this is the last page but one
  moved-row          the next page repeats a row and lacks another
  wrong-count        a count that is one more than there are
  feature-off        no items, and a count of 0
A kind for a batch:
  out-of-order       the members are answered last first
"""


@click.command(help=HELP, epilog="Example: entra-audit simulate report/snapshot.json.gz --port 8801 --env-file sim.env")
@click.argument("snapshot", type=click.Path(path_type=Path), metavar="SNAPSHOT")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8801, show_default=True, help="Port on 127.0.0.1; 0: a free one."
)
@click.option(
    "--env-file", type=click.Path(path_type=Path), help="Write the lines that point this tool and curl at it."
)
@click.option(
    "--faults",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="What goes wrong on purpose: a YAML or JSON list.",
)
@click.option(
    "--max-page",
    type=click.IntRange(1),
    metavar="N",
    help="The most items of a page, whatever $top asks.",
)
def command(snapshot: Path, port: int, env_file: Path | None, faults: Path | None, max_page: int | None) -> int:
    """Serve a snapshot as a Microsoft Graph tenant on this machine."""
    from auditor.workflow.simulate import simulate

    simulate(
        snapshot,
        port=port,
        env_file=env_file,
        say=lambda line: click.echo(line, err=True),
        faults=faults,
        max_page=max_page,
    )
    return 0
