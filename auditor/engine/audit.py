"""One audit: snapshot, rulebook and configuration to AuditResult."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from msgspec import UNSET, Struct

from auditor.engine import waivers
from auditor.engine.answers import build_context
from auditor.engine.attest import attested, in_force
from auditor.engine.completeness import NOT_DESCRIBED, incomplete_reasons
from auditor.engine.decide import decide
from auditor.engine.evaluate import evaluate
from auditor.engine.rulebook import Rulebook
from auditor.engine.rules import CompiledRule
from auditor.engine.summary import audited_app, headline
from auditor.engine.view import Answered, AppView, Context
from auditor.errors import ExitCode
from auditor.knowledge.permissions import GUID
from auditor.model.attestation import Register
from auditor.model.configuration import Configuration
from auditor.model.grant import Grant, GrantKey
from auditor.model.outcome import (
    AuditResult,
    Finding,
    JudgedGrant,
    Outcome,
    Provenance,
    RuleInfo,
    Severity,
    Waived,
    Waiver,
)
from auditor.model.snapshot import (
    LedgerEntry,
    Snapshot,
    items,
    last_sign_in,
    ledger,
    ledger_of,
)

OWN_LIST = "own list"
"""What stands for the policy's name where the team's own list for an integration takes its place."""


class Hashes(Struct, frozen=True, kw_only=True):
    """SHA-256 of the inputs, lower-case hex."""

    snapshot: str
    configuration: str = ""
    attestations: str = ""


def audit(
    snapshot: Snapshot,
    *,
    rulebook: Rulebook,
    configuration: Configuration,
    hashes: Hashes,
    only: frozenset[str] = frozenset(),
    register: Register | None = None,
) -> AuditResult:
    """Judge a snapshot.

    Args:
        snapshot: what was read of a tenant.
        rulebook: by what it is judged.
        configuration: the team's word.
        hashes: of the inputs.
        only: appIds that the audit is limited to; empty: to none.
        register: what business owners signed; None: nobody attests.

    Raises:
        ConfigurationError: a waiver names an unknown rule, or the policy does not exist.
    """
    waivers.check_waivers(configuration.waivers, [rule.id for rule in rulebook.rules], "waivers")
    context = build_context(
        snapshot, profile=rulebook.profile, permissions=rulebook.permissions, configuration=configuration, only=only
    )
    rules = in_force(rulebook.rules, register)
    if register is not None:
        context = attested(context, register, rules=rules, given=configuration.waivers)
    today = snapshot.taken_at.date()
    outcomes, expired = waivers.apply(evaluate(context, rules), configuration.waivers, taken_at=snapshot.taken_at)
    gaps = tuple(gap for gap in configuration.accepted_gaps if gap.expires >= today)
    reasons = tuple(incomplete_reasons(context, outcomes, gaps))
    grants = tuple(_judged_grants(context, outcomes, {rule.id for rule in rules if rule.decides}))
    organizations = items(snapshot.organization)
    return AuditResult(
        tenant_id=snapshot.tenant_id,
        tenant_name=(organizations[0].display_name or "") if organizations else "",
        taken_at=snapshot.taken_at,
        taken_at_basis=snapshot.taken_at_basis,
        profile=rulebook.profile.id,
        profile_title=rulebook.profile.title,
        policy_name=context.policy_name,
        features=context.configuration.features,
        complete=not reasons,
        incomplete_reasons=reasons,
        headline=headline(context, grants, complete=not reasons),
        apps=tuple(audited_app(context, view, grants) for view in _worst_first(context, outcomes)),
        seen_apps=context.seen_apps,
        grants=grants,
        outcomes=outcomes,
        rules=tuple(map(_rule_info, rules)),
        waivers=tuple(waiver for waiver in configuration.waivers if waiver not in expired),
        expired_waivers=expired,
        accepted_gaps=gaps,
        expired_gaps=tuple(gap for gap in configuration.accepted_gaps if gap.expires < today),
        ledger=ledger(snapshot) + tuple(_uncollected(context)),
        notes=(*snapshot.notes, *_unused_waivers(outcomes, configuration.waivers, expired)),
        provenance=_provenance(snapshot, rulebook, hashes),
    )


def _unused_waivers(
    outcomes: Sequence[Outcome], all_waivers: Sequence[Waiver], expired: Sequence[Waiver]
) -> Iterable[str]:
    for waiver in waivers.unused(outcomes, [waiver for waiver in all_waivers if waiver not in expired]):
        what = f" of {waiver.permission}" if waiver.permission else ""
        yield f"The waiver of {waiver.rule} for {waiver.app}{what} covers no finding: is it needed, and spelled right?"


def _rule_info(rule: CompiledRule) -> RuleInfo:
    return RuleInfo(
        id=rule.id,
        title=rule.title,
        severity=rule.severity,
        axis=rule.axis,
        why=rule.why,
        controls=rule.controls,
    )


def _provenance(snapshot: Snapshot, rulebook: Rulebook, hashes: Hashes) -> Provenance:
    return Provenance(
        tool_version=snapshot.tool_version,
        snapshot_sha256=hashes.snapshot,
        rules_sha256=rulebook.sha256,
        configuration_sha256=hashes.configuration,
        attestations_sha256=hashes.attestations,
        source_kind=snapshot.source.kind,
        cloud=snapshot.source.cloud,
        reader_app_id=snapshot.source.reader_app_id,
        audit_log_since=snapshot.audit_log_since,
    )


def exit_code(result: AuditResult, fail_on: Severity | None, *, only_new: bool = False) -> ExitCode:
    """Return 3 for an incomplete audit, else 1 for a finding at or above `fail_on` (None: never), else 0.

    Args:
        result: the audit.
        fail_on: the mildest severity that counts.
        only_new: count what is new or has returned since the run before; without one, every finding is new.
    """
    if not result.complete:
        return ExitCode.INCOMPLETE
    findings = [outcome for outcome in result.outcomes if isinstance(outcome, Finding)]
    loud = [finding for finding in findings if fail_on is not None and finding.severity.rank <= fail_on.rank]
    if any(finding.rule_id in NOT_DESCRIBED and finding not in loud for finding in findings):
        # What cannot be judged of such a permission is told by its finding alone, so the finding may not be silent.
        return ExitCode.INCOMPLETE
    if only_new and result.drift:
        new = {change.finding_id for change in result.drift.findings if change.what in {"new", "returned"}}
        loud = [finding for finding in loud if finding.finding_id in new]
    return ExitCode.FINDINGS if loud else ExitCode.CLEAN


def _worst_first(context: Context, outcomes: Iterable[Outcome]) -> list[AppView]:
    """Return the apps, those with the worst finding first, else in the order of their identification."""
    worst: dict[str, int] = {}
    for outcome in outcomes:
        if isinstance(outcome, Finding):
            owner = outcome.subject.service_principal_id
            worst[owner] = min(outcome.severity.rank, worst.get(owner, len(Severity)))
    return sorted(context.audited, key=lambda v: worst.get(v.identified.service_principal.id, len(Severity)))


def _uncollected(context: Context) -> Iterable[LedgerEntry]:
    """Return ledger lines for apps that today's configuration audits and the snapshot does not hold."""
    held = {client.service_principal.id for client in context.snapshot.clients}
    strangers = tuple(view.client for view in context.audited if view.client.service_principal.id not in held)
    return ledger_of(strangers)


def _judged_grants(context: Context, outcomes: tuple[Outcome, ...], deciding: set[str]) -> Iterable[JudgedGrant]:
    by_grant: dict[GrantKey, list[Finding | Waived]] = defaultdict(list)
    for outcome in outcomes:
        if isinstance(outcome, Finding | Waived):
            by_grant[outcome.subject.key].append(outcome)
    for view in context.audited:
        for answered in view.answered:
            yield _judged(context, view, answered, by_grant.get(answered.grant.key, []), deciding)


def _judged(
    context: Context, view: AppView, answered: Answered, found: list[Finding | Waived], deciding: set[str]
) -> JudgedGrant:
    grant, permission, app = answered.grant, answered.permission, view.identified
    verdict = decide(context, view, answered, waivers.keeping(found, deciding))
    worst = min((f for f in found if isinstance(f, Finding)), key=lambda f: (f.severity.rank, f.rule_id), default=None)
    enabled = app.service_principal.account_enabled
    return JudgedGrant(
        grant=grant,
        match=app.match,
        integration=app.integration,
        integration_basis=app.integration_basis,
        account_enabled=enabled if isinstance(enabled, bool) else None,
        opens=permission.opens if permission else "",
        family=permission.family if permission else "",
        access=permission.access if permission else "",
        tier=permission.tier if permission else None,
        tier_reason=permission.tier_reason if permission else "",
        policy_name=OWN_LIST if view.list_name == f"your {OWN_LIST}" else context.policy_name,
        policy=answered.policy,
        policy_reason=answered.policy_reason,
        vendor_says=answered.vendor_says,
        vendor=answered.vendor,
        seen=answered.seen,
        seen_reason=answered.seen_reason,
        covered_by=answered.covered_by,
        reach=answered.reach,
        reach_text=answered.reach_text,
        decision=verdict.decision,
        reason=verdict.reason,
        check=verdict.check,
        ask_whom=verdict.ask_whom,
        replace_with=verdict.replace_with,
        impact=answered.impact,
        severity=worst.severity if worst else None,
        severity_axis=worst.axis if worst else "",
        rule_ids=tuple(dict.fromkeys(outcome.rule_id for outcome in found)),
        app_last_sign_in=last_sign_in(view.client),
        portal_url=portal_url(context.snapshot.source.cloud, grant),
        graph_request=graph_request(grant),
        attestation=UNSET if context.attestations is None else context.attestations[grant],
    )


def portal_url(cloud: str, grant: Grant) -> str:
    """Return the Entra portal's page of an app's permissions; empty outside the public cloud and for odd ids."""
    ids = (grant.service_principal_id, grant.app_id)
    if cloud != "public" or not all(GUID.fullmatch(value.lower()) for value in ids):
        return ""
    return (
        "https://entra.microsoft.com/#view/Microsoft_AAD_IAM/ManagedAppMenuBlade/~/Permissions"
        f"/objectId/{ids[0]}/appId/{ids[1]}"
    )


def graph_request(grant: Grant) -> str:
    """Return the Graph request that shows a grant."""
    if grant.kind == "application":
        return f"GET /v1.0/servicePrincipals/{grant.service_principal_id}/appRoleAssignments/{grant.grant_id}"
    return f"GET /v1.0/oauth2PermissionGrants/{grant.grant_id}"
