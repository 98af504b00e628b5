"""JUnit XML: junit.xml, for what a build server shows as tests.

A suite for each app, a case for each rule and subject: each person's consent to one permission counts in the same
case. The worst outcome speaks: a finding is a failure whose type is the severity, a rule that was not evaluated is an
error and never skipped, a waived finding is skipped with the waiver. Where the audit is incomplete, the first suite is
called INCOMPLETE and holds an error for each reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from auditor.model.outcome import AuditResult, Finding, NotEvaluated, Outcome, Subject, Waived
from auditor.model.text import count
from auditor.reporters import Reporter
from auditor.reporters.text import cell, prose

Cases = dict[tuple[str, ...], list[Outcome]]
"""Rule and subject, without the person, to their outcomes."""


def render(result: AuditResult) -> dict[str, bytes]:
    """Return junit.xml."""
    root = Element("testsuites", name=prose(f"entra-audit {result.profile}"))
    if not result.complete:
        _incomplete(root, result)
    apps: dict[str, tuple[str, Cases]] = {
        app.service_principal_id: (f"{app.name} ({app.app_id})", {}) for app in result.apps
    }
    for outcome in result.outcomes:
        about = outcome.subject
        named = f"{about.app_name} ({about.app_id})" if about.app_id else "Apps that were not read"
        cases = apps.setdefault(about.service_principal_id, (named, {}))[1]
        cases.setdefault((outcome.rule_id, *_place(about)), []).append(outcome)
    titles = {rule.id: rule.title for rule in result.rules}
    for name, cases in apps.values():
        suite = _suite(root, name, result)
        for (rule, *_), outcomes in cases.items():
            _case(suite, name, titles.get(rule, ""), outcomes)
    for element in (*root, root):
        _count(element)
    indent(root)
    return {"junit.xml": tostring(root, encoding="utf-8", xml_declaration=True) + b"\n"}


def _place(about: Subject) -> tuple[str, ...]:
    return about.resource_app_id, about.kind, about.permission


def _suite(root: Element, name: str, result: AuditResult) -> Element:
    at = result.taken_at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds")
    suite = SubElement(root, "testsuite", name=prose(name), timestamp=at, hostname="localhost", id=str(len(root)))
    properties = SubElement(suite, "properties")
    for key, value in (
        ("tenant_id", result.tenant_id),
        ("tenant_name", result.tenant_name),
        ("taken_at", cell(result.taken_at)),
        ("policy", result.policy_name),
        ("complete", cell(result.complete)),
        ("snapshot_sha256", result.provenance.snapshot_sha256),
    ):
        SubElement(properties, "property", name=key, value=prose(value))
    return suite


def _incomplete(root: Element, result: AuditResult) -> None:
    suite = _suite(root, "INCOMPLETE", result)
    for number, reason in enumerate(result.incomplete_reasons or ("The reasons are not recorded.",), 1):
        case = SubElement(suite, "testcase", classname="INCOMPLETE", name=f"reason {number}", time="0")
        error = SubElement(case, "error", type="incomplete", message=f"INCOMPLETE: {prose(reason)}")
        error.text = "What is missing is not known to be fine."


def _case(suite: Element, app: str, title: str, outcomes: Sequence[Outcome]) -> None:
    about = outcomes[0].subject
    of = ", ".join(filter(None, (about.permission, about.kind, about.resource_app_id)))
    name = prose(f"{outcomes[0].rule_id}: {of}" if of else outcomes[0].rule_id)
    case = SubElement(suite, "testcase", classname=prose(app), name=name, time="0")
    findings = [outcome for outcome in outcomes if isinstance(outcome, Finding)]
    gaps = [outcome for outcome in outcomes if isinstance(outcome, NotEvaluated)]
    waived = [outcome for outcome in outcomes if isinstance(outcome, Waived)]
    if findings:
        worst = min(findings, key=lambda finding: finding.severity.rank)
        failure = SubElement(case, "failure", type=worst.severity, message=prose(worst.title or title))
        failure.text = _text((worst.reason, worst.remediation, *worst.references), len(findings), outcomes)
    elif gaps:
        error = SubElement(case, "error", type="not-evaluated", message=prose(f"Not evaluated: {gaps[0].why}"))
        error.text = _text((title, *gaps[0].collections), len(gaps), outcomes)
    elif waived:
        waiver = waived[0].waiver
        text = f"Waived by {waiver.owner}: {waiver.reason} (until {waiver.expires.isoformat()})"
        SubElement(case, "skipped", message=prose(text))


def _text(lines: Iterable[str], number: int, outcomes: Sequence[Outcome]) -> str:
    """Return the lines, and how many of the subjects they speak of where there are several."""
    of = [f"{number:,} of {count(len(outcomes), 'subject')}"] if len(outcomes) > 1 else []
    return "\n".join(prose(line) for line in (*lines, *of) if line)


def _count(element: Element) -> None:
    numbers = {"tests": "testcase", "failures": "failure", "errors": "error", "skipped": "skipped"}
    for name, tag in numbers.items():
        element.set(name, str(sum(1 for _ in element.iter(tag))))
    element.set("time", "0")


REPORTER = Reporter(name="junit", help="junit.xml, for build servers", render=render)
