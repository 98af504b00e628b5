"""Rendering an audit again, later, byte for byte the same."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from auditor.errors import InputError
from auditor.model.outcome import AuditResult
from auditor.reporters import Reporter
from auditor.reporters.json import decode_audit
from auditor.workflow.run import render
from auditor.workflow.writing import check_folder, write_files


def report(audit: Path, *, reporters: Sequence[Reporter], out: Path) -> tuple[AuditResult, tuple[Path, ...]]:
    """Render the audit that `audit` (an audit.json) holds into `out`.

    Raises:
        InputError: the file cannot be read or is no audit.
        OutputError: the reports cannot be written.
    """
    check_folder(out)
    try:
        data = audit.read_bytes()
    except OSError as error:
        raise InputError(
            f"The audit cannot be read: {error.strerror}.", where=str(audit), advice="Name the audit.json of a run."
        ) from error
    result = decode_audit(data, str(audit))
    return result, write_files(out, render(result, reporters))
