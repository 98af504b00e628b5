"""What facts say, and when they say nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec import UNSET
from msgspec.structs import replace

from auditor.engine.answers import build_context
from auditor.engine.fact import ABSENT, Facts
from auditor.engine.facts import APP_FACTS, FACTS, app_facts, facts_table, grant_facts
from auditor.engine.grant_facts import GRANT_FACTS
from auditor.engine.reply_urls import is_insecure, is_loopback, is_wildcard
from auditor.engine.view import AppView, Context
from auditor.knowledge.evidence import is_foreign
from auditor.knowledge.outline import SAMPLE_TENANT, AppOutline, Outline, ScopeOutline
from auditor.knowledge.permissions import load_permissions
from auditor.knowledge.profile import load_profile
from auditor.knowledge.sketch import sketch, without
from auditor.model.configuration import AppConfiguration, Configuration
from auditor.model.directory import AppRole, SignInActivity
from auditor.model.snapshot import (
    CLIENT_COLLECTIONS,
    EXCHANGE,
    TENANT_COLLECTIONS,
    Complete,
    Partial,
    Snapshot,
    client_collections,
)

PERMISSIONS = load_permissions()
ZOOM = load_profile("zoom")
ROOMS = "f56e91e5-5a82-452f-b435-d4d78aeaf064"
DELEGATE = "a651cfda-cbdd-4a39-bd03-fa829c3c1b29"
CALENDAR = "33333333-3333-4333-8333-333333333333"
TEMPLATE = {"applicationTemplateId": "247d18fc-f848-4de0-8330-333d3a5c0e3f"}
UNPUBLISHED = "44444444-4444-4444-8444-444444444444"
TYPES = {"bool": bool, "int": int, "string": str, "list(string)": tuple}


def app(app_id: str = ROOMS, **values: Any) -> AppOutline:
    return AppOutline(app_id=app_id, **values)


def snapshot_of(*apps: AppOutline, **values: Any) -> Snapshot:
    return sketch(Outline(apps=apps, **values), permissions=PERMISSIONS)


def context_of(snapshot: Snapshot, configuration: AppConfiguration | None = None) -> Context:
    return build_context(
        snapshot,
        profile=ZOOM,
        permissions=PERMISSIONS,
        configuration=Configuration(apps={"zoom": configuration or AppConfiguration()}),
    )


def view_of(context: Context, app_id: str) -> AppView:
    return next(view for view in context.apps if view.client.service_principal.app_id == app_id)


def facts_of(snapshot: Snapshot, app_id: str = ROOMS, configuration: AppConfiguration | None = None) -> Facts:
    context = context_of(snapshot, configuration)
    return app_facts(context, view_of(context, app_id))


def grants_of(snapshot: Snapshot, app_id: str = ROOMS) -> dict[str, Facts]:
    context = context_of(snapshot)
    view = view_of(context, app_id)
    return {a.grant.permission: grant_facts(context, view, a) for a in view.answered}


def with_principal(snapshot: Snapshot, app_id: str, **values: Any) -> Snapshot:
    clients = tuple(
        replace(c, service_principal=replace(c.service_principal, **values))
        if c.service_principal.app_id == app_id
        else c
        for c in snapshot.clients
    )
    return replace(snapshot, clients=clients)


def test_the_table_lists_every_fact_once() -> None:
    """Names are unique, every fact has a sentence, and collections are those of the ledger."""
    table = facts_table()
    assert len({fact.name for fact in table}) == len(table) == len(FACTS) == len(APP_FACTS) + len(GRANT_FACTS)
    for fact in table:
        assert fact.doc.endswith(".")
        assert set(fact.collections) <= {*CLIENT_COLLECTIONS, *TENANT_COLLECTIONS, EXCHANGE}
        assert fact.unknown == "" or fact.unknown.endswith(".")
        assert fact.name.startswith("app." if fact in APP_FACTS else "grant.")


def test_a_whole_tenant_leaves_little_unknown_and_types_hold() -> None:
    """On a complete tenant every fact but the one that Exchange hides is known, and has the type it declares."""
    snapshot = snapshot_of(app(roles=("Place.Read.All",), scopes=(ScopeOutline(scope="User.Read"),)), app(DELEGATE))
    known = {**facts_of(snapshot), **grants_of(snapshot)["Place.Read.All"]}
    assert set(FACTS) - set(known) == set()
    assert all(type(known[name]) is TYPES[fact.type] for name, fact in FACTS.items())


NEGATIVES = [
    ("owners", {"app.owners": 0, "app.has_owners": False}),
    ("memberOf", {"app.directory_roles": (), "app.has_directory_role": False}),
    ("appRoleAssignments", {"app.holds_grants": False, "app.list_undetermined": False}),
    (
        "oauth2PermissionGrants",
        {
            "app.holds_grants": False,
            "app.list_undetermined": False,
            "app.per_user_consents": 0,
            "app.has_per_user_consents": False,
        },
    ),
    ("signInActivity", {"app.never_signed_in": True}),
    ("servicePrincipals", {"app.other_integrations": (), "app.home_tenant_differs": False}),
]


@pytest.mark.parametrize(("collection", "expected"), NEGATIVES, ids=[name for name, _ in NEGATIVES])
def test_none_is_said_of_complete_collections_only(collection: str, expected: dict[str, object]) -> None:
    """What says none, how many or all is there while the collection is Complete and absent otherwise."""
    whole = snapshot_of(app(last_sign_in=None))
    assert {name: facts_of(whole).get(name) for name in expected} == expected
    for less in (without(whole, collection), snapshot_of(app(last_sign_in=None), partial=(collection,))):
        assert not set(expected) & set(facts_of(less))


def test_some_is_said_once_a_witness_was_read() -> None:
    """A partial collection with a witness says some, and neither how many nor which are all."""
    outline = app(
        owners=("dana@contoso.example",),
        directory_roles=("Directory Readers",),
        roles=("Place.Read.All",),
        scopes=(ScopeOutline(scope="User.Read", principal="55555555-5555-4555-8555-555555555555"),),
    )
    cut = ("owners", "memberOf", "appRoleAssignments", "oauth2PermissionGrants", "signInActivity")
    facts = facts_of(snapshot_of(outline, partial=cut))
    some = ("has_owners", "has_directory_role", "holds_grants", "has_per_user_consents", "list_undetermined")
    assert all(facts[f"app.{name}"] is True for name in some)
    assert facts["app.never_signed_in"] is False
    counts = {"app.owners", "app.directory_roles", "app.per_user_consents", "app.days_since_sign_in"}
    assert not counts & set(facts)


def test_a_candidates_integration_hangs_on_its_grants() -> None:
    """A candidate is taken for the calendar app by its application permissions: unread, it is not known what it is."""
    whole = snapshot_of(app(CALENDAR, roles=("Mail.Read",), scopes=(ScopeOutline(scope="Mail.Read"),)))
    assert facts_of(whole, CALENDAR)["app.integration"] == "personal-calendar-application"
    less = without(whole, "appRoleAssignments")
    assert "app.integration" not in facts_of(less, CALENDAR)
    for name in ("app.integration_known", "app.needed_missing", "app.missing_needed", "app.list_undetermined"):
        assert name not in facts_of(less, CALENDAR)
    assert "grant.policy" not in grants_of(less, CALENDAR)["Mail.Read"]
    settled = snapshot_of(app(CALENDAR, scopes=(ScopeOutline(scope="Mail.Read"),)))
    assert facts_of(settled, CALENDAR)["app.integration"] == ""
    assert facts_of(settled, CALENDAR)["app.integration_known"] is False


UNSET_FIELDS = [
    ("accountEnabled", {"app.account_enabled"}),
    ("disabledByMicrosoftStatus", {"app.disabled_by_microsoft"}),
    ("verifiedPublisher", {"app.publisher_verified"}),
    ("appOwnerOrganizationId", {"app.owner_tenant_known", "app.own_tenant", "app.home_tenant_differs"}),
    ("passwordCredentials", {"app.credentials", "app.has_credentials"}),
    ("keyCredentials", {"app.credentials", "app.has_credentials"}),
    ("createdDateTime", {"app.days_since_created"}),
    ("replyUrls", {f"app.reply_urls_{kind}" for kind in ("insecure", "wildcard", "loopback", "foreign")}),
]


@pytest.mark.parametrize(("field", "names"), UNSET_FIELDS, ids=[field for field, _ in UNSET_FIELDS])
def test_a_field_that_was_not_carried_is_not_known(field: str, names: set[str]) -> None:
    """A field that the answer did not carry leaves exactly the facts that hang on it absent, each saying why."""
    whole, less = facts_of(snapshot_of(app())), facts_of(snapshot_of(app(), unset=(field,)))
    assert set(whole) - set(less) == names
    assert all(FACTS[name].unknown for name in names)


def test_null_is_known() -> None:
    """Graph's null says that there is none; only accountEnabled has no meaning for it."""
    nulls = {"verifiedPublisher": None, "disabledByMicrosoftStatus": None, "accountEnabled": None}
    facts = facts_of(snapshot_of(app(owner_tenant=None, service_principal=nulls)))
    assert facts["app.publisher_verified"] is False
    assert facts["app.disabled_by_microsoft"] is False
    assert facts["app.owner_tenant_known"] is False
    assert facts["app.own_tenant"] is False
    assert "app.account_enabled" not in facts


def key(usage: str | None, key_id: str = "k") -> dict[str, object]:
    return {"keyId": key_id, "usage": usage}


SAML = {"preferredSingleSignOnMode": "saml"}
SIGNING = [key("Sign", "a"), key("Verify", "b")]
CREDENTIALS: list[tuple[dict[str, object], tuple[str, ...], int | None, bool | None]] = [
    ({}, (), 0, False),
    ({"passwordCredentials": [{"keyId": "a"}]}, (), 1, True),
    ({"keyCredentials": [key("Verify")]}, (), 1, True),
    ({**SAML, "keyCredentials": SIGNING, "passwordCredentials": [{"keyId": "a"}]}, (), 0, False),
    ({"preferredTokenSigningKeyThumbprint": "5A4D", "keyCredentials": SIGNING}, (), 0, False),
    ({**SAML, "keyCredentials": [key("Verify")]}, (), 0, False),
    ({**SAML, "keyCredentials": [*SIGNING, key("Verify", "c")]}, (), 1, True),
    ({**SAML, "keyCredentials": [*SIGNING, key(None, "c")]}, (), 1, True),
    ({**SAML, "keyCredentials": SIGNING, "passwordCredentials": [{"keyId": "z"}]}, (), 1, True),
    ({"keyCredentials": SIGNING}, (), 2, True),
    ({"keyCredentials": SIGNING}, ("preferredSingleSignOnMode",), None, None),
    ({"passwordCredentials": [{"keyId": "z"}]}, ("preferredSingleSignOnMode",), 1, True),
    ({"passwordCredentials": [{"keyId": "z"}]}, ("keyCredentials",), None, True),
    ({**SAML, "passwordCredentials": [{"keyId": "z"}]}, ("keyCredentials",), None, None),
]


@pytest.mark.parametrize(("principal", "unset", "count", "some"), CREDENTIALS)
def test_credentials(
    principal: dict[str, object], unset: tuple[str, ...], count: int | None, some: bool | None
) -> None:
    """Secrets and certificates count, what only signs SAML tokens does not, and what was not read is not none."""
    facts = facts_of(snapshot_of(app(service_principal=principal), unset=unset))
    assert facts.get("app.credentials") == count
    assert facts.get("app.has_credentials") is some


OTHER = "66666666-6666-4666-8666-666666666666"
HOMES: list[tuple[AppOutline, AppOutline, bool | None]] = [
    (app(), app(DELEGATE), False),
    (app(owner_tenant=OTHER), app(DELEGATE), True),
    (app(owner_tenant=SAMPLE_TENANT), app(DELEGATE), False),
    (app(), app(CALENDAR, owner_tenant=OTHER), False),
    (app(), app(CALENDAR, owner_tenant=SAMPLE_TENANT, service_principal=TEMPLATE), False),
    (app(owner_tenant=None), app(DELEGATE), None),
    (app(), app(DELEGATE, owner_tenant=None), None),
]


@pytest.mark.parametrize(("rooms", "other", "differs"), HOMES)
def test_home_tenants(rooms: AppOutline, other: AppOutline, differs: bool | None) -> None:
    """Homes are compared among the vendor's known apps; gallery, own and merely similar apps say nothing of them."""
    assert facts_of(snapshot_of(rooms, other)).get("app.home_tenant_differs") is differs


def test_home_tenants_of_candidates_and_others() -> None:
    """A candidate is measured by the known apps and by other candidates; gallery apps and look-alikes are not."""
    candidate = app(CALENDAR, owner_tenant=OTHER)
    second = app("33333333-3333-4333-8333-333333333334", name="Zoom two")
    assert facts_of(snapshot_of(candidate, second), CALENDAR)["app.home_tenant_differs"] is True
    gallery = app(CALENDAR, owner_tenant=OTHER, service_principal=TEMPLATE)
    assert facts_of(snapshot_of(gallery, app()), CALENDAR)["app.home_tenant_differs"] is False


def test_without_the_tenants_own_id() -> None:
    """While the audited tenant's id is not known, nobody can say which apps are its own."""
    facts = facts_of(replace(snapshot_of(app(), app(DELEGATE)), tenant_id=""))
    assert not {"app.own_tenant", "app.home_tenant_differs"} & set(facts)


def test_a_candidate_without_reply_urls_may_be_a_look_alike() -> None:
    """What tells a look-alike from a candidate was not read, so neither is said."""
    assert facts_of(snapshot_of(app(CALENDAR)), CALENDAR)["app.look_alike"] is False
    assert "app.look_alike" not in facts_of(snapshot_of(app(CALENDAR), unset=("replyUrls",)), CALENDAR)
    assert facts_of(snapshot_of(app(), unset=("replyUrls",)))["app.look_alike"] is False


def test_an_app_whose_home_is_not_known_may_be_a_look_alike() -> None:
    """Zoom's name with reply URLs elsewhere: no look-alike and no pass until it is known whose app it is."""
    stray = app(CALENDAR, service_principal={"replyUrls": ["https://reports.contoso.example/cb"]})
    assert facts_of(snapshot_of(stray), CALENDAR)["app.look_alike"] is True
    for unknown in (
        snapshot_of(stray, unset=("appOwnerOrganizationId",)),
        replace(snapshot_of(stray, unavailable=("organization",)), tenant_id=""),
    ):
        facts = facts_of(unknown, CALENDAR)
        assert "app.look_alike" not in facts
        assert (facts["app.match"], facts["app.integration"]) == ("candidate", "")
    imitation = app(CALENDAR, name="Z00m")
    assert facts_of(snapshot_of(imitation, unset=("appOwnerOrganizationId",)), CALENDAR)["app.look_alike"] is True


HOSTS = ("zoom.us",)
URLS = [
    # url, insecure, wildcard, loopback, foreign
    ("https://zoom.us/oauth", False, False, False, False),
    ("https://eu.zoom.us/oauth", False, False, False, False),
    ("http://zoom.us/oauth", True, False, False, False),
    ("HTTP://ZOOM.US/oauth", True, False, False, False),
    (" http://zoom.us/oauth", True, False, False, False),
    ("https://*.zoom.us/oauth", False, True, False, False),
    ("http://localhost:8080/cb", False, False, True, False),
    ("http://127.0.0.1/cb", False, False, True, False),
    ("http://[::1]:80/cb", False, False, True, False),
    ("http://localhost.fabrikam.example/", True, False, False, True),
    ("https://notzoom.us/", False, False, False, True),
    ("https://zoom.us.fabrikam.example/", False, False, False, True),
    ("https://zoom.us@fabrikam.example/", False, False, False, True),
    ("https://fabrikam.example\\@zoom.us/", False, False, False, True),
    ("https://fabrikam.example", False, False, False, True),
    ("https://[zoom.us/", False, False, False, True),
    ("https:///zoom.us", False, False, False, True),
    ("https://z\u043e\u043em.us/", False, False, False, True),
    ("https://login.microsoftonline.com/common/oauth2/nativeclient", False, False, False, False),
    ("msauth.us.zoom.sample://auth", False, False, False, False),
    ("urn:ietf:wg:oauth:2.0:oob", False, False, False, False),
    ("", False, False, False, False),
]


@pytest.mark.parametrize(("url", "insecure", "wildcard", "loopback", "foreign"), URLS)
def test_reply_urls(url: str, insecure: bool, wildcard: bool, loopback: bool, foreign: bool) -> None:
    """A reply URL is told by the host that a browser would go to, however it is written."""
    assert (is_insecure(url), is_wildcard(url), is_loopback(url)) == (insecure, wildcard, loopback)
    assert is_foreign(url, HOSTS) is foreign


def test_sign_ins() -> None:
    """The last sign-in of any kind counts, in whole days; none is told apart from a report that was not read."""
    moments = {"delegated_client": datetime(2026, 11, 10, tzinfo=UTC), "application_client": None}
    snapshot = snapshot_of(app())
    client = replace(
        snapshot.clients[0],
        sign_in_activity=Complete(items=(SignInActivity(app_id=ROOMS, **moments),)),
    )
    facts = facts_of(replace(snapshot, clients=(client,)))
    assert (facts["app.days_since_sign_in"], facts["app.never_signed_in"]) == (10, False)
    empty = replace(client, sign_in_activity=Complete(items=(SignInActivity(app_id=ROOMS),)))
    facts = facts_of(replace(snapshot, clients=(empty,)))
    assert facts["app.never_signed_in"] is True
    assert "app.days_since_sign_in" not in facts
    later = replace(snapshot, taken_at=datetime(2026, 11, 18, tzinfo=UTC))
    assert facts_of(later)["app.days_since_sign_in"] == 0


def test_needed_permissions() -> None:
    """A needed permission is missing only where Exchange could not grant it, and a stronger one is as good."""
    presence = AppConfiguration(integrations={CALENDAR: "presence"})
    one = snapshot_of(app(CALENDAR, scopes=(ScopeOutline(scope="Presence.ReadWrite"),)))
    facts = facts_of(one, CALENDAR, presence)
    assert facts["app.needed_missing"] is True
    assert facts["app.missing_needed"] == ("Presence.Read.All",)
    for less in (without(one, "oauth2PermissionGrants"), without(one, "resources")):
        assert "app.needed_missing" not in facts_of(less, CALENDAR, presence)
    held = facts_of(snapshot_of(app(CALENDAR, roles=("Calendars.ReadWrite",))), CALENDAR)
    assert (held["app.needed_missing"], held["app.missing_needed"]) == (False, ())
    hidden = facts_of(snapshot_of(app(CALENDAR, roles=("Mail.Read",))), CALENDAR)
    assert not {"app.needed_missing", "app.missing_needed"} & set(hidden)


def test_an_unpublished_permission() -> None:
    """An id that the resource, read in full, does not publish is known to be unknown; what it opens is not."""
    snapshot = snapshot_of(app(roles=(UNPUBLISHED,)))
    facts = grants_of(snapshot)[UNPUBLISHED]
    assert facts["grant.permission_known"] is False
    assert facts["grant.permission"] == UNPUBLISHED
    assert not {"grant.tier", "grant.family", "grant.reach"} & set(facts)
    for less in (
        without(snapshot, "resources"),
        replace(snapshot, resources=Complete(items=tuple(replace(r, app_roles=UNSET) for r in resources(snapshot)))),
        replace(snapshot, resources=Complete(items=())),
    ):
        facts = grants_of(less)[UNPUBLISHED]
        assert not {"grant.permission_known", "grant.permission", "grant.policy"} & set(facts)


def resources(snapshot: Snapshot) -> tuple[Any, ...]:
    assert isinstance(snapshot.resources, Complete)
    return snapshot.resources.items


def test_a_published_permission_that_no_table_describes() -> None:
    """Its name and policy are known; what it opens is not, and the fact says that the tables lack it."""
    snapshot = snapshot_of(app(roles=(UNPUBLISHED,)))
    role = AppRole(id=UNPUBLISHED, value="Sample.New", allowed_member_types=("Application",))
    published = tuple(replace(r, app_roles=(role,)) for r in resources(snapshot))
    facts = grants_of(replace(snapshot, resources=Complete(items=published)))["Sample.New"]
    assert facts["grant.permission_known"] is True
    assert facts["grant.policy"] == "undetermined"
    assert "grant.tier" not in facts
    assert "rules/permissions/" in FACTS["grant.tier"].unknown


def test_a_resource_that_was_not_read() -> None:
    """Without the resource's identity a grant says its kind and consent, and a delegated one its scope."""
    bare = {"grant.kind", "grant.consent", "grant.seen", "grant.attestation", "grant.attestation_text"}
    snapshot = snapshot_of(app(roles=("Mail.Read",), scopes=(ScopeOutline(scope="Mail.Send"),)))
    blind = without(without(snapshot, "resources"), "servicePrincipals")
    for name, facts in grants_of(blind).items():
        permission = {"grant.permission"} if name == "Mail.Send" else set()
        reach = {"grant.reach"} if name == "Mail.Send" else set()
        assert set(facts) == bare | permission | reach


def test_cover_hangs_on_all_grants_of_the_kind() -> None:
    """That nothing covers a permission is said only where all grants of its kind were read."""
    both = app(CALENDAR, roles=("Calendars.ReadWrite", "Calendars.Read"))
    assert grants_of(snapshot_of(both), CALENDAR)["Calendars.Read"]["grant.covered_by"] == "Calendars.ReadWrite"
    cut = grants_of(snapshot_of(both, partial=("appRoleAssignments",)), CALENDAR)
    assert cut["Calendars.Read"]["grant.covered_by"] == "Calendars.ReadWrite"
    assert "grant.covered_by" not in cut["Calendars.ReadWrite"]
    other = grants_of(snapshot_of(both, partial=("oauth2PermissionGrants",)), CALENDAR)
    assert other["Calendars.ReadWrite"]["grant.covered_by"] == ""


def test_other_resources_and_basics() -> None:
    """A resource that is none of Microsoft's known ones is `other`; the sign-in basics are told by name and kind."""
    snapshot = snapshot_of(app(scopes=(ScopeOutline(scope="User.Read Mail.Read"),)))
    facts = grants_of(snapshot)
    assert (facts["User.Read"]["grant.basic"], facts["Mail.Read"]["grant.basic"]) == (True, False)
    strange = tuple(replace(r, app_id=OTHER) for r in resources(snapshot))
    context = context_of(replace(snapshot, resources=Complete(items=strange)))
    (resource,) = [fact for fact in GRANT_FACTS if fact.name == "grant.resource"]
    values = {resource.value(context, context.apps[0], a) for a in context.apps[0].answered}
    assert values == {"other"}
    assert ABSENT not in values


def test_partial_is_not_complete_for_any_collection() -> None:
    """The sketch's partial collections are Partial, so the tests above test what they say."""
    snapshot = snapshot_of(app(), partial=CLIENT_COLLECTIONS)
    assert all(isinstance(c, Partial) for c in client_collections(snapshot.clients[0]).values())
