"""`revoke plan`, `revoke refresh` and `contain`, as a user calls them."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path

import jsonschema
import pytest
from msgspec.structs import replace

from auditor.cli.revoke import VERBS
from auditor.knowledge.sketch import without as unavailable
from auditor.model.snapshot import Client
from auditor.remedy.seal import encode_plan, sealed
from auditor.reporters.schema import plan_schema
from auditor.simulator.sample import CALENDAR, IMITATION, PILOT
from auditor.sources.snapshot_file import encode
from tests.cli.conftest import Run
from tests.workflow.revoking import SNAPSHOT, audited, planned, read, without


@pytest.mark.parametrize("verb", VERBS)
def test_the_short_help_is_the_commands_own(verb: str) -> None:
    command = import_module(f"auditor.cli.revoke.{verb}").command
    assert command.help.split("\n\n")[0].replace("\n", " ") == VERBS[verb]


def test_a_plan_is_written_with_its_page_and_shown(run: Run, tmp_path: Path) -> None:
    """The same bytes as without a command line."""
    ran = run("revoke", "plan", audited(tmp_path), "--out", "plan.json")
    assert ran.code == 0, ran.err
    plan = read(tmp_path / "plan.json")
    assert (tmp_path / "plan.html").read_bytes().lower().startswith(b"<!doctype html>")
    jsonschema.validate(json.loads((tmp_path / "plan.json").read_bytes()), plan_schema())
    for words in ("Calendars.Read", "by Mail.Read", plan.approved_hash, "Left of Zoom: "):
        assert words in ran.out
    for verb in ("rehearse", "change", "script", "apply"):
        assert f"entra-audit revoke {verb} plan.json" in ran.out
    same = planned(tmp_path, name="same.json")
    assert same.read_bytes() == (tmp_path / "plan.json").read_bytes()
    assert same.with_suffix(".html").read_bytes() == (tmp_path / "plan.html").read_bytes()


def test_a_plan_that_is_too_old_is_shown_so_and_its_bytes_know_no_clock(run: Run, tmp_path: Path) -> None:
    aged = replace(SNAPSHOT, taken_at=SNAPSHOT.taken_at.replace(year=2024))
    ran = run("revoke", "plan", audited(tmp_path, aged), "--days", "2", "--out", "plan.json")
    assert "the plan expired on" in ran.out
    assert not any("expired" in warning for warning in read(tmp_path / "plan.json").warnings)


def test_an_incomplete_audit_is_refused_unless_allowed(run: Run, tmp_path: Path) -> None:
    gap = audited(tmp_path, unavailable(SNAPSHOT, "owners"))
    ran = run("revoke", "plan", gap, "--out", "plan.json")
    assert ran.code == 4
    assert "INCOMPLETE" in ran.err
    assert "--allow-incomplete" in ran.err
    assert not (tmp_path / "plan.json").exists()
    ran = run("revoke", "plan", gap, "--allow-incomplete", "--out", "plan.json")
    assert (ran.code, "Warning: INCOMPLETE" in ran.out) == (0, True)
    assert run("revoke", "refresh", "plan.json", "--snapshot", "now.json").code == 4
    ran = run("revoke", "refresh", "plan.json", "--snapshot", "now.json", "--allow-incomplete")
    assert (ran.code, "Warning: INCOMPLETE" in ran.out) == (0, True)


def test_nothing_to_plan_writes_nothing_and_says_so(run: Run, tmp_path: Path) -> None:
    ran = run("revoke", "plan", audited(tmp_path), "--only", "permission:Mail.Send", "--out", "plan.json")
    assert ran.code == 0
    assert "no plan was written" in ran.out
    assert "A check comes first" in ran.out
    assert not (tmp_path / "plan.json").exists()


def test_the_snapshot_lies_beside_the_audit_or_is_named(run: Run, tmp_path: Path) -> None:
    audit = audited(tmp_path)
    audit.with_name("snapshot.json.gz").unlink()
    ran = run("revoke", "plan", audit, "--out", "plan.json")
    assert ran.code == 2
    assert "--snapshot FILE" in ran.err
    assert run("revoke", "plan", audit, "--snapshot", "now.json", "--out", "plan.json").code == 0


def test_after_a_reconnect_it_says_what_came_back_and_what_is_new(run: Run, tmp_path: Path) -> None:
    """What the earlier plan left for a check is neither."""
    old = read(planned(tmp_path, without(SNAPSHOT, "Directory.Read.All"), "old.json"))
    ran = run("revoke", "plan", audited(tmp_path), "--with-checks", "--again", "old.json", "--out", "new.json")
    assert ran.code == 0, ran.err
    new = read(tmp_path / "new.json")
    assert new.follows == old.sha256
    assert [s.target.permissions for s in new.steps] == [s.target.permissions for s in old.steps]
    assert "Came back: Calendars.Read (application) of Zoom" in ran.out
    assert "New since the earlier plan: Directory.Read.All (application) of Zoom\n" in ran.out


def test_an_earlier_plan_of_another_tenant_is_refused(run: Run, tmp_path: Path) -> None:
    path = planned(tmp_path, name="old.json")
    path.write_bytes(encode_plan(sealed(replace(read(path), tenant_id="99999999-9999-4999-8999-999999999999"))))
    ran = run("revoke", "plan", audited(tmp_path), "--again", "old.json", "--out", "new.json")
    assert (ran.code, "another tenant" in ran.err) == (4, True)


def test_an_approval_that_stands_is_said(run: Run, tmp_path: Path) -> None:
    plan = planned(tmp_path)
    before = plan.read_bytes()
    (tmp_path / "now.json").write_bytes(encode(replace(SNAPSHOT, taken_at=SNAPSHOT.taken_at.replace(day=25))))
    ran = run("revoke", "refresh", plan, "--snapshot", "now.json", "--out", "new.json")
    assert ran.code == 0, ran.err
    assert f"the approval stands ({read(plan).approved_hash})" in ran.out
    assert plan.read_bytes() == before
    assert (read(tmp_path / "new.json").created_at.day, (tmp_path / "new.html").exists()) == (25, True)
    assert run("revoke", "refresh", plan, "--snapshot", "now.json").code == 0
    assert plan.read_bytes() == (tmp_path / "new.json").read_bytes()


def test_what_moved_is_listed_with_exit_code_4(run: Run, tmp_path: Path) -> None:
    plan = planned(tmp_path, with_checks=True)
    before = plan.read_bytes()
    (tmp_path / "now.json").write_bytes(encode(without(SNAPSHOT, "Calendars.Read")))
    ran = run("revoke", "refresh", plan, "--snapshot", "now.json", "--policy", "minimal")
    assert ran.code == 4
    assert "gone: Remove the application permission Calendars.Read of Zoom" in ran.out
    assert "changed: Remove the application permission Mail.Send of Zoom on Microsoft Graph (why)" in ran.out
    assert "moved since the plan was approved" in ran.err
    assert "--policy" in ran.err
    assert plan.read_bytes() == before


def test_an_edited_plan_is_not_refreshed(run: Run, tmp_path: Path) -> None:
    plan = planned(tmp_path)
    plan.write_bytes(plan.read_bytes().replace(b"Calendars.Read", b"Calendars.Send"))
    ran = run("revoke", "refresh", plan, "--snapshot", "now.json")
    assert (ran.code, "edited" in ran.err) == (4, True)


def test_an_app_is_contained(run: Run, tmp_path: Path) -> None:
    (tmp_path / "now.json").write_bytes(encode(SNAPSHOT))
    ran = run("contain", "--app", IMITATION, "--snapshot", "now.json", "--out", "plan.json")
    assert ran.code == 0, ran.err
    assert (read(tmp_path / "plan.json").purpose, (tmp_path / "plan.html").exists()) == ("contain", True)
    assert "switch sign-in off" in ran.out
    assert "Zооm Meetings" in ran.out


def test_an_app_that_is_off_is_not_contained_again(run: Run, tmp_path: Path) -> None:
    (tmp_path / "now.json").write_bytes(encode(SNAPSHOT))
    ran = run("contain", "--app", PILOT, "--snapshot", "now.json", "--out", "plan.json")
    assert (ran.code, "off already" in ran.out) == (0, True)
    assert not (tmp_path / "plan.json").exists()


def test_the_demo_tenants_app_is_contained_through_the_live_path(run: Run, tmp_path: Path) -> None:
    ran = run("contain", "--app", CALENDAR, "--demo", "--out", "plan.json")
    assert ran.code == 0, ran.err
    plan = read(tmp_path / "plan.json")
    assert plan.reader_app_id
    assert "calendar events" in plan.steps[0].impact.what.text


def test_hostile_names_steer_no_terminal(run: Run, tmp_path: Path) -> None:
    def named(client: Client) -> Client:
        name = "Zoom\x1b[31m\u202e\nWritten: nothing"
        return replace(client, service_principal=replace(client.service_principal, display_name=name))

    audit = audited(tmp_path, replace(SNAPSHOT, clients=tuple(map(named, SNAPSHOT.clients))))
    ran = run("revoke", "plan", audit, "--with-checks", "--out", "plan.json")
    assert ran.code == 0, ran.err
    assert "\x1b" not in ran.out
    assert "\u202e" not in ran.out
    assert not any(line.startswith("Written: nothing") for line in ran.out.splitlines())
