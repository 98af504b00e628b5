"""`run --history` and `history`: runs kept, listed, shown again, pruned and verified, as a user types it."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from auditor.model.configuration import AppConfiguration, Configuration
from auditor.model.text import moment
from auditor.reporters import reporters
from auditor.sources import SourceRequest
from auditor.sources.snapshot_file import SOURCE, encode
from auditor.workflow.prepare import prepare
from auditor.workflow.run import run as keep_run
from tests.cli.conftest import Run
from tests.history.kept import TAKEN, TENANT, snapshot

ANSWERS = "apps:\n  zoom:\n    policy: minimal\n"


@pytest.fixture(scope="module")
def kept_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keep three runs of a small tenant in runs.db, whose reports lie in out1, out2, out3."""
    folder = tmp_path_factory.mktemp("kept")
    prepared = prepare("zoom", config=None, sample=Configuration())
    for day in (1, 2, 3):
        file = folder / f"day{day}.json"
        file.write_bytes(encode(snapshot(day, *("Calendars.ReadWrite", "Mail.Read", "User.Read.All")[:day])))
        request = SourceRequest(profile=prepared.rulebook.profile, configuration=AppConfiguration(), location=str(file))
        formats = [reporters()[name] for name in ("html", "csv", "json")]
        out = folder / f"out{day}"
        keep_run(SOURCE, request, prepared, reporters=formats, out=out, history=str(folder / "runs.db"))
    return folder


@pytest.fixture
def kept(kept_once: Path, tmp_path: Path) -> Path:
    """Return the current folder, with a copy of those runs."""
    return shutil.copytree(kept_once, tmp_path, dirs_exist_ok=True)


def audit(folder: Path) -> dict[str, object]:
    loaded: dict[str, object] = json.loads((folder / "audit.json").read_bytes())
    return loaded


def tamper(path: Path, statement: str, *values: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement, values)


def test_a_run_says_where_it_is_kept_on_the_terminal_and_in_its_reports(kept: Path, run: Run) -> None:
    ran = run("run", "--snapshot", "day3.json", "--history", "runs.db", "--out", "out4")
    assert f"Kept as run 4, after run 3 of {moment(TAKEN + timedelta(days=3))}: " in " ".join(ran.out.split())
    for number in (1, 2, 3, 4):
        head = audit(kept / f"out{number}")["history"]
        assert isinstance(head, dict)
        assert (head["number"], head["previous_run"]) == (number, number - 1)
        page = (kept / f"out{number}" / "report.html").read_text(encoding="utf-8")
        assert head["sha256"] in page
        assert (head["sha256"] in ran.out) == (number == 4)
    assert "drift" not in audit(kept / "out1")
    assert "drift" in audit(kept / "out2")


def test_without_a_history_nothing_is_kept_and_the_reports_carry_nothing_of_it(run: Run, tmp_path: Path) -> None:
    (tmp_path / "day.json").write_bytes(encode(snapshot(1, "Mail.Read")))
    (tmp_path / "entra-audit.yaml").write_text(f"history: runs.db\n{ANSWERS}")
    ran = run("run", "--snapshot", "day.json", "--no-history", "--out", "out")
    assert "Kept" not in ran.out
    assert not (tmp_path / "runs.db").exists()
    assert {"history", "drift"}.isdisjoint(audit(tmp_path / "out"))
    assert "Kept in a history" not in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def test_the_configuration_names_the_history_and_the_command_line_wins(run: Run, tmp_path: Path) -> None:
    """A relative path in the file begins at the file; `history` finds it there too."""
    folder = tmp_path / "team"
    folder.mkdir()
    (folder / "entra-audit.yaml").write_text(f"history: runs.db\n{ANSWERS}")
    (tmp_path / "day.json").write_bytes(encode(snapshot(1, "Mail.Read")))
    run("run", "--snapshot", "day.json", "--config", "team/entra-audit.yaml", "--out", "out")
    assert (folder / "runs.db").exists()
    listed = run("history", "list", "--config", "team/entra-audit.yaml")
    assert "22 Nov 2026" not in listed.out
    assert "23 Nov 2026" in listed.out
    run("run", "--snapshot", "day.json", "--config", "team/entra-audit.yaml", "--history", "other.db", "--out", "out")
    assert (tmp_path / "other.db").exists()


def test_the_same_snapshots_after_the_same_history_give_the_same_bytes(kept: Path, run: Run) -> None:
    for day in (1, 2):
        run("run", "--snapshot", f"day{day}.json", "--history", "again.db", "--out", f"again{day}")
        for path in (kept / f"out{day}").iterdir():
            assert path.read_bytes() == (kept / f"again{day}" / path.name).read_bytes(), path


def test_kept_runs_are_listed_with_their_findings_and_the_head(kept: Path, run: Run) -> None:
    ran = run("history", "list", "--history", "runs.db")
    assert ran.code == 0, ran.err
    head = audit(kept / "out3")["history"]
    assert isinstance(head, dict)
    assert f"Head: entry 3 {head['sha256']}" in ran.out
    rows = [line.split() for line in ran.out.splitlines() if "Nov 2026" in line]
    found = audit(kept / "out3")["outcomes"]
    assert isinstance(found, list)
    high = sum(one["outcome"] == "finding" and one["severity"] == "high" for one in found)
    assert [row[0] for row in rows] == ["1", "2", "3"]
    assert rows[2][8] == str(high)


def test_a_kept_run_is_shown_again_byte_for_byte(kept: Path, run: Run) -> None:
    for number in (1, 2, 3):
        ran = run("history", "show", str(number), "--history", "runs.db", "--out", f"shown{number}")
        assert (ran.code, ran.err) == (0, "")
        names = {path.name for path in (kept / f"out{number}").iterdir()}
        assert names == {path.name for path in (kept / f"shown{number}").iterdir()}
        for name in names:
            assert (kept / f"shown{number}" / name).read_bytes() == (kept / f"out{number}" / name).read_bytes()


def test_pruning_is_said_first_and_done_when_told(kept: Path, run: Run) -> None:
    keep = ("--history", "runs.db", "--keep-days", "1", "--at-least", "1")
    ran = run("history", "prune", *keep)
    assert ran.code == 0
    assert "Would go: 1. Stay: 2 runs." in ran.out
    assert "add --yes" in ran.err
    assert "contents pruned" not in run("history", "list", "--history", "runs.db").out
    assert "Pruned: 1. Stay: 2 runs." in run("history", "prune", *keep, "--yes").out
    listed = run("history", "list", "--history", "runs.db").out
    assert [line.split()[0] for line in listed.splitlines() if "contents pruned" in line] == ["1"]
    assert "Head: entry 4" in listed
    assert run("history", "verify", "--history", "runs.db").code == 0
    gone = run("history", "show", "1", "--history", "runs.db", "--out", "x")
    assert gone.code == 2
    assert "pruned" in gone.err
    after = run("history", "show", "2", "--history", "runs.db", "--out", "y")
    assert after.code == 0
    assert "left out" in after.err
    assert "drift" not in audit(kept / "y")


def test_retention_of_the_configuration_is_applied_by_every_run_and_said(
    run: Run, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "entra-audit.yaml").write_text(f"history: runs.db\nretention: {{days: 5, at_least: 2}}\n{ANSWERS}")
    for day in (1, 2, 20):
        (tmp_path / "day.json").write_bytes(encode(snapshot(day, "Mail.Read")))
        assert run("run", "--snapshot", "day.json", "--out", f"out{day}").code != 2
        assert ("took the contents of 1 older run away: 1." in caplog.text) == (day == 20)
    listed = run("history", "list").out
    assert [line.split()[0] for line in listed.splitlines() if "contents pruned" in line] == ["1"]
    assert "drift" in audit(tmp_path / "out20")


def test_a_kept_run_whose_reports_cannot_be_written_is_shown_and_not_kept_twice(kept: Path, run: Run) -> None:
    """A second run would find nothing new: --fail-on new:high would pass over what the first one found."""
    (kept / "later" / "audit.json").mkdir(parents=True)
    failed = run("run", "--snapshot", "day3.json", "--history", "runs.db", "--out", "later")
    assert failed.code == 2
    assert "kept as run 4" in failed.err
    assert "entra-audit history show 4" in failed.err
    assert [path.name for path in (kept / "later").iterdir()] == ["audit.json"]
    assert run("history", "show", "4", "--history", "runs.db", "--out", "shown").code == 0
    plain = run("run", "--snapshot", "day3.json", "--no-history", "--out", "later")
    assert plain.code == 2
    assert "history" not in plain.err


def test_a_sound_history_is_verified_and_a_fault_is_exit_code_1(kept: Path, run: Run) -> None:
    sound = run("history", "verify", "--history", "runs.db")
    assert (sound.code, sound.err) == (0, "")
    assert "zoom: sound. Head: entry 3" in sound.out
    tamper(kept / "runs.db", "DELETE FROM entra_audit_entries WHERE number = 2")
    broken = run("history", "verify", "--history", "runs.db")
    assert broken.code == 1
    assert "FAULT" in broken.out
    assert "keep new ones in another place" in broken.err
    refused = run("run", "--snapshot", "day1.json", "--history", "runs.db", "--out", "later")
    assert refused.code == 2
    assert "chain of this history is broken" in refused.err
    assert {path.name for path in (kept / "later").iterdir()} == {"snapshot.json.gz"}


def test_a_cut_end_is_found_by_the_hash_of_an_old_report(kept: Path, run: Run) -> None:
    """Whoever cuts the end and sets the head back leaves a chain that is sound in itself."""
    noted = audit(kept / "out3")["history"]
    assert isinstance(noted, dict)
    verify = ("history", "verify", "--history", "runs.db", "--number", "3", "--head", str(noted["sha256"]).upper())
    assert run(*verify).code == 0
    two = audit(kept / "out2")["history"]
    assert isinstance(two, dict)
    tamper(kept / "runs.db", "DELETE FROM entra_audit_entries WHERE number = 3")
    tamper(kept / "runs.db", "UPDATE entra_audit_heads SET number = 2, sha256 = ?", str(two["sha256"]))
    found = run(*verify)
    assert found.code == 1
    assert "noted: Entry 3 is gone." in found.out


def test_rows_that_no_tenant_can_be_told_of_are_a_fault(kept: Path, run: Run) -> None:
    """A chain whose rows were given another kind of key is hidden and not sound."""
    tamper(kept / "runs.db", "UPDATE entra_audit_entries SET tenant_id = CAST(tenant_id AS BLOB)")
    tamper(kept / "runs.db", "UPDATE entra_audit_heads SET tenant_id = CAST(tenant_id AS BLOB)")
    tamper(kept / "runs.db", "UPDATE entra_audit_contents SET tenant_id = CAST(tenant_id AS BLOB)")
    found = run("history", "verify", "--history", "runs.db")
    assert found.code == 1
    assert "1 FAULT" in found.out
    assert "sound" not in found.out


@pytest.mark.parametrize("named", [(), ("--tenant", TENANT), ("--tenant", TENANT, "--profile", "zoom")])
def test_a_history_that_was_emptied_is_found_by_the_hash_of_an_old_report(
    kept: Path, run: Run, named: tuple[str, ...]
) -> None:
    noted = audit(kept / "out3")["history"]
    assert isinstance(noted, dict)
    tamper(kept / "runs.db", "DELETE FROM entra_audit_entries")
    tamper(kept / "runs.db", "DELETE FROM entra_audit_heads")
    tamper(kept / "runs.db", "DELETE FROM entra_audit_contents")
    head = ("--number", "3", "--head", str(noted["sha256"]))
    found = run("history", "verify", "--history", "runs.db", *named, *head)
    assert found.code == 1
    assert "noted: Entry 3 is gone." in found.out


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize(
    "arguments", [("--number", "1"), ("--head", "0" * 64), ("--number", "1", "--head", "12ab"), ("--number", "0")]
)
def test_a_noted_hash_is_a_number_and_a_whole_hash(run: Run, arguments: tuple[str, ...]) -> None:
    assert run("history", "verify", "--history", "runs.db", *arguments).code == 2


def test_several_tenants_are_told_apart(kept: Path, run: Run) -> None:
    other = json.loads(encode(snapshot(1, "Mail.Read")))
    other["tenant_id"] = "22222222-2222-4222-8222-222222222222"
    (kept / "other.json").write_text(json.dumps(other))
    run("run", "--snapshot", "other.json", "--history", "runs.db", "--out", "other")
    assert run("history", "list", "--history", "runs.db").out.count("Head: entry") == 2
    many = run("history", "show", "1", "--history", "runs.db", "--out", "x")
    assert many.code == 2
    assert "--tenant 22222222-2222-4222-8222-222222222222" in many.err
    one = run("history", "show", "1", "--history", "runs.db", "--tenant", other["tenant_id"], "--out", "x")
    assert one.code == 0, one.err
    assert run("history", "list", "--history", "runs.db", "--tenant", other["tenant_id"]).out.count("Head: entry") == 1
    assert run("history", "list", "--history", "runs.db", "--profile", "fabrikam").code == 2
    noted = run("history", "verify", "--history", "runs.db", "--number", "1", "--head", "0" * 64)
    assert noted.code == 2
    assert (
        run(
            "history",
            "show",
            "9",
            "--history",
            "runs.db",
            "--profile",
            "zoom",
            "--tenant",
            other["tenant_id"],
            "--out",
            "x",
        ).code
        == 2
    )


@pytest.mark.parametrize("location", [".", "day.json", "postgresql://kim:made-up@localhost/audits", "mysql://x/y", ""])
def test_a_place_that_is_none_is_refused_before_the_source_is_read(run: Run, tmp_path: Path, location: str) -> None:
    """The snapshot does not exist: had it been read first, that would be the error."""
    (tmp_path / "day.json").write_text("These are notes and no database. " * 50)
    ran = run("run", "--snapshot", "absent.json", "--history", location, "--out", "out")
    assert ran.code == 2
    assert "absent.json" not in ran.err
    assert "made-up" not in ran.err
    assert not (tmp_path / "out").exists()


def test_what_cannot_be_typed_is_refused(run: Run) -> None:
    assert "exclude each other" in run("run", "--demo", "--history", "x.db", "--no-history", "--out", "out").err
    for verb in (("list",), ("verify",), ("show", "1", "--out", "x"), ("prune", "--keep-days", "3")):
        assert "No history is named" in run("history", *verb).err
        assert "There is no history here" in run("history", *verb, "--history", "absent.db").err
    assert "how long runs stay" in run("history", "prune", "--history", "absent.db").err


def test_an_empty_history_says_so(run: Run) -> None:
    from auditor.workflow.keep import check_history

    check_history("empty.db")
    assert run("history", "list", "--history", "empty.db").out == "No run is kept here.\n"
    assert run("history", "verify", "--history", "empty.db").out == "No run is kept here.\n"
    assert "history is empty" in run("history", "show", "1", "--history", "empty.db", "--out", "x").err


def test_a_tenant_without_an_id_is_not_mixed_with_others(run: Run, tmp_path: Path) -> None:
    unnamed = json.loads(encode(snapshot(1, "Mail.Read")))
    unnamed["tenant_id"] = ""
    (tmp_path / "unnamed.json").write_text(json.dumps(unnamed))
    ran = run("run", "--snapshot", "unnamed.json", "--history", "runs.db", "--out", "out")
    assert ran.code == 2
    assert "which tenant" in ran.err
    assert "--no-history" in ran.err


def test_names_of_the_tenant_cannot_steer_the_terminal(run: Run, tmp_path: Path) -> None:
    named = json.loads(encode(snapshot(1, "Mail.Read")))
    named["organization"]["items"][0]["displayName"] = "Contoso\x1b[2J\u202e"
    (tmp_path / "named.json").write_text(json.dumps(named))
    assert run("run", "--snapshot", "named.json", "--history", "runs.db", "--out", "out").code != 2
    listed = run("history", "list", "--history", "runs.db").out
    assert "\x1b" not in listed
    assert "\u202e" not in listed
    assert "U+001B" in listed
