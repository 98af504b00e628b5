"""Two audits of one tenant, compared: from folders, files or a history."""

from __future__ import annotations

import re
from pathlib import Path

from auditor.errors import InputError, UsageError
from auditor.history.drift import drift
from auditor.history.side import Side
from auditor.model.canonical import sha256, to_json
from auditor.model.drift import Drift
from auditor.reporters.csv import drift_csv
from auditor.reporters.json import decode_audit
from auditor.reporters.md import changes
from auditor.sources.files import read
from auditor.sources.snapshot_file import LIMIT as SNAPSHOT_LIMIT
from auditor.sources.snapshot_file import decode, encode
from auditor.workflow.history import Chosen
from auditor.workflow.report import LIMIT
from auditor.workflow.run import SNAPSHOT
from auditor.workflow.writing import check_folder, write_files

AUDIT = "audit.json"
_KEPT = re.compile(r"history:([0-9]{1,9})")


def diff(first: str, second: str, *, history: str, chosen: Chosen, out: Path | None) -> tuple[Drift, tuple[Path, ...]]:
    """Return what changed between two audits, and the files that were written.

    Args:
        first: the earlier audit: a report folder, an audit.json whose snapshot lies beside it, or `history:N`.
        second: the later one.
        history: where kept runs are; empty: nowhere.
        chosen: which of its tenants and profiles.
        out: folder for drift.json, drift.csv and drift.md; None: nothing is written.

    Raises:
        UsageError: they are of two tenants or profiles, or there is no such kept run.
        InputError: one of them cannot be read, or its snapshot is not the one that it judged.
        OutputError: the files cannot be written.
    """
    if out is not None:
        check_folder(out)
    before, after = (_side(one, history, chosen) for one in (first, second))
    _check_same(before, after)
    found = drift(before, after, found_earlier=_found_earlier(first, history, chosen))
    if out is None:
        return found, ()
    files = {"drift.csv": drift_csv(found), "drift.json": to_json(found), "drift.md": changes(found)}
    return found, write_files(out, files)


def _check_same(before: Side, after: Side) -> None:
    for what, was, now in (
        ("tenants", before.result.tenant_id, after.result.tenant_id),
        ("app profiles", before.result.profile, after.result.profile),
    ):
        if was != now:
            raise UsageError(
                f"These are audits of two {what}: {was or 'one without a name'} and {now or 'one without a name'}.",
                advice="Compare two audits of one tenant and one app profile.",
            )


def _side(named: str, history: str, chosen: Chosen) -> Side:
    kept = _KEPT.fullmatch(named)
    return _kept(int(kept[1]), history, chosen) if kept else _saved(Path(named))


def _saved(path: Path) -> Side:
    """Return an audit and the snapshot beside it, which must be the one that it judged."""
    audit = path / AUDIT if path.is_dir() else path
    result = decode_audit(read(audit, where=str(audit), limit=LIMIT), str(audit))
    beside = audit.parent / SNAPSHOT
    if not beside.is_file():
        raise InputError(
            "The snapshot that the audit judged is not there.",
            where=str(beside),
            advice="`entra-audit run` writes it beside the audit.json: leave them together.",
        )
    snapshot = decode(read(beside, where=str(beside), limit=SNAPSHOT_LIMIT), str(beside))
    if sha256(encode(snapshot)) != result.provenance.snapshot_sha256:
        raise InputError(
            "This is not the snapshot that the audit beside it judged.",
            where=str(beside),
            advice="Give a folder as `entra-audit run` left it.",
        )
    return Side(snapshot=snapshot, result=result)


def _kept(number: int, history: str, chosen: Chosen) -> Side:
    from auditor.history.store import open_store

    with open_store(_location(history), create=False) as store:
        run = store.run(chosen.one(store.streams()), number)
    if run is None:
        raise UsageError(
            f"The history holds no run {number}, or its contents were pruned.",
            where=f"history:{number}",
            advice="`entra-audit history list` names every run.",
        )
    where = f"run {number} of the history"
    return Side(snapshot=decode(run.snapshot, where), result=decode_audit(run.result, where))


def _found_earlier(first: str, history: str, chosen: Chosen) -> frozenset[str]:
    """Return findings of runs before the first one, where both lie in one history."""
    kept = _KEPT.fullmatch(first)
    if not kept:
        return frozenset()
    from auditor.history.store import open_store

    with open_store(_location(history), create=False) as store:
        return store.found_earlier(chosen.one(store.streams()), int(kept[1]))


def _location(history: str) -> str:
    if not history:
        raise UsageError(
            "No history is named.", where="history:N", advice="Give --history, or `history:` in the configuration."
        )
    return history
