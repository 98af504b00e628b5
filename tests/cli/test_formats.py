"""What `--format` promises: one, some or all of them, and a word before anything is read where one cannot be made."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from auditor.reporters import reporters
from tests.cli.conftest import EXPORT, Run

EVERY = {
    "audit.json",
    "findings.csv",
    "frameworks.csv",
    "frameworks.html",
    "grants.csv",
    "junit.xml",
    "report.html",
    "report.md",
    "report.sarif",
    "report.xlsx",
}


def test_all_writes_every_format(run: Run, tmp_path: Path) -> None:
    """Also beside a format that is named; and `report` makes the same files of audit.json, byte for byte."""
    ran = run("run", "--graph-export", EXPORT, "--format", "html,all", "--out", "out")
    written = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    assert ran.code in {1, 3}
    assert written.keys() == EVERY | {"snapshot.json.gz"}
    assert run("report", "out/audit.json", "--format", "all", "--out", "again").code == 0
    again = {path.name: path.read_bytes() for path in (tmp_path / "again").iterdir()}
    assert again == {name: data for name, data in written.items() if name != "snapshot.json.gz"}


@pytest.mark.parametrize("formats", ["all", "xlsx", "json,xlsx"])
def test_a_missing_part_is_named_before_anything_is_read(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, formats: str
) -> None:
    """Exit 2 with what to install: not the complaint that the snapshot, which would be read next, is not there."""
    monkeypatch.setitem(sys.modules, "xlsxwriter", None)
    for verb in (("run", "--snapshot", "missing.json"), ("report", "missing.json")):
        ran = run(*verb, "--format", formats, "--out", "out")
        assert ran.code == 2
        assert "The format 'xlsx' needs 'xlsxwriter', which is not installed." in ran.err
        assert 'pip install "entra-auditor[xlsx]"' in ran.err
        assert "missing.json" not in ran.err
    assert not (tmp_path / "out").exists()


def test_an_unknown_format_is_told_every_name(run: Run) -> None:
    ran = run("run", "--demo", "--format", "pdf", "--out", "out")
    assert ran.code == 2
    assert all(name in ran.err for name in ("all", *reporters()))


def test_every_extra_that_a_format_names_exists() -> None:
    """A format that needs more than a plain installation says which extra brings it."""
    project = Path(__file__).parents[2] / "pyproject.toml"
    for reporter in reporters().values():
        assert bool(reporter.needs) == bool(reporter.extra)
        assert not reporter.extra or f"\n{reporter.extra} = [" in project.read_text(encoding="utf-8")
