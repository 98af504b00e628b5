"""What is signed is carried forward while the grant is the same, and what people write into a sheet stays words."""

from __future__ import annotations

import csv
import io
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from openpyxl import load_workbook

from auditor.errors import AuditorError, UsageError
from auditor.knowledge.attestations import decode_register
from auditor.model.outcome import AuditResult
from auditor.reporters.attest_sheet import SHEET
from auditor.workflow.attest import give_out, status, status_csv
from tests.engine.world import PERSONAL, ROOMS
from tests.hostile import HOSTILE
from tests.workflow.attesting import PEOPLE, READER, Review, audited, snapshot, states


@pytest.fixture
def review(tmp_path: Path) -> Review:
    return Review(tmp_path)


def test_many_who_import_at_once_lose_nothing(tmp_path: Path) -> None:
    """Eight reviews of eight tenants into one register."""
    reviews = []
    for number in range(8):
        tenant_id = f"11111111-1111-4111-8111-11111111111{number}"
        one = Review(tmp_path / str(number), audited(snapshot(tenant_id=tenant_id)))
        one.register = tmp_path / "register.json"
        one.answer()
        reviews.append(one)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda one: one.bring(), reviews))
    register = decode_register((tmp_path / "register.json").read_bytes(), "register")
    assert len(register.answers) == 8 * 4
    assert all(set(states(one).values()) == {"current", "not-asked"} for one in reviews)


# What is carried forward


@pytest.fixture
def signed(review: Review) -> Review:
    review.answer()
    review.bring()
    return review


def regranted(taken: Any) -> Any:
    """Return the tenant with the calendar app's permission granted anew: another Graph id."""
    client = taken.clients[0]
    held = client.app_role_assignments.items
    anew = replace(client.app_role_assignments, items=(replace(held[0], id="a-new-id"), *held[1:]))
    return replace(taken, clients=(replace(client, app_role_assignments=anew), *taken.clients[1:]))


def test_an_unchanged_grant_keeps_its_answer_until_its_day(signed: Review) -> None:
    """A later reading changes nothing; 30 days before the review it is due soon, and overdue the day after."""
    later = audited(snapshot(taken_at=datetime(2027, 3, 1, tzinfo=UTC), enabled_members=9))
    assert set(states(signed, later).values()) == {"current", "not-asked"}
    for day, state in (
        (date(2027, 4, 30), "current"),
        (date(2027, 5, 1), "due-soon"),
        (date(2027, 5, 31), "due-soon"),
        (date(2027, 6, 1), "overdue"),
    ):
        assert set(states(signed, day=day).values()) == {state, "not-asked"}, day


def test_another_grant_is_not_covered(signed: Review) -> None:
    """A new Graph id, a person more, and consent for everybody are other grants; what stays as it was stays signed."""
    changed = states(signed, audited(regranted(snapshot())))
    assert changed[PERSONAL, "Calendars.ReadWrite 1"] == "changed"
    assert changed[ROOMS, "Calendars.ReadWrite 1"] == "current"
    more = states(signed, audited(snapshot(people=(*PEOPLE, READER))))
    assert (more[PERSONAL, "User.Read 3"], more[PERSONAL, "User.Read 1"]) == ("current", "changed")
    fewer = states(signed, audited(snapshot(people=PEOPLE[:2])))
    assert fewer[PERSONAL, "User.Read 2"] == "current"
    everybody = states(signed, audited(snapshot(people=("",))))
    assert everybody[PERSONAL, "User.Read 1"] == "changed"
    new = states(signed, audited(snapshot("Calendars.ReadWrite", people=())))
    assert new == {(PERSONAL, "Calendars.ReadWrite 1"): "current", (ROOMS, "Calendars.ReadWrite 1"): "current"}


def test_an_answer_is_of_its_tenant_alone(signed: Review) -> None:
    other = audited(snapshot(tenant_id="11111111-1111-4111-8111-111111111112"))
    assert set(states(signed, other).values()) == {"missing", "not-asked"}


def test_a_day_before_the_reading_is_refused(signed: Review) -> None:
    """Nothing that is overdue hides behind a day on which nobody looked."""
    read = signed.result.taken_at.date()
    assert status(signed.audit, signed.register, day=read)
    with pytest.raises(UsageError, match=f"was read on {read.isoformat()}"):
        status(signed.audit, signed.register, day=read - timedelta(days=1))


def test_status_as_csv(signed: Review) -> None:
    _, lines = status(signed.audit, signed.register)
    rows = list(csv.DictReader(io.StringIO(status_csv(lines).decode("utf-8-sig"), newline="")))
    assert [row["state"] for row in rows] == ["current"] * 4 + ["not-asked"]
    assert rows[0]["next_review"] == "2027-05-31"
    assert rows[0]["signed_at"] == "2026-11-25T08:00:00Z"


def test_an_incomplete_audit_says_so_where_it_is_given_out(tmp_path: Path) -> None:
    """Who signs for what was seen has to know that there may be more."""
    partial = audited(snapshot(unavailable=("oauth2PermissionGrants",)))
    assert not partial.complete
    one = Review(tmp_path, partial)
    how = [cell.value for cell in load_workbook(one.xlsx)["how to answer"]["A"]]
    assert str(how[-1]).startswith("INCOMPLETE")
    assert not give_out(one.audit, owner="Dana", owners=None, out=tmp_path / "again").complete


# Hostile strings, and another program


def hostile(result: AuditResult) -> AuditResult:
    """Return an audit in which every hostile string names an app, a resource and a permission."""
    first = next(one for one in result.grants if one.decision == "keep" and one.grant.kind == "application")
    held = [
        replace(
            first,
            opens=text,
            grant=replace(
                first.grant, app_name=text, resource_name=text, permission=text, grant_id=f"g{number}",
                service_principal_id=f"5ab1eca1-0000-4000-8000-{number:012}",
            ),
        )
        for number, text in enumerate(HOSTILE)
    ]  # fmt: skip
    return replace(result, grants=tuple(held))


@pytest.mark.parametrize("kind", ["xlsx", "csv"])
def test_hostile_strings_come_back_as_they_went(tmp_path: Path, kind: str) -> None:
    """No cell is a formula, a link or a control character, and every row is known again after a person saved it."""
    review = Review(tmp_path, hostile(audited(snapshot())), owner="=1+1\x1b[31m")
    path = review.answer() if kind == "xlsx" else review.answer_csv()
    if kind == "xlsx":
        sheet = load_workbook(path)[SHEET]
        assert not [cell for row in sheet.iter_rows() for cell in row if cell.data_type == "f" or cell.hyperlink]
    imported = review.bring(path)
    assert len(imported.answers) == len(HOSTILE)
    _, lines = status(review.audit, review.register)
    assert {line.attestation.state for line in lines} == {"current"}


def test_hostile_answers_are_kept_as_words(review: Review) -> None:
    """What a person types is kept; a register holds it as JSON, and it reads back the same."""
    for text in ("\u202eeven", "<script>", "a\nb", "'=1+1", "_x0041_"):
        review.answer(justification=text, ticket=text, signer=f"{text} D")
        register = review.bring().register
        assert decode_register(review.register.read_bytes(), "register") == register


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("soffice") is None, reason="LibreOffice is not installed")
@pytest.mark.parametrize("suffix", ["xlsx", "csv"])
def test_libreoffice_saves_what_is_taken(tmp_path: Path, suffix: str) -> None:
    review = Review(tmp_path, hostile(audited(snapshot())))
    review.answer()
    to = "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,true,false,false,false,1" if suffix == "csv" else suffix
    command = ["soffice", "--headless", "--convert-to", to, "--outdir", str(tmp_path / "saved"), str(review.xlsx)]
    subprocess.run(command, check=True, capture_output=True, env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"})
    (saved,) = (tmp_path / "saved").iterdir()
    assert len(review.bring(saved).answers) == len(HOSTILE)


def test_a_register_that_is_none_is_an_error(review: Review) -> None:
    """Neither read nor overwritten."""
    review.answer()
    for text in (b"", b"{}", b"[1]", b'{"schema":"entra-auditor/attestations","version":2}', b"\xff"):
        review.register.write_bytes(text)
        with pytest.raises(AuditorError):
            review.bring()
        assert review.register.read_bytes() == text
