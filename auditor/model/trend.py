"""A kept run in short: what lists and trends show of it, small enough for thousands to be read at once."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from auditor.model.outcome import Axis, Decision, Policy, Severity


class AppSummary(Struct, frozen=True, kw_only=True):
    """One app of a run. A permission that many people consented to counts once."""

    app_id: str
    service_principal_id: str
    name: str
    whole: bool
    """Its application permissions and delegated grants were read to the end."""
    policies: dict[Policy, int] = {}
    """Answer of the policy to the number of permissions held."""
    decisions: dict[Decision, int] = {}

    @property
    def held(self) -> int:
        """Permissions that were seen."""
        return sum(self.policies.values())

    @property
    def allowed(self) -> int:
        """Those of them that the policy allows."""
        return self.policies.get("allowed", 0)


class OpenFinding(Struct, frozen=True, kw_only=True):
    """Findings of one rule on one permission of an app, or on the app itself."""

    rule_id: str
    service_principal_id: str
    app_name: str
    permission: str
    """Empty: the app itself."""
    resource_app_id: str
    kind: str
    severity: Severity
    axis: Axis
    title: str
    number: int
    """More than one where many people consented, or where the same was granted more than once."""
    waived: bool = False

    @property
    def key(self) -> tuple[str, ...]:
        """What is the same in every run."""
        return (self.rule_id, self.service_principal_id, self.resource_app_id, self.kind, self.permission)


class RunSummary(Struct, frozen=True, kw_only=True):
    """One kept run."""

    tenant_id: str
    tenant_name: str
    profile: str
    number: int
    """Its entry's place in the chain."""
    sha256: str
    """Its entry's hash."""
    taken_at: datetime
    policy_name: str
    complete: bool
    not_evaluated: int
    apps: tuple[AppSummary, ...]
    findings: tuple[OpenFinding, ...]
    closed: dict[str, int] = {}
    """SHA-256 of a plan to the number of findings that it had closed, where the run was told of one."""
    attestations: dict[str, int] = {}
    """State to number of grants that are kept; empty where nobody attests."""
