"""Outcomes: what becomes of rules and facts."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from time import perf_counter
from typing import Any
from uuid import UUID

import pytest
from msgspec.structs import replace

import auditor
from auditor.engine.answers import build_context
from auditor.engine.cases import run_cases
from auditor.engine.evaluate import evaluate
from auditor.engine.rules import CompiledRule, load_rules
from auditor.engine.view import Context
from auditor.knowledge.outline import AppOutline, Outline, ScopeOutline
from auditor.knowledge.permissions import load_permissions
from auditor.knowledge.profile import load_profile
from auditor.knowledge.sketch import sketch
from auditor.model.configuration import Configuration
from auditor.model.outcome import Finding, NotEvaluated, Passed
from auditor.model.snapshot import Snapshot

PERMISSIONS = load_permissions()
ZOOM = load_profile("zoom")
ROOMS = "f56e91e5-5a82-452f-b435-d4d78aeaf064"
DELEGATE = "a651cfda-cbdd-4a39-bd03-fa829c3c1b29"
RULES = load_rules()

RULE = """\
id: {id}
title: Sample
subject: {subject}
when: {when}
severity: low
axis: hygiene
why: Because.
remediation: Look.
references: [https://learn.microsoft.com/graph]
basis: inferred
reason: "Sample."
cases:
  - {{name: one, tenant: {{}}, expect: finding}}
  - {{name: none, tenant: {{}}, expect: pass}}
  - {{name: not read, tenant: {{}}, expect: not-evaluated}}
"""


def rule_of(folder: Path, when: str, subject: str = "app", rule_id: str = "sample") -> CompiledRule:
    text = RULE.format(id=rule_id, subject=subject, when=when)
    (folder / f"{rule_id}.yaml").write_text(text, encoding="utf-8")
    return next(rule for rule in load_rules(folder) if rule.id == rule_id)


def snapshot_of(*apps: AppOutline, **values: Any) -> Snapshot:
    return sketch(Outline(apps=apps, **values), permissions=PERMISSIONS)


def context_of(snapshot: Snapshot) -> Context:
    return build_context(snapshot, profile=ZOOM, permissions=PERMISSIONS, configuration=Configuration())


ONE = AppOutline(app_id=ROOMS, roles=("Place.Read.All",))


def test_passed_is_made_in_one_place() -> None:
    """No module but engine/evaluate.py constructs a pass, so nothing else can turn a gap into one."""
    makers = set()
    package = Path(auditor.__file__).parent
    for path in package.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            name = getattr(node.func, "id", getattr(node.func, "attr", "")) if isinstance(node, ast.Call) else ""
            if name == "Passed":
                makers.add(path.relative_to(package).as_posix())
    assert makers == {"engine/evaluate.py"}


def test_outcomes_come_in_one_order() -> None:
    """Outcomes stand in the order of rule, app and grant, however the snapshot lists them."""
    apps = (
        AppOutline(app_id=ROOMS, roles=("Place.Read.All", "Calendars.ReadWrite", "Mail.Read")),
        AppOutline(app_id=DELEGATE, scopes=(ScopeOutline(scope="openid Mail.Read User.Read"),)),
    )
    snapshot = snapshot_of(*apps)
    outcomes = evaluate(context_of(snapshot), RULES)
    keys = [(o.rule_id, o.subject.app_id, o.subject.grant_id, o.subject.permission) for o in outcomes]
    assert keys == sorted(keys)
    assert evaluate(context_of(replace(snapshot, clients=snapshot.clients[::-1])), RULES) == outcomes
    grants = sum(rule.subject == "grant" for rule in RULES)
    assert len(outcomes) == 2 * (len(RULES) - grants) + 6 * grants


def test_finding_ids_hang_on_rule_tenant_and_subject(tmp_path: Path) -> None:
    """A finding keeps its id from run to run, and another rule, tenant, app or principal has another."""
    rules = (rule_of(tmp_path, "app.owners == 0"), rule_of(tmp_path, "app.owners == 0", rule_id="second"))
    apps = (ONE, AppOutline(app_id=DELEGATE))
    there = snapshot_of(*apps)
    elsewhere = replace(there, tenant_id="66666666-6666-4666-8666-666666666666")
    ids = [
        outcome.finding_id
        for snapshot in (there, elsewhere)
        for outcome in evaluate(context_of(snapshot), rules)
        if isinstance(outcome, Finding)
    ]
    assert len(set(ids)) == len(ids) == 8
    assert all(UUID(finding_id).version == 5 for finding_id in ids)
    assert ids[:4] == [getattr(o, "finding_id", "") for o in evaluate(context_of(there), rules)]


def test_a_finding_carries_what_the_rule_says(tmp_path: Path) -> None:
    """A finding names rule, subject, severity, axis, reason and remediation as the file has them."""
    rule = rule_of(tmp_path, "grant.tier == 2", "grant")
    (finding,) = evaluate(context_of(snapshot_of(ONE)), (rule,))
    assert isinstance(finding, Finding)
    assert (finding.rule_id, finding.severity, finding.axis, finding.reason) == ("sample", "low", "hygiene", "Sample.")
    assert (finding.subject.app_id, finding.subject.permission) == (ROOMS, "Place.Read.All")
    assert finding.subject.grant_id


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    """NotEvaluated names the absent facts, the collections that made them so, and in words whose they are and why."""
    rule = rule_of(tmp_path, "app.owners > 0 && app.has_directory_role && app.confirmed")
    (outcome,) = evaluate(context_of(snapshot_of(ONE, unavailable=("owners",), partial=("memberOf",))), (rule,))
    assert outcome == NotEvaluated(
        rule_id="sample",
        subject=outcome.subject,
        missing=("app.has_directory_role", "app.owners"),
        collections=("owners", "memberOf"),
        why="owners of Zoom: Removed from this sample.; memberOf of Zoom: A page is missing in this sample.",
    )


def test_a_gap_of_knowledge_says_what_would_close_it(tmp_path: Path) -> None:
    """Where every collection is Complete the fact itself says why it is absent, about this very permission."""
    rule = rule_of(tmp_path, "grant.tier == 0", "grant")
    stranger = "44444444-4444-4444-8444-444444444444"
    (outcome,) = evaluate(context_of(snapshot_of(replace(ONE, roles=(stranger,)))), (rule,))
    assert isinstance(outcome, NotEvaluated)
    assert (outcome.missing, outcome.collections) == (("grant.tier",), ())
    assert outcome.why.startswith(f"{stranger}: ")
    assert "rules/permissions/" in outcome.why


def test_a_rule_that_fails_is_not_a_pass(tmp_path: Path) -> None:
    """A defect of a rule is told as one, with nothing missing."""
    rule = rule_of(tmp_path, "1 / app.owners == 1")
    (outcome,) = evaluate(context_of(snapshot_of(ONE)), (rule,))
    assert isinstance(outcome, NotEvaluated)
    assert (outcome.missing, outcome.collections) == ((), ())
    assert outcome.why.startswith("rule error: INVALID_ARGUMENT: divide by zero")


@pytest.mark.parametrize(
    ("when", "unread", "hidden"),
    [
        ("grant.tier == 0", "appRoleAssignments", True),
        ("grant.tier == 0", "oauth2PermissionGrants", True),
        ("grant.kind == 'application' && grant.tier == 0", "appRoleAssignments", True),
        ("grant.kind == 'application' && grant.tier == 0", "oauth2PermissionGrants", False),
        ("grant.kind == 'delegated'", "oauth2PermissionGrants", True),
        ("grant.kind == 'delegated'", "appRoleAssignments", False),
        ("app.integration == 'presence' && grant.tier == 0", "appRoleAssignments", False),
    ],
)
def test_grants_that_were_not_read_may_be_findings(tmp_path: Path, when: str, unread: str, hidden: bool) -> None:
    """Beside what was seen, one NotEvaluated per app stands for unread grants, unless the rule cannot strike them."""
    rule = rule_of(tmp_path, f'"{when}"', "grant")
    context = context_of(snapshot_of(ONE, AppOutline(app_id=DELEGATE), partial=(unread,)))
    outcomes = [o for o in evaluate(context, (rule,)) if not o.subject.grant_id]
    assert [o.subject.app_id for o in outcomes] == ([DELEGATE, ROOMS] if hidden else [])
    for outcome in outcomes:
        assert isinstance(outcome, NotEvaluated)
        assert outcome.collections == (unread,)
        assert outcome.missing
        assert outcome.why == f"{unread} of Zoom: A page is missing in this sample."


def test_what_was_seen_is_judged_all_the_same() -> None:
    """A page that is missing takes nothing away from the findings on the others."""
    mail = replace(ONE, roles=("exchange/full_access_as_app",))
    rules = tuple(rule for rule in RULES if rule.id == "exchange-full-access")
    outcomes = evaluate(context_of(snapshot_of(mail, partial=("appRoleAssignments",))), rules)
    assert [type(outcome) for outcome in outcomes] == [NotEvaluated, Finding]


def test_apps_that_were_not_read_leave_every_rule_open() -> None:
    """While the list of service principals is not whole, every rule has one NotEvaluated without a subject."""
    for snapshot in (snapshot_of(unavailable=("servicePrincipals",)), snapshot_of(ONE, partial=("servicePrincipals",))):
        outcomes = evaluate(context_of(snapshot), RULES)
        open_ones = [o for o in outcomes if isinstance(o, NotEvaluated) and not o.subject.app_id]
        assert [o.rule_id for o in open_ones] == [rule.id for rule in RULES]
        assert all(o.collections == ("servicePrincipals",) and o.missing and o.why for o in open_ones)


def test_no_apps_in_a_whole_tenant_is_no_gap() -> None:
    """A tenant that was read whole and has no app of the vendor gives no outcome at all."""
    assert evaluate(context_of(snapshot_of()), RULES) == ()


def test_ten_thousand_consents_take_seconds() -> None:
    """Every user's own consent has its outcomes, and equal facts are judged once."""
    users = 10_000
    scopes = tuple(
        ScopeOutline(scope="openid Calendars.ReadWrite", principal=f"55555555-5555-4555-8555-{user:012d}")
        for user in range(users)
    )
    context = context_of(snapshot_of(AppOutline(app_id=DELEGATE, scopes=scopes)))
    judged: list[object] = []

    class Counting(CompiledRule, frozen=True, kw_only=True):
        def judge(self, activation: Any, known: Any) -> Any:
            judged.append(known)
            return super().judge(activation, known)

    rules = tuple(Counting(**{f: getattr(rule, f) for f in rule.__struct_fields__}) for rule in RULES)
    start = perf_counter()
    outcomes = evaluate(context, rules)
    assert perf_counter() - start < 30
    grant_rules = sum(rule.subject == "grant" for rule in RULES)
    assert len(outcomes) == 2 * users * grant_rules + len(RULES) - grant_rules
    assert len(judged) <= 2 * grant_rules + len(RULES)
    assert any(isinstance(outcome, Passed) for outcome in outcomes)


def test_a_case_that_fails_says_what_came(tmp_path: Path) -> None:
    """A rule's own case that does not hold says what was expected and what came instead."""
    rule = rule_of(tmp_path, "app.owners > 0")
    tenant = Outline(apps=(ONE,))
    cases = tuple(replace(case, tenant=tenant) for case in rule.cases)
    results = run_cases(replace(rule, cases=cases), profile=ZOOM, permissions=PERMISSIONS)
    assert [result.ok for result in results] == [False, True, False]
    assert results[0].message == "expected finding, got passed on Zoom"
    gap = replace(cases[2], tenant=Outline(apps=(ONE,), unavailable=("owners",)), collection="memberOf")
    wrong, right, other = run_cases(
        replace(rule, cases=(gap, replace(gap, collection="owners"), replace(gap, subject="Somebody"))),
        profile=ZOOM,
        permissions=PERMISSIONS,
    )
    assert (wrong.ok, right.ok, other.ok) == (False, True, False)
    assert (
        wrong.message == "expected not-evaluated, got not-evaluated on Zoom (owners of Zoom: Removed from this sample.)"
    )
    assert other.message == "expected not-evaluated, got no outcome"


def published(folder: Path, name: str) -> dict[str, Any]:
    """Return one of ScubaGear's published mock answers, https://github.com/cisagov/ScubaGear (CC0)."""
    path = folder / "fixtures" / "scubagear" / "HybridExchangeSnippets" / name
    return dict(json.loads(path.read_text(encoding="utf-8-sig")))


@pytest.mark.reference
def test_the_exchange_hybrid_grant_is_told_by_its_id(reference_data: Path) -> None:
    """The role assignment of another tool's Exchange sample is full access to every mailbox, by id alone."""
    assignment = published(reference_data, "MockAppRoleAssignment.json")
    assert assignment["ResourceDisplayName"] == "Office 365 Exchange Online"
    role = f"exchange/{assignment['AppRoleId']}"
    rules = tuple(rule for rule in RULES if rule.subject == "grant")
    outcomes = evaluate(context_of(snapshot_of(replace(ONE, roles=(role,)))), rules)
    findings = {o.rule_id: o.subject.permission for o in outcomes if isinstance(o, Finding)}
    assert findings["exchange-full-access"] == "full_access_as_app"
    assert "legacy-exchange-grant" not in findings
