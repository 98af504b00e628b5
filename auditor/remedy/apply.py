"""Carrying a plan out: an object is read again, the intent is written down, one write is sent, and two reads agree.

Nothing is sent while anything differs from the plan. Whatever ends a run, the journal says how far it came, and the
next run goes on from there: what is done is not sent again, and what is in doubt is read before anything else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
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
from auditor.remedy.conduct import Applied, Conduct, Drift, StepOutcome
from auditor.remedy.journal import Journal, Known, intent
from auditor.remedy.state import as_planned, difference, is_done, onto

TRIES = 8
"""Times that one write is sent, where Graph asks to wait or an answer was lost and the object is as it was."""
LONGEST_WAIT = 60.0
"""Seconds."""
READS = (0.0, 0.2, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0)
"""Seconds before each read that looks whether a write took effect: two minutes in all."""
LONGEST_ASKED = 600.0
"""Seconds that Graph may ask to wait; when it asks for more, the step ends."""
UNREAD = 2
"""Reads in a row that fail, each after the reader's own tries, until no more are made."""
STEADY = (0.0, 1.0, 2.0, 4.0, 8.0)
"""Seconds before each read that looks whether something is so already: all have to agree."""
UNAUTHORIZED, FORBIDDEN, THROTTLED = 401, 403, 429


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
        """Read every object of the plan, and return those that are not as they have to be, one for each change.

        What an earlier run did has to be so still; what it left in doubt is looked at when its turn comes.
        """
        keyed = [
            (step, index, change, self._known.get((step.id, index)))
            for step in self._plan.steps
            for index, change in enumerate(step.changes)
        ]
        certain = [one for one in keyed if one[3] is None or not one[3].in_doubt]
        states = await self._writer.find([change for _, _, change, _ in certain], listed=True)
        return tuple(
            Drift(step=step, change=index, why=why)
            for (step, index, change, known), state in zip(certain, states, strict=True)
            if (why := self._drift(self._onto(change, state), state, known))
        )

    def _drift(self, change: Change, state: State | Unread, known: Known | None) -> str:
        """Return why a change cannot stand as planned, or as done; empty where it can."""
        if known is not None and known.done:
            if isinstance(state, Unread) or is_done(change, state):
                return ""
            return "an earlier run did it, and it is no longer so"
        return "" if self._may_go(change, state) else difference(change, state)

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
            raise moved(drifted, self._plan)
        if self._all_done() and not drifted:
            return Applied(steps=tuple(StepOutcome(step=s, outcome="done", before=True) for s in self._plan.steps))
        try:
            return await self._carried_out({drift.step.id: drift for drift in reversed(drifted)})
        except AuditorError as error:
            if not self._sent:
                raise
            raise UnfinishedError(
                f"Stopped in the middle: {error}",
                where=str(self._journal.path),
                advice="Run the same command again: it goes on from the journal.",
            ) from error

    async def _carried_out(self, drifted: Mapping[str, Drift]) -> Applied:
        """Carry out every step that has not drifted; no write is sent for one that has."""
        self._journal.write(self._begin())
        outcomes: list[StepOutcome] = []
        interrupted = False
        for step in self._plan.steps:
            interrupted = interrupted or self._conduct.stop()
            halted = not self._conduct.keep_going and any(o.outcome != "done" for o in outcomes)
            if interrupted or halted:
                outcomes.append(StepOutcome(step=step, outcome="not-reached"))
            elif step.id in drifted:
                drift = drifted[step.id]
                self._said(step, drift.change, "refused", why=drift.why)
                outcomes.append(StepOutcome(step=step, outcome="refused", why=drift.why))
            else:
                outcomes.append(await self._step(step))
            self._conduct.progress(len(outcomes))
        self._journal.write(self._end(outcomes, interrupted=interrupted))
        return Applied(steps=tuple(outcomes), interrupted=interrupted)

    def _all_done(self) -> bool:
        keys = [(step.id, index) for step in self._plan.steps for index in range(len(step.changes))]
        return all(key in self._known and self._known[key].done for key in keys)

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
        in_doubt = earlier is not None and earlier.in_doubt
        state = await self._settled(change) if in_doubt else (await self._writer.find([change]))[0]
        change = self._onto(change, state)
        if in_doubt and not isinstance(state, Unread) and is_done(change, state):
            return self._said(step, index, "done", id_=_id(state), why="carried out by a run that was cut")
        if not self._may_go(change, state):
            outcome: ResultOf = "unverified" if in_doubt else "refused"
            return self._said(step, index, outcome, why=difference(change, state))
        assert not isinstance(state, Unread)  # noqa: S101 - it may not go then
        if not as_planned(change, state):
            if await self._steady(change, state):
                return self._said(step, index, "done", id_=_id(state), why="it was so already; nothing was sent")
            state = await self._settled(change)
            if isinstance(state, Unread) or not as_planned(change, state):
                return self._said(step, index, "unverified", why=difference(change, state))
        change = named(change, state)
        self._journal.write(intent(step, index, change, at=self._conduct.now()))
        return await self._send(step, index, change, in_doubt=in_doubt)

    def _onto(self, change: Change, state: State | Unread) -> Change:
        return onto(change, state) if self._plan.purpose == "undo" else change

    def _may_go(self, change: Change, state: State | Unread) -> bool:
        """Tell whether the object is as planned; an undo also accepts what is as it wants it already."""
        if isinstance(state, Unread):
            return False
        return as_planned(change, state) or (self._plan.purpose == "undo" and is_done(change, state))

    async def _send(self, step: Step, index: int, change: Change, *, in_doubt: bool) -> Result:
        """Send until Graph says yes or no; before it is sent again, the object is read and has to be as planned."""
        answer, lost = Answer(status=0), in_doubt
        for tries in range(TRIES):
            if tries:
                if not await self._waited(answer, tries):
                    break
                state = await self._settled(change)
                if isinstance(state, Unread) or not as_planned(change, state):
                    return self._moved_meanwhile(step, index, change, state, answer, lost=lost)
            self._sent += 1
            answer = await self._writer.send(change)
            if answer.succeeded or answer.status not in RETRIED:
                break
            lost = lost or answer.status != THROTTLED
        return await self._verified(step, index, change, answer, lost=lost)

    async def _waited(self, answer: Answer, tries: int) -> bool:
        """Wait before another try; False: Graph asks for too long, or a person has asked to stop."""
        wait = answer.retry_after if answer.retry_after is not None else min(2.0 ** (tries - 1), LONGEST_WAIT)
        if wait > LONGEST_ASKED:
            return False
        await self._conduct.sleep(wait)
        return not self._conduct.stop()

    def _moved_meanwhile(
        self, step: Step, index: int, change: Change, state: State | Unread, answer: Answer, *, lost: bool
    ) -> Result:
        """Return what an object says that is no longer as planned, after a write that got no clear answer."""
        if not isinstance(state, Unread) and is_done(change, state) and lost:
            return self._said(step, index, "done", id_=_id(state), why=f"{answer.why}; it was carried out")
        outcome: ResultOf = "unverified" if lost else "failed"
        return self._said(step, index, outcome, answer.status, why=f"{answer.why}; {difference(change, state)}")

    async def _verified(self, step: Step, index: int, change: Change, answer: Answer, *, lost: bool) -> Result:
        """Return what two reads say of a write that got its last answer.

        `failed` is said only where no earlier answer was lost: a write may have been carried out before Graph refused
        to carry it out again.
        """
        state = await self._settled(change, wanted=answer.succeeded or lost)
        if not isinstance(state, Unread) and is_done(change, state):
            said = "" if answer.succeeded else f"{answer.why}; yet it is as wanted"
            return self._said(step, index, "done", answer.status, id_=made_id(answer) or _id(state), why=said)
        if not answer.succeeded and not lost and not isinstance(state, Unread) and as_planned(change, state):
            return self._said(step, index, "failed", answer.status, why=answer.why + _advice(step, answer))
        why = "" if answer.succeeded else f"{answer.why}; "
        return self._said(
            step, index, "unverified", answer.status, id_=made_id(answer), why=why + difference(change, state)
        )

    async def _steady(self, change: Change, state: State | Unread) -> bool:
        """Tell whether an object stays as it was read: where nothing is sent, a read that lags behind would do harm."""
        for pause in STEADY:
            await self._conduct.sleep(pause)
            if (await self._writer.find([change]))[0] != state:
                return False
        return True

    async def _settled(self, change: Change, *, wanted: bool = False) -> State | Unread:
        """Return the object once two reads in a row agree; where it is `wanted`, once they agree that it is done.

        A write does not show in the next read at once, so a read that contradicts it is no answer yet.
        """
        last: State | Unread = Unread(why="it was not read")
        unread = 0
        for pause in READS:
            await self._conduct.sleep(pause)
            state = (await self._writer.find([change]))[0]
            agree = state == last
            if agree and not isinstance(state, Unread) and (not wanted or is_done(change, state)):
                return state
            last = state
            unread = unread + 1 if isinstance(state, Unread) else 0
            if unread == UNREAD:
                break
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


def moved(drifts: Sequence[Drift], plan: RevokePlan) -> RefusedError:
    """Return the refusal of a plan whose tenant has moved, or could not be read."""
    shown = "; ".join(f"step {drift.step.number}: {drift.why}" for drift in drifts[:5])
    more = f"; and {len(drifts) - 5} more" if len(drifts) > 5 else ""  # noqa: PLR2004 - those shown
    anew = "Read it again and plan anew (entra-audit revoke refresh, or revoke plan --again), or leave"
    if plan.purpose != "revoke":
        anew = "See what holds now (entra-audit revoke verify), or leave"
    return RefusedError(
        f"The tenant is not as the plan says, or could not be read, and nothing was sent: {shown}{more}.",
        advice=f"{anew} those steps out with --keep-going.",
    )


def _advice(step: Step, answer: Answer) -> str:
    if answer.status == FORBIDDEN:
        return f". It needs {step.needs.permission}, and of a person the role {step.needs.role}."
    return ". Sign in again, and run the same command." if answer.status == UNAUTHORIZED else ""


def _id(state: State | Unread) -> str:
    return "" if state is None else str(msgspec.to_builtins(state).get("id", ""))
