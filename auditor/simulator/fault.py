"""Faults: what goes wrong on purpose, where, when and how often, so that a test can name each one."""

from __future__ import annotations

import math
import re
from typing import Annotated, Literal

from msgspec import Meta, Struct

FaultKind = Literal[
    "status",
    "timeout",
    "reset",
    "lost-answer",
    "cut-json",
    "not-json",
    "stale",
    "empty-page",
    "repeated-next-link",
    "foreign-next-link",
    "missing-last-page",
    "moved-row",
    "wrong-count",
    "feature-off",
    "out-of-order",
]
FaultStatus = Literal[400, 401, 403, 404, 410, 429, 500, 502, 503, 504, 507]
DEFAULT_STATUS: FaultStatus = 503


class Fault(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One thing that goes wrong.

    Any call:

    - `status` answers with Graph's error body;
    - `timeout` never answers, and `reset` drops the connection;
    - `lost-answer` drops the connection in place of the answer;
    - `cut-json` ends the body in its middle (in a batch, the member's body is then a string; an answer without a body
      has nothing to cut);
    - `not-json` answers 200 with HTML.

    A write that `status`, `timeout` or `reset` strikes is not carried out; one that `lost-answer`, `cut-json` or
    `not-json` strikes is. The same holds of a batch and its members.

    A read of one object or of a collection:

    - `stale` answers from the tenant before the latest write.

    A call for a collection; anything else is left alone:

    - `empty-page` gives a page without items, whose nextLink leads to them;
    - `repeated-next-link` leads to the same page again, and `foreign-next-link` to another host;
    - `missing-last-page` keeps silent about the last page, where this is the last but one;
    - `moved-row` shows on the next page this page's last row again, in place of a row that is never shown, as when
      rows come and go while somebody reads;
    - `wrong-count` counts one more than there are, also where no count was asked for;
    - `feature-off` answers as where the feature is switched off: no items, and a count of 0.

    A batch:

    - `out-of-order` answers the members last first (they come shuffled at all times).

    On a member of a batch, `reset`, `timeout` and `lost-answer` strike the whole batch, whose later members are not
    carried out; the other kinds strike the member alone.

    Raises:
        ValueError: `status` or `retry_after` is given, and the kind is another.
    """

    match: Annotated[str, Meta(min_length=1)]
    """A part of, or a regular expression that is found in, `METHOD /v1.0/path?query` with the query decoded."""
    kind: FaultKind = "status"
    status: FaultStatus = DEFAULT_STATUS
    retry_after: str | None = None
    """The value of the Retry-After header: seconds or an HTTP date; None sends none."""
    after: Annotated[int, Meta(ge=0)] = 0
    """How many calls that match are let through first."""
    times: Annotated[int, Meta(ge=0)] = 1
    """How often it strikes; 0 is for ever."""

    def __post_init__(self) -> None:
        """Refuse what would be without effect."""
        if self.kind != "status" and (self.status != DEFAULT_STATUS or self.retry_after is not None):
            raise ValueError(f"'status' and 'retry_after' belong to the kind 'status', and not to '{self.kind}'")

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
        self._wait = [fault.after for fault in faults]
        self._left = [fault.times or math.inf for fault in faults]

    def strike(self, call: str) -> Fault | None:
        """Return the first fault that is due for `call` and count it, or None; those before it count the call."""
        for number, fault in enumerate(self._faults):
            if not self._left[number] or not fault.hits(call):
                continue
            if self._wait[number]:
                self._wait[number] -= 1
                continue
            self._left[number] -= 1
            return fault
        return None
