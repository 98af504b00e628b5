"""Reports opened in Chromium, and what they complain of while they are open."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from auditor.model.outcome import AuditResult
from tests.reporters.sample import many, sample_result

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
LINES = ".grants > tbody:not([hidden])"
SIZE = {"width": 1280, "height": 900}

WATCH = """() => {
  window.violations = [];
  document.addEventListener("securitypolicyviolation", (event) => violations.push(event.violatedDirective));
}"""

LARGE = 2000
"""Grants of the large report."""


def empty() -> AuditResult:
    """Return a complete audit that found no app."""
    nothing: dict[str, Any] = dict.fromkeys(
        (
            "apps", "seen_apps", "grants", "outcomes", "waivers", "expired_waivers", "accepted_gaps", "expired_gaps",
            "ledger", "notes", "incomplete_reasons", "features", "closed",
        ),
        (),
    )  # fmt: skip
    return sample_result(headline="No app of Zoom's was found.", complete=True, **nothing)


def results() -> Mapping[str, AuditResult]:
    """Return an audit that is incomplete, one without apps, and one of 2,000 grants."""
    return {
        "incomplete": sample_result(),
        "empty": empty(),
        "large": sample_result(grants=many(LARGE), complete=True, incomplete_reasons=()),
    }


class Opened:
    """A report in a window of its own: what it complained of, and what it asked of the network."""

    def __init__(self, browser: Browser, file: Path, **context: Any) -> None:
        self.context: BrowserContext = browser.new_context(**({"viewport": SIZE} | context))
        self.page: Page = self.context.new_page()
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.add_init_script(f"({WATCH})()")
        self.page.goto(file.as_uri())
        self.file = file

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.context.close()

    def lines(self) -> int:
        """Return the number of lines that the filters leave."""
        return self.page.locator(LINES).count()

    def shown(self, count: int) -> None:
        """Wait until the page says how many of the sample's lines it shows."""
        self.page.get_by_text(f"{count} of 17 lines", exact=True).wait_for(timeout=5000)
        assert self.lines() == count

    def outside(self) -> list[str]:
        """Return the addresses asked for beyond the file itself and what it carries."""
        own = self.file.as_uri()
        return [url for url in self.requests if not url.startswith((own, "data:", "blob:"))]

    def violations(self) -> list[str]:
        """Return the directives of the page's own policy that something ran against."""
        found: list[str] = self.page.evaluate("window.violations")
        return found
