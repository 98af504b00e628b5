"""What changed between two audits of one tenant: grants, apps, findings and waivers, with who did it and when.

A side that was not read completely proves no absence: a change that rests on one says `certain` = false.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from msgspec import Struct

from auditor.model.grant import Grant

SCHEMA = "entra-auditor/drift"
VERSION = 1

GrantDrift = Literal["added", "removed", "widened", "narrowed", "granted-again", "judged-anew"]
"""`granted-again`: the same permission under a new Graph id. `judged-anew`: the grant is the same, an answer or its
decision is another."""
FindingDrift = Literal["new", "closed", "returned", "no-longer-evaluated"]
WaiverDrift = Literal["added", "changed", "removed", "lapsed"]


class Act(Struct, frozen=True, kw_only=True):
    """A directory audit record that tells who did something, and when."""

    id: str
    at: datetime
    activity: str
    actor: str
    """User principal name or app name; empty when the record names nobody."""
    result: str = ""


class FieldChange(Struct, frozen=True, kw_only=True):
    """One field that reads otherwise: `decision` from `keep` to `revoke`."""

    field: str
    before: str
    after: str


class GrantChange(Struct, frozen=True, kw_only=True):
    """A permission that came, went or changed."""

    what: GrantDrift
    certain: bool
    before: Grant | None
    """None for `added`."""
    after: Grant | None
    """None for `removed`."""
    fields: tuple[FieldChange, ...] = ()
    """Answers and decision that read otherwise: policy, vendor_says, covered_by, reach, decision, ..."""
    decision: str = ""
    """The decision now; of `removed` the one before."""
    after_revoke: bool = False
    """A plan had taken it away before."""
    acts: tuple[Act, ...] = ()


class AppChange(Struct, frozen=True, kw_only=True):
    """Something about an app other than its grants."""

    app_id: str
    service_principal_id: str
    app_name: str
    what: str
    """`appeared`, `gone`, or what changed: `credentials`, `owners`, `publisher`, `reply-urls`, `sign-in`, ..."""
    certain: bool
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    acts: tuple[Act, ...] = ()


class FindingChange(Struct, frozen=True, kw_only=True):
    """A finding that came, went or came back."""

    what: FindingDrift
    finding_id: str
    rule_id: str
    severity: str
    axis: str
    title: str
    app_id: str
    app_name: str
    permission: str = ""


class WaiverChange(Struct, frozen=True, kw_only=True):
    """A waiver that came, went, changed or lapsed."""

    what: WaiverDrift
    rule: str
    app: str
    permission: str
    owner: str
    expires: str
    """YYYY-MM-DD; of the newer audit where it holds it."""


class Drift(Struct, frozen=True, kw_only=True):
    """Everything that changed, in an order that depends on content alone."""

    schema: str = SCHEMA
    version: int = VERSION
    tenant_id: str
    profile: str
    before_taken_at: datetime
    before_snapshot_sha256: str
    after_taken_at: datetime
    after_snapshot_sha256: str
    grants: tuple[GrantChange, ...] = ()
    apps: tuple[AppChange, ...] = ()
    findings: tuple[FindingChange, ...] = ()
    waivers: tuple[WaiverChange, ...] = ()
    notes: tuple[str, ...] = ()
    """What could not be compared, and why; other rules or another policy than before."""

    @property
    def empty(self) -> bool:
        """Nothing changed, as far as could be compared."""
        return not (self.grants or self.apps or self.findings or self.waivers)
