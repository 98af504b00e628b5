"""A plan as scripts, for whoever carries it out without this program."""

from __future__ import annotations

from pathlib import Path

from auditor.remedy.scripts import Script
from auditor.remedy.seal import MOST_STEPS, require_limits
from auditor.workflow.revoke import read_plan
from auditor.workflow.writing import check_folder, write_files


def script(plan: Path, *, language: Script, out: Path, most_steps: int = MOST_STEPS) -> tuple[Path, ...]:
    """Write the scripts of the plan in `plan` into `out`, and return their paths; those of a shell can be executed.

    Raises:
        InputError: the plan cannot be read, or is none.
        OutputError: the scripts cannot be written.
        RefusedError: it was edited, is over a limit, is an undo, or a part of it may not stand in code.
        UsageError: nor may its file's name.
    """
    check_folder(out)
    read = read_plan(plan)
    require_limits(read, most_steps=most_steps)
    paths = write_files(out, language.render(read, plan.name.removesuffix(".json")))
    for path in paths:
        if path.suffix == ".sh":
            path.chmod(0o700)
    return paths
