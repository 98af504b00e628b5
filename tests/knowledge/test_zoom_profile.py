"""What Zoom's profile says, what it only infers, and what it must not claim."""

from __future__ import annotations

import re

import pytest

from auditor.knowledge.data import data_dir
from auditor.knowledge.documents import load
from auditor.knowledge.permissions import load_permissions, parse_reference
from auditor.knowledge.profile import (
    AppProfile,
    ImpactStatement,
    Precondition,
    Selector,
    Sourced,
    VendorStatement,
    _statements,
    load_profile,
)

ZOOM = load_profile("zoom")
ROOMS = "f56e91e5-5a82-452f-b435-d4d78aeaf064"
ROOMS_DELEGATE = "a651cfda-cbdd-4a39-bd03-fa829c3c1b29"
STATEMENTS = [pytest.param(s, id=".".join(str(step) for step in steps)) for steps, s in _statements(ZOOM)]


@pytest.mark.parametrize("statement", STATEMENTS)
def test_each_statement_of_zooms_says_what_it_rests_on(statement: Sourced) -> None:
    """Basis, an address as source, and the day it was read; only the last resort for impacts has no source."""
    last_resort = statement is ZOOM.impacts[-1]
    assert re.fullmatch(r"https://\S+", statement.source) or last_resort
    assert statement.date == "2026-11-22"
    assert not last_resort or statement.basis == "unknown"


@pytest.mark.parametrize("statement", STATEMENTS)
def test_every_text_of_zooms_ends_as_a_sentence(statement: Sourced) -> None:
    """Texts go into reports as they stand, so they are whole sentences; questions are questions."""
    names = ("text", "what", "check", "way_back", "expected")
    texts = [getattr(statement, name) for name in names if hasattr(statement, name)]
    texts += getattr(statement, "steps", ())
    assert texts
    assert all(re.fullmatch(r"[A-Z].*\.", text) for text in texts)
    if isinstance(statement, Precondition):
        assert statement.question.endswith("?")
        assert statement.ask_whom


def test_only_the_two_rooms_app_ids_are_documented() -> None:
    """No text gives another appId, so no other is stated, documented or not."""
    assert {(app.app_id, app.integration, app.basis) for app in ZOOM.identity.app_ids} == {
        (ROOMS, "rooms-application", "documented"),
        (ROOMS_DELEGATE, "rooms-delegate", "documented"),
    }
    written = (data_dir("rules") / "apps" / "zoom.yaml").read_text(encoding="utf-8")
    guids = set(re.findall(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", written))
    assert guids == {
        ROOMS,
        ROOMS_DELEGATE,
        "247d18fc-f848-4de0-8330-333d3a5c0e3f",
        "0d38933a-0bbd-41ca-9ebd-28c4b5ba7cb7",
    }


def test_what_is_inferred_of_zooms_identity_says_so() -> None:
    """The gallery template rests on one listing; the hosts are printed nowhere as a list."""
    (template,) = ZOOM.identity.templates
    assert (template.integration, template.basis) == ("sso-provisioning", "inferred")
    assert ZOOM.identity.hosts_basis == "inferred"


@pytest.mark.parametrize("policy", ["minimal", "required"])
@pytest.mark.parametrize(
    ("integration", "kind", "completeness", "allowed"),
    [
        ("personal-calendar-application", "application", "complete", ("Calendars.ReadWrite",)),
        ("personal-calendar-oauth", "delegated", "none", ()),
        ("rooms-application", "application", "none", ()),
        ("rooms-delegate", "delegated", "none", ()),
        ("presence", "delegated", "incomplete", ("Presence.ReadWrite", "Presence.Read.All")),
        ("sso-provisioning", "delegated", "complete", ()),
        ("ai-companion-files", "application", "incomplete", ("Directory.Read.All",)),
        ("legacy-ews", "delegated", "none", ()),
    ],
)
def test_the_lists_are_those_that_sources_establish(
    policy: str, integration: str, kind: str, completeness: str, allowed: tuple[str, ...]
) -> None:
    """A list is complete only where a text says so (or, for sign-on, where it is inferred that there is none)."""
    stated = ZOOM.integrations[integration].policies[policy]
    assert (ZOOM.integrations[integration].kind, stated.list, stated.allowed) == (kind, completeness, allowed)


def test_the_integrations_are_these_eight() -> None:
    """The table above covers all of them."""
    assert len(ZOOM.integrations) == 8


def test_mail_is_conditional_for_the_calendar_app_where_features_count() -> None:
    """Minimal leaves mail out; required allows it while UPNs may differ, and says that Graph's name is inferred."""
    policies = ZOOM.integrations["personal-calendar-application"].policies
    assert policies["minimal"].conditional == ()
    (conditional,) = policies["required"].conditional
    assert (conditional.permission, conditional.not_needed_when) == ("Mail.Read", "upn_equals_zoom_email")
    assert policies["required"].basis == "inferred"


NOT_ESTABLISHED = {
    "rooms-application": "list",
    "rooms-delegate": "list",
    "personal-calendar-oauth": "list",
    "legacy-ews": "list",
}


@pytest.mark.parametrize("integration", NOT_ESTABLISHED)
def test_a_list_that_nobody_could_read_is_not_documented(integration: str) -> None:
    """Screenshots and unprinted names establish nothing: no list, and no vendor statement that needs or removes."""
    shape = ZOOM.integrations[integration]
    assert all(stated.list == "none" and stated.basis != "documented" for stated in shape.policies.values())
    assert all(statement.says not in ("needed", "removable") for statement in shape.vendor)


def test_only_named_permissions_are_said_to_be_needed() -> None:
    """Zoom prints four names in all; nothing else is stated as needed."""
    needed = {
        (name, reference)
        for name, shape in ZOOM.integrations.items()
        for statement in shape.vendor
        if statement.says == "needed"
        for reference in statement.about.permissions
    }
    assert needed == {
        ("personal-calendar-application", "Calendars.ReadWrite"),
        ("presence", "Presence.ReadWrite"),
        ("presence", "Presence.Read.All"),
        ("ai-companion-files", "Directory.Read.All"),
    }


DOCUMENTED_IMPACTS = {
    ("personal-calendar-application", Selector(families=("calendars",), kind="application")),
    ("personal-calendar-application", Selector(families=("mail",), kind="application")),
    ("personal-calendar-application", Selector(kind="application")),
}


def test_what_breaks_is_documented_only_where_zoom_says_so() -> None:
    """No source says, permission by permission, what fails for contacts, directory, rooms and the like."""
    documented = {
        (name, impact.about)
        for name, shape in ZOOM.integrations.items()
        for impact in shape.impacts
        if impact.basis == "documented"
    }
    assert documented == DOCUMENTED_IMPACTS
    assert all(impact.basis == "unknown" for impact in ZOOM.impacts)


def test_a_downgrade_to_reading_is_never_promised() -> None:
    """Whether Zoom supports Calendars.Read by application permission is not established."""
    for statement in (param.values[0] for param in STATEMENTS):
        text = getattr(statement, "text", "") + getattr(statement, "what", "")
        assert "Calendars.Read " not in text or "no source says" in text


def test_delegated_grants_on_the_calendar_app_are_not_established() -> None:
    """Whether user sign-in goes through the same app is unknown, and the statement for it says silent and unknown."""
    statements = ZOOM.integrations["personal-calendar-application"].vendor
    (delegated,) = [s for s in statements if s.about == Selector(kind="delegated")]
    assert (delegated.says, delegated.basis) == ("silent", "unknown")


def test_the_guides_misleading_link_is_not_followed() -> None:
    """Its complete list belongs to the rooms app; the calendar app's policy says so."""
    text = ZOOM.integrations["personal-calendar-application"].policies["minimal"].text
    assert "conference rooms" in text
    assert "Calendar.ReadWrite" in text
    assert "inferred" in text


def test_presence_by_application_permission_has_no_documented_use() -> None:
    """It is removable, and asks no question of its own: only the guide's general condition holds it back."""
    shape = ZOOM.integrations["personal-calendar-application"]
    statement = next(s for s in shape.vendor if "presence" in s.about.families)
    assert (statement.says, statement.about.kind) == ("removable", "application")
    for precondition in ZOOM.preconditions:
        if "personal-calendar-application" in precondition.integrations and precondition.id != "calendar_events_only":
            assert precondition.about.kind == "delegated" or precondition.about.families
            assert "presence" not in precondition.about.families


@pytest.mark.parametrize(
    ("question", "kind", "families"),
    [
        ("upn_equals_zoom_email", "application", {"mail", "exchange-online"}),
        ("calendar_events_only", "application", set()),
        ("no_user_sign_in", "delegated", set()),
        ("no_ews_connection", "any", {"exchange-online"}),
        (
            "no_files_through_calendar_app",
            "application",
            {"files", "sites", "sharepoint-online", "directory", "users", "groups"},
        ),
    ],
)
def test_what_must_be_known_before_a_plain_revoke(question: str, kind: str, families: set[str]) -> None:
    """Each way in which the calendar app could carry something else is a question of its own."""
    (precondition,) = [p for p in ZOOM.preconditions if p.id == question]
    assert precondition.integrations == ("personal-calendar-application",)
    assert (precondition.about.kind, set(precondition.about.families)) == (kind, families)
    assert not precondition.about.permissions


def test_declared_features_answer_what_they_can() -> None:
    """Features never answer for mail, nor where a grant shows that somebody once signed in or connected by EWS."""
    for precondition in ZOOM.preconditions:
        assert set(precondition.holds_without_features) <= set(precondition.fails_with_features)
    by_id = {p.id: p for p in ZOOM.preconditions}
    assert not by_id["no_user_sign_in"].holds_without_features
    assert by_id["no_user_sign_in"].fails_with_features == ("personal-calendar-oauth", "presence")
    assert not by_id["no_ews_connection"].holds_without_features
    assert not by_id["upn_equals_zoom_email"].holds_without_features
    assert not by_id["calendar_events_only"].holds_without_features


def test_every_integration_that_can_be_outside_has_a_precondition_or_a_documented_list() -> None:
    """Where the list is the team's own or inferred, something is asked before a grant goes without a check."""
    everything = {name for p in ZOOM.preconditions if p.about == Selector() for name in p.integrations}
    assert everything == set(ZOOM.integrations) - {"personal-calendar-application"}


def test_the_mail_damage_shows_at_the_next_connect() -> None:
    """Not that night: the impact says when, and who notices."""
    shape = ZOOM.integrations["personal-calendar-application"]
    impact = next(i for i in shape.impacts if "mail" in i.about.families)
    assert impact.when == "at the next connect"
    question = next(p for p in ZOOM.preconditions if p.id == "upn_equals_zoom_email")
    assert "night" in question.check


def test_statements_fall_through_to_one_that_matches_everything() -> None:
    """No grant stays without a word, and the last word claims nothing."""
    assert ZOOM.vendor[-1].about == ZOOM.impacts[-1].about == Selector()
    assert (ZOOM.vendor[-1].says, ZOOM.vendor[-1].basis, ZOOM.impacts[-1].when) == ("silent", "unknown", "unknown")


def test_no_statement_hides_behind_a_broader_one() -> None:
    """The first match counts, so nothing follows a selector that already takes the same grants."""
    lists: list[tuple[VendorStatement | ImpactStatement, ...]] = [
        statements for shape in ZOOM.integrations.values() for statements in (shape.vendor, shape.impacts)
    ]
    for statements in [*lists, ZOOM.vendor, ZOOM.impacts]:
        for number, statement in enumerate(statements):
            for earlier in statements[:number]:
                takes_all = not (earlier.about.permissions or earlier.about.families)
                assert not (takes_all and earlier.about.kind in ("any", statement.about.kind))
                assert earlier.about != statement.about


def test_names_in_zooms_profile_are_graphs() -> None:
    """Every reference is in the permission tables under Graph's spelling, so none is an alias or a portal label."""
    table = load_permissions()
    references = [(text, "delegated") for text in ZOOM.basics]
    for shape in ZOOM.integrations.values():
        for stated in shape.policies.values():
            references += [
                (text, shape.kind) for text in (*stated.allowed, *(c.permission for c in stated.conditional))
            ]
    assert references
    for text, kind in references:
        reference = parse_reference(text, kind="application" if kind == "application" else "delegated", where="zoom")
        assert reference.value == text
        assert [e for e in table.named(text) if (e.resource, e.kind) == (reference.resource, kind)]


def test_what_cannot_be_seen_names_who_can_see_it() -> None:
    """The Exchange side, Zoom's portal and use are all named as not checked, each with who and how."""
    text = " ".join(known.what for known in ZOOM.not_checked)
    for word in ("RBAC for Applications", "application access policies", "portal", "still uses", "custom"):
        assert word in text
    assert all(known.who and known.how for known in ZOOM.not_checked)


def test_the_shape_alone_reads_the_file() -> None:
    """The checks add nothing to the value: it is what the file says."""
    assert load(data_dir("rules") / "apps" / "zoom.yaml", AppProfile) == ZOOM


def test_policy_lists_are_stated_in_full() -> None:
    """Minimal and required of every integration carry a text."""
    for shape in ZOOM.integrations.values():
        assert set(shape.policies) == {"minimal", "required"}
        assert all(stated.text for stated in shape.policies.values())
