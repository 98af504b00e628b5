"""What a plan leaves: whatever the audit says, or as the audit has it; an audit.json can be edited."""

from __future__ import annotations

from collections import Counter
from datetime import date
from random import Random
from typing import Any, cast

import pytest
from msgspec.structs import replace

from auditor.errors import InputError
from auditor.knowledge.identify import MICROSOFT_TENANTS
from auditor.knowledge.outline import AppOutline, ScopeOutline
from auditor.knowledge.permissions import GUID
from auditor.model.configuration import Configuration
from auditor.model.directory import AppRoleAssignment, OAuth2PermissionGrant
from auditor.model.outcome import AuditResult, Waived, Waiver
from auditor.model.plan import AssignmentChange, GrantChange, RevokePlan, Step
from auditor.model.snapshot import Complete, Partial, Snapshot, items
from auditor.remedy.guards import OBJECT_ID, SCOPE
from auditor.remedy.planning import DAYS
from auditor.remedy.seal import encode_plan
from tests.engine.test_audit import GRAPH_ROLES, apps, configurations, needed_by_features
from tests.engine.world import PERSONAL, app, rulebook, team, tenant
from tests.remedy.planned import (
    MICROSOFT,
    PERSON,
    READER,
    audited,
    lax,
    objects,
    of_audit,
    planned,
    read_by,
    with_every,
)

UNKNOWN = "12345678-1234-4234-8234-123456789abc"


def one(*roles: str, **other: Any) -> Snapshot:
    return tenant(app("Calendars.ReadWrite", *roles, **other))


def left(plan: RevokePlan) -> str:
    """Return the one reason for which the one grant is left."""
    assert not plan.steps, plan.steps
    (why,) = {entry.why for entry in plan.left}
    return why


def test_an_app_that_nobody_confirmed_is_left_whatever_the_row_says() -> None:
    snapshot = one("Mail.Send")
    unconfirmed = audited(snapshot, team(confirm=False))
    assert "Nobody has confirmed" in left(of_audit(with_every(unconfirmed, decision="revoke"), snapshot))
    assert "Nobody has confirmed" in left(of_audit(unconfirmed, snapshot, with_checks=True))


@pytest.mark.parametrize("match", ["candidate", "look-alike", "template"])
def test_a_match_that_is_not_settled_is_left_even_where_the_audit_calls_it_confirmed(match: str) -> None:
    snapshot = one("Mail.Send")
    result = audited(snapshot, lax())
    edited = tuple(replace(a, match=cast("Any", match), confirmed=True) for a in result.apps)
    assert "Nobody has confirmed" in left(of_audit(replace(result, apps=edited), snapshot))
    assert "Nobody has confirmed" in left(of_audit(with_every(result, match=match), snapshot))


def test_an_audit_that_does_not_know_what_an_app_is_for_gives_no_plan_of_it() -> None:
    """Renamed, an app would no longer need what its declared feature needs."""
    snapshot = one("Mail.Send")
    result = audited(snapshot, lax())
    for integration in ("rooms-application", "nonsense", ""):
        apps_ = tuple(replace(a, integration=integration) for a in result.apps)
        assert "not settled" in left(of_audit(replace(result, apps=apps_), snapshot))
    unconfirmed = tuple(replace(a, confirmed=False) for a in result.apps)
    assert "Nobody has confirmed" in left(of_audit(replace(result, apps=unconfirmed), snapshot))


def test_documented_is_what_the_profile_documents_and_not_what_the_audit_says() -> None:
    snapshot = one("Mail.Send")
    result = audited(snapshot, lax())
    edited = tuple(replace(a, match="documented") for a in result.apps)
    assert "the app profile does not" in left(of_audit(replace(result, apps=edited), snapshot))


def test_what_a_declared_feature_needs_is_left_whatever_the_policy() -> None:
    snapshot = one()
    edited = with_every(audited(snapshot, lax()), decision="revoke")
    assert "Personal calendars by application permissions" in left(of_audit(edited, snapshot))


def test_a_waived_grant_is_left() -> None:
    waiver = Waiver(rule="outside-policy", app=PERSONAL, permission="Directory.Read.All", owner="Ada (sample)",
                    reason="pilot", expires=date(2027, 1, 1))  # fmt: skip
    snapshot = one("Directory.Read.All")
    configuration = replace(lax(), waivers=(waiver,))
    edited = with_every(audited(snapshot, configuration), decision="revoke")
    whys = {entry.permission: entry.why for entry in of_audit(edited, snapshot).left}
    assert whys["Directory.Read.All"] == "Waived by Ada (sample) until 2027-01-01."


def test_a_waiver_of_one_of_two_findings_holds_nothing_back() -> None:
    """As in the audit: whoever waived the policy said nothing of mail on a calendar app."""
    waiver = Waiver(rule="outside-policy", app=PERSONAL, permission="Mail.Send", owner="Ada", reason="pilot",
                    expires=date(2027, 1, 1))  # fmt: skip
    plan = planned(one("Mail.Send"), replace(lax(), waivers=(waiver,)))
    assert [step.target.permissions for step in plan.steps] == [("Mail.Send",)]


@pytest.mark.parametrize("by", ["app_id", "object_id"])
def test_the_identity_that_read_is_left(by: str) -> None:
    snapshot = one("Mail.Send")
    (client,) = snapshot.clients
    own = {"app_id": PERSONAL.upper(), "object_id": client.service_principal.id}[by]
    assert "identity that read" in left(planned(read_by(snapshot, **{by: own}), lax()))


@pytest.mark.parametrize("home", sorted(MICROSOFT_TENANTS))
def test_microsofts_own_apps_are_left(home: str) -> None:
    assert "Microsoft's own" in left(planned(one("Mail.Send", owner_tenant=home.upper()), lax()))


@pytest.mark.parametrize("role", [UNKNOWN, "default-access"])
def test_what_nobody_publishes_is_left(role: str) -> None:
    snapshot = one(role)
    result = audited(snapshot, lax())
    if role == "default-access":  # An audit has no row for it; an editor could write one.
        (kept,) = result.grants
        held = next(
            o
            for o in objects(snapshot).values()
            if isinstance(o, AppRoleAssignment) and set(o.app_role_id) <= set("0-")
        )
        grant = replace(kept.grant, grant_id=held.id, permission="default access")
        result = replace(result, grants=(replace(kept, grant=grant),))
    edited = with_every(result, decision="revoke")
    whys = {entry.why for entry in of_audit(edited, snapshot).left}
    assert whys & {"Nobody publishes what this permission is.", "It is default access, and no permission."}


Fields = dict[str, Any]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"id": "x'; Remove-Everything #"}, "form"),
        ({"id": "é" * 10}, "form"),
        ({"id": "a" * 129}, "form"),
        ({"id": "a\n"}, "form"),
        ({"principal_id": UNKNOWN}, "another app"),
        ({"resource_id": "graph"}, "form"),
    ],
)
def test_an_assignment_that_could_not_be_written_into_a_script_is_left(change: Fields, why: str) -> None:
    plan = planned(_edited(one("Mail.Send"), assignments=change), lax())
    assert not plan.steps
    assert all(why in entry.why or "publishes" in entry.why for entry in plan.left)


@pytest.mark.parametrize(
    "change",
    [
        {"scope": "Mail.Read openid;rm"},
        {"scope": "Mail.Read\topenid"},
        {"scope": "Mail.Read openid\n"},
        {"scope": f"Mail.Read {'a' * 121}"},
        {"scope": "Mail.Read 1st"},
        {"scope": "Mail.Read ＄(whoami)"},
        {"id": "../users"},
        {"consent_type": "Everybody"},
        {"consent_type": "Principal", "principal_id": "u-1"},
        {"principal_id": UNKNOWN},
        {"client_id": UNKNOWN},
    ],
)  # fmt: skip
def test_a_consent_that_could_not_be_written_into_a_script_is_left(change: Fields) -> None:
    """The scopes that stay are written too, so they count."""
    snapshot = _edited(one(scopes=(ScopeOutline(scope="Mail.Read openid"),)), consents=change)
    plan = planned(snapshot, lax())
    assert not plan.steps
    assert {entry.permission for entry in plan.left} == {"Mail.Read"}


def test_a_scope_may_be_an_id() -> None:
    snapshot = _edited(
        one(scopes=(ScopeOutline(scope="Mail.Read openid"),)),
        consents={"scope": f"Mail.Read {UNKNOWN}"},
    )
    (step,) = planned(snapshot, lax()).steps
    (change,) = step.changes
    assert isinstance(change.after, OAuth2PermissionGrant)
    assert change.after.scope == UNKNOWN


def test_two_different_objects_under_one_id_are_left() -> None:
    snapshot = one("Mail.Send")
    (client,) = snapshot.clients
    assignments = items(client.app_role_assignments)
    twin = replace(assignments[1], created_date_time=None)
    doubled = replace(client, app_role_assignments=Complete(items=(*assignments, twin)))
    assert "two different objects" in left(planned(replace(snapshot, clients=(doubled,)), lax()))
    same = replace(client, app_role_assignments=Complete(items=(*assignments, assignments[1])))
    assert len(planned(replace(snapshot, clients=(same,)), lax()).steps) == 1


def test_a_snapshot_that_holds_an_app_twice_gives_no_plan() -> None:
    snapshot = one("Mail.Send")
    result = audited(replace(snapshot, clients=snapshot.clients * 2), lax())
    with pytest.raises(InputError, match="twice"):
        of_audit(result, replace(snapshot, clients=snapshot.clients * 2))


def _edited(snapshot: Snapshot, *, assignments: Fields | None = None, consents: Fields | None = None) -> Snapshot:
    """Return the snapshot with the last assignment, or every consent, of its app changed."""
    (client,) = snapshot.clients
    roles, grants = items(client.app_role_assignments), items(client.oauth2_permission_grants)
    if assignments:
        roles = (*roles[:-1], replace(roles[-1], **assignments))
    if consents:
        grants = tuple(replace(grant, **consents) for grant in grants)
    edited = replace(
        client, app_role_assignments=Complete(items=roles), oauth2_permission_grants=Complete(items=grants)
    )
    return replace(snapshot, clients=(edited,))


REPLACED = one("Mail.ReadWrite")
REQUIRED = team(policy="required")


@pytest.mark.parametrize(
    "instead", ["", "Mail.Send", "RoleManagement.ReadWrite.Directory", "Mail.ReadWrite", "no such"]
)
def test_only_what_the_wider_permission_covers_is_granted_instead(instead: str) -> None:
    """An edited audit must not make anybody grant something."""
    edited = audited(REPLACED, REQUIRED)
    rows = tuple(replace(j, replace_with=instead) if j.decision == "replace" else j for j in edited.grants)
    assert "is not established" in left(of_audit(replace(edited, grants=rows), REPLACED))


def test_what_the_resource_was_not_seen_to_publish_is_not_granted() -> None:
    (graph,) = items(REPLACED.resources)
    for roles in (
        tuple(role for role in graph.app_roles or () if role.value != "Mail.Read"),
        tuple(replace(role, is_enabled=False) for role in graph.app_roles or ()),
        tuple(replace(role, allowed_member_types=("User",)) for role in graph.app_roles or ()),
    ):
        snapshot = replace(REPLACED, resources=Complete(items=(replace(graph, app_roles=roles),)))
        assert "not seen to publish Mail.Read" in left(planned(snapshot, REQUIRED))


def test_what_the_app_holds_or_may_hold_is_not_granted_again() -> None:
    (client,) = REPLACED.clients
    held = replace(
        client,
        app_role_assignments=Partial(items=items(client.app_role_assignments), why="A page is missing."),
    )
    for snapshot in (replace(REPLACED, clients=(held,)), one("Mail.ReadWrite", "Mail.Read")):
        result = audited(snapshot, REQUIRED)
        rows = tuple(
            replace(j, decision="replace", replace_with="Mail.Read") if j.grant.permission == "Mail.ReadWrite" else j
            for j in result.grants
        )
        assert "may hold Mail.Read already" in left(of_audit(replace(result, grants=rows), snapshot))


TENANTS = 300


def test_no_guard_is_ever_broken() -> None:
    """300 random tenants and configurations, each also with every decision of the audit overwritten."""
    seen: Counter[str] = Counter()
    for seed in range(TENANTS):
        chance = Random(seed)
        configuration, snapshot = _drawn(chance)
        result = audited(snapshot, configuration)
        for said in (result, _overwritten(result, chance)):
            plan = of_audit(said, snapshot, with_checks=chance.random() < 0.7)
            _assert_guarded(plan, said, snapshot, configuration)
            seen.update(step.action for step in plan.steps)
            seen["left"] += len(plan.left)
    actions = ("application-permission", "delegated-scopes", "user-consents")
    assert min(seen[what] for what in ("left", "replace-permission", *(f"remove-{a}" for a in actions))) > 20, seen


def _drawn(chance: Random) -> tuple[Configuration, Snapshot]:
    """Return a team and a tenant of whose people most have a proper id.

    Some of the apps are Microsoft's or the reader, and some are as a calendar app that holds too much usually is.
    """

    def person(scope: ScopeOutline) -> ScopeOutline:
        proper = scope.principal and chance.random() < 0.8
        return replace(scope, principal=PERSON.format(scope.principal[-1])) if proper else scope

    def drawn(outline: AppOutline) -> AppOutline:
        owner = MICROSOFT if chance.random() < 0.1 else outline.owner_tenant
        return replace(outline, scopes=tuple(map(person, outline.scopes)), owner_tenant=owner)

    configuration, outlines = configurations(chance), list(apps(chance))
    if chance.random() < 0.3:
        configuration = team(policy="required", answers={"upn_equals_zoom_email": False})
        usual = ("Calendars.ReadWrite", "Mail.ReadWrite", *chance.sample(GRAPH_ROLES, 2))
        calendar = app(*dict.fromkeys(usual), scopes=(ScopeOutline(scope="openid Mail.Read Calendars.Read"),))
        outlines = [calendar, *(outline for outline in outlines if outline.app_id != PERSONAL)]
    snapshot = tenant(*map(drawn, outlines))
    reader = chance.choice([READER, READER, chance.choice(snapshot.clients).service_principal.app_id])
    return configuration, read_by(snapshot, app_id=reader)


def _overwritten(result: AuditResult, chance: Random) -> AuditResult:
    """Return the audit as an editor could leave it: any decision on any row."""
    decisions: list[Any] = ["revoke", "revoke-after", "replace"]
    narrower = ["Calendars.Read", "Mail.Read", "Directory.Read.All", "RoleManagement.ReadWrite.Directory", ""]
    rows = (
        replace(judged, decision=chance.choice(decisions), replace_with=chance.choice(narrower))
        for judged in result.grants
    )
    edited = tuple(
        replace(one_app, integration=chance.choice([one_app.integration, one_app.integration, "nonsense"]))
        for one_app in result.apps
    )
    return replace(result, grants=tuple(rows), apps=edited, features=(*result.features, "nonsense"))


def _assert_guarded(plan: RevokePlan, result: AuditResult, snapshot: Snapshot, configuration: Configuration) -> None:
    there = objects(snapshot)
    audited_apps = {a.service_principal_id: a for a in result.apps}
    features = configuration.apps["zoom"].features
    waived = {(o.subject.grant_id, o.subject.permission) for o in result.outcomes if isinstance(o, Waived)}
    touched: list[str] = []
    for step in plan.steps:
        target, one_app = step.target, audited_apps[step.target.service_principal_id]
        principal = next(
            c.service_principal for c in snapshot.clients if c.service_principal.id == one_app.service_principal_id
        )
        assert one_app.confirmed
        assert one_app.match in ("documented", "configured")
        assert principal.app_owner_organization_id != MICROSOFT
        assert principal.app_id != snapshot.source.reader_app_id
        needed = needed_by_features(one_app.integration, features)
        assert target.kind
        assert not needed & {(target.resource_app_id, value, target.kind) for value in target.permissions}
        for change in step.changes:
            if change.before is not None:
                assert not isinstance(change.before, AssignmentChange)
                assert there[target.service_principal_id, change.before.id] == change.before
                assert not waived & {(change.before.id, value) for value in target.permissions}
                touched.append(change.before.id)
                assert OBJECT_ID.fullmatch(change.before.id)
        _assert_narrower(step)
        for guid in (target.service_principal_id, target.resource_id, target.app_id, target.resource_app_id):
            assert GUID.fullmatch(guid)
        assert all(SCOPE.fullmatch(value) for value in target.permissions)
    assert len(touched) == len(set(touched))
    assert encode_plan(plan) == encode_plan(plan)


def _assert_narrower(step: Step) -> None:
    """A step takes away what it names, keeps the rest in its order, and gives only what was covered before."""
    target = step.target
    gone, new = set(target.permissions), set(filter(None, target.replaced_by.split(", ")))
    assert target.kind
    covered = {
        weaker for value in gone for weaker in rulebook().permissions.covers(target.resource_app_id, value, target.kind)
    }
    assert new <= covered
    assert bool(new) == (step.action == "replace-permission")
    ids = {rulebook().permissions.by_value(target.resource_app_id, value, "application") for value in new}
    for change in step.changes:
        if isinstance(change, AssignmentChange) and change.after is not None:
            assert change.before is None
            assert change.after.app_role_id in {entry.id for entry in ids if entry}
        if isinstance(change, GrantChange) and change.before is not None:
            before = (change.before.scope or "").split()
            after = (change.after.scope or "").split() if change.after else []
            assert [scope for scope in after if scope not in new] == [scope for scope in before if scope in after]
            assert set(before) - set(after) <= gone
            assert set(after) <= set(before) | new
            assert (change.after is None) == (not after)


def test_the_order_of_an_audits_rows_changes_no_byte_of_a_plan() -> None:
    for seed in range(40):
        chance = Random(seed)
        configuration, snapshot = _drawn(chance)
        result = audited(snapshot, configuration)
        shuffled = replace(
            result,
            grants=tuple(chance.sample(result.grants, len(result.grants))),
            outcomes=tuple(chance.sample(result.outcomes, len(result.outcomes))),
            apps=tuple(chance.sample(result.apps, len(result.apps))),
        )
        plans = {encode_plan(of_audit(r, snapshot, with_checks=True, days=DAYS)) for r in (result, shuffled)}
        assert len(plans) == 1, seed
