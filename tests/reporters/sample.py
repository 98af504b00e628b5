"""A made-up audit of a made-up tenant (contoso): every decision, outcome kind and ledger state once at least."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime
from typing import Any

from msgspec.structs import replace

from auditor.model.attestation import Attestation
from auditor.model.grant import Grant
from auditor.model.outcome import (
    AcceptedGap,
    AuditedApp,
    AuditResult,
    ClosedFinding,
    Finding,
    Impact,
    JudgedGrant,
    NotChecked,
    NotEvaluated,
    Passed,
    Provenance,
    RuleInfo,
    SeenApp,
    Severity,
    Statement,
    Subject,
    Waived,
    Waiver,
)
from auditor.model.snapshot import LedgerEntry
from tests.reporters.sample_drift import sample_drift, sample_head

TAKEN = datetime(2026, 11, 22, 9, 14, tzinfo=UTC)
GUIDE = "https://library.zoom.com/admin-corner/third-party-integrations/microsoft-365-calendaring-field-guide/connecting-personal-calendars-with-microsoft-365"
GRAPH = ("Microsoft Graph", "00000003-0000-0000-c000-000000000000")
EXCHANGE = ("Office 365 Exchange Online", "00000002-0000-0ff1-ce00-000000000000")


def guid(name: str) -> str:
    """Return a sample GUID, the same for the same name."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"https://contoso.example/{name}"))


CALENDAR = guid("calendar app")
ROOMS = "f56e91e5-5a82-452f-b435-d4d78aeaf064"
DELEGATE = "a651cfda-cbdd-4a39-bd03-fa829c3c1b29"
SSO = guid("sso app")
FAKE = guid("look-alike")
NAMES = {
    CALENDAR: "Zoom",
    ROOMS: "Zoom Rooms",
    DELEGATE: "Zoom (delegate)",
    SSO: "Zoom SSO",
    FAKE: "Z\u043e\u043em",
}
INTEGRATIONS = {
    CALENDAR: ("configured", "personal-calendar-application", "configured"),
    ROOMS: ("documented", "rooms-application", "documented"),
    DELEGATE: ("documented", "rooms-delegate", "documented"),
    SSO: ("template", "sso-provisioning", "inferred"),
    FAKE: ("look-alike", "", ""),
}

SAYS = {
    "needed": Statement(
        text="The one permission to keep for calendar events.",
        basis="documented",
        source=GUIDE,
        date="2026-11-22",
    ),
    "removable": Statement(
        text="All permissions but Calendar.ReadWrite may be revoked.",
        basis="documented",
        source=GUIDE,
        date="2026-11-22",
    ),
    "conditional": Statement(
        text="Needed to connect where the UPN differs from the Zoom e-mail.",
        basis="documented",
        source="https://support.zoom.com/hc/en/article?id=zm_kb&sysparm_article=KB0077944",
        date="2026-11-22",
    ),
    "optional": Statement(
        text="Used only by a feature that is off.",
        basis="inferred",
        source="the feature list",
        date="2026-11-22",
    ),
    "silent": Statement(text="", basis="unknown"),
}
IMPACTS = {
    "keep": ("Personal calendars stop syncing.", "Everybody with a connected calendar", "now"),
    "revoke": ("Nothing that the declared features use.", "Nobody", "never"),
    "revoke-after": ("People whose UPN differs cannot connect.", "Those people", "at the next connect"),
    "replace": (
        "Calendar sync until the replacement is consented.",
        "Everybody with a connected calendar",
        "now",
    ),
    "ask": ("Not known.", "Not known", "unknown"),
    "keep-and-scope": ("Rooms outside the scope stop showing meetings.", "Visitors of those rooms", "now"),
}


def judged(app: str, permission: str, decision: str, **more: Any) -> JudgedGrant:
    """Return one judged grant with made-up values; `more` overrides fields of the grant or of the judgement."""
    principal = more.pop("principal", "")
    kind = more.pop("kind", "delegated" if principal or "consent" in more else "application")
    resource, resource_app = more.pop("resource", GRAPH)
    match, integration, basis = INTEGRATIONS[app]
    key = f"{app} {permission} {principal}"
    grant = Grant(
        service_principal_id=guid(f"sp {app}"),
        app_id=app,
        app_name=NAMES[app],
        kind=kind,
        consent=more.pop("consent", "Principal" if principal else ""),
        principal_id=principal,
        resource_id=guid(resource),
        resource_app_id=resource_app,
        resource_name=resource,
        permission=permission,
        permission_id=guid(permission),
        known=more.pop("known", True),
        default_access=more.pop("default_access", False),
        grant_id=guid(f"grant {key}"),
        granted_at=datetime(2023, 3, 8, 14, 2, 11, tzinfo=UTC),
        granted_by="adele.vance@contoso.example",
    )
    says = more.pop(
        "says",
        {"keep": "needed", "revoke": "removable", "revoke-after": "conditional"}.get(decision, "silent"),
    )
    what, who, moment = IMPACTS[decision]
    values: dict[str, Any] = {
        "grant": grant,
        "match": match,
        "integration": integration,
        "integration_basis": basis,
        "account_enabled": app != DELEGATE,
        "opens": "Read and change every calendar",
        "family": "calendars",
        "access": "write",
        "tier": 1,
        "tier_reason": "Content of every mailbox, no way to more rights.",
        "policy_name": "minimal",
        "policy": {"keep": "allowed", "ask": "undetermined", "revoke-after": "conditional"}.get(decision, "outside"),
        "policy_reason": "The policy minimal allows Calendars.ReadWrite alone.",
        "vendor_says": says,
        "vendor": SAYS[says],
        "seen": "no-logs",
        "seen_reason": "No activity log was given.",
        "covered_by": "",
        "reach": "organization-at-most" if kind == "application" else "signed-in-users",
        "reach_text": "up to 4,210 enabled accounts (Exchange limits not read)"
        if kind == "application"
        else "the mailbox of each person who signs in",
        "decision": decision,
        "reason": {
            "keep": "Allowed by the policy.",
            "revoke": "Outside the policy; the app is confirmed and every precondition holds.",
        }.get(decision, "Outside the policy, and something is still open."),
        "check": "Compare every UPN with the Zoom e-mail (--zoom-users FILE.csv)."
        if decision == "revoke-after"
        else "",
        "ask_whom": "Zoom support, through your account team" if decision == "ask" else "",
        "replace_with": "Calendars.ReadWrite" if decision == "replace" else "",
        "impact": Impact(
            what=Statement(text=what, basis="documented", source=GUIDE, date="2026-11-22"),
            who_notices=who,
            when=moment,  # type: ignore[arg-type]
            way_back="Consent again in Zoom's portal; nothing is lost.",
        ),
        "severity": Severity.HIGH if decision in {"revoke", "revoke-after"} else None,
        "severity_axis": "data-reach" if decision in {"revoke", "revoke-after"} else "",
        "rule_ids": ("outside-policy",) if decision in {"revoke", "revoke-after"} else (),
        "app_last_sign_in": datetime(2026, 11, 21, 22, 40, tzinfo=UTC),
        "portal_url": "https://entra.microsoft.com/#view/Microsoft_AAD_IAM/ManagedAppMenuBlade/~/Permissions/objectId/"
        + grant.service_principal_id,
        "graph_request": f"GET /v1.0/servicePrincipals/{grant.service_principal_id}/appRoleAssignments",
    }
    return JudgedGrant(**(values | more))


def grants() -> tuple[JudgedGrant, ...]:
    """Return some thirty grants of five apps."""
    people = [guid(f"person {number}") for number in range(12)]
    mail: dict[str, Any] = {"opens": "Read every mailbox", "family": "mail", "access": "read"}
    return (
        judged(CALENDAR, "Calendars.ReadWrite", "keep"),
        judged(
            CALENDAR,
            "Calendars.Read",
            "revoke",
            covered_by="Calendars.ReadWrite",
            opens="Read every calendar",
        ),
        judged(
            CALENDAR,
            "Contacts.ReadWrite",
            "revoke",
            opens="Read and change the contacts of every mailbox",
            family="contacts",
            seen="unused",
            seen_reason="No call in 90 days of activity logs.",
        ),
        judged(
            CALENDAR,
            "MailboxSettings.Read",
            "revoke",
            opens="Read the settings of every mailbox",
            family="mailbox settings",
            severity=Severity.MEDIUM,
        ),
        judged(CALENDAR, "User.Read.All", "revoke", opens="Read every user's profile", family="users", tier=2),
        judged(CALENDAR, "Mail.Read", "revoke-after", **mail),
        judged(
            CALENDAR,
            "full_access_as_app",
            "revoke-after",
            resource=EXCHANGE,
            opens="Read and change everything in every mailbox",
            family="exchange",
            access="full",
            severity=Severity.CRITICAL,
            says="silent",
            policy="outside",
        ),
        judged(
            CALENDAR,
            guid("unpublished"),
            "ask",
            known=False,
            opens="",
            family="",
            access="",
            tier=None,
            tier_reason="",
            reach="unknown",
            reach_text="not known",
        ),
        judged(ROOMS, "Calendars.ReadWrite", "keep-and-scope", policy="undetermined", says="optional"),
        judged(
            ROOMS,
            "Place.Read.All",
            "ask",
            opens="Read the list of rooms",
            family="places",
            access="read",
            seen="used",
            seen_reason="412 calls in 30 days.",
            last_used=datetime(2026, 11, 22, 3, 0, tzinfo=UTC),
        ),
        judged(ROOMS, "User.Read.All", "ask", opens="Read every user's profile", family="users", access="read"),
        judged(
            ROOMS,
            "Default access",
            "keep",
            default_access=True,
            opens="Nothing: no permission",
            family="",
            access="",
        ),
        judged(
            DELEGATE,
            "Calendars.ReadWrite.Shared",
            "replace",
            consent="AllPrincipals",
            severity=Severity.MEDIUM,
        ),
        judged(
            DELEGATE,
            "Directory.AccessAsUser.All",
            "revoke",
            consent="AllPrincipals",
            opens="Act in the directory as the person signed in",
            family="directory",
            tier=0,
            tier_reason="With a Global Administrator signed in, it is one.",
            severity=Severity.CRITICAL,
            severity_axis="takeover",
            rule_ids=("takeover-tier", "outside-policy"),
        ),
        judged(
            DELEGATE,
            "offline_access",
            "keep",
            consent="AllPrincipals",
            opens="Stay signed in",
            access="sign-in",
            tier=2,
        ),
        *(
            judged(CALENDAR, "User.Read", "keep", principal=who, opens="Sign in and read the own profile")
            for who in people
        ),
        *(
            judged(
                FAKE,
                "Mail.ReadWrite",
                "ask",
                principal=who,
                severity=Severity.HIGH,
                severity_axis="data-reach",
                **mail,
            )
            for who in people[:3]
        ),
    )


def signed(held: tuple[JudgedGrant, ...]) -> tuple[JudgedGrant, ...]:
    """Return the grants with what an owner signed on the second one."""
    attestation = Attestation(
        state="current",
        signer="Alex Wilber",
        signed_at=datetime(2026, 10, 1, 8, 0, tzinfo=UTC),
        next_review=date(2027, 1, 1),
        text="Kept by Alex Wilber until the review of 1 Jan 2027.",
    )
    return (held[0], replace(held[1], attestation=attestation), *held[2:])


def many(number: int) -> tuple[JudgedGrant, ...]:
    """Return `number` distinct grants that no line of a table may group or fold."""
    base = [held for held in grants() if held.grant.consent != "Principal" and held.access != "sign-in"]
    return tuple(
        replace(held, grant=replace(held.grant, grant_id=guid(f"many {place}")))
        for place in range(number)
        for held in [base[place % len(base)]]
    )


RULES = (
    RuleInfo(
        id="outside-policy",
        title="Permission outside the policy",
        severity=Severity.HIGH,
        axis="data-reach",
        why="What the integration does not need, an attacker who holds the vendor's credentials can use.",
        controls=("NIST-800-53r5:AC-6", "ISO-27001-2022:A.5.18"),
    ),
    RuleInfo(
        id="takeover-tier",
        title="A meeting app can take over the tenant",
        severity=Severity.CRITICAL,
        axis="takeover",
        why="The permission leads to Global Administrator without another consent.",
        controls=("NIST-800-53r5:AC-6(5)", "STANDARD-OF-TOMORROW:1.2.3"),
    ),
    RuleInfo(
        id="app-owners",
        title="The service principal has owners",
        severity=Severity.MEDIUM,
        axis="hygiene",
        why="An owner can add credentials and act as the app.",
        controls=("ATTACK:T1098.001",),
    ),
    RuleInfo(
        id="no-sign-in",
        title="No sign-in for 90 days",
        severity=Severity.LOW,
        axis="hygiene",
        why="What nobody uses should not hold permissions.",
        controls=("NIST-800-53r5:AC-2(3)",),
    ),
    RuleInfo(
        id="unverified-publisher",
        title="The publisher is not verified",
        severity=Severity.INFO,
        axis="hygiene",
        why="Anyone can take a name; a verified publisher is checked by Microsoft.",
        controls=("NIST-800-53r5:SA-9",),
    ),
)


def subject(app: str, judged: JudgedGrant | None = None) -> Subject:
    """Return the subject of an outcome on the app, or on one grant of it."""
    if judged is None:
        return Subject(app_id=app, service_principal_id=guid(f"sp {app}"), app_name=NAMES[app])
    return Subject(
        app_id=app,
        service_principal_id=judged.grant.service_principal_id,
        app_name=NAMES[app],
        grant_id=judged.grant.grant_id,
        permission=judged.grant.permission,
        principal_id=judged.grant.principal_id,
    )


def finding(rule: RuleInfo, about: Subject, **more: Any) -> Finding:
    """Return a finding of the rule."""
    values: dict[str, Any] = {
        "finding_id": guid(f"{rule.id} {about}"),
        "rule_id": rule.id,
        "subject": about,
        "severity": rule.severity,
        "axis": rule.axis,
        "title": rule.title,
        "reason": f"{about.permission or about.app_name} is held and the policy does not allow it.",
        "remediation": "Revoke the permission with the plan, then watch sign-ins for a week.",
        "basis": "documented",
        "references": (GUIDE, "https://learn.microsoft.com/graph/permissions-reference"),
        "controls": ("NIST SP 800-53 r5 AC-6", "CIS Controls v8.1 6.8"),
    }
    return Finding(**(values | more))


def outcomes(held: tuple[JudgedGrant, ...]) -> tuple[Any, ...]:
    """Return findings, passes, rules not evaluated and a waived finding."""
    waiver = waivers()[0]
    found = [
        finding(RULES[0], subject(judged.grant.app_id, judged), severity=judged.severity or Severity.LOW)
        for judged in held
        if "outside-policy" in judged.rule_ids
    ]
    return (
        *found,
        finding(RULES[1], subject(DELEGATE, held[13])),
        Waived(finding=finding(RULES[2], subject(CALENDAR)), waiver=waiver),
        NotEvaluated(
            rule_id="no-sign-in",
            subject=subject(ROOMS),
            missing=("app.days_since_sign_in",),
            collections=("signInActivity",),
            why="The sign-in report could not be read.",
        ),
        NotEvaluated(
            rule_id="app-owners",
            subject=subject(SSO),
            missing=(),
            collections=(),
            why="The rule has a defect.",
        ),
        *(Passed(rule_id="unverified-publisher", subject=subject(app)) for app in (CALENDAR, ROOMS)),
        finding(RULES[4], subject(FAKE), references=(), controls=(), basis="inferred"),
    )


def waivers() -> tuple[Waiver, ...]:
    """Return a live waiver with and one without a permission."""
    return (
        Waiver(
            rule="app-owners",
            app=CALENDAR,
            owner="Megan Bowen",
            reason="Owner needed until the migration ends",
            expires=date(2027, 1, 31),
        ),
        Waiver(
            rule="outside-policy",
            app=ROOMS,
            owner="Megan Bowen",
            reason="Room finder pilot",
            expires=date(2027, 2, 28),
            permission="Place.Read.All",
        ),
    )


def apps() -> tuple[AuditedApp, ...]:
    """Return the five audited apps."""
    return tuple(_app(app) for app in (CALENDAR, ROOMS, DELEGATE, SSO, FAKE))


def _app(app: str) -> AuditedApp:
    match, integration, basis = INTEGRATIONS[app]
    confirmed = basis in {"documented", "configured"}
    rich = app == CALENDAR
    return AuditedApp(
        app_id=app,
        service_principal_id=guid(f"sp {app}"),
        name=NAMES[app],
        match=match,  # type: ignore[arg-type]
        match_reason="Named in the configuration." if rich else "Its appId is documented by Zoom.",
        confirm_line="" if confirmed else f'integrations: {{"{app}": personal-calendar-application}}',
        exclude_line="" if confirmed else f'exclude: ["{app}"]',
        integration=integration,
        integration_basis=basis,  # type: ignore[arg-type]
        confirmed=confirmed,
        headline=(
            "Zoom's calendar app (integration confirmed by configuration) may read and change mail and every calendar "
            "of up to 4,210 enabled accounts (Exchange limits not read). Policy: calendars only. Of 7 grants outside "
            "it, 4 can go now, 2 after a check, 1 only Zoom can answer."
            if rich
            else f"{NAMES[app]} may read and change every calendar of up to 4,210 accounts (Exchange limits not read)."
        ),
        identity=(
            ("App ID", app),
            ("Object ID", guid(f"sp {app}")),
            ("Publisher", "Zoom Video Communications, Inc. (verified)"),
            ("Home tenant", guid("zoom tenant")),
            ("Owners", "none"),
            ("Credentials", "1 certificate, expires 3 Apr 2027"),
            ("Reply URLs", "https://zoom.us/office365/callback"),
            ("Last sign-in", "21 Nov 2026 22:40 UTC"),
        ),
        still_possible=(
            (
                "Read, change and delete every event in up to 4,210 calendars, private ones too (Calendars.ReadWrite).",
                "Send meeting invitations in the name of any mailbox, through events (Calendars.ReadWrite).",
            )
            if rich
            else ("Everything that it may do now: no decision takes a permission away.",)
        ),
        not_checked=(
            NotChecked(
                what="Whether Exchange limits the app to some mailboxes",
                who="Exchange administrator",
                how="Test-ServicePrincipalAuthorization -Identity <app> -Resource <mailbox>",
            ),
            NotChecked(
                what="Which features are on in Zoom's portal",
                who="Zoom account owner",
                how="entra-audit init",
            ),
        ),
        before=(
            "Calendars: read and change",
            "Mail: read",
            "Contacts: read and change",
            "Mailbox settings: read",
            "Users: read",
            "Exchange Online: everything",
        )
        if rich
        else ("Calendars: read and change",),
        after=("Calendars: read and change",) if app != DELEGATE else (),
    )


def ledger() -> tuple[LedgerEntry, ...]:
    """Return coverage lines of every state."""

    def entry(collection: str, app: str = "", **more: Any) -> LedgerEntry:
        values: dict[str, Any] = {"state": "complete", "got": 1, "pages": 1, "faults": (), "why": "", "opens": ""}
        values |= more | {"service_principal_id": guid(f"sp {app}") if app else ""}
        return LedgerEntry(collection=collection, app_id=app, **values)

    return (
        entry("organization"),
        entry("enabledMembers", faults=("429 after 2 s",)),
        entry("servicePrincipals", got=812, pages=2),
        entry("resources", got=3),
        entry("appRoleAssignments", CALENDAR, got=8),
        entry(
            "oauth2PermissionGrants",
            CALENDAR,
            state="partial",
            got=12,
            pages=3,
            why="page 4 was never reached",
        ),
        *(
            entry(collection, app, got=0)
            for app in (ROOMS, DELEGATE, SSO, FAKE)
            for collection in ("appRoleAssignments", "oauth2PermissionGrants")
        ),
        entry(
            "signInActivity",
            ROOMS,
            state="unavailable",
            got=0,
            pages=0,
            why="403: the reader lacks a permission",
            opens="AuditLog.Read.All",
        ),
    )


def closed() -> tuple[ClosedFinding, ...]:
    """Return what became of findings that a plan was to close: gone, open again, granted again, not evaluated."""
    states = (
        ("Mail.Send", False, "", True),
        ("Contacts.Read", True, "", True),
        ("Mail.Read", True, guid("found again"), True),
        ("Files.Read.All", False, "", False),
    )
    return tuple(
        ClosedFinding(
            finding_id=guid(f"closed {permission}"),
            rule_id="outside-policy",
            title="A permission outside the policy",
            app_name=NAMES[CALENDAR],
            app_id=CALENDAR,
            permission=permission,
            resource_app_id=GRAPH[1],
            closed_at=datetime(2026, 11, 21, 20, 15, tzinfo=UTC),
            plan="a" * 64,
            journal="b" * 64,
            still_open=still_open,
            found_as=found_as,
            evaluated=evaluated,
        )
        for permission, still_open, found_as, evaluated in states
    )


def sample_result(**more: Any) -> AuditResult:
    """Return the sample audit; `more` overrides its fields."""
    held = signed(grants())
    found = [outcome for outcome in outcomes(held) if isinstance(outcome, Finding)]
    values: dict[str, Any] = {
        "tenant_id": guid("tenant"),
        "tenant_name": "Contoso (sample)",
        "taken_at": TAKEN,
        "taken_at_basis": "clock",
        "profile": "zoom",
        "profile_title": "Zoom",
        "policy_name": "minimal",
        "features": ("personal-calendar-application", "rooms-application"),
        "complete": False,
        "incomplete_reasons": (
            "oauth2PermissionGrants of Zoom is partial: page 4 was never reached.",
            "no-sign-in was not evaluated for Zoom Rooms: the sign-in report could not be read.",
        ),
        "headline": "5 apps hold 16 permissions. 5 can go now, 2 after a check, 4 need an answer first.",
        "apps": apps(),
        "seen_apps": (
            SeenApp(
                app_id="0d38933a-0bbd-41ca-9ebd-28c4b5ba7cb7",
                service_principal_id=guid("sp ediscovery"),
                name="Office365 Zoom",
                reason="Microsoft's own eDiscovery service.",
                include_line="",
            ),
            SeenApp(
                app_id=guid("team app"),
                service_principal_id=guid("sp team app"),
                name="Zoom booking helper",
                reason="Made in this tenant; only carries the word.",
                include_line=f'integrations: {{"{guid("team app")}": personal-calendar-oauth}}',
            ),
        ),
        "grants": held,
        "outcomes": outcomes(held),
        "rules": RULES,
        "waivers": waivers(),
        "expired_waivers": (
            Waiver(
                rule="no-sign-in",
                app=SSO,
                owner="Alex Wilber",
                reason="Pilot starts in May",
                expires=date(2026, 6, 30),
            ),
        ),
        "accepted_gaps": (
            AcceptedGap(
                collection="signInActivity",
                owner="Megan Bowen",
                reason="No Entra ID P1 licence",
                expires=date(2027, 3, 31),
            ),
        ),
        "expired_gaps": (
            AcceptedGap(
                collection="grantEvents",
                owner="Megan Bowen",
                reason="Log export under way",
                expires=date(2026, 9, 30),
            ),
        ),
        "ledger": ledger(),
        "notes": ("The audit log reaches back 30 days; older consents have no name.",),
        "closed": closed(),
        "drift": sample_drift(held, found, waivers()[0], tenant_id=guid("tenant"), after=TAKEN),
        "history": sample_head(),
        "provenance": Provenance(
            tool_version="0.1.0",
            snapshot_sha256="ab" * 32,
            rules_sha256="cd" * 32,
            configuration_sha256="ef" * 32,
            source_kind="sample",
            cloud="public",
            reader_app_id=guid("reader"),
            audit_log_since=datetime(2026, 10, 23, tzinfo=UTC),
        ),
    }
    return AuditResult(**(values | more))
