"""Giving out what is kept, for business owners to answer, and saying how it stands."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

from msgspec import Struct
from msgspec.structs import astuple

from auditor.engine.attest import standings
from auditor.errors import InputError, OutputError, UsageError
from auditor.model.attestation import OPEN, Attestation, Key, Register, State, key_of
from auditor.model.grant import Grant
from auditor.model.outcome import AuditResult
from auditor.reporters.attest_sheet import Question, questions, sheet_rows, to_csv, to_xlsx
from auditor.reporters.json import decode_audit
from auditor.reporters.text import cell
from auditor.sources.files import named, read
from auditor.workflow.attest_files import read_table, require_spreadsheets
from auditor.workflow.prepare import read_register
from auditor.workflow.report import LIMIT
from auditor.workflow.writing import check_folder, write_files

OWNER = "business_owner"
_ORDER: tuple[State, ...] = (*OPEN, "due-soon", "current", "not-asked")
_STATUS = ("app_id", "app_name", "permission", "kind", "consent", "grants")
_LONGEST_SLUG = 40


class Given(Struct, frozen=True, kw_only=True):
    """What was given out."""

    paths: tuple[Path, ...]
    rows: Mapping[str, int]
    """Owner to number of rows."""
    carried: int
    """Questions that the register answers, and that were left out."""
    complete: bool
    """The audit is; otherwise there may be more to sign for."""


class Standing(Struct, frozen=True, kw_only=True):
    """How the grants of one permission stand that stand alike."""

    app_id: str
    app_name: str
    permission: str
    kind: str
    consent: str
    grants: int
    attestation: Attestation


def read_audit(path: Path) -> AuditResult:
    """Return the audit in a file.

    Raises:
        InputError: it cannot be read, or is none.
    """
    return decode_audit(read(path, where=str(path), limit=LIMIT), str(path))


def give_out(
    audit: Path,
    *,
    owner: str | None,
    owners: Path | None,
    register: Path | None = None,
    answer_by: date | None = None,
    out: Path,
) -> Given:
    """Write a workbook and a CSV file for each business owner: what of an audit is kept, to be answered.

    Args:
        audit: an audit.json.
        owner: who answers for everything; None: `owners` says it.
        owners: a table with the columns app_id, permission and business_owner.
        register: what it holds an answer for that is current is left out; None: nothing is.
        answer_by: the day by which the sheets should come back; None: no day.
        out: a folder.

    Raises:
        UsageError: neither or both of `owner` and `owners` are given.
        AuditorError: something cannot be read, names no owner for a grant, or stands where a sheet would be written;
            nothing is written then.
    """
    require_spreadsheets()
    named_owner = (owner or "").strip()
    if bool(named_owner) == (owners is not None):
        raise UsageError("Who answers is not said, or said twice.", advice="Give one of --owner and --owners.")
    check_folder(out)
    result = read_audit(audit)
    asked = questions(result)
    carried = _current(result, read_register(register)) if register else frozenset()
    left = [one for one in asked if one.key not in carried]
    whose = _owners(owners) if owners else {("", ""): named_owner}
    sheets = _by_owner(left, whose, str(owners))
    files: dict[str, bytes] = {}
    for number, (name, own) in enumerate(sheets.items(), 1):
        rows = sheet_rows(own, name, answer_by)
        stem = f"attestation-{number:02}-{_slug(name)}".rstrip("-")
        files |= {f"{stem}.csv": to_csv(rows), f"{stem}.xlsx": to_xlsx(rows, result)}
    if taken := [name for name in files if (out / name).exists()]:
        raise OutputError(
            f"A sheet stands there that may hold answers: {named(taken)}.",
            where=str(out),
            advice="Name another folder.",
        )
    return Given(
        paths=write_files(out, files) if files else (),
        rows={name: len(own) for name, own in sheets.items()},
        carried=len(asked) - len(left),
        complete=result.complete,
    )


def _current(result: AuditResult, register: Register) -> frozenset[Key]:
    """Return the questions of which every grant is answered and not due for review soon."""
    states: dict[Key, set[str]] = defaultdict(set)
    for grant, attestation in _standings(result, register, result.taken_at.date()).items():
        states[key_of(grant)].add(attestation.state)
    return frozenset(key for key, found in states.items() if found <= {"current", "not-asked"})


def _standings(result: AuditResult, register: Register, day: date) -> dict[Grant, Attestation]:
    held = ((one.grant, one.decision) for one in result.grants if not one.grant.default_access)
    return standings(held, register, tenant_id=result.tenant_id, day=day)


_Whose = tuple[str, str]
"""appId and permission, in lower case; empty: every one."""


def _owners(path: Path) -> dict[_Whose, str]:
    """Return who answers for what.

    Raises:
        InputError: the table cannot be read, names nobody in a row, or two people for the same.
    """
    found: dict[_Whose, str] = {}
    for row in read_table(path, columns=("app_id", OWNER), optional=("permission",), sheet="owners"):
        cells = {name: text.strip() for name, text in row.cells.items()}
        place = (cells["app_id"].lower(), cells["permission"].lower())
        if row.refused or not cells[OWNER] or place in found:
            what = "holds a formula" if row.refused else "says again who answers" if place in found else "names nobody"
            raise InputError(
                f"This row {what}.", where=row.place, advice="Write one owner for each app, or app and permission."
            )
        found[place] = cells[OWNER]
    return found


def _by_owner(asked: Sequence[Question], whose: Mapping[_Whose, str], where: str) -> dict[str, list[Question]]:
    """Return each owner's questions, owners in the order of their names; the most exact row counts."""
    sheets: dict[str, list[Question]] = defaultdict(list)
    nobody: dict[str, None] = {}
    for one in asked:
        grant = one.held[0].grant
        app = grant.app_id.lower()
        places = ((app, grant.permission.lower()), (app, ""), ("", grant.permission.lower()), ("", ""))
        owner = next((whose[place] for place in places if place in whose), None)
        if owner is None:
            nobody[f"{grant.permission} of {grant.app_name or grant.app_id} ({grant.app_id})"] = None
        else:
            sheets[owner].append(one)
    if nobody:
        raise InputError(
            f"Nobody answers for {named([*nobody])}.",
            where=where,
            advice="Add a row with the app_id, or one without app_id and permission for everything else.",
        )
    return dict(sorted(sheets.items()))


def _slug(name: str) -> str:
    """Return a name as a part of a file's name; empty where no letter of it can stand there."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return "-".join(re.findall("[a-z0-9]+", plain))[:_LONGEST_SLUG].strip("-")


def status(audit: Path, register: Path, *, day: date | None = None) -> tuple[AuditResult, tuple[Standing, ...]]:
    """Return an audit, and how each permission in it stands with a register, worst first.

    Args:
        audit: an audit.json.
        register: what `attest import` wrote.
        day: for which it is said, not before the tenant was read; None: the day on which it was.

    Raises:
        UsageError: the day lies before the one on which the tenant was read.
        InputError: one of them cannot be read.
    """
    result = read_audit(audit)
    if day and day < result.taken_at.date():
        raise UsageError(
            f"The tenant was read on {result.taken_at.date().isoformat()}: nothing is known of a day before.",
            where="--on",
            advice="Give a later day, or the audit of that day.",
        )
    found = _standings(result, read_register(register), day or result.taken_at.date())
    groups: dict[tuple[Key, Attestation], list[Grant]] = defaultdict(list)
    for grant, attestation in found.items():
        groups[key_of(grant), attestation].append(grant)
    lines = [
        Standing(
            app_id=held[0].app_id,
            app_name=held[0].app_name,
            permission=held[0].permission,
            kind=held[0].kind,
            consent=held[0].consent,
            grants=len(held),
            attestation=attestation,
        )
        for (_, attestation), held in groups.items()
    ]
    return result, tuple(sorted(lines, key=lambda line: _ORDER.index(line.attestation.state)))


def status_csv(lines: Sequence[Standing]) -> bytes:
    """Return the lines of `status` as CSV; no cell is a formula."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow((*_STATUS, *Attestation.__struct_fields__))
    for line in lines:
        values = (*(getattr(line, name) for name in _STATUS), *astuple(line.attestation))
        writer.writerow(map(cell, values))
    return text.getvalue().encode("utf-8-sig")
