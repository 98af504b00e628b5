"""The way through the page by keyboard alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.reporters.browsing import LINES, Opened

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser

MARK = """() => {
  const all = [...document.querySelectorAll("a[href], button, input, select, summary, textarea, [tabindex='0']")]
    .filter((node) => !node.closest("[hidden]") && (node.matches(".skip")
      || node.checkVisibility({ contentVisibilityAuto: true }) && node.getClientRects().length));
  all.forEach((node, place) => { node.dataset.stop = place; });
  return all.length;
}"""

RING = """() => {
  const node = document.activeElement;
  const rgb = (text) => (text.match(/[\\d.]+/g) ?? []).map(Number);
  const luminance = (text) => {
    const [r, g, b] = rgb(text).slice(0, 3).map((part) => part / 255)
      .map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  let behind = node.parentElement;
  const clear = (colour) => rgb(colour).length === 4 && rgb(colour)[3] === 0;
  while (behind.parentElement && clear(getComputedStyle(behind).backgroundColor)) behind = behind.parentElement;
  const style = getComputedStyle(node);
  const [a, b] = [luminance(style.outlineColor), luminance(getComputedStyle(behind).backgroundColor)];
  const box = node.getClientRects()[0];
  const top = document.elementFromPoint(Math.min(innerWidth - 1, box.x + box.width / 2), box.y + box.height / 2);
  return {
    stop: Number(node.dataset.stop ?? -1),
    line: `${style.outlineStyle} ${style.outlineWidth}`,
    contrast: (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05),
    seen: Boolean(top) && (node.contains(top) || top.contains(node)),
    name: `${node.tagName} ${node.textContent.slice(0, 40)}`,
  };
}"""


def walk(window: Opened, key: str, count: int) -> list[dict[str, Any]]:
    """Return the next stops of a key, in the order in which they come."""
    stops = []
    for _ in range(count):
        window.page.keyboard.press(key)
        stops.append(window.page.evaluate(RING))
    return stops


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_tab_reaches_every_control_in_order_with_a_visible_ring(
    browser: Browser, file: Path, scheme: str, width: int
) -> None:
    """Forth and back each control is reached, in the page's order, on screen, under nothing, with a ring of 3:1."""
    with Opened(browser, file, color_scheme=scheme, viewport={"width": width, "height": 900}) as window:
        count = window.page.evaluate(MARK)
        assert count > 80
        forth = walk(window, "Tab", count)
        assert [stop["stop"] for stop in forth] == list(range(count))
        back = walk(window, "Shift+Tab", count - 1)
        assert [stop["stop"] for stop in back] == list(range(count - 1))[::-1]
        stops = forth + back
        assert [stop for stop in stops if stop["line"] != "solid 2px"] == []
        assert [stop for stop in stops if stop["contrast"] < 3] == []
        assert [stop for stop in stops if not stop["seen"]] == []


def test_skip_link_comes_first_and_leads_to_the_report(opened: Opened) -> None:
    """The first Tab shows the skip link; following it sets the focus behind the navigation."""
    page = opened.page
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the report")
    box = skip.bounding_box()
    assert box is not None
    assert box["width"] > 50
    assert box["x"] >= 0
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.keyboard.press("Tab")
    assert page.evaluate("document.querySelector('main').contains(document.activeElement)")


def test_details_open_by_enter_and_space_and_close_by_escape(opened: Opened) -> None:
    """A line's details open and close without a mouse, and the focus stays at their summary."""
    page = opened.page
    details = page.locator(f"{LINES} details").first
    summary = details.locator("summary")
    summary.focus()
    for key, state in (("Enter", True), ("Space", False), ("Space", True), ("Enter", False), ("Enter", True)):
        page.keyboard.press(key)
        assert details.evaluate("(node) => node.open") is state
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Copy row"
    page.keyboard.press("Escape")
    assert details.evaluate("(node) => node.open") is False
    assert summary.evaluate("(node) => node === document.activeElement")


def test_escape_empties_the_search(opened: Opened) -> None:
    """Escape in the search brings every line back and keeps the focus there."""
    page = opened.page
    page.fill("#q", "mail")
    page.locator("#shown:not(:text('17 of 17'))").wait_for()
    page.keyboard.press("Escape")
    opened.shown(17)
    assert page.input_value("#q") == ""
    assert page.evaluate("document.activeElement.id") == "q"
