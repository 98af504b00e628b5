"""A plan carried out: checked, shown, confirmed by the tenant's name, written step by step, and told in its journal."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
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
from auditor.model.text import visible
from auditor.remedy.apply import Applier
from auditor.remedy.conduct import Applied, Conduct
from auditor.remedy.journal import journal_of, known, opened, read_journal, require_own
from auditor.remedy.power import require_not_itself, require_other, require_power, require_tenant
from auditor.remedy.seal import MOST_STEPS, require_fresh, require_limits
from auditor.workflow.revoke import read_plan


class Carry(Struct, frozen=True, kw_only=True):
    """How a plan is to be carried out."""

    connection: Connection
    typed: Callable[[RevokePlan], str]
    """Asks a person to type the tenant's name."""
    journal: Path
    approved: str = ""
    """The hash that the board approved; empty: nobody gave one."""
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
    if carry.approved and carry.approved.lower() != plan.approved_hash:
        raise RefusedError(
            "The plan is not the one that was approved: its hash is another.",
            where="--approved",
            advice=f"This plan's is {plan.approved_hash}.",
        )
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
        sleep = _sleeper(stop)
        reader = Reader(client, sleep=sleep)
        claims = await _admitted(plan, carry, typed, client, reader)
        conduct = Conduct(keep_going=carry.keep_going, stop=stop.is_set, progress=carry.progress, sleep=sleep)
        return await applied(plan, client, reader, claims=claims, path=carry.journal, conduct=conduct)


async def applied(
    plan: RevokePlan, client: GraphClient, reader: Reader, *, claims: Claims, path: Path, conduct: Conduct
) -> Applied:
    """Carry a plan out with its journal at `path`, going on from what that says; see Applier.apply."""
    with opened(path) as journal:
        lines = read_journal(path)
        require_own(lines, plan.approved_hash, plan.tenant_id, plan.purpose, str(path))
        applier = Applier(plan, client, reader, journal, earlier=known(lines), claims=claims, conduct=conduct)
        return await applier.apply()


async def _admitted(plan: RevokePlan, carry: Carry, typed: str, client: GraphClient, reader: Reader) -> Claims:
    """Return who writes, once it is the right tenant, somebody else than who read, and somebody who may."""
    claims = await client.identify()
    require_power(plan, claims)
    require_not_itself(plan, claims)
    if not carry.connection.simulated and carry.connection.cloud.name != plan.cloud:
        raise RefusedError(
            f"The plan is for the cloud {visible(plan.cloud)}, and this sign-in is for {carry.connection.cloud.name}.",
            advice="Sign in with --cloud as the plan says.",
        )
    if warning := require_other(plan, claims):
        carry.say(warning)
    tenant = await tenant_of(client, reader)
    names = (tenant.display_name or "", *(domain.name for domain in tenant.verified_domains))
    require_tenant(plan, tenant_id=tenant.id, typed=typed, names=tuple(name for name in names if name))
    return claims


async def tenant_of(client: GraphClient, reader: Reader) -> Organization:
    """Return the tenant that is signed in to, as it says itself.

    Raises:
        RefusedError: it could not be read, so nobody knows which it is.
        SignInError: Graph does not take the token.
    """
    call = Call(endpoint=endpoints.ORGANIZATION, decode=lambda value: wire.decode(value, type_=Organization))
    organization: tuple[Organization, ...] = items(await reader.get_all(call))
    client.require_taken()
    if not organization:
        raise RefusedError(
            "It cannot be told which tenant this is: the organization could not be read.",
            advice=f"Sign in with {endpoints.ORGANIZATION.application} beside what is needed.",
        )
    return organization[0]


def _on_interrupt(stop: asyncio.Event) -> None:
    """Let Ctrl-C end the run after the step in hand, and not in its middle; a second one ends it at once."""
    loop = asyncio.get_running_loop()

    def first() -> None:
        stop.set()
        loop.remove_signal_handler(signal.SIGINT)

    try:
        loop.add_signal_handler(signal.SIGINT, first)
    except (NotImplementedError, ValueError, RuntimeError):  # Windows, or not the main thread
        return


def _sleeper(stop: asyncio.Event) -> Callable[[float], Awaitable[None]]:
    """Return what waits for seconds, or until somebody asks to stop."""

    async def sleep(seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await stop.wait()
        except TimeoutError:
            return
        await asyncio.sleep(0)

    return sleep
