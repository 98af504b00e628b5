"""What business owners signed: which of their apps' permissions stay, why, and until when that holds.

An answer is about one permission that one client holds on one resource. It covers the grants that stood when it was
signed, each by Graph's id and by the person it is for; a grant with another id, for another person or for everybody is
another grant, and no answer is carried over to it. A signer's name is what somebody wrote into a cell, and no
cryptographic signature.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from auditor.model.grant import Consent, Grant, Kind

SCHEMA = "entra-auditor/attestations"
VERSION = 1

State = Literal["current", "due-soon", "overdue", "changed", "missing", "to-remove", "not-asked"]
"""`changed`: an answer covers the permission as it was. `to-remove`: signed away and still held. `not-asked`: the audit
does not keep it, and nobody signed it away."""
OPEN: tuple[State, ...] = ("overdue", "changed", "missing", "to-remove")
"""States in which something is left undone."""


class Covered(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, order=True):
    """One grant that an answer is about."""

    grant_id: str
    """Graph's id of the assignment or of the delegated grant."""
    principal_id: str = ""
    """The user of a per-user consent; empty otherwise."""


class Answer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one business owner said of one permission of one app."""

    tenant_id: str
    app_id: str
    service_principal_id: str
    kind: Kind
    consent: Consent
    resource_id: str
    resource_app_id: str
    permission: str
    permission_id: str
    covers: tuple[Covered, ...]
    """Every grant that stood when it was signed, in order; several only for per-user consents."""
    business_owner: str
    decision: Literal["keep", "remove"]
    justification: str
    ticket: str = ""
    signer: str
    asked_at: Annotated[datetime, Meta(tz=True)]
    """When the tenant was read that the question was made from."""
    signed_at: Annotated[datetime, Meta(tz=True)]
    """When the answer was imported."""
    next_review: date | None
    """The last day on which it holds; None only for `remove`."""
    snapshot_sha256: str
    """Of the snapshot that the question was made from."""


class Register(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every answer that counts: the last one for each permission of each app."""

    schema: str = SCHEMA
    version: int = VERSION
    answers: tuple[Answer, ...] = ()


class Attestation(Struct, frozen=True, kw_only=True):
    """How one grant stands with those who answer for it, on the day of the audit."""

    state: State
    signer: str = ""
    """Empty where no answer covers the grant."""
    signed_at: datetime | None = None
    next_review: date | None = None
    text: str
    """The same in one sentence."""


Key = tuple[str, str, str, str, str]
"""Service principal, resource, kind, permission (an id for an application permission), consent: one question."""


def key_of(held: Grant | Answer) -> Key:
    """Return what one question is about. Names are not in it: who names an app could change them."""
    named = held.permission_id if held.kind == "application" else held.permission
    return (held.service_principal_id, held.resource_id, held.kind, named.casefold(), held.consent)


def covered(grant: Grant) -> Covered:
    """Return a grant as an answer names it."""
    return Covered(grant_id=grant.grant_id, principal_id=grant.principal_id)
