"""The view per framework: control, the rules that support it, what they found, and on what it rests."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from auditor.model.outcome import AuditResult, Finding, NotEvaluated, Passed, Waived
from auditor.reporters.frameworks import COLUMNS, STATES, Line, render, views
from tests.reporters.test_page_standards import MODES
from tests.reporters.test_plan_page import check_axe, check_quiet
from tests.reporters.tree import Tree

if TYPE_CHECKING:
    from playwright.sync_api import Browser


def lines(result: AuditResult) -> dict[str, Line]:
    return {f"{v.framework.framework}:{line.control.id}": line for v in views(result) for line in v.lines}


def rows(result: AuditResult) -> list[dict[str, str]]:
    text = render(result)["frameworks.csv"].decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_every_control_that_a_rule_names_is_shown_with_that_rule(result: AuditResult) -> None:
    shown = {(row["framework"], row["control"], row["rule_id"]) for row in rows(result) if row["rule_id"]}
    named = {(control, rule.id) for rule in result.rules for control in rule.controls}
    assert {(f"{one}:{control}" if one else control, rule) for one, control, rule in shown} == named


def test_a_control_that_this_version_does_not_know_is_shown_by_its_name(result: AuditResult) -> None:
    assert views(result)[-1].lines[0].control.id == "STANDARD-OF-TOMORROW:1.2.3"
    page = render(result)["frameworks.html"].decode()
    assert "Controls that this version does not know" in page
    assert "STANDARD-OF-TOMORROW:1.2.3" in page


def test_the_worst_outcome_of_its_rules_is_the_state_of_a_control(result: AuditResult) -> None:
    """A finding counts before what was not evaluated, that before a waiver, and a pass only where nothing is worse."""
    held = lines(result)
    assert held["NIST-800-53r5:AC-6"].state == "findings"
    assert held["NIST-800-53r5:AC-2(3)"].state == "not-evaluated"
    assert held["ATTACK:T1098.001"].state == "not-evaluated"
    assert held["NIST-800-53r5:SA-9"].state == "findings"
    (rule,) = (rule for rule in result.rules if rule.id == "unverified-publisher")
    found = [o for o in result.outcomes if o.rule_id == rule.id]
    waived = next(o for o in result.outcomes if isinstance(o, Waived))
    gap = next(o for o in result.outcomes if isinstance(o, NotEvaluated))
    passed = [o for o in found if isinstance(o, Passed)]
    assert passed
    for outcomes, state in (
        ([*found, replace(gap, rule_id=rule.id)], "findings"),
        ([*passed, replace(gap, rule_id=rule.id)], "not-evaluated"),
        ([*passed, replace(waived, finding=replace(waived.finding, rule_id=rule.id))], "waived"),
        (passed, "no-finding"),
        ([], "nothing-judged"),
    ):
        assert lines(replace(result, outcomes=tuple(outcomes)))["NIST-800-53r5:SA-9"].state == state


def test_controls_and_rules_stand_worst_first(result: AuditResult) -> None:
    for view in views(result):
        places = [STATES.index(line.state) for line in view.lines]
        assert places == sorted(places)
        for line in view.lines:
            places = [STATES.index(support.state) for support in line.supports]
            assert places == sorted(places)


def test_the_evidence_is_every_finding_and_the_hash_of_the_snapshot(result: AuditResult) -> None:
    own = [row for row in rows(result) if row["control"] == "AC-6" and row["rule_id"] == "outside-policy"]
    found = [o.finding_id for o in result.outcomes if isinstance(o, Finding) and o.rule_id == "outside-policy"]
    assert len(own) == 1
    assert own[0]["finding_ids"].split("; ") == found
    assert own[0]["findings"] == str(len(found))
    assert own[0]["snapshot_sha256"] == result.provenance.snapshot_sha256
    page = render(result)["frameworks.html"].decode()
    assert result.provenance.snapshot_sha256 in page
    assert result.provenance.rules_sha256 in page
    assert found[0] in page


def test_an_incomplete_audit_says_so_first(result: AuditResult) -> None:
    """In the title and the head of the page, with the reasons; in the first rows of the file."""
    cut = replace(result, complete=False, incomplete_reasons=("Owners were not read.", "Nor was this."))
    page = render(cut)["frameworks.html"].decode()
    assert "INCOMPLETE" in page.partition("</title>")[0]
    assert "Owners were not read." in page
    first = rows(cut)[:2]
    assert [row["control_state"] for row in first] == ["INCOMPLETE", "INCOMPLETE"]
    assert [row["reason"] for row in first] == list(cut.incomplete_reasons)
    whole = replace(result, complete=True, incomplete_reasons=())
    assert "INCOMPLETE" not in render(whole)["frameworks.html"].decode()


def test_the_page_supports_and_never_claims(result: AuditResult) -> None:
    """No word says that a control is satisfied, met or complied with; the page has no script."""
    page = render(result)["frameworks.html"].decode()
    told = re.sub(r"<[^>]+>", " ", page.partition("<body>")[2])
    assert "supports a control" in told
    assert not re.search(r"satisf|complian|comply|certif", told, re.IGNORECASE)
    assert not Tree(page).inside["script"]


def test_an_audit_of_rules_without_controls_still_renders(result: AuditResult) -> None:
    bare = replace(result, rules=tuple(replace(rule, controls=()) for rule in result.rules))
    assert "No rule of this audit names a control." in render(bare)["frameworks.html"].decode()


def test_every_column_and_every_state_is_explained() -> None:
    text = (Path(__file__).resolve().parents[2] / "docs/frameworks.md").read_text(encoding="utf-8")
    assert set(COLUMNS) <= set(re.findall(r"`([a-z0-9_]+)`", text))
    assert set(STATES) <= set(re.findall(r"`([a-z-]+)`", text))


@pytest.fixture
def page(result: AuditResult, tmp_path: Path) -> Path:
    path = tmp_path / "frameworks.html"
    path.write_bytes(render(result)["frameworks.html"])
    return path


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_opens_quietly_and_fits_a_phone(browser: Browser, page: Path, scheme: Any) -> None:
    check_quiet(browser, page, scheme)


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
def test_axe_finds_nothing(browser: Browser, page: Path, mode: str) -> None:
    """WCAG 2.2 AA and good practice: 0 violations."""
    check_axe(browser, page, mode)
