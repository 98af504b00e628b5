"""Carrying 25 steps out under latency and faults: nothing lost, nothing doubled, and how far from the floor."""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path

from msgspec import Struct

from auditor.engine.audit import Hashes, audit
from auditor.engine.rulebook import load_rulebook
from auditor.graph.auth import simulator_connection
from auditor.graph.client import WRITING_AGENT, GraphClient
from auditor.graph.reader import Reader
from auditor.knowledge.outline import AppOutline, Outline
from auditor.knowledge.permissions import load_permissions
from auditor.knowledge.sketch import sketch
from auditor.model.canonical import sha256
from auditor.model.configuration import AppConfiguration, Configuration
from auditor.model.plan import RevokePlan
from auditor.model.snapshot import Snapshot, items
from auditor.remedy.conduct import Applied, Conduct
from auditor.remedy.planning import build_plan
from auditor.simulator.fault import Fault, FaultKind
from auditor.simulator.server import Running, serve
from auditor.sources.snapshot_file import encode
from auditor.workflow.apply import applied
from bench.measure import table

APP = "aaaaaaaa-0001-4000-8000-000000000009"
STEPS = 25
LATENCY = 0.06
"""Seconds that every request takes longer."""
REQUESTS_A_STEP = 4
"""Read, write, and two reads that agree."""
KINDS: tuple[FaultKind, ...] = ("status", "lost-answer", "reset", "not-json")


class Carried(Struct, frozen=True):
    """One run."""

    seconds: float
    requests: int
    writes: int
    lost: int
    """Grants that were to go and are there."""
    too_many: int
    """Grants that were to stay and are gone."""


def report() -> str:
    """Return the table for 25 removals: in fair weather, and with one answer in five that fails."""
    snapshot = _tenant()
    plan = _plan(snapshot)
    fair, foul = _carried(snapshot, plan, ()), _carried(snapshot, plan, _weather())
    floor = (REQUESTS_A_STEP * STEPS + 1) * LATENCY
    rows = [
        (
            name,
            f"{one.seconds:.1f}",
            f"{one.seconds / floor:.1f}x",
            *map(str, (one.requests, one.writes, one.lost, one.too_many)),
        )
        for name, one in (("no faults", fair), ("20 % faults", foul))
    ]
    header = ("weather", "s", "of the floor", "requests", "writes", "not gone", "gone too many")
    title = (
        f"Apply: {STEPS} steps, {LATENCY * 1000:.0f} ms a request, floor {floor:.1f} s (4 requests a step, no pauses)"
    )
    return table(title, header, rows)


def _tenant() -> Snapshot:
    table_ = load_permissions()
    roles = [
        entry.permission
        for family in table_.families
        for entry in family.permissions
        if entry.resource == "graph" and entry.kind == "application" and entry.permission != "Calendars.ReadWrite"
    ]
    app = AppOutline(app_id=APP, name="Zoom", roles=("Calendars.ReadWrite", *roles[:STEPS]))
    return sketch(Outline(apps=(app,)), permissions=table_)


def _plan(snapshot: Snapshot) -> RevokePlan:
    rulebook = load_rulebook("zoom")
    configuration = Configuration(
        apps={"zoom": AppConfiguration(policy="minimal", integrations={APP: "personal-calendar-application"})}
    )
    hashes = Hashes(snapshot=sha256(encode(snapshot)))
    result = audit(snapshot, rulebook=rulebook, configuration=configuration, hashes=hashes)
    return build_plan(result, snapshot, rulebook=rulebook, with_checks=True, allow_incomplete=True)


def _weather() -> tuple[Fault, ...]:
    """Return faults that strike one call in five, the kinds in turn."""
    return tuple(
        Fault(
            match=r"^(DELETE|GET) /v1.0/servicePrincipals",
            kind=KINDS[number % len(KINDS)],
            after=4 * (number + 1),
            retry_after="1" if number % len(KINDS) == 0 else None,
        )
        for number in range(STEPS * REQUESTS_A_STEP // 4)
    )


def _carried(snapshot: Snapshot, plan: RevokePlan, faults: tuple[Fault, ...]) -> Carried:
    wanted = {change.before.id for step in plan.steps for change in step.changes if change.before}
    with serve(snapshot, faults=faults, latency=LATENCY) as running, tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        done = asyncio.run(_apply(plan, running, Path(folder) / "plan.journal.jsonl"))
        seconds = time.perf_counter() - start
        held = {a.id for client in running.snapshot.clients for a in items(client.app_role_assignments)}
        sent = sum(call.method == "DELETE" for call in running.calls)
        others = {a.id for client in snapshot.clients for a in items(client.app_role_assignments)} - wanted
    undone = [(outcome.outcome, outcome.why) for outcome in done.steps if outcome.outcome != "done"]
    if undone:
        message = f"steps were not done: {undone}"
        raise RuntimeError(message)
    return Carried(seconds, running.requests, sent, lost=len(held & wanted), too_many=len(others - held))


async def _apply(plan: RevokePlan, running: Running, journal: Path) -> Applied:
    connection = simulator_connection(running.url, running.write_token)
    async with GraphClient(connection, agent=WRITING_AGENT) as client:
        claims = await client.identify()
        return await applied(plan, client, Reader(client), claims=claims, path=journal, conduct=Conduct())
