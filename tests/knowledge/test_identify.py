"""Which service principals are Zoom's, which only look so, and why."""

from __future__ import annotations

import random
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET
from msgspec.structs import replace

from auditor.knowledge.documents import load_text
from auditor.knowledge.identify import CHOOSE, MICROSOFT_CORPORATE, MICROSOFT_TENANTS, Identification, identify
from auditor.knowledge.profile import load_profile
from auditor.model.configuration import AppConfiguration
from auditor.model.directory import ServicePrincipal, VerifiedPublisher

ZOOM = load_profile("zoom")
TENANT = "11111111-1111-4111-8111-111111111111"  # Sample: the audited tenant (Contoso).
ELSEWHERE = "22222222-2222-4222-8222-222222222222"  # Sample: another tenant.
APP = "33333333-3333-4333-8333-333333333333"  # Sample appId.
ROOMS = "f56e91e5-5a82-452f-b435-d4d78aeaf064"
ROOMS_DELEGATE = "a651cfda-cbdd-4a39-bd03-fa829c3c1b29"
OFFICE365_ZOOM = "0d38933a-0bbd-41ca-9ebd-28c4b5ba7cb7"
GALLERY = "247d18fc-f848-4de0-8330-333d3a5c0e3f"


def sp(name: str | None = "Zoom", app_id: str = APP, number: int = 1, **fields: Any) -> ServicePrincipal:
    object_id = f"44444444-4444-4444-8444-{number:012d}"
    return ServicePrincipal(id=object_id, app_id=app_id, display_name=name, **fields)


def told(
    *service_principals: ServicePrincipal,
    configuration: AppConfiguration | None = None,
    tenant_id: str = TENANT,
    holders: bool = False,
    only: frozenset[str] = frozenset(),
) -> Identification:
    return identify(
        service_principals,
        profile=ZOOM,
        configuration=configuration or AppConfiguration(),
        tenant_id=tenant_id,
        with_application_permissions={s.id for s in service_principals} if holders else (),
        only=only,
    )


def verdict(service_principal: ServicePrincipal, **arguments: Any) -> str:
    result = told(service_principal, **arguments)
    assert len(result.apps) + len(result.seen) <= 1
    if result.apps:
        return result.apps[0].match
    return "seen" if result.seen else "neither"


@pytest.mark.parametrize(("app_id", "integration"), [(ROOMS, "rooms-application"), (ROOMS_DELEGATE, "rooms-delegate")])
@pytest.mark.parametrize("name", ["Zoom", "Renamed by the team", None])
def test_documented_app_ids_are_told_whatever_the_name(app_id: str, integration: str, name: str | None) -> None:
    """Zoom's two documented appIds are confirmed as their integration, renamed or not, in any letter case."""
    for written in (app_id, app_id.upper()):
        (app,) = told(sp(name, written), holders=True).apps
        assert (app.match, app.integration, app.integration_basis) == ("documented", integration, "documented")
        assert app.confirmed
        assert (app.confirm_line, app.exclude_line) == ("", "")


def test_a_documented_app_stays_what_it_is_documented_as() -> None:
    """A configuration line about a documented appId changes nothing; the basis stays documented."""
    for named in ("rooms-application", "personal-calendar-application"):
        configuration = AppConfiguration(integrations={ROOMS.upper(): named})
        (app,) = told(sp(app_id=ROOMS), configuration=configuration).apps
        assert (app.match, app.integration, app.integration_basis) == ("documented", "rooms-application", "documented")


def test_a_configured_app_is_confirmed() -> None:
    """A configuration line is enough, even for an app that looks like nothing or imitates."""
    configuration = AppConfiguration(integrations={APP: "presence"})
    for name in ("Anything", "Z00m", None):
        (app,) = told(sp(name), configuration=configuration).apps
        assert (app.match, app.integration, app.confirmed, app.confirm_line) == ("configured", "presence", True, "")


def test_an_excluded_app_is_seen_and_not_audited() -> None:
    """Exclusion by the configuration comes before every other test."""
    configuration = AppConfiguration(exclude=(ROOMS.upper(),))
    result = told(sp(app_id=ROOMS), configuration=configuration)
    assert result.apps == ()
    assert "exclude" in result.seen[0].reason


@pytest.mark.parametrize("name", ["Office365 Zoom", "Office365Zoom", None])
def test_microsofts_office365_zoom_is_never_taken_for_zooms(name: str | None) -> None:
    """It is shown with the reason, and no line is offered that would audit it."""
    (seen,) = told(sp(name, OFFICE365_ZOOM, app_owner_organization_id=next(iter(MICROSOFT_TENANTS)))).seen
    assert "Microsoft" in seen.reason
    assert seen.include_line == ""


@pytest.mark.parametrize("name", ["UserZoom", "userzoom", "User Zoom"])
def test_userzoom_is_another_vendor(name: str) -> None:
    """UserZoom, with or without a blank, is shown as somebody else's."""
    (seen,) = told(sp(name, reply_urls=("https://www.userzoom.com/sso",))).seen
    assert "another vendor" in seen.reason
    assert seen.include_line == ""


@pytest.mark.parametrize(
    ("fields", "match"),
    [
        ({"app_id": ROOMS}, "documented"),
        ({"reply_urls": ("https://zoom.us/oauth",)}, "candidate"),
        ({"application_template_id": GALLERY}, "template"),
    ],
)
def test_calling_itself_userzoom_hides_nothing_of_zooms(fields: dict[str, Any], match: str) -> None:
    """A name is weaker than an id, a template or a reply URL on Zoom's hosts."""
    assert verdict(sp("UserZoom", **fields)) == match


@pytest.mark.parametrize("owner", [TENANT, UNSET, None])
def test_the_gallery_app_is_single_sign_on(owner: Any) -> None:
    """The template tells it, in the tenant's own home too; it is inferred and asks to be confirmed."""
    (app,) = told(
        sp("Renamed", application_template_id=GALLERY.upper(), app_owner_organization_id=owner), holders=True
    ).apps
    assert (app.match, app.integration, app.integration_basis) == ("template", "sso-provisioning", "inferred")
    assert not app.confirmed
    assert app.confirm_line == f'integrations: {{"{APP}": sso-provisioning}}'
    assert app.exclude_line == f'exclude: ["{APP}"]'
    assert "another tenant" not in app.reason


def test_a_gallery_app_from_another_tenant_is_said_to_be_unusual() -> None:
    """A gallery app lives in the customer's own tenant; elsewhere, the reason says so."""
    (app,) = told(sp(application_template_id=GALLERY, app_owner_organization_id=ELSEWHERE)).apps
    assert "another tenant" in app.reason


def test_a_customers_gallery_app_and_tenant_are_not_zooms() -> None:
    """The appId and tenant of one published listing belong to that customer and identify nothing."""
    theirs = sp(
        "Meetings",
        "38b0a378-009d-47a8-9aa5-aaf5191a9736",
        app_owner_organization_id="aacf2201-5028-4853-acd4-fdf14f9f3d69",
    )
    assert verdict(theirs) == "neither"
    assert "38b0a378" not in repr(ZOOM)
    assert "aacf2201" not in repr(ZOOM)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"name": "Zoom"}, "'zoom' as a word"),
        ({"name": "Office365Zoom 2"}, "'zoom' as a word"),
        ({"name": "ZOOM for Outlook"}, "'zoom' as a word"),
        ({"name": "zoom_calendar"}, "'zoom' as a word"),
        ({"name": "Zoom365"}, "'zoom' as a word"),
        ({"name": "Calendar", "reply_urls": ("https://contoso.zoom.us/x",)}, "contoso.zoom.us"),
        ({"name": "Calendar", "reply_urls": ("https://zoomgov.com/x",)}, "zoomgov.com"),
        ({"name": "Calendar", "publisher_name": "Zoom Video Communications, Inc."}, "Zoom Video Communications"),
        (
            {"name": "Calendar", "verified_publisher": VerifiedPublisher(display_name="Zoom Communications")},
            "Zoom Communications",
        ),
        ({"name": "UserZoom Go"}, ""),
        ({"name": "ZoomInfo"}, ""),
        ({"name": "Zoomies"}, ""),
        ({"name": "Zoominfo", "reply_urls": ("https://app.zoominfo.com/",)}, ""),
        ({"name": "éZoom"}, ""),
        ({"name": None}, ""),
        ({"name": "Calendar", "publisher_name": "UserZoom"}, ""),
        ({"name": "Calendar", "verified_publisher": VerifiedPublisher()}, ""),
    ],
)
def test_candidates_by_name_host_and_publisher(fields: dict[str, Any], expected: str) -> None:
    """Each makes a candidate and the reason names the evidence; a brand inside another word does not."""
    apps = told(sp(**fields)).apps
    assert [app.match for app in apps] == (["candidate"] if expected else [])
    assert all(expected in app.reason and not app.confirmed for app in apps)


def test_a_candidate_with_application_permissions_is_inferred_to_be_the_calendar_app() -> None:
    """With them it is taken for personal calendars, unconfirmed; without them nothing is assumed."""
    vendor = sp(reply_urls=("https://zoom.us/oauth",), app_owner_organization_id=ELSEWHERE)
    (with_roles,) = told(vendor, holders=True).apps
    (without,) = told(vendor).apps
    assert (with_roles.integration, with_roles.integration_basis) == ("personal-calendar-application", "inferred")
    assert with_roles.confirm_line == f'integrations: {{"{APP}": personal-calendar-application}}'
    assert not with_roles.confirmed
    assert (without.integration, without.integration_basis) == ("", "")
    assert without.confirm_line == f'integrations: {{"{APP}": {CHOOSE}}}'


def test_mixed_reply_urls_leave_the_integration_open() -> None:
    """Anybody can register a reply URL on zoom.us as a decoy, so a foreign one beside it takes the inference away."""
    mixed = sp(reply_urls=("https://zoom.us/oauth", "https://evil.example/cb"))
    (app,) = told(mixed, holders=True).apps
    assert (app.match, app.integration) == ("candidate", "")
    assert "evil.example" in app.reason


@pytest.mark.parametrize(
    "name",
    [
        "Zооm",  # Cyrillic
        "Z00m",
        "Z0om 365",
        "Zo\u200bom",
        "Zo\u202eom",
        "Ｚｏｏｍ",
        "Zοοm Calendar",  # Greek
        "𝐙𝐨𝐨𝐦",
        "Zoorn",
        "Zöom",
        "My-Z00M",
        "Z\x00oom",
    ],
)
def test_a_name_that_imitates_is_a_look_alike(name: str) -> None:
    """Whatever letters or hidden characters imitate it, the app is no candidate and gets no integration."""
    (app,) = told(sp(name, reply_urls=("https://zoom.us/",)), holders=True).apps
    assert (app.match, app.integration, app.confirmed) == ("look-alike", "", False)
    assert "imitates 'zoom'" in app.reason
    assert not any(unicodedata.category(c)[0] == "C" for c in app.reason)


@pytest.mark.parametrize("name", ["Zoooom", "ZzoomZ", "Boom", "Userz00m", "Zoomtopia"])
def test_other_words_imitate_nothing(name: str) -> None:
    """A word that is only similar, or a brand inside another word, is no look-alike."""
    assert verdict(sp(name)) == "neither"


@pytest.mark.parametrize(
    ("urls", "match"),
    [
        (("https://evil.example/",), "look-alike"),
        (("https://zoom.us.evil.example/",), "look-alike"),
        (("https://zoom.us@evil.example/",), "look-alike"),
        (("https://evil.example\\.zoom.us/",), "look-alike"),
        (("https://notzoom.us/",), "look-alike"),
        (("zoomus://oauth", "https://evil.example/"), "look-alike"),
        (("http://localhost", "HTTPS://evil.example/"), "look-alike"),
        (("http://localhost.evil.example/",), "look-alike"),
        (("https://evil.example\\@localhost/",), "look-alike"),
        (("https://[zoom.us/",), "look-alike"),
        (("https://zооm.us/",), "look-alike"),  # Cyrillic
        (("http://localhost", "http://127.0.0.1:8080/", "http://[::1]/cb"), "candidate"),
        (("zoomus://oauth", "http://localhost"), "candidate"),
        (("urn:ietf:wg:oauth:2.0:oob",), "candidate"),
        (("https://login.microsoftonline.com/common/oauth2/nativeclient",), "candidate"),
        (("https://*.zoom.us/",), "candidate"),
        (("https://ZOOM.us./x",), "candidate"),
        (("https://evil.example/", "https://us02web.zoom.us/"), "candidate"),
        ((), "candidate"),
        (UNSET, "candidate"),
    ],
)
def test_the_brand_with_foreign_reply_urls_only_is_a_look_alike(urls: Any, match: str) -> None:
    """A web address elsewhere and none on Zoom's hosts tell a look-alike; what stays on the device tells nothing."""
    assert verdict(sp(reply_urls=urls, app_owner_organization_id=ELSEWHERE)) == match


def test_a_look_alike_says_where_it_leads() -> None:
    """The reason names a foreign host where there is one to name, and both lines are offered."""
    (app,) = told(sp(reply_urls=("https://zооm.us/", "https://evil.example/cb"), app_owner_organization_id=None)).apps
    assert "evil.example" in app.reason
    assert app.exclude_line
    (unclear,) = told(sp(reply_urls=("https://zооm.us/",), app_owner_organization_id=ELSEWHERE)).apps
    assert "without a plain host name" in unclear.reason


@pytest.mark.parametrize(("owner", "tenant_id"), [(UNSET, TENANT), (TENANT, ""), (ELSEWHERE, ""), (UNSET, "")])
def test_while_the_home_is_not_known_nobody_is_called_a_look_alike(owner: Any, tenant_id: str) -> None:
    """The brand with foreign URLs may be the team's own app: it is a candidate for nothing that may be a look-alike."""
    stray = sp("Zoom reports", app_owner_organization_id=owner, reply_urls=("https://apps.contoso.example/",))
    for only in (frozenset[str](), frozenset({APP})):
        (app,) = told(stray, tenant_id=tenant_id, holders=True, only=only).apps
        assert (app.match, app.integration, app.confirmed, app.may_be_look_alike) == ("candidate", "", False, True)
        assert "home tenant is not known" in app.reason
        assert app.confirm_line
        assert app.exclude_line
    assert verdict(replace(stray, display_name="Z00m reports"), tenant_id=tenant_id) == "look-alike"


@pytest.mark.parametrize(
    ("fields", "open_question"),
    [
        ({"reply_urls": UNSET}, True),
        ({"reply_urls": UNSET, "app_owner_organization_id": ELSEWHERE}, True),
        ({"reply_urls": UNSET, "application_template_id": GALLERY}, False),
        ({"reply_urls": UNSET, "app_id": ROOMS}, False),
        ({"reply_urls": ()}, False),
        ({"reply_urls": ("http://localhost",)}, False),
        ({"reply_urls": ("https://zoom.us/", "https://evil.example/")}, False),
        ({"reply_urls": ("https://evil.example/",), "app_owner_organization_id": ELSEWHERE}, False),
    ],
)
def test_what_may_be_a_look_alike(fields: dict[str, Any], open_question: bool) -> None:
    """Only a candidate leaves it open: its reply URLs were not read, or they lead away and its home is not known."""
    (app,) = told(sp(**fields)).apps
    assert app.may_be_look_alike is open_question


def test_a_publishers_name_does_not_outweigh_a_foreign_reply_url() -> None:
    """Both are chosen by whoever made the app, so nothing is inferred of it."""
    (app,) = told(sp("Calendar", publisher_name="Zoom", reply_urls=("https://evil.example/",)), holders=True).apps
    assert (app.match, app.integration) == ("candidate", "")


@pytest.mark.parametrize("name", ["Zoom room booking", "Z00m", "Zооm export"])
@pytest.mark.parametrize("urls", [UNSET, ("https://apps.contoso.example/",)])
def test_the_teams_own_apps_that_carry_the_word_are_only_seen(name: str, urls: Any) -> None:
    """Home tenant equal to the audited one: neither candidate nor look-alike, with the line that would audit it."""
    own = sp(name, app_owner_organization_id=TENANT.upper(), reply_urls=urls)
    (seen,) = told(own, holders=True).seen
    assert "own" in seen.reason
    assert seen.include_line == f'integrations: {{"{APP}": {CHOOSE}}}'


def test_an_own_app_needs_both_tenants_known() -> None:
    """Where one of the two is not known, the app counts as a stranger's."""
    assert verdict(sp(app_owner_organization_id=TENANT), tenant_id="") == "candidate"
    assert verdict(sp(app_owner_organization_id=UNSET)) == "candidate"
    assert verdict(sp(app_owner_organization_id=None), tenant_id="") == "candidate"


def test_an_own_app_that_leads_to_zoom_is_a_candidate_without_integration() -> None:
    """It may be a sign-on app made by hand, and cannot be the calendar app that Zoom publishes."""
    own = sp("Sign-on", app_owner_organization_id=TENANT, reply_urls=("https://contoso.zoom.us/saml/SSO",))
    (app,) = told(own, holders=True).apps
    assert (app.match, app.integration) == ("candidate", "")
    assert "this tenant" in app.reason


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "Zoom"},
        {"name": "Z00m"},
        {"name": "Viva", "reply_urls": ("https://zoom.us/",)},
        {"name": "Viva", "publisher_name": "Zoom"},
        {"name": "Zoom", "reply_urls": ("https://evil.example/",)},
    ],
)
def test_apps_at_home_in_microsofts_tenants_are_seen(fields: dict[str, Any]) -> None:
    """What points to Zoom is shown with the reason; the corporate tenant may hold other apps and offers the line."""
    for owner in MICROSOFT_TENANTS:
        result = told(sp(**fields, app_owner_organization_id=owner.upper()), holders=True)
        assert result.apps == ()
        (seen,) = result.seen
        corporate = owner == MICROSOFT_CORPORATE
        assert ("may also hold apps that Microsoft's own staff registered (inferred)" in seen.reason) is corporate
        assert seen.include_line == (f'integrations: {{"{APP}": {CHOOSE}}}' if corporate else "")


@pytest.mark.parametrize("owner", sorted(MICROSOFT_TENANTS))
def test_microsofts_other_apps_are_nobodys_business(owner: str) -> None:
    """What nothing ties to Zoom is left out, and shown when --app-id asks for it; the team's line audits it."""
    viva = sp("Viva", app_owner_organization_id=owner)
    assert verdict(viva) == "neither"
    assert verdict(viva, only=frozenset({APP})) == "seen"
    assert verdict(viva, configuration=AppConfiguration(integrations={APP: "presence"})) == "configured"


def test_only_limits_the_result_and_takes_what_it_names() -> None:
    """Other apps are left out; a named one that nothing ties to Zoom becomes a candidate that says so."""
    other = "55555555-5555-4555-8555-555555555555"
    result = told(sp("Viva", APP), sp("Zoom", other, 2), holders=True, only=frozenset({APP.upper()}))
    (app,) = result.apps
    assert (app.service_principal.app_id, app.match) == (APP, "candidate")
    assert app.integration == "personal-calendar-application"
    assert "--app-id" in app.reason
    assert result.seen == ()


@pytest.mark.parametrize(
    ("service_principal", "expected"),
    [
        (sp("Zoom tools", app_owner_organization_id=TENANT), "candidate"),
        (sp("UserZoom"), "candidate"),
        (sp("Z00m"), "look-alike"),
        (sp("Zoom", reply_urls=("https://evil.example/",), app_owner_organization_id=ELSEWHERE), "look-alike"),
        (sp("Z00m", app_owner_organization_id=TENANT), "candidate"),
        (sp("Zoom", OFFICE365_ZOOM), "seen"),
        (sp("Zoom", ROOMS), "documented"),
    ],
)
def test_naming_an_app_audits_it_without_making_it_better(service_principal: ServicePrincipal, expected: str) -> None:
    """--app-id brings in what name and home leave out; ids that are not Zoom's and look-alikes stay so."""
    assert verdict(service_principal, only=frozenset({service_principal.app_id})) == expected


@pytest.mark.parametrize("app_id", ["", 'x"]} # ', "${jndi}", APP + "\n", "٣" * 36, "\u202e"])
def test_no_line_is_built_from_what_is_no_guid(app_id: str) -> None:
    """Ready lines hold validated GUIDs only."""
    for name in ("Zoom", "Z00m"):
        (app,) = told(sp(name, app_id)).apps
        assert (app.confirm_line, app.exclude_line) == ("", "")


def test_ready_lines_are_yaml_that_the_configuration_takes() -> None:
    """They stand under the app's name as they are."""
    (app,) = told(sp(), holders=True).apps
    read = load_text(f"{app.confirm_line}\n{app.exclude_line}\n", AppConfiguration, "lines")
    assert read == AppConfiguration(integrations={APP: "personal-calendar-application"}, exclude=(APP,))


def test_apps_stand_in_order_of_match_then_name() -> None:
    """Documented, template, configured, candidate, look-alike; within one match by name and id."""
    ids = [f"66666666-6666-4666-8666-{n:012d}" for n in range(6)]
    result = told(
        sp("Z00m", ids[0], 1),
        sp("Zoom B", ids[1], 2),
        sp("Zoom A", ids[2], 3),
        sp("X", ids[3], 4),
        sp("Y", ids[4], 5, application_template_id=GALLERY),
        sp("Z", ROOMS, 6),
        configuration=AppConfiguration(integrations={ids[3]: "presence"}),
    )
    assert [app.match for app in result.apps] == [
        "documented",
        "template",
        "configured",
        "candidate",
        "candidate",
        "look-alike",
    ]
    assert [app.service_principal.display_name for app in result.apps][3:5] == ["Zoom A", "Zoom B"]


PIECES = st.sampled_from(
    [
        "zoom",
        "Zoom",
        "Z00m",
        "Zооm",
        "\u200b",
        "\u202e",
        " ",
        "-",
        "User",
        "<script>",
        "=cmd|",
        "\x1b]8;;",
        "İ",
        "ẞ",
        "ﷺ",
    ]
)
NAMES = st.none() | st.lists(PIECES | st.text(max_size=5), max_size=6).map("".join)
URLS = st.sampled_from(
    ["https://zoom.us/", "https://x.zoom.us", "https://evil.example", "http://[", "https://zoom.us@e.example", "//", ""]
)
SERVICE_PRINCIPALS = st.builds(
    ServicePrincipal,
    id=st.uuids().map(str),
    app_id=st.sampled_from([ROOMS, ROOMS_DELEGATE, OFFICE365_ZOOM, APP, ROOMS.upper()])
    | st.uuids().map(str)
    | st.text(max_size=9),
    display_name=NAMES,
    app_owner_organization_id=st.sampled_from([UNSET, None, TENANT, ELSEWHERE, *sorted(MICROSOFT_TENANTS)]),
    application_template_id=st.sampled_from([UNSET, None, GALLERY, "x"]),
    publisher_name=st.just(UNSET) | NAMES,
    verified_publisher=st.sampled_from([UNSET, None, VerifiedPublisher(), VerifiedPublisher(display_name="Zoom")]),
    reply_urls=st.just(UNSET) | st.lists(URLS | st.text(max_size=8), max_size=3).map(tuple),
)


@given(
    service_principals=st.lists(SERVICE_PRINCIPALS, max_size=8, unique_by=lambda s: s.id),
    excluded=st.booleans(),
    configured=st.booleans(),
    named=st.booleans(),
    tenant_id=st.sampled_from([TENANT, ""]),
    shuffle=st.randoms(use_true_random=False),
)
def test_every_service_principal_lands_once_whatever_it_says(
    service_principals: list[ServicePrincipal],
    excluded: bool,
    configured: bool,
    named: bool,
    tenant_id: str,
    shuffle: random.Random,
) -> None:
    """Hostile fields never crash it; each lands in apps, in seen or in neither; the input's order changes nothing."""
    configuration = AppConfiguration(
        exclude=(APP,) if excluded else (), integrations={ROOMS: "presence"} if configured else {}
    )
    only = frozenset({APP, ROOMS}) if named else frozenset()
    result = told(*service_principals, configuration=configuration, tenant_id=tenant_id, holders=True, only=only)
    landed = [app.service_principal.id for app in result.apps] + [app.service_principal_id for app in result.seen]
    assert len(landed) == len(set(landed))
    assert set(landed) <= {s.id for s in service_principals}
    for app in result.apps:
        assert app.match != "look-alike" or app.integration == ""
        assert app.match == "candidate" or not app.may_be_look_alike
        assert app.integration == "" or app.integration in ZOOM.integrations
        assert app.confirmed == (app.integration_basis in ("documented", "configured"))
        assert app.reason
        assert not any(unicodedata.category(c)[0] == "C" for c in app.reason + app.confirm_line + app.exclude_line)
    shuffled = list(service_principals)
    shuffle.shuffle(shuffled)
    assert told(*shuffled, configuration=configuration, tenant_id=tenant_id, holders=True, only=only) == result


def test_a_reason_stays_short_whatever_the_name() -> None:
    """A name of 64 KiB takes one line of a reason."""
    (app,) = told(sp(" Z00m " * 11_000)).apps
    assert len(app.reason) < 300
