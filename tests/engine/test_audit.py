"""The whole result: completeness, exit codes, sentences, and what following every decision leaves."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime
from random import Random

import pytest
from msgspec.structs import replace

from auditor.engine.audit import Hashes, audit, exit_code
from auditor.engine.decide import holds
from auditor.engine.policy import Key, keys
from auditor.engine.summary import TITLES
from auditor.errors import ExitCode
from auditor.knowledge.outline import AppOutline, ScopeOutline
from auditor.knowledge.profile import Precondition
from auditor.model.configuration import Configuration
from auditor.model.outcome import AcceptedGap, AuditResult, Finding, JudgedGrant, Severity, Waiver
from auditor.model.snapshot import CLIENT_COLLECTIONS, Complete, Unavailable
from tests.engine.world import DELEGATE, PERSONAL, ROOMS, app, judged, row, rulebook, team, tenant


def test_a_clean_app_gives_exit_code_0() -> None:
    result = judged(tenant(app("Calendars.ReadWrite")), team())
    assert result.complete
    assert exit_code(result, Severity.HIGH) == ExitCode.CLEAN


def test_findings_give_exit_code_1_at_or_above_the_threshold() -> None:
    result = judged(tenant(app("Calendars.ReadWrite", "exchange/full_access_as_app")), team())
    assert exit_code(result, Severity.CRITICAL) == ExitCode.FINDINGS
    assert exit_code(result, None) == ExitCode.CLEAN


@pytest.mark.parametrize("collection", ["appRoleAssignments", "oauth2PermissionGrants", "servicePrincipals"])
def test_incomplete_outranks_findings(collection: str) -> None:
    result = judged(tenant(app("Calendars.ReadWrite", "Mail.Send"), unavailable=(collection,)), team())
    assert exit_code(result, Severity.INFO) == ExitCode.INCOMPLETE
    assert "INCOMPLETE" in result.headline


def test_an_accepted_gap_is_shown_and_does_not_raise_the_exit_code() -> None:
    snapshot = tenant(app("Calendars.ReadWrite"), unavailable=("signInActivity",))
    open_result = judged(snapshot, team())
    assert not open_result.complete
    gap = AcceptedGap(collection="signInActivity", owner="Ada", reason="no licence", expires=date(2027, 1, 1))
    accepted = judged(snapshot, replace(team(), accepted_gaps=(gap,)))
    assert accepted.complete
    assert accepted.accepted_gaps == (gap,)
    lapsed = replace(gap, expires=date(2026, 1, 1))
    result = judged(snapshot, replace(team(), accepted_gaps=(lapsed,)))
    assert not result.complete
    assert result.expired_gaps == (lapsed,)


def test_a_missing_needed_permission_is_not_evaluated_without_the_exchange_side() -> None:
    """Exchange may give it by a role that no Entra listing shows, so missing cannot be said, and nothing is advised."""
    result = judged(tenant(app("Directory.Read.All")), team())
    (outcome,) = [o for o in result.outcomes if o.rule_id == "needed-permission-missing"]
    assert outcome.__class__.__name__ == "NotEvaluated"
    assert exit_code(result, None) == ExitCode.INCOMPLETE


def test_the_first_sentence_says_what_to_whom_and_what_goes() -> None:
    result = judged(tenant(app("Calendars.ReadWrite", "Mail.ReadWrite", "Mail.Send", "Directory.Read.All")), team())
    sentence = result.apps[0].headline
    assert "Taken 20 Nov 2026 09:14 UTC" in sentence
    assert "integration confirmed by configuration" in sentence
    assert "up to 4,210 enabled accounts" in sentence
    assert "Exchange limits not read" in sentence
    assert "3 are outside it: 1 can go now and 2 can go after a check" in sentence


def test_the_same_consent_of_many_users_counts_as_one_permission() -> None:
    scopes = tuple(ScopeOutline(scope="Mail.Read", principal=f"u-{number}") for number in range(12))
    result = judged(tenant(app("Calendars.ReadWrite", scopes=scopes)), team())
    assert "1 is outside it: 1 can go after a check" in result.apps[0].headline
    assert "as 12 users who consented" in result.apps[0].headline


def test_the_picture_shows_what_is_left() -> None:
    result = judged(tenant(app("Calendars.ReadWrite", "Mail.ReadWrite", "Mail.Send")), team())
    assert "Mail: read and change, send" in result.apps[0].before
    assert "Mail: no permission left" in result.apps[0].after
    assert "Calendars: read and change" in result.apps[0].after


def test_no_app_found_is_said_with_the_number_looked_at() -> None:
    result = judged(
        tenant(
            other_service_principals=(
                app(
                    app_id=ROOMS.replace("f5", "00"),
                    name="Payroll",
                    owner_tenant=None,
                    service_principal={"replyUrls": [], "publisherName": "Fabrikam", "verifiedPublisher": None},
                ),
            )
        )
    )
    assert "No Zoom app was found among" in result.headline
    assert exit_code(result, Severity.INFO) == ExitCode.CLEAN


def test_no_app_found_in_an_unread_tenant_rules_none_out() -> None:
    result = judged(tenant(unavailable=("servicePrincipals",)))
    assert result.headline.startswith("INCOMPLETE")
    assert exit_code(result, None) == ExitCode.INCOMPLETE


@pytest.mark.parametrize("collection", CLIENT_COLLECTIONS)
def test_a_gap_stands_under_not_checked_with_who_can_open_it(collection: str) -> None:
    result = judged(tenant(app("Calendars.ReadWrite"), unavailable=(collection,)), team())
    assert any(entry.what.startswith(TITLES[collection]) for entry in result.apps[0].not_checked)


def test_every_row_shows_where_to_look_it_up() -> None:
    result = judged(tenant(app("Calendars.ReadWrite", scopes=(ScopeOutline(scope="openid"),))), team())
    kept = row(result, "Calendars.ReadWrite")
    assert kept.portal_url.startswith("https://entra.microsoft.com/")
    assert kept.graph_request.startswith("GET /v1.0/servicePrincipals/")
    assert row(result, "openid").graph_request.startswith("GET /v1.0/oauth2PermissionGrants/")


def test_the_identity_card_tells_none_from_not_read() -> None:
    snapshot = tenant(app("Calendars.ReadWrite"), unset=("passwordCredentials",), unavailable=("owners",))
    card = dict(judged(snapshot, team()).apps[0].identity)
    assert card["Client secrets"] == "not read"
    assert card["Owners"] == "not read"
    assert card["Certificates"] == "none"


GRAPH_ROLES = sorted(
    e.permission
    for f in rulebook().permissions.families
    for e in f.permissions
    if (e.resource, e.kind) == ("graph", "application")
)
EXCHANGE_ROLES = sorted(
    f"exchange/{e.permission}"
    for f in rulebook().permissions.families
    for e in f.permissions
    if (e.resource, e.kind) == ("exchange", "application")
)
SCOPES = sorted(
    e.permission
    for f in rulebook().permissions.families
    for e in f.permissions
    if (e.resource, e.kind) == ("graph", "delegated")
)
LIKELY = ["Calendars.ReadWrite", "Calendars.Read", "Mail.Read", "Mail.ReadWrite", "exchange/full_access_as_app"]
OTHER = "cccccccc-0001-4000-8000-000000000001"
QUESTIONS = sorted({p.id for p in rulebook().profile.preconditions})


def apps(chance: Random) -> tuple[AppOutline, ...]:
    """Some of the rooms apps, the personal app and another, holding likely and unlikely permissions."""

    def roles() -> tuple[str, ...]:
        some = [chance.choice(chance.choice((LIKELY, GRAPH_ROLES, EXCHANGE_ROLES))) for _ in range(chance.randrange(8))]
        return tuple(dict.fromkeys(some))

    def scopes() -> tuple[ScopeOutline, ...]:
        holders = chance.sample(["", "u-1", "u-2"], chance.randrange(4))
        return tuple(
            ScopeOutline(scope=" ".join(chance.sample(SCOPES, chance.randint(1, 4))), principal=holder)
            for holder in holders
        )

    return tuple(
        AppOutline(app_id=app_id, roles=roles(), scopes=scopes(), name=chance.choice(["Zoom", "Zoom Rooms", "Zооm"]))
        for app_id in chance.sample([PERSONAL, ROOMS, DELEGATE, OTHER], chance.randint(1, 4))
    )


def configurations(chance: Random) -> Configuration:
    """Any policy, features, answers and lists that a team could write."""
    integrations = sorted(rulebook().profile.integrations)

    def lists() -> dict[str, tuple[str, ...]]:
        named = chance.sample(integrations, chance.randrange(3))
        return {name: tuple(chance.sample([*LIKELY, *GRAPH_ROLES], chance.randrange(6))) for name in named}

    policy = chance.choice(["", "minimal", "required", "ours"])
    answered = chance.sample(QUESTIONS, chance.randrange(len(QUESTIONS)))
    part = team(
        confirm=chance.random() < 0.5,
        answers={question: chance.random() < 0.6 for question in answered},
        policy=policy,
        features=tuple(chance.sample(integrations, chance.randint(1 if policy == "required" else 0, 4))),
        allowed=lists(),
    )
    return replace(part, policies={"ours": lists()})


@pytest.mark.parametrize("seeds", [range(600), pytest.param(range(600, 2000), marks=pytest.mark.slow)])
def test_following_all_decisions_leaves_every_allowed_and_needed_permission_standing(seeds: range) -> None:
    """2,000 random tenants and policies: nothing allowed or needed goes; nothing goes now while anything is open.

    The decisions that the promise is about all occur, and often.
    """
    seen: Counter[str] = Counter()
    for seed in seeds:
        chance = Random(seed)
        configuration = configurations(chance)
        result = judged(tenant(*apps(chance)), configuration)
        assert_sound(result, configuration)
        seen.update(judgement.decision for judgement in result.grants)
    assert min(seen[decision] for decision in ("keep", "revoke", "revoke-after", "ask")) > 150, seen


def assert_sound(result: AuditResult, configuration: Configuration) -> None:
    team_part = configuration.apps["zoom"]
    confirmed = {
        app.service_principal_id
        for app in result.apps
        if app.integration_basis in ("documented", "configured") and app.match != "look-alike"
    }
    for judgement in result.grants:
        if judgement.decision in ("revoke", "revoke-after"):
            assert judgement.policy not in ("allowed", "undetermined"), judgement
            assert judgement.vendor_says != "needed", judgement
            assert judgement.match != "look-alike", judgement
            assert judgement.grant.known, judgement
            assert key(judgement) not in needed_by_features(judgement.integration, team_part.features), judgement
        if judgement.decision == "revoke":
            assert judgement.grant.service_principal_id in confirmed, judgement
            assert not judgement.check, judgement
            for precondition in concerning(judgement):
                assert holds(precondition, team_part.features, team_part.answers) is True, judgement
        assert bool(judgement.check) == (judgement.decision == "revoke-after"), judgement
        assert bool(judgement.ask_whom) == (judgement.decision == "ask"), judgement


def key(judgement: JudgedGrant) -> Key:
    grant = judgement.grant
    return (grant.resource_app_id, grant.permission, grant.kind)


def needed_by_features(integration: str, features: tuple[str, ...]) -> set[Key]:
    """What the declared features need of the app of an integration, read from the profile anew."""
    shapes = rulebook().profile.integrations
    carried = [f for f in features if f == integration or integration in shapes[f].carried_by]
    return {needed for f in carried for needed in keys(shapes[f].policies["required"].allowed, shapes[f].kind, f)}


def concerning(judgement: JudgedGrant) -> list[Precondition]:
    """The preconditions that speak of a grant's family and kind."""
    return [
        precondition
        for precondition in rulebook().profile.preconditions
        if judgement.integration in precondition.integrations
        and precondition.about.kind in ("any", judgement.grant.kind)
        and not precondition.about.permissions
        and (not precondition.about.families or judgement.family in precondition.about.families)
    ]


def test_unread_members_are_said_in_the_sentence() -> None:
    snapshot = replace(tenant(app("Calendars.ReadWrite")), enabled_members=Unavailable(why="refused"))
    assert "a number of accounts that was not read" in judged(snapshot, team()).apps[0].headline
    assert isinstance(tenant(app("Calendars.ReadWrite")).enabled_members, Complete)


def test_an_audit_of_one_app_still_knows_the_others() -> None:
    """Limited to one rooms app, it is still true that both are there."""
    snapshot = tenant(app("Calendars.ReadWrite", app_id=ROOMS), app(app_id=DELEGATE))
    result = audit(
        snapshot,
        rulebook=rulebook(),
        configuration=team(integrations={}),
        hashes=Hashes(snapshot=""),
        only=frozenset({ROOMS}),
    )
    assert [one.app_id for one in result.apps] == [ROOMS]
    (both,) = [o for o in result.outcomes if o.rule_id == "both-rooms-apps"]
    assert isinstance(both, Finding)


def test_an_app_that_the_configuration_confirms_and_the_tenant_lacks_is_said() -> None:
    """The wrong tenant, or a typing error, must not read as clean."""
    result = judged(tenant(app("Calendars.ReadWrite", app_id=ROOMS)), team())
    assert not result.complete
    assert any(PERSONAL in reason and "right tenant" in reason for reason in result.incomplete_reasons)


def test_grants_that_were_not_read_never_read_as_none() -> None:
    """Not even where the team accepted the gap."""
    gaps = tuple(
        AcceptedGap(collection=name, owner="Ada", reason="no right yet", expires=date(2027, 1, 1))
        for name in ("appRoleAssignments", "oauth2PermissionGrants")
    )
    snapshot = tenant(app("Calendars.ReadWrite"), unavailable=("appRoleAssignments", "oauth2PermissionGrants"))
    result = judged(snapshot, replace(team(), accepted_gaps=gaps))
    (one,) = result.apps
    assert "at least 0 permissions" in result.headline
    assert "what it holds is not known" in one.headline
    assert "Application permissions: not read in full" in one.after


def test_nothing_left_is_said_of_what_was_read_only() -> None:
    snapshot = tenant(app("Calendars.ReadWrite", "Mail.Send"), partial=("appRoleAssignments",))
    assert "Mail: nothing among what was read" in judged(snapshot, team()).apps[0].after


def test_what_an_app_keeps_beside_its_grants_is_said_first() -> None:
    """A directory role, a secret and an owner stay whatever goes, and an app without grants may still hold them."""
    secret = {"passwordCredentials": [{"displayName": "pilot"}]}
    holder = app(directory_roles=("Global Administrator",), owners=("ada@contoso.example",), service_principal=secret)
    (one,) = judged(tenant(holder), team()).apps
    assert "holds no permission in Entra ID beyond sign-in (Exchange roles not read)" in one.headline
    assert "It holds the directory role Global Administrator." in one.headline
    stays = " ".join(one.still_possible)
    assert "directory role Global Administrator" in stays
    assert "1 client secret" in stays
    assert "ada@contoso.example" in stays
    assert "RBAC for Applications" in stays
    unread = judged(tenant(holder, unavailable=("memberOf",)), team()).apps[0]
    assert "Directory roles were not read in full." in unread.still_possible


def test_a_disabled_app_is_called_disabled() -> None:
    off = app("Calendars.ReadWrite", service_principal={"accountEnabled": False})
    assert "(disabled, " in judged(tenant(off), team()).apps[0].headline


def test_a_conditional_permission_stands_in_the_sentence() -> None:
    answers = {"upn_equals_zoom_email": True}
    result = judged(tenant(app("Calendars.ReadWrite", "Mail.Read")), team(policy="required", answers=answers))
    assert "1 is allowed under a condition: 1 can go after a check" in result.apps[0].headline


def test_a_waiver_that_covers_nothing_is_noted() -> None:
    """Spelled wrong, it would otherwise stand in the report as if it did something."""
    idle = Waiver(
        rule="outside-policy",
        app=PERSONAL,
        permission="Files.Read.All",
        owner="Ada",
        reason="pilot",
        expires=date(2027, 1, 1),
    )
    result = judged(tenant(app("Calendars.ReadWrite", "Directory.Read.All")), team(waivers=(idle,)))
    assert any("Files.Read.All" in note and "covers no finding" in note for note in result.notes)


def test_a_permission_that_could_not_be_resolved_gets_no_answer_of_a_name() -> None:
    """Neither the policy nor the vendor speaks of an id that nobody could read."""
    snapshot = tenant(app("Calendars.ReadWrite"))
    blind = replace(snapshot, resources=Unavailable(why="refused"), service_principals=Unavailable(why="refused"))
    (only,) = judged(blind, team()).grants
    assert (only.policy, only.vendor_says, only.vendor.basis, only.decision) == (
        "undetermined",
        "silent",
        "unknown",
        "ask",
    )
    assert only.impact.what.basis == "unknown"


def test_a_sign_in_of_any_kind_is_the_last_sign_in() -> None:
    snapshot = tenant(app("Calendars.ReadWrite"))
    late = datetime(2026, 11, 18, tzinfo=UTC)
    (client,) = snapshot.clients
    (activity,) = client.sign_in_activity.items  # type: ignore[union-attr]
    activity = replace(activity, last_sign_in=None, application_client=None, delegated_client=late)
    snapshot = replace(snapshot, clients=(replace(client, sign_in_activity=Complete(items=(activity,))),))
    result = judged(snapshot, team())
    assert dict(result.apps[0].identity)["Last sign-in"] == "18 Nov 2026 00:00 UTC"
    assert row(result, "Calendars.ReadWrite").app_last_sign_in == late
