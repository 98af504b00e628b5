"""What the terminal summary promises."""

from __future__ import annotations

import io
import re
from functools import partial
from pathlib import Path

import pytest
from rich.console import Console

from auditor.cli.summary import TOP, print_summary
from auditor.model.outcome import AuditResult, Severity
from tests.reporters.fill import fill
from tests.reporters.sample import CALENDAR, RULES, finding, guid, judged, sample_result, subject

PATHS = (Path("out/report.html"), Path("out/grants.csv"))


@pytest.fixture(scope="module")
def result() -> AuditResult:
    return sample_result()


def printed(result: AuditResult, paths: tuple[Path, ...] = PATHS, width: int = 100, *, terminal: bool = False) -> str:
    stream = io.StringIO()
    print_summary(
        result,
        paths,
        Console(file=stream, width=width, force_terminal=terminal, color_system="standard" if terminal else None),
    )
    return stream.getvalue()


def test_summary_tells_what_matters(result: AuditResult) -> None:
    """Headline and counts per app, INCOMPLETE with its reasons, the worst findings, the files, the next step."""
    text = " ".join(printed(result).split())
    for part in (
        "Zoom in Contoso (sample), taken 22 Nov 2026 09:14 UTC, policy minimal",
        "INCOMPLETE",
        *result.incomplete_reasons,
        result.headline,
        *(app.headline for app in result.apps),
        "2 keep 4 revoke 2 revoke-after 1 ask",
        "No permission was read.",
        "critical A meeting app can take over the tenant (takeover, 1)",
        "Written: out/report.html",
        "Written: out/grants.csv",
        "Next: open out/report.html; then confirm or exclude 2 apps",
    ):
        assert part in text


def test_terminal_and_page_use_the_same_numbers(result: AuditResult) -> None:
    """Apps have the page's numbers and marks, and findings and gaps are counted as the page counts them."""
    people = tuple(
        finding(RULES[0], subject(CALENDAR, judged(CALENDAR, "Mail.Read", "ask", principal=guid(f"person {number}"))))
        for number in range(12)
    )
    text = " ".join(printed(sample_result(outcomes=(*people, *result.outcomes))).split())
    plain = " ".join(printed(result).split())
    assert "1. Zoom \u00b7 personal-calendar-application" in plain
    assert "5. Z\u043e\u043em (contains U+043E Cyrillic small letter o)" in plain
    assert plain.count("not read in full") == 1
    assert "9 findings, 2 outcomes not evaluated" in plain
    assert "10 findings (21 with each person), 2 outcomes not evaluated" in text


def test_complete_audit_is_not_called_incomplete() -> None:
    """The word stands there only when something is missing."""
    assert "INCOMPLETE" not in printed(sample_result(complete=True))


def test_next_step_fits_what_was_written() -> None:
    """Without a page the summary says how to make one; without open apps it asks for no confirmation."""
    text = printed(sample_result(apps=()), ())
    assert "entra-audit report audit.json" in text
    assert "confirm" not in text
    assert "Written" not in text


def test_only_the_worst_findings_are_named() -> None:
    """At most five kinds are named, worst first, and the rest is counted."""
    many = tuple(
        finding(RULES[0], subject(CALENDAR), title=f"Kind {number}", severity=list(Severity)[number % 5])
        for number in range(9)
    )
    text = printed(sample_result(outcomes=many))
    assert text.index("critical") < text.index("high") < text.index("medium")
    assert f"and {9 - TOP} more kinds" in text
    assert printed(sample_result(outcomes=many[:1])).count("Kind") == 1


def test_colour_is_for_terminals_only(result: AuditResult) -> None:
    """A file or a pipe gets plain text; a terminal gets colour."""
    assert "\x1b" not in printed(result)
    assert "\x1b[" in printed(result, terminal=True)


@pytest.mark.parametrize("width", [1, 20, 40, 80, 200])
def test_every_width_keeps_the_words(result: AuditResult, width: int) -> None:
    """However narrow the terminal is, nothing is lost and no line ends in blanks; a path is never broken."""
    text = printed(result, width=width)
    squeezed = re.sub(r"\s", "", text)
    assert re.sub(r"\s", "", result.apps[0].headline) in squeezed
    assert "Written: out/report.html\n" in text
    assert not re.search(r"[ ]+\n", text)


def test_markup_of_the_printing_library_is_plain_text(result: AuditResult) -> None:
    """Names that read like styles, links or emoji of the library are printed letter by letter."""
    for text in ("[bold red]markup[/bold red]", "[/]", "[link=https://evil.example]x[/link]", ":warning: :skull:"):
        everywhere = fill(result, partial(lambda text, _path, _value: text, text))
        plain = printed(everywhere, (Path("out") / text.replace("/", ""),))
        assert text.replace(" ", "") in re.sub(r"\s", "", plain)


def test_summary_tells_what_a_plan_closed(result: AuditResult) -> None:
    """Gone, open again, granted again and not evaluated are four numbers, with the plan; without one, no such line."""
    text = printed(result)
    assert "1 finding closed since plan aaaaaaaaaaaa" in text
    assert "1 finding open again" in text
    assert "1 finding open: the permission was granted again" in text
    assert "1 finding not evaluated: not known to be gone" in text
    whole = printed(sample_result(closed=result.closed[:1]))
    assert "1 finding closed since plan" in whole
    assert "open again" not in whole
    assert "granted again" not in whole
    assert "not known to be gone" not in whole
    assert "closed since" not in printed(sample_result(closed=()))
