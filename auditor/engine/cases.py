"""A rule's own cases: small tenants with the outcome that the rule must give."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from auditor.engine.answers import build_context
from auditor.engine.attest import attested
from auditor.engine.evaluate import evaluate
from auditor.engine.rules import Case, CompiledRule, Expectation, SignedOutline
from auditor.engine.view import Context
from auditor.errors import ConfigurationError
from auditor.knowledge.permissions import PermissionTable
from auditor.knowledge.profile import AppProfile
from auditor.knowledge.sample import sample_id
from auditor.knowledge.sketch import sketch
from auditor.model.attestation import Answer, Covered, Register
from auditor.model.configuration import Configuration
from auditor.model.outcome import Finding, NotEvaluated, Outcome, Passed
from auditor.model.snapshot import Snapshot

_KINDS: dict[Expectation, type[Finding | Passed | NotEvaluated]] = {
    "finding": Finding,
    "pass": Passed,
    "not-evaluated": NotEvaluated,
}
_SPOILS: dict[Expectation, tuple[type, ...]] = {
    "finding": (),
    "pass": (Finding, NotEvaluated),
    "not-evaluated": (Finding, Passed),
}
"""What contradicts the expectation where it stands beside what was expected."""


class CaseResult(Struct, frozen=True, kw_only=True):
    """What came of one case."""

    rule_id: str
    name: str
    ok: bool
    message: str
    """What came instead; empty when it is as expected."""


def case_context(
    case: Case, *, profile: AppProfile, permissions: PermissionTable, snapshot: Snapshot | None = None
) -> Context:
    """Return the view of a case's tenant, or of `snapshot` under the case's configuration."""

    def view(of: Snapshot) -> Context:
        return build_context(
            of,
            profile=profile,
            permissions=permissions,
            configuration=Configuration(apps={profile.id: case.configuration}),
        )

    drawn = sketch(case.tenant, permissions=permissions)
    seen = view(snapshot or drawn)
    if case.attestations is None:
        return seen
    return attested(seen, Register(answers=tuple(_signed(case.attestations, view(drawn)))))


def _signed(signed: tuple[SignedOutline, ...], context: Context) -> Iterator[Answer]:
    """Give the answers that a case names, each on every grant of its permission in the case's tenant."""
    for one in signed:
        for grant in (a.grant for view in context.apps for a in view.answered if a.grant.permission == one.permission):
            held = sample_id(grant.grant_id, "before") if one.of_another_grant else grant.grant_id
            yield Answer(
                tenant_id=context.tenant_id,
                app_id=grant.app_id,
                service_principal_id=grant.service_principal_id,
                kind=grant.kind,
                consent=grant.consent,
                resource_id=grant.resource_id,
                resource_app_id=grant.resource_app_id,
                permission=grant.permission,
                permission_id=grant.permission_id,
                covers=(Covered(grant_id=held, principal_id=grant.principal_id),),
                business_owner=one.signer,
                decision=one.decision,
                justification="A sample.",
                signer=one.signer,
                asked_at=context.snapshot.taken_at,
                signed_at=context.snapshot.taken_at,
                next_review=one.next_review,
                snapshot_sha256="0" * 64,
            )


def run_cases(rule: CompiledRule, *, profile: AppProfile, permissions: PermissionTable) -> tuple[CaseResult, ...]:
    """Run every case of a rule.

    Raises:
        ConfigurationError: a case's tenant or configuration is wrong.
    """
    return tuple(_run(rule, case, profile, permissions) for case in rule.cases)


def _run(rule: CompiledRule, case: Case, profile: AppProfile, permissions: PermissionTable) -> CaseResult:
    try:
        context = case_context(case, profile=profile, permissions=permissions)
    except ConfigurationError as error:
        place = f"rule {rule.id}, case '{case.name}': {error.where}"
        raise ConfigurationError(error.what, where=place, advice=error.advice) from error
    outcomes = evaluate(context, (rule,))
    about = [outcome for outcome in outcomes if _is_about(case, outcome)]
    ok = any(_is_expected(case, o) for o in about) and not any(isinstance(o, _SPOILS[case.expect]) for o in about)
    got = ", ".join(_told(about if case.subject else outcomes)) or "no outcome"
    message = "" if ok else f"expected {case.expect}, got {got}"
    return CaseResult(rule_id=rule.id, name=case.name, ok=ok, message=message)


def _is_about(case: Case, outcome: Outcome) -> bool:
    return case.subject in ("", outcome.subject.permission, outcome.subject.app_name)


def _is_expected(case: Case, outcome: Outcome) -> bool:
    if isinstance(outcome, NotEvaluated) and case.collection:
        return case.expect == "not-evaluated" and case.collection in outcome.collections
    return isinstance(outcome, _KINDS[case.expect])


def _told(outcomes: list[Outcome] | tuple[Outcome, ...]) -> Iterator[str]:
    for outcome in outcomes:
        subject = outcome.subject
        name = subject.permission or subject.app_name or "no app"
        kind = outcome.__struct_config__.tag
        why = f" ({outcome.why})" if isinstance(outcome, NotEvaluated) else ""
        yield f"{kind} on {name}{why}"
