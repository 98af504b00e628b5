"""`entra-audit evidence`: what it prints, where, and with which exit code."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from auditor.cli.main import cli
from auditor.errors import InputError, UsageError
from auditor.model.canonical import to_gzip, to_json
from auditor.sources.snapshot_file import encode
from auditor.workflow.prepare import prepare
from auditor.workflow.run import judge
from tests.workflow.evidence import found


def told(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, ["evidence", *map(str, arguments)], standalone_mode=False, catch_exceptions=False)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of reports over the sample tenant, without a configuration."""
    folder = tmp_path_factory.mktemp("report")
    run = found()
    result, _ = judge(run.snapshot, prepare("zoom", config=None))
    (folder / "audit.json").write_bytes(to_json(result))
    (folder / "snapshot.json.gz").write_bytes(to_gzip(encode(run.snapshot)))
    return folder


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ENTRA_AUDIT_SIGN_KEY_PASSWORD", raising=False)


def test_a_run_is_packed_and_verified(report: Path) -> None:
    """The result alone stands on stdout; `evidence RUN` is `evidence make RUN`."""
    made = told(report, "--out", "evidence.zip")
    assert made.return_value == 0
    assert made.stdout == "evidence.zip\n"
    assert "Note elsewhere: SHA-256 of the manifest" in made.stderr
    again = told("make", report, "--out", "again.zip")
    assert again.return_value == 0
    assert Path("again.zip").read_bytes() == Path("evidence.zip").read_bytes()
    assert Path("evidence.zip").stat().st_mode & 0o777 == 0o600
    seen = told("verify", "evidence.zip")
    assert seen.return_value == 0
    assert "ok     audit.json: Judged again" in seen.stdout
    assert "note   findings: " in seen.stdout
    assert seen.stdout.splitlines()[-1] == (
        "Verified: it holds together. Not checked: that nobody made it anew (give --key or --head)."
    )


def test_a_changed_package_is_told_by_exit_code_and_name(report: Path) -> None:
    told(report, "--out", "evidence.zip")
    data = bytearray(Path("evidence.zip").read_bytes())
    place = data.index(b"collection,app_id")
    data[place] ^= 1
    Path("evidence.zip").write_bytes(data)
    seen = told("verify", "evidence.zip")
    assert seen.return_value == 1
    assert "fault  ledger.csv: " in seen.stdout
    assert "NOT VERIFIED: 2 faults." in seen.stdout


def test_what_is_no_package_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "x.zip").write_text("no archive")
    with pytest.raises(InputError, match="no evidence package"):
        told("verify", "x.zip")
    with pytest.raises(InputError, match="cannot be read"):
        told("verify", "none.zip")
    with pytest.raises(UsageError, match="no head"):
        told("verify", "x.zip", "--head", "abc")


def test_a_kept_run_needs_a_history(report: Path) -> None:
    with pytest.raises(UsageError, match="No history is named"):
        told("make", "history:3", "--out", "e.zip")
    with pytest.raises(UsageError, match="exclude each other"):
        told("make", report, "--history", "h.db", "--no-history", "--out", "e.zip")
    with pytest.raises(UsageError, match="kept in no history"):
        told("make", report, "--history", "h.db", "--out", "e.zip")
    with pytest.raises(InputError):
        told("make", "history:3", "--history", "none.db", "--out", "e.zip")
    assert not Path("e.zip").exists()
