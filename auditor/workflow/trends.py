"""Trends: every kept run on one page."""

from __future__ import annotations

from pathlib import Path

from auditor.errors import InputError
from auditor.reporters.trends import trends_html
from auditor.workflow.history import Chosen
from auditor.workflow.writing import check_folder, write_file


def trends(location: str, chosen: Chosen, *, out: Path) -> Path:
    """Write the page of the runs that are kept at `location`, and return its path.

    Raises:
        InputError: no run is kept there.
        UsageError: none of the kind that is meant.
        OutputError: the page cannot be written.
    """
    from auditor.history.store import open_store

    check_folder(out.parent)
    with open_store(location, create=False) as store:
        runs = [run for stream in chosen.among(store.streams()) for run in store.summaries(stream)]
    if not runs:
        raise InputError(
            "No run is kept here.",
            where=location,
            advice="Keep runs in it first: entra-audit run --history LOCATION",
        )
    return write_file(out, trends_html(runs))
