"""Answers that came back from business owners: checked whole, then put into the register, all or none.

A name in a cell is a claim: what is compared is written text with written text. The hash of a row finds what was
edited by accident. Whoever edits on purpose can make it anew, but cannot make the row agree with the audit that is read
beside it.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Literal, cast

from filelock import FileLock, Timeout
from msgspec import Struct

from auditor.errors import InputError, OutputError
from auditor.knowledge.attestations import encode_register, merged
from auditor.model.attestation import Answer, Key, Register, covered, key_of
from auditor.model.canonical import sha256
from auditor.model.outcome import AuditResult
from auditor.model.plan import Begin
from auditor.model.text import count
from auditor.remedy.journal import read_journal
from auditor.reporters.attest_sheet import (
    ASKED,
    COLUMNS,
    DECISIONS,
    HASH,
    SHEET,
    TO_FILL,
    Question,
    questions,
    row_hash,
)
from auditor.sources.files import named, shown
from auditor.workflow.attest import OWNER, read_audit
from auditor.workflow.attest_files import Row, read_table
from auditor.workflow.prepare import read_register
from auditor.workflow.writing import check_folder, write_file

DAYS = 366
"""From the import to the last day on which an answer may hold."""
TOLD = 500
"""Faults that a message names; the rest is counted."""
_LOCKED = 30
"""Seconds to wait for somebody else who imports."""
_IDENTITY = ("service_principal_id", "resource_id", "kind", "permission", "permission_id", "for_whom")
"""Columns that tell a question among those of one audit."""
_PLACE = re.compile(r"([1-9][0-9]{0,4}) of ([1-9][0-9]{0,4})")
_ADDRESS = re.compile(r"[^\s<>()\[\],;:\"']+@[^\s<>()\[\],;:\"']+")
_GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Imported(Struct, frozen=True, kw_only=True):
    """What was imported."""

    answers: tuple[Answer, ...]
    register: Register
    sha256: str
    """Of the register's file."""
    unanswered: int
    """Questions of the audit that none of the files answers."""


class _Rules(Struct, frozen=True, kw_only=True):
    """What an answer is held against."""

    audit: AuditResult
    newest: Mapping[Key, datetime]
    """Each question that the register answers to when the tenant was read for it."""
    now: datetime
    last: date
    removers: frozenset[str]
    auditors: frozenset[str]


def import_answers(
    files: Sequence[Path],
    *,
    audit: Path,
    register: Path,
    removed_by: Sequence[str] = (),
    journals: Sequence[Path] = (),
    days: int = DAYS,
    now: datetime | None = None,
) -> Imported:
    """Check the sheets that came back, and write their answers into the register.

    Args:
        files: XLSX or CSV, as `attest new` wrote them and people filled them in.
        audit: the audit.json that they were made from.
        register: the register's file; made where there is none.
        removed_by: names or addresses of who carried out removals.
        journals: of plans that were carried out; who wrote there may not sign.
        days: from today, the farthest next_review.
        now: the moment of the import, with its zone; None: the present.

    Raises:
        InputError: something cannot be read, or a row is not as it has to be; nothing is imported then.
        OutputError: the register cannot be written.
    """
    check_folder(register.parent)
    result, at = read_audit(audit), (now or datetime.now(UTC)).replace(microsecond=0)
    begun = [line for path in journals for line in _begun(path, result.tenant_id)]
    rows = [row for path in files for row in read_table(path, columns=COLUMNS, sheet=SHEET)]
    wrote = [name for line in begun for name in (line.writer_app_id, line.writer_object_id)]
    looked = [name for line in begun for name in (line.reader_app_id, line.reader_object_id)]
    with _locked(register):
        older = read_register(register) if register.exists() else Register()
        own = (answer for answer in older.answers if answer.tenant_id.lower() == result.tenant_id.lower())
        rules = _Rules(
            audit=result,
            newest={key_of(answer): answer.asked_at for answer in own},
            now=at,
            last=at.date() + timedelta(days=days),
            removers=_names(*removed_by, *wrote),
            auditors=_names(result.provenance.reader_app_id, *looked),
        )
        answers = _answers(rows, files, rules)
        newer = merged(older, answers)
        data = encode_register(newer)
        write_file(register, data)
    return Imported(
        answers=answers, register=newer, sha256=sha256(data), unanswered=len(questions(result)) - len(answers)
    )


def _answers(rows: Sequence[Row], files: Sequence[Path], rules: _Rules) -> tuple[Answer, ...]:
    """Return the answer of every row.

    Raises:
        InputError: naming every fault.
    """
    asked = {tuple(one.cells[name] for name in _IDENTITY): one for one in questions(rules.audit)}
    faults: list[str] = [f"{path}: It holds no row." for path in files if str(path) not in {row.file for row in rows}]
    seen: dict[tuple[str, ...], Row] = {}
    edited: list[Row] = []
    answers = []
    for row in rows:
        identity = tuple(row.cells[name] for name in _IDENTITY)
        question = asked.get(identity)
        if wrong := _unlike(row, question, rules.audit):
            edited.append(row)
        elif identity in seen:
            wrong = [f"It is there twice, also in {seen[identity].place}."]
        elif question is not None:
            seen[identity] = row
            wrong = list(_unanswered(row, question, rules))
            answers += [] if wrong else [_answer(row, question, rules)]
        faults += [f"{row.place}: {what}" for what in wrong]
    faults += _missing(seen.values(), edited)
    if faults:
        more = f"\n  and {len(faults) - TOLD:,} more" if len(faults) > TOLD else ""
        lines = "".join(f"\n  {fault}" for fault in faults[:TOLD])
        raise InputError(
            f"{count(len(faults), 'fault')} found, and nothing was imported:{lines}{more}\n",
            advice="Have the rows answered again, in the sheets as they were given out.",
        )
    return tuple(answers)


def _unlike(row: Row, question: Question | None, audit: AuditResult) -> list[str]:
    """Return what of a row is not as it was given out; at most one thing."""
    cells = row.cells
    if row.refused:
        return [f"These cells hold a formula or an error, or stand beside the table: {named(row.refused)}."]
    if cells["snapshot_sha256"] != audit.provenance.snapshot_sha256:
        return ["It was given out for another audit, or its snapshot_sha256 was edited."]
    if question is None:
        return ["The audit keeps no such permission: the row was added or edited."]
    if changed := [name for name in ASKED if cells[name] != question.cells[name]]:
        return [f"What was given out was edited: {named(changed)}."]
    if cells[HASH] != row_hash(cells) or not _PLACE.fullmatch(cells["row"]):
        return [f"What was given out was edited: row, {OWNER}, answer_by or {HASH}."]
    return []


def _missing(rows: Iterable[Row], edited: Iterable[Row]) -> Iterator[str]:
    """Give the rows that were given out with others and did not come back, be it edited."""
    sheets: dict[tuple[str, int], dict[int, Row]] = defaultdict(dict)
    for row in rows:
        number, total = map(int, row.cells["row"].split(" of "))
        sheets[row.cells[OWNER], total][number] = row
    spoilt: dict[str, set[int]] = defaultdict(set)
    for row in edited:
        spoilt[row.file] |= {int(place[1]) for place in [_PLACE.fullmatch(row.cells["row"])] if place}
    for (owner, total), there in sheets.items():
        files = sorted({row.file for row in there.values()})
        back = set(there).union(*(spoilt[file] for file in files))
        if lost := [str(number) for number in range(1, total + 1) if number not in back]:
            yield f"{', '.join(files)}: Of the {total:,} rows for {shown(owner)} these were removed: {named(lost)}."


def _unanswered(row: Row, question: Question, rules: _Rules) -> Iterator[str]:
    """Give what of a row's answer does not do."""
    given = {name: row.cells[name].strip() for name in TO_FILL}
    if not any(given.values()):
        yield "It is not answered."
        return
    decision = given["decision"].lower()
    if decision not in DECISIONS:
        yield f"decision: '{shown(given['decision'])}' is none of {', '.join(DECISIONS)}."
    if not _says(given["justification"]):
        yield "justification: it says nothing."
    if what := _review(given["next_review"], rules, needed=decision != "remove"):
        yield f"next_review: {what}"
    if not _says(given["signer"]):
        yield "signer: it names nobody."
    elif _names(given["signer"]) & rules.removers:
        yield "signer: it is who took permissions away, and whoever does that does not sign."
    elif _names(given["signer"]) & rules.auditors:
        yield "signer: it is the identity that audits."
    if rules.newest.get(question.key, rules.audit.taken_at) > rules.audit.taken_at:
        yield "The register holds an answer that was given on a newer audit."


def _review(text: str, rules: _Rules, *, needed: bool) -> str:
    """Return what is wrong with a day of review; empty where nothing is."""
    if not text:
        return "it is empty." if needed else ""
    day = _day(text)
    if day is None:
        return f"'{shown(text)}' is no day: write YYYY-MM-DD."
    if not rules.now.date() < day <= rules.last:
        return f"{day.isoformat()} is not after today and by {rules.last.isoformat()}."
    return ""


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if re.fullmatch(r"\d{4}-\d\d-\d\d", text) else None
    except ValueError:
        return None


def _answer(row: Row, question: Question, rules: _Rules) -> Answer:
    given = {name: row.cells[name].strip() for name in TO_FILL}
    grant = question.held[0].grant
    return Answer(
        tenant_id=rules.audit.tenant_id,
        app_id=grant.app_id,
        service_principal_id=grant.service_principal_id,
        kind=grant.kind,
        consent=grant.consent,
        resource_id=grant.resource_id,
        resource_app_id=grant.resource_app_id,
        permission=grant.permission,
        permission_id=grant.permission_id,
        covers=tuple(sorted(covered(one.grant) for one in question.held)),
        business_owner=row.cells[OWNER],
        decision=cast("Literal['keep', 'remove']", given["decision"].lower()),
        justification=given["justification"],
        ticket=given["ticket"],
        signer=given["signer"],
        asked_at=rules.audit.taken_at,
        signed_at=rules.now,
        next_review=_day(given["next_review"]),
        snapshot_sha256=rules.audit.provenance.snapshot_sha256,
    )


def _says(text: str) -> bool:
    """Tell whether anybody can read something in a text: a dash, an empty line or what cannot be seen says nothing."""
    return any(character.isalnum() for character in text)


def _names(*texts: str) -> frozenset[str]:
    """Return the names that texts give somebody: the whole, what stands before a bracket, addresses and ids.

    What cannot be seen is left out, and `Reyes, Dana` is Dana Reyes as well.
    """
    found: set[str] = set()
    for text in texts:
        seen = "".join(one for one in unicodedata.normalize("NFKC", text) if unicodedata.category(one) != "Cf")
        plain = " ".join(seen.casefold().split())
        before = re.split(r"[<(\[]", plain)[0].strip()
        last, _, first = (part.strip() for part in before.partition(","))
        addresses = (address.strip(".") for address in _ADDRESS.findall(plain))
        found |= {plain, before, f"{first} {last}".strip(), *addresses, *_GUID.findall(plain)}
    return frozenset(found - {""})


def _begun(path: Path, tenant_id: str) -> list[Begin]:
    if not path.is_file():
        raise InputError("There is no such journal.", where=str(path), advice="Name the plan's journal.")
    begun = [line for line in read_journal(path) if isinstance(line, Begin)]
    if any(line.tenant_id.lower() != tenant_id.lower() for line in begun):
        raise InputError("The journal is another tenant's.", where=str(path), advice="Name this tenant's journal.")
    return begun


@contextmanager
def _locked(register: Path) -> Iterator[None]:
    """Let nobody else on this machine import into a register while the block runs.

    Raises:
        OutputError: somebody else imports for long, or it cannot be locked there.
    """
    lock = FileLock(register.with_name(register.name + ".lock"), mode=0o600)
    try:
        register.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=_LOCKED)
    except Timeout:
        raise OutputError(
            "Somebody else is importing into this register.", where=str(register), advice="Try again later."
        ) from None
    except OSError as error:
        raise OutputError(
            f"The register cannot be locked: {error.strerror or error}.",
            where=str(register),
            advice="Name another place.",
        ) from error
    try:
        yield
    finally:
        lock.release()
