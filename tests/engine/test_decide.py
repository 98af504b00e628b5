"""The five answers and the decision, line by line of the table."""

from __future__ import annotations

from datetime import date

import pytest
from msgspec.structs import replace

from auditor.errors import ConfigurationError
from auditor.knowledge.outline import ScopeOutline
from auditor.model.configuration import Configuration
from auditor.model.outcome import Waiver
from auditor.model.snapshot import Unavailable
from tests.engine.world import DELEGATE, PERSONAL, ROOMS, app, judged, row, team, tenant

UNKNOWN = "12345678-1234-4234-8234-123456789abc"


def waiver(rule: str, *, permission: str = "Directory.Read.All", expires: date = date(2027, 1, 31)) -> Waiver:
    return Waiver(
        rule=rule,
        app=PERSONAL,
        permission=permission,
        owner="Ada (sample)",
        reason="pilot until January",
        expires=expires,
    )


def test_the_permission_that_the_policy_allows_stays() -> None:
    kept = row(judged(tenant(app("Calendars.ReadWrite")), team()), "Calendars.ReadWrite")
    assert (kept.policy, kept.vendor_says, kept.decision) == ("allowed", "needed", "keep")


def test_outside_a_confirmed_policy_goes_now() -> None:
    gone = row(judged(tenant(app("Calendars.ReadWrite", "Directory.Read.All")), team()), "Directory.Read.All")
    assert (gone.policy, gone.decision, gone.check) == ("outside", "revoke", "")


def test_nothing_goes_now_while_the_app_is_unconfirmed() -> None:
    """A candidate with application permissions is taken for the calendar app, by inference only."""
    result = judged(tenant(app("Calendars.ReadWrite", "Directory.Read.All")), team(confirm=False))
    gone = row(result, "Directory.Read.All")
    assert (gone.integration_basis, gone.decision) == ("inferred", "revoke-after")
    assert PERSONAL in gone.check


@pytest.mark.parametrize(
    ("answers", "decision", "words"),
    [
        ({}, "revoke-after", "Compare"),
        ({"upn_equals_zoom_email": False}, "revoke-after", "Known not to hold yet"),
        ({"upn_equals_zoom_email": True, "calendar_events_only": False}, "revoke-after", "Known not to hold yet"),
        ({"upn_equals_zoom_email": True}, "revoke", ""),
    ],
)
def test_mail_waits_for_the_comparison_of_names(answers: dict[str, bool], decision: str, words: str) -> None:
    result = judged(tenant(app("Calendars.ReadWrite", "Mail.ReadWrite")), team(answers=answers))
    gone = row(result, "Mail.ReadWrite")
    assert (gone.policy, gone.decision) == ("outside", decision)
    assert words in gone.check
    assert gone.impact.when == "at the next connect"


@pytest.mark.parametrize(("value", "decision"), [(None, "keep"), (False, "keep"), (True, "revoke-after")])
def test_a_conditional_permission_stays_until_its_condition_is_known_to_be_false(
    value: bool | None, decision: str
) -> None:
    answers = {} if value is None else {"upn_equals_zoom_email": value}
    result = judged(tenant(app("Calendars.ReadWrite", "Mail.Read")), team(policy="required", answers=answers))
    conditional = row(result, "Mail.Read")
    assert (conditional.policy, conditional.decision) == ("conditional", decision)
    assert bool(conditional.check) == (decision == "revoke-after")


def test_an_unknown_id_is_a_question() -> None:
    asked = row(judged(tenant(app("Calendars.ReadWrite", UNKNOWN)), team()), UNKNOWN)
    assert (asked.decision, asked.opens, asked.tier, asked.reach) == ("ask", "", None, "unknown")
    assert asked.ask_whom


def test_both_rooms_apps_are_undetermined_and_never_outside() -> None:
    """Zoom shows the rooms apps' permissions in screenshots only."""
    rooms = app("Calendars.ReadWrite", "Mail.Send", app_id=ROOMS)
    delegate = app(app_id=DELEGATE, scopes=(ScopeOutline(scope="openid Calendars.ReadWrite.Shared", principal="u-1"),))
    result = judged(tenant(rooms, delegate), team())
    answers = {(j.grant.permission, j.policy, j.decision) for j in result.grants}
    assert answers == {
        ("Calendars.ReadWrite", "undetermined", "ask"),
        ("Mail.Send", "undetermined", "ask"),
        ("Calendars.ReadWrite.Shared", "undetermined", "ask"),
        ("openid", "allowed", "keep"),
    }


def test_the_teams_own_list_decides_for_rooms() -> None:
    rooms = app("Calendars.ReadWrite", "Mail.Send", "Place.Read.All", app_id=ROOMS)
    own = {"rooms-application": ("Calendar.ReadWrite", "Place.Read.All")}
    for answers, goes in (({}, "revoke-after"), ({"rooms_list_compared": True}, "revoke")):
        result = judged(tenant(rooms), team(allowed=own, answers=answers))
        assert {j.grant.permission: j.decision for j in result.grants} == {
            "Calendars.ReadWrite": "keep",
            "Place.Read.All": "keep",
            "Mail.Send": goes,
        }


def test_a_team_policy_without_a_word_on_the_integration_leaves_it_undetermined() -> None:
    configuration = replace(team(policy="ours"), policies={"ours": {"rooms-application": ("Place.Read.All",)}})
    result = judged(tenant(app("Calendars.ReadWrite"), app("Place.Read.All", "Mail.Read", app_id=ROOMS)), configuration)
    assert {j.grant.permission: j.policy for j in result.grants} == {
        "Calendars.ReadWrite": "undetermined",
        "Place.Read.All": "allowed",
        "Mail.Read": "outside",
    }


def test_a_policy_that_nobody_defined_is_an_error() -> None:
    with pytest.raises(ConfigurationError, match="no policy 'strict'"):
        judged(tenant(app("Mail.Read")), team(policy="strict"))


def test_required_says_nothing_of_an_integration_that_is_not_declared() -> None:
    result = judged(
        tenant(app("Calendars.ReadWrite", "Mail.Read")), team(policy="required", features=("rooms-application",))
    )
    assert {(j.policy, j.decision) for j in result.grants} == {("undetermined", "ask")}


def test_what_a_declared_feature_needs_is_asked_about_and_never_revoked() -> None:
    """The policy leaves presence out, the feature is on: one of the two is wrong, and only people know which."""
    connected = ScopeOutline(scope="Presence.ReadWrite Mail.Read")
    configuration = team(
        features=("personal-calendar-oauth", "presence"),
        integrations={PERSONAL: "personal-calendar-oauth"},
        allowed={"personal-calendar-oauth": ()},
    )
    result = judged(tenant(app(scopes=(connected,))), configuration)
    assert row(result, "Presence.ReadWrite").decision == "ask"
    assert row(result, "Mail.Read").decision in ("revoke", "revoke-after")


def test_what_the_vendor_says_is_needed_is_asked_about_when_a_list_leaves_it_out() -> None:
    configuration = team(features=("rooms-application",), allowed={"personal-calendar-application": ("Mail.Read",)})
    asked = row(judged(tenant(app("Calendars.ReadWrite", "Mail.Read")), configuration), "Calendars.ReadWrite")
    assert (asked.policy, asked.vendor_says, asked.decision) == ("outside", "needed", "ask")


def test_a_grant_that_may_carry_the_integration_is_not_taken_before_that_is_known() -> None:
    """Without Calendars.ReadWrite the calendar may hang on another calendar permission or on full access."""
    result = judged(tenant(app("exchange/full_access_as_app", "Calendars.Read", "Directory.Read.All")), team())
    assert "may be what carries" in row(result, "full_access_as_app").check
    assert "does not hold" in row(result, "Calendars.Read").check
    assert row(result, "Directory.Read.All").decision == "revoke"


def test_a_partly_read_app_is_not_said_to_lack_what_it_needs() -> None:
    snapshot = tenant(app("Calendars.Read"), partial=("appRoleAssignments",))
    assert "could not be read in full" in row(judged(snapshot, team()), "Calendars.Read").check


def test_a_waiver_of_every_finding_against_a_grant_keeps_it() -> None:
    snapshot = tenant(app("Calendars.ReadWrite", "Directory.Read.All"))
    against = {o.rule_id for o in judged(snapshot, team()).outcomes if o.__class__.__name__ == "Finding"} & {
        "outside-policy"
    }
    assert against == {"outside-policy"}
    kept = row(judged(snapshot, team(waivers=(waiver("outside-policy"),))), "Directory.Read.All")
    assert kept.decision == "keep"
    assert "pilot until January" in kept.reason
    lapsed = row(
        judged(snapshot, team(waivers=(waiver("outside-policy", expires=date(2026, 11, 19)),))), "Directory.Read.All"
    )
    assert lapsed.decision == "revoke"


def test_a_waiver_of_one_of_two_findings_keeps_nothing() -> None:
    """Mail on a calendar app is a finding of its own; waiving the policy alone is not a word on it."""
    snapshot = tenant(app("Calendars.ReadWrite", "Mail.Send"))
    result = judged(snapshot, team(waivers=(waiver("outside-policy", permission="Mail.Send"),)))
    assert row(result, "Mail.Send").decision != "keep"


def test_a_look_alike_is_a_question_for_whoever_approved_it() -> None:
    fake = app(
        "Mail.Read",
        app_id="bbbbbbbb-0001-4000-8000-000000000001",
        name="Zооm",
        service_principal={"replyUrls": ["https://zoom-meetings.example/callback"]},
    )
    asked = row(judged(tenant(fake), team()), "Mail.Read")
    assert (asked.match, asked.policy, asked.decision, asked.vendor_says) == (
        "look-alike",
        "undetermined",
        "ask",
        "silent",
    )
    assert asked.impact.what.basis == "unknown"


def test_an_app_that_the_snapshot_does_not_hold_makes_the_audit_incomplete() -> None:
    """Confirming an app after the snapshot was taken cannot make it look clean."""
    stranger = app("Mail.Read", app_id=PERSONAL, name="Meeting helper")
    result = judged(tenant(other_service_principals=(stranger,)), team())
    assert not result.complete
    assert any("collect again" in reason for reason in result.incomplete_reasons)
    assert any(entry.app_id == PERSONAL and entry.state == "unavailable" for entry in result.ledger)


def test_redundant_is_what_a_staying_grant_of_the_same_resource_gives() -> None:
    result = judged(tenant(app("Calendars.ReadWrite", "Calendars.Read", "exchange/Calendars.Read")), team())
    covered = {(j.grant.resource_name, j.grant.permission): j.covered_by for j in result.grants}
    assert covered["Microsoft Graph", "Calendars.Read"] == "Calendars.ReadWrite"
    assert covered["Office 365 Exchange Online", "Calendars.Read"] == ""
    assert covered["Microsoft Graph", "Calendars.ReadWrite"] == ""


def test_a_tenant_wide_consent_covers_the_same_consent_of_one_user() -> None:
    scopes = (ScopeOutline(scope="User.Read"), ScopeOutline(scope="User.Read", principal="u-1"))
    result = judged(tenant(app(scopes=scopes)), team())
    assert {j.grant.consent: j.covered_by for j in result.grants} == {
        "AllPrincipals": "",
        "Principal": "User.Read (tenant-wide)",
    }


def test_nothing_covers_while_it_is_itself_in_question() -> None:
    """Two undetermined grants: neither is known to stay."""
    result = judged(tenant(app("Calendars.ReadWrite", "Calendars.Read", app_id=ROOMS)), team())
    assert {j.covered_by for j in result.grants} == {""}


def test_reach_is_the_upper_bound_and_says_so() -> None:
    scopes = (ScopeOutline(scope="Mail.Read"), ScopeOutline(scope="Mail.Send", principal="u-1"))
    result = judged(tenant(app("Calendars.ReadWrite", "Directory.Read.All", scopes=scopes)), team())
    assert {j.grant.permission: j.reach for j in result.grants} == {
        "Calendars.ReadWrite": "organization-at-most",
        "Directory.Read.All": "organization",
        "Mail.Read": "signed-in-users",
        "Mail.Send": "one-user",
    }
    assert "up to 4,210 enabled accounts" in row(result, "Calendars.ReadWrite").reach_text
    uncounted = replace(tenant(app("Calendars.ReadWrite")), enabled_members=Unavailable(why="refused"))
    assert "not read" in row(judged(uncounted, team()), "Calendars.ReadWrite").reach_text


def test_without_a_configuration_nothing_is_revoked() -> None:
    result = judged(tenant(app("Calendars.ReadWrite", "Mail.Read"), app("Mail.Read", app_id=ROOMS)), Configuration())
    assert "revoke" not in {j.decision for j in result.grants}
