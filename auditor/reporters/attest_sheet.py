"""The sheets that business owners answer: one row for each permission of an app that the audit keeps, XLSX and CSV.

A permission that many people consented to, each for themselves, is one row with their number: nobody can answer for
four thousand rows. No cell is a formula or a link. What is not to be filled in is locked in the workbook and stands
under a hash in both, by which an edited row is found when the answers come back.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date
from typing import TYPE_CHECKING

from msgspec import Struct

from auditor.engine.attest import KEPT
from auditor.model.attestation import Key, key_of
from auditor.model.canonical import sha256, to_json
from auditor.model.outcome import AuditResult, JudgedGrant
from auditor.model.text import count
from auditor.reporters.text import cell

if TYPE_CHECKING:
    from xlsxwriter.workbook import Workbook
    from xlsxwriter.worksheet import Worksheet

SHEET = "attestation"
DECISIONS = ("keep", "remove")
ASKED = (
    "app", "permission", "resource", "kind", "for_whom", "opens", "reach", "policy", "reason", "app_id",
    "service_principal_id", "resource_id", "permission_id", "grant_id", "principal_id", "snapshot_sha256",
)  # fmt: skip
"""What the audit says: the same for whomever is asked."""
GIVEN = ("row", *ASKED[:9], "business_owner", "answer_by", *ASKED[9:])
"""Everything that stands under the row's hash."""
TO_FILL = ("decision", "justification", "ticket", "next_review", "signer")
HASH = "row_sha256"
COLUMNS = ("row", *ASKED[:9], "business_owner", "answer_by", *TO_FILL, *ASKED[9:], HASH)
_LONGEST = 16_000
"""Characters of one cell: Excel takes 32,767 UTF-16 units, of which a character has one or two."""
_WIDTHS = {"opens": 44, "reason": 44, "justification": 44, "permission": 30, "app": 24, "row": 10, "kind": 12}
_WIDTH = 18
_HOW = (
    "One row is one permission that an app holds, and that the security team would keep.",
    "Fill in the yellow cells of every row. Leave every other cell as it is; rows may stand in another order.",
    "decision: keep, or remove where the app can do without it.",
    "justification: what the app does with it, or why it can go. ticket: where that was agreed; may stay empty.",
    "next_review: the last day on which your answer holds, as YYYY-MM-DD; may stay empty for remove.",
    "signer: your name or address. It may not be whoever takes permissions away for you.",
    "Send the file back as it is: a row that was left out, added, doubled or edited is refused.",
)
_INCOMPLETE = "INCOMPLETE: not everything could be read. There may be more that you will be asked about later."


class Question(Struct, frozen=True, kw_only=True):
    """One permission of one app that is kept, for one owner to answer."""

    key: Key
    held: tuple[JudgedGrant, ...]
    """The grants that it is about; several only for per-user consents."""
    cells: dict[str, str]
    """ASKED, as it stands in a sheet."""


def questions(result: AuditResult) -> tuple[Question, ...]:
    """Return a question for each permission of each app that the audit keeps, in the order of its grants."""
    groups: dict[Key, list[JudgedGrant]] = {}
    for judged in result.grants:
        if judged.decision in KEPT and not judged.grant.default_access:
            groups.setdefault(key_of(judged.grant), []).append(judged)
    return tuple(
        Question(key=key, held=tuple(held), cells=_cells(held, result.provenance.snapshot_sha256))
        for key, held in groups.items()
    )


def _cells(held: Sequence[JudgedGrant], snapshot: str) -> dict[str, str]:
    first, single = held[0], len(held) == 1
    grant = first.grant
    people = count(len({one.grant.principal_id for one in held}), "person", "people")
    values: dict[str, object] = {
        "app": grant.app_name,
        "permission": grant.permission,
        "resource": grant.resource_name,
        "kind": grant.kind,
        "for_whom": {"": "the app itself", "AllPrincipals": "everybody", "Principal": people}[grant.consent],
        "opens": first.opens or "not known",
        "reach": first.reach_text if single else first.reach,
        "policy": first.policy,
        "reason": first.reason,
        "app_id": grant.app_id,
        "service_principal_id": grant.service_principal_id,
        "resource_id": grant.resource_id,
        "permission_id": grant.permission_id,
        "grant_id": grant.grant_id if single else "",
        "principal_id": grant.principal_id if single else "",
        "snapshot_sha256": snapshot,
    }
    return {name: cell(values[name], _LONGEST) for name in ASKED}


def sheet_rows(asked: Sequence[Question], owner: str, answer_by: date | None) -> list[dict[str, str]]:
    """Return the rows of one owner's sheet by column, with the cells to fill in empty."""
    day = answer_by.isoformat() if answer_by else ""
    rows = []
    for number, question in enumerate(asked, 1):
        own = {"row": f"{number} of {len(asked)}", "business_owner": cell(owner, _LONGEST), "answer_by": day}
        given = question.cells | own
        rows.append(given | dict.fromkeys(TO_FILL, "") | {HASH: row_hash(given)})
    return rows


def row_hash(given: Mapping[str, str]) -> str:
    """Return the SHA-256 of what a row holds beside its answer."""
    return sha256(to_json([given[name] for name in GIVEN]))


def to_csv(rows: Iterable[Mapping[str, str]]) -> bytes:
    """Return rows as CSV: UTF-8 with byte order mark, comma, CRLF."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    writer.writerows([row[name] for name in COLUMNS] for row in rows)
    return text.getvalue().encode("utf-8-sig")


def to_xlsx(rows: Sequence[Mapping[str, str]], result: AuditResult) -> bytes:
    """Return rows as a workbook, the same bytes for the same rows; `xlsxwriter` has to be there."""
    from xlsxwriter.workbook import Workbook

    data = io.BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    book = Workbook(data, options)
    book.set_properties({"created": result.taken_at.astimezone(UTC).replace(tzinfo=None)})
    sheet = book.add_worksheet(SHEET)
    _fill(book, sheet, rows)
    _validate(sheet, len(rows), result.taken_at.date())
    how = book.add_worksheet("how to answer")
    how.set_column(0, 0, 120)
    for place, line in enumerate((*_HOW, *(() if result.complete else (_INCOMPLETE,)))):
        how.write_string(place, 0, line)
    book.close()
    return data.getvalue()


def _fill(book: Workbook, sheet: Worksheet, rows: Sequence[Mapping[str, str]]) -> None:
    wrap = {"text_wrap": True, "valign": "top"}
    yellow = wrap | {"bg_color": "#FFF6CC", "border": 1, "border_color": "#C9B458", "locked": False}
    formats = {"head": {"bold": True, "text_wrap": True, "bottom": 1}, "given": wrap}
    formats |= {"text": yellow | {"num_format": "@"}, "day": yellow | {"num_format": "yyyy-mm-dd"}}
    made = {name: book.add_format(properties) for name, properties in formats.items()}
    for place, name in enumerate(COLUMNS):
        sheet.set_column(place, place, _WIDTHS.get(name, _WIDTH))
        sheet.write_string(0, place, name, made["head"])
        look = made["day" if name == "next_review" else "text" if name in TO_FILL else "given"]
        for number, row in enumerate(rows, 1):
            if row[name]:
                sheet.write_string(number, place, row[name], look)
            else:
                sheet.write_blank(number, place, None, look)
    sheet.freeze_panes(1, COLUMNS.index("resource"))
    sheet.autofilter(0, 0, len(rows), len(COLUMNS) - 1)
    sheet.set_landscape()
    sheet.fit_to_pages(1, 0)
    sheet.print_area(0, 0, len(rows), COLUMNS.index(TO_FILL[-1]))
    sheet.repeat_rows(0)
    sheet.protect("", {"autofilter": True, "sort": True, "format_columns": True, "format_rows": True})


def _validate(sheet: Worksheet, last: int, day: date) -> None:
    """Let the cells to fill in take what an import would take; a workbook that was pasted into is checked there."""
    decision, review = COLUMNS.index("decision"), COLUMNS.index("next_review")
    sheet.data_validation(
        1, decision, last, decision,
        {"validate": "list", "source": list(DECISIONS), "error_title": "keep or remove", "error_message": _HOW[2]},
    )  # fmt: skip
    sheet.data_validation(
        1, review, last, review,
        {"validate": "date", "criteria": ">", "value": day, "error_title": "A day", "error_message": _HOW[4]},
    )  # fmt: skip
