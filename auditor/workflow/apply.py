"""A plan carried out: checked, shown, confirmed by the tenant's name, written step by step, and told in its journal."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from msgspec import Struct

from auditor.errors import RefusedError
from auditor.graph import endpoints, wire
from auditor.graph.auth import Claims, Connection
from auditor.graph.client import WRITING_AGENT, GraphClient
from auditor.graph.reader import Call, Reader
from auditor.knowledge.data import rules_sha256
from auditor.model.directory import Organization
from auditor.model.plan import RevokePlan
from auditor.model.snapshot import items
from auditor.remedy.apply import Applied, Applier, Conduct
from auditor.remedy.journal import journal_of, known, opened, read_journal, require_own
from auditor.remedy.power import require_other, require_power, require_tenant
from auditor.remedy.seal import MOST_STEPS, require_fresh, require_limits
from auditor.workflow.revoke import read_plan


class Carry(Struct, frozen=True, kw_only=True):
    """How a plan is to be carried out."""

    connection: Connection
    typed: Callable[[RevokePlan], str]
    """Asks a person to type the tenant's name."""
    journal: Path
    most_steps: int = MOST_STEPS
    keep_going: bool = False
    say: Callable[[str], None]
    """Takes one line to show on the way: warnings."""
    progress: Callable[[int], None] = lambda _steps: None


class Carried(Struct, frozen=True, kw_only=True):
    """What became of it."""

    plan: RevokePlan
    applied: Applied
    journal: Path
    ended_at: datetime


def apply(path: Path, carry: Callable[[RevokePlan], Carry]) -> Carried:
    """Carry the plan in `path` out.

    Raises:
        RefusedError: edited, aged, for another tenant, over a limit, by who read it, or the tenant has moved; nothing
            was written.
        UnfinishedError: something stopped it after the first write.
        AuditorError: anything else, before the first write.
    """
    plan = read_plan(path)
    return carry_out(plan, carry(plan))


def carry_out(plan: RevokePlan, carry: Carry) -> Carried:
    """Carry a plan out; see `apply`."""
    require_fresh(plan, now=now(), rules_sha256=rules_sha256())
    require_limits(plan, most_steps=carry.most_steps)
    typed = carry.typed(plan)
    applied = asyncio.run(_carry_out(plan, carry, typed))
    return Carried(plan=plan, applied=applied, journal=carry.journal, ended_at=now())


def default_journal(plan: Path) -> Path:
    """Return where the journal of a plan's file stands."""
    return journal_of(plan)


def now() -> datetime:
    """Return the present second."""
    return datetime.now(UTC).replace(microsecond=0)


async def _carry_out(plan: RevokePlan, carry: Carry, typed: str) -> Applied:
    stop = asyncio.Event()
    _on_interrupt(stop)
    async with GraphClient(carry.connection, agent=WRITING_AGENT) as client:
        reader = Reader(client)
        claims = await _admitted(plan, carry, typed, client, reader)
        conduct = Conduct(keep_going=carry.keep_going, stop=stop.is_set, progress=carry.progress)
        return await applied(plan, client, reader, claims=claims, path=carry.journal, conduct=conduct)


async def applied(
    plan: RevokePlan, client: GraphClient, reader: Reader, *, claims: Claims, path: Path, conduct: Conduct
) -> Applied:
    """Carry a plan out with its journal at `path`, going on from what that says; see Applier.apply."""
    with opened(path) as journal:
        lines = read_journal(path)
        require_own(lines, plan.approved_hash, plan.tenant_id, str(path))
        applier = Applier(plan, client, reader, journal, earlier=known(lines), claims=claims, conduct=conduct)
        return await applier.apply()


async def _admitted(plan: RevokePlan, carry: Carry, typed: str, client: GraphClient, reader: Reader) -> Claims:
    """Return who writes, once it is the right tenant, somebody else than who read, and somebody who may."""
    claims = await client.identify()
    require_power(plan, claims)
    if warning := require_other(plan, claims):
        carry.say(warning)
    organization = items(await reader.get_all(_organization()))
    client.require_taken()
    if not organization:
        raise RefusedError(
            "It cannot be told which tenant this is: the organization could not be read.",
            advice=f"Sign in with {endpoints.ORGANIZATION.application} beside what the plan needs.",
        )
    tenant = organization[0]
    names = (tenant.display_name or "", *(domain.name for domain in tenant.verified_domains))
    require_tenant(plan, tenant_id=tenant.id, typed=typed, names=tuple(name for name in names if name))
    return claims


def _organization() -> Call:
    return Call(endpoint=endpoints.ORGANIZATION, decode=lambda value: wire.decode(value, type_=Organization))


def _on_interrupt(stop: asyncio.Event) -> None:
    """Let Ctrl-C end the run after the step in hand, and not in its middle."""
    try:
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, stop.set)
    except (NotImplementedError, ValueError, RuntimeError):  # Windows, or not the main thread
        return
