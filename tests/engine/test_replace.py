"""The decision `replace`: a wider grant goes, and the narrower one that is needed comes in its place."""

from __future__ import annotations

from collections import Counter
from datetime import date
from functools import partial
from random import Random

import pytest
from msgspec.structs import replace

from auditor.engine.answers import build_context
from auditor.engine.audit import Hashes, audit
from auditor.engine.decide import decide
from auditor.engine.policy import Key
from auditor.engine.rulebook import Rulebook
from auditor.knowledge.outline import ScopeOutline
from auditor.knowledge.profile import ConditionalPermission
from auditor.model.configuration import Configuration
from auditor.model.outcome import AuditResult, JudgedGrant, Waiver
from auditor.model.snapshot import Snapshot
from auditor.simulator.sample import CALENDAR, sample, sample_configuration
from tests.engine.test_audit import GRAPH_ROLES, key, needed_by_features
from tests.engine.world import PERSONAL, app, judged, row, rulebook, team, tenant

CALENDAR_INTEGRATION = "personal-calendar-application"
WIDE = ("Calendars.ReadWrite", "Mail.ReadWrite")
required = partial(team, policy="required")


def test_the_demo_under_required_narrows_the_calendar_apps_mail() -> None:
    configuration = sample_configuration()
    part = replace(configuration.apps["zoom"], policy="required")
    result = judged(sample(), replace(configuration, apps={"zoom": part}))
    (wide,) = [j for j in result.grants if j.decision == "replace"]
    assert (wide.grant.permission, wide.replace_with, wide.grant.app_id) == ("Mail.ReadWrite", "Mail.Read", CALENDAR)
    assert "Mail.Read is needed as long as 'upn_equals_zoom_email' is not answered" in wide.reason
    assert (wide.check, wide.ask_whom) == ("", "")
    (calendar,) = [one for one in result.apps if one.app_id == CALENDAR]
    assert "1 can be narrowed" in calendar.headline
    assert "Mail: read and change, send" in calendar.before
    assert "Mail: read" in calendar.after
    assert any(line.startswith("In its place stays: may read all mail") for line in calendar.still_possible)
    assert any(line.startswith("Until it is replaced, it may read, create") for line in calendar.still_possible)


@pytest.mark.parametrize(
    ("answers", "decision"),
    [
        ({}, "replace"),
        ({"upn_equals_zoom_email": False}, "replace"),
        ({"upn_equals_zoom_email": True}, "revoke"),
        ({"calendar_events_only": False}, "revoke-after"),
        ({"calendar_events_only": False, "upn_equals_zoom_email": False}, "revoke-after"),
    ],
)
def test_what_the_narrower_keeps_is_no_reason_to_wait(answers: dict[str, bool], decision: str) -> None:
    """Known not to hold counts, unless the narrower permission is allowed for that very reason."""
    wide = row(judged(tenant(app(*WIDE)), required(answers=answers)), "Mail.ReadWrite")
    assert wide.decision == decision
    assert wide.replace_with == ("Mail.Read" if decision == "replace" else "")


def test_an_open_question_about_both_is_no_reason_to_wait() -> None:
    """Whether events are all that is wanted is open, and mail can be read before and after."""
    configuration = required()
    part = replace(configuration.apps["zoom"], answers={})
    result = judged(tenant(app(*WIDE)), replace(configuration, apps={"zoom": part}))
    assert row(result, "Mail.ReadWrite").decision == "replace"


def test_the_reason_says_who_answered() -> None:
    wide = row(judged(tenant(app(*WIDE)), required(answers={"upn_equals_zoom_email": False})), "Mail.ReadWrite")
    assert "'upn_equals_zoom_email' does not hold, as Ada Admin (sample) said on 2026-11-01" in wide.reason


@pytest.mark.parametrize(
    ("snapshot", "configuration"),
    [
        (tenant(app(*WIDE)), required(confirm=False)),
        (tenant(app(*WIDE, "Mail.Read")), required()),
        (tenant(app(*WIDE), partial=("appRoleAssignments",)), required()),
        (tenant(app("Calendars.ReadWrite", "Mail.Send")), required()),
        (tenant(app(*WIDE)), team()),
    ],
    ids=["not confirmed", "held already", "not read in full", "not covered", "not on the list"],
)
def test_nothing_is_replaced_where_a_narrower_one_would_not_do(
    snapshot: Snapshot, configuration: Configuration
) -> None:
    assert "replace" not in {j.decision for j in judged(snapshot, configuration).grants}


def test_a_waived_grant_is_not_replaced() -> None:
    """Both findings against it are waived, so it stays."""
    waivers = tuple(
        Waiver(
            rule=rule, app=PERSONAL, permission="Mail.ReadWrite", owner="Ada", reason="pilot", expires=date(2027, 1, 1)
        )
        for rule in ("outside-policy", "mail-on-calendar-app")
    )
    assert row(judged(tenant(app(*WIDE)), required(waivers=waivers)), "Mail.ReadWrite").decision == "keep"


def test_use_in_the_logs_comes_before_replacing() -> None:
    context = build_context(
        tenant(app(*WIDE)), profile=rulebook().profile, permissions=rulebook().permissions, configuration=required()
    )
    (view,) = context.apps
    (wide,) = [answered for answered in view.answered if answered.grant.permission == "Mail.ReadWrite"]
    assert decide(context, view, wide, None).decision == "replace"
    used = decide(context, view, replace(wide, seen="used"), None)
    assert (used.decision, "in use" in used.check) == ("revoke-after", True)


def files(*roles: str) -> AuditResult:
    """An app that needs Directory.Read.All, by its own list."""
    name = "ai-companion-files"
    configuration = team(integrations={PERSONAL: name}, features=(name,), allowed={name: ("Directory.Read.All",)})
    return judged(tenant(app(*roles)), configuration)


def test_a_needed_permission_takes_the_place_of_the_wider_one_that_did_its_work() -> None:
    """Without the narrower one the wider grant is what carries the integration; with it, it is not."""
    wide = row(files("Directory.ReadWrite.All"), "Directory.ReadWrite.All")
    assert (wide.decision, wide.replace_with) == ("replace", "Directory.Read.All")
    assert "Directory.Read.All is needed, is covered by this one" in wide.reason
    assert row(files("Directory.ReadWrite.All", "Directory.Read.All"), "Directory.ReadWrite.All").decision != "replace"


def with_conditional(*permissions: str) -> Rulebook:
    """The rules with more permissions that the calendar app may need until the names are known to be equal."""
    shipped = rulebook()
    shape = shipped.profile.integrations[CALENDAR_INTEGRATION]
    stated = shape.policies["required"]
    more = tuple(
        ConditionalPermission(permission=name, not_needed_when="upn_equals_zoom_email", check="Compare (sample).")
        for name in permissions
    )
    shape = replace(shape, policies={**shape.policies, "required": replace(stated, conditional=more)})
    integrations = {**shipped.profile.integrations, CALENDAR_INTEGRATION: shape}
    return replace(shipped, profile=replace(shipped.profile, integrations=integrations))


def by(rules: Rulebook, snapshot: Snapshot, configuration: Configuration) -> AuditResult:
    return audit(snapshot, rulebook=rules, configuration=configuration, hashes=Hashes(snapshot=""))


def test_the_narrowest_of_several_comes() -> None:
    """The one that covers least, then by name."""
    for names in (("Mail.Read", "Mail.ReadBasic.All", "Mail.ReadBasic"), ("Mail.ReadBasic.All", "Mail.ReadBasic")):
        result = by(with_conditional(*names), tenant(app(*WIDE)), required())
        assert row(result, "Mail.ReadWrite").replace_with == "Mail.ReadBasic"


def test_a_delegated_grant_is_replaced_for_whom_it_holds() -> None:
    """What one user gave is no answer for every user; what every user has is one for each."""
    rules = with_conditional("Mail.Read@delegated")
    answers = required(answers={"no_user_sign_in": True})
    own = ScopeOutline(scope="Mail.Read", principal="u-1")
    result = by(rules, tenant(app("Calendars.ReadWrite", scopes=(own, ScopeOutline(scope="Mail.ReadWrite")))), answers)
    assert row(result, "Mail.ReadWrite").replace_with == "Mail.Read"
    wide = ScopeOutline(scope="Mail.ReadWrite", principal="u-1")
    result = by(rules, tenant(app("Calendars.ReadWrite", scopes=(ScopeOutline(scope="Mail.Read"), wide))), answers)
    assert row(result, "Mail.ReadWrite").decision == "revoke"


def test_what_a_staying_grant_covers_is_not_granted_beside_it() -> None:
    rules = with_conditional("Mail.Read@delegated", "Mail.ReadWrite@delegated")
    held = ScopeOutline(scope="Mail.ReadWrite Mail.ReadWrite.Shared")
    result = by(rules, tenant(app("Calendars.ReadWrite", scopes=(held,))), required(answers={"no_user_sign_in": True}))
    assert row(result, "Mail.ReadWrite").decision == "keep"
    assert row(result, "Mail.ReadWrite.Shared").decision == "revoke"


def test_following_all_decisions_leaves_what_is_needed_even_where_only_a_wider_grant_gave_it() -> None:
    """Of 200 random apps that hold too much, what is needed and possible now stays possible.

    All decisions are followed at once; what waits for a check stays until somebody has looked.
    """
    seen: Counter[str] = Counter()
    for seed in range(200):
        chance = Random(seed)
        configuration = _drawn_team(chance)
        some = chance.sample(["Calendars.ReadWrite", "Calendars.Read", "Mail.Read"], chance.randrange(3))
        wide = chance.choice(["Mail.ReadWrite", "Directory.ReadWrite.All"])
        roles = (wide, *some, *chance.sample(["Directory.Read.All", *GRAPH_ROLES], 2))
        result = judged(tenant(app(*dict.fromkeys(roles))), configuration)
        part = configuration.apps["zoom"]
        wanted = needed_by_features(part.integrations[PERSONAL], part.features) | _conditional(configuration)
        before = _possible([key(j) for j in result.grants])
        after = _possible([k for j in result.grants for k in _afterwards(j)])
        assert wanted & before <= after, (seed, wanted & before - after)
        for j in result.grants:
            if j.decision == "replace":
                assert (j.grant.resource_app_id, j.replace_with, j.grant.kind) in wanted - {
                    key(o) for o in result.grants
                }
                assert (j.policy, j.match) == ("outside", "configured")
                assert key(j) not in needed_by_features(j.integration, part.features)
        seen.update(j.decision for j in result.grants)
    assert seen["replace"] > 40, seen
    assert seen["revoke"] > 40, seen


def _drawn_team(chance: Random) -> Configuration:
    name = chance.choice([CALENDAR_INTEGRATION, "ai-companion-files"])
    said = chance.sample(["upn_equals_zoom_email", "calendar_events_only", "no_files_through_calendar_app"], 2)
    return required(
        integrations={PERSONAL: name},
        features=(name,),
        answers={question: chance.random() < 0.5 for question in said},
        allowed={"ai-companion-files": ("Directory.Read.All",)},
    )


def _conditional(configuration: Configuration) -> set[Key]:
    """What is needed as long as the names are not known to be equal."""
    part = configuration.apps["zoom"]
    equal = part.answers.get("upn_equals_zoom_email")
    open_ = part.integrations[PERSONAL] == CALENDAR_INTEGRATION and not (equal and equal.value)
    return {("00000003-0000-0000-c000-000000000000", "Mail.Read", "application")} if open_ else set()


def _afterwards(judgement: JudgedGrant) -> list[Key]:
    """What stands in a grant's place once everything that waits for nobody was done."""
    resource, _, kind = key(judgement)
    if judgement.decision == "replace":
        return [(resource, judgement.replace_with, kind)]
    return [] if judgement.decision == "revoke" else [key(judgement)]


def _possible(held: list[Key]) -> set[Key]:
    covers = rulebook().permissions.covers
    return {(r, value, kind) for r, name, kind in held for value in {name} | covers(r, name, kind)}
