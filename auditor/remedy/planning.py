"""From an audit to a plan: which of the grants that go by their decision really go, in which steps, and what is left.

Pure: the same audit, snapshot and rules give the same bytes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import timedelta

from msgspec import Struct
from msgspec.structs import replace

from auditor.engine.rulebook import Rulebook
from auditor.errors import InputError, RefusedError
from auditor.model.canonical import sha256, to_json
from auditor.model.grant import Grant
from auditor.model.outcome import AuditResult
from auditor.model.plan import Left, RevokePlan, Step
from auditor.model.snapshot import Snapshot
from auditor.remedy.guards import Guards, is_guid
from auditor.remedy.planning_closes import findings_on_grants, with_app_findings
from auditor.remedy.planning_holdings import Holding, Holdings
from auditor.remedy.planning_only import select
from auditor.remedy.seal import over_limits, sealed
from auditor.remedy.steps import steps_of

DAYS = 14
"""Days after the reading of the tenant for which a plan holds."""
NOT_CHOSEN = "--only names something else."
NOT_BEFORE = "The plan that this one follows did not take it away: give it a plan of its own."
Removed = tuple[str, str, str, str]
"""appIds of app and resource, kind and permission: what comes back after a reconnect comes on a new object."""


class Again(Struct, frozen=True, kw_only=True):
    """An earlier plan, of which a new one takes away again what came back."""

    follows: str
    """Its sha256."""
    removed: frozenset[Removed]


def build_plan(
    result: AuditResult,
    snapshot: Snapshot,
    *,
    rulebook: Rulebook,
    only: tuple[str, ...] = (),
    with_checks: bool = False,
    allow_incomplete: bool = False,
    days: int = DAYS,
    again: Again | None = None,
) -> RevokePlan:
    """Return the plan that takes away what an audit's decisions say; it may be without a step.

    Args:
        result: the audit.
        snapshot: what it judged.
        rulebook: the rules that are installed here.
        only: values of `--only`.
        with_checks: also take what waits for a check; each check is then a box to tick.
        allow_incomplete: make a plan of an incomplete audit, which says so.
        days: how long the plan holds, counted from the reading of the tenant.
        again: limits the plan to what an earlier one removed.

    Raises:
        InputError: audit and snapshot do not belong together, or no tenant is named.
        RefusedError: the audit was made by other rules, or is incomplete.
        UsageError: `only` names what the audit does not have.
    """
    _require_fitting(result, snapshot, rulebook, allow_incomplete=allow_incomplete)
    holdings = Holdings(snapshot, rulebook.permissions)
    going: list[Holding] = []
    left: list[tuple[Holding, str]] = []
    chosen, guards = select(only, result, rulebook), Guards(result, holdings, rulebook)
    for holding in holdings.going(result):
        why = (
            ("" if chosen(holding.grant) else NOT_CHOSEN)
            or guards(holding)
            or _not_before(holding, again)
            or _check_first(holding, with_checks=with_checks)
        )
        if why:
            left.append((holding, why))
        else:
            going.append(holding)
    steps = steps_of(going, permissions=rulebook.permissions, closes=findings_on_grants(result))
    plan = replace(
        _empty(result, snapshot, rulebook, holdings),
        expires=snapshot.taken_at + timedelta(days=days),
        only=only,
        with_checks=with_checks,
        follows=again.follows if again else "",
        grants_removed=len(going),
        steps=with_app_findings(steps, result, snapshot, rulebook),
        left=tuple(_left(left)),
    )
    return sealed(replace(plan, warnings=tuple(warnings(plan))))


def _empty(result: AuditResult, snapshot: Snapshot, rulebook: Rulebook, holdings: Holdings) -> RevokePlan:
    """Return a plan with nothing in it but what it is made from."""
    return RevokePlan(
        purpose="revoke",
        tool_version=result.provenance.tool_version,
        tenant_id=snapshot.tenant_id,
        tenant_name=result.tenant_name,
        cloud=snapshot.source.cloud,
        profile=result.profile,
        created_at=snapshot.taken_at,
        expires=snapshot.taken_at,
        snapshot_sha256=result.provenance.snapshot_sha256,
        rules_sha256=rulebook.sha256,
        configuration_sha256=result.provenance.configuration_sha256,
        reader_app_id=snapshot.source.reader_app_id,
        reader_object_id=snapshot.source.reader_object_id,
        complete=result.complete,
        incomplete_reasons=result.incomplete_reasons,
        grants_held=sum(len(holdings.of_app(app.service_principal_id)) for app in result.apps),
        grants_of_tenant=holdings.whole_tenant(),
        steps=(),
    )


def _require_fitting(result: AuditResult, snapshot: Snapshot, rulebook: Rulebook, *, allow_incomplete: bool) -> None:
    if sha256(to_json(snapshot)) != result.provenance.snapshot_sha256:
        raise InputError(
            "The audit was made from another snapshot.",
            advice="Give the snapshot.json.gz that was written beside the audit.json (--snapshot).",
        )
    if result.provenance.rules_sha256 != rulebook.sha256:
        raise RefusedError(
            "The audit was made by other rules than those installed here.", advice="Audit again: entra-audit run"
        )
    if not result.complete and not allow_incomplete:
        raise RefusedError(
            f"The audit is INCOMPLETE: {' '.join(result.incomplete_reasons[:3])}",
            advice="Read what is missing and audit again, or plan with what was seen: --allow-incomplete",
        )
    if not is_guid(snapshot.tenant_id):
        raise InputError(
            "The snapshot does not say which tenant it is, so a plan could not be held to it.",
            advice="Collect it again with the organization.",
        )


def _not_before(holding: Holding, again: Again | None) -> str:
    return NOT_BEFORE if again and removed_key(holding.grant) not in again.removed else ""


def _check_first(holding: Holding, *, with_checks: bool) -> str:
    judged = holding.judged
    if judged.decision == "revoke-after" and not with_checks:
        return f"A check comes first: {judged.check}"
    return ""


def _left(left: Iterable[tuple[Holding, str]]) -> Iterator[Left]:
    """Give what is left, the same permission of many users once, in the order of app, permission and kind."""
    counted = Counter(
        (h.app.name, h.grant.app_id, h.grant.permission, h.grant.kind, why, h.grant.resource_app_id) for h, why in left
    )
    for (name, app_id, permission, kind, why, _), number in sorted(counted.items()):
        yield Left(app_id=app_id, app_name=name, permission=permission, kind=kind, count=number, why=why)


def warnings(plan: RevokePlan) -> Iterator[str]:
    """Give what whoever approves a plan has to know first."""
    if not plan.complete:
        yield f"INCOMPLETE: not everything could be read. {' '.join(plan.incomplete_reasons)}"
    for limit in over_limits(plan):
        yield f"Over a limit, so apply will refuse it as it is: {limit}."
    if not plan.reader_app_id and not plan.reader_object_id:
        yield (
            "Who read the tenant is not known, so the identity that reads cannot be kept out of the plan, and cannot "
            "be told from the one that writes."
        )


def permissions_of(steps: Iterable[Step]) -> frozenset[Removed]:
    """Return what steps take away."""
    return frozenset(
        (step.target.app_id.lower(), step.target.resource_app_id.lower(), step.target.kind, permission)
        for step in steps
        for permission in step.target.permissions
    )


def removed_key(grant: Grant) -> Removed:
    """Return what tells a permission in an earlier plan."""
    return (grant.app_id.lower(), grant.resource_app_id.lower(), grant.kind, grant.permission)
