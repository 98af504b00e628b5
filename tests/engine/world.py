"""What the engine's tests share: a tenant in a few lines, judged."""

from __future__ import annotations

from datetime import date
from functools import cache
from typing import Any

from auditor.engine.audit import Hashes, audit
from auditor.engine.rulebook import Rulebook, load_rulebook
from auditor.knowledge.outline import AppOutline, Outline, ScopeOutline
from auditor.knowledge.sketch import sketch
from auditor.model.configuration import Answer, AppConfiguration, Configuration
from auditor.model.outcome import AuditResult, JudgedGrant, Waiver
from auditor.model.snapshot import Snapshot

PERSONAL = "aaaaaaaa-0001-4000-8000-000000000001"
"""A made-up appId for a tenant's personal-calendar app."""
ROOMS = "f56e91e5-5a82-452f-b435-d4d78aeaf064"
DELEGATE = "a651cfda-cbdd-4a39-bd03-fa829c3c1b29"


@cache
def rulebook() -> Rulebook:
    """The rules as shipped, loaded once."""
    return load_rulebook("zoom")


def app(*roles: str, app_id: str = PERSONAL, scopes: tuple[ScopeOutline, ...] = (), **other: Any) -> AppOutline:
    """An app with application permissions."""
    return AppOutline(app_id=app_id, roles=roles, scopes=scopes, **other)


def tenant(*apps: AppOutline, **other: Any) -> Snapshot:
    """A snapshot of a tenant with these apps."""
    return sketch(Outline(apps=apps, **other), permissions=rulebook().permissions)


def team(
    *, confirm: bool = True, answers: dict[str, bool] | None = None, waivers: tuple[Waiver, ...] = (), **other: Any
) -> Configuration:
    """The team's word: the personal app confirmed, personal calendars on, and nothing else wanted of it."""
    said = {
        question: Answer(value=value, answered_by="Ada Admin (sample)", date=date(2026, 11, 1))
        for question, value in ({"calendar_events_only": True} | (answers or {})).items()
    }
    usual = {
        "integrations": {PERSONAL: "personal-calendar-application"} if confirm else {},
        "features": ("personal-calendar-application",),
    }
    part = AppConfiguration(answers=said, **(usual | other))
    return Configuration(apps={"zoom": part}, waivers=waivers)


def judged(snapshot: Snapshot, configuration: Configuration | None = None) -> AuditResult:
    """The audit of a snapshot."""
    return audit(
        snapshot, rulebook=rulebook(), configuration=configuration or Configuration(), hashes=Hashes(snapshot="0" * 64)
    )


def row(result: AuditResult, permission: str) -> JudgedGrant:
    """The one grant of a permission."""
    (found,) = [judged for judged in result.grants if judged.grant.permission == permission]
    return found
