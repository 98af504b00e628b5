"""The sample audit that every reporter is tested with, and the reports that are opened in a browser."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from auditor.model.outcome import AuditResult
from auditor.reporters.html import render
from tests.reporters.browsing import CHROMIUM, Opened, results
from tests.reporters.sample import sample_result

if TYPE_CHECKING:
    from playwright.sync_api import Browser

REPORTS = ("demo", "incomplete", "empty", "large")
Open = Callable[..., Opened]


@pytest.fixture(scope="session")
def result() -> AuditResult:
    """Return a rich, made-up audit."""
    return sample_result()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Return Chromium, headless, where it is installed.

    Of one module: while it runs, its event loop stands in the way of every other test's.
    """
    driver = pytest.importorskip("playwright.sync_api").sync_playwright
    if CHROMIUM is None:
        pytest.skip("needs Chromium (apt-get install chromium)")
    with driver() as started:
        opened: Browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def file(result: AuditResult, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the sample's report.html."""
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_bytes(render(result)["report.html"])
    return path


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the report of the demo tenant, made by the program itself."""
    folder = tmp_path_factory.mktemp("demo")
    command = [sys.executable, "-m", "auditor", "run", "--demo", "--format", "html", "--out", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    return folder / "report.html"


@pytest.fixture(scope="session")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return the reports that need no run, by name."""
    folder = tmp_path_factory.mktemp("reports")
    files = {}
    for name, made in results().items():
        files[name] = folder / f"{name}.html"
        files[name].write_bytes(render(made)["report.html"])
    return files


@pytest.fixture(params=REPORTS)
def each(request: pytest.FixtureRequest, reports: dict[str, Path]) -> Path:
    """Return one of the four reports: of the demo tenant, incomplete, without apps, of 2,000 grants."""
    return reports[request.param] if request.param in reports else request.getfixturevalue("demo")


@pytest.fixture
def opened(browser: Browser, file: Path) -> Iterator[Opened]:
    """Return the sample's report, opened; afterwards nothing was complained of and nothing asked for."""
    with Opened(browser, file, permissions=["clipboard-read", "clipboard-write"]) as window:
        yield window
        assert window.complaints == []
        assert window.outside() == []
        assert window.violations() == []
