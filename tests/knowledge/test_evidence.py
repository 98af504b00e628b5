"""What names and reply URLs say, whatever stands in them."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from auditor.knowledge.evidence import SHOWN, brand_word, clean, host_of, imitated_word, on_domain


@given(st.text(), st.text())
def test_evidence_never_crashes(text: str, url: str) -> None:
    """Any text is a name and any text is a URL; a host that is returned holds host characters only."""
    brand_word(text, ("zoom",))
    imitated_word(text, ("zoom", "will", "a.b"))
    assert set(host_of(url)) <= set("abcdefghijklmnopqrstuvwxyz0123456789.-*")
    assert set(host_of("https://" + url)) <= set("abcdefghijklmnopqrstuvwxyz0123456789.-*")
    shown = clean(text)
    assert len(shown) <= SHOWN
    assert not any(unicodedata.category(c)[0] == "C" for c in shown)


def test_quoted_strings_are_cut() -> None:
    """A name of 64 KiB takes one line of a reason."""
    assert clean("Zoom " * 13_000).endswith("…")


def test_other_brands_fold_too() -> None:
    """The folding is not Zoom's: letters that ASCII imitates, and a dot in a brand, are taken as they are."""
    assert imitated_word("We1come Wi11", ("will",)) == "will"
    assert imitated_word("vvebex", ("webex",)) == "webex"
    assert imitated_word("acmeXio", ("acme.io",)) == ""
    assert brand_word("acme.io sync", ("acme.io",)) == "acme.io"
    assert on_domain("zoom.us", ("zoom.us",))
    assert not on_domain("", ("zoom.us",))


def test_a_backslash_hides_no_host() -> None:
    """A browser sends the answer to fabrikam.example, so zoom.us is no evidence."""
    assert host_of("https://fabrikam.example\\@zoom.us/") == ""
