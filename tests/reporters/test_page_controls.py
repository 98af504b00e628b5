"""Filters, sorting and copying in Chromium, each control and their combinations."""

from __future__ import annotations

import re
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from auditor.model.outcome import AuditResult, JudgedGrant
from auditor.reporters.html import render
from tests.reporters.browsing import LINES, Opened

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser

CHOOSE = """async (choices) => {
  const found = [];
  const heard = [];
  const shown = document.querySelector("#shown");
  new MutationObserver(() => heard.push(shown.textContent)).observe(shown, { childList: true });
  for (const choice of choices) {
    for (const select of document.querySelectorAll("#bar select")) select.value = "";
    for (const [name, value] of Object.entries(choice)) document.querySelector(`#f-${name}`).value = value;
    document.querySelector("#bar").dispatchEvent(new Event("input"));
    const before = heard.length;
    while (heard.length === before) await new Promise((next) => setTimeout(next, 10));
    found.push([shown.textContent, document.querySelectorAll(LINES).length]);
  }
  return found;
}""".replace("LINES", repr(LINES))

SORT = """(table) => {
  const grouped = table.matches(".grants");
  const units = () => grouped ? [...table.tBodies] : [...table.tBodies[0].rows];
  const value = (unit, column) => {
    let place = 0;
    for (const cell of (grouped ? unit.rows[0] : unit).cells) {
      if (place === column)
        return cell.dataset.v
          ?? [...cell.childNodes].map((node) => node.textContent).join(" ").replace(/\\s+/g, " ").trim();
      place += cell.colSpan;
      if (place > column) return "";
    }
    return "";
  };
  const order = new Intl.Collator("en", { numeric: true });
  const wrong = [];
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    for (const [state, sign] of [["ascending", 1], ["descending", -1]]) {
      const wanted = units().map((unit, place) => [value(unit, column), place, unit])
        .sort(([a, i], [b, j]) => sign * order.compare(a, b) || i - j).map(([,, unit]) => unit);
      head.querySelector("button").click();
      const now = units();
      if (now.length !== wanted.length || now.some((unit, at) => unit !== wanted[at])) wrong.push([column, state]);
      if (head.getAttribute("aria-sort") !== state) wrong.push([column, "aria-sort"]);
      if (heads.filter((other) => other.getAttribute("aria-sort") !== "none").length > 1) wrong.push([column, "two"]);
    }
  });
  return wrong;
}"""

REFUSE = """() => {
  navigator.clipboard.writeText = async () => { throw new DOMException("refused", "NotAllowedError"); };
  document.execCommand = () => false;
}"""


def lines(result: AuditResult) -> list[dict[str, str]]:
    """Return what each line of the sample's page can be filtered by: equal consents of people make one line."""
    numbers = {app.service_principal_id: str(number) for number, app in enumerate(result.apps, 1)}
    found: dict[Any, dict[str, str]] = {}
    for held in result.grants:
        g = held.grant
        line = {
            "decision": str(held.decision),
            "severity": str(held.severity or ""),
            "app": numbers[g.service_principal_id],
            "kind": str(g.kind),
        }
        found[(g.service_principal_id, g.kind, g.permission, g.resource_name, tuple(line.values()))] = line
    return list(found.values())


def test_the_sample_has_the_lines_that_the_filters_are_judged_by(result: AuditResult) -> None:
    assert len(lines(result)) == 17


@pytest.mark.slow
def test_each_filter_and_each_pair_of_filters_leaves_the_lines_that_fit(
    browser: Browser, result: AuditResult, file: Path
) -> None:
    """Every value of every filter, and every pair of values: the number shown and announced is that of the lines."""
    held = lines(result)
    with Opened(browser, file) as window:
        offered = {
            name: [
                value
                for value in window.page.locator(f"#f-{name} option").evaluate_all("all => all.map((o) => o.value)")
                if value
            ]
            for name in ("decision", "severity", "app", "kind")
        }
        assert offered["decision"] == ["revoke", "revoke-after", "replace", "ask", "keep-and-scope", "keep"]
        assert offered["app"] == ["1", "2", "3", "4", "5"]
        choices: list[dict[str, str]] = [{name: value} for name, values in offered.items() for value in values]
        choices += [
            {one: first, two: second}
            for one, two in combinations(offered, 2)
            for first in offered[one]
            for second in offered[two]
        ]
        choices.append({"decision": "revoke", "severity": "critical", "app": "1", "kind": "application"})
        told = window.page.evaluate(CHOOSE, choices)
        for choice, (text, count) in zip(choices, told, strict=True):
            fits = sum(choice.items() <= line.items() for line in held)
            assert (text, count) == (f"{fits} of 17 lines", fits), choice
        assert len(choices) > 120
        assert window.page.locator("#shown").get_attribute("aria-live") == "polite"


@pytest.mark.slow
def test_every_column_sorts_both_ways_and_equal_rows_keep_their_order(
    browser: Browser, reports: dict[str, Path], demo: Path
) -> None:
    """Each sortable table, by each of its columns: in order, turned round, stable, and said in aria-sort."""
    for file in (reports["incomplete"], demo):
        with Opened(browser, file) as window:
            tables = window.page.locator("table.sortable")
            assert tables.count() >= 7
            for place in range(tables.count()):
                assert tables.nth(place).evaluate(SORT) == []
            assert window.complaints == []


def test_numbers_sort_by_size_and_the_space_key_sorts(browser: Browser, result: AuditResult, tmp_path: Path) -> None:
    """4,210 comes after 812 in the ledger's column of items, whatever separates thousands; Space works as Enter."""
    file = tmp_path / "report.html"
    first, *rest = result.ledger
    file.write_bytes(render(replace(result, ledger=(replace(first, got=4210), *rest)))["report.html"])
    with Opened(browser, file) as window:
        head = window.page.locator(".ledger thead th", has_text="Items")
        head.get_by_role("button").focus()
        window.page.keyboard.press("Space")
        assert head.get_attribute("aria-sort") == "ascending"
        cells = window.page.locator(".ledger .num:nth-child(4)").all_inner_texts()
        assert cells[-2:] == ["812", "4,210"]
        numbers = [int(cell.replace(",", "")) for cell in cells]
        assert numbers == sorted(numbers)


@pytest.mark.slow
def test_each_line_copies_what_its_own_grant_says(browser: Browser, result: AuditResult, file: Path) -> None:
    """The clipboard holds the request, the portal's address and the cells of the line, for every line of the page."""
    numbers = {app.service_principal_id: str(number) for number, app in enumerate(result.apps, 1)}
    by_line: dict[tuple[str | None, ...], JudgedGrant] = {
        (numbers[held.grant.service_principal_id], held.grant.permission, held.grant.kind, held.decision): held
        for held in result.grants
    }
    with Opened(browser, file, permissions=["clipboard-read", "clipboard-write"]) as window:
        page = window.page

        def copied(button: str) -> str:
            page.evaluate("navigator.clipboard.writeText('')")
            found = line.get_by_role("button", name=button, exact=True)
            found.first.click()
            page.wait_for_function("navigator.clipboard.readText().then((text) => text !== '')")
            return str(page.evaluate("navigator.clipboard.readText()"))

        for place in range(17):
            line = page.locator(LINES).nth(place)
            line.locator("summary").first.click()
            name = line.locator(".more code:not(.request)").first if line.locator(".why").count() == 0 else None
            key = [line.get_attribute(f"data-{part}") for part in ("app", "kind", "decision")]
            held = by_line[key[0], (name or line.locator(".perm")).inner_text(), key[1], key[2]]
            assert copied("Copy Graph request") == held.graph_request
            if held.portal_url:
                assert copied("Copy portal link") == held.portal_url
            row = copied("Copy row").split("\t")
            if line.locator(".why").count():
                assert row[0].startswith(held.grant.permission)
                assert held.opens in row[1]
                assert row[2] == held.policy
                assert row[3].startswith(held.vendor_says)
                assert held.impact.when in row[5]
                assert row[6] == held.decision
                assert held.reason in row[7]
                assert (f"First: {held.check[:20]}" in row[7]) is bool(held.check) or held.check.startswith("1)")
        assert window.complaints == []


def test_refused_copying_shows_the_text_selected(opened: Opened) -> None:
    """Where the browser refuses, the text stands selected under the button, is announced, and Escape takes it back."""
    page = opened.page
    page.evaluate(f"({REFUSE})()")
    line = page.locator(LINES).first
    line.locator("summary").click()
    button = line.get_by_role("button", name="Copy Graph request")
    button.click()
    shown = line.locator("textarea.refused")
    shown.wait_for()
    request = line.locator("code.request").inner_text()
    assert shown.input_value() == request
    selected = "(area) => area === document.activeElement && area.value.slice(area.selectionStart, area.selectionEnd)"
    assert shown.evaluate(selected) == request
    page.locator("#said", has_text="press Ctrl+C").wait_for(state="attached")
    assert button.inner_text() == "Copy Graph request"
    page.keyboard.press("Escape")
    assert shown.count() == 0
    assert button.evaluate("(node) => node === document.activeElement")


def test_copying_falls_back_to_the_older_way(opened: Opened) -> None:
    """A page that may not use the clipboard's interface copies through a selection, and says Copied."""
    page = opened.page
    page.evaluate("() => { navigator.clipboard.writeText = async () => { throw new DOMException('refused'); }; }")
    line = page.locator(LINES).first
    line.locator("summary").click()
    line.get_by_role("button", name="Copy Graph request").click()
    line.get_by_role("button", name="Copied").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == line.locator("code.request").inner_text()
    assert page.locator("textarea").count() == 0
    page.locator("#said", has_text=re.compile("^Copied$")).wait_for(state="attached")
