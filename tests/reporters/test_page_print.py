"""The report on paper."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.conftest import IN_CI
from tests.reporters.browsing import Opened

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = [pytest.mark.browser, pytest.mark.slow]

A4_LANDSCAPE = {"width": 1062, "height": 733}
"""Pixels that the page's own margins leave of the sheet."""

MOST_PAGES_OF_THE_DEMO = 18

CLIPPED = """() => {
  const wrong = [];
  for (const node of document.querySelectorAll("body *")) {
    if (node.closest("svg, .vh, .skip, .items thead, title, script") || !node.getClientRects().length) continue;
    const style = getComputedStyle(node);
    if (style.overflowX !== "visible" && node.scrollWidth > node.clientWidth + 1) wrong.push(["cut", node.outerHTML]);
    if ([...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim())) {
      const range = document.createRange();
      range.selectNodeContents(node);
      for (const box of range.getClientRects())
        if (box.right > innerWidth + 1 || box.left < -1) wrong.push(["outside", node.outerHTML.slice(0, 200)]);
    }
  }
  return wrong;
}"""

SVG_CUT = """() => [...document.querySelectorAll("figure svg g")].flatMap((g) => {
  const [family, now, then] = [...g.querySelectorAll("text")].map((text) => text.getBBox());
  const [left, right] = [...g.querySelectorAll("rect")].map((rect) => rect.getBBox());
  return (family.x + family.width > left.x || now.x + now.width > left.x + left.width
    || then.x + then.width > right.x + right.width) ? [g.textContent] : [];
})"""


def on_paper(window: Opened) -> None:
    window.page.set_viewport_size(A4_LANDSCAPE)  # type: ignore[arg-type]
    window.page.emulate_media(media="print")
    window.page.evaluate("dispatchEvent(new Event('beforeprint'))")


def pages(pdf: bytes) -> int:
    return len(re.findall(rb"/Type\s*/Page\b", pdf))


def test_nothing_is_cut_off_and_every_detail_is_open(browser: Browser, each: Path) -> None:
    """On A4 no text is cut or runs over the edge, all details are open, and no control is printed."""
    with Opened(browser, each) as window:
        on_paper(window)
        page = window.page
        assert page.evaluate(CLIPPED) == []
        assert page.evaluate("document.querySelectorAll('details:not([open])').length") == 0
        controls = "button:not(thead button), input, select, textarea, .grants summary, nav, .skip"
        assert page.locator(f":is({controls}):visible").count() == 0
        assert page.locator("#filtered:visible").count() == 0
        if page.locator("code.request").count() < 500:
            hidden = page.locator("code.request:not(:visible)").count()
            assert hidden == 0
        assert window.complaints == []


@pytest.mark.parametrize("width", [1280, 1920])
def test_the_picture_cuts_no_word(browser: Browser, demo: Path, width: int) -> None:
    """Each label of the picture of before and after lies inside its box."""
    with Opened(browser, demo, viewport={"width": width, "height": 900}) as window:
        assert window.page.evaluate(SVG_CUT) == []


def test_a_filtered_page_says_on_paper_that_it_is(browser: Browser, file: Path) -> None:
    """A copy on paper of what a filter leaves names the filter and the lines; on the screen the controls say it."""
    with Opened(browser, file) as window:
        window.page.select_option("#f-decision", "revoke")
        window.page.fill("#q", "mail")
        window.page.locator("#shown:not(:text('17 of 17'))").wait_for()
        window.page.locator("#shown:not(:text('5 of 17'))").wait_for()
        told = window.page.locator("#shown").inner_text()
        assert not window.page.locator("#filtered").is_visible()
        on_paper(window)
        assert window.page.locator("#filtered").is_visible()
        assert window.page.locator("#filtered").inner_text() == (
            f"This copy is filtered (search mail; decision revoke): it shows {told}."
        )


def test_an_incomplete_audit_says_so_on_the_first_sheet(
    browser: Browser, reports: dict[str, Path], tmp_path: Path
) -> None:
    """The first page of the PDF holds INCOMPLETE with its reasons; the PDF of a complete audit never does."""
    reader = shutil.which("pdftotext")
    if reader is None:
        (pytest.fail if IN_CI else pytest.skip)("needs pdftotext (apt-get install poppler-utils)")
    texts = {}
    for name in ("incomplete", "empty"):
        with Opened(browser, reports[name]) as window:
            (tmp_path / name).write_bytes(window.page.pdf(prefer_css_page_size=True))
        command = [reader, "-layout", "-l", "1", str(tmp_path / name), "-"]
        texts[name] = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert "INCOMPLETE" in texts["incomplete"]
    assert "page 4 was never reached" in texts["incomplete"]
    assert "INCOMPLETE" not in texts["empty"]
    assert "No app of Zoom's was found." in texts["empty"]


def test_the_demo_report_fits_on_eighteen_sheets(browser: Browser, demo: Path) -> None:
    """Six apps, 36 permissions, 38 findings and the ledger, all details open."""
    with Opened(browser, demo) as window:
        assert 5 < pages(window.page.pdf(prefer_css_page_size=True)) <= MOST_PAGES_OF_THE_DEMO


def test_without_scripts_paper_has_all_details_too(browser: Browser, file: Path) -> None:
    """Style alone opens the details on paper, so a page whose script was stripped prints whole."""
    with Opened(browser, file, java_script_enabled=False) as window:
        window.page.emulate_media(media="print")
        assert window.page.locator("code.request:visible").count() == 17
