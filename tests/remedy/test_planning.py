"""From an audit to a plan: steps, their order, what each closes, and what binds a plan to its audit."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from auditor.errors import InputError, RefusedError, UsageError
from auditor.knowledge.outline import ScopeOutline
from auditor.model.outcome import Finding
from auditor.model.plan import AssignmentChange, GrantChange
from auditor.model.snapshot import Complete, Unavailable
from auditor.remedy.planning import Again, permissions_of
from auditor.remedy.seal import decode_plan, encode_plan
from tests.engine.world import PERSONAL, app, rulebook, team, tenant
from tests.remedy.planned import PERSON, audited, lax, objects, of_audit, only_step, planned

UNKNOWN = "12345678-1234-4234-8234-123456789abc"


def test_an_application_permission_is_a_step_of_its_own_with_the_whole_object() -> None:
    snapshot = tenant(app("Calendars.ReadWrite", "Directory.Read.All"))
    step = only_step(planned(snapshot, lax()))
    (change,) = step.changes
    assert isinstance(change, AssignmentChange)
    assert change.after is None
    assert change.before in objects(snapshot).values()
    assert (step.action, step.target.permissions) == ("remove-application-permission", ("Directory.Read.All",))
    assert step.needs.permission == "AppRoleAssignment.ReadWrite.All"
    assert step.needs.role == "Cloud Application Administrator"
    assert step.undo_needs.role == "Privileged Role Administrator"


def test_an_exchange_permission_can_be_given_back_by_a_lesser_role() -> None:
    """Only Microsoft Graph's application permissions take Privileged Role Administrator."""
    step = only_step(planned(tenant(app("Calendars.ReadWrite", "exchange/full_access_as_app")), lax()))
    assert step.undo_needs.role == "Cloud Application Administrator"


def test_named_scopes_leave_and_the_others_stay_as_they_are() -> None:
    scope = " openid Mail.Read profile  Contacts.Read openid email"
    snapshot = tenant(app("Calendars.ReadWrite", scopes=(ScopeOutline(scope=scope),)))
    step = only_step(planned(snapshot, lax()))
    (change,) = step.changes
    assert isinstance(change, GrantChange)
    assert change.before
    assert change.before.scope == scope
    assert change.after
    assert change.after.scope == "openid profile openid email"
    assert replace(change.after, scope=scope) == change.before
    assert step.action == "remove-delegated-scopes"
    assert step.target.permissions == ("Contacts.Read", "Mail.Read")


def test_a_scope_leaves_in_whatever_case_the_grant_spells_it() -> None:
    snapshot = tenant(app("Calendars.ReadWrite", scopes=(ScopeOutline(scope="mail.read openid MAIL.READ"),)))
    (change,) = only_step(planned(snapshot, lax())).changes
    assert isinstance(change, GrantChange)
    assert change.after
    assert change.after.scope == "openid"


def test_a_grant_is_deleted_only_when_no_scope_is_left() -> None:
    snapshot = tenant(app("Calendars.ReadWrite", scopes=(ScopeOutline(scope="Mail.Read Contacts.Read"),)))
    (change,) = only_step(planned(snapshot, lax())).changes
    assert change.after is None
    assert change.write == "delete-grant"


def test_the_consents_of_single_users_to_one_resource_are_one_step() -> None:
    own = [
        ScopeOutline(scope="Mail.Read openid" if n % 2 else "Mail.Read", principal=PERSON.format(n)) for n in range(6)
    ]
    other = ScopeOutline(scope="EWS.AccessAsUser.All", principal=PERSON.format(1), resource="exchange")
    wide = ScopeOutline(scope="Mail.Read openid")
    plan = planned(tenant(app("Calendars.ReadWrite", scopes=(*own, other, wide))), lax())
    assert sorted((s.action, len(s.changes), s.target.users) for s in plan.steps) == [
        ("remove-delegated-scopes", 1, 0),
        ("remove-user-consents", 1, 1),
        ("remove-user-consents", 6, 6),
    ]
    bulk = max(plan.steps, key=lambda step: len(step.changes))
    assert [change.write for change in bulk.changes] == ["delete-grant", "update-grant"] * 3
    assert plan.grants_removed == 8


@pytest.mark.parametrize("with_checks", [False, True])
def test_what_waits_for_a_check_is_planned_only_on_request_with_each_check_as_a_box(*, with_checks: bool) -> None:
    snapshot = tenant(app("Calendars.ReadWrite", "exchange/full_access_as_app"))
    plan = planned(snapshot, team(), with_checks=with_checks)
    if with_checks:
        step = only_step(plan)
        assert [check.split()[0] for check in step.checks] == ["Compare", "Look"]
        assert not plan.left
    else:
        assert not plan.steps
        assert plan.left[0].why.startswith("A check comes first: 1) Compare")


def test_what_is_left_counts_many_users_once_and_says_why() -> None:
    own = tuple(ScopeOutline(scope="Mail.Read", principal=PERSON.format(n)) for n in range(7))
    plan = planned(tenant(app("Calendars.ReadWrite", scopes=own)), team())
    (left,) = plan.left
    assert (left.permission, left.kind, left.count) == ("Mail.Read", "delegated", 7)


def test_least_harmful_first_and_grouped_by_app() -> None:
    """Within an app by when it is noticed; apps by their worst step, so that the harmless one is done first."""
    rooms = app("Mail.Send", app_id="f56e91e5-5a82-452f-b435-d4d78aeaf064", name="A rooms app")
    personal = app("Calendars.ReadWrite", "Mail.Send", "User.Read.All", "Calendars.Read", name="Z calendar")
    configuration = lax(rooms_list_compared=True)
    part = replace(configuration.apps["zoom"], allowed={"rooms-application": ("Place.Read.All",)})
    plan = planned(tenant(rooms, personal), replace(configuration, apps={"zoom": part}))
    assert [(s.number, s.target.app_name, s.impact.when) for s in plan.steps] == [
        (1, "Z calendar", "never"),
        (2, "Z calendar", "at the next connect"),
        (3, "Z calendar", "unknown"),
        (4, "A rooms app", "now"),
    ]


def test_several_impacts_in_one_step_keep_the_worst_moment_the_weakest_basis_and_each_source() -> None:
    scopes = (ScopeOutline(scope="Presence.ReadWrite Mail.Read"),)
    configuration = lax(user_list_compared=True)
    part = replace(
        configuration.apps["zoom"],
        integrations={PERSONAL: "personal-calendar-oauth"},
        allowed={"personal-calendar-oauth": ("openid",)},
    )
    step = only_step(planned(tenant(app(scopes=scopes)), replace(configuration, apps={"zoom": part})))
    assert step.impact.when == "now"
    assert step.impact.what.basis == "inferred"
    assert step.impact.what.text.count("https://") == 2
    assert "Presence.ReadWrite: " in step.impact.what.text
    assert "Mail.Read: " in step.impact.what.text


def test_a_step_closes_the_findings_on_what_goes_and_no_other() -> None:
    snapshot = tenant(app("Calendars.ReadWrite", "Directory.Read.All", "Mail.Send", UNKNOWN))
    result = audited(snapshot, team())
    step = only_step(of_audit(result, snapshot))
    gone = {
        o.finding_id
        for o in result.outcomes
        if isinstance(o, Finding) and o.subject.permission == step.target.permissions[0]
    }
    assert gone
    assert {closes.finding_id for closes in step.closes} == gone


def test_a_finding_about_the_app_closes_with_the_step_after_which_it_no_longer_holds() -> None:
    own = tuple(ScopeOutline(scope="Mail.Read", principal=PERSON.format(n)) for n in range(3))
    off = app("Directory.Read.All", "Mail.Send", scopes=own, service_principal={"accountEnabled": False})
    plan = planned(tenant(off), lax())
    closing = {c.rule_id: step.number for step in plan.steps for c in step.closes if c.rule_id in ABOUT_APPS}
    bulk = next(step.number for step in plan.steps if step.action == "remove-user-consents")
    assert closing == {"per-user-consents": bulk, "disabled-app-holds-grants": len(plan.steps)}
    kept = planned(tenant(off), lax(), only=("permission:Mail.Send",))
    assert not {c.rule_id for step in kept.steps for c in step.closes} & ABOUT_APPS


ABOUT_APPS = {"per-user-consents", "disabled-app-holds-grants", "no-sign-in", "unverified-publisher"}


def test_a_plan_reads_back_and_holds_for_the_days_it_says() -> None:
    snapshot = tenant(app("Calendars.ReadWrite", "Directory.Read.All"))
    plan = planned(snapshot, lax(), days=3)
    assert decode_plan(encode_plan(plan), "plan.json") == plan
    assert plan.expires - snapshot.taken_at == timedelta(days=3)
    assert planned(snapshot, lax()).expires - snapshot.taken_at == timedelta(days=14)


def test_audit_and_snapshot_belong_together() -> None:
    snapshot = tenant(app("Calendars.ReadWrite", "Directory.Read.All"))
    with pytest.raises(InputError, match="another snapshot"):
        of_audit(audited(snapshot), replace(snapshot, notes=("touched",)))


def test_a_grant_that_the_snapshot_does_not_hold_is_no_part_of_any_plan() -> None:
    snapshot = tenant(app("Calendars.ReadWrite", "Directory.Read.All"))
    result = audited(snapshot, lax())
    for field in ("grant_id", "service_principal_id", "permission", "app_id"):
        forged = tuple(replace(j, grant=replace(j.grant, **{field: UNKNOWN})) for j in result.grants)
        if field == "app_id":  # The ids of the object decide, and not what the row calls it.
            assert of_audit(replace(result, grants=forged), snapshot) == of_audit(result, snapshot)
        else:
            with pytest.raises(InputError, match="does not hold"):
                of_audit(replace(result, grants=forged), snapshot)


def test_an_audit_by_other_rules_is_refused() -> None:
    snapshot = tenant(app("Directory.Read.All"))
    result = audited(snapshot)
    with pytest.raises(RefusedError, match="other rules"):
        of_audit(replace(result, provenance=replace(result.provenance, rules_sha256="0" * 64)), snapshot)


def test_an_incomplete_audit_is_refused_unless_allowed_and_then_says_so_first() -> None:
    snapshot = tenant(app("Calendars.ReadWrite", "Directory.Read.All"), unavailable=("owners",))
    with pytest.raises(RefusedError, match="INCOMPLETE"):
        planned(snapshot, lax(), allow_incomplete=False)
    plan = planned(snapshot, lax())
    assert not plan.complete
    assert plan.incomplete_reasons
    assert plan.warnings[0].startswith("INCOMPLETE")


def test_a_snapshot_of_an_unnamed_tenant_gives_no_plan() -> None:
    snapshot = replace(tenant(app("Directory.Read.All")), tenant_id="")
    with pytest.raises(InputError, match="which tenant"):
        planned(snapshot)


def test_an_unnamed_tenant_has_no_name_and_still_a_plan() -> None:
    snapshot = replace(
        tenant(app("Calendars.ReadWrite", "Directory.Read.All")), organization=Unavailable(why="refused")
    )
    assert planned(snapshot, lax()).tenant_name == ""


def test_an_unknown_reader_is_a_warning() -> None:
    snapshot = tenant(app("Calendars.ReadWrite", "Directory.Read.All"))
    assert any("Who read the tenant is not known" in warning for warning in planned(snapshot, lax()).warnings)
    read = replace(snapshot, source=replace(snapshot.source, reader_app_id=UNKNOWN))
    assert not any("Who read" in warning for warning in planned(read, lax()).warnings)


def test_a_plan_over_a_limit_warns() -> None:
    roles = [e.permission for f in rulebook().permissions.families for e in f.permissions if e.resource == "graph"]
    kinds = {e.permission: e.kind for f in rulebook().permissions.families for e in f.permissions}
    many = [role for role in dict.fromkeys(roles) if kinds[role] == "application"][:40]
    plan = planned(tenant(app("Calendars.ReadWrite", *many)), lax())
    assert len(plan.steps) > 25
    assert any("the limit is 25" in warning for warning in plan.warnings)


def test_the_grants_of_the_tenant_are_counted_only_when_every_apps_were_read() -> None:
    snapshot = tenant(app("Calendars.ReadWrite", "Directory.Read.All"))
    assert planned(snapshot, lax()).grants_of_tenant is None
    alone = replace(snapshot, service_principals=Complete(items=tuple(c.service_principal for c in snapshot.clients)))
    plan = planned(alone, lax())
    assert (plan.grants_of_tenant, plan.grants_held) == (2, 2)


def test_nothing_to_plan_is_a_plan_without_steps() -> None:
    plan = planned(tenant(app("Calendars.ReadWrite")), lax())
    assert (plan.steps, plan.left) == ((), ())


def test_after_a_reconnect_only_what_was_removed_before_goes_again() -> None:
    old = planned(tenant(app("Calendars.ReadWrite", "Directory.Read.All")), lax())
    now = tenant(app("Calendars.ReadWrite", "Directory.Read.All", "Mail.Send"))
    plan = planned(now, lax(), again=Again(follows=old.sha256, removed=permissions_of(old.steps)))
    assert only_step(plan).target.permissions == ("Directory.Read.All",)
    assert plan.follows == old.sha256
    (left,) = plan.left
    assert left.permission == "Mail.Send"
    assert "a plan of its own" in left.why


def test_what_came_back_on_an_app_that_was_made_anew_goes_again() -> None:
    """Consented to again after it was deleted, an app has its appId and another object id."""
    old = planned(tenant(app("Calendars.ReadWrite", "Directory.Read.All")), lax())
    anew = tenant(app("Calendars.ReadWrite", "Directory.Read.All", service_principal_id=UNKNOWN))
    (client,) = anew.clients
    assert client.service_principal.id not in {step.target.service_principal_id for step in old.steps}
    plan = planned(anew, lax(), again=Again(follows=old.sha256, removed=permissions_of(old.steps)))
    assert only_step(plan).target.permissions == ("Directory.Read.All",)


def test_only_takes_the_id_of_a_permission_that_is_shown_by_name() -> None:
    snapshot = tenant(app("Calendars.ReadWrite", "Directory.Read.All", "Mail.Send"))
    (named,) = (g.grant for g in audited(snapshot, lax()).grants if g.grant.permission == "Mail.Send")
    plan = planned(snapshot, lax(), only=(f"permission:{named.permission_id.upper()}",))
    assert only_step(plan).target.permissions == ("Mail.Send",)


@pytest.mark.parametrize(
    ("only", "goes"),
    [
        (("permission:Mail.Send",), {"Mail.Send"}),
        (("permission:graph/Mail.Send@application",), {"Mail.Send"}),
        (("permission:Mail.Read@delegated",), {"Mail.Read"}),
        (("permission:Mail.Send", "permission:Directory.Read.All"), {"Mail.Send", "Directory.Read.All"}),
        (("permission:Mail.Send", f"app:{PERSONAL}"), {"Mail.Send"}),
        (("rule:mail-on-calendar-app",), {"Mail.Send"}),
        (("rule:mail-on-calendar-app", "permission:Directory.Read.All"), set()),
        (("app:Zoom",), {"Mail.Send", "Directory.Read.All", "Mail.Read"}),
    ],
)
def test_only_takes_any_of_one_kind_and_all_kinds(only: tuple[str, ...], goes: set[str]) -> None:
    scopes = (ScopeOutline(scope="openid Mail.Read"),)
    snapshot = tenant(app("Calendars.ReadWrite", "Mail.Send", "Directory.Read.All", scopes=scopes))
    plan = planned(snapshot, lax(), only=only)
    assert {value for step in plan.steps for value in step.target.permissions} == goes
    assert plan.only == only
    assert all("--only" in left.why for left in plan.left)


@pytest.mark.parametrize(
    ("only", "advice"),
    [
        ("permission:Mail.Snd", "Did you mean Mail.Send@application"),
        ("permission:exchange/Mail.Send", "Mail.Send@application"),
        ("permission:nowhere/Mail.Send", "is not a permission"),
        ("permission:zzz", "There are: "),
        ("rule:outside-polcy", "Did you mean outside-policy"),
        ("rule:per-user-consents", "judges apps"),
        ("app:Zoomm", "Did you mean Zoom"),
        ("apps:Zoom", "chooses nothing"),
        ("permission:", "chooses nothing"),
        ("Mail.Send", "chooses nothing"),
    ],
)
def test_only_of_something_unknown_names_what_is_near(only: str, advice: str) -> None:
    snapshot = tenant(app("Calendars.ReadWrite", "Mail.Send"))
    with pytest.raises(UsageError) as error:
        planned(snapshot, lax(), only=(only,))
    assert advice in str(error.value)
