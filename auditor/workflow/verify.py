"""Looking again at what a plan removed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from auditor.errors import InputError, RefusedError
from auditor.graph.auth import Connection
from auditor.graph.client import GraphClient
from auditor.graph.reader import Reader
from auditor.model.plan import Line, RevokePlan
from auditor.model.text import visible
from auditor.remedy.journal import journal_of, known, read_journal, require_own
from auditor.remedy.verify import Verified
from auditor.remedy.verify import verify as look
from auditor.workflow.apply import tenant_of
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
        RefusedError: the plan was edited, or is another tenant's, or the journal is another plan's.
        SignInError: no token, or Graph does not take it.
        GraphError: Graph was never reached.
    """
    plan = read_plan(path)
    if journal is not None and not journal.is_file():
        raise InputError("There is no such journal.", where=str(journal), advice="Leave --journal out where none is.")
    place = journal or journal_of(path)
    lines = read_journal(place)
    require_own(lines, plan.approved_hash, plan.tenant_id, plan.purpose, str(place))
    return plan, asyncio.run(_verify(plan, connection, lines))


async def _verify(plan: RevokePlan, connection: Connection, lines: Sequence[Line]) -> tuple[Verified, ...]:
    async with GraphClient(connection) as client:
        await client.identify()
        reader = Reader(client)
        tenant = await tenant_of(client, reader)
        if tenant.id != plan.tenant_id:
            raise RefusedError(
                f"The plan is for the tenant {visible(plan.tenant_id)}, and this sign-in is for {tenant.id}.",
                advice="Sign in to the plan's tenant.",
            )
        return await look(plan, reader, known(lines))
