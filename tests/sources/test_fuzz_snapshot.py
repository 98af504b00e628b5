"""Whatever the bytes of a snapshot or of an audit.json: it is read, judged and written again, or refused."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.errors import InputError
from auditor.reporters.json import REPORTER
from auditor.sources.files import MIB
from auditor.sources.snapshot_file import decode
from auditor.workflow import report as workflow
from tests.fuzz.mutation import archive
from tests.fuzz.targets import audit, judged_snapshot, sample, snapshot

FEW = settings(max_examples=200)
SEEDS = st.integers(0, 2**32 - 1)


@FEW
@given(SEEDS)
def test_a_snapshot_with_a_changed_structure_is_read_or_refused(seed: int) -> None:
    snapshot(seed)


@settings(max_examples=100)
@given(SEEDS)
def test_what_a_changed_snapshot_holds_is_judged_whole(seed: int) -> None:
    judged_snapshot(seed)


@FEW
@given(SEEDS)
def test_a_changed_audit_is_read_or_refused(seed: int) -> None:
    audit(seed)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x1f\x8b",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"schema": "entra-auditor/snapshot", "version": 1' + b"0" * 400 + b"}",
        b'{"schema": "entra-auditor/snapshot", "version": 1' + b"0" * 5000 + b"}",
        b'{"schema": "\\ud800"}',
        '{"schema": "x"}'.encode("utf-16"),
        archive({"../snapshot.json": b"{}"}),
    ],
    ids=[
        "empty",
        "gzip head",
        "deep lists",
        "deep objects",
        "400 digits",
        "5,000 digits",
        "surrogate",
        "UTF-16",
        "zip",
    ],
)
def test_named_inputs_are_refused(data: bytes, tmp_path: Path) -> None:
    """Each was found, or feared, to end in something else than an error of ours; as a snapshot and as an audit."""
    with pytest.raises(InputError):
        decode(data, "sample")
    file = tmp_path / "audit.json"
    file.write_bytes(data)
    with pytest.raises(InputError):
        workflow.report(file, reporters=(), out=tmp_path / "out")


def bomb(megabytes: int) -> bytes:
    """Return a gzip archive that unpacks to blanks."""
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb") as packed:
        for _ in range(megabytes):
            packed.write(b" " * MIB)
    return buffer.getvalue()


def test_an_audit_is_read_within_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`report` takes a gzipped audit as well, and stops at an archive or a file made to fill memory."""
    file = tmp_path / "audit.json"
    file.write_bytes(gzip.compress(sample()[1]))
    result, [written] = workflow.report(file, reporters=(REPORTER,), out=tmp_path / "out")
    assert written.read_bytes() == sample()[1]
    assert result.tenant_id == json.loads(sample()[1])["tenant_id"]
    file.write_bytes(bomb(80))
    with pytest.raises(InputError, match="over 250 times the archive"):
        workflow.report(file, reporters=(), out=tmp_path / "out")
    file.write_bytes(sample()[1])
    monkeypatch.setattr(workflow, "LIMIT", 1000)
    with pytest.raises(InputError, match="too large"):
        workflow.report(file, reporters=(), out=tmp_path / "out")


def test_a_bomb_with_a_large_head_is_found_as_early() -> None:
    """What comes before the blanks does not raise the bound: the ratio is taken of each piece."""
    head = bytes(range(256)) * 40_000
    data = gzip.compress(head, compresslevel=0) + bomb(80)
    with pytest.raises(InputError, match="over 250 times the archive"):
        decode(data, "sample")
