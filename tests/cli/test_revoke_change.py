"""`revoke change` and `revoke detect`, as a user calls them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from auditor.remedy.detect import queries
from auditor.remedy.seal import encode_plan
from auditor.reporters.change_page import change_html, change_markdown
from tests.cli.conftest import Run
from tests.remedy.plans import plan, steps


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return the sample's plan as a file."""
    path = tmp_path / "plan.json"
    path.write_bytes(encode_plan(plan()))
    return path


def test_the_boards_pages_are_written(run: Run, file: Path, tmp_path: Path) -> None:
    """Three files, named on stdout, with the change id and the name in them, readable by their owner only."""
    ran = run("revoke", "change", file, "--change", "CHG-1", "--approved-by", "Kim Lee (sample)", "--out", "board")
    assert ran.code == 0, ran.err
    assert ran.out.split() == ["board/change.html", "board/change.md", "board/testplan.md"]
    board = tmp_path / "board"
    more = {"change": "CHG-1", "approved_by": "Kim Lee (sample)"}
    assert (board / "change.html").read_bytes() == change_html(plan(), **more)
    assert (board / "change.md").read_bytes() == change_markdown(plan(), **more)
    assert (board / "testplan.md").read_text(encoding="utf-8").startswith("# Tests for the change")
    if os.name == "posix":
        assert {path.stat().st_mode & 0o777 for path in board.iterdir()} == {0o600}


def test_without_a_folder_they_go_to_change(run: Run, file: Path, tmp_path: Path) -> None:
    """The command that `revoke plan` shows works as it stands."""
    assert run("revoke", "change", file).code == 0
    assert (tmp_path / "change" / "change.html").is_file()


@pytest.mark.parametrize("name", list(queries()))
def test_a_query_is_printed_or_written(run: Run, file: Path, tmp_path: Path, name: str) -> None:
    """The same text either way; with --out stdout has the file's name alone."""
    printed = run("revoke", "detect", file, "--format", name)
    assert (printed.code, printed.out) == (0, queries()[name].write(plan()))
    written = run("revoke", "detect", file, "--format", name, "--out", "queries/alert.txt")
    assert (written.code, written.out) == (0, f"{Path('queries/alert.txt')}\n")
    assert (tmp_path / "queries" / "alert.txt").read_text(encoding="utf-8") == printed.out


def test_an_edited_plan_and_one_that_takes_nothing_are_refused(run: Run, file: Path, tmp_path: Path) -> None:
    """Exit 4, with the reason, and nothing written."""
    nothing = tmp_path / "nothing.json"
    nothing.write_bytes(encode_plan(plan(steps()[4])))
    ran = run("revoke", "detect", nothing, "--format", "sentinel", "--out", "alert.kql")
    assert ran.code == 4
    assert "nothing to watch for" in ran.err
    assert not (tmp_path / "alert.kql").exists()
    file.write_bytes(file.read_bytes().replace(b"Mail.ReadWrite", b"Mail.ReadWrote"))
    for arguments in (("change", file, "--out", "board"), ("detect", file, "--format", "splunk")):
        ran = run("revoke", *arguments)
        assert ran.code == 4
        assert "edited" in ran.err
    assert not (tmp_path / "board").exists()


def test_an_unknown_format_and_a_missing_plan_are_usage_errors(run: Run, file: Path) -> None:
    """Exit 2, and the formats that there are."""
    ran = run("revoke", "detect", file, "--format", "kibana")
    assert ran.code == 2
    assert "defender" in ran.err
    assert run("revoke", "change", "absent.json", "--out", "board").code == 2
