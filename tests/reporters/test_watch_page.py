"""The combined report: what is not known comes first, every tenant has its row, and no name lives in any file."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import msgspec
import pytest
from msgspec.structs import replace
from rich.console import Console

from auditor.cli.watch_summary import print_watch
from auditor.model.history import HistoryHead
from auditor.model.outcome import Severity
from auditor.model.watch import Change, Watch, WatchedAudit
from auditor.reporters.schema import watch_schema
from auditor.reporters.watch_page import COLUMNS, watch_files, watch_html
from tests.hostile import FAMILIES, HOSTILE, as_read
from tests.reporters.fill import fill
from tests.reporters.hostile_formats import steering
from tests.reporters.test_hostile import formulas
from tests.reporters.test_page_standards import MODES
from tests.reporters.test_plan_page import check_axe, check_quiet
from tests.reporters.tree import Tree, dangers

if TYPE_CHECKING:
    from playwright.sync_api import Browser

OURS = (".tenant", ".app", ".state", ".report", "Watch.schema")
"""Ends of the fields that no tenant can name."""
CHANGE = Change(
    granted=2,
    gone=1,
    maybe_granted=0,
    maybe_gone=0,
    missed=0,
    uncertain=0,
    judged_anew=0,
    apps=1,
    new_findings={Severity.HIGH: 2},
    closed_findings=1,
    waived_findings=1,
    no_longer_evaluated=3,
    waivers=1,
)
GOOD = WatchedAudit(
    tenant="contoso",
    app="zoom",
    app_title="Zoom",
    state="complete",
    exit_code=1,
    tenant_id="11111111-1111-4111-8111-111111111111",
    tenant_name="Contoso (sample)",
    taken_at=datetime(2026, 11, 20, 9, 14, tzinfo=UTC),
    decisions={"keep": 14, "revoke": 5},
    findings={Severity.CRITICAL: 1, Severity.HIGH: 6},
    change=CHANGE,
    history=HistoryHead(number=4, sha256="1" * 64, previous_run=3),
    report="contoso/report.html",
)
FAILED = WatchedAudit(
    tenant="fabrikam", app="zoom", app_title="Zoom", state="failed", exit_code=3, why=("No token (sample).",)
)
PARTIAL = replace(
    GOOD,
    tenant="northwind",
    state="incomplete",
    exit_code=3,
    why=("No owners (sample).", "No logs (sample)."),
    change=None,
    history=HistoryHead(number=1, sha256="2" * 64, previous_run=0),
    report="northwind/",
)
QUIET = replace(
    GOOD,
    tenant="relecloud",
    exit_code=0,
    change=msgspec.convert(dict.fromkeys(Change.__struct_fields__, 0) | {"new_findings": {}}, Change),
    decisions={},
    findings={},
    report="relecloud/report.html",
)
LINKS = [audit.report for audit in (GOOD, PARTIAL, QUIET)]
"""The way to the tenants' reports, made of names of ours, and the only links that are none to the page itself."""
WATCH = Watch(tool_version="1.0", exit_code=3, audits=(GOOD, FAILED, PARTIAL, QUIET))


def told(watch: Watch) -> str:
    return " ".join(" ".join(Tree(watch_html(watch).decode()).text).split())


def hostile(watch: Watch, text: str) -> Watch:
    return fill(watch, lambda path, value: value if path.endswith(OURS) else text)


def printed(watch: Watch) -> str:
    stream = io.StringIO()
    print_watch(watch, (Path("out/watch.html"),), Console(file=stream, width=80))
    return stream.getvalue()


def rows(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True))


def test_what_is_not_known_comes_first() -> None:
    """The word in title and head, each reason with its tenant, and only then the numbers."""
    said = told(WATCH)
    order = ("Watch of 4 tenants", "INCOMPLETE", "No token (sample).", "No logs (sample).", "New since last time 2")
    places = [said.replace("high 2", "2").index(part) for part in order]
    assert places == sorted(places)
    assert "INCOMPLETE" not in watch_html(replace(WATCH, audits=(GOOD, QUIET))).decode()
    assert "Findings none in what was read" in told(replace(WATCH, audits=(FAILED,)))


def test_many_reasons_do_not_hide_the_numbers() -> None:
    """Three each on a line of its own, and how many more stand in the report."""
    many = replace(PARTIAL, why=tuple(f"Reason {number}." for number in range(1, 8)))
    said = told(replace(WATCH, audits=(many,)))
    assert "Reason 1. Reason 2. Reason 3. and 4 more reasons: see its report" in said
    assert "Reason 4" not in said


def test_each_tenant_has_a_row_that_leads_to_its_report() -> None:
    """Numbers where something was read, `not known` where not; a failed tenant has no link, and so no old report."""
    said = told(WATCH)
    for part in (
        "contoso Contoso (sample) 11111111-1111-4111-8111-111111111111 Zoom complete 20 Nov 2026 09:14 UTC",
        "run 4 of the history 14 keep 5 revoke critical 1 high 6",
        "2 permissions came and 1 permission went; 1 finding closed; 1 finding waived; 3 findings no longer evaluated;",
        "fabrikam Zoom failed not known not known not known 3 none: what lies in its folder is of an earlier run",
        "the first run that is kept",
        "no permission held none none nothing changed 0 relecloud/report.html",
        "2 audits could not be compared",
    ):
        assert part in said
    tree = Tree(watch_html(WATCH).decode())
    links = [attributes["href"] for tag, attributes in tree.elements if tag == "a"]
    assert [link for link in links if link and not link.startswith("#")] == LINKS


def test_the_table_and_the_json_say_the_same() -> None:
    """Empty cells where nothing is known, and never a 0."""
    files = watch_files(WATCH)
    head, good, failed, partial, quiet = rows(files["watch.csv"])
    assert tuple(head) == COLUMNS
    told = dict(zip(head, failed, strict=True))
    assert {
        told[name] for name in ("keep", "critical", "new_findings", "maybe_gone", "missed", "run", "taken_at", "report")
    } == {""}
    assert (told["state"], told["exit_code"], told["compared"]) == ("failed", "3", "false")
    assert dict(zip(head, good, strict=True))["new_findings"] == "2"
    assert dict(zip(head, quiet, strict=True))["new_findings"] == "0"
    assert dict(zip(head, partial, strict=True))["why"] == "No owners (sample).; No logs (sample)."
    jsonschema.validate(json.loads(files["watch.json"]), watch_schema())
    assert msgspec.json.decode(files["watch.json"], type=Watch) == WATCH
    assert watch_files(WATCH) == files


@pytest.mark.parametrize("family", FAMILIES)
def test_no_name_lives_in_the_combined_report(family: str) -> None:
    """In every field that a tenant can name: the page of harmless names, no formula, no control, valid JSON."""
    shape = Tree(watch_html(hostile(WATCH, "x")).decode()).shape
    for text in FAMILIES[family]:
        made = hostile(WATCH, text)
        files = watch_files(made)
        page = files["watch.html"].decode()
        tree = Tree(page)
        if text.strip():
            assert tree.shape == shape, text
        assert dangers(tree) == LINKS
        assert steering(page) == []
        assert formulas(rows(files["watch.csv"])) == []
        assert len(rows(files["watch.csv"])) == 5
        read = msgspec.json.decode(files["watch.json"], type=Watch)
        assert read.audits[0].tenant_name == as_read(text)
        summary = printed(made)
        assert steering(summary) == []
        assert len(summary.splitlines()) == 7


@pytest.mark.parametrize("first", range(0, len(HOSTILE), 60))
def test_names_are_as_dead_side_by_side(first: int) -> None:
    following = cycle((*HOSTILE[first:], *HOSTILE[:first]))
    made = fill(WATCH, lambda path, value: value if path.endswith(OURS) else next(following))
    page = watch_html(made).decode()
    assert dangers(Tree(page)) == LINKS
    assert steering(page) == []


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
def test_axe_finds_nothing(browser: Browser, tmp_path: Path, mode: str) -> None:
    """WCAG 2.2 AA and good practice, by day, by night, on a phone and on paper."""
    file = tmp_path / "watch.html"
    file.write_bytes(watch_html(WATCH))
    check_axe(browser, file, mode)


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_browser_runs_nothing_and_asks_for_nothing(browser: Browser, tmp_path: Path, scheme: Any) -> None:
    """Nothing is loaded, nothing violates the policy, and a phone needs no scrolling aside."""
    file = tmp_path / "watch.html"
    file.write_bytes(watch_html(hostile(WATCH, "<img src=x onerror=alert(1)>")))
    check_quiet(browser, file, scheme)
