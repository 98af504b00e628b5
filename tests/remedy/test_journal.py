"""The journal: every line on disk, what a crash cut off, and what is no journal."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from auditor.errors import InputError, OutputError, RefusedError
from auditor.model.plan import Begin, End, Intent, Line, Result
from auditor.remedy import journal
from auditor.remedy.journal import Journal, decode_journal, encode_line, known, opened, read_journal
from tests.remedy.plans import plan, steps

AT = datetime(2026, 11, 22, 9, 14, tzinfo=UTC)


def begin() -> Begin:
    made = plan()
    return Begin(
        at=AT,
        by="apply",
        purpose="revoke",
        plan=made.sha256,
        approved_hash=made.approved_hash,
        tenant_id=made.tenant_id,
        cloud="public",
    )


def intent(number: int = 0) -> Intent:
    step = steps()[number]
    return journal.intent(step, 0, step.changes[0], at=AT)


def lines() -> list[Line]:
    first = intent()
    return [begin(), first, Result(at=AT, step=first.step, change=0, outcome="done", status=204), End(at=AT, done=1)]


def test_lines_are_read_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / "plan.journal.jsonl"
    for line in lines():
        Journal(path).write(line)
    assert read_journal(path) == tuple(lines())
    assert path.read_bytes().count(b"\n") == 4


@pytest.mark.parametrize("cut", [1, 2, 40, 5000])
def test_what_a_crash_cut_is_left_out_and_written_over(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "plan.journal.jsonl"
    Journal(path).write(begin())
    with path.open("ab") as file:
        file.write((encode_line(intent()) * 20)[:cut].replace(b"\n", b" "))
    assert read_journal(path) == (begin(),)
    Journal(path).write(intent())
    assert read_journal(path) == (begin(), intent())


def test_a_journal_of_one_cut_line_is_empty(tmp_path: Path) -> None:
    path = tmp_path / "plan.journal.jsonl"
    path.write_bytes(encode_line(begin())[:30])
    assert read_journal(path) == ()
    Journal(path).write(begin())
    assert read_journal(path) == (begin(),)


def test_a_later_intent_opens_a_change_again_and_what_was_refused_says_nothing() -> None:
    first = intent()
    done = Result(at=AT, step=first.step, change=0, outcome="done")
    refused = Result(at=AT, step=first.step, change=0, outcome="refused")
    key = (first.step, 0)
    assert known([begin(), first])[key].result is None
    assert known([begin(), first, done, refused])[key].done
    assert known([begin(), first, done, first])[key].result is None
    assert known([begin(), refused]) == {}


NOT_JOURNALS = {
    b"{}\n": "no line of a journal",
    b"nothing\n": "no line of a journal",
    b"\xff\n": "no line of a journal",
    b"[" * 100_000 + b"\n": "no line of a journal",
    encode_line(End(at=AT, done=0)): "does not begin",
    encode_line(begin()).replace(b'"version":1', b'"version":2'): "another version",
    encode_line(begin()).replace(b"entra-auditor/journal", b"another/journal"): "another version",
}


@pytest.mark.parametrize("data", NOT_JOURNALS, ids=range(len(NOT_JOURNALS)))
def test_what_is_no_journal_is_refused(data: bytes) -> None:
    with pytest.raises(InputError, match=NOT_JOURNALS[data]):
        decode_journal(data, "plan.journal.jsonl")


def test_an_unreadable_journal_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_journal(tmp_path)
    path = tmp_path / "plan.journal.jsonl"
    Journal(path).write(begin())
    monkeypatch.setattr(journal, "LIMIT", 10)
    with pytest.raises(InputError, match="too large"):
        read_journal(path)


def test_a_line_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="could not be written"):
        Journal(tmp_path / "absent" / "plan.journal.jsonl").write(begin())
    with pytest.raises(OutputError, match="cannot be locked"), opened(tmp_path / "file" / "x.jsonl"):
        (tmp_path / "file").write_text("", encoding="utf-8")


def test_two_runs_at_once_are_refused_and_a_dead_one_holds_no_lock(tmp_path: Path) -> None:
    path = tmp_path / "plan.journal.jsonl"
    with opened(path), pytest.raises(RefusedError, match="right now"), opened(path):
        pass
    dying = (
        "import os, pathlib, sys; from auditor.remedy.journal import opened\n"
        "with opened(pathlib.Path(sys.argv[1])): os._exit(9)"
    )
    ended = subprocess.run([sys.executable, "-c", dying, str(path)], check=False, env=dict(os.environ))
    assert ended.returncode == 9
    with opened(path):
        pass


def test_what_a_step_closes_stands_once() -> None:
    """Else a step of 5,000 consents would write 5,000 findings 5,000 times."""
    bulk = steps()[3]
    told = [journal.intent(bulk, index, change, at=AT) for index, change in enumerate(bulk.changes)]
    assert [bool(one.closes) for one in told] == [True] + [False] * 11
