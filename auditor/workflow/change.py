"""A plan for the change board: its page and its tests."""

from __future__ import annotations

from pathlib import Path

from auditor.reporters.change_page import change_html, change_markdown, testplan_markdown
from auditor.workflow.revoke import read_plan
from auditor.workflow.writing import check_folder, write_files


def change(path: Path, *, out: Path, change_id: str = "", approved_by: str = "") -> tuple[Path, ...]:
    """Write change.html, change.md and testplan.md of the plan in `path` into `out`, and return their paths.

    Raises:
        InputError: the plan cannot be read.
        RefusedError: it was edited.
        OutputError: the files cannot be written.
    """
    check_folder(out)
    plan = read_plan(path)
    files = {
        "change.html": change_html(plan, change=change_id, approved_by=approved_by),
        "change.md": change_markdown(plan, change=change_id, approved_by=approved_by),
        "testplan.md": testplan_markdown(plan),
    }
    return write_files(out, files)
