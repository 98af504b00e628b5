"""What names and reply URLs say, whatever stands in them."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.knowledge.evidence import SHOWN, brand_word, clean, host_of, imitated_word, is_foreign, on_domain


@given(st.text(), st.text())
def test_evidence_never_crashes(text: str, url: str) -> None:
    """Any text is a name and any text is a URL; a host that is returned holds host characters only."""
    brand_word(text, ("zoom",))
    imitated_word(text, ("zoom", "will", "a.b"))
    letters = set("abcdefghijklmnopqrstuvwxyz0123456789.-*")
    for written in (url, "https://" + url):
        assert set(host_of(written)) <= letters or host_of(written) == "::1"
        assert not is_foreign(written, (host_of(written),)) or not host_of(written)
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


@pytest.mark.parametrize(
    ("url", "foreign"),
    [
        ("https://zoom.us/", False),
        ("http://eu.zoom.us/", False),
        ("https://fabrikam.example/", True),
        ("HTTP://fabrikam.example/", True),
        ("\x00https://fabrikam.example/", True),
        ("ht\ntps://fabrikam.example/", True),
        ("https://fabrikam.example\\@localhost/", True),
        ("https://[fabrikam.example/", True),
        ("https:///zoom.us", True),
        ("https://z\u043e\u043em.us/", True),
        ("http://localhost:8080/", False),
        ("http://127.0.0.1/", False),
        ("http://[::1]:80/", False),
        ("https://login.microsoftonline.com/common/oauth2/nativeclient", False),
        ("zoomus://oauth", False),
        ("urn:ietf:wg:oauth:2.0:oob", False),
        ("", False),
    ],
)
def test_a_foreign_reply_url_leaves_the_device_by_the_web(url: str, foreign: bool) -> None:
    """Custom schemes, loopback and Microsoft's page for native clients lead nowhere else; a host told two ways does."""
    assert is_foreign(url, ("zoom.us",)) is foreign
