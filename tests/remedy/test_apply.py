"""Carrying out: what is promised of a plan that is applied, against a tenant that answers."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest
from msgspec.structs import replace

from auditor.errors import OutputError, RefusedError, UnfinishedError
from auditor.model.directory import AppRoleAssignment, OAuth2PermissionGrant
from auditor.model.plan import AccountChange, Begin, Change, End, Intent, Result, RevokePlan
from auditor.model.snapshot import Snapshot, items
from auditor.remedy.journal import read_journal
from auditor.remedy.undo import undo_plan
from auditor.simulator.fault import Fault
from auditor.simulator.graph import Answer, GraphRequest
from auditor.simulator.sample import CALENDAR, PILOT
from tests.remedy.plans import client, plan, role_id, step, steps
from tests.remedy.world import WRITER, World

DELETE = "DELETE /v1.0/servicePrincipals"


def held(snapshot: Snapshot, app_id: str = CALENDAR) -> tuple[set[tuple[str, str]], dict[str, set[str]]]:
    """Return the roles and, by grant, the scopes that an app holds."""
    app = client(app_id, snapshot)
    roles = {(a.resource_id, a.app_role_id) for a in items(app.app_role_assignments)}
    scopes = {
        f"{g.resource_id} {g.consent_type} {g.principal_id}": set((g.scope or "").split())
        for g in items(app.oauth2_permission_grants)
    }
    return roles, scopes


def enabled(snapshot: Snapshot, app_id: str = PILOT) -> object:
    return client(app_id, snapshot).service_principal.account_enabled


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_every_kind_of_step_is_done_verified_and_journalled(world: World) -> None:
    made = plan()
    before = held(world.snapshot)
    applied = world.apply(made)
    assert [outcome.outcome for outcome in applied.steps] == ["done"] * 5
    changes = [change for step in made.steps for change in step.changes]
    assert applied.written == len(world.written) == len(changes)
    assert held(world.snapshot) == expected(before, changes)
    assert enabled(world.snapshot) is True
    lines = read_journal(world.journal)
    assert isinstance(lines[0], Begin)
    assert isinstance(lines[-1], End)
    assert [type(line) for line in lines[1:-1]] == [Intent, Result] * len(changes)
    assert (world.journal.stat().st_mode & 0o777) == 0o600


def expected(
    before: tuple[set[tuple[str, str]], dict[str, set[str]]], changes: list[Change]
) -> tuple[set[tuple[str, str]], dict[str, set[str]]]:
    """Return what an app holds once these changes are made."""
    roles, scopes = set(before[0]), dict(before[1])
    for change in changes:
        if isinstance(change, AccountChange):
            continue
        side = change.before or change.after
        assert side
        if hasattr(side, "app_role_id"):
            key = (side.resource_id, side.app_role_id)
            roles = roles - {key} if change.after is None else roles | {key}
        else:
            whose = f"{side.resource_id} {side.consent_type} {side.principal_id}"
            scopes.pop(whose, None)
            if change.after is not None:
                scopes[whose] = set((getattr(change.after, "scope", "") or "").split())
    return roles, scopes


def test_a_second_apply_writes_nothing(world: World) -> None:
    world.apply(plan())
    sent = len(world.written)
    again = world.apply(plan())
    assert len(world.written) == sent
    assert again.done
    assert all(outcome.before for outcome in again.steps)


def test_undo_brings_everything_back_and_undo_of_undo_takes_it_again(world: World) -> None:
    start = held(world.snapshot)
    world.apply(plan())
    after = held(world.snapshot)
    made, undone = world.undo()
    assert undone.done
    assert made.purpose == "undo"
    assert held(world.snapshot) == start
    assert enabled(world.snapshot) is False
    _, again = world.undo(world.journal.with_name("plan.undo.journal.jsonl"))
    assert again.done
    assert held(world.snapshot) == after
    assert enabled(world.snapshot) is True


def test_an_undo_is_carried_out_once(world: World) -> None:
    world.apply(plan())
    made, _ = world.undo()
    sent = len(world.written)
    again = world.apply(made, journal=world.journal.with_name("another.journal.jsonl"))
    assert again.done
    assert len(world.written) == sent


def test_a_plan_whose_tenant_has_moved_is_refused_whole(world: World) -> None:
    first = steps()[0]
    world.apply(plan(first))
    sent = len(world.written)
    with pytest.raises(RefusedError, match=r"step 1: it is gone"):
        world.apply(plan(first, steps()[2]), journal=world.journal.with_name("other.journal.jsonl"))
    assert len(world.written) == sent


def test_keep_going_leaves_out_what_moved_and_does_the_rest(world: World) -> None:
    first, _, third = steps()[:3]
    world.apply(plan(first))
    applied = world.apply(plan(first, third), journal=world.journal.with_name("other.jsonl"), keep_going=True)
    assert [(outcome.outcome, outcome.why) for outcome in applied.steps] == [("refused", "it is gone"), ("done", "")]


def test_a_write_that_graph_refuses_fails_and_stops_the_plan(tmp_path: Path) -> None:
    world = World(tmp_path, Fault(match=DELETE, status=403))
    applied = world.apply(plan())
    assert [outcome.outcome for outcome in applied.steps] == ["failed", *["not-reached"] * 4]
    assert "AppRoleAssignment.ReadWrite.All" in applied.steps[0].why
    assert held(world.snapshot) == held(World(tmp_path).snapshot)


@pytest.mark.parametrize("kind", ["lost-answer", "reset", "cut-json", "not-json"])
@pytest.mark.parametrize("match", ["DELETE /v1.0", "PATCH /v1.0", "POST /v1.0/servicePrincipals"])
def test_an_answer_that_is_lost_is_found_out_by_reading(tmp_path: Path, kind: str, match: str) -> None:
    world = World(tmp_path, Fault(match=match, kind=kind))  # type: ignore[arg-type]
    applied = world.apply(plan())
    assert applied.done
    made = [change for step in plan().steps for change in step.changes]
    assert held(world.snapshot) == expected(held(World(tmp_path).snapshot), made)


def test_throttling_is_waited_out(tmp_path: Path) -> None:
    faults = (
        Fault(match="DELETE /v1.0", status=429, retry_after="37", times=3),
        Fault(match="PATCH /v1.0", status=503, times=2),
    )
    world = World(tmp_path, *faults)
    assert world.apply(plan()).done
    assert world.clock.seconds > 3 * 37


def test_reads_that_lag_behind_are_read_again(tmp_path: Path) -> None:
    world = World(tmp_path, Fault(match=r"^GET .*(appRoleAssignments|oauth2PermissionGrants)", kind="stale", times=8))
    assert world.apply(plan()).done


def test_what_reads_never_show_is_unverified(tmp_path: Path) -> None:
    world = World(tmp_path, Fault(match=r"^GET .*appRoleAssignments", kind="stale", times=0))
    applied = world.apply(plan(steps()[0]))
    assert applied.steps[0].outcome == "unverified"
    assert len(world.written) == 1
    world.faulty()
    again = world.apply(plan(steps()[0]))
    assert again.done
    assert len(world.written) == 1


def test_a_stop_ends_after_the_step_in_hand(world: World) -> None:
    asked = iter([False, False, True])
    applied = world.apply(plan(), stop=lambda: next(asked))
    assert applied.interrupted
    assert [outcome.outcome for outcome in applied.steps] == ["done", "done", *["not-reached"] * 3]
    assert world.apply(plan()).done


def test_a_journal_of_another_plan_is_refused(world: World) -> None:
    world.apply(plan(steps()[0]))
    with pytest.raises(RefusedError, match="belongs to another plan"):
        world.apply(plan(steps()[2]))


def test_a_refreshed_plan_goes_on_in_the_same_journal(world: World) -> None:
    asked = iter([False, True])
    world.apply(plan(), stop=lambda: next(asked))
    refreshed: RevokePlan = plan(snapshot_sha256="2" * 64)
    assert refreshed.sha256 != plan().sha256
    assert world.apply(refreshed).done


def test_what_came_back_is_told_with_who_granted_it(world: World) -> None:
    first, _, third, bulk, _ = steps()
    made = plan(first, third, bulk)
    assert {one.holds for one in world.verify(made)} == {"still-there"}
    world.apply(made)
    assert {one.holds for one in world.verify(made)} == {"as-wanted"}
    world.undo()
    back = world.verify(made)
    assert {one.holds for one in back} == {"came-back"}
    assert {one.granted_by for one in back if one.step.target.kind == "application"} == {"Sample writer"}


def test_only_names_and_dates_may_differ_where_a_change_leaves_them_open() -> None:
    """A renamed app is drift for a removal, which states the name, and none for what an undo makes anew."""
    from auditor.remedy.state import as_planned, is_done

    change = steps()[0].changes[0]
    assert not isinstance(change, AccountChange)
    before = change.before
    assert before
    renamed = replace(before, principal_display_name="Another name")
    assert as_planned(change, before)
    assert not as_planned(change, renamed)
    again = replace(change, before=None, after=replace(before, id="", created_date_time=None))
    assert is_done(again, renamed)


def test_a_disk_that_fills_up_stops_the_plan_and_it_goes_on_later(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the first write nothing is sent; after it the exit code says that the plan was carried out in part."""
    real, left = os.fsync, [0]

    def full(handle: int) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(handle)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="No space left"):
        world.apply(plan())
    assert world.written == []
    left[0] = 8
    with pytest.raises(UnfinishedError, match=r"Stopped in the middle.*No space left") as stopped:
        world.apply(plan())
    assert stopped.value.exit_code == 5
    sent = len(world.written)
    assert sent > 0
    monkeypatch.setattr(os, "fsync", real)
    assert world.apply(plan()).done
    assert len(world.written) == sum(len(one.changes) for one in plan().steps)


def test_a_read_that_fails_refuses_the_plan(tmp_path: Path) -> None:
    world = World(tmp_path, Fault(match="/appRoleAssignments", status=403, times=0))
    with pytest.raises(RefusedError, match="could not be read: HTTP 403"):
        world.apply(plan(steps()[0]))
    assert world.written == []


def test_an_app_that_is_gone_is_no_answer_to_whether_it_may_sign_in(tmp_path: Path) -> None:
    world = World(
        tmp_path, Fault(match=r"/servicePrincipals/[^/?]+\?\$select=id,appId,accountEnabled", status=404, times=0)
    )
    with pytest.raises(RefusedError, match="it is gone"):
        world.apply(plan(steps()[4]))


def test_verify_says_what_it_could_not_read(tmp_path: Path) -> None:
    made = plan(steps()[0], steps()[2], steps()[4])
    world = World(tmp_path, Fault(match=r"GET /v1.0/(servicePrincipals|oauth2)", status=403, times=0))
    assert {one.holds for one in world.verify(made)} == {"unknown"}
    world = World(tmp_path)
    world.apply(made)
    world.undo()
    world.faulty(Fault(match="directoryAudits", status=403, times=0))
    back = world.verify(made)
    assert [one.holds for one in back] == ["came-back", "came-back", "not-there"]
    assert all("who granted it is not known" in one.why for one in back[:2])


def test_an_undo_of_a_run_that_died_takes_back_what_may_have_been_sent(world: World) -> None:
    """Its journal ends with an intent: the object is read, and brought to where it was."""
    start = held(world.snapshot)
    world.apply(plan(steps()[0]))
    lines = world.journal.read_bytes().splitlines(keepends=True)
    world.journal.write_bytes(b"".join(lines[:2]))
    made, undone = world.undo()
    assert any("may not have been carried out" in warning for warning in made.warnings)
    assert undone.done
    assert held(world.snapshot) == start


# ---- What a write must never do: each of these was possible once.


def test_a_write_that_was_carried_out_is_never_said_to_have_failed(tmp_path: Path) -> None:
    """The answer is lost, the reads lag behind, and Graph refuses the second try: it is done or unverified."""
    for match, chosen in (("DELETE /v1.0", 0), ("POST /v1.0", 1)):
        folder = tmp_path / match[:4]
        folder.mkdir()
        faults = (
            Fault(match=match, kind="lost-answer"),
            Fault(match=r"^GET .*appRoleAssignments", kind="stale", after=2, times=4),
        )
        world = World(folder, *faults)
        start = held(world.snapshot)
        applied = world.apply(plan(steps()[chosen]))
        assert applied.steps[0].outcome == "done", applied.steps[0]
        _, undone = world.undo()
        assert undone.done
        assert held(world.snapshot) == start


@pytest.mark.parametrize("status", [429, 503])
def test_what_others_add_while_graph_asks_to_wait_is_not_removed(tmp_path: Path, status: int) -> None:
    fault = Fault(match="PATCH /v1.0", status=status, retry_after="300")  # type: ignore[arg-type]
    world = World(tmp_path, fault)
    step = steps()[2]
    grant = step.changes[0].before
    assert isinstance(grant, OAuth2PermissionGrant)
    answered = world.graph.answer

    def answer(request: GraphRequest) -> Answer:
        given = answered(request)
        if request.method == "PATCH" and given.status == status:
            body = json.dumps({"scope": f"{grant.scope} Chat.Read"}).encode()
            headers = {"authorization": f"Bearer {WRITER}", "content-type": "application/json"}
            answered(GraphRequest(method="PATCH", target=request.target, headers=headers, body=body))
        return given

    world.graph.answer = answer  # type: ignore[method-assign]
    applied = world.apply(plan(step))
    assert applied.steps[0].outcome == ("failed" if status == 429 else "unverified")
    scopes = {scope for held_ in held(world.snapshot)[1].values() for scope in held_}
    assert {"Chat.Read", "User.Read"} <= scopes


def test_what_came_back_after_it_was_done_is_not_called_done(world: World) -> None:
    world.apply(plan())
    world.undo()
    sent = len(world.written)
    with pytest.raises(RefusedError, match="an earlier run did it, and it is no longer so"):
        world.apply(plan())
    assert len(world.written) == sent


def test_keep_going_grants_nothing_narrower_where_the_wider_has_drifted(world: World) -> None:
    swap = steps()[1]
    world.apply(plan(step(1, "remove-application-permission", (swap.changes[1],), app_id=CALENDAR)))
    sent = len(world.written)
    applied = world.apply(plan(swap), journal=world.journal.with_name("other.jsonl"), keep_going=True)
    assert applied.steps[0].outcome == "refused"
    assert len(world.written) == sent


def test_a_journal_that_tells_of_other_writes_than_its_plan_is_not_undone(world: World) -> None:
    made = plan(steps()[0])
    world.apply(made)
    change = steps()[0].changes[0]
    assert isinstance(change.before, AppRoleAssignment)
    edited = world.journal.read_bytes().replace(change.before.app_role_id.encode(), role_id("Mail.Send").encode())
    world.journal.write_bytes(edited)
    lines = read_journal(world.journal)
    with pytest.raises(RefusedError, match="other writes than its plan"):
        undo_plan(lines, where="", now=world.now(), rules_sha256="", plan=made)
    told = undo_plan(lines, where="", now=world.now(), rules_sha256="")
    assert "Mail.Send" in told.steps[0].title
    assert any("does not lie beside" in warning for warning in told.warnings)


def test_the_journal_of_an_undo_is_not_that_of_its_plan(world: World) -> None:
    made = plan(steps()[0])
    world.apply(made)
    text = world.journal.read_bytes().replace(b'"purpose":"revoke"', b'"purpose":"undo"')
    (world.journal.with_name("undo.jsonl")).write_bytes(text)
    with pytest.raises(RefusedError, match="belongs to another plan"):
        world.apply(made, journal=world.journal.with_name("undo.jsonl"))


def test_words_of_an_undo_fit_what_it_does(world: World) -> None:
    swap, off = steps()[1], steps()[4]
    world.apply(plan(swap, off))
    made, _ = world.undo()
    assert [one.title for one in made.steps] == [
        f"Keep {PILOT} from signing in again.",
        f"Give Mail.ReadWrite back to {CALENDAR}, and take Mail.Read from {CALENDAR} again (application).",
    ]
    again, _ = world.undo(world.journal.with_name("plan.undo.journal.jsonl"))
    assert f"Give Mail.Read back to {CALENDAR}, and take Mail.ReadWrite" in again.steps[0].title


def test_an_undo_cut_after_it_made_a_grant_is_itself_undone(world: World) -> None:
    """The journal does not know the id that Graph gave."""
    whole = steps()[3].changes[0]
    world.apply(plan(step(1, "remove-user-consents", (whole,), app_id=CALENDAR)))
    gone = held(world.snapshot)
    world.undo()
    cut = world.journal.with_name("plan.undo.journal.jsonl")
    cut.write_bytes(b"".join(cut.read_bytes().splitlines(keepends=True)[:2]))
    _, undone = world.undo(cut)
    assert undone.done
    assert held(world.snapshot) == gone


def test_a_wait_that_is_too_long_ends_the_step(tmp_path: Path) -> None:
    world = World(tmp_path, Fault(match="DELETE /v1.0", status=429, retry_after="86400", times=0))
    applied = world.apply(plan(steps()[0]))
    assert applied.steps[0].outcome == "failed"
    assert world.clock.seconds < 60


def test_an_undo_leaves_alone_what_others_granted_meanwhile(world: World) -> None:
    scopes = steps()[2]
    world.apply(plan(scopes))
    after = scopes.changes[0].after
    assert isinstance(after, OAuth2PermissionGrant)
    body = json.dumps({"scope": f"{after.scope} Chat.Read"}).encode()
    headers = {"authorization": f"Bearer {WRITER}", "content-type": "application/json"}
    path = f"/v1.0/oauth2PermissionGrants/{after.id}"
    world.graph.answer(GraphRequest(method="PATCH", target=path, headers=headers, body=body))
    made, undone = world.undo()
    assert undone.done
    now = next(s for key, s in held(world.snapshot)[1].items() if "AllPrincipals" in key)
    before = scopes.changes[0].before
    assert isinstance(before, OAuth2PermissionGrant)
    assert now == {*(before.scope or "").split(), "Chat.Read"}
    cut = world.journal.with_name("plan.undo.journal.jsonl")
    again = undo_plan(read_journal(cut), where="", now=world.now(), rules_sha256="", plan=made)
    assert world.apply(again, journal=cut.with_name("third.jsonl")).done
    assert next(s for key, s in held(world.snapshot)[1].items() if "AllPrincipals" in key) == {
        *(after.scope or "").split(),
        "Chat.Read",
    }
