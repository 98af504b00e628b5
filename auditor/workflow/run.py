"""The audit: a source is read, judged and reported."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from msgspec import UNSET, Struct
from msgspec.structs import replace

from auditor.engine.audit import Hashes, audit
from auditor.engine.closed import closed_by
from auditor.errors import AuditorError
from auditor.model.canonical import sha256, to_gzip
from auditor.model.configuration import Retention
from auditor.model.outcome import AuditResult
from auditor.model.snapshot import Snapshot
from auditor.remedy.journal import LIMIT as JOURNAL_LIMIT
from auditor.remedy.journal import decode_journal
from auditor.reporters import Reporter
from auditor.sources import SourceKind, SourceRequest
from auditor.sources.files import read
from auditor.sources.snapshot_file import encode
from auditor.workflow.keep import check_history, kept
from auditor.workflow.prepare import Prepared
from auditor.workflow.writing import check_folder, write_file, write_files

SNAPSHOT = "snapshot.json.gz"


class Audited(Struct, frozen=True, kw_only=True):
    """A finished audit."""

    result: AuditResult
    paths: tuple[Path, ...]


def run(
    kind: SourceKind,
    request: SourceRequest,
    prepared: Prepared,
    *,
    reporters: Sequence[Reporter],
    out: Path,
    after: Path | None = None,
    history: str = "",
) -> Audited:
    """Read a source, judge it, and write the snapshot and every report into `out`.

    Args:
        kind: what kind of source.
        request: which one.
        prepared: rulebook and configuration.
        reporters: the formats.
        out: a folder.
        after: the journal of a plan whose closed findings the reports show; None: of none.
        history: where the run is kept; empty: nowhere.

    Raises:
        AuditorError: the source cannot be read or the reports cannot be written; nothing is written then. The run
            cannot be kept: of what was read only the snapshot is written then.
    """
    check_folder(out)
    if history:
        check_history(history)
    journal = _journal(after) if after is not None else None
    snapshot = kind.read(request)
    result, data = judge(snapshot, prepared, only=request.only)
    if journal is not None:
        result = with_closed(result, journal, str(after))
    return report(
        result, data, reporters=reporters, out=out, history=history, retention=prepared.configuration.retention
    )


def with_closed(result: AuditResult, journal: bytes, where: str) -> AuditResult:
    """Return an audit with the findings that a journal closed.

    Raises:
        InputError: it is no journal; its place is `where`.
    """
    titles = {rule.id: rule.title for rule in result.rules}
    return replace(result, closed=closed_by(decode_journal(journal, where), result, titles, journal=sha256(journal)))


def report(
    result: AuditResult,
    data: bytes,
    *,
    reporters: Sequence[Reporter],
    out: Path,
    history: str,
    retention: Retention,
) -> Audited:
    """Keep a run where a history is named, and write the snapshot and every report into `out`.

    Args:
        result: the audit.
        data: the canonical bytes of the snapshot that it judged.
        reporters: the formats.
        out: a folder.
        history: where the run is kept; empty: nowhere.
        retention: the contents of older runs that go then.

    Raises:
        AuditorError: the run cannot be kept: then only the snapshot is written; or the reports cannot be written.
    """
    if history:
        result = _kept_or_saved(result, data, history, retention=retention, out=out)
    files = {SNAPSHOT: to_gzip(data), **render(result, reporters)}
    return Audited(result=result, paths=_write_reports(out, files, result))


def _write_reports(out: Path, files: dict[str, bytes], result: AuditResult) -> tuple[Path, ...]:
    """Write the files of an audit, and return their paths.

    Raises:
        OutputError: they cannot be written. Of a run that was kept the advice is not to keep it twice: what was new
            would no longer be new then.
    """
    try:
        return write_files(out, files)
    except AuditorError as error:
        if result.history is UNSET:
            raise
        number = result.history.number
        advice = (
            f"{error.advice} The run is kept as run {number} of the history: write its reports with "
            f"`entra-audit history show {number}`; in another run nothing of it would be new."
        )
        raise type(error)(error.what, where=error.where, advice=advice) from None


def _kept_or_saved(result: AuditResult, data: bytes, history: str, *, retention: Retention, out: Path) -> AuditResult:
    """Return the audit as kept; where it cannot be kept, reading a large tenant was not for nothing.

    Raises:
        AuditorError: it cannot be kept; the snapshot lies in `out`.
    """
    try:
        return kept(result, data, history, retention=retention)
    except AuditorError as error:
        path = write_file(out / SNAPSHOT, to_gzip(data))
        advice = f"{error.advice} What was read lies in {path}: once that is mended, run again with --snapshot."
        raise type(error)(error.what, where=error.where, advice=advice) from None


def _journal(path: Path) -> bytes:
    """Return the bytes of a journal, checked before the tenant is read.

    Raises:
        InputError: it cannot be read, or is none.
    """
    data = read(path, where=str(path), limit=JOURNAL_LIMIT)
    decode_journal(data, str(path))
    return data


def judge(snapshot: Snapshot, prepared: Prepared, *, only: frozenset[str] = frozenset()) -> tuple[AuditResult, bytes]:
    """Return the audit of a snapshot, and the snapshot's canonical bytes, whose SHA-256 the audit names."""
    data = encode(snapshot)
    result = audit(
        snapshot,
        rulebook=prepared.rulebook,
        configuration=prepared.configuration,
        hashes=Hashes(
            snapshot=sha256(data),
            configuration=prepared.configuration_sha256,
            attestations=prepared.attestations_sha256,
        ),
        only=only,
        register=prepared.register,
    )
    return result, data


def render(result: AuditResult, reporters: Sequence[Reporter]) -> dict[str, bytes]:
    """Return the files of every reporter by name."""
    return {name: content for reporter in reporters for name, content in reporter.render(result).items()}


def collect(kind: SourceKind, request: SourceRequest, *, out: Path) -> tuple[Snapshot, Path]:
    """Read a source and write its snapshot to `out`, gzipped when the name ends in .gz."""
    check_folder(out.parent)
    snapshot = kind.read(request)
    data = encode(snapshot)
    return snapshot, write_file(out, to_gzip(data) if out.suffix == ".gz" else data)
