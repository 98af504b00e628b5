"""The sample tenant tells the story that the demo shows, and says that it is made up."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest

from auditor.engine.audit import Hashes, audit
from auditor.engine.rulebook import load_rulebook
from auditor.model.canonical import to_json
from auditor.model.outcome import AuditResult, Finding, NotEvaluated, Waived
from auditor.model.snapshot import Snapshot, items
from auditor.simulator import sample

NAMES = {
    sample.ROOMS: "documented",
    sample.ROOMS_DELEGATE: "documented",
    sample.SINGLE_SIGN_ON: "template",
    sample.CALENDAR: "configured",
    sample.PILOT: "candidate",
    sample.IMITATION: "look-alike",
}


@pytest.fixture(scope="module")
def result(tenant: Snapshot) -> AuditResult:
    return audit(
        tenant,
        rulebook=load_rulebook("zoom"),
        configuration=sample.sample_configuration(),
        hashes=Hashes(snapshot="sample"),
    )


def test_it_is_the_same_every_time() -> None:
    """Two samples are equal to the byte."""
    assert to_json(sample.sample()) == to_json(sample.sample())


def test_it_does_not_age(tenant: Snapshot) -> None:
    """Taken at another time, every date keeps its distance, so that the story stays the same."""
    later = timedelta(days=800, hours=5)
    moved = sample.sample(sample.TAKEN_AT + later)
    assert moved.taken_at - tenant.taken_at == later
    before, after = (items(s.clients[-1].sign_in_activity)[0].last_sign_in for s in (tenant, moved))
    assert before
    assert after == before + later
    waivers = [sample.sample_configuration(s.taken_at).waivers[0].expires for s in (tenant, moved)]
    assert waivers[1] - waivers[0] == timedelta(days=800)


def test_it_says_that_it_is_made_up(tenant: Snapshot) -> None:
    """The organization's name, the notes and the source say so, and publishers of made-up apps too."""
    assert items(tenant.organization)[0].display_name == "Contoso (sample)"
    assert any("made up" in note for note in tenant.notes)
    assert tenant.source.kind == "sample"
    publishers = {app.publisher_name for app in items(tenant.service_principals)}
    assert {name for name in publishers if not str(name).endswith("(sample)")} == {"Microsoft Services"}


def test_its_size_is_that_of_a_small_tenant(tenant: Snapshot) -> None:
    """Forty to sixty apps with distinct ids, and 4,210 enabled members."""
    apps = items(tenant.service_principals)
    assert 40 <= len(apps) <= 60
    assert len({app.id for app in apps}) == len({app.app_id for app in apps}) == len(apps)
    assert items(tenant.enabled_members) == (4210,)


def test_the_audited_apps_are_those_that_were_read(tenant: Snapshot, result: AuditResult) -> None:
    """Identification chooses exactly the sample's clients, each for the reason that the story gives."""
    assert {app.app_id: app.match for app in result.apps} == NAMES
    assert {client.service_principal.app_id for client in tenant.clients} == NAMES.keys()
    assert {app.name for app in result.seen_apps} == {"Office365 Zoom", "UserZoom", "Zoom room signage"}


def test_every_kind_of_decision_of_the_story_is_there(result: AuditResult) -> None:
    """The calendar app keeps calendars, may lose most today, mail and EWS after a check, and one id is a question."""
    mine = [row for row in result.grants if row.grant.app_id == sample.CALENDAR and row.grant.kind == "application"]
    decisions = {row.grant.permission: row.decision for row in mine}
    assert decisions["Calendars.ReadWrite"] == "keep"
    assert decisions["Mail.ReadWrite"] == decisions["Mail.Send"] == "revoke-after"
    assert decisions["Directory.Read.All"] == decisions["User.Read.All"] == "revoke"
    assert decisions["full_access_as_app"] == "revoke-after"
    assert decisions[sample.UNKNOWN_ROLE] == "ask"
    delegated = Counter(row.grant.consent for row in result.grants if row.grant.app_id == sample.CALENDAR)
    assert delegated["Principal"] == 12 * 4


@pytest.mark.parametrize(
    ("rule", "app"),
    [
        ("exchange-full-access", sample.CALENDAR),
        ("mail-on-calendar-app", sample.CALENDAR),
        ("per-user-consents", sample.CALENDAR),
        ("presence-application-role", sample.CALENDAR),
        ("redundant-grant", sample.CALENDAR),
        ("unknown-permission", sample.CALENDAR),
        ("both-rooms-apps", sample.ROOMS),
        ("look-alike", sample.IMITATION),
        ("reply-url-foreign", sample.IMITATION),
        ("unverified-publisher", sample.IMITATION),
        ("credentials-on-service-principal", sample.PILOT),
        ("disabled-app-holds-grants", sample.PILOT),
        ("no-sign-in", sample.PILOT),
        ("owners", sample.PILOT),
        ("reply-url-insecure", sample.PILOT),
    ],
)
def test_the_story_gives_its_findings(result: AuditResult, rule: str, app: str) -> None:
    """Each problem that the sample was given is found where it was put."""
    found = {(o.rule_id, o.subject.app_id) for o in result.outcomes if isinstance(o, Finding)}
    assert (rule, app) in found


def test_single_sign_on_trips_no_rule_but_that_it_is_unconfirmed(result: AuditResult) -> None:
    """The gallery app in its own tenant, with a SAML certificate and an owner, is as it should be."""
    found = {o.rule_id for o in result.outcomes if isinstance(o, Finding) and o.subject.app_id == sample.SINGLE_SIGN_ON}
    assert found <= {"unconfirmed-app"}


def test_one_waiver_holds_and_one_has_ended(result: AuditResult) -> None:
    """The rooms waiver covers its finding; the pilot's is past, so its finding stands."""
    waived = [o for o in result.outcomes if isinstance(o, Waived)]
    assert [(o.rule_id, o.subject.app_id) for o in waived] == [("both-rooms-apps", sample.ROOMS_DELEGATE)]
    assert [waiver.app for waiver in result.expired_waivers] == [sample.PILOT]


def test_nothing_but_the_unknown_id_is_left_unjudged(result: AuditResult) -> None:
    """Rules that need to know what a permission opens cannot judge the id that nobody publishes; all else is judged."""
    open_ = {o.subject.permission for o in result.outcomes if isinstance(o, NotEvaluated)}
    assert open_ == {sample.UNKNOWN_ROLE}


def test_the_pilot_has_been_idle_for_long(tenant: Snapshot) -> None:
    """One app has not signed in for more than 120 days, and the others have within a week."""
    idle = {
        client.service_principal.app_id
        for client in tenant.clients
        for line in items(client.sign_in_activity)
        if line.last_sign_in and tenant.taken_at - line.last_sign_in > timedelta(days=120)
    }
    assert idle == {sample.PILOT}
