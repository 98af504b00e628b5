"""What report.sarif promises, and what the standard's schema and Microsoft's validator say of it."""

from __future__ import annotations

import json
import os
import re
import subprocess
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from msgspec.structs import replace

from auditor.model.outcome import AuditResult, Finding, NotEvaluated, Severity, Waived
from auditor.reporters.sarif import LEVELS, SCORES, message, render
from tests.hostile import FAMILIES, named
from tests.reporters.sample import TAKEN, many, sample_result
from tests.reporters.test_hostile import everywhere
from tests.reporters.test_page_standards import MODULES, absent

TOOL = MODULES / "@microsoft" / "sarif-multitool-linux"


def run_of(result: AuditResult) -> dict[str, Any]:
    [run] = json.loads(render(result)["report.sarif"])["runs"]
    return dict(run)


def found(result: AuditResult) -> list[Finding]:
    told = [outcome for outcome in result.outcomes if isinstance(outcome, Finding | Waived)]
    return [outcome.finding if isinstance(outcome, Waived) else outcome for outcome in told]


def test_each_finding_is_a_result_with_a_place_and_its_rule(result: AuditResult) -> None:
    """Findings and waived ones, in order; each names a file, the app, the permission and a rule that is described."""
    run = run_of(result)
    assert [one["partialFingerprints"]["findingId/v1"] for one in run["results"]] == [
        finding.finding_id for finding in found(result)
    ]
    rules = run["tool"]["driver"]["rules"]
    for one, finding in zip(run["results"], found(result), strict=True):
        [place] = one["locations"]
        assert place["physicalLocation"]["artifactLocation"]["uri"] == "audit.json"
        names = [logical["name"] for logical in place["logicalLocations"]]
        assert names == list(filter(None, (finding.subject.app_name, finding.subject.permission)))
        assert one["level"] == LEVELS[finding.severity]
        assert rules[one["ruleIndex"]]["id"] == one["ruleId"] == finding.rule_id
        assert finding.reason in one["message"]["text"]


def test_fingerprints_are_the_same_in_every_run(result: AuditResult) -> None:
    """A later run, in another order and of another version, knows each finding again: also under GitHub's key."""
    later = replace(
        result,
        taken_at=TAKEN + timedelta(days=7),
        outcomes=tuple(reversed(result.outcomes)),
        provenance=replace(result.provenance, tool_version="9.9.9", snapshot_sha256="99" * 32),
    )
    prints = [[one["partialFingerprints"] for one in run_of(made)["results"]] for made in (result, later)]
    assert prints[0] == prints[1][::-1]
    assert len({one["primaryLocationLineHash"] for one in prints[0]}) == len(prints[0])


def test_an_incomplete_audit_is_a_run_that_failed(result: AuditResult) -> None:
    """executionSuccessful is false, and each reason, each rule not evaluated and each collection not read is told."""
    [invocation] = run_of(result)["invocations"]
    told = invocation["toolExecutionNotifications"]
    assert invocation["executionSuccessful"] is False
    reasons = [one["message"]["text"] for one in told if one["descriptor"]["id"] == "incomplete"]
    assert reasons == [f"INCOMPLETE: {reason}" for reason in result.incomplete_reasons]
    unjudged = [one for one in told if one["descriptor"]["id"] == "not-evaluated"]
    assert {one["associatedRule"]["id"] for one in unjudged} == {
        outcome.rule_id for outcome in result.outcomes if isinstance(outcome, NotEvaluated)
    }
    assert {one["level"] for one in unjudged} == {"error"}
    unread = [one for one in told if one["descriptor"]["id"] == "not-read"]
    assert len(unread) == sum(line.state != "complete" for line in result.ledger) > 0


def test_incomplete_without_a_reason_says_so_too() -> None:
    [invocation] = run_of(sample_result(incomplete_reasons=()))["invocations"]
    assert invocation["toolExecutionNotifications"][0]["message"]["text"].startswith("INCOMPLETE")


def test_a_complete_audit_is_a_run_that_succeeded() -> None:
    """A gap that the team accepts is told, and is no error."""
    [invocation] = run_of(sample_result(complete=True, incomplete_reasons=()))["invocations"]
    assert invocation["executionSuccessful"] is True
    assert {one["level"] for one in invocation["toolExecutionNotifications"]} == {"note"}


def test_a_waived_finding_is_suppressed_with_the_waiver(result: AuditResult) -> None:
    suppressed = [one["suppressions"] for one in run_of(result)["results"]]
    assert [len(one) for one in suppressed].count(1) == 1
    assert next(one for one in suppressed if one)[0] == {
        "kind": "external",
        "status": "accepted",
        "justification": "Megan Bowen: Owner needed until the migration ends (until 2027-01-31)",
    }


def test_what_is_new_is_told_where_there_is_a_run_before(result: AuditResult) -> None:
    """New and returned findings are new, others unchanged; without a history nothing is said."""
    assert result.drift
    new = {change.finding_id for change in result.drift.findings if change.what in {"new", "returned"}}
    states = {one["partialFingerprints"]["findingId/v1"]: one["baselineState"] for one in run_of(result)["results"]}
    assert {finding for finding, state in states.items() if state == "new"} == new
    assert set(states.values()) == {"new", "unchanged"}
    without = {field: getattr(sample_result(), field) for field in result.__struct_fields__} | {"drift": None}
    assert not any("baselineState" in one for one in run_of(AuditResult(**without))["results"])


def test_severities_stand_in_githubs_ranges() -> None:
    """GitHub calls above 9.0 critical, from 7.0 high, from 4.0 medium, from 0.1 low."""
    bounds = {"critical": (9.0, 10.0), "high": (7.0, 8.9), "medium": (4.0, 6.9), "low": (0.1, 3.9)}
    assert {
        severity.value: low <= float(SCORES[severity]) <= high
        for severity, (low, high) in ((severity, bounds[severity.value]) for severity in SCORES)
    } == dict.fromkeys(bounds, True)
    assert set(Severity) - set(SCORES) == {Severity.INFO}


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("[click](https://evil.example)", r"\[click\](https://evil.example)"),
        ("{0} and {1}", "{{0}} and {{1}}"),
        ("a\\b", r"a\\b"),
        ("one\ntwo", "one two"),
        (" ", "(empty)"),
    ],
)
def test_a_message_holds_no_link_and_no_placeholder(text: str, written: str) -> None:
    """Brackets and braces are written as the standard wants literal ones."""
    assert message(text) == {"text": written}


# Foreign readers


@cache
def schema() -> jsonschema.protocols.Validator:
    """Return a validator of the SARIF 2.1.0 schema, as Microsoft's package carries it."""
    path = TOOL / "sarif-2.1.0.json"
    if not path.exists():
        absent("sarif-multitool-linux (npm ci --ignore-scripts in tests/web)")
    document = json.loads(path.read_text(encoding="utf-8-sig"))
    kind = jsonschema.validators.validator_for(document)
    made: jsonschema.protocols.Validator = kind(document, format_checker=jsonschema.FormatChecker())
    return made


def samples() -> dict[str, AuditResult]:
    """Return audits by name: the sample, a complete one, one without anything, a large one, and hostile ones."""
    made = {
        "sample": sample_result(),
        "complete": sample_result(complete=True, incomplete_reasons=()),
        "empty": sample_result(apps=(), grants=(), outcomes=(), rules=(), ledger=()),
        "large": sample_result(grants=many(500)),
    }
    for family in FAMILIES.values():
        made[named(family[0])] = everywhere(sample_result(), family[0])
    return made


@pytest.mark.slow
def test_the_document_fits_the_standards_schema() -> None:
    """Every sample is SARIF 2.1.0, and what has no version is not."""
    for name, made in samples().items():
        assert [error.message for error in schema().iter_errors(json.loads(render(made)["report.sarif"]))] == [], name
    assert list(schema().iter_errors({"runs": []}))


def complaints(folder: Path) -> list[str]:
    """Return the errors and warnings that Microsoft's validator has on the files of a folder, with GitHub's rules."""
    program = TOOL / "Sarif.Multitool"
    if not program.exists():
        absent("sarif-multitool-linux (npm ci --ignore-scripts in tests/web)")
    program.chmod(0o755)  # npm sets no mode without the package's own script.
    policy = folder / "policy.json"  # Without it the validator would ask the network for each address.
    policy.write_text('{"SARIF2006.UrisShouldBeReachable.Options": {"RuleEnabled": "Disabled"}}', encoding="utf-8")
    options = ("--config", str(policy), "--rule-kind", "Sarif;Gh;Ghas", "--level", "Error;Warning")
    done = subprocess.run(
        [program, "validate", str(folder / "*.sarif"), *options],
        env=os.environ | {"DOTNET_SYSTEM_GLOBALIZATION_INVARIANT": "1", "HOME": str(folder)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    files = len(list(folder.glob("*.sarif")))
    assert f"{files} files scanned" in done.stdout, done.stdout[-2000:] + done.stderr[-2000:]
    return re.findall(r"\.sarif\(\S+ ((?:error|warning) \w+: .*)", done.stdout)


@pytest.mark.slow
def test_microsofts_validator_finds_nothing(tmp_path: Path) -> None:
    """The rules of the standard and of GitHub: no error, and no warning but that the project names no address."""
    for name, made in samples().items():
        (tmp_path / f"{name}.sarif").write_bytes(render(made)["report.sarif"])
    assert {one.partition(": ")[0] for one in complaints(tmp_path)} == {"warning SARIF2005"}


@pytest.mark.slow
def test_microsofts_validator_would_find_a_result_without_a_place(result: AuditResult, tmp_path: Path) -> None:
    """For which GitHub refuses the whole file, although it fits the schema."""
    log = json.loads(render(result)["report.sarif"])
    del log["runs"][0]["results"][0]["locations"]
    for name in ("one", "two"):
        (tmp_path / f"{name}.sarif").write_text(json.dumps(log), encoding="utf-8")
    assert any(one.startswith("error GH1015") for one in complaints(tmp_path))
