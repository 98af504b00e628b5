"""`entra-audit diff` and `--fail-on new:...` as a user calls them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import jsonschema
import pytest
from msgspec.structs import replace

from auditor.history.drift import Side, drift
from auditor.knowledge.outline import ScopeOutline
from auditor.model.directory import GrantEvent
from auditor.model.snapshot import Complete, Snapshot, Unavailable
from auditor.reporters.changes import groups
from auditor.reporters.schema import drift_schema
from auditor.sources.snapshot_file import encode
from tests.cli.conftest import Run
from tests.engine.world import PERSONAL, app, judged, team, tenant

BEFORE = tenant(app("Calendars.ReadWrite", "Mail.Read", scopes=(ScopeOutline(scope="User.Read"),)))
AFTER = tenant(app("Calendars.ReadWrite", "Mail.Send", scopes=(ScopeOutline(scope="User.Read Mail.Read"),)))
WEEK = timedelta(days=7)


def later(snapshot: Snapshot = AFTER, *, logged: bool = True) -> Snapshot:
    """Return the tenant a week later, with the audit log of the week."""
    client = snapshot.clients[0]
    records = (
        ("Add app role assignment to service principal", ("Mail.Send",), (), 2),
        ("Remove app role assignment from service principal", (), ("Mail.Read",), 3),
        ("Add delegated permission grant", ("Mail.Read",), (), 4),
        ("Add delegated permission grant", ("Mail.Read",), (), -4),
    )
    events = tuple(
        GrantEvent(
            id=f"Directory_sample_{number}",
            activity_date_time=snapshot.taken_at + timedelta(days=days),
            activity=activity,
            result="success",
            actor=f"person{number}@contoso.example",
            permissions=given,
            removed=taken,
            target_id=client.service_principal.id,
        )
        for number, (activity, given, taken, days) in enumerate(records)
    )
    heard = replace(client, grant_events=Complete(items=events if logged else ()))
    return replace(snapshot, taken_at=snapshot.taken_at + WEEK, clients=(heard, *snapshot.clients[1:]))


def audited(run: Run, snapshot: Snapshot, folder: str, *more: str) -> int:
    """Audit a snapshot into a folder, and return the exit code."""
    Path(f"{folder}.json").write_bytes(encode(snapshot))
    return run(
        "run", "--snapshot", f"{folder}.json", "--out", folder, "--app-id", PERSONAL, "--format", "json", *more
    ).code


@pytest.fixture
def both(run: Run) -> Run:
    """Two audits, a week apart, in the folders `a` and `b`."""
    audited(run, BEFORE, "a")
    audited(run, later(), "b")
    return run


def rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_bytes().decode("utf-8-sig"), newline="")))


def test_a_permission_that_went_though_it_was_to_stay_is_told_as_a_risk(run: Run) -> None:
    """It is gone, so no decision stands of it; where it only was not read, nobody is alarmed."""
    audited(run, BEFORE, "a")
    missing = tenant(app("Mail.Send"))
    audited(run, replace(missing, taken_at=missing.taken_at + WEEK), "b")
    words = " ".join(run("diff", "a", "b").out.split())
    assert "Decision: keep" not in words
    risk = "Decision before: keep. It was to stay: what needs it, such as meetings, may fail."
    where = f"Zoom ({PERSONAL[:8]}…) · application · Microsoft Graph"
    assert f"removed Calendars.ReadWrite {where}: {risk}" in words
    assert f"removed Mail.Read {where}: Decision before: revoke-after. " in words
    unread = replace(missing.clients[0], app_role_assignments=Unavailable(why="403"))
    cut = replace(missing, clients=(replace(unread, oauth2_permission_grants=Unavailable(why="403")),))
    audited(run, cut, "c")
    words = " ".join(run("diff", "a", "c").out.split())
    assert "Decision before: keep." in words
    assert "may fail" not in words


def test_what_is_to_be_looked_at_first_stands_first() -> None:
    """A list may be cut: new before closed, what came and is not to stay, what went and was to stay."""
    before = Side(snapshot=BEFORE, result=judged(BEFORE, team()))
    other = tenant(app("Mail.Send", "User.Read.All", scopes=(ScopeOutline(scope="openid offline_access"),)))
    after = replace(other, taken_at=other.taken_at + WEEK)
    told = {one.title: one.changes for one in groups(drift(before, Side(snapshot=after, result=judged(after, team()))))}
    came = ["Decision: keep" in " ".join(one.details) for one in told["Permissions that came"]]
    went = ["It was to stay" not in " ".join(one.details) for one in told["Permissions that went"]]
    old = [one.word not in {"new", "returned"} for one in told["Findings"]]
    for order in (came, went, old):
        assert order == sorted(order)
        assert len(set(order)) == 2


def test_it_says_what_changed_with_who_and_when(both: Run) -> None:
    """The permission that came, the one that went and the scope that a consent got; only what was done in between."""
    said = both("diff", "a", "b", "--out", "changes")
    assert said.code == 0
    words = " ".join(said.out.split())
    assert "added Mail.Send Zoom" in words
    assert "By person0@contoso.example, 22 Nov 2026 09:14 UTC (Add app role assignment to service principal)" in words
    assert "removed Mail.Read" in words
    assert "widened Mail.Read" in words
    assert "person3@contoso.example" not in words
    assert {path.name for path in Path("changes").iterdir()} == {"drift.csv", "drift.json", "drift.md"}
    whole = json.loads(Path("changes/drift.json").read_bytes())
    jsonschema.Draft202012Validator(drift_schema()).validate(whole)
    told = {row["what"]: row["done_by"] for row in rows(Path("changes/drift.csv")) if row["subject"] == "grant"}
    assert told["added"] == "person0@contoso.example"
    assert told["removed"] == "person1@contoso.example"
    assert told["widened"] == "person2@contoso.example"
    assert "Mail.Send" in Path("changes/drift.md").read_text()


def test_the_same_audit_twice_has_no_changes(both: Run) -> None:
    """It says that nothing changed; a folder and the audit.json in it are the same audit."""
    said = both("diff", "a", "a/audit.json", "--fail-on", "new:info")
    assert (said.code, said.err) == (0, "")
    assert "nothing changed, as far as could be compared" in said.out
    assert "the same snapshot" in said.out


@pytest.mark.parametrize(("least", "code"), [("new:high", 1), ("new:critical", 0), ("never", 0)])
def test_it_can_be_a_gate(both: Run, least: str, code: int) -> None:
    """A new finding at or above the severity gives exit code 1."""
    assert both("diff", "a", "b", "--fail-on", least).code == code


def test_two_tenants_are_not_compared(run: Run) -> None:
    """Nothing that one tenant has is new in another."""
    audited(run, BEFORE, "a")
    audited(run, tenant(app("Mail.Read"), tenant_id="22222222-2222-4222-8222-222222222222"), "b")
    said = run("diff", "a", "b")
    assert (said.code, said.out) == (2, "")
    assert "two tenants" in said.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("a", "nowhere"), "nowhere"),
        (("history:1", "a"), "No history is named"),
        (("history:1", "a", "--history", " "), "empty"),
        (("history:1", "a", "--history", "no.db"), "no.db"),
        (("a", "a.json"), "not an audit"),
    ],
)
def test_what_cannot_be_read_is_said(both: Run, arguments: Sequence[str], says: str) -> None:
    """Where, what and what to do; exit code 2, and no traceback."""
    said = both("diff", *arguments)
    assert (said.code, said.out) == (2, "")
    assert says in said.err


def test_an_audit_is_compared_with_its_own_snapshot(both: Run) -> None:
    """A snapshot that is gone or another one is refused: what the audit says would rest on nothing."""
    Path("b/snapshot.json.gz").write_bytes(Path("a/snapshot.json.gz").read_bytes())
    assert "not the snapshot" in both("diff", "a", "b").err
    Path("b/snapshot.json.gz").unlink()
    assert "not there" in both("diff", "a", "b").err


def test_kept_runs_are_compared_by_their_numbers(run: Run) -> None:
    """`history:N` takes a run out of the history; a finding of an older run that is there again has returned."""
    for number, snapshot in enumerate((BEFORE, later(), replace(BEFORE, taken_at=BEFORE.taken_at + 2 * WEEK))):
        audited(run, snapshot, f"r{number}", "--history", "h.db")
    said = run("diff", "history:2", "history:3", "--history", "h.db")
    assert said.code == 0
    assert "returned high" in " ".join(said.out.split())
    assert "new high" not in " ".join(said.out.split())
    by_folder = run("diff", "r1", "r2")
    assert "new high" in " ".join(by_folder.out.split())
    assert run("diff", "history:2", "history:9", "--history", "h.db").code == 2


def test_a_run_fails_on_what_is_new_alone(run: Run) -> None:
    """The first run counts every finding; the second, with the same findings, none; the third the new one."""
    gate = ("--history", "h.db", "--fail-on", "new:high")
    assert audited(run, BEFORE, "r0", *gate) == 1
    assert audited(run, replace(BEFORE, taken_at=BEFORE.taken_at + timedelta(days=1)), "r1", *gate) == 0
    assert audited(run, later(), "r2", *gate, "--format", "html,csv") == 1
    page = Path("r2/report.html").read_text()
    assert 'id="since"' in page
    assert "person0@contoso.example" in page
    assert {row["what"] for row in rows(Path("r2/drift.csv"))} >= {"added", "removed", "widened", "new", "closed"}
    assert "drift" not in json.loads(Path("r0/audit.json").read_bytes())


def test_the_first_run_says_that_everything_counts_as_new(run: Run) -> None:
    """And without a history nothing can be new: that is a wrong call, told before anything is read."""
    Path("a.json").write_bytes(encode(BEFORE))
    call = ("run", "--snapshot", "a.json", "--out", "o", "--app-id", PERSONAL, "--fail-on", "new:low")
    assert "every finding counts as new" in run(*call, "--history", "h.db").err
    said = run(*call)
    assert (said.code, said.out) == (2, "")
    assert "Give --history" in said.err


def test_an_incomplete_run_is_no_clean_one(run: Run) -> None:
    """Exit code 3 outranks the gate: what was not read cannot be called unchanged."""
    gaps = tenant(app("Calendars.ReadWrite"), unavailable=("owners",))
    gate = ("--history", "h.db", "--fail-on", "new:high")
    assert audited(run, BEFORE, "r0", *gate) == 1
    assert audited(run, replace(gaps, taken_at=gaps.taken_at + WEEK), "r1", *gate) == 3
