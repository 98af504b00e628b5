"""The page before the judges: axe-core for accessibility, the Nu checker for HTML and CSS."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from tests.conftest import IN_CI
from tests.reporters.browsing import Opened

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = [pytest.mark.browser, pytest.mark.slow]

MODULES = Path(__file__).resolve().parents[1] / "web" / "node_modules"
AXE = MODULES / "axe-core" / "axe.min.js"
NU = MODULES / "vnu-jar" / "build" / "dist" / "vnu.jar"

STANDARDS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa", "best-practice"]
MODES: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 844}},
    "print": {"viewport": {"width": 1062, "height": 733}},
}

OPEN = """() => document.querySelectorAll("tbody:not([hidden]) details, .fold")
  .forEach((details) => { details.open = true; })"""

PICTURE = """() => {
  const luminance = (text) => {
    const [r, g, b] = text.match(/[\\d.]+/g).slice(0, 3).map((part) => part / 255)
      .map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const low = [];
  for (const svg of document.querySelectorAll("figure svg")) {
    const card = getComputedStyle(svg.closest(".app")).backgroundColor;
    for (const text of svg.querySelectorAll("text")) {
      const x = Number(text.getAttribute("x"));
      const rect = [...text.parentElement.querySelectorAll(":scope > rect")]
        .find((one) => x > one.x.baseVal.value && x < one.x.baseVal.value + one.width.baseVal.value);
      const fill = rect ? getComputedStyle(rect).fill : card;
      const [a, b] = [luminance(getComputedStyle(text).fill), luminance(fill === "none" ? card : fill)];
      const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
      if (contrast < 4.5) low.push([text.textContent, contrast]);
    }
  }
  return low;
}"""


def absent(what: str) -> NoReturn:
    (pytest.fail if IN_CI else pytest.skip)(f"needs {what}")
    raise AssertionError


@pytest.mark.parametrize("mode", MODES)
def test_axe_finds_nothing(browser: Browser, each: Path, mode: str) -> None:
    """WCAG 2.2 AA and good practice: 0 violations with all details open; what axe cannot judge is judged here.

    Of 2,000 lines it sees those that a search leaves: all of them take it many minutes.
    """
    if not AXE.exists():
        absent("axe-core (npm ci --ignore-scripts in tests/web)")
    with Opened(browser, each, bypass_csp=True, **MODES[mode]) as window:
        page = window.page
        if window.lines() > 500:
            page.fill("#q", "full_access_as_app")
            page.locator("#shown:not(:text('2000 of 2000'))").wait_for()
        page.evaluate(OPEN)
        options: dict[str, Any] = {"runOnly": STANDARDS, "resultTypes": ["violations", "incomplete", "passes"]}
        if mode == "print":
            page.emulate_media(media="print")
            options["rules"] = {"target-size": {"enabled": False}}  # Nobody touches paper.
        page.add_script_tag(path=AXE)
        found = page.evaluate("(options) => axe.run(document, options)", options)
        assert [(one["id"], one["nodes"][0]["html"][:200], len(one["nodes"])) for one in found["violations"]] == []
        assert len(found["passes"]) > 25
        unsure = [node["html"] for one in found["incomplete"] for node in one["nodes"]]
        assert [html for html in unsure if not html.startswith("<text")] == []
        assert page.evaluate(PICTURE) == []


MULTILINE = "Inline {} violates Content Security Policy (meta tag): blocked by “{}-src” directive"
"""The checker hashes a text of several lines otherwise than browsers do; that Chromium runs both is tested beside."""


def test_nu_checker_finds_nothing(each: Path) -> None:
    """0 errors and 0 warnings on HTML, CSS and SVG, but for the two in which the checker is wrong."""
    java = shutil.which("java")
    if java is None:
        absent("Java 11 or newer (apt-get install default-jre-headless)")
    if not NU.exists():
        absent("vnu-jar (npm ci --ignore-scripts in tests/web)")
    command = [java, "-jar", str(NU), "--format", "json", "--exit-zero-always", str(each)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    messages = [message["message"] for message in json.loads(done.stderr or done.stdout)["messages"]]
    known = tuple(MULTILINE.format(kind, kind) for kind in ("style", "script"))
    assert [message for message in messages if not message.startswith(known)] == []
