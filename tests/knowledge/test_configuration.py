"""entra-audit.yaml: what is refused and where, what the command line overrides, what is written back."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from ruamel.yaml import YAML

from auditor.errors import ConfigurationError
from auditor.knowledge.configuration import (
    check_configuration,
    configuration_schema,
    load_configuration,
    merge_cli,
    read_configuration,
    render_configuration,
)
from auditor.knowledge.documents import load_text
from auditor.knowledge.profile import load_profile
from auditor.model.configuration import (
    Answer,
    AppConfiguration,
    Configuration,
    NotifyConfiguration,
    Retention,
    SignInConfiguration,
    TenantConfiguration,
)
from auditor.model.outcome import AcceptedGap, Waiver
from auditor.model.snapshot import CLIENT_COLLECTIONS, EXCHANGE, TENANT_COLLECTIONS

PROFILES = {"zoom": load_profile("zoom")}
APP = "33333333-3333-4333-8333-333333333333"  # Sample appIds.
OTHER = "55555555-5555-4555-8555-555555555555"

GOOD = f"""\
apps:
  zoom:
    policy: calendars
    integrations:
      "{APP}": personal-calendar-application
    features: [personal-calendar-application]
    answers:
      upn_equals_zoom_email: {{value: true, answered_by: Adele (sample), date: 2026-11-20}}
    allowed:
      rooms-application: [Calendar.ReadWrite, Place.Read.All, exchange/full_access_as_app]
    exclude:
      - {OTHER}
policies:
  calendars:
    personal-calendar-application: [Calendars.ReadWrite]
    personal-calendar-oauth: [Calendars.ReadWrite, Mail.Read@delegated]
waivers:
  - rule: some-rule
    app: {APP}
    owner: Adele (sample)
    reason: until the move
    expires: 2027-01-31
accepted_gaps:
  - collection: grantEvents
    owner: Adele (sample)
    reason: no licence
    expires: 2027-01-31
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "entra-audit.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_whole_configuration_is_read_and_accepted(tmp_path: Path) -> None:
    """The documented shape loads, with Zoom's own spelling of the calendar permission, and nothing in it is refused."""
    path = write(tmp_path, GOOD)
    configuration, lines = read_configuration(path)
    assert configuration == load_configuration(path)
    check_configuration(configuration, profiles=PROFILES, where=lines)
    check_configuration(Configuration(), profiles=PROFILES, where="nowhere")
    zoom = configuration.apps["zoom"]
    assert zoom.integrations == {APP: "personal-calendar-application"}
    assert zoom.answers["upn_equals_zoom_email"].date == date(2026, 11, 20)
    assert configuration.waivers[0].expires == date(2027, 1, 31)


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("  zoom:", "  zom:", r"'zom' is not an app\. Did you mean 'zoom'\? Known apps: zoom"),
        ("policy: calendars", "policy: calendar", r"not a policy\. Did you mean 'calendars'\?.*minimal, required"),
        (f'"{APP}": personal', '"not-an-id": personal', "'not-an-id' is not an appId"),
        (f'"{APP}": personal-calendar-application', f'"{APP}": personal-calendar', "not an integration.*application"),
        ("features: [personal-calendar-application]", "features: [presense]", "not a feature.*'presence'"),
        ("upn_equals_zoom_email", "upn_equals_zoom_mail", "not a question.*'upn_equals_zoom_email'"),
        ("answered_by: Adele (sample)", "answered_by: ' '", "'answered_by' is blank"),
        ("rooms-application: [", "room-application: [", "not an integration.*'rooms-application'"),
        ("Place.Read.All", "Places.Read.All", "no application permission of graph.*'Place.Read.All'"),
        ("exchange/full_access_as_app", "exchang/full_access_as_app", "is not a permission"),
        ("Mail.Read@delegated", "Mail.Read@user", "is not a permission"),
        ("Mail.Read@delegated", "Mail.Reads", r"no delegated permission of graph.*'Mail\.Read'"),
        (f"- {OTHER}", "- zoom", "'zoom' is not an appId"),
        (f"- {OTHER}", f"- {APP.upper()}", "is excluded and integrated"),
        ("    personal-calendar-oauth:", "    personal-oauth:", "not an integration.*'personal-calendar-oauth'"),
        (f"    app: {APP}", "    app: Zoom", "'Zoom' is not an appId"),
        ("rule: some-rule", 'rule: ""', "'rule' is blank"),
        ("    reason: until the move", '    reason: ""', "'reason' is blank"),
        ("grantEvents", "grantEvent", "not a collection.*'grantEvents'"),
        ("    reason: no licence", '    reason: " "', "'reason' is blank"),
    ],
)
def test_what_nothing_knows_is_refused_where_it_stands(tmp_path: Path, old: str, new: str, what: str) -> None:
    """Every error names file and line, the known names and the nearest one."""
    assert GOOD.count(old) == 1
    text = GOOD.replace(old, new)
    configuration, lines = read_configuration(write(tmp_path, text))
    with pytest.raises(ConfigurationError, match=what) as caught:
        check_configuration(configuration, profiles=PROFILES, where=lines)
    line = text[: text.index(new.strip())].count("\n") + 1
    file, at, _ = caught.value.where.rsplit(":", 2)
    assert file == str(tmp_path / "entra-audit.yaml")
    assert int(at) in (line, line + 1)  # The value of a mapping begins on the line after its key.
    assert caught.value.advice


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        (
            "    reason: until the move\n    expires: 2027-01-31\n",
            "    reason: until the move\n",
            "'expires' is missing",
        ),
        ("    reason: no licence\n    expires: 2027-01-31\n", "    reason: no licence\n", "'expires' is missing"),
        ("    reason: until the move\n    expires: 2027-01-31\n", "    reason: x\n    expires: never\n", "date"),
        ("    policy: calendars", "    polcy: calendars", r"'polcy' is not a key here\. Did you mean 'policy'"),
        ("value: true", "value: maybe", "true or false"),
        ("  zoom:\n", "  zoom:\n  zoom:\n", "stands here twice"),
    ],
)
def test_the_shape_is_strict(tmp_path: Path, old: str, new: str, what: str) -> None:
    """A waiver or gap without expiry, an unknown key, a wrong type: refused with file and line."""
    assert GOOD.count(old) == 1
    with pytest.raises(ConfigurationError, match=what) as caught:
        load_configuration(write(tmp_path, GOOD.replace(old, new)))
    assert "entra-audit.yaml:" in caught.value.where


ROOMS = "f56e91e5-5a82-452f-b435-d4d78aeaf064"
DELEGATE = "a651cfda-cbdd-4a39-bd03-fa829c3c1b29"
OFFICE365_ZOOM = "0d38933a-0bbd-41ca-9ebd-28c4b5ba7cb7"


@pytest.mark.parametrize(
    ("app_id", "what"),
    [
        (ROOMS, "documented as rooms-application, and not personal-calendar-application"),
        (DELEGATE.upper(), "documented as rooms-delegate"),
        (OFFICE365_ZOOM, r"is not Zoom's\. Office365 Zoom is Microsoft's"),
    ],
)
def test_a_line_cannot_make_a_documented_app_another(tmp_path: Path, app_id: str, what: str) -> None:
    """An id that is documented as another integration, or as not Zoom's, is refused where it stands."""
    text = GOOD.replace(f'"{APP}": personal', f'"{app_id}": personal')
    configuration, lines = read_configuration(write(tmp_path, text))
    with pytest.raises(ConfigurationError, match=what) as caught:
        check_configuration(configuration, profiles=PROFILES, where=lines)
    assert caught.value.where.startswith(f"{tmp_path / 'entra-audit.yaml'}:5:")
    assert "Remove this line" in caught.value.advice


def test_a_line_may_say_of_a_documented_app_what_is_documented() -> None:
    """Naming its own integration is fine, and so is leaving it out of the audit."""
    for app in (
        AppConfiguration(integrations={ROOMS: "rooms-application", DELEGATE.upper(): "rooms-delegate"}),
        AppConfiguration(exclude=(ROOMS, DELEGATE, OFFICE365_ZOOM)),
    ):
        check_configuration(Configuration(apps={"zoom": app}), profiles=PROFILES, where="x")


def waiving(permission: str) -> str:
    """The good configuration with a waiver of one permission."""
    return GOOD.replace("  - rule: some-rule\n", f"  - rule: some-rule\n    permission: {permission}\n")


@pytest.mark.parametrize(
    "permission",
    [
        "Mail.Read",
        "Calendar.ReadWrite",
        "Mail.Read@delegated",
        "graph/Mail.Read@application",
        "exchange/full_access_as_app",
        "7c8d0d2a-0000-4000-8000-00000000000a",
        "exchange/7C8D0D2A-0000-4000-8000-00000000000A@delegated",
    ],
)
def test_a_waiver_names_a_permission_as_lists_do(tmp_path: Path, permission: str) -> None:
    """Value, resource and kind; and the id of one that nobody publishes."""
    configuration = load_configuration(write(tmp_path, waiving(permission)))
    assert configuration.waivers[0].permission == permission
    check_configuration(configuration, profiles=PROFILES, where="x")


@pytest.mark.parametrize(
    ("permission", "what"),
    [
        ("Calendar.ReadWrit", r"no application permission of graph.*'Calendars\.ReadWrite'"),
        ("full_access_as_app", "no application permission of graph"),
        ("exchange/full_access_as_app@delegated", "no delegated permission of exchange"),
        ("exchang/full_access_as_app", "is not a permission"),
        ("Mail.Read@user", "is not a permission"),
        ("7c8d0d2a-0000-4000-8000", "no application permission of graph"),
    ],
)
def test_a_waiver_of_no_permission_is_refused_where_it_stands(tmp_path: Path, permission: str, what: str) -> None:
    """A typo never waives quietly nothing; the error names file and line."""
    text = waiving(permission)
    configuration, lines = read_configuration(write(tmp_path, text))
    with pytest.raises(ConfigurationError, match=what) as caught:
        check_configuration(configuration, profiles=PROFILES, where=lines)
    line = text[: text.index("permission: ")].count("\n") + 1
    assert caught.value.where.startswith(f"{tmp_path / 'entra-audit.yaml'}:{line}:")


@pytest.mark.parametrize("collection", [*TENANT_COLLECTIONS, *CLIENT_COLLECTIONS, EXCHANGE])
def test_every_collection_may_be_an_accepted_gap(collection: str) -> None:
    """Whatever the coverage ledger can lack may be accepted, the Exchange side among it."""
    gap = AcceptedGap(collection=collection, owner="Adele (sample)", reason="sample", expires=date(2027, 1, 31))
    check_configuration(Configuration(accepted_gaps=(gap,)), profiles=PROFILES, where="x")


def test_required_without_features_is_refused() -> None:
    """What the declared features need cannot be said without one; the error lists them."""
    configuration = Configuration(apps={"zoom": AppConfiguration(policy="required")})
    with pytest.raises(ConfigurationError, match=r"none is declared.*--feature.*rooms-delegate"):
        check_configuration(configuration, profiles=PROFILES, where="x")
    declared = merge_cli(configuration, app="zoom", policy=None, features=("presence",))
    check_configuration(declared, profiles=PROFILES, where="x")


def test_without_a_policy_the_profiles_default_counts() -> None:
    """Zoom's default needs no features; a profile whose default is `required` needs them."""
    configuration = Configuration(apps={"zoom": AppConfiguration()})
    check_configuration(configuration, profiles=PROFILES, where="x")
    strict = {"zoom": replace(PROFILES["zoom"], default_policy="required")}
    with pytest.raises(ConfigurationError, match="none is declared"):
        check_configuration(configuration, profiles=strict, where="x")


@pytest.mark.parametrize("name", ["minimal", "required"])
def test_a_policy_of_the_teams_own_has_a_name_of_its_own(name: str) -> None:
    """It cannot quietly take the place of one that every app has."""
    with pytest.raises(ConfigurationError, match="another name"):
        check_configuration(Configuration(policies={name: {}}), profiles=PROFILES, where="x")


def test_without_lines_the_place_is_the_dotted_key() -> None:
    """What came from the command line has no line, and still a place."""
    configuration = merge_cli(Configuration(), app="zoom", policy="maximal", features=())
    with pytest.raises(ConfigurationError) as caught:
        check_configuration(configuration, profiles=PROFILES, where="the command line")
    assert caught.value.where == "the command line: apps.zoom.policy"


def test_an_absent_file_is_an_error(tmp_path: Path) -> None:
    """A file that was asked for and is not there is never an empty configuration."""
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_configuration(tmp_path / "absent.yaml")


def test_the_command_line_overrides_and_leaves_the_rest() -> None:
    """A policy and features that are given count; those that are not given stay; other apps are untouched."""
    own = AppConfiguration(policy="minimal", features=("presence",), exclude=(OTHER,))
    configuration = Configuration(apps={"zoom": own, "other": own})
    assert merge_cli(configuration, app="zoom", policy=None, features=()) == configuration
    merged = merge_cli(configuration, app="zoom", policy="required", features=("legacy-ews", "legacy-ews"))
    assert merged.apps["zoom"] == AppConfiguration(policy="required", features=("legacy-ews",), exclude=(OTHER,))
    assert merged.apps["other"] == own
    new = merge_cli(Configuration(), app="zoom", policy=None, features=("presence",))
    assert new.apps["zoom"] == AppConfiguration(features=("presence",))


TEXTS = st.text(max_size=12) | st.sampled_from(
    [
        "true",
        "null",
        "~",
        "-",
        "---",
        "- x",
        "a: b",
        "# x",
        "2026-01-01",
        "0x1",
        "1e3",
        "é",
        "\u2028",
        "\x85",
        "\ufeff",
        "🎈",
        '"',
        "\\",
        "{",
        "-a",
    ]
)
DATES = st.dates()
APPS = st.builds(
    AppConfiguration,
    policy=TEXTS,
    integrations=st.dictionaries(TEXTS, TEXTS, max_size=2),
    features=st.lists(TEXTS, max_size=2).map(tuple),
    answers=st.dictionaries(TEXTS, st.builds(Answer, value=st.booleans(), answered_by=TEXTS, date=DATES), max_size=2),
    allowed=st.dictionaries(TEXTS, st.lists(TEXTS, max_size=2).map(tuple), max_size=2),
    exclude=st.lists(TEXTS, max_size=2).map(tuple),
)
WAIVERS = st.lists(
    st.builds(Waiver, rule=TEXTS, app=TEXTS, owner=TEXTS, reason=TEXTS, expires=DATES, permission=TEXTS), max_size=2
).map(tuple)
GAPS = st.lists(st.builds(AcceptedGap, collection=TEXTS, owner=TEXTS, reason=TEXTS, expires=DATES), max_size=2).map(
    tuple
)
CONFIGURATIONS = st.builds(
    Configuration,
    apps=st.dictionaries(TEXTS, APPS, max_size=2),
    policies=st.dictionaries(
        TEXTS, st.dictionaries(TEXTS, st.lists(TEXTS, max_size=2).map(tuple), max_size=2), max_size=2
    ),
    waivers=WAIVERS,
    accepted_gaps=GAPS,
    history=TEXTS,
    retention=st.builds(Retention, days=st.integers(0, 36_500), at_least=st.integers(1, 1_000_000)),
    attestations=TEXTS,
    notify=st.builds(NotifyConfiguration, names=st.booleans(), unchanged=st.booleans()),
    tenants=st.dictionaries(
        TEXTS,
        st.builds(
            TenantConfiguration,
            tenant_id=TEXTS,
            cloud=TEXTS,
            sign_in=st.builds(
                SignInConfiguration,
                method=TEXTS,
                client_id=TEXTS,
                certificate=TEXTS,
                secret_file=TEXTS,
                token_file=TEXTS,
            ),
            snapshot=TEXTS,
            graph_export=TEXTS,
            apps=st.dictionaries(TEXTS, APPS, max_size=1),
            waivers=WAIVERS,
            accepted_gaps=GAPS,
        ),
        max_size=2,
    ),
)


@given(CONFIGURATIONS)
def test_what_is_written_reads_back_equal(configuration: Configuration) -> None:
    """Whatever stands in it, the written text has the same value, and the same value gives the same text."""
    text = render_configuration(configuration)
    read = load_text(text, Configuration, "written")
    assert read == configuration
    assert render_configuration(read) == text
    assert all(c.isprintable() for line in text.split("\n") for c in line)


def test_the_written_text_explains_itself() -> None:
    """Each part carries a comment, and simple words stand without quotes."""
    configuration = load_text(GOOD, Configuration, "good")
    lines = render_configuration(configuration).splitlines()
    assert sum(line.lstrip().startswith("#") for line in lines) >= 7
    assert "    policy: calendars" in lines
    assert f'      "{APP}": personal-calendar-application' in lines


@pytest.mark.parametrize(
    ("change", "valid"),
    [
        ({}, True),
        ({"extra": 1}, False),
        ({"apps": {"zoom": {"polcy": "minimal"}}}, False),
        ({"waivers": [{"rule": "r", "app": APP, "owner": "o", "reason": "r"}]}, False),
        ({"waivers": [{"rule": "r", "app": APP, "owner": "o", "reason": "r", "expires": "2027-01-31"}]}, True),
    ],
)
def test_the_schema_says_what_the_loader_takes(change: dict[str, Any], valid: bool) -> None:
    """The published JSON Schema is valid itself, accepts a good file and refuses what the loader refuses."""
    schema = configuration_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    good = json.loads(json.dumps(YAML(typ="safe", pure=True).load(GOOD), default=str))
    validator = jsonschema.Draft202012Validator(schema)
    assert validator.is_valid({**good, **change}) == valid
