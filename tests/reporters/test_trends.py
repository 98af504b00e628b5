"""What trends.html promises: lines from kept runs alone, findings with their age, and no claim that a gap supports."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from auditor.model.outcome import Severity
from auditor.model.trend import AppSummary, OpenFinding, RunSummary
from auditor.reporters.chart import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, chart
from auditor.reporters.trends import MOST_FINDINGS, trends_html
from tests.hostile import HOSTILE
from tests.reporters.fill import fill
from tests.reporters.test_page_standards import MODES
from tests.reporters.test_plan_page import check_axe, check_quiet
from tests.reporters.tree import Tree, dangers

if TYPE_CHECKING:
    from playwright.sync_api import Browser

START = datetime(2026, 11, 2, 6, tzinfo=UTC)


def app(held: int = 5, allowed: int = 2, **other: Any) -> AppSummary:
    values: dict[str, Any] = {
        "app_id": "5ab1e000-0000-4000-8000-0000000000a1",
        "service_principal_id": "5ab1e000-0000-4000-8000-0000000000b1",
        "name": "Zoom (sample)",
        "whole": True,
        "policies": {"allowed": allowed, "outside": held - allowed},
    }
    return AppSummary(**(values | other))


def finding(rule: str = "outside-policy", permission: str = "Mail.Read", **other: Any) -> OpenFinding:
    values: dict[str, Any] = {
        "rule_id": rule,
        "service_principal_id": "5ab1e000-0000-4000-8000-0000000000b1",
        "app_name": "Zoom (sample)",
        "permission": permission,
        "resource_app_id": "00000003-0000-0000-c000-000000000000",
        "kind": "application",
        "severity": Severity.HIGH,
        "axis": "data-reach",
        "title": f"Title of {rule}",
        "number": 1,
    }
    return OpenFinding(**(values | other))


def run(number: int, **other: Any) -> RunSummary:
    values: dict[str, Any] = {
        "tenant_id": "5ab1e000-0000-4000-8000-00000000c0de",
        "tenant_name": "Contoso (sample)",
        "profile": "zoom",
        "number": number,
        "sha256": f"{number:064x}",
        "taken_at": START + timedelta(days=7 * (number - 1)),
        "policy_name": "minimal",
        "complete": True,
        "not_evaluated": 0,
        "apps": (app(),),
        "findings": (),
    }
    return RunSummary(**(values | other))


def shown(*runs: RunSummary) -> str:
    page = " ".join(Tree(trends_html(runs).decode()).text)
    return " ".join(page.split())


def test_what_is_held_stands_against_what_is_allowed() -> None:
    page = shown(run(1, apps=(app(held=9, allowed=3),)), run(2, apps=(app(held=4, allowed=3),)))
    assert "held: 4 allowed by the policy: 3" in page
    assert "4 permissions held -5 since the first kept run" in page


def test_a_finding_is_as_old_as_the_first_run_in_a_row_that_shows_it() -> None:
    runs = [run(n, findings=(finding(),) if n in {1, 3, 4} else ()) for n in range(1, 5)]
    page = shown(*runs)
    assert "7 days 16 Nov 2026 06:00 UTC run 3" in page
    assert "at least" not in page


def test_an_incomplete_run_ends_no_finding() -> None:
    runs = [run(1), run(2, findings=(finding(),)), run(3, complete=False), run(4, findings=(finding(),))]
    assert "14 days 9 Nov 2026 06:00 UTC run 2" in shown(*runs)


def test_what_the_first_run_shows_may_be_older() -> None:
    assert "at least 7 days" in shown(*(run(n, findings=(finding(),)) for n in (1, 2)))


def test_a_waived_finding_is_not_open() -> None:
    page = shown(run(1, findings=(finding(waived=True),)))
    assert "The newest run found nothing." in page
    assert "0 open findings" in page


def test_the_worst_and_oldest_come_first() -> None:
    old, new = finding(permission="Mail.Read"), finding(permission="Mail.Send")
    worst = finding(rule="exchange-full-access", permission="full_access_as_app", severity=Severity.CRITICAL)
    page = shown(run(1, findings=(old,)), run(2, findings=(new, old, worst)))
    places = [page.index(name) for name in ("full_access_as_app (", "Mail.Read (", "Mail.Send (")]
    assert places == sorted(places)


def test_an_incomplete_newest_run_is_stamped_and_proves_nothing() -> None:
    tree = Tree(trends_html([run(1), run(2, complete=False, apps=(app(held=1, allowed=1, whole=False),))]).decode())
    page = " ".join(" ".join(tree.text).split())
    assert tree.inside["title"][0].startswith("INCOMPLETE: ")
    assert "What it does not show is not known to be gone." in page
    assert "not read in full: 1 run; a line that falls there proves nothing" in page


def test_an_app_that_is_gone_stays_with_its_past() -> None:
    assert "not in the newest run" in shown(run(1), run(2, apps=()))


def test_plans_and_attestations_are_told_where_runs_know_of_them() -> None:
    page = shown(run(1), run(2, closed={"a": 3}, attestations={"current": 4, "overdue": 1}))
    assert "3 findings shown as closed in run 2" in page
    assert "current: 4 overdue: 1" in page
    bare = shown(run(1))
    assert "No kept run was given the journal of a plan." in bare
    assert "No kept run was given a register of attestations." in bare


def test_a_plan_that_many_runs_are_told_of_counts_once() -> None:
    """A weekly run with the journal of last month's plan closes nothing anew; a finding that came back is no more."""
    page = shown(run(1, closed={"a": 3}), run(2, closed={"a": 2}), run(3, closed={"a": 2, "b": 4}), run(4))
    assert "6 closed by plans" in page


def test_a_run_of_other_apps_ends_no_finding() -> None:
    """A run with --app-id is complete and did not look at the others."""
    other = app(service_principal_id="5ab1e000-0000-4000-8000-0000000000b2")
    page = shown(run(1), run(2, findings=(finding(),)), run(3, apps=(other,)), run(4, findings=(finding(),)))
    assert "14 days 9 Nov 2026 06:00 UTC run 2" in page


def test_another_policy_is_named_so_that_nobody_takes_it_for_a_clean_up() -> None:
    page = shown(run(1, policy_name="minimal"), run(2, policy_name="own"))
    assert "judged by several policies: minimal, own" in page
    assert "several policies" not in shown(run(1), run(2))


def test_apps_of_one_name_are_told_apart_by_their_ids() -> None:
    other = app(app_id="5ab1e000-0000-4000-8000-0000000000a2", service_principal_id="sp2")
    both = (finding(), finding(service_principal_id="sp2"))
    page = shown(run(1, apps=(app(), other), findings=both))
    for app_id in (app().app_id, other.app_id):
        assert f"Zoom (sample) {app_id} Mail.Read (application)" in page


def test_tenants_stand_apart() -> None:
    other = "5ab1e000-0000-4000-8000-00000000fab1"
    page = trends_html([run(1), run(1, tenant_id=other, tenant_name="Fabrikam (sample)"), run(2)]).decode()
    assert re.findall(r'<section id="t(\d)"', page) == ["1", "2"]
    assert "3 kept runs of 2 tenants and profiles" in page


def test_a_long_table_says_what_it_leaves_out() -> None:
    many = tuple(finding(permission=f"Sample.{n:04}") for n in range(MOST_FINDINGS + 7))
    assert "7 milder or younger ones left out here" in shown(run(1, findings=many))


def test_the_order_of_the_runs_changes_nothing() -> None:
    runs = [run(n, findings=(finding(),)) for n in range(1, 6)]
    assert trends_html(runs) == trends_html(runs[::-1])


def test_lines_hold_their_value_and_stay_on_the_paper() -> None:
    moments = [START + timedelta(days=n) for n in (0, 1, 5, 6)]
    (line,) = chart(moments, [("held", "held", [0, 1003, 1003, 7])]).lines
    points = [tuple(map(float, point.split(","))) for point in line.points.split()]
    assert all(LEFT <= x <= WIDTH - RIGHT and TOP <= y <= HEIGHT - BOTTOM for x, y in points)
    assert list(points[0]) == [LEFT, HEIGHT - BOTTOM]
    assert points[-1][0] == WIDTH - RIGHT
    assert all(a[0] == b[0] or a[1] == b[1] for a, b in pairwise(points))


@pytest.mark.parametrize("values", [[0], [5], [0, 0], [3, 3]])
def test_a_chart_of_next_to_nothing_is_one(values: list[int]) -> None:
    made = chart([START] * len(values), [("held", "held", values)])
    assert made.lines[0].last == values[-1]
    assert len(made.rows) == 5


def rich() -> list[RunSummary]:
    first = run(1, findings=(finding(), finding(waived=True)), attestations={"current": 1})
    return [
        first,
        run(2, findings=(finding(), finding(rule="b")), complete=False, closed={"a": 2}, attestations={"due-soon": 1}),
    ]


@pytest.mark.parametrize("text", [*HOSTILE[::7]], ids=range(len(HOSTILE[::7])))
def test_no_hostile_string_lives(text: str) -> None:
    def named(to: str) -> Tree:
        return Tree(trends_html([fill(one, lambda _path, _old: to) for one in rich()]).decode())

    tree = named(text)
    assert tree.shape == named("x").shape
    assert dangers(tree) == dangers(named("x"))


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("trends") / "trends.html"
    path.write_bytes(trends_html([replace(one, apps=(app(), app(service_principal_id="b2"))) for one in rich()]))
    return path


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_opens_quietly_and_fits_a_phone(browser: Browser, file: Path, scheme: Any) -> None:
    check_quiet(browser, file, scheme)


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
def test_axe_finds_nothing(browser: Browser, file: Path, mode: str) -> None:
    check_axe(browser, file, mode)
