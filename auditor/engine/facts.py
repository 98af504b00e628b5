"""All facts that a rule may ask, and what is known of one subject."""

from __future__ import annotations

from collections.abc import Mapping

from auditor.engine.fact import ABSENT, Fact, Facts, SubjectKind, Value
from auditor.engine.grant_facts import GRANT_FACTS
from auditor.engine.holding_facts import HOLDING_FACTS
from auditor.engine.identity_facts import IDENTITY_FACTS
from auditor.engine.view import Answered, AppView, Context

APP_FACTS = (*IDENTITY_FACTS, *HOLDING_FACTS)
FACTS: Mapping[str, Fact] = {fact.name: fact for fact in (*APP_FACTS, *GRANT_FACTS)}
"""Every declared fact by name."""


def declared(subject: SubjectKind) -> Mapping[str, Fact]:
    """Return the facts that a rule on such a subject may ask; on a grant also those of its app."""
    return {fact.name: fact for fact in APP_FACTS} if subject == "app" else FACTS


def app_facts(context: Context, view: AppView) -> Facts:
    """Return what is known of an app."""
    values = ((fact.name, fact.value(context, view)) for fact in APP_FACTS)
    return {name: value for name, value in values if value is not ABSENT}


def grant_facts(context: Context, view: AppView, answered: Answered) -> dict[str, Value]:
    """Return what is known of a grant, without the facts of its app."""
    values = ((fact.name, fact.value(context, view, answered)) for fact in GRANT_FACTS)
    return {name: value for name, value in values if value is not ABSENT}


def facts_table() -> tuple[Fact, ...]:
    """Return every fact for the reference, those of apps first, in the order of their declaration."""
    return tuple(FACTS.values())
