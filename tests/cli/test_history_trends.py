"""`entra-audit history trends`, as a user types it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from msgspec.structs import replace

from auditor.simulator.sample import sample
from auditor.sources.snapshot_file import encode
from tests.cli.conftest import Run


def test_every_kept_run_is_on_the_page(run: Run, tmp_path: Path) -> None:
    snapshot = sample()
    for week in range(2):
        (tmp_path / "sample.json").write_bytes(
            encode(replace(snapshot, taken_at=snapshot.taken_at + timedelta(weeks=week)))
        )
        ran = run("run", "--snapshot", "sample.json", "--history", "h.db", "--format", "json", "--out", "report")
        assert ran.code in {1, 3}, ran.err
    drawn = run("history", "trends", "--history", "h.db", "--out", "trends.html")
    assert (drawn.code, drawn.out) == (0, "trends.html\n")
    page = (tmp_path / "trends.html").read_text(encoding="utf-8")
    assert "2 kept runs of 1 tenant and profile" in page
    listed = run("history", "list", "--history", "h.db").out
    assert all(row.split()[-1] in page for row in listed.splitlines() if row.strip()[:1].isdigit())


def test_no_history_is_an_error_and_writes_nothing(run: Run, tmp_path: Path) -> None:
    drawn = run("history", "trends", "--history", "none.db", "--out", "trends.html")
    assert drawn.code == 2
    assert "none.db" in drawn.err
    assert list(tmp_path.iterdir()) == []
