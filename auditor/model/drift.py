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
"""`widened`: a scope more in a delegated grant that was there, or a permission of one person that now holds for
everyone; `narrowed`: the opposite. `granted-again`: the same permission under a new Graph id, or one that a plan had
taken away. `judged-anew`: the grant is the same, an answer or its decision is another."""
FindingDrift = Literal["new", "closed", "returned", "waived", "no-longer-evaluated"]
"""`returned`: open again after it was closed or waived, or on a permission that was granted again. `waived`: a waiver
covers it now. `no-longer-evaluated`: not found, and the rule was not evaluated for the app, so it is not closed."""
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
    """False: one of the audits did not read the collection completely, so that the other may only seem to differ."""
    before: Grant | None
    """None where the earlier audit does not hold it."""
    after: Grant | None
    """None where the later audit does not hold it."""
    fields: tuple[FieldChange, ...] = ()
    """Answers and decision that read otherwise, of a grant that came all of them: policy, vendor_says, seen,
    covered_by, reach, decision."""
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
    """`appeared`, `gone`, `audited` and `no-longer-audited` (it was in the tenant both times), or what changed:
    `credentials`, `owners`, `publisher`, `reply-urls`, `sign-in`, ..."""
    certain: bool
    """False: one of the audits did not read it completely."""
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
    service_principal_id: str = ""
    permission: str = ""
    certain: bool = True
    """False: one that is new may have been open before, as the earlier audit could not or did not judge it; one that
    is not evaluated any more may be open still."""
    replaces: str = ""
    """Id of the earlier finding of the same rule on the same permission, whose grant was made anew."""
    held: bool = False
    """Of one that is closed: its permission is held still, and is judged otherwise now."""


class WaiverChange(Struct, frozen=True, kw_only=True):
    """A waiver that came, went, changed or lapsed."""

    what: WaiverDrift
    rule: str
    app: str
    permission: str
    owner: str
    expires: str
    """YYYY-MM-DD."""
    reason: str = ""
    fields: tuple[FieldChange, ...] = ()
    """Of a changed one: owner, reason or expires before and now."""


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
