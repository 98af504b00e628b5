"""A Graph in a storm: about half of all requests, and of the members of a batch, meet a fault that passes.

No request and no member is struck more than seven times in a row, whether alone or with its whole batch, so a reader
that is patient gets everything.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

import msgspec

from auditor.model.snapshot import Snapshot
from auditor.simulator.fault import Fault, FaultKind, Faults, FaultStatus
from auditor.simulator.graph import Answer, Graph, GraphRequest

IN_A_ROW = 7
STATUSES: tuple[FaultStatus, ...] = (429, 500, 502, 503, 504, 507)
BODIES: tuple[FaultKind, ...] = ("cut-json", "not-json")
LOST: tuple[FaultKind, ...] = ("timeout", "reset")
WAITS: tuple[str | None, ...] = (None, "0", "1", "2.128", "5", "12")
"""Values of Retry-After; None sends none."""


class Sent(NamedTuple):
    """One HTTP request that came."""

    at: float
    """When, by the Storm's clock."""
    calls: tuple[str, ...]
    """What it asks for: its own target, or those of a batch's members."""
    answer: Answer


class Storm(Graph):
    """A Graph whose faults are drawn from a seed.

    Args:
        snapshot: what the tenant holds.
        seed: of the faults.
        clock: seconds from any start.
        waits: what Retry-After says, each value as likely as the other.
        in_a_row: how often one call is struck without a pause, at most.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        *,
        seed: int,
        clock: Callable[[], float],
        waits: tuple[str | None, ...] = WAITS,
        in_a_row: int = IN_A_ROW,
        **options: Any,
    ) -> None:
        super().__init__(snapshot, **options)
        self._chance = random.Random(seed)
        self._clock = clock
        self._waits = waits
        self._in_a_row = in_a_row
        self._row: Counter[str] = Counter()
        self._refused: set[str] = set()
        self._planned = _Planned()
        self._faults = self._planned
        self.sent: list[Sent] = []

    def answer(self, request: GraphRequest) -> Answer:
        """Return the answer to one HTTP request, spoilt or not."""
        if request.in_batch:
            return super().answer(request)
        at, calls = self._clock(), called(request)
        self._plan(request, calls)
        answer = super().answer(request)
        self.sent.append(Sent(at, tuple(calls), answer))
        return answer

    def _plan(self, request: GraphRequest, members: list[str]) -> None:
        batch = request.method == "POST"
        fault = self._drawn(members, alone=True)
        self._planned.whole = fault
        self._planned.members = [None if fault or not batch else self._drawn([member]) for member in members]
        for number, member in enumerate(members):
            struck = fault or self._planned.members[number]
            self._row[member] = self._row[member] + 1 if struck else 0

    def _drawn(self, calls: list[str], *, alone: bool = False) -> Fault | None:
        """Return a fault for calls that are struck together, or None; `alone`: they are a request of their own."""
        if max(self._row[call] for call in calls) >= self._in_a_row or self._chance.random() < 0.5:
            return None
        whole: tuple[FaultKind | FaultStatus, ...] = (*LOST, 401)
        may = whole if alone and not self._refused & {*calls} else ()
        kinds: tuple[FaultKind | FaultStatus, ...] = (*STATUSES, *BODIES, *may)
        kind = self._chance.choice(kinds)
        if kind == 401:
            # A second one in a row would be no fault that passes: the new token would be refused as well.
            self._refused |= {*calls}
            return Fault(match="/", status=401)
        self._refused -= {*calls}
        if isinstance(kind, str):
            return Fault(match="/", kind=kind)
        return Fault(match="/", status=kind, retry_after=self._chance.choice(self._waits))


class _Planned(Faults):
    """The faults of one HTTP request: of itself, then of its members in their order."""

    def __init__(self) -> None:
        super().__init__(())
        self.whole: Fault | None = None
        self.members: list[Fault | None] = []

    def strike(self, call: str) -> Fault | None:
        """Return the fault that is planned for the next call."""
        if call.startswith("POST ") or not self.members:
            return self.whole
        return self.members.pop(0) if self.whole is None else self.whole


def called(request: GraphRequest) -> list[str]:
    """Return what an HTTP request asks for: its own target, or that of each member of a batch."""
    if request.method != "POST":
        return [request.target]
    version = request.target.split("/")[1]
    return [f"/{version}{member['url']}" for member in msgspec.json.decode(request.body)["requests"]]


def refusals(sent: Sent) -> Iterator[tuple[str, int, float]]:
    """Give each call that was refused, with the status and the seconds that the server asks to wait."""
    answer = sent.answer
    if answer.status >= 400:
        yield from ((call, answer.status, _wait(answer.headers)) for call in sent.calls)
    elif isinstance(answer.body, Mapping) and "responses" in answer.body:
        for member in answer.body["responses"]:
            if member["status"] >= 400:
                yield sent.calls[int(member["id"])], member["status"], _wait(member["headers"])


def _wait(headers: Mapping[str, str]) -> float:
    return float(headers.get("Retry-After", 0))


def early(sent: list[Sent]) -> list[str]:
    """Return the calls that were sent again more than half a millisecond before the server's Retry-After."""
    found = []
    due: dict[str, float] = {}
    for one in sent:
        found += [call for call in one.calls if one.at < due.get(call, 0) - 0.0005]
        due.update({call: one.at + wait for call, _, wait in refusals(one)})
    return found


def tries(sent: list[Sent]) -> int:
    """Return how often the most tried call was tried; a request again with a new token is the same try."""
    times = Counter(call for one in sent for call in one.calls)
    times.subtract(call for one in sent for call, status, _ in refusals(one) if status == 401)
    return max(times.values())


def longest(sent: list[Sent]) -> float:
    """Return the seconds from the first to the last request of the collection that took longest."""
    first: dict[object, float] = {}
    seconds = 0.0
    for one in sent:
        for call in one.calls:
            parts = urlsplit(call)
            pages = ("$skiptoken", "$count")
            key = parts.path, frozenset(pair for pair in parse_qsl(parts.query) if pair[0] not in pages)
            seconds = max(seconds, one.at - first.setdefault(key, one.at))
    return seconds
