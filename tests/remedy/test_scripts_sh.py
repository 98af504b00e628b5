"""The shell scripts run for real, by dash and by bash, with curl and jq, against a tenant on this machine."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from auditor.model.plan import Change, End, Intent, Result, RevokePlan
from auditor.model.snapshot import Snapshot
from auditor.simulator.fault import Fault, FaultKind
from tests.remedy.plans import NOBODY, SNAPSHOT, assignment, step, steps
from tests.remedy.shells import applied, canonical, changed, desk, holdings, require_round_trip, small, sound, timeless

SHELLS = ("dash", "bash")


def test_a_plan_is_carried_out_and_taken_back_as_apply_does_it(tmp_path: Path) -> None:
    require_round_trip(tmp_path, small(), "dash")


@pytest.mark.slow
@pytest.mark.parametrize("shell", SHELLS)
def test_a_whole_plan_is_carried_out_and_taken_back_as_apply_does_it(shell: str, tmp_path: Path) -> None:
    require_round_trip(tmp_path, sound(), shell)


# ---- Refused before any write.

OBJECTS: dict[str, tuple[RevokePlan, Change, dict[str, Any]]] = {}
for _step in steps():
    for _change in _step.changes[:2]:
        if _change.before is None:
            continue
        _made = sound(_step)
        _fields: dict[str, Any] = {name: NOBODY for name in ("id", "app_role_id") if hasattr(_change.before, name)}
        if hasattr(_change.before, "scope"):
            _fields = {"id": NOBODY, "scope": f"{_change.before.scope} Mail.Send", "client_id": NOBODY}
            _fields |= {"resource_id": NOBODY, "principal_id": NOBODY, "consent_type": "Other"}
        elif hasattr(_change.before, "account_enabled"):
            _fields = {"account_enabled": True}
        else:
            _fields |= {"resource_id": NOBODY, "principal_type": "User"}
        for _name, _value in _fields.items():
            OBJECTS[f"{_step.action}-{_change.write}-{_name}"] = (_made, _change, {_name: _value})
        if not hasattr(_change.before, "account_enabled"):
            OBJECTS[f"{_step.action}-{_change.write}-gone"] = (_made, _change, {})


def require_refused(folder: Path, made: RevokePlan, snapshot: Snapshot, said: str) -> None:
    with desk(folder, made, snapshot=snapshot) as at:
        assert said in at.run("revoke.sh", code=4)
        assert said in at.run("revoke.sh", "--commit", code=4)
        assert at.writes == 0
        assert not at.journal.exists()


def test_a_drifted_object_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    """The last step's object has changed: not even the first one's is touched."""
    made = small()
    moved = changed(SNAPSHOT, made.steps[4].changes[0], account_enabled=True)
    require_refused(tmp_path, made, moved, "it has changed")


@pytest.mark.slow
@pytest.mark.parametrize("name", OBJECTS)
def test_each_field_that_has_changed_is_refused(name: str, tmp_path: Path) -> None:
    made, change, fields = OBJECTS[name]
    require_refused(tmp_path, made, changed(SNAPSHOT, change, **fields), ": it ")


def test_an_expired_plan_is_refused(tmp_path: Path) -> None:
    require_refused(tmp_path, small(expires=SNAPSHOT.taken_at.replace(year=2001)), SNAPSHOT, "the plan has expired")


def test_another_tenant_is_refused(tmp_path: Path) -> None:
    require_refused(tmp_path, small(tenant_id=NOBODY), SNAPSHOT, f"this is the tenant {SNAPSHOT.tenant_id}")


def test_an_unknown_tenant_is_refused(tmp_path: Path) -> None:
    """A token that Graph does not take says nothing of a tenant."""
    with desk(tmp_path, small()) as at:
        assert "cannot be told which tenant this is (HTTP 401)" in at.run("revoke.sh", code=4, GRAPH_TOKEN="x.y.z")


def test_a_journal_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    with desk(tmp_path, small()) as at:
        assert "cannot be written" in at.run("revoke.sh", "--commit", "--journal", "no/such/place", code=4)
        assert at.writes == 0


def test_what_is_not_understood_is_a_usage_error(tmp_path: Path) -> None:
    """Options, the token, the address: each is refused before anything is asked, and the token is never shown."""
    with desk(tmp_path, small()) as at:
        for options in (["--expired-ok"], ["commit"], ["--journal"], ["--journal", ""], ["--all"]):
            at.run("revoke.sh", *options, code=2)
        at.run("revoke.sh", code=2, PAUSE_SECONDS="x")
        assert "AppRoleAssignment.ReadWrite.All" in at.run("revoke.sh", code=2, GRAPH_TOKEN="")
        assert "s3cret" not in at.run("revoke.sh", code=2, GRAPH_TOKEN='s3cret"\nurl = "https://evil.example')
        for url in (
            "http://evil.example",
            "http://127.0.0.1",
            "http://127.0.0.1:1@evil.example",
            "http://127.0.0.1:80/x",
            "http://localhost:80",
            "https://evil.example/x",
            "https://a@evil.example",
            "https://",
            "ftp://x",
        ):
            assert "GRAPH_URL" in at.run("revoke.sh", code=2, GRAPH_URL=url)
        assert at.running.calls == []


def test_an_undo_without_the_journal_of_what_was_removed_is_refused(tmp_path: Path) -> None:
    with desk(tmp_path, small()) as at:
        assert "--revoked" in at.run("undo.sh", "--commit", code=4)
        assert at.writes == 0


def test_a_journal_of_another_plan_is_refused(tmp_path: Path) -> None:
    made = small()
    with desk(tmp_path, made) as at:
        applied(sound(steps()[0]), tmp_path / "apply")
        said = at.run("revoke.sh", "--commit", "--journal", "apply/plan.journal.jsonl", code=4)
        assert "belongs to another plan" in said
        assert at.writes == 0


# ---- Answers that are late, lost or wrong.

ONE = sound(steps()[0], steps()[1])
DELETE, POST, GET = "DELETE /v1.0/servicePrincipals", "POST /v1.0/servicePrincipals", "GET /v1.0/servicePrincipals"
SURVIVED: dict[str, tuple[Fault, ...]] = {
    "throttled reads and writes": (
        Fault(match=GET, status=429, retry_after="0", times=2),
        Fault(match=DELETE, status=429, retry_after="0", times=2),
        Fault(match=POST, status=429, times=2),
    ),
    "lost answers": (Fault(match=DELETE, kind="lost-answer", times=2), Fault(match=POST, kind="lost-answer")),
    "answers that never come": (Fault(match=DELETE, kind="reset", times=2), Fault(match=POST, kind="reset")),
    "servers that fail": (Fault(match="/v1.0/", status=503, retry_after="0", times=3), Fault(match=POST, status=500)),
    "half answers": (Fault(match=GET, kind="cut-json", times=2), Fault(match=GET, kind="not-json", after=3)),
    "stale reads": (Fault(match=GET, kind="stale", after=5, times=2), Fault(match=GET, kind="stale", after=9)),
}


def require_survived(folder: Path, *faults: Fault) -> None:
    world = applied(ONE, folder / "apply")
    with desk(folder, ONE, *faults) as at:
        at.run("revoke.sh", "--commit")
        assert holdings(at.running.snapshot) == holdings(world.snapshot)
        assert [line.outcome for line in at.lines if isinstance(line, Result)] == ["done"] * 3
        assert len([line for line in at.lines if isinstance(line, Intent)]) == 3


def test_it_survives_throttling_and_lost_answers(tmp_path: Path) -> None:
    """A write that was carried out though its answer was lost is not taken for one that was not."""
    require_survived(tmp_path, Fault(match=DELETE, kind="lost-answer"), Fault(match=POST, status=429, retry_after="0"))


@pytest.mark.slow
@pytest.mark.parametrize("name", SURVIVED)
def test_it_survives(name: str, tmp_path: Path) -> None:
    require_survived(tmp_path, *SURVIVED[name])


@pytest.mark.slow
def test_it_waits_as_long_as_it_is_asked_to(tmp_path: Path) -> None:
    with desk(tmp_path, sound(steps()[0]), Fault(match=DELETE, status=429, retry_after="2.2")) as at:
        began = time.monotonic()
        at.run("revoke.sh", "--commit")
        assert time.monotonic() - began > 2.2
        assert at.writes == 2


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["foreign-next-link", "repeated-next-link"])
def test_a_list_that_goes_astray_is_no_answer(kind: FaultKind, tmp_path: Path) -> None:
    """Neither a page on another host nor the same page for ever: it is refused as unread."""
    fault = Fault(match="appRoleAssignments", kind=kind, times=0)
    with desk(tmp_path, sound(steps()[0]), fault, page_size=1) as at:
        said = at.run("revoke.sh", "--commit", code=4)
        assert "it could not be read" in said
        assert "curl" not in said, "the other host is not even tried"
        assert at.writes == 0


@pytest.mark.slow
def test_every_page_of_a_list_is_read(tmp_path: Path) -> None:
    with desk(tmp_path, ONE, page_size=1) as at:
        at.run("revoke.sh", "--commit")
        assert at.writes == 3


@pytest.mark.slow
def test_a_write_that_is_refused_fails_and_says_what_it_needs(tmp_path: Path) -> None:
    """With the reader's token: exit 5, nothing has changed, and a later run with the right one carries it out."""
    with desk(tmp_path, ONE) as at:
        said = at.run("revoke.sh", "--commit", code=5, GRAPH_TOKEN=at.running.token)
        assert "AppRoleAssignment.ReadWrite.All" in said
        assert holdings(at.running.snapshot) == holdings(SNAPSHOT)
        outcomes = [(line.outcome, line.status) for line in at.lines if isinstance(line, Result)]
        assert outcomes == [("failed", 403)], "it stops at the first"
        at.run("revoke.sh", "--commit")
        assert at.running.token not in at.journal.read_text()


@pytest.mark.slow
def test_what_never_shows_is_unverified(tmp_path: Path) -> None:
    """Graph says yes, and every read shows the object still: exit 5; once it shows, it is done and not repeated."""
    stale = Fault(match=GET, kind="stale", after=2, times=14)
    with desk(tmp_path, sound(steps()[0]), stale) as at:
        at.run("revoke.sh", "--commit", code=5)
        assert [line.outcome for line in at.lines if isinstance(line, Result)] == ["unverified"]
        at.run("revoke.sh", "--commit")
        assert at.writes == 1
        done = at.lines[-2]
        assert isinstance(done, Result)
        assert (done.outcome, done.why) == ("done", "carried out by a run that was cut")


# ---- Going on, and stopping.


@pytest.mark.slow
def test_keep_going_leaves_a_drifted_step_whole_and_does_the_others(tmp_path: Path) -> None:
    """Of a replacement whose wider permission has gone, the narrower is not granted either."""
    made = small()
    moved = changed(SNAPSHOT, made.steps[1].changes[1])
    with desk(tmp_path, made, snapshot=moved) as at:
        at.run("revoke.sh", "--commit", "--keep-going", code=5)
        assert at.writes == sum(len(each.changes) for each in made.steps) - 2
        refused = [line for line in at.lines if isinstance(line, Result) and line.outcome == "refused"]
        assert [(line.step, line.change) for line in refused] == [(made.steps[1].id, 0)]
        end = at.lines[-1]
        assert isinstance(end, End)
        assert (end.done, end.refused, end.failed, end.unverified) == (4, 1, 0, 0)


@pytest.mark.slow
def test_keep_going_with_nothing_but_drift_is_refused(tmp_path: Path) -> None:
    made = sound(steps()[0])
    with desk(tmp_path, made, snapshot=changed(SNAPSHOT, made.steps[0].changes[0])) as at:
        at.run("revoke.sh", "--commit", "--keep-going", code=4)
        assert at.writes == 0


@pytest.mark.slow
def test_an_undo_grants_again_what_was_removed_and_nothing_else(tmp_path: Path) -> None:
    """Of a plan that stopped after its first step, the undo leaves the others alone."""
    made = small()
    with desk(tmp_path, made, Fault(match=POST, status=403, times=0)) as at:
        at.run("revoke.sh", "--commit", code=5)
        assert at.writes == 2
    undone = changed(SNAPSHOT, made.steps[0].changes[0])
    with desk(tmp_path, made, snapshot=changed(undone, made.steps[4].changes[0], account_enabled=True)) as at:
        said = at.run("undo.sh", "--commit")
        assert said.count(": done") == 1
        assert [call.method for call in at.running.calls if call.writes] == ["POST"]
        assert assignment("Calendars.Read", snapshot=at.running.snapshot).app_role_id


@pytest.mark.slow
def test_an_undo_of_everything_finds_what_is_there_already(tmp_path: Path) -> None:
    """With --all and nothing removed, nothing is sent, and each change is said to be so already."""
    made = sound(steps()[0], steps()[2])
    with desk(tmp_path, made) as at:
        assert at.run("undo.sh", "--all").count("it is so already") == 2
        assert at.run("undo.sh", "--all", "--commit").count("nothing was sent") == 2
        assert at.writes == 0


CUTS: dict[str, tuple[Callable[[list[str]], str], int, int]] = {
    "before the write": (lambda lines: "".join(lines[:4]), 1, 2),
    "after the write": (lambda lines: "".join(lines[:4]), 2, 1),
    "in an intent": (lambda lines: "".join(lines[:3]) + lines[3][:100], 1, 2),
    "in a result": (lambda lines: "".join(lines[:2]) + lines[2][:-1], 1, 2),
    "before the end": (lambda lines: "".join(lines[:-1]), 3, 0),
}
"""What is left of the journal of ONE, how many of its writes the tenant has seen, and how many are then sent."""


def after_writes(number: int, folder: Path) -> Snapshot:
    """Return the tenant once the first writes of ONE were sent."""
    changes = [change for each in ONE.steps for change in each.changes][:number]
    return applied(sound(step(1, "undo", tuple(changes))), folder).snapshot


@pytest.mark.slow
@pytest.mark.parametrize("name", CUTS)
def test_a_run_goes_on_where_a_crash_cut_the_journal(name: str, tmp_path: Path) -> None:
    """What was in doubt is read first; nothing is done twice, and the journal stays one that can be read."""
    cut, seen, to_send = CUTS[name]
    world = applied(ONE, tmp_path / "apply")
    lines = world.journal.read_text().splitlines(keepends=True)
    with desk(tmp_path, ONE, snapshot=after_writes(seen, tmp_path / "before")) as at:
        at.journal.write_text(cut(lines))
        at.run("revoke.sh", "--commit")
        assert holdings(at.running.snapshot) == holdings(world.snapshot)
        assert at.writes == to_send
        assert canonical(at.journal)
        done = {(line.step, line.change) for line in at.lines if isinstance(line, Result) and line.outcome == "done"}
        assert len(done) == 3


@pytest.mark.slow
def test_two_runs_at_once_are_one_too_many(tmp_path: Path) -> None:
    with desk(tmp_path, sound()) as at:
        first = at.start("revoke.sh", "--commit")
        while not at.journal.exists():
            time.sleep(0.01)
        assert "somebody else" in at.run("revoke.sh", "--commit", code=4)
        first.communicate(timeout=120)
        assert first.returncode == 0
        assert at.writes == 17


@pytest.mark.slow
@pytest.mark.parametrize("shell", SHELLS)
def test_an_interruption_finishes_the_change_in_hand(shell: str, tmp_path: Path) -> None:
    """Exit 130, an End that says so, every intent with its result; the next run does the rest."""
    with desk(tmp_path, sound(), shell=shell) as at:
        started = at.start("revoke.sh", "--commit")
        while at.writes < 4:
            time.sleep(0.01)
        started.send_signal(signal.SIGINT)
        started.communicate(timeout=60)
        assert started.returncode == 130
        assert at.writes < 17
        end = at.lines[-1]
        assert isinstance(end, End)
        assert end.interrupted
        counts = [sum(isinstance(line, kind) for line in at.lines) for kind in (Intent, Result)]
        assert counts == [at.writes, at.writes]
        at.run("revoke.sh", "--commit")
        assert at.writes == 17


@pytest.mark.slow
def test_the_token_is_on_no_command_line(tmp_path: Path) -> None:
    """While it runs, no process of this machine shows it, and it is in no file that is left."""
    with desk(tmp_path, sound()) as at:
        started = at.start("revoke.sh", "--commit")
        seen: set[str] = set()
        while started.poll() is None:
            for line in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    seen.add(line.read_bytes().decode(errors="replace"))
                except OSError:
                    continue
        out, err = started.communicate()
        token = at.running.write_token
        assert any("curl" in line for line in seen)
        assert not any(token in line for line in seen)
        assert token not in out + err
        assert not any(token in path.read_text() for path in tmp_path.rglob("*") if path.is_file())
        assert not list(tmp_path.glob("tmp.*"))


def test_the_helpers_find_a_difference(tmp_path: Path) -> None:
    """What is compared here does tell two tenants and two journals apart."""
    made = small()
    assert holdings(changed(SNAPSHOT, made.steps[0].changes[0])) != holdings(SNAPSHOT)
    world = applied(made, tmp_path / "apply")
    other = tmp_path / "other.jsonl"
    other.write_text(world.journal.read_text().replace("Calendars.Read", "Mail.Send", 1))
    assert timeless(other) != timeless(world.journal)
    assert canonical(world.journal)
    other.write_text(world.journal.read_text().replace(",", ", ", 1))
    assert not canonical(other)


def test_the_dry_run_reads_as_sentences_and_shows_what_comes_first(tmp_path: Path) -> None:
    """One line a change: what, which permission, which object; and each check whole, before a commit too."""
    check = "Ask whether somebody connected by signing in. " * 8 + "$(touch x)"
    made = small()
    made = sound(replace(made.steps[0], checks=(check.strip(),)), *made.steps[1:])
    with desk(tmp_path, made) as at:
        said = ""
        for options in ((), ("--commit",)):
            said = at.run("revoke.sh", *options)
            whole = " ".join(said.partition("First, by a person")[2].partition("Step 1, change")[0].split())
            assert f"[ ] {'Ask whether somebody connected by signing in. ' * 8}[U+0024](touch x) (step 1)" in whole
            assert "remove the application permission Calendars.Read" in said
            assert "grant the application permission Mail.Read" in said
            assert "change the consent for everybody: take" in said
            assert "switch the sign-in of the app on" in said
            if not options:
                change = made.steps[0].changes[0]
                assert f"(object: {change.before and change.before.id})" in said
                assert "(object: a new one)" in said
        assert re.search(r"effective by\nabout (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ) for", said)
        assert "First, by a person" not in at.run("undo.sh")
