"""XLSX: report.xlsx, for whoever filters, sorts and pivots.

Each sheet is one table with one header row, frozen, filtered and without merged cells. Numbers, moments (UTC), days
and yes or no are what they are; everything else is text, and no text is a formula or a link, also once a sheet is
saved as CSV. The columns are those of the CSV files. Sheets are cut at Excel's limit, and Summary says so.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, NamedTuple

from msgspec import Struct

from auditor.model.outcome import AuditedApp, AuditResult, JudgedGrant, Passed, tally
from auditor.model.snapshot import LedgerEntry
from auditor.reporters import Reporter
from auditor.reporters.csv import DRIFT_COLUMNS, FINDING_COLUMNS, GRANT_COLUMNS, drift_rows, finding_rows, grant_row
from auditor.reporters.page import page
from auditor.reporters.text import cell, prose

if TYPE_CHECKING:
    from xlsxwriter.format import Format
    from xlsxwriter.workbook import Workbook
    from xlsxwriter.worksheet import Worksheet

MOST_ROWS = 1_048_575
"""Rows of one sheet below its header."""
LONGEST = 16_000
"""Characters of one cell: Excel takes 32,767 UTF-16 units, of which a character has one or two."""
FIRST_YEAR = 1900
"""Excel knows no day before it; such a day is written as text."""
_WIDTHS = {"reason": 60, "why": 60, "value": 90, "headline": 60, "remediation": 60, "title": 40, "permission": 34}
_WIDTH = 18
_APP_COLUMNS = (
    "app_id", "service_principal_id", "name", "match", "match_reason", "integration", "integration_basis", "confirmed",
    "headline", "still_possible",
)  # fmt: skip
_LEDGER_COLUMNS = LedgerEntry.__struct_fields__
_DECISIONS = ("revoke", "revoke-after", "replace", "ask", "keep-and-scope", "keep")


class Sheet(Struct, frozen=True, kw_only=True):
    """One table."""

    name: str
    columns: tuple[str, ...]
    rows: Sequence[Sequence[object]]


class Formats(NamedTuple):
    """How moments and days are shown."""

    moment: Format
    day: Format


def render(result: AuditResult) -> dict[str, bytes]:
    """Return report.xlsx.

    Raises:
        MissingPartError: xlsxwriter is not installed.
    """
    REPORTER.check()
    from xlsxwriter.workbook import Workbook

    data = io.BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    book = Workbook(data, options)
    created = result.taken_at.astimezone(UTC).replace(tzinfo=None)
    title = f"Permissions of {result.profile_title}"
    book.set_properties({"title": prose(title if result.complete else f"INCOMPLETE: {title}"), "created": created})
    sheets = list(_sheets(result))
    formats = Formats(
        moment=book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"}), day=book.add_format({"num_format": "yyyy-mm-dd"})
    )
    for sheet in (_summary(result, sheets), *sheets):
        _write(book, sheet, formats)
    book.close()
    return {"report.xlsx": data.getvalue()}


def _summary(result: AuditResult, sheets: Sequence[Sheet]) -> Sheet:
    numbers = tally(result.grants)
    state = "complete" if result.complete else "INCOMPLETE: what is missing is not known to be fine"
    rows: list[tuple[str, object]] = [
        ("state", state),
        *(("INCOMPLETE", reason) for reason in result.incomplete_reasons),
        *(
            ("cut", f"{sheet.name}: {len(sheet.rows) - MOST_ROWS:,} rows are left out; the CSV files have them")
            for sheet in sheets
            if len(sheet.rows) > MOST_ROWS
        ),
        ("headline", result.headline),
        ("tenant", result.tenant_name),
        ("tenant id", result.tenant_id),
        ("taken at (UTC)", result.taken_at),
        ("profile", result.profile_title),
        ("policy", result.policy_name),
        *((f"permissions: {name}", numbers[name]) for name in _DECISIONS),  # type: ignore[index]
        *((f"findings: {severity}", each) for severity, _, each in page(result).severities),
        ("tool version", result.provenance.tool_version),
        ("snapshot SHA-256", result.provenance.snapshot_sha256),
        ("rules SHA-256", result.provenance.rules_sha256),
        ("configuration SHA-256", result.provenance.configuration_sha256),
        ("attestations SHA-256", result.provenance.attestations_sha256),
    ]
    if result.history:
        rows += [("history: run", result.history.number), ("history: entry SHA-256", result.history.sha256)]
    return Sheet(name="Summary", columns=("what", "value"), rows=rows[:MOST_ROWS])


def _sheets(result: AuditResult) -> Iterator[Sheet]:
    outcomes = finding_rows(result)
    unread = ("INCOMPLETE", "not-evaluated")
    yield Sheet(
        name="Decisions",
        columns=("permission", "kind", "resource_app_id", *_DECISIONS, "total"),
        rows=list(_decisions(result)),
    )
    yield _table("Grants", GRANT_COLUMNS, [grant_row(result, judged) for judged in result.grants])
    yield _table("Findings", FINDING_COLUMNS, [row for row in outcomes if row["outcome"] not in unread])
    yield _table("NotEvaluated", FINDING_COLUMNS, [row for row in outcomes if row["outcome"] in unread])
    yield _table("Ledger", _LEDGER_COLUMNS, [_fields(line) for line in result.ledger])
    yield _table("Apps", (*_APP_COLUMNS, "passed"), [_app(app, result) for app in result.apps])
    if result.drift:
        plain = {**dict.fromkeys(DRIFT_COLUMNS), "tenant_id": result.tenant_id, "since": result.drift.before_taken_at}
        yield _table("Drift", DRIFT_COLUMNS, [plain | row for row in drift_rows(result.drift)])


def _decisions(result: AuditResult) -> Iterator[tuple[object, ...]]:
    """Give, for each permission, how often it is held by decision; many people's consents to one app count once."""
    held: dict[tuple[str, str, str], list[JudgedGrant]] = {}
    for judged in result.grants:
        grant = judged.grant
        held.setdefault((grant.permission, grant.kind, grant.resource_app_id), []).append(judged)
    for key, group in sorted(held.items()):
        numbers = tally(group)
        yield (*key, *(numbers[name] for name in _DECISIONS), numbers.total())  # type: ignore[index]


def _fields(value: Struct) -> dict[str, object]:
    return {name: getattr(value, name) for name in value.__struct_fields__}


def _app(app: AuditedApp, result: AuditResult) -> dict[str, object]:
    own = (o for o in result.outcomes if o.subject.service_principal_id == app.service_principal_id)
    return {**_fields(app), "passed": sum(isinstance(outcome, Passed) for outcome in own)}


def _table(name: str, columns: Sequence[str], rows: Sequence[dict[str, object]]) -> Sheet:
    return Sheet(name=name, columns=tuple(columns), rows=[[row[column] for column in columns] for row in rows])


def _write(book: Workbook, sheet: Sheet, formats: Formats) -> None:
    page: Worksheet = book.add_worksheet(sheet.name)
    rows = sheet.rows[:MOST_ROWS]
    last = max(len(rows), 1)  # A table has a row, if an empty one.
    page.add_table(
        0,
        0,
        last,
        len(sheet.columns) - 1,
        {
            "name": f"{sheet.name}Table",
            "columns": [{"header": name} for name in sheet.columns],
            "style": "Table Style Light 1",
        },
    )
    page.freeze_panes(1, 1)
    for place, name in enumerate(sheet.columns):
        page.set_column(place, place, _WIDTHS.get(name, _WIDTH))
    for line, row in enumerate(rows, 1):
        for place, value in enumerate(row):
            _put(page, line, place, value, formats)


def _put(page: Worksheet, line: int, place: int, value: object, formats: Formats) -> None:
    match value:
        case None | "" | ():
            return
        case bool():
            page.write_boolean(line, place, value)
        case int():
            page.write_number(line, place, value)
        case datetime() if value.astimezone(UTC).year >= FIRST_YEAR:
            moment = value.astimezone(UTC).replace(tzinfo=None)
            page.write_datetime(line, place, moment, formats.moment)
        case date() if not isinstance(value, datetime) and value.year >= FIRST_YEAR:
            page.write_datetime(line, place, value, formats.day)
        case _:
            page.write_string(line, place, cell(value, LONGEST))


REPORTER = Reporter(
    name="xlsx",
    help="report.xlsx, one table a sheet, for filters and pivots",
    render=render,
    needs=("xlsxwriter",),
    extra="xlsx",
)
