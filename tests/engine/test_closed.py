"""What is said of findings that a plan was to close: only what its journal shows as done, held against a new audit."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec.structs import replace

from auditor.engine.closed import closed_by
from auditor.model.outcome import AuditResult, Finding, NotEvaluated, Waived
from auditor.model.plan import Begin, Closes, End, Intent, Line, Result
from tests.remedy.plans import steps
from tests.reporters.sample import CALENDAR, guid, sample_result

START = datetime(2026, 11, 21, 20, 0, tzinfo=UTC)
PLAN, JOURNAL = "a" * 64, "b" * 64
TITLES = {"outside-policy": "A permission outside the policy"}
RESULT = sample_result()
FOUND = next(o for o in RESULT.outcomes if isinstance(o, Finding))
CLOSES = (Closes(finding_id=guid("closed finding"), rule_id="outside-policy", severity=FOUND.severity),)


def begin(**more: Any) -> Begin:
    values: dict[str, Any] = {
        "purpose": "revoke",
        "plan": PLAN,
        "approved_hash": "",
        "tenant_id": "",
        "cloud": "public",
    }
    return Begin(at=START, by="apply", **(values | more))


def intent(step: str, change: int = 0, closes: tuple[Closes, ...] = CLOSES, app_id: str = CALENDAR) -> Intent:
    doing = steps()[0].changes[0]
    return Intent(
        at=START,
        step=step,
        change=change,
        write=doing.write,
        doing=doing,
        app_id=app_id,
        resource_app_id="",
        permissions=("Mail.Read", "Mail.Send"),
        permission_ids=("", ""),
        closes=closes,
    )


def result(step: str, change: int = 0, outcome: Any = "done", minutes: int = 1) -> Result:
    return Result(at=START + timedelta(minutes=minutes), step=step, change=change, outcome=outcome)


def end() -> End:
    return End(at=START, done=1)


def closed(*lines: Line, audit: AuditResult = RESULT) -> tuple[Any, ...]:
    return closed_by(lines, audit, TITLES, journal=JOURNAL)


def ids(*lines: Line) -> list[str]:
    return [one.finding_id for one in closed(*lines)]


def test_a_done_step_closes_its_findings() -> None:
    """What, which app, which permission, when, by which plan and journal; gone in the new audit."""
    [one] = closed(begin(), intent("s"), result("s"), end())
    assert (one.finding_id, one.rule_id, one.title) == (
        CLOSES[0].finding_id,
        "outside-policy",
        TITLES["outside-policy"],
    )
    assert (one.app_id, one.app_name, one.permission) == (CALENDAR, "Zoom", "Mail.Read, Mail.Send")
    assert (one.closed_at, one.plan, one.journal) == (START + timedelta(minutes=1), PLAN, JOURNAL)
    assert not one.still_open


def test_every_change_of_a_step_has_to_be_done() -> None:
    """One that failed, was refused, is unverified or was cut keeps the whole step's findings from the list."""
    first: list[Line] = [begin(), intent("s", 0), result("s", 0)]
    for outcome in ("failed", "unverified"):
        assert ids(*first, intent("s", 1), result("s", 1, outcome), end()) == []
    assert ids(*first, result("s", 1, "refused"), end()) == []
    assert ids(*first, intent("s", 1), end()) == []
    assert ids(*first, intent("s", 1), result("s", 1), end()) == [CLOSES[0].finding_id]


def test_a_step_that_a_crash_cut_is_not_taken_for_whole() -> None:
    """Without an end or a later step nobody knows whether more changes were to come; the next run tells."""
    cut: list[Line] = [begin(), intent("s", 0), result("s", 0)]
    assert ids(*cut) == []
    assert ids(*cut, begin()) == []
    assert ids(*cut, begin(), intent("s", 1), result("s", 1, "failed"), end()) == []
    assert ids(*cut, begin(), intent("t", closes=())) == [CLOSES[0].finding_id]
    assert ids(*cut, begin(), end()) == [CLOSES[0].finding_id]


def test_the_last_word_on_a_change_counts() -> None:
    """A later success takes the place of a failure; what was refused later was not sent and takes nothing back."""
    failed: list[Line] = [begin(), intent("s"), result("s", outcome="failed"), end()]
    assert ids(*failed) == []
    assert ids(*failed, begin(), intent("s"), result("s"), end()) == [CLOSES[0].finding_id]
    assert ids(begin(), intent("s"), result("s"), result("s", outcome="refused"), end()) == [CLOSES[0].finding_id]
    assert ids(begin(), intent("s"), result("s"), begin(), intent("s"), end()) == []


def test_an_undo_closes_nothing() -> None:
    """Its lines are no one's to count, and neither is what stands before any beginning."""
    assert ids(begin(purpose="undo"), intent("s"), result("s"), end()) == []
    assert ids(intent("s"), result("s"), end()) == []


def test_a_finding_that_is_there_again_is_still_open() -> None:
    """Found again, or found and waived: open; the rest of the audit does not matter."""
    back = (Closes(finding_id=FOUND.finding_id, rule_id=FOUND.rule_id, severity=FOUND.severity),)
    [one] = closed(begin(), intent("s", closes=back), result("s"), end())
    assert one.still_open
    assert one.title == TITLES.get(FOUND.rule_id, FOUND.rule_id)
    [waived] = [o for o in RESULT.outcomes if isinstance(o, Waived)][:1]
    under = (Closes(finding_id=waived.finding.finding_id, rule_id=waived.rule_id, severity=FOUND.severity),)
    [other] = closed(begin(), intent("s", closes=under), result("s"), end())
    assert other.still_open


def test_what_could_not_be_evaluated_is_not_said_to_be_gone() -> None:
    """Where the audit has a gap for the rule and app, or does not hold the app, the finding is not evaluated."""
    gap = NotEvaluated(
        rule_id="outside-policy", subject=replace(FOUND.subject, app_id=CALENDAR), missing=(), collections=(), why=""
    )
    audit = replace(RESULT, outcomes=(*RESULT.outcomes, gap))
    lines = (begin(), intent("s"), result("s"), end())
    assert [one.evaluated for one in closed(*lines)] == [True]
    assert [one.evaluated for one in closed(*lines, audit=audit)] == [False]
    [elsewhere] = closed(begin(), intent("s", app_id=guid("gone")), result("s"), end())
    assert (elsewhere.evaluated, elsewhere.app_name) == (False, "")


def test_findings_stand_once_in_the_order_of_their_closing() -> None:
    """A bulk step that names a finding with every change gives it once, at the time of its last change."""
    other = (replace(CLOSES[0], finding_id=guid("another")),)
    lines = (
        begin(),
        intent("later", closes=other), result("later", minutes=9),
        intent("s", 0), result("s", 0, minutes=1),
        intent("s", 1), result("s", 1, minutes=2),
        end(),
    )  # fmt: skip
    found = closed(*lines)
    assert [(one.finding_id, one.closed_at.minute) for one in found] == [
        (CLOSES[0].finding_id, 2),
        (guid("another"), 9),
    ]
