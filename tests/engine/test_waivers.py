"""Waivers: what they cover, and until when."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from auditor.engine.waivers import apply, check_waivers
from auditor.errors import ConfigurationError
from auditor.model.outcome import Finding, NotEvaluated, Passed, Severity, Subject, Waived, Waiver

APP = "33333333-3333-4333-8333-333333333333"
SUBJECT = Subject(
    app_id=APP,
    service_principal_id="sp",
    app_name="Zoom",
    permission="Mail.Read",
    kind="application",
    resource_app_id="00000003-0000-0000-c000-000000000000",
)
FINDING = Finding(
    finding_id="f",
    rule_id="mail-on-calendar-app",
    subject=SUBJECT,
    severity=Severity.HIGH,
    axis="data-reach",
    title="t",
    reason="r",
    remediation="m",
    basis="documented",
    references=(),
    controls=(),
)


def waiver(**changes: str | date) -> Waiver:
    values = {
        "rule": FINDING.rule_id,
        "app": APP,
        "owner": "dana@contoso.example",
        "reason": "sample",
        "expires": date(2026, 11, 30),
    }
    return Waiver(**{**values, **changes})  # type: ignore[arg-type]


def at(day: int, hour: int = 12, month: int = 11) -> datetime:
    return datetime(2026, month, day, hour, tzinfo=UTC)


@pytest.mark.parametrize(
    "covering",
    [waiver(), waiver(permission="Mail.Read"), waiver(app=APP.upper())],
    ids=["app", "permission", "case of the id"],
)
def test_a_waiver_covers_its_finding(covering: Waiver) -> None:
    """A finding of the rule on the app, and on the permission where one is named, is waived and keeps all it says."""
    outcomes, expired = apply((FINDING,), (covering,), taken_at=at(1))
    assert outcomes == (Waived(finding=FINDING, waiver=covering),)
    assert expired == ()


@pytest.mark.parametrize(
    "other",
    [
        waiver(rule="outside-policy"),
        waiver(app="another"),
        waiver(permission="Mail.Send"),
        waiver(permission="Mail.Read@delegated"),
        waiver(permission="exchange/Mail.Read"),
    ],
    ids=["rule", "app", "permission", "kind", "resource"],
)
def test_a_waiver_covers_nothing_else(other: Waiver) -> None:
    """A finding of another rule, app or permission stays a finding; kind and resource belong to the permission."""
    assert apply((FINDING,), (other,), taken_at=at(1))[0] == (FINDING,)


def test_the_day_of_expiry_still_counts() -> None:
    """A waiver holds through its last day, judged by when the data was taken."""
    assert isinstance(apply((FINDING,), (waiver(),), taken_at=at(30, 23))[0][0], Waived)
    outcomes, expired = apply((FINDING,), (waiver(),), taken_at=at(1, 0, month=12))
    assert outcomes == (FINDING,)
    assert expired == (waiver(),)


def test_an_expired_waiver_gives_way_to_a_valid_one() -> None:
    """One that has expired is told, and the next one that is valid covers."""
    old, new = waiver(expires=date(2026, 1, 1)), waiver(reason="renewed")
    outcomes, expired = apply((FINDING,), (old, new), taken_at=at(1))
    assert outcomes == (Waived(finding=FINDING, waiver=new),)
    assert expired == (old,)


def test_only_findings_are_waived() -> None:
    """What was not evaluated cannot be waived, and a pass needs no waiver."""
    rest = (
        Passed(rule_id=FINDING.rule_id, subject=SUBJECT),
        NotEvaluated(rule_id=FINDING.rule_id, subject=SUBJECT, missing=("x",), collections=(), why="w"),
    )
    assert apply(rest, (waiver(),), taken_at=at(1))[0] == rest


def test_a_waiver_of_an_unknown_rule_is_refused() -> None:
    """A misspelled rule would waive nothing in silence: it is an error that names the place and the likely rule."""
    known = ["mail-on-calendar-app", "owners"]
    check_waivers((waiver(),), known, "waivers")
    with pytest.raises(ConfigurationError) as caught:
        check_waivers((waiver(), waiver(rule="owner")), known, "entra-audit.yaml: waivers")
    assert "entra-audit.yaml: waivers[1].rule" in str(caught.value)
    assert "Did you mean 'owners'?" in str(caught.value)
    with pytest.raises(ConfigurationError, match="There is no rule 'zzz'"):
        check_waivers((waiver(rule="zzz"),), known, "waivers")
