"""Every width, zoom and preference that a reader's screen may have."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from auditor.model.outcome import AuditResult
from tests.reporters.browsing import LINES, Opened

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = [pytest.mark.browser, pytest.mark.slow]

OPEN = "document.querySelectorAll('details').forEach((details) => { details.open = true; })"


def test_no_report_scrolls_sideways_at_any_width(browser: Browser, each: Path) -> None:
    """With all details open, the page is as wide as the window and no wider; 640 px is a common screen at 200 %."""
    with Opened(browser, each) as window:
        window.page.evaluate(OPEN)
        for width in (320, 390, 640, 768, 1024, 1280, 1920):
            window.page.set_viewport_size({"width": width, "height": 900})
            assert window.page.evaluate("document.documentElement.scrollWidth") <= width


def test_type_of_twice_the_size_fits(browser: Browser, file: Path) -> None:
    """At 200 % on a screen of twice the pixels no text runs over the edge, and every control is still there."""
    with Opened(browser, file, viewport={"width": 640, "height": 450}, device_scale_factor=2) as window:
        window.page.evaluate(OPEN)
        assert window.page.evaluate("document.documentElement.scrollWidth") <= 640
        assert window.page.locator("#bar :is(input, select, button):visible").count() == 7


def test_nothing_moves(browser: Browser, file: Path) -> None:
    """No animation and no transition, whether the reader asked for less motion or not."""
    for motion in ("reduce", "no-preference"):
        with Opened(browser, file, reduced_motion=motion) as window:
            page = window.page
            page.locator("summary").first.click()
            page.select_option("#f-decision", "ask")
            window.shown(4)
            assert page.evaluate("document.getAnimations().length") == 0
            moving = """[...document.querySelectorAll("*")].filter((node) => {
              const style = getComputedStyle(node);
              return style.transitionDuration !== "0s" || style.animationName !== "none"
                || style.scrollBehavior !== "auto";
            }).length"""
            assert page.evaluate(moving) == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_forced_colours_keep_decisions_and_focus_visible(browser: Browser, file: Path, scheme: str) -> None:
    """In high contrast a decision is still a framed word with its sign, and the focus still has its ring."""
    with Opened(browser, file, forced_colors="active", color_scheme=scheme) as window:
        page = window.page
        badge = page.locator(f"{LINES} .badge").first
        style = "(node) => [getComputedStyle(node).borderTopStyle, getComputedStyle(node).color]"
        border, colour = badge.evaluate(style)
        assert border == "solid"
        assert colour == page.evaluate("getComputedStyle(document.body).color")
        assert badge.locator("svg").evaluate("(node) => getComputedStyle(node).stroke") == colour
        page.keyboard.press("Tab")
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        box, words = page.locator("figure rect").first, page.locator("figure text.family").first
        filled = box.evaluate("(node) => getComputedStyle(node).fill")
        assert filled != words.evaluate("(node) => getComputedStyle(node).fill")


def test_every_report_is_whole_without_scripts(browser: Browser, each: Path) -> None:
    """Without JavaScript no dead control shows, every section is there, and details open by themselves."""
    with Opened(browser, each, java_script_enabled=False) as window:
        page = window.page
        assert page.locator("button:visible, input:visible, select:visible, output:visible").count() == 0
        heads = page.locator("main > section > h2:visible").all_inner_texts()
        assert {"Findings, by severity and axis", "The apps: who they are", "Provenance"} <= set(heads)
        assert page.locator(".grants > tbody").count() == page.locator(LINES).count()
        if page.locator(".more summary").count():
            page.locator(".more summary").first.click()
            assert page.locator("code.request:visible").count() == 1
        assert window.outside() == []


def test_page_one_answers_in_one_screen(browser: Browser, demo: Path, result: AuditResult) -> None:
    """What is wrong, what goes, who notices and what was not checked stand on the first 900 px of a common screen."""
    assert result.apps
    with Opened(browser, demo) as window:
        for name in ("What is wrong", "Who notices what goes", "What was not checked"):
            box = window.page.get_by_role("heading", name=name).locator("xpath=..").bounding_box()
            assert box is not None
            assert box["y"] + box["height"] < 900
        box = window.page.locator(".tiles").bounding_box()
        assert box is not None
        assert box["y"] < 300
