"""What only the team knows: the shape of entra-audit.yaml."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from msgspec import Meta, Struct

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


class SignInConfiguration(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """As whom a tenant is read: the sign-in options of the command line. No secret stands here."""

    method: str = "default"
    client_id: str = ""
    certificate: str = ""
    """A file; its password comes from the environment."""
    secret_file: str = ""
    """A file with the client secret that only its owner may read; empty: the environment has it."""
    token_file: str = ""


class TenantConfiguration(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One tenant of several: what stands here takes the place of the same section outside."""

    tenant_id: str = ""
    """Its id or one of its domains; empty where it is read from a file."""
    cloud: str = ""
    """A name of --cloud; empty: as the environment says."""
    sign_in: SignInConfiguration = SignInConfiguration()
    snapshot: str = ""
    """A snapshot file that is judged in place of the live tenant."""
    graph_export: str = ""
    """A folder with an export that is judged in place of the live tenant."""
    apps: dict[str, AppConfiguration] = {}
    waivers: tuple[Waiver, ...] = ()
    accepted_gaps: tuple[AcceptedGap, ...] = ()


class Retention(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long the contents of kept runs stay; the entries of the chain stay for ever."""

    days: Annotated[int, Meta(ge=0, le=36_500)] = 0
    """Counted back from the newest run; 0: for ever."""
    at_least: Annotated[int, Meta(ge=1, le=1_000_000)] = 12
    """Newest runs that stay however old they are."""


class NotifyConfiguration(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a notification may say. Where it goes is no matter of this file: the addresses hold secrets."""

    names: bool = False
    """Name people: user principal names of those who granted something."""
    unchanged: bool = False
    """Also tell of a run in which nothing changed."""


class Configuration(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """entra-audit.yaml."""

    apps: dict[str, AppConfiguration] = {}
    policies: dict[str, dict[str, tuple[str, ...]]] = {}
    """The team's own policies: name to integration to permissions."""
    waivers: tuple[Waiver, ...] = ()
    accepted_gaps: tuple[AcceptedGap, ...] = ()
    history: str = ""
    """Where runs are kept: a file, `default`, or a database's URL without a password; empty: nowhere."""
    retention: Retention = Retention()
    attestations: str = ""
    """The file that `attest import` writes; empty: nobody attests."""
    notify: NotifyConfiguration = NotifyConfiguration()
    tenants: dict[str, TenantConfiguration] = {}
    """Name to tenant, for `watch`; empty: the one that the command line names."""
