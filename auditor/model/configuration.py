"""What only the team knows: the shape of entra-audit.yaml."""

from __future__ import annotations

from datetime import date

from msgspec import Struct

from auditor.model.outcome import AcceptedGap, Waiver


class Answer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An answer to a question of the app profile, with who gave it and when."""

    value: bool
    answered_by: str
    date: date


class AppConfiguration(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The team's word on one app profile."""

    policy: str = ""
    """`minimal`, `required`, or a name of `policies`; empty: the profile's default."""
    integrations: dict[str, str] = {}
    """appId to integration: confirms the app and says what it is for."""
    features: tuple[str, ...] = ()
    """The integrations that are switched on in the vendor's portal."""
    answers: dict[str, Answer] = {}
    allowed: dict[str, tuple[str, ...]] = {}
    """The team's own list of permissions for an integration; it takes the place of the policy's list."""
    exclude: tuple[str, ...] = ()
    """appIds that are not this vendor's."""


class Configuration(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """entra-audit.yaml."""

    apps: dict[str, AppConfiguration] = {}
    policies: dict[str, dict[str, tuple[str, ...]]] = {}
    """The team's own policies: name to integration to permissions."""
    waivers: tuple[Waiver, ...] = ()
    accepted_gaps: tuple[AcceptedGap, ...] = ()
