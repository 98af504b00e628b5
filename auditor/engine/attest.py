"""How each grant stands with the business owners who answer for it, on the day on which the tenant was read.

Asked for is what the audit keeps. An answer counts for the very grants that it covers, and for no other.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, timedelta

from msgspec.structs import replace

from auditor.engine import waivers
from auditor.engine.decide import decide
from auditor.engine.evaluate import evaluate
from auditor.engine.rules import CompiledRule
from auditor.engine.view import Context
from auditor.model.attestation import Answer, Attestation, Key, Register, covered, key_of
from auditor.model.grant import Grant
from auditor.model.outcome import Decision, Finding, Outcome, Waived, Waiver

DUE_SOON = timedelta(days=30)
"""Before the last day on which an answer holds."""
KEPT: tuple[Decision, ...] = ("keep", "keep-and-scope")

_Decided = tuple[Grant, Decision]


def attested(
    context: Context, register: Register, *, rules: Sequence[CompiledRule] = (), given: Sequence[Waiver] = ()
) -> Context:
    """Return the view of an audit that knows how each grant stands with the register.

    Args:
        context: the view without it.
        register: what was signed.
        rules: those of the audit; a grant is kept as well where every finding of those that decide is waived.
        given: the waivers.
    """
    deciding = tuple(rule for rule in rules if rule.decides)
    outcomes, _ = waivers.apply(evaluate(context, deciding), given, taken_at=context.snapshot.taken_at)
    decided = list(_decided(context, outcomes, {rule.id for rule in deciding}))
    day = context.snapshot.taken_at.date()
    return replace(context, attestations=standings(decided, register, tenant_id=context.tenant_id, day=day))


def _decided(context: Context, outcomes: Iterable[Outcome], deciding: set[str]) -> Iterable[_Decided]:
    found = defaultdict(list)
    for outcome in outcomes:
        if isinstance(outcome, Finding | Waived):
            found[outcome.subject.key].append(outcome)
    for view in context.audited:
        for answered in view.answered:
            grant = answered.grant
            verdict = decide(context, view, answered, waivers.keeping(found.get(grant.key, ()), deciding))
            yield grant, verdict.decision


def standings(
    decided: Iterable[_Decided], register: Register, *, tenant_id: str, day: date
) -> dict[Grant, Attestation]:
    """Return how each grant stands.

    Args:
        decided: every grant with the audit's decision on it.
        register: what was signed, in this tenant or in others.
        tenant_id: the tenant.
        day: for which it is said.
    """
    own = [answer for answer in register.answers if answer.tenant_id.lower() == tenant_id.lower()]
    covering = {(key_of(answer), one): answer for answer in own for one in answer.covers}
    about: dict[Key, list[Answer]] = defaultdict(list)
    for answer in own:
        about[_whoever(key_of(answer))].append(answer)
    found = {}
    for grant, decision in decided:
        key, kept = key_of(grant), decision in KEPT
        signed = covering.get((key, covered(grant)))
        found[grant] = (
            _covered(signed, day, kept=kept) if signed else _uncovered(grant, about.get(_whoever(key), ()), kept=kept)
        )
    return found


def _whoever(key: Key) -> Key:
    """Return what a question is about, for whomever it was granted."""
    return (*key[:4], "")


def _covered(answer: Answer, day: date, *, kept: bool) -> Attestation:
    """Return how a grant stands by the answer that covers it."""
    signed = f"{answer.signer} on {answer.signed_at.date().isoformat()}"
    said = Attestation(
        state="not-asked", signer=answer.signer, signed_at=answer.signed_at, next_review=answer.next_review, text=""
    )
    if answer.decision == "remove":
        return replace(said, state="to-remove", text=f"Signed away by {signed}, and still held.")
    if not kept or answer.next_review is None:
        return replace(said, text=f"Signed by {signed}; this audit does not keep it.")
    until = answer.next_review.isoformat()
    if day > answer.next_review:
        return replace(said, state="overdue", text=f"Signed by {signed}; the review was due on {until}.")
    soon = day >= answer.next_review - DUE_SOON
    return replace(
        said, state="due-soon" if soon else "current", text=f"Signed by {signed}; the next review is due on {until}."
    )


def _uncovered(grant: Grant, others: Sequence[Answer], *, kept: bool) -> Attestation:
    """Return how a grant stands that no answer covers; `others` are about the same permission as it was."""
    if not kept:
        return Attestation(state="not-asked", text="Nobody is asked: this audit does not keep it.")
    if not others:
        return Attestation(state="missing", text="Nobody has signed for it.")
    same = [answer for answer in others if answer.consent == grant.consent]
    last = max(same or others, key=lambda answer: (answer.signed_at, answer.signer))
    if not same:
        why = "it holds for everybody now" if grant.consent == "AllPrincipals" else "single people consented since"
    elif grant.consent == "Principal" and all(c.principal_id != grant.principal_id for a in same for c in a.covers):
        why = "this person consented since"
    else:
        why = "it was granted anew, under another id"
    signed = last.signed_at.date().isoformat()
    return Attestation(state="changed", text=f"What {last.signer} signed on {signed} was another grant: {why}.")


def in_force(rules: Sequence[CompiledRule], register: Register | None) -> tuple[CompiledRule, ...]:
    """Return the rules that judge: one that needs a register has nothing to say where nobody attests."""
    return tuple(rule for rule in rules if register is not None or not rule.needs_register)
