"""What report.html promises in a real browser (Chromium, where it is installed)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from auditor.model.outcome import AuditResult
from auditor.reporters.html import render
from tests.hostile import MARKUP
from tests.reporters.browsing import LINES, Opened
from tests.reporters.fill import fill
from tests.reporters.sample import many, sample_result

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser


def test_filters_and_search_narrow_the_lines(opened: Opened) -> None:
    """Each filter and the search leave the lines that fit, say how many, and reset brings all back."""
    page = opened.page
    opened.shown(17)
    page.select_option("#f-decision", "revoke")
    opened.shown(5)
    page.select_option("#f-severity", "critical")
    opened.shown(1)
    page.get_by_role("button", name="Reset").click()
    opened.shown(17)
    page.select_option("#f-kind", "delegated")
    opened.shown(5)
    page.select_option("#f-app", "3")
    opened.shown(3)
    assert page.locator(".app:visible").count() == 1
    page.get_by_role("button", name="Reset").click()
    page.fill("#q", "mail|contacts -settings")
    page.locator("#shown:not(:text('17 of 17'))").wait_for()
    shown = page.locator(LINES).all_text_contents()
    assert shown
    assert all("mail" in text.lower() or "contacts" in text.lower() for text in shown)
    assert page.locator(f"{LINES} .perm").filter(has_text="Settings").count() == 0
    page.fill("#q", "bring 412")
    opened.shown(0)
    page.fill("#q", "all: 412 calls")
    opened.shown(1)
    page.fill("#q", "nothing has this name")
    opened.shown(0)
    assert page.get_by_text("No grant of this app matches the filter.").count() == 4


def test_a_filtered_view_can_be_shared(opened: Opened) -> None:
    """The address carries the filters, and opening it brings the same lines."""
    opened.page.select_option("#f-decision", "ask")
    opened.shown(4)
    assert opened.page.url.endswith("#?decision=ask")
    opened.page.reload()
    opened.shown(4)


def test_columns_sort_up_and_down_by_keyboard(opened: Opened) -> None:
    """A column's button sorts, says so in aria-sort, and turns round; it needs no mouse."""
    page = opened.page
    head = page.locator(".grants thead th").first
    assert head.get_attribute("aria-sort") == "none"
    head.get_by_role("button").focus()
    page.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "ascending"
    names = page.locator(".app").first.locator(".perm").all_inner_texts()
    assert names == sorted(names, key=str.lower)
    page.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "descending"
    assert page.locator(".app").first.locator(".perm").all_inner_texts() == names[::-1]


def test_row_portal_link_and_request_are_copied(opened: Opened) -> None:
    """An opened line offers its cells, the portal's address and the Graph request to the clipboard."""
    page = opened.page
    line = page.locator(LINES).first
    line.locator("summary").click()

    def copied(button: str) -> str:
        line.get_by_role("button", name=button).click()
        line.get_by_role("button", name="Copied").first.wait_for()
        return str(page.evaluate("navigator.clipboard.readText()"))

    assert copied("Copy row").split("\t")[0].startswith("Calendars.Read")
    assert copied("Copy portal link").startswith("https://entra.microsoft.com/")
    assert copied("Copy Graph request").startswith("GET /v1.0/servicePrincipals/")
    page.get_by_role("button", name="Copy the line exclude").first.click()
    page.wait_for_timeout(100)
    assert str(page.evaluate("navigator.clipboard.readText()")).startswith("exclude: [")


def test_theme_goes_from_auto_to_light_to_dark(browser: Browser, file: Path) -> None:
    """The page follows the system until the reader chooses, and keeps the choice."""
    window = Opened(browser, file, color_scheme="dark")
    page = window.page
    background = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(background)
    button = page.get_by_role("button", name="Theme")
    button.click()
    light = page.evaluate(background)
    assert light != dark
    assert button.inner_text() == "Theme: light"
    button.click()
    assert page.evaluate(background) == dark
    page.reload()
    assert page.get_by_role("button", name="Theme").inner_text() == "Theme: dark"
    window.context.close()


def test_shown_lines_are_exported_without_formulas(browser: Browser, result: AuditResult, tmp_path: Path) -> None:
    """The export holds a header and the lines on the screen, and none of its cells is a formula."""
    file = tmp_path / "report.html"
    hostile = fill(result, lambda path, value: "=1+1" if path == "JudgedGrant.opens" else value)
    file.write_bytes(render(hostile)["report.html"])
    page = browser.new_page()
    page.goto(file.as_uri())
    page.select_option("#f-decision", "keep-and-scope")
    page.get_by_text("1 of 17 lines", exact=True).wait_for()
    with page.expect_download() as download:
        page.get_by_role("button", name="Export CSV").click()
    lines = Path(download.value.path()).read_text(encoding="utf-8-sig").splitlines()
    assert len(lines) == 2
    assert "\"'=1+1" in lines[1]
    page.close()


def test_everything_is_there_without_javascript(browser: Browser, file: Path, result: AuditResult) -> None:
    """Without scripts no dead control shows, every line is visible, and details open by themselves."""
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(file.as_uri())
    assert page.locator("button:visible, input:visible, select:visible").count() == 0
    assert page.locator(".perm:visible").count() == 17
    text = page.inner_text("main")
    assert all(app.headline in text for app in result.apps)
    page.locator(".more summary").first.click()
    assert page.locator("code.request:visible").count() == 1
    context.close()


def test_a_link_to_what_a_filter_hides_shows_it(opened: Opened) -> None:
    """Following a link to an app that the filter hides takes the filter back."""
    page = opened.page
    page.select_option("#f-app", "2")
    opened.shown(4)
    page.locator(".app:not([hidden]) a[href='#unchecked-1']").click()
    opened.shown(17)
    assert page.locator("#unchecked-1").is_visible()


def test_folded_lines_sort_and_copy_like_the_others(opened: Opened) -> None:
    """The folded line has a value in every column, so sorting by any of them moves no line away."""
    page = opened.page
    app = page.locator(".app").nth(2)
    heads = app.locator("thead th button")
    for place in range(7):
        heads.nth(place).click()
        assert app.locator(LINES).count() == 3
    app.get_by_text("Sign-in basics (1)").locator("xpath=ancestor::tbody").locator("summary").click()
    app.get_by_role("button", name="Copy row").click()
    app.get_by_role("button", name="Copied").wait_for()
    row = str(page.evaluate("navigator.clipboard.readText()")).split("\t")
    assert (len(row), row[-1]) == (7, "keep")


BROKEN = """() => {
  const found = [];
  const walker = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT);
  for (let node; (node = walker.nextNode());) {
    if (node.parentElement.closest("code:not(.perm), bdi, svg, .vh, option")) continue;
    for (const { 0: word, index } of node.data.matchAll(/[A-Za-z_.]+/g)) {
      const range = document.createRange();
      range.setStart(node, index);
      range.setEnd(node, index + word.length);
      if (new Set([...range.getClientRects()].map((box) => Math.round(box.top))).size > 1) found.push(word);
    }
  }
  return found;
}"""


def test_no_word_is_broken_at_1280(opened: Opened) -> None:
    """On a common screen every word of the report stands whole, and INCOMPLETE on one line."""
    assert opened.page.evaluate(BROKEN) == []


def test_a_phone_reads_the_picture_as_a_list(opened: Opened) -> None:
    """Below 560 px the picture is a list, and a decision and its reason stand on lines of their own."""
    page = opened.page
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.locator("figure svg:visible").count() == 0
    assert page.get_by_text("Mail: read \u2192 none").is_visible()
    line = page.locator(LINES).first
    badge, reason = line.locator(".badge").bounding_box(), line.locator(".why > td").bounding_box()
    assert badge is not None
    assert reason is not None
    assert reason["y"] >= badge["y"] + badge["height"] - 1


def test_paper_shows_all_details_and_no_control(opened: Opened) -> None:
    """In print every detail is open and no control is there; afterwards all is as it was."""
    opened.page.emulate_media(media="print")
    opened.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert opened.page.locator("code.request:visible").count() == 17
    controls = ":is(input, select, button:not(thead button), .grants summary):visible"
    assert opened.page.locator(controls).count() == 0
    opened.page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert opened.page.locator("details[open]").count() == 0


@pytest.mark.parametrize("width", [320, 390, 768, 1024, 1280, 1920])
def test_no_width_needs_sideways_scrolling(opened: Opened, width: int) -> None:
    """From a small phone to a wide screen the page fits."""
    opened.page.set_viewport_size({"width": width, "height": 900})
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.slow
def test_hostile_text_makes_no_element_in_a_browser(browser: Browser, result: AuditResult, tmp_path: Path) -> None:
    """A browser's own parser finds the same elements whatever stands in every text field, and runs nothing."""
    few = replace(result, apps=result.apps[:1], grants=result.grants[:9])
    file = tmp_path / "hostile.html"
    context = browser.new_context()
    alerts: list[str] = []

    def elements(text: str) -> list[str]:
        file.write_bytes(render(fill(few, lambda _path, _value: text))["report.html"])
        page = context.new_page()
        page.on("dialog", lambda dialog: alerts.append(dialog.message))
        page.goto(file.as_uri())
        found: list[str] = page.evaluate("[...document.querySelectorAll('*')].map((node) => node.nodeName)")
        page.close()
        return found

    plain = elements("x")
    for text in (*MARKUP, "]]>-->" + "</div>" * 9):
        assert elements(text) == plain, text
    assert alerts == []
    context.close()


@pytest.mark.slow
def test_five_thousand_lines_open(browser: Browser, tmp_path: Path) -> None:
    """A page of 5,000 lines opens and filters without a complaint."""
    file = tmp_path / "big.html"
    file.write_bytes(render(sample_result(grants=many(5000)))["report.html"])
    page = Opened(browser, file)
    assert page.lines() == 5000
    page.page.fill("#q", "full_access_as_app")
    page.page.locator("#shown:not(:text('5000 of 5000'))").wait_for()
    assert 0 < page.lines() < 5000
    assert page.complaints == []
    page.context.close()
