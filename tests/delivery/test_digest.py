"""The digest: the worst first, short enough for a chat, and nothing of a tenant's words comes alive in it."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from auditor.delivery.digest import BODY, TITLE, Digest, digest, digest_of_error, worth_telling
from auditor.model.drift import Act, AppChange, Drift, FindingChange, GrantChange, WaiverChange
from auditor.model.grant import Grant
from auditor.model.history import HistoryHead
from auditor.model.outcome import Severity
from auditor.model.watch import Change, Watch, WatchedAudit
from tests.hostile import FAMILIES

APP = "33333333-3333-4333-8333-333333333333"  # Sample ids and names.
AT = datetime(2026, 11, 20, 9, 14, tzinfo=UTC)
CAME = GrantChange(
    what="added",
    certain=True,
    before=None,
    after=Grant(
        service_principal_id=APP,
        app_id=APP,
        app_name="Zoom Calendar",
        kind="application",
        consent="",
        principal_id="",
        resource_id=APP,
        resource_app_id=APP,
        resource_name="Microsoft Graph",
        permission="Mail.Read",
        permission_id="",
        known=True,
        grant_id="g",
    ),
    decision="revoke",
    acts=(Act(id="1", at=AT, activity="Consent to application", actor="sam.rivera@contoso.example"),),
)
assert CAME.after
WENT = replace(CAME, what="removed", before=replace(CAME.after, permission="Calendars.Read"), after=None, acts=())
NEW = FindingChange(
    what="new",
    finding_id="f",
    rule_id="outside-policy",
    severity="high",
    axis="data-reach",
    title="Outside the policy",
    app_id=APP,
    app_name="Zoom Calendar",
    permission="Mail.Read",
)
MILD = replace(NEW, severity="low", title="No owner", permission="")
DRIFT = Drift(
    tenant_id=APP,
    profile="zoom",
    before_taken_at=AT,
    before_snapshot_sha256="",
    after_taken_at=AT,
    after_snapshot_sha256="",
    grants=(CAME, WENT),
    findings=(MILD, NEW),
)
CHANGE = Change(
    granted=1,
    gone=1,
    maybe_granted=0,
    maybe_gone=0,
    missed=0,
    uncertain=0,
    judged_anew=0,
    apps=0,
    new_findings={Severity.HIGH: 1, Severity.LOW: 1},
    closed_findings=0,
    waived_findings=0,
    no_longer_evaluated=0,
    waivers=0,
)
QUIET = replace(CHANGE, granted=0, gone=0, new_findings={})
GOOD = WatchedAudit(tenant="contoso", app="zoom", app_title="Zoom", state="complete", exit_code=1, change=CHANGE)
FAILED = WatchedAudit(
    tenant="fabrikam",
    app="zoom",
    app_title="Zoom",
    state="failed",
    exit_code=3,
    why=("AADSTS7000215: a wrong secret.",),
)
PARTIAL = replace(
    GOOD, tenant="northwind", state="incomplete", exit_code=3, why=("No owners.", "No logs."), change=None
)
BEGUN = replace(
    GOOD,
    change=None,
    findings={Severity.HIGH: 2},
    history=HistoryHead(number=1, sha256="0" * 64, previous_run=0),
)


def made(*audits: WatchedAudit, drift: Drift | None = DRIFT, names: bool = False, where: str = "out/w.html") -> Digest:
    told = [(audit, drift if audit.change else None) for audit in audits]
    return digest(told, exit_code=max(audit.exit_code for audit in audits), where=where, names=names)


def test_the_worst_comes_first() -> None:
    """Failures, what is incomplete, new findings by severity, what came, what went, and where the report lies."""
    found = made(GOOD, PARTIAL, FAILED, BEGUN)
    assert found.title == "entra-audit: 1 failed, 1 INCOMPLETE, 2 new findings, worst high, 1 came, 1 went"
    assert found.body.splitlines() == [
        "FAILED fabrikam (Zoom): AADSTS7000215: a wrong secret.",
        "INCOMPLETE northwind (Zoom): No owners. and 1 more reason",
        "contoso (Zoom): new findings: 1 high and 1 low; 1 permission came and 1 permission went",
        "contoso: new, high: Outside the policy (Zoom Calendar, Mail.Read)",
        "contoso: new, low: No owner (Zoom Calendar)",
        "contoso: came: Mail.Read (application) of Zoom Calendar on 20 Nov 2026 09\ua78914 UTC, revoke",
        "contoso: went: Calendars.Read (application) of Zoom Calendar",
        "northwind (Zoom): nothing to compare with. Findings: none in what was read.",
        "contoso (Zoom): watching has begun. Findings: 2 high.",
        "",
        "Exit code 3. Report: out/w.html",
    ]
    assert found.tone == "failure"
    assert made(GOOD).tone == "warning"
    assert made(replace(GOOD, change=QUIET), drift=None).body.startswith("Nothing changed.")


def test_what_is_not_certain_is_not_said_as_if_it_were() -> None:
    """A permission that only was not read has not gone, in the title neither; a finding may have been open before."""
    unsure = replace(
        DRIFT,
        grants=(replace(CAME, certain=False), replace(WENT, certain=False, decision="keep")),
        findings=(replace(NEW, certain=False),),
        apps=(AppChange(app_id=APP, service_principal_id=APP, app_name="Zoom", what="owners", certain=False),),
    )
    change = replace(CHANGE, maybe_granted=1, maybe_gone=1, apps=1, uncertain=2, new_findings={Severity.HIGH: 1})
    found = made(replace(PARTIAL, change=change), drift=unsure)
    assert found.title == "entra-audit: 1 INCOMPLETE, 1 new finding, worst high, 1 may have come, 1 may ha…"
    assert found.body.splitlines()[1:-2] == [
        (
            "northwind (Zoom): new findings: 1 high; 1 permission may have come and 1 permission may have gone; "
            "1 change of apps; 2 of the new findings and changes of apps not certain"
        ),
        (
            "northwind: new, high: Outside the policy (Zoom Calendar, Mail.Read), "
            "not certain: it may have been open before"
        ),
        "northwind: may have come: Mail.Read (application) of Zoom Calendar on 20 Nov 2026 09\ua78914 UTC, revoke",
        "northwind: app Zoom: owners, not certain",
        "northwind: may have gone: Calendars.Read (application) of Zoom Calendar",
    ]


def test_a_permission_that_was_to_stay_and_went_is_told_before_new_findings() -> None:
    """Meetings may fail on it; so may a chat that hears of nothing else."""
    drift = replace(DRIFT, grants=(CAME, replace(WENT, decision="keep-and-scope")))
    found = made(replace(GOOD, change=replace(CHANGE, missed=1)), drift=drift)
    assert found.title.startswith("entra-audit: 1 lost unplanned, 2 new findings")
    assert found.body.splitlines()[:2] == [
        (
            "contoso (Zoom): new findings: 1 high and 1 low; 1 permission came and 1 permission went; "
            "1 of them without a decision to take it, so meetings may fail"
        ),
        "contoso: went: Calendars.Read (application) of Zoom Calendar. It was to stay: meetings that need it may fail",
    ]
    asked = made(GOOD, drift=replace(drift, grants=(replace(WENT, decision="ask"),)))
    assert "Nobody had decided to take it: meetings that need it may fail" in asked.body
    lost = replace(QUIET, gone=1, missed=1)
    assert (
        made(replace(GOOD, change=lost), drift=replace(drift, grants=drift.grants[1:], findings=())).tone == "warning"
    )


def test_why_it_is_judged_otherwise_is_told() -> None:
    """Other rules make new findings in a tenant where nothing changed; a lapsed waiver does too."""
    waiver = WaiverChange(
        what="lapsed", rule="outside-policy", app="zoom", permission="Mail.Read", owner="d", expires="2026-11-20"
    )
    drift = replace(DRIFT, grants=(), findings=(), waivers=(waiver,), notes=("The rules are not the same.",) * 3)
    found = made(replace(GOOD, change=replace(QUIET, waivers=1)), drift=drift)
    assert found.body.splitlines()[1:-2] == [
        "contoso: The rules are not the same.",
        "contoso: waiver lapsed: outside-policy, zoom, Mail․Read",
    ]


def test_what_reads_alike_is_said_once() -> None:
    """Twelve people consent to one permission: one line says so, and the others have their place."""
    found = made(GOOD, drift=replace(DRIFT, grants=(CAME,) * 12 + (WENT,), findings=()))
    assert found.body.splitlines()[1:-2] == [
        "contoso: came: Mail.Read (application) of Zoom Calendar on 20 Nov 2026 09\ua78914 UTC, revoke (12 times)",
        "contoso: went: Calendars.Read (application) of Zoom Calendar",
    ]


def test_what_was_not_compared_is_not_called_unchanged() -> None:
    """In the title; and the text says of which tenant."""
    quiet, unknown = replace(GOOD, change=QUIET), replace(GOOD, tenant="fabrikam", change=None)
    assert made(quiet, drift=None).title == "entra-audit: nothing changed"
    found = made(quiet, unknown, drift=None)
    assert found.title == "entra-audit: not all could be compared"
    assert found.body.startswith("fabrikam (Zoom): nothing to compare with.")
    assert made(unknown, drift=None).title == "entra-audit: not compared"


def test_people_are_named_only_if_told() -> None:
    """Who granted it, and whatever looks like a mail address anywhere else."""
    odd = replace(GOOD, tenant="t", app_title="of dana@contoso.example")
    failed = replace(FAILED, why=("No account dana@contoso.example here.",))
    silent, loud = made(odd, failed), made(odd, failed, names=True)
    assert not re.search(r"sam\.rivera|dana|[@\uff20]", silent.body + silent.title)
    assert "No account (a person) here." in silent.body
    assert "by sam․rivera＠contoso․example on 20 Nov 2026" in loud.body
    assert "dana＠contoso․example" in loud.body
    words = "No access of dana@contoso.example."
    assert "dana" not in digest_of_error(words, exit_code=2, names=False).body


@pytest.mark.parametrize("number", [0, 1, 40, 400])
def test_it_fits_a_chat(number: int) -> None:
    """However much changed; what is left out is counted, and the last line with the report is always there."""
    opened = [replace(NEW, title=f"Outside {place}") for place in range(number)]
    many = replace(DRIFT, grants=(CAME,) * number, findings=tuple(opened))
    huge = replace(CHANGE, granted=number, new_findings={Severity.HIGH: number})
    found = made(*[replace(GOOD, change=huge)] * 9, FAILED, drift=many, where="/long" * 100)
    assert len(found.title) <= TITLE
    assert len(found.body) <= BODY
    assert found.body.startswith("FAILED fabrikam")
    assert found.body.endswith("/long")
    assert ("more line" in found.body) == (number > 0)
    error = digest_of_error("w" * 9999, exit_code=2, names=False)
    assert len(error.body) <= BODY
    assert error.body.startswith("The watch could not run: www")
    assert error.body.endswith("Exit code 2.")


@pytest.mark.parametrize("family", FAMILIES)
def test_no_word_of_a_tenant_comes_alive(family: str) -> None:
    """In Markdown, HTML and chats: no mark-up, no link, no mention, no control, and every line is ours."""
    for text in FAMILIES[family]:
        grant = replace(CAME.after, app_name=text, permission=text)  # type: ignore[type-var]
        act = Act(id="1", at=AT, activity=text, actor=text)
        drift = replace(
            DRIFT,
            grants=(replace(CAME, after=grant, acts=(act,)), replace(WENT, before=grant)),
            findings=(replace(NEW, app_name=text, title=text, permission=text),),
            apps=(
                AppChange(app_id=APP, service_principal_id=APP, app_name=text, what=text, certain=True, acts=(act,)),
            ),
            waivers=(WaiverChange(what="lapsed", rule=text, app=text, permission=text, owner=text, expires=text),),
            notes=(text,),
        )
        audits = (replace(GOOD, tenant_name=text, app_title=text), replace(FAILED, why=(text,), app_title=text))
        for names in (False, True):
            found = made(*audits, drift=drift, names=names)
            assert len(found.body) <= BODY
            assert not re.search(r"[<>&@*_~`|\[\]\\#]|://|\.\w", found.body.replace("out/w.html", "")), text
            assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f]", found.body)
            ours = re.compile(r"FAILED fabrikam |contoso[: ]|and \d more lines?: |Exit code |$")
            assert all(ours.match(line) for line in found.body.splitlines()), text
            assert found.body.count("\n") == 9 or "more line" in found.body
            assert found.body.encode()
            assert found.title == "entra-audit: 1 failed, 2 new findings, worst high, 1 came, 1 went"


def test_when_anybody_has_to_know() -> None:
    """On a change, a failure, an incomplete audit and the first kept run; on none else, unless asked for."""
    quiet = replace(GOOD, change=QUIET)
    unknown = replace(GOOD, change=None)

    def worth(*audits: WatchedAudit, unchanged: bool = False) -> bool:
        return worth_telling(Watch(tool_version="1", exit_code=0, audits=audits), unchanged=unchanged)

    assert not worth(quiet)
    assert not worth(quiet, unknown)
    assert worth(quiet, unchanged=True)
    for audit in (GOOD, FAILED, PARTIAL, BEGUN):
        assert worth(quiet, audit)
    for field in ("granted", "gone", "judged_anew", "apps", "closed_findings", "no_longer_evaluated", "waivers"):
        assert worth(replace(quiet, change=replace(QUIET, **{field: 1})))
