"""Rendering an audit again, later, byte for byte the same."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from auditor.model.outcome import AuditResult
from auditor.reporters import Reporter
from auditor.reporters.json import decode_audit
from auditor.sources.files import MIB, read
from auditor.workflow.run import render
from auditor.workflow.writing import check_folder, write_files

LIMIT = 512 * MIB
"""Bytes of JSON above which an audit is refused."""


def report(audit: Path, *, reporters: Sequence[Reporter], out: Path) -> tuple[AuditResult, tuple[Path, ...]]:
    """Render the audit that `audit` (an audit.json) holds into `out`.

    Raises:
        InputError: the file cannot be read, is larger than LIMIT, or is no audit.
        OutputError: the reports cannot be written.
    """
    check_folder(out)
    data = read(audit, where=str(audit), limit=LIMIT)
    result = decode_audit(data, str(audit))
    return result, write_files(out, render(result, reporters))
