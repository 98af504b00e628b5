"""The page is alone: it asks nobody, runs nothing but its own, and complains of nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.reporters.browsing import LINES, Opened

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Route

pytestmark = [pytest.mark.browser, pytest.mark.slow]

HANDLERS = """[...document.querySelectorAll("*")].flatMap((node) => node.getAttributeNames())
  .filter((name) => name.startsWith("on") || name === "style" || name === "srcdoc")"""


def use(window: Opened) -> None:
    """Touch every control once, where the report has them."""
    page = window.page
    page.get_by_role("button", name="Theme").click()
    page.fill("#q", "all: mail")
    page.keyboard.press("Escape")
    for name in ("decision", "severity", "app", "kind"):
        for value in page.locator(f"#f-{name} option").evaluate_all("all => all.map((one) => one.value)"):
            page.select_option(f"#f-{name}", value)
    page.get_by_role("button", name="Reset").click()
    for head in page.locator("thead button").all()[:12]:
        head.click()
    if page.locator(LINES).count():
        page.locator(f"{LINES} summary").first.click()
        for button in page.locator(f"{LINES} .actions button").all()[:3]:
            button.click()
        with page.expect_download():
            page.get_by_role("button", name="Export CSV").click()
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")


def test_no_request_no_violation_no_word_on_the_console(browser: Browser, each: Path) -> None:
    """With every control used and the page printed: 0 requests but the file, 0 violations, 0 console messages."""
    with Opened(browser, each) as window:
        asked: list[str] = []

        def refuse(route: Route) -> None:
            asked.append(route.request.url)
            route.abort()

        window.context.route("**/*", refuse)
        use(window)
        assert [url for url in asked if not url.startswith(("data:", "blob:"))] == []
        assert window.outside() == []
        assert window.violations() == []
        assert window.complaints == []


def test_one_script_and_no_handler(browser: Browser, each: Path) -> None:
    """The page has the one script that its policy names, and no attribute that runs or styles."""
    with Opened(browser, each) as window:
        page = window.page
        assert page.evaluate("document.scripts.length") == 1
        assert page.evaluate(HANDLERS) == []
        assert (
            page.evaluate("document.querySelectorAll('iframe, object, embed, base, img, link[rel=stylesheet]').length")
            == 0
        )
        assert (
            page.evaluate("[...document.links].filter((link) => !['https:', 'file:'].includes(link.protocol)).length")
            == 0
        )


def test_the_policy_stops_a_foreign_script(browser: Browser, file: Path) -> None:
    """A script, a handler and an image that something slips in do not run or load, and the browser reports each."""
    asked: list[str] = []
    with Opened(browser, file) as window:
        window.page.route("https://**/*", lambda route: asked.append(route.request.url))
        window.page.evaluate("""() => {
          const script = document.createElement("script");
          script.textContent = "window.slipped = true";
          const image = document.createElement("img");
          image.src = "https://evil.example/x.png";
          const button = document.createElement("p");
          button.setAttribute("onclick", "window.slipped = true");
          document.body.append(script, image, button);
          button.click();
        }""")
        window.page.wait_for_function("window.violations.length >= 3")
        assert window.page.evaluate("window.slipped") is None
        assert sorted(window.violations()) == ["img-src", "script-src-attr", "script-src-elem"]
        assert asked == []
