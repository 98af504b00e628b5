"""Promises that every rule of rules/checks/ keeps; new rules are walked without a line here."""

from __future__ import annotations

from collections import Counter
from functools import cache
from itertools import chain
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import fields, replace

from auditor.engine.cases import case_context, run_cases
from auditor.engine.evaluate import evaluate
from auditor.engine.fact import Value
from auditor.engine.facts import FACTS, app_facts, declared, grant_facts
from auditor.engine.grant_facts import COLLECTION_OF
from auditor.engine.rules import Case, CompiledRule, Undecided, activation, load_rules, render
from auditor.engine.view import Context
from auditor.knowledge.permissions import PermissionTable, load_permissions
from auditor.knowledge.profile import AppProfile, load_profile
from auditor.knowledge.sketch import sketch, without
from auditor.model.directory import ServicePrincipal
from auditor.model.outcome import Finding, NotEvaluated, Passed
from auditor.model.snapshot import CLIENT_COLLECTIONS, EXCHANGE, Complete, items

RULES = load_rules()
EVERY_RULE = pytest.mark.parametrize("rule", RULES, ids=[rule.id for rule in RULES])
NAMING = ("resources", "servicePrincipals")
"""Either names a resource, so that facts of a grant vanish for sure only when both are gone."""
FIELDS = tuple(f".{f.encode_name}" for f in fields(ServicePrincipal) if f.encode_name not in ("id", "appId"))
NOT_SHOWN = {"both-rooms-apps": {"appRoleAssignments"}}
"""A candidate's integration hangs on its grants; the apps of this rule are documented ones."""
CELLS_AT_LEAST = 280


@cache
def permissions() -> PermissionTable:
    return load_permissions()


@cache
def zoom() -> AppProfile:
    return load_profile("zoom")


def context_of(case: Case, *removed: str) -> Context:
    """Return the case's tenant without some collections, or without fields of the service principals (`.replyUrls`).

    Nothing is read of any app where the list that names them is gone.
    """
    unset = tuple(name.removeprefix(".") for name in removed if name.startswith("."))
    outline = replace(case.tenant, unset=(*case.tenant.unset, *unset))
    snapshot = sketch(outline, permissions=permissions())
    for collection in (name for name in removed if not name.startswith(".")):
        snapshot = without(snapshot, collection)
        if collection == "servicePrincipals" and len(removed) == 1:
            snapshot = replace(snapshot, clients=())
    return case_context(case, profile=zoom(), permissions=permissions(), snapshot=snapshot)


def subjects(rule: CompiledRule, context: Context) -> dict[tuple[str, ...], dict[str, Value]]:
    """Return what is known of each subject of a rule, reduced to the facts that the rule asks."""
    found: dict[tuple[str, ...], dict[str, Value]] = {}
    for view in context.apps:
        of_app = app_facts(context, view)
        app_id = view.client.service_principal.app_id
        if rule.subject == "app":
            found[app_id,] = dict(of_app)
        else:
            for answered in view.answered:
                grant = answered.grant
                named = grant.permission if grant.kind == "delegated" else grant.permission_id
                found[app_id, grant.grant_id, named] = {**of_app, **grant_facts(context, view, answered)}
    return {key: {n: v for n, v in facts.items() if n in rule.facts} for key, facts in found.items()}


def hangs_on(rule: CompiledRule) -> set[str]:
    """Return the collections that a rule's subjects and facts are declared to come from."""
    own = set(chain.from_iterable(FACTS[name].collections for name in rule.facts)) - {EXCHANGE}
    return own | {"servicePrincipals"} | (set(COLLECTION_OF.values()) if rule.subject == "grant" else set())


def undecided(rule: CompiledRule, before: dict[str, Value], after: dict[str, Value] | None) -> bool:
    """Return whether the rule can no longer be decided; of a subject that is gone a rule may know the kind."""
    facts = {n: v for n, v in before.items() if n == "grant.kind"} if after is None else after
    return rule.judge(activation(facts), facts) is not False if after is None else _open(rule, facts)


def _open(rule: CompiledRule, facts: dict[str, Value]) -> bool:
    return isinstance(rule.judge(activation(facts), facts), Undecided)


def strikes(rule: CompiledRule, collection: str) -> bool:
    """Return whether the rule could strike a grant from this collection."""
    kinds = [kind for kind, name in COLLECTION_OF.items() if name == collection]
    return not kinds or _open(rule, {"grant.kind": kinds[0]})


@cache
def cells(rule_id: str) -> tuple[tuple[Case, tuple[str, ...]], ...]:
    """Return each case that expects a finding or a pass with each removal that decides it."""
    rule = next(rule for rule in RULES if rule.id == rule_id)
    found = []
    removals = [(name,) for name in (*sorted(hangs_on(rule)), *FIELDS)]
    for case in (case for case in rule.cases if case.expect != "not-evaluated"):
        before = subjects(rule, context_of(case))
        for removed in (*removals, NAMING):
            after = subjects(rule, context_of(case, *removed))
            if any(undecided(rule, before[key], after.get(key)) for key in before):
                found.append((case, removed))
    return tuple(found)


@EVERY_RULE
def test_cases(rule: CompiledRule) -> None:
    """Every rule gives on each of its own cases what the case says."""
    results = run_cases(rule, profile=zoom(), permissions=permissions())
    assert [result.message for result in results if not result.ok] == []
    assert len(results) >= 3


@EVERY_RULE
def test_what_is_removed_is_never_a_pass(rule: CompiledRule) -> None:
    """On every case that a collection or a field decides, removing it gives NotEvaluated and no pass."""
    for case, removed in cells(rule.id):
        before = subjects(rule, context_of(case))
        after = context_of(case, *removed)
        gone = {key for key in before if undecided(rule, before[key], subjects(rule, after).get(key))}
        outcomes = evaluate(after, (rule,))
        unevaluated = [outcome for outcome in outcomes if isinstance(outcome, NotEvaluated)]
        assert unevaluated, (case.name, removed)
        assert all(outcome.missing and outcome.why for outcome in unevaluated)
        if not removed[0].startswith("."):
            assert any(set(removed) & set(o.collections) for o in unevaluated), (case.name, removed, outcomes)
        passed = {(o.subject.app_id, o.subject.grant_id) for o in outcomes if isinstance(o, Passed)}
        assert not passed & {(key[0], key[1] if len(key) > 1 else "") for key in gone}, (case.name, removed)


@EVERY_RULE
def test_every_declared_collection_decides_some_case(rule: CompiledRule) -> None:
    """Each collection of a client that a rule hangs on decides one of its finding or pass cases."""
    decided = set(chain.from_iterable(removed for _, removed in cells(rule.id)))
    assert "servicePrincipals" in decided
    expected = {name for name in hangs_on(rule) & set(CLIENT_COLLECTIONS) if strikes(rule, name)}
    assert expected - decided <= NOT_SHOWN.get(rule.id, set())


def test_the_matrix_is_not_empty() -> None:
    """The matrix of rule, case and removal has at least as many cells as when it was last counted."""
    counted = {rule.id: len(cells(rule.id)) for rule in RULES}
    assert sum(counted.values()) >= CELLS_AT_LEAST, counted


@EVERY_RULE
def test_removal_never_makes_a_pass(rule: CompiledRule) -> None:
    """Whatever is removed, no subject passes that did not pass before."""
    for case in rule.cases:
        passed = {o.subject for o in evaluate(context_of(case), (rule,)) if isinstance(o, Passed)}
        for collection in sorted(hangs_on(rule) | {"servicePrincipals"}):
            after = evaluate(context_of(case, collection), (rule,))
            assert {o.subject for o in after if isinstance(o, Passed)} <= passed, (case.name, collection)


def words(rule: CompiledRule) -> list[str]:
    return ["", *(part for part in rule.when.split("'")[1::2])]


@EVERY_RULE
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_knowing_less_never_changes_the_answer(rule: CompiledRule, data: st.DataObject) -> None:
    """With fewer facts a rule says the same or that it cannot say; it never fails and never turns around."""
    text = st.sampled_from(words(rule))
    values: dict[str, st.SearchStrategy[Value]] = {
        "bool": st.booleans(),
        "int": st.integers(0, 200),
        "string": text,
        "list(string)": st.lists(text, max_size=3).map(tuple),
    }
    full: dict[str, Value] = {name: data.draw(values[FACTS[name].type], name) for name in rule.facts}
    kept = data.draw(st.sets(st.sampled_from(rule.facts)), "kept")
    less = {name: value for name, value in full.items() if name in kept}
    whole, part = rule.judge(activation(full), full), rule.judge(activation(less), less)
    assert isinstance(whole, bool)
    assert part is whole or (isinstance(part, Undecided) and not part.defect and part.missing)


@EVERY_RULE
def test_words(rule: CompiledRule) -> None:
    """A rule says why and what to do in whole sentences, gives a source, and never advises to grant anything."""
    assert rule.references
    assert rule.controls
    for text in (rule.title, rule.why, rule.remediation, rule.reason):
        assert text[0].isupper() or text.startswith("{")
        assert text == " ".join(text.split())
    assert rule.why.endswith(".")
    assert rule.remediation.endswith(".")
    advice = rule.remediation.lower()
    assert not any(word in advice for word in ("add the permission", "grant it", "consent for the organization"))
    assert "{" not in render(rule.reason, {})
    assert rule.decides <= (rule.subject == "grant")


def test_ids_are_in_order_and_titles_differ() -> None:
    """Rules come in the order of their ids, and no two look the same in a report."""
    assert [rule.id for rule in RULES] == sorted({rule.id for rule in RULES})
    assert len({rule.title for rule in RULES}) == len(RULES)


QUIET = ["look-alike", "differing-home-tenants", "credentials-on-service-principal", "owners", "unverified-publisher"]


@pytest.mark.parametrize("template", ["247d18fc-f848-4de0-8330-333d3a5c0e3f", None])
def test_own_apps_are_left_alone(template: str | None) -> None:
    """The gallery app in its own tenant with a SAML certificate and an owner, and the team's own app that only
    carries the word, trip no rule on look-alikes, homes, credentials, owners or publishers."""
    case = RULES[0].cases[0]
    own = {
        "app_id": "99999999-9999-4999-8999-999999999999",
        "name": "Zoom room booking",
        "owner_tenant": case.tenant.tenant_id,
        "owners": ("dana@contoso.example",),
        "service_principal": {
            "applicationTemplateId": template,
            "verifiedPublisher": None,
            "replyUrls": ["https://contoso.zoom.us/saml/SSO"],
            "preferredSingleSignOnMode": "saml" if template else None,
            "keyCredentials": [{"keyId": "a", "usage": "Sign"}, {"keyId": "b", "usage": "Verify"}],
            "passwordCredentials": [{"keyId": "a"}],
        },
    }
    app = replace(case.tenant.apps[0], **own)
    rooms = replace(case.tenant.apps[0], app_id="f56e91e5-5a82-452f-b435-d4d78aeaf064", name="Zoom rooms")
    context = context_of(replace(case, tenant=replace(case.tenant, apps=(app, rooms))))
    assert [view.identified.match for view in context.apps][1:] == (["template"] if template else ["candidate"])
    outcomes = evaluate(context, tuple(rule for rule in RULES if rule.id in QUIET))
    assert len(outcomes) == 2 * len(QUIET)
    assert [o for o in outcomes if not isinstance(o, Passed)] == []


def test_severities_name_what_is_worst() -> None:
    """Taking over the tenant and every mailbox whole are critical; hygiene alone is never above medium."""
    severity = {rule.id: rule.severity.value for rule in RULES}
    critical = {rule_id for rule_id, value in severity.items() if value == "critical"}
    assert critical == {"takeover-tier", "exchange-full-access", "privileged-directory-role"}
    assert all(rule.severity.rank >= 2 for rule in RULES if rule.axis == "hygiene")


APPS = {
    "rooms": {"app_id": "f56e91e5-5a82-452f-b435-d4d78aeaf064"},
    "candidate": {},
    "template": {"service_principal": {"applicationTemplateId": "247d18fc-f848-4de0-8330-333d3a5c0e3f"}},
    "look-alike": {"name": "Z00m", "service_principal": {"replyUrls": ["https://login.fabrikam.example/cb"]}},
}
"""One app of each way in which Zoom's apps are told, without a list that allows more than calendars."""


@pytest.mark.parametrize("fields_of_app", APPS.values(), ids=APPS.keys())
def test_sensitive_application_permissions_are_said_once(fields_of_app: dict[str, Any]) -> None:
    """Each application permission that opens sensitive data, calendars apart, gives exactly one finding that is high
    or critical, whatever app holds it; each one of tier 0 gives one as well."""
    entries = [e for f in permissions().families for e in f.permissions if e.kind == "application"]
    grave = {(e.resource, e.permission) for e in entries if e.sensitivity == "high" or e.tier == 0}
    grave -= {(e.resource, e.permission) for e in entries if e.family == "calendars"}
    case = RULES[0].cases[0]
    base = {"app_id": "33333333-3333-4333-8333-333333333333", "scopes": (), **fields_of_app}
    app = replace(case.tenant.apps[0], **base, roles=tuple(f"{e.resource}/{e.permission}" for e in entries))
    context = context_of(replace(case, tenant=replace(case.tenant, apps=(app,))))
    outcomes = evaluate(context, tuple(rule for rule in RULES if rule.subject == "grant"))
    named = {a.grant.grant_id: (a.permission.resource, a.permission.permission)
             for a in context.apps[0].answered if a.permission}  # fmt: skip
    said = Counter(named[o.subject.grant_id] for o in outcomes if isinstance(o, Finding) and o.severity.rank < 2)
    assert len(grave) > 60
    assert {name: said[name] for name in grave} == dict.fromkeys(grave, 1)


def test_a_role_is_told_in_every_language() -> None:
    """A privileged role is told by its template id, under any name; of a role without both nothing is said."""
    rule = next(rule for rule in RULES if rule.id == "privileged-directory-role")
    context = context_of(rule.cases[0])
    view = context.apps[0]
    role = items(view.client.member_of)[0]

    def judged(**known: str | None) -> set[type]:
        member_of = Complete(items=(replace(role, **{"display_name": None, "role_template_id": None, **known}),))
        changed = replace(view, client=replace(view.client, member_of=member_of))
        return {type(outcome) for outcome in evaluate(replace(context, apps=(changed,)), (rule,))}

    german = "Globaler Administrator"
    assert judged(display_name=german, role_template_id="62E90394-69F5-4237-9190-012177145E10") == {Finding}
    assert judged(display_name="Company Administrator") == {Finding}
    assert judged(display_name=german, role_template_id="88d8e3e3-8f55-4a1e-953a-9b9898b8876b") == {Passed}
    assert judged() == {NotEvaluated}


def test_findings_are_stable() -> None:
    """The same tenant gives the same finding ids, and different subjects different ones."""
    rule = next(rule for rule in RULES if rule.id == "both-rooms-apps")
    first, second = (evaluate(context_of(rule.cases[0]), (rule,)) for _ in range(2))
    assert first == second
    findings = [o for o in first if isinstance(o, Finding)]
    assert len({f.finding_id for f in findings}) == len(findings) == 2


def test_every_fact_is_declared_for_its_subject() -> None:
    """What a rule asks is declared for its kind of subject."""
    assert all(set(rule.facts) <= declared(rule.subject).keys() for rule in RULES)
