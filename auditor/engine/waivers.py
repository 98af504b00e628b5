"""Waivers: findings that the team has decided to live with, until a date."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from difflib import get_close_matches

from auditor.errors import ConfigurationError
from auditor.knowledge.documents import Lines, Steps
from auditor.knowledge.permissions import GUID, RESOURCES, parse_reference
from auditor.model.outcome import Finding, Outcome, Subject, Waived, Waiver


def check_waivers(waivers: Sequence[Waiver], rule_ids: Iterable[str], where: str | Lines, within: Steps = ()) -> None:
    """Refuse a waiver of a rule that does not exist.

    Args:
        waivers: those of entra-audit.yaml.
        rule_ids: the rules that there are.
        where: what errors call the list, or where each value of the file stands: then they name line and column.
        within: the section of the file that holds them; (): its outermost.

    Raises:
        ConfigurationError: a waiver names an unknown rule.
    """
    known = sorted(rule_ids)
    for index, waiver in enumerate(waivers):
        if waiver.rule not in known:
            close = get_close_matches(waiver.rule, known, n=1)
            suggestion = f"Did you mean '{close[0]}'? " if close else ""
            steps = (*within, "waivers", index, "rule")
            raise ConfigurationError(
                f"There is no rule '{waiver.rule}'.",
                where=where.place(steps) if isinstance(where, Lines) else f"{where}[{index}].rule",
                advice=f"{suggestion}`entra-audit rules list` names every rule.",
            )


def apply(
    outcomes: Iterable[Outcome], waivers: Sequence[Waiver], *, taken_at: datetime
) -> tuple[tuple[Outcome, ...], tuple[Waiver, ...]]:
    """Return the outcomes with waived findings marked, and the waivers that had expired when the data was taken.

    A waiver holds up to and including its day of expiry. The first that covers a finding counts.
    """
    today = taken_at.date()
    valid = [waiver for waiver in waivers if today <= waiver.expires]
    expired = tuple(waiver for waiver in waivers if today > waiver.expires)
    return tuple(_waived(outcome, valid) for outcome in outcomes), expired


def keeping(found: Iterable[Outcome], deciding: Collection[str]) -> Waiver | None:
    """Return the waiver that keeps a grant: every finding that argues for taking it away is waived.

    Args:
        found: the outcomes on one grant.
        deciding: ids of the rules that argue for taking a grant away.
    """
    against = [o for o in found if isinstance(o, Finding | Waived) and o.rule_id in deciding]
    waived = [outcome for outcome in against if isinstance(outcome, Waived)]
    return waived[0].waiver if waived and len(waived) == len(against) else None


def _waived(outcome: Outcome, waivers: Sequence[Waiver]) -> Outcome:
    if not isinstance(outcome, Finding):
        return outcome
    covering = next((waiver for waiver in waivers if _covers(waiver, outcome)), None)
    return Waived(finding=outcome, waiver=covering) if covering else outcome


def _covers(waiver: Waiver, finding: Finding) -> bool:
    return (
        waiver.rule == finding.rule_id
        and waiver.app.lower() == finding.subject.app_id.lower()
        and (not waiver.permission or _names(waiver.permission, finding.subject))
    )


def _names(permission: str, subject: Subject) -> bool:
    """Tell whether a reference names the subject's permission: value, resource and kind, as lists name it."""
    reference = parse_reference(permission, kind="application", where="waivers")
    value = reference.value.lower() if GUID.fullmatch(reference.value.lower()) else reference.value
    named = (RESOURCES[reference.resource], value, reference.kind)
    return named == (subject.resource_app_id, subject.permission, subject.kind)


def unused(outcomes: Iterable[Outcome], waivers: Sequence[Waiver]) -> tuple[Waiver, ...]:
    """Return the waivers that no finding needed."""
    used = {outcome.waiver for outcome in outcomes if isinstance(outcome, Waived)}
    return tuple(waiver for waiver in waivers if waiver not in used)
