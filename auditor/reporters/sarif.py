"""SARIF 2.1.0: report.sarif, for code scanning and other collectors of findings.

What is found lies in a tenant and in no source file, so each result points to audit.json, which holds it, and names
the app and the permission as logical locations; a result without a file is refused by GitHub together with all others.
An incomplete audit has `executionSuccessful` false, and a notification for each reason and each rule that could not be
evaluated. Passes are left out. In a message SARIF takes brackets for links and braces for placeholders; both are
written as the standard asks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from auditor.model.canonical import to_json
from auditor.model.outcome import AuditResult, Finding, RuleInfo, Severity, Subject, Waived
from auditor.model.text import count
from auditor.reporters import Reporter
from auditor.reporters.page import Gap, page
from auditor.reporters.text import cell, https_only, prose

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
LEVELS = {
    Severity.CRITICAL: "error",
    Severity.HIGH: "error",
    Severity.MEDIUM: "warning",
    Severity.LOW: "note",
    Severity.INFO: "note",
}
SCORES = {Severity.CRITICAL: "9.5", Severity.HIGH: "8.0", Severity.MEDIUM: "5.5", Severity.LOW: "2.0"}
"""GitHub's `security-severity`: inside the ranges that it shows under our words; it has none for info."""
NOTIFICATIONS = {
    "incomplete": ("AuditIncomplete", "The audit is incomplete: what is missing is not known to be fine."),
    "not-evaluated": ("RuleNotEvaluated", "A rule could not be evaluated for an app: never a pass."),
    "not-read": ("CollectionNotRead", "A collection was not read to the end."),
}
"""Id to name and meaning."""
_MARKS = re.compile(r"[\\\[\]]")
_WORD = re.compile(r"[A-Za-z0-9]+")

Json = dict[str, Any]


def render(result: AuditResult) -> dict[str, bytes]:
    """Return report.sarif."""
    found = [outcome for outcome in result.outcomes if isinstance(outcome, Finding | Waived)]
    rules = {rule.id: rule for rule in result.rules}
    places = {name: place for place, name in enumerate(rules)}
    changes = result.drift.findings if result.drift else ()
    new = {change.finding_id for change in changes if change.what in ("new", "returned")} if result.drift else None
    run: Json = {
        "automationDetails": {"id": f"entra-audit/{prose(result.profile)}/{prose(result.tenant_id)}/"},
        "columnKind": "unicodeCodePoints",
        "invocations": [_invocation(result)],
        "properties": {
            "complete": result.complete,
            "headline": prose(result.headline),
            "policy": prose(result.policy_name),
            "rulesSha256": prose(result.provenance.rules_sha256),
            "snapshotSha256": prose(result.provenance.snapshot_sha256),
            "takenAt": cell(result.taken_at),
            "tenantId": prose(result.tenant_id),
        },
        "results": [_result(outcome, places, new) for outcome in found],
        "tool": {"driver": _driver(result, rules.values(), found)},
    }
    return {"report.sarif": to_json({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]})}


def message(text: str) -> Json:
    """Return a message that reads as `text` and holds neither a link nor a placeholder."""
    plain = _MARKS.sub(r"\\\g<0>", prose(text)).replace("{", "{{").replace("}", "}}")
    return {"text": plain or "(empty)"}


def _id(name: str) -> str:
    return prose(name) or "(empty)"


def _driver(result: AuditResult, rules: Iterable[RuleInfo], found: Iterable[Finding | Waived]) -> Json:
    examples: dict[str, Finding] = {}
    for outcome in found:
        examples.setdefault(outcome.rule_id, outcome.finding if isinstance(outcome, Waived) else outcome)
    return {
        "name": "entra-auditor",
        "notifications": [
            {
                "id": key,
                "name": name,
                **{part: {"text": text} for part in ("shortDescription", "fullDescription", "help")},
            }
            for key, (name, text) in NOTIFICATIONS.items()
        ],
        "rules": [_rule(rule, result.profile, examples.get(rule.id)) for rule in rules],
        "semanticVersion": prose(result.provenance.tool_version),
    }


def _rule(rule: RuleInfo, profile: str, example: Finding | None) -> Json:
    name = "".join(word[:1].upper() + word[1:] for word in _WORD.findall(rule.title))
    link = next(filter(None, map(https_only, example.references)), "") if example else ""
    score = {"security-severity": SCORES[rule.severity]} if rule.severity in SCORES else {}
    return {
        "id": _id(rule.id),
        "shortDescription": message(rule.title),
        "fullDescription": message(rule.why),
        "help": message(example.remediation if example else rule.why),
        "defaultConfiguration": {"level": LEVELS[rule.severity]},
        "properties": {
            "axis": rule.axis,
            "severity": rule.severity,
            "tags": ["security", "entra-id", prose(profile), rule.axis],
            **score,
        },
        **({"name": name[:100]} if name else {}),
        **({"helpUri": link} if link else {}),
    }


def _result(outcome: Finding | Waived, places: dict[str, int], new: set[str] | None) -> Json:
    finding = outcome.finding if isinstance(outcome, Waived) else outcome
    about = finding.subject
    held = f"{about.app_name or about.app_id}: {about.permission}" if about.permission else about.app_name
    return {
        "ruleId": _id(finding.rule_id),
        **({"ruleIndex": places[finding.rule_id]} if finding.rule_id in places else {}),
        "level": LEVELS[finding.severity],
        "message": message(f"{held}: {finding.reason}"),
        "locations": [_location(about)],
        "partialFingerprints": {
            "findingId/v1": prose(finding.finding_id),
            "primaryLocationLineHash": prose(finding.finding_id),
        },
        "properties": {
            "axis": finding.axis,
            "basis": finding.basis,
            "controls": [prose(control) for control in finding.controls],
            "remediation": prose(finding.remediation),
            "severity": finding.severity,
            **{name: prose(getattr(about, name)) for name in Subject.__struct_fields__},
        },
        "suppressions": [_suppression(outcome)] if isinstance(outcome, Waived) else [],
        **({} if new is None else {"baselineState": "new" if finding.finding_id in new else "unchanged"}),
    }


def _location(about: Subject) -> Json:
    app = f"servicePrincipals/{prose(about.service_principal_id)}"
    places = [{"name": prose(about.app_name), "fullyQualifiedName": app, "kind": "resource"}]
    if about.permission:
        whole = f"{app}/{prose(about.grant_id)}/{prose(about.permission)}"
        places.append({"name": prose(about.permission), "fullyQualifiedName": whole, "kind": "resource"})
    return {
        "logicalLocations": places,
        "physicalLocation": {"artifactLocation": {"uri": "audit.json"}, "region": {"startLine": 1}},
    }


def _suppression(waived: Waived) -> Json:
    waiver = waived.waiver
    text = f"{waiver.owner}: {waiver.reason} (until {waiver.expires.isoformat()})"
    return {"kind": "external", "status": "accepted", "justification": prose(text)}


def _invocation(result: AuditResult) -> Json:
    return {
        "executionSuccessful": result.complete,
        "toolExecutionNotifications": list(_notifications(result)),
    }


def _notifications(result: AuditResult) -> Iterator[Json]:
    """Give what an incomplete audit lacks; a gap that the team accepts does not make the run one that failed."""
    missing = "note" if result.complete else "error"
    reasons = result.incomplete_reasons or (() if result.complete else ("The reasons are not recorded.",))
    yield from (_notification("incomplete", "error", f"INCOMPLETE: {reason}") for reason in reasons)
    for gap in page(result).gaps:
        yield _notification("not-evaluated", missing, _gap(gap), gap.first.rule_id)
    for line in result.ledger:
        if line.state != "complete":
            owner = f" of {line.app_id}" if line.app_id else ""
            yield _notification("not-read", "note", f"{line.collection}{owner} is {line.state}: {line.why}")


def _notification(kind: str, level: str, text: str, rule: str = "") -> Json:
    about = {"associatedRule": {"id": _id(rule)}} if kind == "not-evaluated" else {}
    return {"descriptor": {"id": kind}, "level": level, "message": message(text), **about}


def _gap(gap: Gap) -> str:
    about = gap.first.subject
    named = f" ({count(len(gap.permissions), 'permission')})" if gap.permissions else ""
    return f"{gap.first.rule_id} was not evaluated for {about.app_name or about.app_id}{named}: {gap.first.why}"


REPORTER = Reporter(name="sarif", help="report.sarif (SARIF 2.1.0), for code scanning", render=render)
