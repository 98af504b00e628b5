"""What a real browser makes of a report that holds every hostile string: text, and nothing but text."""

from __future__ import annotations

import csv
import io
from collections import Counter
from itertools import cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from auditor.model.outcome import AuditResult
from auditor.reporters.html import render
from tests.hostile import HOSTILE
from tests.reporters.browsing import Opened
from tests.reporters.fill import fill
from tests.reporters.hostile_formats import steering
from tests.reporters.sample import many, sample_result
from tests.reporters.test_hostile import KEYS, formulas

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = [pytest.mark.browser, pytest.mark.slow]

FEATURES = """() => ({
  tags: [...new Set([...document.querySelectorAll("*")].map((node) => node.nodeName.toLowerCase()))].sort(),
  handlers: [...document.querySelectorAll("*")].flatMap((node) => node.getAttributeNames())
    .filter((name) => /^(on|style$|srcdoc$|formaction$)/i.test(name)),
  links: [...document.querySelectorAll("[href], [src], [action]")]
    .map((node) => node.getAttribute("href") ?? node.getAttribute("src") ?? node.getAttribute("action"))
    .filter((address) => !/^(https:\\/\\/[a-z0-9.-]+\\/|#[a-z0-9-]*$|data:,$)/.test(address)),
  scripts: document.scripts.length,
  frames: window.length,
})"""
GLOBALS = "Object.getOwnPropertyNames(window).sort()"


def large() -> AuditResult:
    """Return the sample grown, so that most text fields stand there as often as there are strings."""
    rich = sample_result()

    def grown(items: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(islice(cycle(items), len(HOSTILE)))

    lists = ("features", "incomplete_reasons", "notes", "ledger", "seen_apps", "waivers", "accepted_gaps")
    first = rich.apps[0]
    inner = {name: grown(getattr(first, name)) for name in ("identity", "still_possible", "not_checked")}
    return replace(
        rich,
        apps=(replace(first, **inner), *rich.apps[1:]),
        grants=many(len(HOSTILE)),
        outcomes=tuple(outcome for outcome in rich.outcomes for _ in range(len(HOSTILE) // 4)),
        **{name: grown(getattr(rich, name)) for name in lists},
    )


def hostile(result: AuditResult) -> tuple[AuditResult, Counter[str]]:
    """Return the audit with the next string in each text field, field by field, and how often each was used."""
    places: Counter[str] = Counter()
    used: Counter[str] = Counter()

    def change(path: str, value: Any) -> Any:
        if path.endswith(KEYS) or path == "AuditResult.schema":
            return value
        places[path] += 1
        text = HOSTILE[(len(places) * 29 + places[path]) % len(HOSTILE)]
        used[text] += 1
        return text

    return fill(result, change), used


@pytest.fixture(scope="module")
def page_of_all(tmp_path_factory: pytest.TempPathFactory) -> Path:
    filled, used = hostile(large())
    assert used.keys() == set(HOSTILE)
    assert min(used.values()) >= 20
    path = tmp_path_factory.mktemp("hostile") / "report.html"
    path.write_bytes(render(filled)["report.html"])
    path.with_name("blank.html").write_text("<!doctype html><title>x</title>")
    mild = fill(large(), lambda path, value: value if path.endswith(KEYS) or path == "AuditResult.schema" else "x")
    path.with_name("mild.html").write_bytes(render(mild)["report.html"])
    return path


def check_filters(window: Opened) -> int:
    """Narrow the lines by decision and by words, take both back, and return how many lines there are."""
    page, lines = window.page, window.lines()
    assert lines > len(HOSTILE) // 2
    for narrow in (
        lambda: page.select_option("#f-decision", "revoke"),
        lambda: page.fill("#q", "all: javascript:alert"),
    ):
        narrow()
        page.locator(f"#shown:not(:text('{lines} of'))").wait_for()
        assert 0 < window.lines() < lines
        page.get_by_role("button", name="Reset").click()
        page.locator(f"#shown:text('{lines} of')").wait_for()
        assert window.lines() == lines
    return lines


def check_sorting_and_copying(window: Opened, lines: int) -> None:
    head = window.page.locator(".grants thead th").first
    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    assert window.lines() == lines
    window.page.locator(".grants .more summary").first.click()
    assert window.page.get_by_role("button", name="Copy row").count() == 1


def check_export(window: Opened, lines: int) -> None:
    with window.page.expect_download() as download:
        window.page.get_by_role("button", name="Export CSV").click()
    text = Path(download.value.path()).read_bytes().decode("utf-8-sig")
    rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    assert len(rows) == lines + 1
    assert {len(row) for row in rows} == {len(rows[0])}
    for delimiter in (",", ";"):
        assert formulas(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)) == []


def test_every_hostile_string_is_text_in_chromium(browser: Browser, page_of_all: Path) -> None:
    """No dialog, request, complaint, global, handler, further script or kind of element; filters and sorting work."""
    with Opened(browser, page_of_all.with_name("blank.html")) as blank:
        own = blank.page.evaluate(GLOBALS)
    with Opened(browser, page_of_all.with_name("mild.html")) as mild:
        tags = set(mild.page.evaluate(FEATURES)["tags"])
    with Opened(browser, page_of_all) as window:
        dialogs: list[str] = []
        window.page.on("dialog", lambda dialog: dialogs.append(dialog.message))
        window.page.reload()
        lines = check_filters(window)
        check_sorting_and_copying(window, lines)
        check_export(window, lines)
        found = window.page.evaluate(FEATURES)
        assert set(found.pop("tags")) <= tags
        assert found == {"handlers": [], "links": [], "scripts": 1, "frames": 0}
        assert window.page.evaluate(GLOBALS) == own
        assert steering(window.page.inner_text("body").replace("\t", "")) == []
        assert dialogs == window.complaints == window.outside() == window.violations() == []
