"""The digest: the worst first, short enough for a chat, and nothing of a tenant's words comes alive in it."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from auditor.delivery.digest import BODY, TITLE, Digest, digest, digest_of_error, worth_telling
from auditor.model.drift import Act, Drift, FindingChange, GrantChange
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
        "contoso (Zoom): watching has begun. Findings: 2 high.",
        "",
        "Exit code 3. Report: out/w.html",
    ]
    assert found.tone == "failure"
    assert made(GOOD).tone == "warning"
    assert made(replace(GOOD, change=QUIET), drift=None).body.startswith("Nothing changed.")


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
    many = replace(DRIFT, grants=(CAME,) * number, findings=(NEW,) * number)
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
        )
        audits = (replace(GOOD, tenant_name=text, app_title=text), replace(FAILED, why=(text,), app_title=text))
        for names in (False, True):
            found = made(*audits, drift=drift, names=names)
            assert len(found.body) <= BODY
            assert not re.search(r"[<>&@*_~`|\[\]\\#]|://|\.\w", found.body.replace("out/w.html", "")), text
            assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f]", found.body)
            assert len(found.body.splitlines()) == 7
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
