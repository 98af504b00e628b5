"""A run that dies at any point: the next one knows what was done, repeats no delete blindly, and undo restores all.

The process ends by `os._exit` right before or after a line of the journal or a write, or with half of a line on disk;
the tenant lives on in another process's server.
"""

from __future__ import annotations

import asyncio
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from msgspec.structs import replace

from auditor.graph.auth import simulator_connection
from auditor.graph.client import WRITING_AGENT, GraphClient
from auditor.graph.reader import Reader
from auditor.model.plan import AssignmentChange, Line, RevokePlan
from auditor.model.snapshot import items
from auditor.remedy.apply import Applier
from auditor.remedy.conduct import Applied, Conduct
from auditor.remedy.journal import Journal, encode_line, known, opened, read_journal
from auditor.remedy.undo import undo_plan
from auditor.simulator.sample import CALENDAR
from auditor.simulator.server import Running, serve
from tests.remedy.plans import SNAPSHOT, client, on_graph, plan, step, steps
from tests.remedy.test_apply import expected, held
from tests.remedy.world import RULES, WRITES, token, who

STEPS = 10
DIED = 77
WHOLE = 0


def ten() -> RevokePlan:
    """Return a plan of ten steps, the last of which are a replacement and a bulk."""
    roles = [a for a in items(client(CALENDAR).app_role_assignments) if a.app_role_id not in _of_others()]
    single = [
        step(
            n,
            "remove-application-permission",
            (AssignmentChange(before=role, after=None),),
            **on_graph(kind="delegated"),
        )
        for n, role in enumerate(roles[: STEPS - 3], 1)
    ]
    _, swap, scopes, bulk, _ = steps()
    bulk = step(10, "remove-user-consents", bulk.changes[:2], **on_graph("Contacts.ReadWrite", kind="delegated"))
    chosen = [*single, replace(swap, number=8), replace(scopes, number=9), bulk]
    assert len(chosen) == STEPS
    return plan(*chosen)


def _of_others() -> set[str]:
    swap = steps()[1]
    sides = [change.before or change.after for change in swap.changes]
    return {getattr(side, "app_role_id", "") for side in sides}


class Mortal:
    """Counts boundaries, and ends the process at one of them."""

    def __init__(self, at: int) -> None:
        self.left = at

    def __call__(self) -> None:
        self.left -= 1
        if self.left == 0:
            os._exit(DIED)


class MortalJournal(Journal):
    """Three boundaries a line: before it, in its middle, after it."""

    def __init__(self, path: Path, boundary: Mortal) -> None:
        super().__init__(path)
        self._boundary = boundary

    def write(self, line: Line) -> None:
        self._boundary()
        if self._boundary.left == 1:
            text = encode_line(line)
            with self.path.open("ab") as file:
                file.write(text[: len(text) // 2])
        self._boundary()
        super().write(line)
        self._boundary()


class MortalTransport(httpx.AsyncHTTPTransport):
    """Two boundaries a write: before it is sent, and when its answer is there."""

    def __init__(self, boundary: Mortal) -> None:
        super().__init__()
        self._boundary = boundary

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        writes = request.method != "GET" and not request.url.path.endswith("/$batch")
        if writes:
            self._boundary()
        response = await super().handle_async_request(request)
        if writes:
            self._boundary()
        return response


async def _at_once(_seconds: float) -> None:
    await asyncio.sleep(0)


async def carried(plan_: RevokePlan, journal: Path, running: Running, boundary: Mortal) -> Applied:
    connection = simulator_connection(running.url, running.write_token)
    async with GraphClient(connection, agent=WRITING_AGENT, transport=MortalTransport(boundary)) as to:
        with opened(journal):
            applier = Applier(
                plan_,
                to,
                Reader(to),
                MortalJournal(journal, boundary),
                earlier=known(read_journal(journal)),
                claims=who(token(*WRITES)),
                conduct=Conduct(sleep=_at_once, now=lambda: SNAPSHOT.taken_at),
            )
            return await applier.apply()


def run_until(at: int, plan_: RevokePlan, journal: Path, running: Running) -> int:
    """Carry a plan out in a process that dies at a boundary; return its exit status."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the server's thread stays with the parent
        child = os.fork()
    if child == 0:
        status = 1
        try:
            status = WHOLE if asyncio.run(carried(plan_, journal, running, Mortal(at))).done else 2
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@contextmanager
def tenant() -> Iterator[Running]:
    with serve(SNAPSHOT) as running:
        yield running


def boundaries() -> int:
    """Return the number of points at which a whole run could die: 3 a line of the journal and 2 a write."""
    changes = sum(len(step.changes) for step in ten().steps)
    return 3 * (2 * changes + 2) + 2 * changes


def die_everywhere(points: range, folder: Path) -> None:
    made = ten()
    changes = [change for step in made.steps for change in step.changes]
    for at in points:
        with tenant() as running:
            start = held(running.snapshot)
            journal = folder / f"{at}.journal.jsonl"
            assert run_until(at, made, journal, running) == DIED
            classified(made, journal, running, at)
            assert run_until(0, made, journal, running) == WHOLE, at
            assert held(running.snapshot) == expected(start, changes), at
            writes = [f"{call.method} {call.target}" for call in running.calls if call.writes]
            assert len(writes) == len(set(writes)), (at, writes)
            undo = undo_plan(read_journal(journal), where="", now=SNAPSHOT.taken_at, rules_sha256=RULES)
            assert run_until(0, undo, folder / f"{at}.undo.journal.jsonl", running) == WHOLE, at
            assert held(running.snapshot) == start, at


def classified(made: RevokePlan, journal: Path, running: Running, at: int) -> None:
    """What the journal calls done is done; what it does not name was not begun."""
    states = known(read_journal(journal)) if journal.exists() else {}
    now = held(running.snapshot)
    told = [
        (step.changes[index], state)
        for step in made.steps
        for index in range(len(step.changes))
        if (state := states.get((step.id, index)))
    ]
    done = [change for change, state in told if state.done]
    open_ = [change for change, state in told if not state.done]
    assert len(open_) <= 1, at
    assert now in (expected(held(SNAPSHOT), done), expected(held(SNAPSHOT), done + open_)), at


def test_the_boundaries_are_counted_rightly(tmp_path: Path) -> None:
    with tenant() as running:
        assert run_until(boundaries() + 1, ten(), tmp_path / "whole.jsonl", running) == WHOLE
    with tenant() as running:
        assert run_until(boundaries(), ten(), tmp_path / "last.jsonl", running) == DIED


def test_a_run_that_dies_here_and_there_is_taken_up_again(tmp_path: Path) -> None:
    die_everywhere(range(2, boundaries(), 25), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("first", [1, 2])
def test_a_run_that_dies_at_any_point_is_taken_up_again(tmp_path: Path, first: int) -> None:
    die_everywhere(range(first, boundaries() + 1, 2), tmp_path)
