"""What an audit says: outcomes of rules, the five answers and the decision per grant, and the whole result."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import date, datetime
from enum import StrEnum
from typing import Literal

from msgspec import UNSET, Struct, UnsetType

from auditor.model.attestation import Attestation
from auditor.model.drift import Drift
from auditor.model.grant import Grant, GrantKey, Kind
from auditor.model.history import HistoryHead
from auditor.model.snapshot import LedgerEntry

SCHEMA = "entra-auditor/audit"
VERSION = 1


class Severity(StrEnum):
    """How bad, on the finding's own axis; declared from worst to mildest."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    INFO = "info"

    @property
    def rank(self) -> int:
        """0 for critical, growing as it gets milder."""
        return list(Severity).index(self)


Axis = Literal["takeover", "data-reach", "hygiene"]
Basis = Literal["documented", "inferred", "unknown"]
Policy = Literal["allowed", "conditional", "outside", "undetermined"]
VendorSays = Literal["needed", "optional", "conditional", "removable", "silent"]
Seen = Literal["used", "unused", "not-provable", "no-logs"]
Reach = Literal["organization", "organization-at-most", "signed-in-users", "one-user", "none", "unknown"]
"""`organization-at-most`: Exchange limits could narrow it and were not read."""
Decision = Literal["keep", "keep-and-scope", "revoke", "revoke-after", "replace", "ask"]
Match = Literal["documented", "template", "configured", "candidate", "look-alike"]


class Statement(Struct, frozen=True, kw_only=True):
    """A sentence with what it rests on."""

    text: str
    basis: Basis
    source: str = ""
    """URL, or where else it was read; empty only for `unknown`."""
    date: str = ""
    """When the source was read, YYYY-MM-DD."""


class Impact(Struct, frozen=True, kw_only=True):
    """What goes when the grant goes."""

    what: Statement
    who_notices: str
    when: Literal["now", "at the next connect", "never", "unknown"]
    way_back: str


class JudgedGrant(Struct, frozen=True, kw_only=True):
    """A grant with the five answers, the decision and its reason."""

    grant: Grant
    match: Match
    integration: str
    """Empty when none is known."""
    integration_basis: Literal["documented", "configured", "inferred", ""]
    account_enabled: bool | None
    opens: str
    """What the permission opens, in our words; empty for an unknown one."""
    family: str
    access: Literal["read", "write", "send", "full", "sign-in", ""]
    tier: int | None
    """Takeover tier: 0 can become Global Administrator, 1 broad control or content, 2 the rest; None when unknown."""
    tier_reason: str
    policy_name: str
    policy: Policy
    policy_reason: str
    vendor_says: VendorSays
    vendor: Statement
    seen: Seen
    seen_reason: str
    last_used: datetime | None = None
    covered_by: str
    reach: Reach
    reach_text: str
    """The reach in words, with the number of accounts where it is known."""
    decision: Decision
    reason: str
    check: str
    """What comes first, for `revoke-after`; empty otherwise."""
    ask_whom: str
    replace_with: str
    impact: Impact
    severity: Severity | None
    """The worst finding on this grant; None without a finding."""
    severity_axis: Axis | Literal[""]
    rule_ids: tuple[str, ...]
    app_last_sign_in: datetime | None = None
    portal_url: str
    graph_request: str
    """The GET that shows this grant, as `GET /v1.0/...`."""
    attestation: Attestation | UnsetType = UNSET
    """How it stands with those who answer for it, where a register of attestations is in use."""


def tally(held: Iterable[JudgedGrant]) -> Counter[Decision]:
    """Return the number of permissions by decision; the same permission consented to by many users counts once."""
    distinct = {
        (g.service_principal_id, g.kind, g.consent, g.resource_id, g.permission, judged.decision)
        for judged in held
        for g in (judged.grant,)
    }
    return Counter(decision for *_, decision in distinct)


class Subject(Struct, frozen=True, kw_only=True):
    """What an outcome is about: an app, or one grant of it."""

    app_id: str
    service_principal_id: str
    app_name: str
    grant_id: str = ""
    permission: str = ""
    principal_id: str = ""
    kind: Kind | Literal[""] = ""
    """Of the grant; empty for an app."""
    resource_app_id: str = ""

    @property
    def key(self) -> GrantKey:
        """The key of the grant that it is about."""
        return (self.service_principal_id, self.grant_id, self.permission, self.principal_id)


class Finding(Struct, frozen=True, kw_only=True, tag="finding", tag_field="outcome"):
    """The rule holds for the subject."""

    finding_id: str
    """uuid5 of rule and subject: the same in every run."""
    rule_id: str
    subject: Subject
    severity: Severity
    axis: Axis
    title: str
    reason: str
    remediation: str
    basis: Basis
    references: tuple[str, ...]
    controls: tuple[str, ...]


class Passed(Struct, frozen=True, kw_only=True, tag="passed", tag_field="outcome"):
    """The rule was evaluated on complete facts and does not hold."""

    rule_id: str
    subject: Subject


class NotEvaluated(Struct, frozen=True, kw_only=True, tag="not-evaluated", tag_field="outcome"):
    """The rule could not be evaluated. Never a pass."""

    rule_id: str
    subject: Subject
    missing: tuple[str, ...]
    """Declared facts that were absent; empty for a defect of the rule."""
    collections: tuple[str, ...]
    """The collections whose incompleteness made them absent."""
    why: str


class Waiver(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The team's decision to live with a finding until a date."""

    rule: str
    app: str
    """appId."""
    owner: str
    reason: str
    expires: date
    permission: str = ""
    """`[RESOURCE/]VALUE[@KIND]`, an application permission of Graph unless said otherwise; empty: every permission."""


class Waived(Struct, frozen=True, kw_only=True, tag="waived", tag_field="outcome"):
    """A finding that an unexpired waiver covers; shown, and not counted for the exit code."""

    finding: Finding
    waiver: Waiver

    @property
    def rule_id(self) -> str:
        """The rule of the finding."""
        return self.finding.rule_id

    @property
    def subject(self) -> Subject:
        """The subject of the finding."""
        return self.finding.subject


Outcome = Finding | Passed | NotEvaluated | Waived


class AcceptedGap(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A collection that the team accepts to go without, until a date."""

    collection: str
    owner: str
    reason: str
    expires: date


class NotChecked(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something that this audit did not look at, and who can."""

    what: str
    who: str
    how: str


class AuditedApp(Struct, frozen=True, kw_only=True):
    """One app's identity card and first-screen sentences."""

    app_id: str
    service_principal_id: str
    name: str
    match: Match
    match_reason: str
    confirm_line: str
    """The configuration line that confirms the app; empty when nothing is left to confirm."""
    exclude_line: str
    integration: str
    integration_basis: Literal["documented", "configured", "inferred", ""]
    confirmed: bool
    """A documented id or a configuration line says which integration this is."""
    headline: str
    """One sentence of fact: what the app may do, to whom, and what the policy makes of it."""
    identity: tuple[tuple[str, str], ...]
    """Label and value pairs of the identity card, in order, ready to show."""
    still_possible: tuple[str, ...]
    """What the app can still do after every decision has been followed."""
    not_checked: tuple[NotChecked, ...]
    before: tuple[str, ...]
    """What the app may do now, by family: `Mail: read and change`."""
    after: tuple[str, ...]
    """The same after every decision to revoke (also after a check) or to replace has been followed."""


class SeenApp(Struct, frozen=True, kw_only=True):
    """A service principal that was considered and is not audited, with the reason."""

    app_id: str
    service_principal_id: str
    name: str
    reason: str
    include_line: str
    """The configuration line that would audit it; empty when it never should be."""


class RuleInfo(Struct, frozen=True, kw_only=True):
    """What a report says of a rule."""

    id: str
    title: str
    severity: Severity
    axis: Axis
    why: str
    controls: tuple[str, ...] = ()
    """Controls that the rule supports, as FRAMEWORK:ID."""


class Provenance(Struct, frozen=True, kw_only=True):
    """What the result was made from."""

    tool_version: str
    snapshot_sha256: str
    rules_sha256: str
    """Over all files of rules/ that were used."""
    configuration_sha256: str
    """Empty without a configuration file."""
    attestations_sha256: str = ""
    """Of the register of attestations; empty without one."""
    source_kind: str
    cloud: str
    reader_app_id: str
    audit_log_since: datetime | None


class ClosedFinding(Struct, frozen=True, kw_only=True):
    """A finding that a plan was to close, once every change of its step was journalled as done."""

    finding_id: str
    rule_id: str
    title: str
    app_name: str
    app_id: str
    permission: str
    """What was taken, comma-separated; empty where the app itself was changed."""
    resource_app_id: str
    closed_at: datetime
    """When the last change of the step was verified."""
    plan: str
    """sha256 of the plan."""
    journal: str
    """sha256 of the journal."""
    still_open: bool
    """This audit finds it again, waived or not: under its id, or on the same permission that was granted anew."""
    found_as: str = ""
    """The finding's id in this audit where the permission was granted anew, which gives it another; else empty."""
    evaluated: bool = True
    """False: this audit could not evaluate the rule for the app, so that it is gone is not shown."""
    kind: Kind | Literal[""] = ""
    """Of what was taken; empty where the app itself was changed."""


class AuditResult(Struct, frozen=True, kw_only=True):
    """Everything a report shows; the same snapshot, rules and configuration give the same bytes."""

    schema: str = SCHEMA
    version: int = VERSION
    tenant_id: str
    tenant_name: str
    taken_at: datetime
    taken_at_basis: str
    profile: str
    profile_title: str
    policy_name: str
    features: tuple[str, ...]
    complete: bool
    """False when a rule was not evaluated for an app, or its grants are not Complete, and no accepted gap covers it."""
    incomplete_reasons: tuple[str, ...]
    headline: str
    apps: tuple[AuditedApp, ...]
    seen_apps: tuple[SeenApp, ...]
    grants: tuple[JudgedGrant, ...]
    outcomes: tuple[Outcome, ...]
    rules: tuple[RuleInfo, ...]
    waivers: tuple[Waiver, ...]
    expired_waivers: tuple[Waiver, ...]
    accepted_gaps: tuple[AcceptedGap, ...]
    expired_gaps: tuple[AcceptedGap, ...]
    ledger: tuple[LedgerEntry, ...]
    notes: tuple[str, ...]
    provenance: Provenance
    closed: tuple[ClosedFinding, ...] = ()
    """Findings that a plan closed, where a journal was given."""
    drift: Drift | UnsetType = UNSET
    """What changed since the run before, where a history holds one."""
    history: HistoryHead | UnsetType = UNSET
    """Where the run stands in a history, where it was given one."""
