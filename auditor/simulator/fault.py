"""Faults: what goes wrong on purpose, where and how often, so that a test can name each one."""

from __future__ import annotations

import math
import re
from typing import Literal

from msgspec import Struct

FaultKind = Literal[
    "status",
    "cut-json",
    "not-json",
    "reset",
    "timeout",
    "empty-page",
    "foreign-next-link",
    "repeated-next-link",
    "missing-last-page",
]


class Fault(Struct, frozen=True, kw_only=True):
    """One thing that goes wrong.

    `status` answers with Graph's error body; `cut-json` ends the body in its middle (in a batch, the member's body
    is then a string); `not-json` answers 200 with HTML; `reset` drops the connection; `timeout` never answers;
    `empty-page` gives a page without items whose nextLink leads to them; `foreign-next-link` leads to another host;
    `repeated-next-link` leads to the same page again; `missing-last-page` keeps silent about the last page.
    On a member of a batch, `reset` and `timeout` strike the whole batch; the other kinds strike the member alone.
    """

    match: str
    """A part of, or a regular expression that is found in, `METHOD /v1.0/path?query` with the query decoded."""
    kind: FaultKind = "status"
    status: Literal[400, 401, 403, 404, 429, 500, 502, 503, 504] = 503
    retry_after: str | None = None
    """The value of the Retry-After header: seconds or an HTTP date; None sends none."""
    times: int = 1
    """How often; 0 is for ever."""

    def hits(self, call: str) -> bool:
        """Tell whether the fault is meant for `call`."""
        if self.match in call:
            return True
        try:
            return re.search(self.match, call) is not None
        except re.error:
            return False


class Faults:
    """The faults that are still to come."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        self._faults = faults
        self._left = [fault.times or math.inf for fault in faults]

    def strike(self, call: str) -> Fault | None:
        """Return the first fault left for `call` and count it, or None."""
        for number, fault in enumerate(self._faults):
            if self._left[number] and fault.hits(call):
                self._left[number] -= 1
                return fault
        return None
