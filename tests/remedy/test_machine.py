"""Whatever happens in whatever order, the tenant is what it was, plus what others did, plus exactly what is Done."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from auditor.errors import RefusedError
from auditor.model.directory import AppRoleAssignment, OAuth2PermissionGrant
from auditor.model.plan import AccountChange, AssignmentChange, Change, Result, RevokePlan
from auditor.model.snapshot import items
from auditor.remedy.journal import known, read_journal
from auditor.simulator.fault import Fault
from auditor.simulator.graph import GraphRequest
from auditor.simulator.sample import CALENDAR
from tests.remedy.plans import client, plan, role_id, step, without
from tests.remedy.test_apply import expected, held
from tests.remedy.world import WRITER, World
from tests.simulator.inprocess import InProcess

Held = tuple[set[tuple[str, str]], dict[str, set[str]]]
WRITES = r"^(DELETE|PATCH|POST) /v1.0/(servicePrincipals|oauth2)"
GETS = r"^GET .*(appRoleAssignments|oauth2PermissionGrants)"


CHOICES = st.lists(st.integers(0, 22), min_size=2, max_size=6, unique=True)
SEEN: Counter[str] = Counter()
"""What happened in all courses: a machine in which nothing happens proves nothing."""


class Crash(BaseException):
    """The process ends here."""


class Crashing(InProcess):
    """Ends the process at one write: before it is sent, or when its answer is there."""

    left = 0
    after = False

    async def handle_async_request(self, request: Any) -> Any:
        writes = request.method != "GET" and not request.url.path.endswith("/$batch")
        self.left -= writes
        if writes and self.left == 0 and not self.after:
            raise Crash
        response = await super().handle_async_request(request)
        if writes and self.left == 0:
            raise Crash
        return response


class Machine(RuleBasedStateMachine):
    """One tenant, its plans and journals, and others who change it meanwhile."""

    @initialize(choice=CHOICES, more=CHOICES)
    def begin(self, choice: list[int], more: list[int]) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.world = World(Path(self.folder.name))
        self.should: Held = held(self.world.snapshot)
        self.plans: list[tuple[RevokePlan, Path]] = []
        self.plan_anew(choice)
        self.plan_anew(more)

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            self.folder.cleanup()

    @rule(choice=CHOICES)
    def plan_anew(self, choice: list[int]) -> None:
        """Plan to take away some of what is there now."""
        there = client(CALENDAR, self.world.snapshot)
        objects: list[AppRoleAssignment | OAuth2PermissionGrant] = [
            *items(there.app_role_assignments),
            *items(there.oauth2_permission_grants),
        ]
        chosen = [objects[n] for n in choice if n < len(objects)]
        changes = [change for one in chosen if (change := removal(one))]
        if changes:
            made = plan(*(step(n, "remove-delegated-scopes", (c,)) for n, c in enumerate(changes, 1)))
            self.plans.append((made, Path(self.folder.name) / f"{len(self.plans)}.journal.jsonl"))

    @precondition(lambda self: self.plans)
    @rule(
        which=st.integers(0, 3),
        kind=st.sampled_from(["status", "lost-answer", "reset", "not-json", "stale", ""]),
        times=st.integers(1, 12),
        keep_going=st.booleans(),
        stop=st.integers(0, 4),
        crash=st.tuples(st.integers(0, 4), st.booleans()),
    )
    def apply(self, *, which: int, kind: str, times: int, keep_going: bool, stop: int, crash: tuple[int, bool]) -> None:
        """Carry one of the plans out, in bad weather, and perhaps not to its end."""
        made, journal = self.plans[which % len(self.plans)]
        self.run(made, journal, weather(kind, times), stop=stop, crash=crash, keep_going=keep_going)

    @precondition(lambda self: any(journal.exists() for _, journal in self.plans))
    @rule(
        which=st.integers(0, 3), kind=st.sampled_from(["status", "lost-answer", "stale", ""]), times=st.integers(1, 12)
    )
    def undo(self, which: int, kind: str, times: int) -> None:
        """Undo one of the plans."""
        from auditor.remedy.undo import undo_plan

        journals = [journal for _, journal in self.plans if journal.exists()]
        journal = journals[which % len(journals)]
        try:
            made = undo_plan(read_journal(journal), where="", now=self.world.now(), rules_sha256="")
        except RefusedError:
            return
        own = journal.with_name(f"{journal.name}.{len(list(journal.parent.iterdir()))}.undo")
        self.run(made, own, weather(kind, times))

    @rule(which=st.integers(0, 22), how=st.sampled_from(["gone", "again", "wider"]))
    def drift(self, which: int, how: str) -> None:
        """Somebody else changes the tenant."""
        there = client(CALENDAR, self.world.snapshot)
        roles, grants = items(there.app_role_assignments), items(there.oauth2_permission_grants)
        if how == "again":
            self.somebody("POST", f"/servicePrincipals/{there.service_principal.id}/appRoleAssignments", a_role(there))
        elif which < len(roles):
            one = roles[which]
            self.somebody("DELETE", f"/servicePrincipals/{one.resource_id}/appRoleAssignedTo/{one.id}")
        elif which - len(roles) < len(grants):
            grant = grants[which - len(roles)]
            path = f"/oauth2PermissionGrants/{grant.id}"
            if how == "gone":
                self.somebody("DELETE", path)
            else:
                self.somebody("PATCH", path, {"scope": f"{grant.scope} Files.Read.All"})
        self.should = held(self.world.snapshot)

    @invariant()
    def nothing_but_what_is_done(self) -> None:
        if hasattr(self, "world"):
            assert held(self.world.snapshot) == self.should

    def run(
        self,
        made: RevokePlan,
        journal: Path,
        faults: Iterable[Fault],
        *,
        stop: int = 0,
        crash: tuple[int, bool] = (0, False),
        keep_going: bool = False,
    ) -> None:
        """Carry a plan out, and work out from its journal alone what the tenant should be now."""
        self.world.faulty(*faults)
        dying = Crashing(self.world.graph, clock=self.world.clock)
        dying.left, dying.after = crash
        self.world.transport = dying
        before = len(read_journal(journal))
        sent = len(self.world.written)
        asked = iter([False] * stop + [True] * 100)
        try:
            self.world.apply(made, journal=journal, keep_going=keep_going, stop=lambda: bool(stop) and next(asked))
        except RefusedError:
            SEEN["refused whole"] += 1
            assert len(self.world.written) == sent
        except Crash:
            SEEN["crash"] += 1
        self.take(made, journal, before)

    def somebody(self, method: str, path: str, body: dict[str, str] | None = None) -> None:
        """Send a write that is none of ours, whatever comes of it."""
        headers = {"authorization": f"Bearer {WRITER}", "content-type": "application/json"}
        content = json.dumps(body).encode() if body else b""
        self.world.graph.answer(GraphRequest(method=method, target=f"/v1.0{path}", headers=headers, body=content))

    def take(self, made: RevokePlan, journal: Path, before: int) -> None:
        changes = {(s.id, n): change for s in made.steps for n, change in enumerate(s.changes)}
        lines = read_journal(journal)
        SEEN.update(line.outcome for line in lines[before:] if isinstance(line, Result))
        done = [
            changes[line.step, line.change]
            for line in lines[before:]
            if isinstance(line, Result) and line.outcome == "done"
        ]
        doubtful = [
            changes[key]
            for key, state in known(lines).items()
            if state.result is None or state.result.outcome == "unverified"
        ]
        self.should = expected(self.should, done)
        actual = held(self.world.snapshot)
        for change in doubtful:
            if expected(self.should, [change]) == actual or _at(change, actual) == _at(
                change, expected(actual, [change])
            ):
                self.should = expected(self.should, [change])


def removal(one: AppRoleAssignment | OAuth2PermissionGrant) -> Change | None:
    """Return the change that takes an assignment, or the first scope of a grant."""
    if isinstance(one, AppRoleAssignment):
        return AssignmentChange(before=one, after=None)
    scopes = (one.scope or "").split()
    return without(one, scopes[0]) if scopes else None


def a_role(there: Any) -> dict[str, str]:
    """Return the body that grants the app a permission which it may hold already."""
    resource = items(there.app_role_assignments)[0].resource_id if items(there.app_role_assignments) else ""
    return {
        "principalId": there.service_principal.id,
        "resourceId": resource,
        "appRoleId": role_id("Mail.Read"),
    }


def weather(kind: str, times: int) -> list[Fault]:
    if not kind:
        return []
    values: dict[str, Any] = {"kind": kind, "times": times, "match": GETS if kind == "stale" else WRITES}
    if kind == "status":
        values |= {"status": 429 if times % 2 else 503, "retry_after": "3"}
    return [Fault(**values)]


def _at(change: Change, now: Held) -> object:
    """Return what stands where a change is about."""
    side = None if isinstance(change, AccountChange) else change.before or change.after
    if side is None:
        return None
    if isinstance(side, AppRoleAssignment):
        return (side.resource_id, side.app_role_id) in now[0]
    return now[1].get(f"{side.resource_id} {side.consent_type} {side.principal_id}")


def machine(examples: int) -> None:
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=12,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_any_course_of_events() -> None:
    machine(10)
    assert SEEN.keys() >= {"done", "crash"}, SEEN


@pytest.mark.slow
def test_any_of_five_hundred_courses_of_events() -> None:
    machine(500)
    assert min(SEEN[kind] for kind in ("done", "refused", "refused whole", "unverified", "crash")) > 20, SEEN
