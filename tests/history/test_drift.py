"""What a drift says of single changes, of what was not read, and of who did it."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from auditor.history.drift import Side, drift
from auditor.knowledge.outline import ScopeOutline
from auditor.model.configuration import Configuration
from auditor.model.directory import GrantEvent, PasswordCredential, ServicePrincipal
from auditor.model.drift import Drift, FindingChange, GrantChange
from auditor.model.outcome import ClosedFinding, Waiver
from auditor.model.snapshot import Client, Collected, Complete, Partial, Snapshot, Unavailable, items
from tests.engine.world import PERSONAL, app, judged, team, tenant

DAY = timedelta(days=1)
ADA, BO = "bbbbbbbb-0000-4000-8000-000000000001", "bbbbbbbb-0000-4000-8000-000000000002"


def side(snapshot: Snapshot, configuration: Configuration | None = None, *, days: int = 0) -> Side:
    """Return the audit of a snapshot, taken some days later."""
    taken = replace(snapshot, taken_at=snapshot.taken_at + days * DAY)
    return Side(snapshot=taken, result=judged(taken, configuration or team()))


def changed(snapshot: Snapshot, **more: Any) -> Snapshot:
    """Return the tenant with other collections of its first app."""
    first, *others = snapshot.clients
    return replace(snapshot, clients=(replace(first, **more), *others))


def of_app(snapshot: Snapshot, **more: Any) -> Snapshot:
    """Return the tenant with other fields of its first app."""
    principal: ServicePrincipal = replace(snapshot.clients[0].service_principal, **more)
    listed = tuple(principal if sp.id == principal.id else sp for sp in items(snapshot.service_principals))
    return replace(changed(snapshot, service_principal=principal), service_principals=Complete(items=listed))


def between(before: Snapshot, after: Snapshot, *words: Configuration) -> Drift:
    """Return the drift of a tenant within a week."""
    first, second = (*words, team(), team())[:2]
    return drift(side(before, first), side(after, second, days=7))


def one_grant(found: Drift) -> GrantChange:
    (change,) = found.grants
    return change


def of_rule(found: Drift, rule: str) -> list[FindingChange]:
    return [one for one in found.findings if one.rule_id == rule]


def client(snapshot: Snapshot) -> Client:
    return snapshot.clients[0]


MAIL = tenant(app("Calendars.ReadWrite", "Mail.Read", owners=("a@contoso.example",)))
SCOPES = tenant(app(scopes=(ScopeOutline(scope="User.Read"),)))


def anew(snapshot: Snapshot) -> Snapshot:
    """Return the tenant with every application permission granted again."""
    roles = [replace(role, id=f"new-{role.id}") for role in items(client(snapshot).app_role_assignments)]
    return changed(snapshot, app_role_assignments=Complete(items=tuple(roles)))


def test_a_scope_that_a_consent_gained_is_widened() -> None:
    """The consent's scopes stand in one text, so that is certain though other consents were not read."""
    grown = tenant(app(scopes=(ScopeOutline(scope="User.Read Mail.Read"),)))
    held = items(client(grown).oauth2_permission_grants)
    for collected in (Complete(items=held), Partial(items=held, why="cut")):
        change = one_grant(between(SCOPES, changed(grown, oauth2_permission_grants=collected)))
        assert (change.what, change.certain, change.before) == ("widened", True, None)
        assert change.after
        assert change.after.permission == "Mail.Read"
        assert {field.field: field.after for field in change.fields}["decision"] == change.decision
    back = one_grant(between(grown, SCOPES))
    assert (back.what, back.certain, back.after) == ("narrowed", True, None)


def test_one_persons_permission_that_is_everybodys_is_widened() -> None:
    """One change, not one that went and one that came; the other way round it is narrowed."""
    his = tenant(app(scopes=(ScopeOutline(scope="Mail.Read", principal=ADA),)))
    all_ = tenant(app(scopes=(ScopeOutline(scope="Mail.Read"),)))
    wider, narrower = one_grant(between(his, all_)), one_grant(between(all_, his))
    assert (wider.what, narrower.what) == ("widened", "narrowed")
    assert wider.before
    assert wider.after
    assert (wider.before.principal_id, wider.after.consent) == (ADA, "AllPrincipals")
    both = tenant(app(scopes=(ScopeOutline(scope="Mail.Read", principal=ADA), ScopeOutline(scope="Mail.Read"))))
    beside = one_grant(between(his, both))
    assert (beside.what, beside.before) == ("widened", None)


def test_a_permission_under_a_new_id_is_granted_again_and_its_findings_return() -> None:
    """One change each: the finding has another id and names the earlier one, which is not told as closed."""
    found = between(MAIL, anew(MAIL))
    assert {change.what for change in found.grants} == {"granted-again"}
    assert all(change.certain and change.before and change.after for change in found.grants)
    assert {one.what for one in found.findings} == {"returned"}
    assert all(one.replaces and one.certain for one in found.findings)


def test_what_a_plan_took_and_is_held_again_says_so() -> None:
    """Told where an audit was given the plan's journal; the finding has returned and is not new."""
    gone = tenant(app("Calendars.ReadWrite"))
    before, after = side(gone), side(MAIL, days=7)
    (finding,) = (
        one
        for one in side(MAIL).result.outcomes
        if getattr(one, "rule_id", "") == "mail-on-calendar-app" and getattr(one, "finding_id", "")
    )
    closed = ClosedFinding(
        finding_id=finding.finding_id,  # type: ignore[union-attr]
        rule_id=finding.rule_id,
        title="x",
        app_name="Zoom",
        app_id=PERSONAL,
        permission="Mail.Read, Mail.Send",
        resource_app_id="00000003-0000-0000-c000-000000000000",
        closed_at=before.result.taken_at,
        plan="a" * 64,
        journal="b" * 64,
        still_open=False,
        kind="application",
    )
    before = Side(snapshot=before.snapshot, result=replace(before.result, closed=(closed,)))
    found = drift(before, after)
    scope = drift(before, side(tenant(app("Calendars.ReadWrite", scopes=(ScopeOutline(scope="Mail.Read"),))), days=7))
    assert (one_grant(scope).what, one_grant(scope).after_revoke) == ("added", False), "the plan took no scope"
    (change,) = found.grants
    assert (change.what, change.after_revoke) == ("granted-again", True)
    assert {one.what for one in of_rule(found, "mail-on-calendar-app")} == {"returned"}
    assert one_grant(between(gone, MAIL)).what == "added"


def test_a_finding_of_an_older_run_has_returned() -> None:
    """It is new only where no run before had it."""
    clean = tenant(app("Calendars.ReadWrite", owners=("a@contoso.example",)))
    fresh = between(clean, MAIL)
    new = {one.finding_id for one in fresh.findings if one.what == "new"}
    assert new
    found = drift(side(clean), side(MAIL, days=7), found_earlier=new)
    assert {one.what for one in found.findings if one.finding_id in new} == {"returned"}


GAPS: list[Collected[Any]] = [Unavailable(why="sample: 403"), Partial(items=(), why="sample: cut")]


@pytest.mark.parametrize("gap", GAPS)
def test_what_was_not_read_is_not_taken_for_gone(gap: Collected[Any]) -> None:
    """Neither the permission nor its finding is called gone, and a note says what was not read; so the other way."""
    found = between(MAIL, changed(MAIL, app_role_assignments=gap, owners=gap))
    assert {(change.what, change.certain) for change in found.grants} == {("removed", False)}
    assert {one.what for one in of_rule(found, "mail-on-calendar-app")} == {"no-longer-evaluated"}
    assert [(one.what, one.certain) for one in found.apps] == [("owners", False)]
    assert any("later audit did not read appRoleAssignments of Zoom" in note for note in found.notes)
    back = between(changed(MAIL, app_role_assignments=gap, owners=gap), MAIL)
    assert {(change.what, change.certain) for change in back.grants} == {("added", False)}
    assert {(one.what, one.certain) for one in of_rule(back, "mail-on-calendar-app")} == {("new", False)}


def test_an_app_that_is_gone_is_told_from_one_that_is_only_not_seen() -> None:
    """Gone where the whole list does not have it; not audited where it stands there and nobody looked."""
    other = app("Mail.Read", app_id="aaaaaaaa-0001-4000-8000-000000000002")
    two = tenant(app("Mail.Read"), other)
    first, second = two.clients
    left = tuple(sp for sp in items(two.service_principals) if sp.id != second.service_principal.id)
    gone = replace(two, clients=(first,), service_principals=Complete(items=left))
    unseen = replace(gone, service_principals=Partial(items=left, why="cut"))
    excluded = team(exclude=("aaaaaaaa-0001-4000-8000-000000000002",))
    for after, word, what, certain in (
        (gone, team(), "gone", True),
        (unseen, team(), "gone", False),
        (two, excluded, "no-longer-audited", True),
    ):
        found = between(two, after, team(), word)
        assert [(one.what, one.certain) for one in found.apps] == [(what, certain)]
        assert {change.certain for change in found.grants} == {what == "gone" and certain}
        assert {one.what for one in found.findings if one.app_id == other.app_id} == {
            "closed" if what == "gone" and certain else "no-longer-evaluated"
        }


def test_each_fact_of_an_app_is_told_by_its_name() -> None:
    """Credentials, publisher, URLs, sign-in, home tenant, owners: what it was and what it is."""
    secret = PasswordCredential(key_id="k1", display_name="sample", end_date_time=MAIL.taken_at)
    after = of_app(
        MAIL,
        account_enabled=False,
        password_credentials=(secret,),
        reply_urls=("https://fabrikam.example/b", "https://fabrikam.example/a"),
        disabled_by_microsoft_status="DisabledDueToViolationOfServicesAgreement",
        verified_publisher=None,
        display_name="Zoom, renamed",
    )
    found = {one.what: one for one in between(MAIL, after).apps}
    assert {"sign-in", "credentials", "reply-urls", "disabled-by-microsoft", "name"} <= set(found)
    assert (found["sign-in"].before, found["sign-in"].after) == (("on",), ("off",))
    assert found["credentials"].after == (f"secret sample (k1, ends {MAIL.taken_at:%Y-%m-%d})",)
    assert found["reply-urls"].after == ("https://fabrikam.example/a", "https://fabrikam.example/b")
    assert all(one.certain for one in found.values())


def test_a_lapsed_waiver_is_told_and_its_findings_are_open_again() -> None:
    """Both runs have the same waiver; its day passed in between."""
    until = Waiver(
        rule="mail-on-calendar-app",
        app=PERSONAL,
        owner="Ada Admin (sample)",
        reason="Migration",
        expires=MAIL.taken_at.date() + 2 * DAY,
    )
    found = between(MAIL, MAIL, team(waivers=(until,)), team(waivers=(until,)))
    assert [(one.what, one.expires) for one in found.waivers] == [("lapsed", str(until.expires))]
    assert {one.what for one in found.findings} == {"returned"}
    longer = replace(until, expires=date(2027, 1, 31))
    renewed = between(MAIL, MAIL, team(waivers=(until,)), team(waivers=(longer,)))
    assert [(one.what, [f.field for f in one.fields]) for one in renewed.waivers] == [("changed", ["expires"])]
    assert renewed.findings == ()
    covered = between(MAIL, MAIL, team(), team(waivers=(longer,)))
    assert {one.what for one in covered.findings} == {"waived"}


def test_another_policy_or_rules_are_named_so_that_nobody_blames_the_tenant() -> None:
    """What is judged anew can then come from them."""
    before, after = side(MAIL), side(MAIL, team(policy="required"), days=7)
    found = drift(before, after)
    assert any("configuration is not the same" in note and "minimal" in note for note in found.notes)
    newer = replace(after.result.provenance, rules_sha256="f" * 64)
    fewer = replace(after.result, provenance=newer, rules=after.result.rules[1:])
    noted = drift(before, Side(snapshot=after.snapshot, result=fewer)).notes
    assert any("rules are not the same" in note and f"Gone: {after.result.rules[0].id}" in note for note in noted)


def test_a_register_of_attestations_that_is_another_is_named() -> None:
    """Findings of the attest rules then come from what was signed, not from the tenant."""
    before, after = side(MAIL), side(MAIL, days=7)
    signed = replace(after.result.provenance, attestations_sha256="f" * 64)
    found = drift(before, Side(snapshot=after.snapshot, result=replace(after.result, provenance=signed)))
    assert any("register of attestations" in note for note in found.notes)
    assert not any("register" in note for note in drift(before, after).notes)


def test_a_finding_that_another_policy_closed_says_that_the_permission_is_held_still() -> None:
    """Nothing went from the tenant: whoever loosens the policy closes no door."""
    own = {side(MAIL).result.apps[0].integration: ("Calendars.ReadWrite", "Mail.Read")}
    loose = replace(team(policy="own"), policies={"own": own})
    (closed,) = of_rule(between(MAIL, MAIL, team(), loose), "outside-policy")
    assert (closed.what, closed.permission, closed.held) == ("closed", "Mail.Read", True)
    (gone,) = of_rule(between(MAIL, tenant(app("Calendars.ReadWrite"))), "outside-policy")
    assert (gone.what, gone.held) == ("closed", False)


def record(number: int, days: float, **more: Any) -> GrantEvent:
    values: dict[str, Any] = {
        "id": f"Directory_sample_{number}",
        "activity_date_time": MAIL.taken_at + days * DAY,
        "activity": "Add app role assignment to service principal",
        "result": "success",
        "actor": f"person{number}@contoso.example",
        "target_id": client(MAIL).service_principal.id,
    }
    return GrantEvent(**(values | more))


def heard(snapshot: Snapshot, *events: GrantEvent) -> Snapshot:
    return replace(changed(snapshot, grant_events=Complete(items=events)), audit_log_since=MAIL.taken_at - DAY)


def who(found: Drift) -> list[list[str]]:
    return [[act.actor.partition("@")[0] for act in change.acts] for change in found.grants]


def test_a_record_counts_between_the_two_audits_when_it_succeeded_and_names_the_permission() -> None:
    """Five minutes of slack on both sides; in the order of time."""
    clean = tenant(app("Calendars.ReadWrite", owners=("a@contoso.example",)))
    events = (
        record(1, 3, permissions=("Mail.Read",)),
        record(2, 2, permissions=("MAIL.READ",)),
        record(3, 2, permissions=("Mail.Read",), result="failure"),
        record(4, 2, permissions=("Mail.Send",)),
        record(5, -1, permissions=("Mail.Read",)),
        record(6, 8, permissions=("Mail.Read",)),
        record(7, -1 / 24 / 60, permissions=("Mail.Read",)),
        record(8, 2, removed=("Mail.Read",)),
        record(9, 2, permissions=("Mail.Read",), resource_id="ffffffff-0000-4000-8000-000000000000"),
    )
    assert who(between(clean, heard(MAIL, *events))) == [["person7", "person2", "person1"]]
    assert who(between(MAIL, heard(clean, *events))) == [["person8"]]
    assert who(between(MAIL, heard(MAIL, *events))) == []


def test_a_persons_own_consent_is_told_from_that_persons_record_alone() -> None:
    """Whose consent a record of another is, the log does not say."""
    two = tenant(app(scopes=tuple(ScopeOutline(scope="User.Read", principal=one) for one in (ADA, BO))))
    owner = client(two).service_principal.id
    consent = "Consent to application"
    events = tuple(
        record(number, 2, activity=consent, permissions=("User.Read",), actor_id=one, target_id=owner)
        for number, one in enumerate((ADA, "bbbbbbbb-0000-4000-8000-000000000009"))
    )
    found = between(tenant(app()), heard(two, *events))
    told = {change.after.principal_id: [act.actor for act in change.acts] for change in found.grants if change.after}
    assert told == {ADA: ["person0@contoso.example"], BO: []}


def test_a_record_of_one_kind_of_permission_is_not_told_of_the_other() -> None:
    """Mail.Read is an application permission and a scope: each names who gave it, and a consent can have given both."""
    both = tenant(app("Calendars.ReadWrite", "Mail.Read", scopes=(ScopeOutline(scope="Mail.Read"),)))
    activities = (
        "Add app role assignment to service principal",
        "Add delegated permission grant",
        "Add OAuth2PermissionGrant",
        "Consent to application",
    )
    owner = client(both).service_principal.id
    events = tuple(
        record(number, number, activity=activity, permissions=("Mail.Read",), target_id=owner)
        for number, activity in enumerate(activities, 1)
    )
    found = between(tenant(app("Calendars.ReadWrite")), heard(both, *events))
    told = {change.after.kind: [act.id[-1] for act in change.acts] for change in found.grants if change.after}
    assert told == {"application": ["1", "4"], "delegated": ["2", "3", "4"]}


def test_who_changed_the_app_is_told_by_what_the_record_lists() -> None:
    """A record that lists other properties did not change this one."""
    after = of_app(MAIL, account_enabled=False, display_name="Zoom, renamed")
    update = "Update service principal"
    events = (
        record(1, 2, activity=update, changed=("AccountEnabled",)),
        record(2, 3, activity=update, changed=("DisplayName", "AppAddress")),
        record(3, 4, activity="Add owner to service principal"),
    )
    found = {one.what: [act.id[-1] for act in one.acts] for one in between(MAIL, heard(after, *events)).apps}
    assert (found["sign-in"], found["name"]) == (["1"], ["2"])


def test_a_log_that_does_not_reach_back_is_named() -> None:
    """Then nobody is named for what was done before it begins; without a log for nothing."""
    short = replace(heard(MAIL), audit_log_since=MAIL.taken_at + 3 * DAY)
    assert any("begins" in note and "not known" in note for note in between(MAIL, short).notes)
    unread = changed(MAIL, grant_events=Unavailable(why="403"))
    assert any("log was not read" in note for note in between(MAIL, unread).notes)
    assert not any("directory audit log" in note for note in between(MAIL, heard(MAIL)).notes)
