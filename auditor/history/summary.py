"""A run in short, out of its result."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

from msgspec.structs import replace

from auditor.model.attestation import Attestation
from auditor.model.outcome import AuditResult, Finding, JudgedGrant, NotEvaluated, Policy, Waived, tally
from auditor.model.trend import AppSummary, OpenFinding, RunSummary

_HELD = frozenset({"appRoleAssignments", "oauth2PermissionGrants"})


def summarized(result: AuditResult, *, number: int, sha256: str) -> RunSummary:
    """Return a run in short.

    Args:
        result: the run's audit.
        number: its entry's place in its chain.
        sha256: its entry's hash.
    """
    return RunSummary(
        tenant_id=result.tenant_id,
        tenant_name=result.tenant_name,
        profile=result.profile,
        number=number,
        sha256=sha256,
        taken_at=result.taken_at,
        policy_name=result.policy_name,
        complete=result.complete,
        not_evaluated=sum(isinstance(outcome, NotEvaluated) for outcome in result.outcomes),
        apps=_apps(result),
        findings=_findings(result),
        closed=dict(Counter(one.plan for one in result.closed if not one.still_open and one.evaluated)),
        attestations=_attestations(result.grants),
    )


def _attestations(held: Iterable[JudgedGrant]) -> dict[str, int]:
    """Return the number of permissions by how they stand with those who answer for them; empty where nobody does."""
    asked = {
        (g.service_principal_id, g.kind, g.consent, g.resource_id, g.permission, attestation.state)
        for one in held
        for g, attestation in ((one.grant, one.attestation),)
        if isinstance(attestation, Attestation)
    }
    return dict(sorted(Counter(state for *_, state in asked if state != "not-asked").items()))


def _apps(result: AuditResult) -> tuple[AppSummary, ...]:
    of_app: dict[str, list[JudgedGrant]] = defaultdict(list)
    for judged in result.grants:
        if not judged.grant.default_access:
            of_app[judged.grant.service_principal_id].append(judged)
    unread = {e.service_principal_id for e in result.ledger if e.collection in _HELD and e.state != "complete"}
    return tuple(
        AppSummary(
            app_id=app.app_id,
            service_principal_id=app.service_principal_id,
            name=app.name,
            whole=app.service_principal_id not in unread,
            policies=_policies(of_app[app.service_principal_id]),
            decisions=dict(sorted(tally(of_app[app.service_principal_id]).items())),
        )
        for app in sorted(result.apps, key=lambda app: (app.app_id, app.service_principal_id))
    )


def _policies(held: Iterable[JudgedGrant]) -> dict[Policy, int]:
    """Return the number of permissions by the policy's answer; one that many people consented to counts once."""
    distinct = {(g.kind, g.consent, g.resource_id, g.permission, one.policy) for one in held for g in (one.grant,)}
    return dict(sorted(Counter(policy for *_, policy in distinct).items()))


def _findings(result: AuditResult) -> tuple[OpenFinding, ...]:
    found: dict[tuple[object, ...], OpenFinding] = {}
    numbers: Counter[tuple[object, ...]] = Counter()
    for outcome in result.outcomes:
        if isinstance(outcome, Finding | Waived):
            one = _open(outcome)
            numbers[*one.key, one.waived] += 1
            found.setdefault((*one.key, one.waived), one)
    return tuple(
        replace(one, number=numbers[key])
        for key, one in sorted(found.items(), key=lambda item: (item[1].severity.rank, *map(str, item[0])))
    )


def _open(outcome: Finding | Waived) -> OpenFinding:
    finding = outcome.finding if isinstance(outcome, Waived) else outcome
    subject = finding.subject
    return OpenFinding(
        rule_id=finding.rule_id,
        service_principal_id=subject.service_principal_id,
        app_name=subject.app_name,
        permission=subject.permission,
        resource_app_id=subject.resource_app_id,
        kind=subject.kind,
        severity=finding.severity,
        axis=finding.axis,
        title=finding.title,
        number=1,
        waived=isinstance(outcome, Waived),
    )
