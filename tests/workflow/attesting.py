"""What the tests of attestation share: an audit of a small tenant, its sheets, and a person who fills them in."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from msgspec.structs import replace
from openpyxl import load_workbook
from openpyxl.worksheet.worksheet import Worksheet

from auditor.knowledge.outline import ScopeOutline
from auditor.model.canonical import sha256
from auditor.model.outcome import AuditResult
from auditor.model.snapshot import Snapshot
from auditor.reporters.attest_sheet import SHEET
from auditor.reporters.json import render
from auditor.sources.snapshot_file import encode
from auditor.workflow.attest import give_out, status
from auditor.workflow.attest_import import Imported, import_answers
from tests.engine.world import ROOMS, app, judged, team, tenant

NOW = datetime(2026, 11, 25, 8, 0, tzinfo=UTC)
READER = "99999999-aaaa-4aaa-8aaa-999999999999"
"""appId of the identity that audits."""
PEOPLE = tuple(f"5ab1eca1-0000-4000-8000-00000000000{number}" for number in range(3))
SAID: Mapping[str, object] = {
    "decision": "keep",
    "justification": "Meetings are booked with it.",
    "ticket": "CHG-1024",
    "next_review": date(2027, 5, 31),
    "signer": "Dana Reyes <dana@contoso.example>",
}


def snapshot(*roles: str, people: tuple[str, ...] = PEOPLE, **other: Any) -> Snapshot:
    """A tenant with a calendar app that many people consented to, and a rooms app."""
    scopes = tuple(ScopeOutline(scope="User.Read openid", principal=person) for person in people)
    return tenant(
        app(*(roles or ("Calendars.ReadWrite", "Contacts.Read")), scopes=scopes),
        app("Calendars.ReadWrite", app_id=ROOMS, name="Zoom Rooms"),
        **other,
    )


def audited(taken: Snapshot) -> AuditResult:
    """The audit of a tenant, with the hash of its snapshot and the identity that read it."""
    result = judged(taken, team(allowed={"rooms-application": ("Calendars.ReadWrite",)}))
    read_by = replace(result.provenance, snapshot_sha256=sha256(encode(taken)), reader_app_id=READER)
    return replace(result, provenance=read_by)


def written(result: AuditResult, path: Path) -> Path:
    """Write an audit.json."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(render(result)["audit.json"])
    return path


class Review:
    """One audit given out to one owner: `xlsx` and `csv` are the sheets, `audit` is the audit.json."""

    def __init__(self, folder: Path, result: AuditResult | None = None, owner: str = "Dana Reyes") -> None:
        self.folder = folder
        self.result = result or audited(snapshot())
        self.audit = written(self.result, folder / "audit.json")
        self.register = folder / "register.json"
        given = give_out(self.audit, owner=owner, owners=None, out=folder / "sheets")
        self.csv, self.xlsx = sorted(given.paths)

    def answer(self, change: Callable[[Worksheet], object] = lambda _: None, **said: object) -> Path:
        """Fill the workbook in as a person does, then `change` it by hand, and save it."""
        book = load_workbook(self.xlsx)
        sheet = book[SHEET]
        for number in range(2, sheet.max_row + 1):
            for name, value in {**SAID, **said}.items():
                sheet.cell(number, column(sheet, name)).value = value  # type: ignore[assignment]
        change(sheet)
        book.save(self.xlsx)
        return self.xlsx

    def answer_csv(self, *, delimiter: str = ",", encoding: str = "utf-8-sig") -> Path:
        """Fill the CSV in, and save it as some spreadsheet does."""
        said = {name: str(value) for name, value in SAID.items()}
        rows = [row | said for row in csv.DictReader(io.StringIO(self.csv.read_text("utf-8-sig"), newline=""))]
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, rows[0], delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)
        self.csv.write_text(text.getvalue(), encoding=encoding, newline="")
        return self.csv

    def bring(self, *files: Path, **more: Any) -> Imported:
        """Import files, the workbook unless told otherwise."""
        return import_answers(files or (self.xlsx,), audit=self.audit, register=self.register, **({"now": NOW} | more))


def states(review: Review, result: AuditResult | None = None, day: date | None = None) -> dict[tuple[str, str], str]:
    """Return the state of each permission, by its app's id and name, as `attest status` says it."""
    audit = written(result, review.folder / "later.json") if result else review.audit
    _, lines = status(audit, review.register, day=day)
    return {(line.app_id, f"{line.permission} {line.grants}"): line.attestation.state for line in lines}


def column(sheet: Worksheet, name: str) -> int:
    """Return the number of a column by its head."""
    (found,) = [cell.column for cell in sheet[1] if cell.value == name]
    return found


def put(sheet: Worksheet, row: int, name: str, value: object) -> None:
    """Write into a cell by the name of its column."""
    sheet.cell(row, column(sheet, name)).value = value  # type: ignore[assignment]
