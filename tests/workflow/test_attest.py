"""A review by business owners, through real spreadsheets: what comes back is taken whole and unchanged, or not."""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import jsonschema
import msgspec
import pytest
from msgspec.structs import replace
from openpyxl import load_workbook
from openpyxl.worksheet.worksheet import Worksheet

from auditor.errors import InputError, OutputError, UsageError
from auditor.knowledge.attestations import decode_register, encode_register
from auditor.model.attestation import Register
from auditor.model.plan import Begin
from auditor.remedy.journal import encode_line
from auditor.reporters.attest_sheet import SHEET, TO_FILL, questions, sheet_rows, to_csv, to_xlsx
from auditor.reporters.schema import attestations_schema
from auditor.workflow.attest import give_out
from tests.engine.world import PERSONAL, ROOMS
from tests.workflow.attesting import NOW, PEOPLE, READER, SAID, Review, audited, column, put, snapshot, states, written


@pytest.fixture
def review(tmp_path: Path) -> Review:
    return Review(tmp_path)


# What is given out


def test_every_permission_that_is_kept_is_one_row(review: Review) -> None:
    """What goes is nobody's to sign; three people's consents to one permission are one row with their number."""
    rows = list(csv.DictReader(io.StringIO(review.csv.read_text("utf-8-sig"), newline="")))
    assert [(row["app_id"], row["permission"], row["for_whom"]) for row in rows] == [
        (ROOMS, "Calendars.ReadWrite", "the app itself"),
        (PERSONAL, "Calendars.ReadWrite", "the app itself"),
        (PERSONAL, "User.Read", "3 people"),
        (PERSONAL, "openid", "3 people"),
    ]
    assert [row["row"] for row in rows] == ["1 of 4", "2 of 4", "3 of 4", "4 of 4"]
    assert {row["business_owner"] for row in rows} == {"Dana Reyes"}
    assert all(not row[name] for row in rows for name in TO_FILL)
    assert [bool(row["grant_id"]) for row in rows] == [True, True, False, False]


def test_the_workbook_lets_only_answers_in(review: Review) -> None:
    """The header stays in sight, cells to fill in are open and the others locked, a decision is chosen from a list."""
    sheet = load_workbook(review.xlsx)[SHEET]
    assert sheet.freeze_panes == "D2"
    assert sheet.protection.sheet
    heads = [cell.value for cell in sheet[1]]
    for row in sheet.iter_rows(min_row=2):
        assert [cell.protection.locked for cell in row] == [name not in TO_FILL for name in heads]
        assert row[heads.index("next_review")].number_format == "yyyy-mm-dd"
    rules = {str(rule.sqref)[0]: (rule.type, rule.formula1) for rule in sheet.data_validations.dataValidation}
    assert ("list", '"keep,remove"') in rules.values()
    assert "date" in {kind for kind, _ in rules.values()}


def test_the_same_audit_gives_the_same_bytes(review: Review) -> None:
    """No clock is in a sheet."""
    rows = sheet_rows(questions(review.result), "Dana Reyes", None)
    assert to_xlsx(rows, review.result) == review.xlsx.read_bytes()
    assert to_csv(rows) == review.csv.read_bytes()


def test_owners_are_told_by_app_and_permission(review: Review, tmp_path: Path) -> None:
    """The most exact row counts; each owner gets a workbook and a CSV file of their own."""
    owners = tmp_path / "owners.csv"
    owners.write_text(
        f"app_id;permission;business_owner\n{ROOMS.upper()};;Kim Lee\n;;Jo Park\n{PERSONAL};openid;Åsa/..\n"
    )
    given = give_out(review.audit, owner=None, owners=owners, out=tmp_path / "out")
    assert given.rows == {"Jo Park": 2, "Kim Lee": 1, "Åsa/..": 1}
    assert [path.name for path in sorted(given.paths)] == [
        *("attestation-01-jo-park.csv", "attestation-01-jo-park.xlsx"),
        *("attestation-02-kim-lee.csv", "attestation-02-kim-lee.xlsx"),
        *("attestation-03-asa.csv", "attestation-03-asa.xlsx"),
    ]


@pytest.mark.parametrize(
    ("table", "says"),
    [
        (f"app_id,business_owner\n{ROOMS},Kim Lee\n", "Nobody answers for"),
        ("app_id,business_owner\n,Kim Lee\n,Jo Park\n", "row 3: This row says again"),
        ("app_id,business_owner\nx, \ny,z", "row 2: This row names nobody"),
        ("app,owner\nx,y\n", "lacks: app_id, business_owner"),
        ("app_id,app_id,business_owner\nx,y,z\n", "has twice: app_id"),
        ("", "empty"),
    ],
)
def test_owners_that_are_not_clear_are_refused(review: Review, tmp_path: Path, table: str, says: str) -> None:
    owners = tmp_path / "owners.csv"
    owners.write_text(table)
    with pytest.raises(InputError) as error:
        give_out(review.audit, owner=None, owners=owners, out=tmp_path / "out")
    assert says in str(error.value)
    assert not (tmp_path / "out").exists()


def test_one_way_to_say_who_answers(review: Review, tmp_path: Path) -> None:
    for owner, owners in ((None, None), ("", None), ("Dana", tmp_path / "owners.csv")):
        with pytest.raises(UsageError):
            give_out(review.audit, owner=owner, owners=owners, out=tmp_path / "out")


def test_sheets_with_answers_are_never_overwritten(review: Review) -> None:
    with pytest.raises(OutputError, match="may hold answers"):
        give_out(review.audit, owner="Dana Reyes", owners=None, out=review.xlsx.parent)


def test_what_an_answer_still_covers_is_left_out(review: Review, tmp_path: Path) -> None:
    """With a register only what is new, changed or due soon is given out again."""
    review.answer()
    review.bring()
    wider = written(audited(snapshot("Calendars.ReadWrite", "Place.Read.All")), tmp_path / "wider.json")
    given = give_out(wider, owner="Dana Reyes", owners=None, register=review.register, out=tmp_path / "again")
    assert not given.rows
    assert given.carried == 4
    more = written(audited(snapshot(people=(*PEOPLE, READER))), tmp_path / "more.json")
    again = give_out(more, owner="Dana Reyes", owners=None, register=review.register, out=tmp_path / "more")
    assert again.rows == {"Dana Reyes": 2}


# What comes back


def test_a_workbook_that_was_filled_in_is_taken(review: Review) -> None:
    """Every answer stands in the register with the very grants that it covers."""
    review.answer()
    imported = review.bring()
    register = decode_register(review.register.read_bytes(), "register")
    assert register == imported.register
    assert encode_register(register) == review.register.read_bytes()
    assert review.register.stat().st_mode & 0o777 == 0o600
    assert [
        (a.permission, len(a.covers)) for a in sorted(register.answers, key=lambda a: (a.app_id, a.permission))
    ] == [
        ("Calendars.ReadWrite", 1),
        ("User.Read", 3),
        ("openid", 3),
        ("Calendars.ReadWrite", 1),
    ]
    answer = register.answers[0]
    assert (answer.decision, answer.justification, answer.ticket) == ("keep", SAID["justification"], "CHG-1024")
    assert (answer.signer, answer.next_review, answer.signed_at) == (SAID["signer"], SAID["next_review"], NOW)
    assert answer.asked_at == review.result.taken_at
    assert answer.snapshot_sha256 == review.result.provenance.snapshot_sha256
    jsonschema.validate(msgspec.json.decode(review.register.read_bytes()), attestations_schema())
    assert set(states(review).values()) == {"current", "not-asked"}


@pytest.mark.parametrize(
    ("delimiter", "encoding"), [(",", "utf-8-sig"), (";", "utf-8"), ("\t", "utf-16"), (",", "utf-16-le")]
)
def test_csv_as_spreadsheets_save_it_is_taken(review: Review, delimiter: str, encoding: str) -> None:
    review.answer_csv(delimiter=delimiter, encoding=encoding)
    assert len(review.bring(review.csv).answers) == 4


def turned(sheet: Worksheet) -> None:
    """Sort the rows the other way round, with a blank row between them and a column moved."""
    rows = [[cell.value for cell in row] for row in sheet.iter_rows()]
    heads, body = (
        rows[0],
        [row for number in range(len(rows) - 1, 0, -1) for row in (rows[number], [None] * len(rows[0]))],
    )
    for number, row in enumerate([heads, *body], 1):
        for place, value in enumerate([row[-1], *row[:-1]], 1):
            sheet.cell(number, place).value = value


def test_rows_and_columns_in_another_order_are_taken(review: Review) -> None:
    review.answer(turned)
    assert len(review.bring().answers) == 4


def test_words_as_people_write_them_are_taken(review: Review) -> None:
    """Capitals and blanks around an answer, a day as text, a removal without a day of review."""
    review.answer(decision=" Remove ", next_review=None, signer="  Dana  ")
    assert {(a.decision, a.next_review, a.signer) for a in review.bring().answers} == {("remove", None, "Dana")}
    review.answer(decision="KEEP", next_review=" 2027-05-31 ")
    assert {a.next_review for a in review.bring().answers} == {date(2027, 5, 31)}


def added(sheet: Worksheet) -> None:
    sheet.append([cell.value for cell in sheet[2]])
    put(sheet, 6, "permission", "Mail.Read")
    put(sheet, 6, "permission_id", "810c84a8-4a9e-49e6-bf7d-12d183f40d01")


def swapped(sheet: Worksheet) -> None:
    """Give row 2 the permission of row 3, and the other way round."""
    for name in ("app_id", "service_principal_id", "app"):
        one, other = (sheet.cell(row, column(sheet, name)) for row in (2, 3))
        one.value, other.value = other.value, one.value


def emptied(sheet: Worksheet) -> None:
    for name in TO_FILL:
        put(sheet, 5, name, None)


Change = Callable[[Worksheet], object]
EDITED = "What was given out was edited: "
HOLD = "These cells hold a formula or an error, or stand beside the table: "


def cell(row: int, name: str, value: object) -> Change:
    return lambda sheet: put(sheet, row, name, value)


def beside(row: int, number: int, text: str) -> Change:
    return lambda sheet: setattr(sheet.cell(row, number), "value", text)


FAULTS: dict[str, tuple[Change, tuple[str, ...]]] = {
    "edited": (cell(3, "opens", "read nothing"), (f"row 3: {EDITED}opens.",)),
    "edited permission": (cell(3, "permission", "Mail.Read"), ("row 3: The audit keeps no such permission",)),
    "edited owner": (cell(4, "business_owner", "Kim"), (f"row 4: {EDITED}row, business_owner",)),
    "edited place": (cell(4, "row", "1 of 1"), (f"row 4: {EDITED}row,", "these were removed: 3.")),
    "edited hash": (cell(2, "row_sha256", "0" * 64), (f"row 2: {EDITED}row,",)),
    "other audit": (cell(2, "snapshot_sha256", "0" * 64), ("row 2: It was given out for another audit",)),
    "swapped": (swapped, (f"row 2: {EDITED}", f"row 3: {EDITED}")),
    "removed": (lambda s: s.delete_rows(3), ("Of the 4 rows for Dana Reyes these were removed: 2.",)),
    "last removed": (lambda s: s.delete_rows(5), ("Of the 4 rows for Dana Reyes these were removed: 4.",)),
    "all removed": (lambda s: s.delete_rows(2, 4), ("It holds no row.",)),
    "added": (added, ("row 6: The audit keeps no such permission",)),
    "doubled": (lambda s: s.append([one.value for one in s[2]]), ("row 6: It is there twice, also in ",)),
    "not answered": (emptied, ("row 5: It is not answered.",)),
    "no decision": (cell(2, "decision", None), ("row 2: decision: '' is none of keep, remove.",)),
    "odd decision": (cell(2, "decision", "maybe"), ("row 2: decision: 'maybe' is none of",)),
    "no reason": (cell(2, "justification", " "), ("row 2: justification: it says nothing.",)),
    "no signer": (cell(2, "signer", ""), ("row 2: signer: it names nobody.",)),
    "a dash": (cell(2, "justification", "-"), ("row 2: justification: it says nothing.",)),
    "what nobody sees": (cell(2, "signer", "\u200b\u2060"), ("row 2: signer: it names nobody.",)),
    "no review": (cell(2, "next_review", None), ("row 2: next_review: it is empty.",)),
    "review today": (cell(2, "next_review", NOW.date()), ("row 2: next_review: 2026-11-25 is not after today",)),
    "review far": (cell(2, "next_review", date(2027, 11, 27)), ("row 2: next_review: 2027-11-27 is not",)),
    "review in words": (cell(2, "next_review", "31/05/2027"), ("row 2: next_review: '31/05/2027' is no day",)),
    "review 30 Feb": (cell(2, "next_review", "2027-02-30"), ("row 2: next_review: '2027-02-30' is no day",)),
    "review at noon": (cell(2, "next_review", 46538.5), ("row 2: next_review: '2027-05-31T12:00:00' is no day",)),
    "formula": (cell(2, "justification", '=HYPERLINK("https://evil.example")'), (f"row 2: {HOLD}justification.",)),
    "formula as a hash": (cell(2, "row_sha256", "=A1"), (f"row 2: {HOLD}row_sha256.",)),
    "error": (cell(2, "signer", "#REF!"), (f"row 2: {HOLD}signer.",)),
    "note beside": (beside(3, 27, "ask Kim"), (f"row 3: {HOLD}column 27.",)),
    "remover": (cell(2, "signer", "SAM RIVERA"), ("row 2: signer: it is who took permissions away",)),
    "remover's address": (cell(2, "signer", "S. R. <sam@contoso.example>"), ("row 2: signer: it is who took",)),
    "remover, unseen letter": (cell(2, "signer", "Sam\u200b Rivera"), ("row 2: signer: it is who took",)),
    "remover, last name first": (cell(2, "signer", "Rivera, Sam"), ("row 2: signer: it is who took",)),
    "remover's address, full stop": (cell(2, "signer", "sam@contoso.example."), ("row 2: signer: it is who took",)),
    "auditor": (cell(2, "signer", f"app {READER.upper()}"), ("row 2: signer: it is the identity that audits.",)),
}
OTHER_TABLES: dict[str, tuple[Change, str]] = {
    "column added": (beside(1, 26, "comment"), "has beside its own: comment"),
    "column gone": (lambda s: s.delete_cols(1), "The first row lacks: row"),
    "sheet renamed": (lambda s: setattr(s, "title", "answers"), "has no sheet 'attestation'"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named_with_its_place_and_nothing_is_imported(review: Review, fault: str) -> None:
    """Whatever a person does to a sheet by mistake is caught, and the register stays as it was."""
    change, says = FAULTS[fault]
    before = encode_register(Register())
    review.register.write_bytes(before)
    review.answer(change)
    with pytest.raises(InputError) as error:
        review.bring(removed_by=["Sam Rivera (sam@contoso.example)"])
    lines = str(error.value).split("\n")[1:-1]
    assert len(lines) == len(says)
    for line, said in zip(lines, says, strict=True):
        assert line.startswith(f"  {review.xlsx}")
        assert said in line
        assert not said.startswith("row ") or f"sheet {SHEET}, {said}" in line
    assert review.register.read_bytes() == before


@pytest.mark.parametrize("fault", OTHER_TABLES)
def test_another_table_is_refused_whole(review: Review, fault: str) -> None:
    change, says = OTHER_TABLES[fault]
    review.answer(change)
    with pytest.raises(InputError) as error:
        review.bring()
    assert str(error.value).startswith(f"{review.xlsx}: ")
    assert says in str(error.value)
    assert not review.register.exists()


def test_every_fault_is_named_at_once(review: Review) -> None:
    """An edited row is not told as removed as well, and what is wrong with an answer is told whole."""

    def change(sheet: Worksheet) -> None:
        put(sheet, 2, "reason", "because")
        put(sheet, 3, "signer", "")
        put(sheet, 3, "decision", "yes")
        sheet.delete_rows(5)

    review.answer(change)
    with pytest.raises(InputError) as error:
        review.bring()
    lines = str(error.value).split("\n")
    assert lines[0] == "4 faults found, and nothing was imported:"
    place = f"  {review.xlsx}, sheet {SHEET}, row"
    assert lines[1:5] == [
        f"{place} 2: What was given out was edited: reason.",
        f"{place} 3: decision: 'yes' is none of keep, remove.",
        f"{place} 3: signer: it names nobody.",
        f"  {review.xlsx}: Of the 4 rows for Dana Reyes these were removed: 4.",
    ]
    assert not review.register.exists()


def test_both_files_of_an_owner_are_one_answer_too_many(review: Review) -> None:
    review.answer()
    review.answer_csv()
    with pytest.raises(InputError, match="4 faults found"):
        review.bring(review.xlsx, review.csv)


def test_who_wrote_by_a_journal_does_not_sign(review: Review, tmp_path: Path) -> None:
    """The journal names ids: one of them in the signer's cell is refused; a person's name cannot be told by it."""
    writer = "77777777-bbbb-4bbb-8bbb-777777777777"
    begin = Begin(
        at=NOW, by="apply", purpose="revoke", plan="0" * 64, approved_hash="0" * 64, cloud="public",
        tenant_id=review.result.tenant_id, writer_object_id=writer,
    )  # fmt: skip
    journal = tmp_path / "plan.journal.jsonl"
    journal.write_bytes(encode_line(begin))
    review.answer(signer=writer)
    with pytest.raises(InputError, match="who took permissions away"):
        review.bring(journals=[journal])
    review.answer()
    assert len(review.bring(journals=[journal]).answers) == 4
    journal.write_bytes(encode_line(replace(begin, tenant_id=READER)))
    with pytest.raises(InputError, match="another tenant"):
        review.bring(journals=[journal])
    with pytest.raises(InputError, match="no such journal"):
        review.bring(journals=[tmp_path / "none"])


def test_a_longer_time_can_be_allowed(review: Review) -> None:
    review.answer(next_review=date(2028, 11, 24))
    with pytest.raises(InputError):
        review.bring()
    assert len(review.bring(days=731).answers) == 4


# The register


def test_answers_of_several_owners_and_rounds_come_together(tmp_path: Path) -> None:
    """A later answer takes the place of the earlier one to the same question; other owners' answers stay."""
    owners = tmp_path / "owners.csv"
    owners.write_text(f"app_id,business_owner\n{ROOMS},Kim Lee\n,Dana Reyes\n")
    review = Review(tmp_path)
    shutil.rmtree(tmp_path / "sheets")
    given = give_out(review.audit, owner=None, owners=owners, out=tmp_path / "sheets")
    dana, kim = sorted(path for path in given.paths if path.suffix == ".xlsx")
    review.xlsx = dana
    review.answer()
    first = review.bring()
    assert (len(first.answers), first.unanswered) == (3, 1)
    review.xlsx = kim
    review.answer(signer="Kim Lee", decision="remove")
    assert len(review.bring().register.answers) == 4
    review.xlsx = dana
    review.answer(ticket="CHG-2000")
    last = review.bring().register
    assert sorted(answer.ticket for answer in last.answers) == ["CHG-1024", "CHG-2000", "CHG-2000", "CHG-2000"]


def test_an_answer_to_an_older_audit_is_refused(tmp_path: Path) -> None:
    """A sheet that came back late does not undo what was signed on a newer one."""
    later = snapshot(taken_at=datetime(2026, 11, 24, 9, 0, tzinfo=UTC))
    old, new = Review(tmp_path / "old"), Review(tmp_path / "new", audited(later))
    old.register = new.register
    new.answer()
    new.bring()
    old.answer()
    with pytest.raises(InputError, match="newer audit"):
        old.bring()
