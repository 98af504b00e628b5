"""`run`, `collect` and `report`: a source in, reports and an exit code out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import EXPORT, Run

WRITTEN = {"audit.json", "findings.csv", "grants.csv", "report.html", "snapshot.json.gz"}


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_the_demo_runs_the_whole_live_path_and_reports_its_findings(run: Run, tmp_path: Path) -> None:
    """The sample has findings (exit code 1) and is complete; nothing but the listed files is written."""
    ran = run("run", "--demo", "--out", "demo")
    assert ran.code == 1, ran.err
    assert names(tmp_path / "demo") == WRITTEN
    assert "report.html" in ran.out
    audit = json.loads((tmp_path / "demo" / "audit.json").read_bytes())
    assert audit["provenance"]["source_kind"] == "simulator"
    assert audit["complete"]


def test_an_export_is_audited_and_its_snapshot_gives_the_same_audit_again(run: Run, tmp_path: Path) -> None:
    first = run("run", "--graph-export", EXPORT, "--taken-at", "2026-11-20T09:14:00Z", "--out", "one")
    assert first.code in (1, 3), first.err
    again = run("run", "--snapshot", tmp_path / "one" / "snapshot.json.gz", "--out", "two")
    assert again.code == first.code
    for name in WRITTEN:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes(), name


def test_a_report_is_rendered_again_byte_for_byte(run: Run, tmp_path: Path) -> None:
    run("run", "--graph-export", EXPORT, "--out", "one")
    ran = run("report", "one/audit.json", "--out", "two")
    assert ran.code == 0, ran.err
    for name in WRITTEN - {"snapshot.json.gz"}:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes(), name


def test_only_the_formats_asked_for_are_written(run: Run, tmp_path: Path) -> None:
    run("run", "--graph-export", EXPORT, "--format", "json", "--out", "out")
    assert names(tmp_path / "out") == {"audit.json", "snapshot.json.gz"}


def test_fail_on_never_gives_no_exit_code_for_findings(run: Run) -> None:
    rooms = ("--app-id", "f56e91e5-5a82-452f-b435-d4d78aeaf064")
    assert run("run", "--graph-export", EXPORT, *rooms, "--fail-on", "never", "--out", "out").code == 0


def test_a_permission_that_nobody_describes_is_never_silent(run: Run) -> None:
    """Its finding stands for what could not be judged of it, so it fails the run, or the run is incomplete."""
    assert run("run", "--demo", "--fail-on", "high", "--out", "out").code == 1
    assert run("run", "--demo", "--fail-on", "critical", "--out", "out").code == 3
    assert run("run", "--demo", "--fail-on", "never", "--out", "out").code == 3


def test_collect_writes_what_run_reads(run: Run, tmp_path: Path) -> None:
    ran = run("collect", "--demo", "--out", "tenant.json.gz")
    assert ran.code == 0, ran.err
    assert names(tmp_path) == {"tenant.json.gz"}
    plain = run("collect", "--snapshot", "tenant.json.gz", "--out", "tenant.json")
    assert plain.code == 0
    assert json.loads((tmp_path / "tenant.json").read_bytes())["profile"] == "zoom"


def test_collect_says_what_it_could_not_read(run: Run) -> None:
    """An export without owners: exit code 3, each gap on stderr, the snapshot written."""
    ran = run("collect", "--graph-export", EXPORT, "--out", "tenant.json")
    assert ran.code in (0, 3)
    assert (ran.code == 3) == ("unavailable" in ran.err or "partial" in ran.err)


def test_one_app_of_many_is_audited_alone(run: Run, tmp_path: Path) -> None:
    run("run", "--demo", "--app-id", "f56e91e5-5a82-452f-b435-d4d78aeaf064", "--out", "out")
    audit = json.loads((tmp_path / "out" / "audit.json").read_bytes())
    assert [app["app_id"] for app in audit["apps"]] == ["f56e91e5-5a82-452f-b435-d4d78aeaf064"]


def test_the_configuration_of_the_folder_is_used(run: Run, tmp_path: Path) -> None:
    (tmp_path / "entra-audit.yaml").write_text("apps: {zoom: {policy: required, features: [rooms-application]}}\n")
    run("run", "--graph-export", EXPORT, "--out", "out")
    audit = json.loads((tmp_path / "out" / "audit.json").read_bytes())
    assert (audit["policy_name"], audit["features"]) == ("required", ["rooms-application"])
    assert audit["provenance"]["configuration_sha256"]


def test_options_take_the_place_of_the_configuration(run: Run, tmp_path: Path) -> None:
    options = ("--policy", "required", "--feature", "personal-calendar-application")
    run("run", "--graph-export", EXPORT, *options, "--out", "out")
    audit = json.loads((tmp_path / "out" / "audit.json").read_bytes())
    assert (audit["policy_name"], audit["features"]) == ("required", ["personal-calendar-application"])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--demo", "--snapshot", "x"), "exclude each other"),
        (("--snapshot", "x", "--graph-export", "y"), "exclude each other"),
        (("--snapshot", "missing.json"), "missing.json"),
        (("--graph-export", "missing"), "missing"),
        (("--demo", "--format", "pdf"), "no format 'pdf'"),
        (("--demo", "--format", ","), "no format"),
        (("--demo", "--app", "teams"), "teams"),
        (("--demo", "--policy", "tight"), "tight"),
        (("--demo", "--policy", "required", "--config", "none.yaml"), "none.yaml"),
        (("--demo", "--feature", "fax"), "fax"),
        (("--demo", "--taken-at", "yesterday"), "not a time"),
        (("--demo", "--taken-at", "0001-01-01T00:00:00+14:00"), "not a time"),
        (("--demo", "--taken-at", "2020-01-01"), "taken now"),
        (("--demo", "--tenant-id", "contoso.example"), "Sign-in options"),
        (("--demo", "--app-id", "zoom"), "no appId"),
        (("--demo", "--app-id", "12345678-1234-4234-8234-123456789abc"), "12345678-1234"),
        (("--auth", "client-secret"), "tenant"),
        (("--auth", "certificate", "--tenant-id", "t", "--client-id", "c"), "certificate"),
    ],
)
def test_wrong_input_is_named_and_nothing_is_written(
    run: Run, tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    """Exit code 2, one paragraph that says what, where and what to do next, no traceback, no file."""
    ran = run("run", *arguments, "--out", "out")
    assert ran.code == 2
    assert words in ran.err
    assert "Traceback" not in ran.err
    assert ran.out == ""
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("out", ["", "x" * 300])
def test_a_path_that_is_none_is_refused(run: Run, tmp_path: Path, out: str) -> None:
    ran = run("run", "--demo", "--out", out)
    assert (ran.code, ran.out) == (2, "")
    assert "Traceback" not in ran.err
    assert list(tmp_path.iterdir()) == []


def test_an_unwritable_out_is_refused_before_the_tenant_is_read(run: Run, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    ran = run("run", "--demo", "--out", "out")
    assert (ran.code, ran.out) == (2, "")
    assert "A file stands where the folder should be" in ran.err
    assert (tmp_path / "out").read_text() == "a file"


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "audit"), (b"{", "audit"), (b'{"schema":"other"}', "audit"), (b"\xff\xfe", "audit")],
)
def test_what_is_no_audit_is_refused(run: Run, tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "audit.json").write_bytes(content)
    ran = run("report", "audit.json", "--out", "out")
    assert ran.code == 2
    assert words in ran.err
    assert not (tmp_path / "out").exists()


def test_a_missing_audit_is_named(run: Run) -> None:
    ran = run("report", "none.json", "--out", "out")
    assert ran.code == 2
    assert "none.json" in ran.err


def test_the_simulator_is_accepted_on_loopback_only(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENTRA_AUDIT_SIMULATOR_URL", "https://graph.example.com")
    monkeypatch.setenv("ENTRA_AUDIT_SIMULATOR_TOKEN", "token")
    ran = run("run", "--out", "out")
    assert ran.code == 2
    assert "ENTRA_AUDIT_SIMULATOR_URL" in ran.err


def test_a_profile_that_nobody_wrote_is_named_with_its_line(run: Run, tmp_path: Path) -> None:
    (tmp_path / "entra-audit.yaml").write_text("apps:\n  zoom: {policy: minimal}\n  teems: {policy: minimal}\n")
    ran = run("run", "--graph-export", EXPORT, "--out", "out")
    assert ran.code == 2
    assert "entra-audit.yaml:3" in ran.err
    assert "teems" in ran.err


def test_a_waiver_of_a_rule_that_does_not_exist_is_refused(run: Run, tmp_path: Path) -> None:
    app = "aaaaaaaa-0001-4000-8000-000000000001"
    waiver = f"{{rule: outside-polcy, app: {app}, owner: Ada, reason: pilot, expires: 2027-01-31}}"
    (tmp_path / "entra-audit.yaml").write_text(f"waivers: [{waiver}]\n")
    ran = run("run", "--graph-export", EXPORT, "--out", "out")
    assert ran.code == 2
    assert "outside-policy" in ran.err


def test_a_waiver_without_expiry_is_refused(run: Run, tmp_path: Path) -> None:
    waiver = "{rule: outside-policy, app: aaaaaaaa-0001-4000-8000-000000000001, owner: Ada, reason: pilot}"
    (tmp_path / "entra-audit.yaml").write_text(f"waivers: [{waiver}]\n")
    ran = run("run", "--graph-export", EXPORT, "--out", "out")
    assert ran.code == 2
    assert "expires" in ran.err


def test_a_file_has_no_identity_to_be_strict_about(run: Run, tmp_path: Path) -> None:
    """--strict-identity is for a tenant."""
    ran = run("run", "--snapshot", "tenant.json", "--strict-identity", "--out", "out")
    assert ran.code == 2
    assert "--strict-identity" in ran.err
    assert not (tmp_path / "out").exists()
