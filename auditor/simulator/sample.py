"""The demo's tenant, "Contoso (sample)": all of it is made up, but for appIds that vendors and Microsoft publish.

Its story: a calendar app that was given far more than calendars; both of Zoom's rooms apps at once; single sign-on from
the gallery, as it should be; an imitation that three people consented to; a pilot that was switched off and never
cleaned up; and apps around them that only carry the name.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any, cast
from uuid import NAMESPACE_URL, uuid5

from msgspec import Struct
from msgspec.structs import replace

from auditor.knowledge.permissions import load_permissions
from auditor.knowledge.sketch import SAMPLE_TENANT, AppOutline, Outline, ScopeOutline, sketch
from auditor.model.configuration import Answer, AppConfiguration, Configuration
from auditor.model.outcome import Waiver
from auditor.model.snapshot import Snapshot

TAKEN_AT = datetime(2026, 11, 20, 9, 14, tzinfo=UTC)
"""The moment that the dates below are written for."""
ROOMS = "f56e91e5-5a82-452f-b435-d4d78aeaf064"
ROOMS_DELEGATE = "a651cfda-cbdd-4a39-bd03-fa829c3c1b29"
CALENDAR = "33333333-3333-4333-8333-333333333333"
"""The sample's own appId: no text that could be read gives the real one."""
SINGLE_SIGN_ON = "44444444-4444-4444-8444-444444444444"
IMITATION = "55555555-5555-4555-8555-555555555555"
PILOT = "66666666-6666-4666-8666-666666666666"
UNKNOWN_ROLE = "77777777-7777-4777-8777-777777777777"
"""A permission id that no resource publishes."""

_OFFICE365_ZOOM = "0d38933a-0bbd-41ca-9ebd-28c4b5ba7cb7"
_GALLERY_TEMPLATE = "247d18fc-f848-4de0-8330-333d3a5c0e3f"
_MICROSOFT = "f8cdef31-a31e-4b4a-93e4-5f571e91255a"
_ADMIN = "sam.rivera@contoso.example"
_NOTE = "Everything in this tenant is made up, but for appIds that vendors and Microsoft publish."
_UNVERIFIED = {"displayName": None, "verifiedPublisherId": None, "addedDateTime": None}
_ORDINARY = (
    "Adventure Works Travel",
    "Alpine Ski House Booking",
    "Bellows College Courses",
    "Best For You Benefits",
    "Blue Yonder Forecast",
    "City Power Billing",
    "Coho Cellar Stock",
    "Consolidated Messenger",
    "Contoso Backup",
    "Contoso Expenses",
    "Contoso Intranet Search",
    "Contoso Payroll",
    "Contoso Visitor Desk",
    "Fabrikam Contracts",
    "Fabrikam Design Review",
    "Fabrikam Signatures",
    "Fourth Coffee Orders",
    "Graphic Design Library",
    "Humongous Insurance Claims",
    "Lamna Health Portal",
    "Liberty Delivery Tracking",
    "Lucerne Publishing Desk",
    "Margie's Travel Approvals",
    "Munson's Supply",
    "Nod Publishers Archive",
    "Northwind Inventory",
    "Proseware Surveys",
    "Relecloud Monitoring",
    "School of Fine Art Events",
    "Southridge Video Library",
    "Tailspin Fleet",
    "Trey Research Notebook",
    "VanArsdel Tickets",
    "Wide World Logistics",
    "Woodgrove Treasury",
)


def sample(taken_at: datetime = TAKEN_AT) -> Snapshot:
    """Return the sample tenant as it stands at `taken_at`: every date in it keeps its distance from that moment.

    Raises:
        ConfigurationError: rules/permissions lacks a permission that the sample names.
    """
    apps = (_rooms(), _rooms_delegate(), _calendar(), _single_sign_on(), _imitation(), _pilot())
    outline = Outline(apps=apps, other_service_principals=_others(), enabled_members=4210, taken_at=TAKEN_AT)
    snapshot = replace(sketch(outline, permissions=load_permissions()), notes=(_NOTE,))
    return cast("Snapshot", _moved(snapshot, taken_at - TAKEN_AT))


def sample_configuration(taken_at: datetime = TAKEN_AT) -> Configuration:
    """Return what the sample's team answered: enough to confirm the calendar app, with one question left open."""
    sam = "Sam Rivera, messaging (sample)"
    zoom = AppConfiguration(
        policy="minimal",
        integrations={CALENDAR: "personal-calendar-application"},
        features=("personal-calendar-application", "rooms-application"),
        answers={
            "calendar_events_only": Answer(value=True, answered_by=sam, date=date(2026, 11, 18)),
        },
    )
    configuration = Configuration(apps={"zoom": zoom}, waivers=_WAIVERS)
    return cast("Configuration", _moved(configuration, taken_at - TAKEN_AT))


_WAIVERS = (
    Waiver(
        rule="both-rooms-apps",
        app=ROOMS_DELEGATE,
        owner="Kim Lee, meeting rooms (sample)",
        reason="Eleven rooms still connect through the service account; they move soon.",
        expires=date(2027, 1, 31),
    ),
    Waiver(
        rule="credentials-on-service-principal",
        app=PILOT,
        owner="Jo Park, messaging (sample)",
        reason="The pilot's script signs in with this secret until the pilot ends.",
        expires=date(2026, 9, 30),
    ),
)


def _moved(value: object, by: timedelta) -> object:
    """Return a value with every date and moment in it moved."""
    if isinstance(value, date):
        return value + by
    if isinstance(value, tuple):
        return tuple(_moved(item, by) for item in value)
    if isinstance(value, dict):
        return {key: _moved(item, by) for key, item in value.items()}
    if isinstance(value, Struct):
        return replace(value, **{name: _moved(getattr(value, name), by) for name in value.__struct_fields__})
    return value


def _rooms() -> AppOutline:
    return AppOutline(
        app_id=ROOMS,
        name="Zoom",
        roles=("Calendars.ReadWrite", "Place.Read.All", "User.Read.All"),
        granted_at=date(2024, 3, 12),
        service_principal={"createdDateTime": "2024-03-12T10:02:11Z"},
    )


def _rooms_delegate() -> AppOutline:
    scope = "openid profile offline_access User.Read Calendars.ReadWrite.Shared Place.Read.All"
    return AppOutline(
        app_id=ROOMS_DELEGATE,
        name="Zoom",
        scopes=(ScopeOutline(scope=scope, principal=_id("rooms service account")),),
        last_sign_in=date(2026, 11, 17),
        service_principal={"createdDateTime": "2022-09-01T07:45:00Z"},
    )


def _calendar() -> AppOutline:
    consented = "Calendars.ReadWrite Contacts.ReadWrite Presence.Read.All Presence.ReadWrite"
    return AppOutline(
        app_id=CALENDAR,
        name="Zoom",
        roles=(
            "Calendars.ReadWrite",
            "Calendars.Read",
            "Mail.ReadWrite",
            "Mail.Send",
            "Contacts.ReadWrite",
            "User.Read.All",
            "Directory.Read.All",
            "Presence.ReadWrite.All",
            "exchange/full_access_as_app",
            f"graph/{UNKNOWN_ROLE}",
        ),
        scopes=(
            ScopeOutline(scope="openid profile email offline_access User.Read"),
            *(ScopeOutline(scope=consented, principal=_id(f"person {n}")) for n in range(1, 13)),
        ),
        granted_by=_ADMIN,
        granted_at=date(2026, 11, 2),
    )


def _single_sign_on() -> AppOutline:
    certificate = {
        "displayName": "CN=Microsoft Azure Federated SSO Certificate",
        "type": "AsymmetricX509Cert",
        "startDateTime": "2024-06-03T08:00:00Z",
        "endDateTime": "2027-06-03T08:00:00Z",
    }
    return AppOutline(
        app_id=SINGLE_SIGN_ON,
        name="Zoom SSO",
        owner_tenant=SAMPLE_TENANT,
        owners=("identity.team@contoso.example",),
        service_principal={
            **_publisher("Contoso"),
            "applicationTemplateId": _GALLERY_TEMPLATE,
            "appRoleAssignmentRequired": True,
            "homepage": "https://contoso.zoom.us",
            "keyCredentials": [
                {"keyId": _id("SAML signing"), "usage": "Sign", **certificate},
                {"keyId": _id("SAML verification"), "usage": "Verify", **certificate},
            ],
            "preferredSingleSignOnMode": "saml",
            "preferredTokenSigningKeyThumbprint": "0123456789ABCDEF0123456789ABCDEF01234567",
            "replyUrls": ["https://contoso.zoom.us/saml/SSO"],
            "tags": [
                "WindowsAzureActiveDirectoryGalleryApplicationNonPrimaryV1",
                "WindowsAzureActiveDirectoryIntegratedApp",
            ],
        },
    )


def _imitation() -> AppOutline:
    people = (_id(f"person {number}") for number in (4, 9, 15))
    return AppOutline(
        app_id=IMITATION,
        name="Z\u043e\u043em Meetings",
        owner_tenant=_id("imitator's tenant"),
        scopes=tuple(ScopeOutline(scope="Mail.Read offline_access", principal=principal) for principal in people),
        granted_by="pat.novak@contoso.example",
        granted_at=date(2026, 11, 11),
        last_sign_in=date(2026, 11, 18),
        service_principal={
            **_publisher("Meetings Download"),
            "createdDateTime": "2026-11-11T13:27:40Z",
            "homepage": "https://zoom-meetings.example",
            "replyUrls": ["https://zoom-meetings.example/oauth/callback"],
        },
    )


def _pilot() -> AppOutline:
    secret = {
        "keyId": _id("pilot secret"),
        "displayName": "pilot script",
        "startDateTime": "2026-01-15T09:00:00Z",
        "endDateTime": "2028-01-15T09:00:00Z",
    }
    return AppOutline(
        app_id=PILOT,
        name="Zoom for Outlook (pilot)",
        owners=("jo.park@contoso.example",),
        roles=("Calendars.ReadWrite", "Mail.Read"),
        scopes=(ScopeOutline(scope="openid profile User.Read Calendars.Read"),),
        granted_at=date(2026, 1, 15),
        last_sign_in=date(2026, 7, 8),
        service_principal={
            "accountEnabled": False,
            "createdDateTime": "2026-01-15T08:55:00Z",
            "passwordCredentials": [secret],
            "replyUrls": ["http://outlook-pilot.zoom.us/callback"],
        },
    )


def _others() -> tuple[AppOutline, ...]:
    """Return the apps that carry the name and are not Zoom's, and the ordinary ones."""
    office = {
        **_publisher("Microsoft Services"),
        "publisherName": "Microsoft Services",
        "replyUrls": [],
        "homepage": None,
    }
    named = (
        AppOutline(app_id=_OFFICE365_ZOOM, name="Office365 Zoom", owner_tenant=_MICROSOFT, service_principal=office),
        _ordinary("UserZoom", owner=_id("UserZoom's tenant")),
        _ordinary("Zoom room signage", owner=SAMPLE_TENANT),
    )
    return named + tuple(
        _ordinary(name, owner=SAMPLE_TENANT if name.startswith("Contoso") else _id(f"tenant of {name}"))
        for name in _ORDINARY
    )


def _ordinary(name: str, *, owner: str) -> AppOutline:
    host = "".join(letter for letter in name.lower() if letter.isalnum())
    site = f"https://{host}.example"
    publisher = _publisher("Contoso" if owner == SAMPLE_TENANT else name)
    return AppOutline(
        app_id=_id(f"app {name}"),
        name=name,
        owner_tenant=owner,
        service_principal={**publisher, "homepage": site, "replyUrls": [f"{site}/signin-oidc"]},
    )


def _publisher(name: str) -> dict[str, Any]:
    return {"publisherName": f"{name} (sample)", "verifiedPublisher": _UNVERIFIED}


def _id(name: str) -> str:
    """Return a made-up GUID, the same for the same name in every run."""
    return str(uuid5(NAMESPACE_URL, f"https://contoso.example/sample/{name}"))
