"""What junit.xml promises a build server, read by junitparser."""

from __future__ import annotations

from collections import Counter

import pytest
from junitparser import Error, Failure, JUnitXml, Skipped, TestSuite
from msgspec.structs import replace

from auditor.model.outcome import AuditResult, Finding, NotEvaluated, Passed, Severity, Waived
from auditor.reporters.junit import render
from tests.reporters.sample import CALENDAR, FAKE, RULES, finding, guid, sample_result, subject, waivers


def suites(result: AuditResult) -> dict[str, TestSuite]:
    return {str(suite.name): suite for suite in JUnitXml.fromstring(render(result)["junit.xml"].decode())}


def test_each_outcome_has_the_sign_that_a_build_server_knows(result: AuditResult) -> None:
    """A finding fails, a rule that was not evaluated is an error, a waived one is skipped, a pass has nothing."""
    signs = {Finding: Failure, NotEvaluated: Error, Waived: Skipped}
    expected = Counter(signs.get(type(outcome)) for outcome in result.outcomes)
    expected[Error] += len(result.incomplete_reasons)
    cases = [case for suite in suites(result).values() for case in suite]
    assert Counter(type(case.result[0]) if case.result else None for case in cases) == expected
    assert {len(case.result) for case in cases} == {0, 1}
    root = JUnitXml.fromstring(render(result)["junit.xml"].decode())
    assert (root.tests, root.failures, root.errors, root.skipped) == (
        len(cases), expected[Failure], expected[Error], expected[Skipped],
    )  # fmt: skip


def test_a_failure_tells_severity_reason_and_what_to_do() -> None:
    worst = finding(RULES[0], subject(CALENDAR), severity=Severity.CRITICAL, reason="Too much (sample).")
    made = sample_result(outcomes=(worst,), complete=True, incomplete_reasons=())
    [case] = suites(made)[f"Zoom ({CALENDAR})"]
    [failure] = case.result
    assert (failure.type, failure.message) == ("critical", worst.title)
    assert failure.text.splitlines() == ["Too much (sample).", worst.remediation, *worst.references]
    assert case.name == "outside-policy"


def test_a_waived_case_names_the_waiver(result: AuditResult) -> None:
    [skipped] = [
        one for suite in suites(result).values() for case in suite for one in case.result if isinstance(one, Skipped)
    ]
    assert skipped.message == "Waived by Megan Bowen: Owner needed until the migration ends (until 2027-01-31)"


def test_an_incomplete_audit_has_a_first_suite_of_errors(result: AuditResult) -> None:
    """INCOMPLETE, with an error for each reason, and never a skip; a complete audit has no such suite."""
    name, suite = next(iter(suites(result).items()))
    assert name == "INCOMPLETE"
    assert [case.result[0].message for case in suite] == [f"INCOMPLETE: {one}" for one in result.incomplete_reasons]
    assert suite.skipped == suite.failures == 0
    assert "INCOMPLETE" not in suites(sample_result(complete=True, incomplete_reasons=()))


def test_incomplete_without_a_reason_is_an_error_too() -> None:
    assert suites(sample_result(incomplete_reasons=(), outcomes=()))["INCOMPLETE"].errors == 1


def test_each_suite_says_of_what_and_when(result: AuditResult) -> None:
    """One suite for each app, also for one without outcomes; all with tenant, moment and completeness."""
    assert [*suites(result)][1:] == [f"{app.name} ({app.app_id})" for app in result.apps]
    for suite in suites(result).values():
        told = {one.name: one.value for one in suite.properties()}  # type: ignore[no-untyped-call]
        assert (told["tenant_id"], told["taken_at"]) == (result.tenant_id, "2026-11-22T09:14:00Z")
        assert told["complete"] == "false"
        assert suite.timestamp == "2026-11-22T09:14:00"


def people(number: int, kind: type[Finding | NotEvaluated | Passed]) -> list[Finding | NotEvaluated | Passed]:
    """Return outcomes of one rule on as many people's consents to one permission."""
    about = replace(subject(CALENDAR), permission="Mail.Read", kind="delegated")
    each = [replace(about, principal_id=guid(f"{kind} {one}"), grant_id=guid(f"g {one}")) for one in range(number)]
    if kind is Finding:
        return [finding(RULES[0], one) for one in each]
    if kind is Passed:
        return [Passed(rule_id=RULES[0].id, subject=one) for one in each]
    return [NotEvaluated(rule_id=RULES[0].id, subject=one, missing=(), collections=(), why="Cut.") for one in each]


@pytest.mark.parametrize(
    ("outcomes", "sign", "told"),
    [
        ([*people(3, Finding), *people(2, NotEvaluated), *people(4, Passed)], Failure, "3 of 9 subjects"),
        ([*people(4, Passed), *people(1, NotEvaluated)], Error, "1 of 5 subjects"),
        ([*people(4, Passed)], None, ""),
    ],
)
def test_many_peoples_consents_are_one_case_and_the_worst_speaks(
    outcomes: list[Finding | NotEvaluated | Passed], sign: type | None, told: str
) -> None:
    """What was not evaluated for one person is no pass of the case."""
    made = sample_result(outcomes=tuple(outcomes), complete=True, incomplete_reasons=())
    [case] = suites(made)[f"Zoom ({CALENDAR})"]
    assert case.name == "outside-policy: Mail.Read, delegated"
    assert [type(one) for one in case.result] == ([sign] if sign else [])
    assert told in "".join(one.text for one in case.result)


def test_a_waiver_does_not_hide_what_was_not_evaluated() -> None:
    about = replace(subject(FAKE), permission="Mail.Read")
    both = (
        Waived(finding=finding(RULES[0], about), waiver=waivers()[0]),
        NotEvaluated(rule_id=RULES[0].id, subject=about, missing=(), collections=(), why="Cut."),
    )
    [case] = suites(sample_result(outcomes=both))[f"Z\u043e\u043em ({FAKE})"]
    assert [type(one) for one in case.result] == [Error]


def test_apps_that_were_not_read_have_a_suite() -> None:
    """A rule that could not be evaluated for apps nobody could list stands under no app's name."""
    nobody = replace(subject(FAKE), app_id="", app_name="", service_principal_id="")
    gap = NotEvaluated(rule_id=RULES[0].id, subject=nobody, missing=(), collections=("servicePrincipals",), why="403")
    suite = suites(sample_result(outcomes=(gap,), apps=()))["Apps that were not read"]
    assert suite.errors == 1
