"""Answer: what Microsoft Graph said to one request, alone or as a member of a batch."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import msgspec
from msgspec import Struct

from auditor.model.canonical import from_json

NO_CONTENT = 204
"""HTTP's status of a success that says nothing more."""
RETRIED = frozenset({0, 408, 429, 500, 502, 503, 504, 507, 509})
"""Statuses after which a request is sent again; 0 stands for no answer, or one that is no JSON."""


class Answer(Struct, frozen=True, kw_only=True):
    """One answer; of a failed request only Graph's code and message are kept."""

    status: int
    """HTTP status; 0 when there was no answer, or one that is no JSON."""
    body: object = None
    """Parsed JSON; only of a successful request."""
    code: str = ""
    message: str = ""
    retry_after: float | None = None
    """Seconds that the server asks to wait."""

    @property
    def succeeded(self) -> bool:
        """The body can be used."""
        return 200 <= self.status < 300  # noqa: PLR2004 - HTTP's range of success

    @property
    def why(self) -> str:
        """What went wrong, in one line."""
        said = f"{self.code}: {self.message}" if self.code and self.message else self.code or self.message
        if not self.status:
            return said
        return f"HTTP {self.status} ({said})" if said else f"HTTP {self.status}"


def http_answer(status: int, headers: Mapping[str, str], content: bytes, now: datetime) -> Answer:
    """Return the Answer of an HTTP response; a success that is no JSON counts as no answer.

    Args:
        status: HTTP status.
        headers: of the response, looked up without regard to case by the mapping itself.
        content: the body.
        now: what a Retry-After that is a date counts from.
    """
    try:
        body = from_json(content)
    except msgspec.DecodeError:
        body = None
    return json_answer(status, headers.get("Retry-After"), body, now)


def json_answer(status: int, retry_after: str | None, body: object, now: datetime) -> Answer:
    """Return the Answer of a status and a parsed body; a success without an object counts as no answer."""
    wait = _seconds(retry_after, now)
    if status == NO_CONTENT:
        return Answer(status=status, body={})
    if 200 <= status < 300:  # noqa: PLR2004 - HTTP's range of success
        if isinstance(body, Mapping):
            return Answer(status=status, body=body)
        return Answer(status=0, message="the answer is no JSON object, or was cut")
    error = body.get("error") if isinstance(body, Mapping) else None
    said = error if isinstance(error, Mapping) else {}
    return Answer(
        status=status,
        code=one_line(str(said.get("code") or ""), 100),
        message=one_line(str(said.get("message") or "")),
        retry_after=wait,
    )


def one_line(text: str, limit: int = 300) -> str:
    """Return a stranger's text as one line of at most `limit` characters.

    Control characters, and those that change the direction of writing, become blanks.
    """
    unsafe = r"[\x00-\x20\x7f-\xa0\u061c\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff]+"
    plain = re.sub(unsafe, " ", text).strip()
    return plain if len(plain) <= limit else f"{plain[: limit - 3]}..."


def _seconds(retry_after: str | None, now: datetime) -> float | None:
    """Return the wait that a Retry-After header asks for by seconds or date; None when it says neither."""
    text = (retry_after or "").strip()
    if re.fullmatch(r"\d{1,9}(\.\d{1,9})?", text, re.ASCII):
        return float(text)
    try:
        then = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, ((then if then.tzinfo else then.replace(tzinfo=UTC)) - now).total_seconds())
