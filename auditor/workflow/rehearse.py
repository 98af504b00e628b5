"""A rehearsal: the plan carried out on the simulator, grown from the plan's own snapshot, and the audit made again.

Nothing leaves this machine. What it shows is what the decisions come to; that Microsoft's own Graph answers in the same
way is not shown by it.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from msgspec import Struct

from auditor.errors import InputError
from auditor.graph.auth import simulator_connection
from auditor.graph.client import WRITING_AGENT, GraphClient
from auditor.graph.reader import Reader
from auditor.model.canonical import sha256
from auditor.model.outcome import AuditResult, Finding
from auditor.model.plan import RevokePlan
from auditor.model.snapshot import Snapshot
from auditor.remedy.conduct import Applied, Conduct
from auditor.reporters import Reporter
from auditor.simulator.server import Running, serve
from auditor.sources.files import read
from auditor.sources.snapshot_file import LIMIT, decode, encode
from auditor.workflow.apply import applied
from auditor.workflow.prepare import Prepared
from auditor.workflow.revoke import read_plan
from auditor.workflow.run import SNAPSHOT, judge, render
from auditor.workflow.writing import check_folder, write_files

JOURNAL = "rehearsal.journal.jsonl"


class Rehearsed(Struct, frozen=True, kw_only=True):
    """What a rehearsal showed."""

    plan: RevokePlan
    applied: Applied
    before: AuditResult
    after: AuditResult
    paths: tuple[Path, ...]
    same_configuration: bool
    """The plan's audit was judged with the same configuration."""

    @property
    def closed(self) -> tuple[Finding, ...]:
        """Findings before that are none after."""
        return _missing(self.before, self.after)

    @property
    def opened(self) -> tuple[Finding, ...]:
        """Findings after that were none before."""
        return _missing(self.after, self.before)

    @property
    def promised(self) -> tuple[str, ...]:
        """Ids of the findings that the plan says it closes and that are still there."""
        there = {finding.finding_id for finding in _findings(self.after)}
        return tuple(c.finding_id for step in self.plan.steps for c in step.closes if c.finding_id in there)


def rehearse(
    path: Path, prepared: Prepared, *, snapshot: Path | None, reporters: tuple[Reporter, ...], out: Path
) -> Rehearsed:
    """Carry the plan in `path` out on its own snapshot, and write the reports before and after into `out`.

    Args:
        path: the plan's file.
        prepared: rulebook and configuration, as the plan's audit had them.
        snapshot: the one that the plan was made from; None: snapshot.json.gz beside the plan.
        reporters: formats of the two reports.
        out: a folder.

    Raises:
        InputError: a file cannot be read, or the snapshot is another one than the plan's.
        RefusedError: the plan was edited, or its own snapshot is not as it says.
        OutputError: the reports cannot be written.
    """
    check_folder(out)
    plan = read_plan(path)
    tenant = _own_snapshot(plan, snapshot or path.parent / SNAPSHOT)
    out.mkdir(parents=True, exist_ok=True)
    journal = out / JOURNAL
    journal.unlink(missing_ok=True)
    with serve(tenant) as running:
        done = asyncio.run(_carried_out(plan, running, journal))
        changed = running.snapshot
    before, _ = judge(tenant, prepared)
    after, _ = judge(changed, prepared)
    files = {
        **{f"before-{name}": content for name, content in render(before, reporters).items()},
        **{f"after-{name}": content for name, content in render(after, reporters).items()},
    }
    return Rehearsed(
        plan=plan,
        applied=done,
        before=before,
        after=after,
        paths=write_files(out, files),
        same_configuration=prepared.configuration_sha256 == plan.configuration_sha256,
    )


def _own_snapshot(plan: RevokePlan, path: Path) -> Snapshot:
    where = str(path)
    tenant = decode(read(path, where=where, limit=LIMIT), where)
    if sha256(encode(tenant)) != plan.snapshot_sha256:
        raise InputError(
            "This is not the snapshot that the plan was made from.",
            where=where,
            advice="Give the snapshot.json.gz of that audit with --snapshot.",
        )
    return tenant


async def _carried_out(plan: RevokePlan, running: Running, journal: Path) -> Applied:
    connection = simulator_connection(running.url, running.write_token)
    async with GraphClient(connection, agent=WRITING_AGENT) as client:
        claims = await client.identify()
        # The simulator shows a write at once, so nobody has to wait for it.
        conduct = Conduct(sleep=lambda _seconds: asyncio.sleep(0))
        return await applied(plan, client, Reader(client), claims=claims, path=journal, conduct=conduct)


def _findings(result: AuditResult) -> list[Finding]:
    return [outcome for outcome in result.outcomes if isinstance(outcome, Finding)]


def _missing(one: AuditResult, other: AuditResult) -> tuple[Finding, ...]:
    there = {finding.finding_id for finding in _findings(other)}
    return tuple(finding for finding in _findings(one) if finding.finding_id not in there)
