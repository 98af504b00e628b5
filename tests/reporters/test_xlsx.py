"""What report.xlsx promises whoever filters, sorts and pivots, read by openpyxl, pandas and LibreOffice."""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import zipfile
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pytest
from msgspec import UNSET
from openpyxl.workbook import Workbook

from auditor.errors import MissingPartError
from auditor.model.outcome import AuditResult, Finding, NotEvaluated, Waived, tally
from auditor.reporters import csv, xlsx
from auditor.reporters.csv import FINDING_COLUMNS, GRANT_COLUMNS, drift_rows
from auditor.reporters.xlsx import render
from tests.reporters.sample import sample_result

SHEETS = ["Summary", "Decisions", "Grants", "Findings", "NotEvaluated", "Ledger", "Apps", "Drift"]


def book(result: AuditResult) -> Workbook:
    made: Workbook = openpyxl.load_workbook(io.BytesIO(render(result)["report.xlsx"]))
    return made


def rows(made: Workbook, sheet: str) -> list[dict[str, Any]]:
    head, *body = made[sheet].iter_rows(values_only=True)
    return [dict(zip(map(str, head), row, strict=True)) for row in body]


def test_each_sheet_is_one_table_with_one_frozen_header(result: AuditResult) -> None:
    """Filtered, without merged cells, the table as large as what is in it: ready for a pivot."""
    made = book(result)
    assert made.sheetnames == SHEETS
    for sheet in made.worksheets:
        [table] = sheet.tables.values()
        assert table.ref == sheet.dimensions
        assert table.autoFilter.ref == table.ref
        assert sheet.freeze_panes == "B2"
        assert not sheet.merged_cells.ranges
        head = [cell.value for cell in sheet[1]]
        assert len(set(head)) == len(head)
        assert [column.name for column in table.tableColumns] == head


def test_columns_are_those_of_the_csv_files(result: AuditResult) -> None:
    made = book(result)
    for sheet, columns in (("Grants", GRANT_COLUMNS), ("Findings", FINDING_COLUMNS), ("NotEvaluated", FINDING_COLUMNS)):
        assert [cell.value for cell in made[sheet][1]] == list(columns)


def test_cells_hold_numbers_moments_and_days_as_such(result: AuditResult) -> None:
    """What can be added, sorted or filtered by its kind is no text."""
    first = rows(book(result), "Grants")[0]
    assert first["taken_at"] == datetime(2026, 11, 22, 9, 14)  # noqa: DTZ001 - a workbook knows no zones
    assert first["tier"] == 1
    assert first["account_enabled"] is True
    assert first["last_used"] is None
    ledger = rows(book(result), "Ledger")
    assert sum(row["got"] for row in ledger) == sum(line.got for line in result.ledger)
    app = rows(book(result), "Apps")[0]
    assert (app["confirmed"], app["passed"]) == (True, 1)


def test_every_row_of_the_csv_files_is_there(result: AuditResult) -> None:
    """The texts of both are the same, read by pandas."""
    data = render(result)["report.xlsx"]
    files = csv.render(result)
    for sheet, file in (("Grants", "grants.csv"), ("Findings", "findings.csv")):
        read = pd.read_excel(io.BytesIO(data), sheet_name=sheet, keep_default_na=False)
        table = pd.read_csv(io.BytesIO(files[file]), keep_default_na=False)
        if sheet == "Findings":
            table = table[table["outcome"].isin(["finding", "waived"])]
        for column in ("permission", "title" if sheet == "Findings" else "app_name", "reason", "graph_request"):
            if column in table:
                assert list(read[column]) == list(table[column])


def test_findings_and_what_was_not_evaluated_stand_apart(result: AuditResult) -> None:
    """A sheet of gaps begins with the reasons; passes are numbers under each app."""
    made = book(result)
    told = Counter(type(outcome) for outcome in result.outcomes)
    assert Counter(row["outcome"] for row in rows(made, "Findings")) == {
        "finding": told[Finding],
        "waived": told[Waived],
    }
    gaps = [row["outcome"] for row in rows(made, "NotEvaluated")]
    assert gaps == ["INCOMPLETE"] * len(result.incomplete_reasons) + ["not-evaluated"] * told[NotEvaluated]


def test_the_first_sheet_says_incomplete(result: AuditResult) -> None:
    """At its top, with the reasons, and in the title of the file."""
    made = book(result)
    assert made.properties.title == "INCOMPLETE: Permissions of Zoom"
    summary = [(row["what"], row["value"]) for row in rows(made, "Summary")]
    assert summary[0] == ("state", "INCOMPLETE: what is missing is not known to be fine")
    assert [value for what, value in summary if what == "INCOMPLETE"] == list(result.incomplete_reasons)
    whole = book(sample_result(complete=True, incomplete_reasons=()))
    assert rows(whole, "Summary")[0]["value"] == "complete"
    assert "INCOMPLETE" not in whole.properties.title


def test_permissions_by_decision_add_up(result: AuditResult) -> None:
    """The ready-made pivot counts as the report does."""
    made = rows(book(result), "Decisions")
    numbers = tally(result.grants)
    assert {name: sum(row[name] for row in made) for name in numbers} == dict(numbers)
    assert sum(row["total"] for row in made) == numbers.total()


def test_an_empty_audit_opens() -> None:
    made = book(sample_result(apps=(), grants=(), outcomes=(), ledger=(), rules=(), incomplete_reasons=(), drift=UNSET))
    assert made.sheetnames == SHEETS[:-1]
    assert {sheet.tables[f"{sheet.title}Table"].ref.partition(":")[2][-1:] for sheet in made.worksheets[1:]} == {"2"}


def test_what_changed_has_a_sheet_where_there_is_a_run_before(result: AuditResult) -> None:
    assert result.drift
    made = rows(book(result), "Drift")
    assert len(made) == len(list(drift_rows(result.drift)))
    assert {row["since"] for row in made} == {datetime(2026, 11, 15, 9, 14)}  # noqa: DTZ001 - a workbook knows no zones


def test_a_sheet_ends_at_excels_limit_and_says_so(result: AuditResult, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows beyond the last one that Excel has are counted on the first sheet."""
    assert xlsx.MOST_ROWS == 1_048_576 - 1
    monkeypatch.setattr(xlsx, "MOST_ROWS", 12)
    made = book(result)
    assert made["Grants"].max_row == 13
    left = [row["value"] for row in rows(made, "Summary") if row["what"] == "cut"]
    assert f"Grants: {len(result.grants) - 12:,} rows are left out; the CSV files have them" in left


@pytest.mark.parametrize("text", ["A" * 40_000, "\U0001f4f9" * 40_000])
def test_a_long_cell_is_cut_and_not_lost(text: str) -> None:
    """Excel counts UTF-16 units: 32,767 of them; a longer text would be left out by the writer."""
    value = rows(book(sample_result(headline=text)), "Summary")[3]["value"]
    assert value.startswith(text[:1000])
    assert value.endswith("(40000 characters)")
    assert len(value.encode("utf-16-le")) // 2 <= 32_767


def test_a_text_that_spells_an_escape_stays_that_text() -> None:
    """A reader of workbooks takes _x003D_ for an equals sign; a name that holds it makes no formula."""
    data = render(sample_result(headline="_x003D_1+1"))["report.xlsx"]
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert b"<t>_x005F_x003D_1+1</t>" in archive.read("xl/sharedStrings.xml")


def test_days_before_excels_first_are_text() -> None:
    early = sample_result(taken_at=datetime(1601, 1, 1, tzinfo=UTC))
    assert rows(book(early), "Grants")[0]["taken_at"] == "1601-01-01T00:00:00Z"


def test_a_missing_part_is_named(result: AuditResult, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "xlsxwriter", None)
    with pytest.raises(MissingPartError, match=r'pip install "entra-auditor\[xlsx\]"'):
        render(result)


@pytest.mark.slow
def test_libreoffice_reads_every_row(result: AuditResult, tmp_path: Path) -> None:
    """Another spreadsheet opens the file and finds as many grants; where it is installed."""
    program = shutil.which("soffice") or shutil.which("libreoffice")
    if program is None:
        pytest.skip("needs LibreOffice")
    (tmp_path / "report.xlsx").write_bytes(render(result)["report.xlsx"])
    options = [
        "--headless",
        "--convert-to",
        "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,true,false,false,false,3",
    ]
    subprocess.run(
        [program, f"-env:UserInstallation=file://{tmp_path}/profile", *options, "report.xlsx"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        timeout=120,
    )
    [made] = tmp_path.glob("*Grants*.csv")
    assert len(pd.read_csv(made)) == len(result.grants)
