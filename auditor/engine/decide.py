"""The decision per grant, with its reason. The first line that matches counts.

waived                                                keep
look-alike, or an id that nobody publishes            ask
allowed                                               keep
conditional                                           keep; revoke-after once the condition is known to be false
undetermined                                          ask
outside, needed by a declared feature or the vendor   ask
outside, app confirmed, a narrower one would do       replace, unless something else is open
outside, app confirmed and nothing open               revoke
outside                                               revoke-after, with what comes first

A narrower one would do where the app's list holds it, it is needed or its condition is not known to be false, the app
does not hold it, and the permission tables say that the wider grant covers it. What the narrower one keeps working is
no longer a reason to wait.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct
from msgspec.structs import replace

from auditor.engine.answers import matches
from auditor.engine.policy import key_of_reference
from auditor.engine.view import Answered, AppView, Context, Narrower
from auditor.knowledge.permissions import RESOURCES
from auditor.knowledge.profile import ConditionalPermission, Precondition
from auditor.model.configuration import Answer
from auditor.model.outcome import Decision, VendorSays, Waiver
from auditor.model.snapshot import Complete
from auditor.model.text import listed

_VENDOR: Mapping[VendorSays, str] = {
    "needed": "{} says it is needed",
    "optional": "{} calls it optional",
    "conditional": "{} needs it only in some cases",
    "removable": "{} says it may go where only calendar events are wanted",
    "silent": "{}'s documentation, as far as it could be read, does not mention it",
}


class Verdict(Struct, frozen=True, kw_only=True):
    """A decision with its reason and what it asks for."""

    decision: Decision
    reason: str
    check: str = ""
    ask_whom: str = ""
    replace_with: str = ""


def decide(context: Context, view: AppView, answered: Answered, waiver: Waiver | None) -> Verdict:
    """Return the decision for one grant; `waiver` covers every finding that argues for taking it away."""
    if waiver is not None:
        reason = f"Waived by {waiver.owner} until {waiver.expires.isoformat()}: {waiver.reason}"
        return Verdict(decision="keep", reason=reason)
    if view.identified.match == "look-alike":
        return Verdict(
            decision="ask",
            reason=f"The app only looks like {context.profile.title}'s: {view.identified.reason}",
            ask_whom="today, whoever approved the app; until then disable its sign-in, which can be undone",
        )
    if not answered.grant.known:
        return Verdict(
            decision="ask",
            reason="The resource does not publish it, or could not be read, so what it opens is not known.",
            ask_whom=f"the owner of {answered.grant.resource_name or 'the resource'}, then {context.profile.title}",
        )
    return _by_policy(context, view, answered)


def _by_policy(context: Context, view: AppView, answered: Answered) -> Verdict:
    if answered.condition is not None:
        return _conditional(context, answered.condition)
    if answered.policy == "outside":
        return _outside(context, view, answered)
    if answered.policy == "allowed":
        also = f", and {_vendor(context, answered)}" if answered.vendor_says == "needed" else ""
        return Verdict(decision="keep", reason=f"Inside {view.list_name}{also}.")
    known = view.identified.integration
    reason = "No list says whether this integration may hold it." if known else answered.policy_reason
    return Verdict(decision="ask", reason=reason, ask_whom=_who_knows(context, view))


def _conditional(context: Context, condition: ConditionalPermission) -> Verdict:
    answer = context.configuration.answers.get(condition.not_needed_when)
    if answer is not None and answer.value:
        said = _said(answer)
        return Verdict(
            decision="revoke-after",
            reason=f"The condition under which it is needed does not hold: {condition.not_needed_when}, {said}.",
            check=condition.check,
        )
    known = "is not answered" if answer is None else f"does not hold, {_said(answer)}"
    return Verdict(decision="keep", reason=f"Needed as long as '{condition.not_needed_when}' {known}.")


def _vendor(context: Context, answered: Answered) -> str:
    return _VENDOR[answered.vendor_says].format(context.profile.title)


def _said(answer: Answer) -> str:
    return f"as {answer.answered_by} said on {answer.date.isoformat()}"


def _who_knows(context: Context, view: AppView) -> str:
    if not view.identified.integration:
        return f"the {context.profile.title} administrator: which integration is this app?"
    return f"{context.profile.title}: which permissions does this integration need? Then list them as allowed."


def _outside(context: Context, view: AppView, answered: Answered) -> Verdict:
    if answered.needed_by:
        return Verdict(
            decision="ask",
            reason=f"{view.list_name.capitalize()} leaves out what the feature '{answered.needed_by}' needs.",
            ask_whom="the owner of the policy: change the list, or switch the feature off first",
        )
    if answered.vendor_says == "needed":
        return Verdict(
            decision="ask",
            reason=f"{view.list_name.capitalize()} leaves it out, yet {context.profile.title} says it is needed.",
            ask_whom="the owner of the policy",
        )
    if answered.narrower and not _open_checks(context, view, answered, kept=answered.narrower):
        return _replaced(context, view, answered, answered.narrower)
    checks = _open_checks(context, view, answered)
    reason = f"Outside {view.list_name}; {_vendor(context, answered)}."
    if checks:
        numbered = [f"{number}) {check}" for number, check in enumerate(checks, 1)] if len(checks) > 1 else checks
        return Verdict(decision="revoke-after", reason=reason, check=" ".join(numbered))
    return Verdict(decision="revoke", reason=f"{reason} {_released_by(context, view, answered)}".strip())


def _replaced(context: Context, view: AppView, answered: Answered, narrower: Narrower) -> Verdict:
    value = narrower.permission.permission
    answer = context.configuration.answers.get(narrower.question)
    state = "is not answered" if answer is None else f"does not hold, {_said(answer)}"
    needed = f"is needed as long as '{narrower.question}' {state}" if narrower.question else "is needed"
    return Verdict(
        decision="replace",
        reason=f"Outside {view.list_name}; {_vendor(context, answered)}. {value} {needed}, is covered by this one and "
        "opens less: grant that first, then take this one away.",
        replace_with=value,
    )


def _released_by(context: Context, view: AppView, answered: Answered) -> str:
    """Return whose word lets a grant go without a check."""
    answers = context.configuration.answers
    said = [
        f"{precondition.id}, {_said(answers[precondition.id])}"
        if precondition.id in answers
        else f"{listed(precondition.holds_without_features)} not declared"
        for precondition in context.profile.preconditions
        if _concerns(precondition, context, view, answered)
    ]
    return f"It may go because: {'; '.join(said)}." if said else ""


def _open_checks(context: Context, view: AppView, answered: Answered, *, kept: Narrower | None = None) -> list[str]:
    """Return what must be done before this grant goes; empty when it may go now.

    With `kept`, it goes once that narrower permission is granted, and what that one keeps is no reason to wait.
    """
    checks = []
    if not view.identified.confirmed:
        line = view.identified.confirm_line
        where = f": in entra-audit.yaml, under apps: {context.profile.id}:, `{line}`" if line else ""
        checks.append(f"Confirm what this app is{where}.")
    for precondition in context.profile.preconditions:
        if _concerns(precondition, context, view, answered):
            if kept and _keeps(kept, precondition, context, view, answered):
                continue
            known = holds(precondition, context.configuration.features, context.configuration.answers)
            if known is False:
                checks.append(f"Known not to hold yet: {precondition.question} {precondition.check}")
            elif known is None:
                checks.append(precondition.check)
    if answered.seen == "used":
        checks.append("The logs show it in use: find out by what, and move that first.")
    if _may_be_the_only_road(context, view, answered, kept):
        checks.append(_only_road(context, view))
    return checks


def _concerns(precondition: Precondition, context: Context, view: AppView, answered: Answered) -> bool:
    integration = context.profile.integrations.get(view.identified.integration)
    return view.identified.integration in precondition.integrations and matches(
        precondition.about, answered.grant, answered.permission, integration
    )


def holds(precondition: Precondition, features: tuple[str, ...], answers: Mapping[str, Answer]) -> bool | None:
    """Return whether a precondition is known to hold, known not to hold, or open (None)."""
    if set(precondition.fails_with_features) & set(features):
        return False
    answer = answers.get(precondition.id)
    if answer is not None:
        return answer.value
    if (
        features
        and precondition.holds_without_features
        and not set(precondition.holds_without_features) & set(features)
    ):
        return True
    return None


def _keeps(kept: Narrower, precondition: Precondition, context: Context, view: AppView, answered: Answered) -> bool:
    """Tell whether a narrower permission keeps what a precondition protects.

    It does where the precondition is open and about that one too; one that is known not to hold only where the
    narrower permission is allowed for that very reason.
    """
    known = holds(precondition, context.configuration.features, context.configuration.answers)
    if known is False:
        return kept.question == precondition.id
    entry = kept.permission
    grant = replace(answered.grant, permission=entry.permission, permission_id=entry.id)
    return known is None and _concerns(precondition, context, view, replace(answered, grant=grant, permission=entry))


def _may_be_the_only_road(context: Context, view: AppView, answered: Answered, kept: Narrower | None) -> bool:
    """Tell whether the integration lacks a permission that it needs and this grant could be doing its work."""
    lacking = {key_of_reference(reference) for reference in view.lacking}
    if kept is not None:
        entry = kept.permission
        lacking -= {(RESOURCES[entry.resource], entry.permission, entry.kind)}
    if not lacking:
        return False
    permission = answered.permission
    needed = (context.permissions.by_value(*key_of_reference(reference)) for reference in view.needed)
    families = {entry.family for entry in needed if entry}
    return permission is None or permission.resource == "exchange" or permission.family in families


def _only_road(context: Context, view: AppView) -> str:
    names = ", ".join(reference.value for reference in view.needed)
    seen = isinstance(view.client.app_role_assignments, Complete)
    lacks = "does not hold" if seen else "was not seen to hold (its grants could not be read in full)"
    return (
        f"The app {lacks} {names}, so this grant may be what carries the integration: find out from "
        f"{context.profile.title}'s administrator how it is connected."
    )
