"""What is promised of single answers: an error keeps its code, a wait is understood, a stranger's text is one line."""

from __future__ import annotations

import gc
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.graph.answer import Answer, http_answer, json_answer, one_line

NOW = datetime(2026, 11, 22, 9, 14, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2", 2.0),
        (" 0 ", 0.0),
        ("Sun, 22 Nov 2026 09:14:30 GMT", 30.0),
        ("Sun, 22 Nov 2026 09:14:30 -0000", 30.0),
        ("Sun, 22 Nov 2026 09:13:00 GMT", 0.0),
        ("soon", None),
        ("-5", None),
        ("1.5", 1.5),
        ("2.128", 2.128),
        ("1.", None),
        ("\u0661", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after_is_seconds_or_a_date(text: str | None, seconds: float | None) -> None:
    """A date in the past is no wait; what is neither is as if it were absent."""
    assert json_answer(429, text, None, NOW).retry_after == seconds


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"null", b"<html>", b"\xff", b'{"value": [{"id"', b"[" * 100_000]
)
def test_a_success_that_is_no_object_counts_as_no_answer(content: bytes) -> None:
    """A cut body, HTML, or nesting without end is never taken for an empty collection."""
    gc.collect()  # Else what other tests left may be finalized at the bottom of the nesting, and fail there.
    answer = http_answer(200, {}, content, NOW)
    assert not answer.succeeded
    assert answer.status == 0
    assert "no JSON object" in answer.why


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b'{"error": {"code": "Forbidden", "message": "No.\\r\\nReally"}}', "HTTP 403 (Forbidden: No. Really)"),
        (b'{"error": {"code": "Forbidden"}}', "HTTP 403 (Forbidden)"),
        (b'{"error": {"message": "No"}}', "HTTP 403 (No)"),
        (b'{"error": "No"}', "HTTP 403"),
        (b"<html>", "HTTP 403"),
        (b"[]", "HTTP 403"),
    ],
)
def test_an_error_says_why(body: bytes, why: str) -> None:
    """Status, code and message, whatever of them came."""
    assert http_answer(403, {}, body, NOW).why == why


@given(st.text())
def test_a_strangers_text_stays_on_one_line(text: str) -> None:
    """No line end, escape or change of direction gets through, and no more than the limit."""
    line = one_line(text, 50)
    assert len(line) <= 50
    assert not set(line) & set("\r\n\t\x1b\x00\x9b\u202e\u2066\u200f\u2028")


def test_an_answer_shows_no_body() -> None:
    """Of a failed request only code and message are kept."""
    assert json_answer(500, None, {"value": [1]}, NOW) == Answer(status=500)
