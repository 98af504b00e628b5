"""`revoke plan`, `revoke refresh` and `contain`, as a user calls them."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

import jsonschema
import pytest
from msgspec.structs import replace

from auditor.cli.revoke import VERBS
from auditor.knowledge.sketch import without as unavailable
from auditor.model.outcome import AuditResult
from auditor.model.plan import Begin
from auditor.model.snapshot import Client
from auditor.remedy.journal import encode_line
from auditor.remedy.seal import encode_plan, sealed
from auditor.reporters.json import decode_audit, render
from auditor.reporters.schema import plan_schema
from auditor.simulator.sample import CALENDAR, IMITATION, PILOT, ROOMS
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
    assert "not judged again" not in ran.out
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
    assert ran.out.count("names something else") == 1
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
    assert "entra-audit simulate report/snapshot.json.gz" in ran.out


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


EDITS: dict[str, Callable[[AuditResult], AuditResult]] = {
    "decision": lambda r: replace(r, grants=tuple(replace(g, decision="revoke") for g in r.grants)),
    "replace_with": lambda r: replace(r, grants=tuple(replace(g, replace_with="Mail.ReadBasic.All") for g in r.grants)),
    "row match": lambda r: replace(r, grants=tuple(replace(g, match="documented") for g in r.grants)),
    "row dropped": lambda r: replace(r, grants=r.grants[1:]),
    "confirmed": lambda r: replace(r, apps=tuple(replace(a, confirmed=True) for a in r.apps)),
    "app match": lambda r: replace(r, apps=tuple(replace(a, match="configured") for a in r.apps)),
    "integration": lambda r: replace(r, apps=tuple(replace(a, integration="legacy-ews") for a in r.apps)),
    "features": lambda r: replace(r, features=()),
    "policy": lambda r: replace(r, policy_name="minimal"),
    "completeness": lambda r: replace(r, complete=not r.complete),
}


def edited(audit: Path, edit: Callable[[AuditResult], AuditResult]) -> None:
    audit.write_bytes(render(edit(decode_audit(audit.read_bytes(), "audit.json")))["audit.json"])


@pytest.mark.parametrize("what", EDITS)
def test_an_edited_audit_is_refused_where_its_configuration_is_at_hand(run: Run, tmp_path: Path, what: str) -> None:
    audit = audited(tmp_path)
    edited(audit, EDITS[what])
    ran = run("revoke", "plan", audit, "--with-checks", "--out", "plan.json")
    assert (ran.code, "The audit was edited" in ran.err) == (4, True)
    assert not (tmp_path / "plan.json").exists()


def test_words_edited_into_an_audit_do_not_reach_a_plan(run: Run, tmp_path: Path) -> None:
    """What is judged again is what is planned, reasons and checks included."""
    audit = audited(tmp_path)
    edited(audit, lambda r: replace(r, grants=tuple(replace(g, reason="Harmless.", check="") for g in r.grants)))
    assert run("revoke", "plan", audit, "--with-checks", "--out", "plan.json").code == 0
    assert (tmp_path / "plan.json").read_bytes() == planned(tmp_path, name="same.json", with_checks=True).read_bytes()


@pytest.mark.parametrize("options", [(), ("--config", "other.yaml"), ("--policy", "minimal")])
def test_without_the_audits_configuration_the_first_warning_says_so(
    run: Run, tmp_path: Path, options: tuple[str, ...]
) -> None:
    audit = audited(tmp_path)
    if options != ("--policy", "minimal"):
        (tmp_path / "entra-audit.yaml").rename(tmp_path / "team.yaml")
    (tmp_path / "other.yaml").write_text("apps: {zoom: {policy: minimal}}")
    ran = run("revoke", "plan", audit, *options, "--out", "plan.json")
    assert ran.code == 0, ran.err
    first = read(tmp_path / "plan.json").warnings[0]
    assert "were not judged again" in first
    assert "--config" in first
    if not options:
        ran = run("revoke", "plan", audit, "--config", "team.yaml", "--out", "named.json")
        assert "not judged again" not in ran.out
        assert "--config team.yaml --out rehearsal" in ran.out


def test_an_audit_of_one_app_is_judged_again_with_its_app_id(run: Run, tmp_path: Path) -> None:
    audited(tmp_path)
    run("run", "--snapshot", "now.json", "--app-id", CALENDAR, "--format", "json", "--out", "one")
    ran = run("revoke", "plan", "one/audit.json", "--out", "plan.json")
    assert (ran.code, "Give --app-id" in ran.err) == (4, True)
    ran = run("revoke", "plan", "one/audit.json", "--app-id", CALENDAR, "--out", "plan.json")
    assert (ran.code, "not judged again" in ran.out) == (0, False)


def test_the_demos_audit_is_judged_again_with_the_demos_configuration(run: Run, tmp_path: Path) -> None:
    run("run", "--demo", "--format", "json", "--out", "report")
    ran = run("revoke", "plan", "report/audit.json", "--demo", "--out", "plan.json")
    assert ran.code == 0, ran.err
    assert read(tmp_path / "plan.json").warnings == ()
    assert "--snapshot report/snapshot.json.gz --demo --out rehearsal" in ran.out
    assert "entra-audit simulate report/snapshot.json.gz" in ran.out
    assert "--tenant-id" not in ran.out
    edited(tmp_path / "report" / "audit.json", lambda r: replace(r, taken_at=datetime(1, 1, 1, tzinfo=UTC)))
    assert run("revoke", "plan", "report/audit.json", "--demo", "--out", "plan.json").code == 2


@pytest.mark.parametrize(
    "out",
    [
        *(".", "q.html", "report/audit.json", "entra-audit.yaml", "x.journal.jsonl"),
        *(
            pytest.param(name, marks=pytest.mark.slow)
            for name in (
                "report", "Q.HTML", "a b.json", "-o.json", "pl\u00e4n.json", "report/snapshot.json.gz", "old.json",
            )
        ),
    ],
)  # fmt: skip
def test_a_plan_is_never_written_over_what_it_is_made_from_or_where_no_plan_can_stand(
    run: Run, tmp_path: Path, out: str
) -> None:
    audit = audited(tmp_path)
    planned(tmp_path, name="old.json")
    (tmp_path / "x.journal.jsonl").write_bytes(b"{}\n")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    ran = run("revoke", "plan", audit, "--again", "old.json", f"--out={out}")
    assert ran.code == 2, ran.out
    assert ran.err.count("\n") == 1
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    options = (f"--out={out}", "--snapshot", "report/snapshot.json.gz")
    if out != "old.json":
        assert run("contain", "--app", IMITATION, *options).code == 2
        assert run("revoke", "refresh", "old.json", *options).code == 2


def journal_for(path: Path, approved_hash: str) -> None:
    begin = Begin(at=SNAPSHOT.taken_at, by="apply", purpose="revoke", plan="0" * 64, approved_hash=approved_hash,
                  tenant_id=SNAPSHOT.tenant_id, cloud="public")  # fmt: skip
    path.with_name("plan.journal.jsonl").write_bytes(encode_line(begin))


def test_a_plan_with_a_journal_is_not_written_over_by_another(run: Run, tmp_path: Path) -> None:
    """The same steps may: the journal is theirs."""
    path = planned(tmp_path, only=("permission:Calendars.Read",))
    before = path.read_bytes()
    journal_for(path, read(path).approved_hash)
    audit = audited(tmp_path)
    for call in (("revoke", "plan", audit), ("contain", "--app", IMITATION, "--snapshot", "now.json")):
        ran = run(*call, "--out", "plan.json")
        assert (ran.code, "journal of another plan" in ran.err) == (4, True)
        assert path.read_bytes() == before
    assert run("revoke", "plan", audit, "--only", "permission:Calendars.Read", "--out", "plan.json").code == 0
    assert run("revoke", "refresh", "plan.json", "--snapshot", "now.json").code == 0


def test_where_nothing_is_planned_an_earlier_plan_is_told_apart(run: Run, tmp_path: Path) -> None:
    audit, path = audited(tmp_path), planned(tmp_path)
    before = path.read_bytes()
    ran = run("revoke", "plan", audit, "--only", "permission:Mail.Send", "--out", "plan.json")
    assert (ran.code, "what stands there is another plan" in ran.err) == (4, True)
    assert "A check comes first" in ran.out
    ran = run("contain", "--app", PILOT, "--snapshot", "now.json", "--out", "plan.json")
    assert (ran.code, "what stands there is another" in ran.err) == (4, True)
    assert path.read_bytes() == before


def test_another_configuration_is_told_before_what_moved_by_it(run: Run, tmp_path: Path) -> None:
    """And where all that moved is that nothing goes, it is all that is told."""
    plan = planned(tmp_path, with_checks=True)
    ran = run("revoke", "refresh", plan, "--snapshot", "now.json", "--policy", "minimal")
    assert ran.out.startswith("The configuration is not the one")
    (tmp_path / "entra-audit.yaml").unlink()
    ran = run("revoke", "refresh", plan, "--snapshot", "now.json")
    assert (ran.code, ran.out) == (4, "")
    assert "The configuration is not the one" in ran.err
    assert "gone" not in ran.err


def test_the_demos_plan_is_not_refreshed(run: Run, tmp_path: Path) -> None:
    ran = run("revoke", "refresh", planned(tmp_path), "--demo")
    assert (ran.code, "entra-audit simulate" in ran.err) == (2, True)
    assert "--demo" not in run("revoke", "refresh", "--help").out


def test_what_comes_next_can_be_typed_as_it_stands(run: Run, tmp_path: Path) -> None:
    """Folders with blanks are quoted, and the tenant is named."""
    tenant = replace(SNAPSHOT, source=replace(SNAPSHOT.source, kind="tenant"))
    audited(tmp_path, tenant, out="my report")
    ran = run("revoke", "plan", "my report/audit.json", "--out", "my plans/plan.json")
    assert ran.code == 0, ran.err
    sign_in = f"--auth device-code --tenant-id {SNAPSHOT.tenant_id}"
    for line in (
        "rehearse 'my plans/plan.json' --snapshot 'my report/snapshot.json.gz' --out rehearsal",
        f"apply 'my plans/plan.json' {sign_in}",
        f"verify 'my plans/plan.json' {sign_in}",
    ):
        assert f"  entra-audit revoke {line}" in ran.out
    assert "entra-audit simulate" not in ran.out


def test_an_app_of_which_nothing_goes_is_explained(run: Run, tmp_path: Path) -> None:
    ran = run("revoke", "plan", audited(tmp_path), "--only", f"app:{ROOMS}", "--out", "plan.json")
    assert ran.code == 0
    assert f"({ROOMS}) goes by its decision: " in ran.out
    assert " ask. " in ran.out
    assert "Ask: " in ran.out


def test_the_table_fits_a_narrow_terminal(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    out = run("revoke", "plan", audited(tmp_path), "--with-checks", "--out", "plan.json").out
    assert "applicatio" not in out.partition("Left of")[0]


def test_a_rehearsal_tells_apps_of_one_name_apart(run: Run, tmp_path: Path) -> None:
    audit = audited(tmp_path)
    assert run("revoke", "plan", audit, "--only", "permission:Calendars.Read", "--out", "plan.json").code == 0
    out = run("revoke", "rehearse", "plan.json", "--snapshot", "now.json", "--format", "json", "--out", "tried").out
    said = out.partition("What remains possible afterwards:\n")[2].splitlines()
    remaining = [line for line in said if not line.startswith("Written: ")]
    apps = {client.service_principal.app_id for client in SNAPSHOT.clients}
    assert remaining
    assert all(any(f" ({app_id}): " in line for app_id in apps) for line in remaining)
