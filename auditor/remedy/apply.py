"""Carrying a plan out: an object is read again, the intent is written down, one write is sent, and two reads agree.

Nothing is sent while anything differs from the plan. Whatever ends a run, the journal says how far it came, and the
next run goes on from there: what is done is not sent again, and what is in doubt is read before anything else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from auditor.errors import AuditorError, RefusedError, UnfinishedError
from auditor.graph.answer import RETRIED, Answer
from auditor.graph.auth import Claims
from auditor.graph.client import GraphClient
from auditor.graph.reader import Reader
from auditor.graph.writer import State, Unread, Writer, made_id
from auditor.model.plan import (
    AccountChange,
    Begin,
    Change,
    End,
    Result,
    ResultOf,
    RevokePlan,
    Step,
)
from auditor.remedy.journal import Journal, Known, intent
from auditor.remedy.state import as_planned, difference, is_done

TRIES = 8
"""Times that one write is sent, where Graph asks to wait or an answer was lost and the object is as it was."""
LONGEST_WAIT = 60.0
"""Seconds."""
READS = (0.0, 0.2, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0)
"""Seconds before each read that looks whether a write took effect: two minutes in all."""
THROTTLED, FORBIDDEN = 429, 403

StepState = Literal["done", "refused", "failed", "unverified", "not-reached"]


class StepOutcome(Struct, frozen=True, kw_only=True):
    """What became of a step."""

    step: Step
    outcome: StepState
    why: str = ""
    written: int = 0
    """Writes that were sent for it in this run."""
    before: bool = False
    """Done by an earlier run."""


class Applied(Struct, frozen=True, kw_only=True):
    """What became of a plan in one run."""

    steps: tuple[StepOutcome, ...]
    interrupted: bool = False

    @property
    def written(self) -> int:
        """Writes that were sent."""
        return sum(step.written for step in self.steps)

    @property
    def done(self) -> bool:
        """Every step is done."""
        return all(step.outcome == "done" for step in self.steps)


class Drift(Struct, frozen=True, kw_only=True):
    """A change whose object is not as planned."""

    step: Step
    why: str


class Conduct(Struct, frozen=True, kw_only=True):
    """How a plan is carried out."""

    keep_going: bool = False
    """Go on with the next step where one is refused or fails."""
    stop: Callable[[], bool] = lambda: False
    """Asked before each step whether to end."""
    progress: Callable[[int], None] = lambda _steps: None
    """Told the number of steps that are behind."""
    now: Callable[[], datetime] = lambda: datetime.now(UTC).replace(microsecond=0)
    """The time, for the journal."""
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    """Waits for seconds."""


class Applier:
    """Carries one plan out.

    Args:
        plan: decoded, fresh and within its limits.
        client: sends the writes.
        reader: reads through the same client.
        journal: held by nobody else.
        earlier: what the journal knows so far.
        claims: who writes.
        conduct: how.
    """

    def __init__(
        self,
        plan: RevokePlan,
        client: GraphClient,
        reader: Reader,
        journal: Journal,
        *,
        earlier: Mapping[tuple[str, int], Known],
        claims: Claims,
        conduct: Conduct,
    ) -> None:
        self._plan = plan
        self._writer = Writer(client, reader)
        self._journal = journal
        self._known = dict(earlier)
        self._claims = claims
        self._conduct = conduct
        self._sent = 0

    async def drifts(self) -> tuple[Drift, ...]:
        """Read every object of the plan that no earlier run has touched, and return those that are not as planned."""
        open_ = [
            (step, change)
            for step in self._plan.steps
            for index, change in enumerate(step.changes)
            if (step.id, index) not in self._known
        ]
        states = await self._writer.find([change for _, change in open_])
        return tuple(
            Drift(step=step, why=why)
            for (step, change), state in zip(open_, states, strict=True)
            if not self._may_go(change, state) and (why := difference(change, state))
        )

    async def apply(self) -> Applied:
        """Carry the plan out.

        Raises:
            RefusedError: an object is not as planned, and nothing was sent; not with keep_going.
            OutputError: the journal could not be written; nothing is sent after that.
            SignInError: no token, or Graph does not take it.
            GraphError: Graph was never reached.
            UnfinishedError: one of these, after something was sent.
        """
        drifted = await self.drifts()
        if drifted and not self._conduct.keep_going:
            raise moved(drifted)
        if self._all_done():
            return Applied(steps=tuple(StepOutcome(step=s, outcome="done", before=True) for s in self._plan.steps))
        self._journal.write(self._begin())
        outcomes: list[StepOutcome] = []
        interrupted = False
        for step in self._plan.steps:
            interrupted = interrupted or self._conduct.stop()
            halted = not self._conduct.keep_going and any(o.outcome != "done" for o in outcomes)
            if interrupted or halted:
                outcomes.append(StepOutcome(step=step, outcome="not-reached"))
                continue
            outcomes.append(await self._whole(step))
            self._conduct.progress(len(outcomes))
        self._journal.write(self._end(outcomes, interrupted=interrupted))
        return Applied(steps=tuple(outcomes), interrupted=interrupted)

    def _all_done(self) -> bool:
        keys = [(step.id, index) for step in self._plan.steps for index in range(len(step.changes))]
        return all(key in self._known and self._known[key].done for key in keys)

    async def _whole(self, step: Step) -> StepOutcome:
        try:
            return await self._step(step)
        except AuditorError as error:
            if not self._sent:
                raise
            raise UnfinishedError(
                f"Stopped in step {step.number}: {error}",
                where=str(self._journal.path),
                advice="Run the same command again: it goes on from the journal.",
            ) from error

    async def _step(self, step: Step) -> StepOutcome:
        sent = self._sent
        before = True
        for index, change in enumerate(step.changes):
            known_ = self._known.get((step.id, index))
            if known_ is not None and known_.done:
                continue
            before = False
            result = await self._change(step, index, change, known_)
            if result.outcome != "done":
                return StepOutcome(step=step, outcome=result.outcome, why=result.why, written=self._sent - sent)
        return StepOutcome(step=step, outcome="done", written=self._sent - sent, before=before)

    async def _change(self, step: Step, index: int, change: Change, earlier: Known | None) -> Result:
        """Bring one object to where the plan wants it, and write down what became of it."""
        in_doubt = earlier is not None and (earlier.result is None or earlier.result.outcome == "unverified")
        state = await self._settled(change) if in_doubt else (await self._writer.find([change]))[0]
        if in_doubt and not isinstance(state, Unread) and is_done(change, state):
            return self._said(step, index, "done", id_=_id(state), why="carried out by a run that was cut")
        if not self._may_go(change, state):
            outcome: ResultOf = "unverified" if in_doubt else "refused"
            return self._said(step, index, outcome, why=difference(change, state))
        if not isinstance(state, Unread) and is_done(change, state):
            return self._said(step, index, "done", id_=_id(state), why="it was so already; nothing was sent")
        change = named(change, state)
        self._journal.write(intent(step, index, change, at=self._conduct.now()))
        return await self._send(step, index, change)

    def _may_go(self, change: Change, state: State | Unread) -> bool:
        """Tell whether the object is as planned; an undo also accepts what is as it wants it already."""
        if isinstance(state, Unread):
            return False
        return as_planned(change, state) or (self._plan.purpose == "undo" and is_done(change, state))

    async def _send(self, step: Step, index: int, change: Change) -> Result:
        """Send until Graph says yes or no, and never again before the object was read after a lost answer."""
        answer = Answer(status=0)
        for tries in range(TRIES):
            self._sent += 1
            answer = await self._writer.send(change)
            if answer.succeeded or answer.status not in RETRIED:
                break
            if answer.status != THROTTLED:
                state = await self._settled(change)
                if not isinstance(state, Unread) and is_done(change, state):
                    return self._said(step, index, "done", id_=_id(state), why=f"{answer.why}; it was carried out")
                if isinstance(state, Unread) or not as_planned(change, state):
                    return self._said(step, index, "unverified", answer.status, why=difference(change, state))
            wait = answer.retry_after if answer.retry_after is not None else min(2.0**tries, LONGEST_WAIT)
            await self._conduct.sleep(wait)
        return await self._verified(step, index, change, answer)

    async def _verified(self, step: Step, index: int, change: Change, answer: Answer) -> Result:
        """Return what two reads say of a write that got its last answer."""
        state = await self._settled(change, wanted=answer.succeeded)
        if not isinstance(state, Unread) and is_done(change, state):
            said = "" if answer.succeeded else f"{answer.why}; yet it is as wanted"
            return self._said(step, index, "done", answer.status, id_=made_id(answer) or _id(state), why=said)
        refused = not answer.succeeded and answer.status not in RETRIED
        if refused and not isinstance(state, Unread) and as_planned(change, state):
            needs = f" It needs {step.needs.permission}, and of a person the role {step.needs.role}."
            why = answer.why + ("." + needs if answer.status == FORBIDDEN else "")
            return self._said(step, index, "failed", answer.status, why=why)
        why = "" if answer.succeeded else f"{answer.why}; "
        return self._said(
            step, index, "unverified", answer.status, id_=made_id(answer), why=why + difference(change, state)
        )

    async def _settled(self, change: Change, *, wanted: bool = False) -> State | Unread:
        """Return the object once two reads in a row agree; where it is `wanted`, once they agree that it is done.

        A write does not show in the next read at once, so a read that contradicts it is no answer yet.
        """
        last: State | Unread = Unread(why="it was not read")
        for pause in READS:
            await self._conduct.sleep(pause)
            state = (await self._writer.find([change]))[0]
            agree = state == last
            if agree and not isinstance(state, Unread) and (not wanted or is_done(change, state)):
                return state
            last = state
        return last if wanted or isinstance(last, Unread) else Unread(why="no two reads in a row agreed")

    def _begin(self) -> Begin:
        plan = self._plan
        return Begin(
            at=self._conduct.now(),
            by="apply",
            purpose=plan.purpose,
            plan=plan.sha256,
            approved_hash=plan.approved_hash,
            tenant_id=plan.tenant_id,
            cloud=plan.cloud,
            writer_app_id=self._claims.appid.lower(),
            writer_object_id=self._claims.oid.lower(),
            reader_app_id=plan.reader_app_id,
            reader_object_id=plan.reader_object_id,
        )

    def _said(
        self, step: Step, index: int, outcome: ResultOf, status: int = 0, *, id_: str = "", why: str = ""
    ) -> Result:
        result = Result(
            at=self._conduct.now(), step=step.id, change=index, outcome=outcome, status=status, id=id_, why=why
        )
        self._journal.write(result)
        return result

    def _end(self, outcomes: Sequence[StepOutcome], *, interrupted: bool) -> End:
        counts = {state: sum(o.outcome == state for o in outcomes) for state in ("done", "refused", "failed")}
        unverified = sum(o.outcome == "unverified" for o in outcomes)
        return End(at=self._conduct.now(), interrupted=interrupted, unverified=unverified, **counts)


def named(change: Change, state: State | Unread) -> Change:
    """Return a change with the id that its object has now, where the journal did not come to know it."""
    if isinstance(change, AccountChange) or change.before is None or change.before.id:
        return change
    return replace(change, before=replace(change.before, id=_id(state)))


def moved(drifts: Sequence[Drift]) -> RefusedError:
    """Return the refusal of a plan whose tenant has moved."""
    shown = "; ".join(f"step {drift.step.number}: {drift.why}" for drift in drifts[:5])
    more = f"; and {len(drifts) - 5} more" if len(drifts) > 5 else ""  # noqa: PLR2004 - those shown
    return RefusedError(
        f"The tenant is not as the plan says, and nothing was sent: {shown}{more}.",
        advice="Read it again and plan anew (entra-audit revoke refresh), or leave those steps out with --keep-going.",
    )


def _id(state: State | Unread) -> str:
    return "" if state is None else str(msgspec.to_builtins(state).get("id", ""))
