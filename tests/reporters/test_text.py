"""What the helpers for hostile text promise."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from auditor.model.text import visible
from auditor.reporters.text import cell, cut, day, host, https_only, odd_letters, prose, steps, when
from tests.hostile import FORMULAS, HOSTILE, URLS, named

TRIGGERS = "=+-@\t\r\0\uff1d\uff0b\uff0d\uff20"


@pytest.mark.parametrize("text", HOSTILE, ids=named)
def test_cells_never_begin_a_formula(text: str) -> None:
    """A cell begins with no trigger, blanks before it or not, and neither does what stands behind a semicolon."""
    for part in cell(text).split(";"):
        assert part.lstrip()[:1] not in TRIGGERS or not part.strip()
    assert cell(text).splitlines() in ([cell(text)], [])


@pytest.mark.parametrize("text", FORMULAS, ids=ascii)
def test_lists_in_cells_are_as_safe_as_texts(text: str) -> None:
    """Each item of a joined list is guarded, not only the first."""
    for part in cell(("x", text)).split(";"):
        assert part.lstrip()[:1] not in TRIGGERS or not part.strip()


def test_cells_have_one_form_per_kind() -> None:
    """None is empty, booleans are words, moments are UTC with Z, lists are joined with a semicolon."""
    east = datetime(2026, 11, 22, 10, 14, tzinfo=timezone(timedelta(hours=1)))
    assert [cell(value) for value in (None, True, False, east, ("a", "b"), 0)] == [
        "",
        "true",
        "false",
        "2026-11-22T09:14:00Z",
        "a; b",
        "0",
    ]


def test_plain_text_is_left_alone() -> None:
    """Letters of every script, emoji and punctuation pass unchanged."""
    for text in ("Zoom", "Z\u043e\u043em", "\u4f1a\u8bae", "\U0001f4f9", "a & b <c>", "caf\u00e9", ""):
        assert visible(text) == text


def test_hidden_characters_are_named() -> None:
    """A character that cannot be seen or turns the text is shown by its number."""
    assert visible("a\u202eb\0\U000e0041") == "a\u2039U+202E\u203ab\u2039U+0000\u203a\u2039U+E0041\u203a"


def test_sentences_stand_on_one_line() -> None:
    """Line breaks of a rule's text become blanks; hidden characters inside words are still named."""
    assert prose("One\n  sentence.\n") == "One sentence."
    assert prose("a\u202eb") == visible("a\u202eb")


def test_cut_says_how_long_it_was() -> None:
    """A text up to the limit is whole; a longer one tells its length."""
    assert cut("abc", 3) == "abc"
    assert cut("abcd", 3) == "abc\u2026 (4 characters)"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Z\u043e\u043em Meetings", " (contains U+043E Cyrillic small letter o)"),
        ("Zo\uff4fm", " (contains U+FF4F Fullwidth latin small letter o)"),
        (
            "Z\u043e\u03bfm M\u0435\u0435t\u0456ng",
            (
                " (contains U+043E Cyrillic small letter o, U+03BF Greek small letter omicron,"
                " U+0435 Cyrillic small letter ie and more)"
            ),
        ),
        *(
            (name, "")
            for name in ("Zoom", "Caf\u00e9", "Zoom\u4f1a\u8bae", "Zoom \u0417\u0443\u043c", "\u0417\u0443\u043c")
        ),
    ],
)
def test_look_alike_letters_are_spelled_out(name: str, said: str) -> None:
    """Letters of another script inside a Latin word are named, three at most; accents and other words are not."""
    assert odd_letters(name) == said


def test_numbered_steps_come_apart() -> None:
    """Parts numbered from 1 in order come apart; what is not numbered so stays whole."""
    assert steps("1) Ask (2) them. 2) Wait. 3) Go.") == ["Ask (2) them.", "Wait.", "Go."]
    for whole in ("Ask.", "1) Ask.", "Ask 1) or 2) her.", "1) Ask. 3) Go.", ""):
        assert steps(whole) == [whole]


def test_moments_are_english_in_every_locale() -> None:
    """Months have our own names, moments are in UTC, and what is no date comes back as it is."""
    assert when(datetime(2026, 5, 1, 23, 5, tzinfo=UTC)) == "1 May 2026 23:05 UTC"
    assert when(None) == ""
    assert day(date(2027, 1, 31)) == day("2027-01-31") == "31 Jan 2027"
    assert day("soon") == "soon"


@pytest.mark.parametrize("url", [*URLS, "", "https://a", "https://-a.example/", "https://a.example:8443/"], ids=ascii)
def test_only_plain_https_is_a_link(url: str) -> None:
    """Another scheme, a user part, a port, an odd host or an odd character makes it no link."""
    assert https_only(url) == ""


def test_documented_addresses_are_links() -> None:
    """Portal addresses with a fragment and article addresses with a query are followed."""
    for url in (
        "https://entra.microsoft.com/#view/Microsoft_AAD_IAM/ManagedAppMenuBlade/~/Permissions/objectId/x/appId/y",
        "https://support.zoom.com/hc/en/article?id=zm_kb&sysparm_article=KB0077944",
        "https://learn.microsoft.com:443/graph/api/resources/serviceprincipal",
    ):
        assert https_only(url) == url
    assert host("https://learn.microsoft.com/graph") == "learn.microsoft.com"
