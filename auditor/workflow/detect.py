"""The alert query for what a plan takes away."""

from __future__ import annotations

from pathlib import Path

from auditor.remedy.detect import Query
from auditor.workflow.revoke import read_plan
from auditor.workflow.writing import check_folder, write_file


def detect(path: Path, *, query: Query, out: Path | None = None) -> str:
    """Return the query for the plan in `path`, and write it to `out` where that is named.

    Raises:
        InputError: the plan cannot be read.
        RefusedError: it was edited, or takes no permission away.
        OutputError: the file cannot be written.
    """
    if out is not None:
        check_folder(out.parent)
    text = query.write(read_plan(path))
    if out is not None:
        write_file(out, text.encode())
    return text
