"""A tenant that is written to, in this process and in time that passes only while everybody waits."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx

from auditor.graph.auth import Claims, claims, simulator_connection
from auditor.graph.client import WRITING_AGENT, GraphClient
from auditor.graph.reader import Reader
from auditor.model.plan import RevokePlan
from auditor.model.snapshot import Snapshot
from auditor.remedy.apply import Applier
from auditor.remedy.conduct import Applied, Conduct
from auditor.remedy.journal import known, opened, read_journal, require_own
from auditor.remedy.undo import undo_plan
from auditor.remedy.verify import Verified, verify
from auditor.simulator.fault import Fault
from auditor.simulator.graph import Call, Graph
from tests.remedy.plans import SNAPSHOT
from tests.simulator.inprocess import InProcess
from tests.workflow.rehearsal import URL, Clock, run

READS = ("Application.Read.All", "AuditLog.Read.All", "Directory.Read.All")
WRITES = ("AppRoleAssignment.ReadWrite.All", "Application.ReadWrite.All", "DelegatedPermissionGrant.ReadWrite.All")
RULES = "1" * 64


def token(*roles: str, appid: str = "aaaaaaaa-1111-4111-8111-111111111111", name: str = "Sample writer") -> str:
    """Return a token that nobody signed."""
    said = {
        "tid": SNAPSHOT.tenant_id,
        "appid": appid,
        "oid": appid[::-1].replace("-", "")[:8] + appid[8:],
        "app_displayname": name,
        "roles": list(roles),
    }
    parts = (json.dumps(part).encode() for part in ({"alg": "none"}, said))
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts) + ".sample"


WRITER = token(*READS, *WRITES)
READER = token(*READS, appid="bbbbbbbb-2222-4222-8222-222222222222", name="Sample reader")


class World:
    """One tenant with a journal beside it."""

    def __init__(self, folder: Path, *faults: Fault, snapshot: Snapshot = SNAPSHOT) -> None:
        self.graph = Graph(snapshot, url=URL, token=READER, write_token=WRITER, page_size=100, faults=faults)
        self.clock = Clock()
        self.journal = folder / "plan.journal.jsonl"
        self.transport: httpx.AsyncBaseTransport = InProcess(self.graph, clock=self.clock)

    @property
    def snapshot(self) -> Snapshot:
        """The tenant as it is now."""
        return self.graph.snapshot

    @property
    def written(self) -> list[Call]:
        """Every write that was sent so far."""
        return [call for call in self.graph.calls if call.writes]

    def faulty(self, *faults: Fault) -> None:
        """Go on with the same tenant, and these faults to come."""
        calls = self.graph.calls
        self.graph = Graph(self.snapshot, url=URL, token=READER, write_token=WRITER, page_size=100, faults=faults)
        self.graph.calls.extend(calls)
        self.transport = InProcess(self.graph, clock=self.clock)

    def apply(self, plan: RevokePlan, *, journal: Path | None = None, **conduct: Any) -> Applied:
        """Carry a plan out."""
        return run(self.clock, self._apply(plan, journal or self.journal, conduct))

    def undo(self, journal: Path | None = None) -> tuple[RevokePlan, Applied]:
        """Undo what the journal tells; return the undo's plan and what became of it."""
        place = journal or self.journal
        plan = undo_plan(read_journal(place), where=str(place), now=self.now(), rules_sha256=RULES)
        return plan, self.apply(plan, journal=place.with_name(place.name.replace(".journal", ".undo.journal")))

    def verify(self, plan: RevokePlan) -> tuple[Verified, ...]:
        """Look again."""

        async def look() -> tuple[Verified, ...]:
            async with self.client(READER) as client:
                reader = Reader(client, clock=self.clock, now=self.clock.now)
                return await verify(plan, reader, known(read_journal(self.journal)))

        return run(self.clock, look())

    def now(self) -> datetime:
        """Return the time of day in the tenant's own time, which counts writes and not seconds."""
        return self.snapshot.taken_at

    def client(self, bearer: str, **more: Any) -> GraphClient:
        """Return a client of the tenant."""
        return GraphClient(simulator_connection(URL, bearer), transport=self.transport, now=self.clock.now, **more)

    async def _apply(self, plan: RevokePlan, journal: Path, conduct: dict[str, Any]) -> Applied:
        async with self.client(WRITER, agent=WRITING_AGENT) as client:
            reader = Reader(client, clock=self.clock, now=self.clock.now)
            with opened(journal) as written:
                lines = read_journal(journal)
                require_own(lines, plan.approved_hash, plan.tenant_id, plan.purpose, str(journal))
                applier = Applier(
                    plan,
                    client,
                    reader,
                    written,
                    earlier=known(lines),
                    claims=who(WRITER),
                    conduct=Conduct(now=self.now, **conduct),
                )
                return await applier.apply()


def who(bearer: str) -> Claims:
    """Return what a token says."""
    return claims(bearer)


Hook = Callable[[str], None]
