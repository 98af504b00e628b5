"""Looking again at what a plan removed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from auditor.graph.auth import Connection
from auditor.graph.client import GraphClient
from auditor.graph.reader import Reader
from auditor.model.plan import Line, RevokePlan
from auditor.remedy.journal import journal_of, known, read_journal
from auditor.remedy.verify import Verified
from auditor.remedy.verify import verify as look
from auditor.workflow.revoke import read_plan


def verify(
    path: Path, connection: Connection, *, journal: Path | None = None
) -> tuple[RevokePlan, tuple[Verified, ...]]:
    """Return the plan in `path`, and how each of its changes stands in the tenant now. Nothing is written.

    Args:
        path: the plan's file.
        connection: as whom to read.
        journal: of the plan; None: the one beside it.

    Raises:
        InputError: the plan or the journal cannot be read.
        RefusedError: the plan was edited.
        SignInError: no token, or Graph does not take it.
        GraphError: Graph was never reached.
    """
    plan = read_plan(path)
    lines = read_journal(journal or journal_of(path))
    return plan, asyncio.run(_verify(plan, connection, lines))


async def _verify(plan: RevokePlan, connection: Connection, lines: Sequence[Line]) -> tuple[Verified, ...]:
    async with GraphClient(connection) as client:
        await client.identify()
        found = await look(plan, Reader(client), known(lines))
        client.require_taken()
        return found
