"""A review on the command line: give out, fill in, import, say how it stands, and audit by it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from openpyxl import load_workbook

from auditor.reporters.attest_sheet import SHEET
from tests.cli.conftest import Run
from tests.workflow.attesting import put

TODAY = datetime.now(UTC).date()


@pytest.fixture
def review(run: Run, tmp_path: Path) -> Path:
    """The demo, audited and given out; the workbook that came back."""
    assert run("run", "--demo", "--out", "report", "--format", "json").code in (1, 3)
    ran = run("attest", "new", "report/audit.json", "--owner", "Dana Reyes", "--due", "2027-01-15", "--out", "sheets")
    assert ran.code == 0
    assert "Dana Reyes: 14 rows" in ran.out
    path = tmp_path / "sheets" / "attestation-01-dana-reyes.xlsx"
    book = load_workbook(path)
    sheet = book[SHEET]
    for row in range(2, sheet.max_row + 1):
        for name, value in (("decision", "keep"), ("justification", "In use."), ("signer", "Dana Reyes")):
            put(sheet, row, name, value)
        put(sheet, row, "next_review", TODAY + timedelta(days=200))
    put(sheet, 2, "decision", "remove")
    book.save(path)
    return path


def imported(run: Run, sheet: Path, *more: str) -> int:
    ran = run("attest", "import", sheet, "--audit", "report/audit.json", "--register", "register.json", *more)
    assert ("14 answers: 13 keep, 1 remove." in ran.out) == (ran.code == 0)
    assert ("nothing was imported" in ran.err) == (ran.code == 2)
    return ran.code


def audit_of(folder: Path) -> dict[str, object]:
    found: dict[str, object] = msgspec.json.decode((folder / "audit.json").read_bytes())
    return found


def test_a_review_from_the_sheet_to_the_report(run: Run, review: Path, tmp_path: Path) -> None:
    """Import, status, an audit by the register, and its page; each with the exit code that scripts go by."""
    assert imported(run, review, "--removed-by", "dana reyes") == 2
    assert not Path("register.json").exists()
    assert imported(run, review, "--removed-by", "Sam Rivera") == 0
    status = run("attest", "status", "report/audit.json", "--register", "register.json", "--out", "status.csv")
    assert status.code in (1, 3)
    assert "1 to-remove, 13 current" in status.out
    assert "when the tenant was read." in status.out
    assert "Signed away by Dana Reyes" in Path("status.csv").read_text("utf-8-sig")
    later = (TODAY + timedelta(days=201)).isoformat()
    assert (
        "13 overdue" in run("attest", "status", "report/audit.json", "--register", "register.json", "--on", later).out
    )
    again = ("run", "--snapshot", "report/snapshot.json.gz", "--out")
    assert run(*again, "judged", "--attestations", "register.json").code in (1, 3)
    result = audit_of(tmp_path / "judged")
    rules = {outcome["rule_id"] for outcome in result["outcomes"] if outcome["outcome"] == "finding"}  # type: ignore[attr-defined]
    assert "attestation-remove" in rules
    page = Path("judged/report.html").read_text(encoding="utf-8")
    assert "Attestation (to-remove):" in page
    assert result["provenance"]["attestations_sha256"] in page  # type: ignore[index]
    run(*again, "bare")
    assert "ttestation" not in Path("bare/report.html").read_text(encoding="utf-8")
    assert audit_of(tmp_path / "bare")["provenance"]["attestations_sha256"] == ""  # type: ignore[index]


def test_the_configuration_names_the_register(run: Run, review: Path, tmp_path: Path) -> None:
    """A relative path is relative to the configuration's file; one that is not there is an error, and no empty one."""
    assert imported(run, review) == 0
    team = tmp_path / "team"
    team.mkdir()
    (team / "audit.yaml").write_text("attestations: signed/register.json\n", encoding="utf-8")
    again = ("run", "--snapshot", "report/snapshot.json.gz", "--config", "team/audit.yaml", "--out", "judged")
    ran = run(*again)
    assert ran.code == 2
    assert "register.json" in ran.err
    assert not Path("judged").exists()
    (team / "signed").mkdir()
    Path("register.json").rename(team / "signed" / "register.json")
    assert run(*again).code in (1, 3)
    assert audit_of(tmp_path / "judged")["provenance"]["attestations_sha256"]  # type: ignore[index]
    collected = run(
        "collect", "--snapshot", "report/snapshot.json.gz", "--config", "team/audit.yaml", "--out", "s.json"
    )
    assert collected.code == 0


def test_an_audit_by_a_register_is_judged_again_by_it_alone(run: Run, review: Path) -> None:
    """A plan says whether the audit could be judged again; for that the register has to be at hand, too."""
    assert imported(run, review) == 0
    given = ("--attestations", "register.json")
    run("run", "--snapshot", "report/snapshot.json.gz", "--out", "judged", *given)
    plan = ("revoke", "plan", "judged/audit.json", "--with-checks", "--allow-incomplete", "--out", "plan.json")
    assert "were not judged again" in " ".join(run(*plan).out.split())
    assert "were not judged again" not in " ".join(run(*plan, *given).out.split())


def test_what_cannot_be_done_is_said(run: Run) -> None:
    for words in (
        ("new", "none.json", "--owner", "Dana", "--out", "o"),
        ("new", "none.json", "--out", "o"),
        ("import", "none.xlsx", "--audit", "none.json", "--register", "r.json"),
        ("status", "none.json", "--register", "r.json"),
    ):
        ran = run("attest", *words)
        assert ran.code == 2
        assert ran.err.startswith("entra-audit: ")
        assert "Traceback" not in ran.err
