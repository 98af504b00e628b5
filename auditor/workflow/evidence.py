"""An evidence package: a run with everything that it takes to judge it again on another machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from msgspec import UNSET, Struct
from msgspec.structs import replace

from auditor import __version__
from auditor.errors import InputError, UsageError
from auditor.graph.secret import Secret
from auditor.knowledge.attestations import encode_register
from auditor.knowledge.data import data_dir
from auditor.knowledge.frameworks import Framework
from auditor.model.canonical import sha256, to_json
from auditor.model.configuration import Configuration
from auditor.model.evidence import Manifest, Member
from auditor.model.history import Entry
from auditor.model.outcome import AuditResult
from auditor.model.plan import Begin
from auditor.model.snapshot import Snapshot
from auditor.remedy.journal import LIMIT as JOURNAL_LIMIT
from auditor.remedy.journal import decode_journal
from auditor.remedy.seal import decode_plan
from auditor.reporters import reporters
from auditor.reporters.frameworks import render as by_frameworks
from auditor.reporters.json import decode_audit
from auditor.sources.files import read
from auditor.sources.snapshot_file import LIMIT as SNAPSHOT_LIMIT
from auditor.sources.snapshot_file import decode, encode
from auditor.workflow.evidence_archive import MANIFEST, SIGNATURE, pack
from auditor.workflow.evidence_parts import ledger_csv, readme, sample_csv
from auditor.workflow.evidence_sign import sign
from auditor.workflow.history import Chosen
from auditor.workflow.keep import run_before, stream_of
from auditor.workflow.prepare import Prepared, judging_part
from auditor.workflow.report import LIMIT as AUDIT_LIMIT
from auditor.workflow.run import SNAPSHOT, judge, render, with_closed
from auditor.workflow.writing import check_folder, write_file

FORMATS = ("csv", "html")
"""The reports of a package beside the view of frameworks: those that need no extra part."""
SNAPSHOT_JSON, AUDIT_JSON, CHAIN = "snapshot.json", "audit.json", "chain.json"
CONFIGURATION, REGISTER, PLAN, JOURNAL = "configuration.json", "attestations.json", "plan.json", "journal.jsonl"


class Found(Struct, frozen=True, kw_only=True):
    """A run, wherever it was kept."""

    snapshot: Snapshot
    result: AuditResult
    """Without history and drift."""
    run: int = 0
    head: str = ""
    """Hash of the run's entry; empty where it was kept in no history."""
    entries: tuple[Entry, ...] = ()
    """The chain up to the run's entry; empty where no history is at hand."""
    previous: tuple[bytes, bytes] | None = None
    """Snapshot and audit of the run before, canonical; None where they are not at hand."""
    previous_run: int = 0


class Extras(Struct, frozen=True, kw_only=True):
    """What goes into a package beside the run."""

    plan: Path | None = None
    journal: Path | None = None
    key: Path | None = None
    """A private Ed25519 key; None: the package is not signed."""
    password: Secret | None = None


class Made(Struct, frozen=True, kw_only=True):
    """A package that was written."""

    path: Path
    manifest: Manifest
    sha256: str
    """Of manifest.json."""
    signed: bool


def make_package(
    found: Found,
    prepared: Callable[[AuditResult], Prepared],
    extras: Extras,
    *,
    only: frozenset[str] = frozenset(),
    out: Path,
) -> Made:
    """Write the evidence package of a run.

    Args:
        found: the run.
        prepared: gives the rules and the team's word for an audit.
        extras: plan, journal and key.
        only: appIds that the audit was limited to.
        out: the package.

    Raises:
        InputError: the run does not follow from its snapshot by the rules and the configuration at hand, or a file
            cannot be read.
        OutputError: the package cannot be written.
    """
    check_folder(out.parent)
    plan = _read(extras.plan, AUDIT_LIMIT, decode_plan)
    journal = _read(extras.journal, JOURNAL_LIMIT, decode_journal)
    carried_out = {name: content for name, content in ((PLAN, plan), (JOURNAL, journal)) if content is not None}
    require_one_tenant(carried_out, found.result.tenant_id)
    own = prepared(found.result)
    snapshot, audit = encode(found.snapshot), to_json(found.result)
    _require_same(found.result, own, sha256(snapshot))
    closing = journal or b"" if found.result.closed else b""
    if to_json(judged(found.snapshot, own, only, closing)) != audit:
        raise InputError(
            "Judged again, the snapshot gives another audit than this one.",
            where=AUDIT_JSON,
            advice="Give --app-id and --journal as --app-id and --after to run; otherwise the audit was edited: run "
            "again.",
        )
    members = {
        SNAPSHOT_JSON: snapshot,
        AUDIT_JSON: audit,
        **_word_of_the_team(own),
        **_rules(),
        **parts(found.result),
        **carried_out,
        **_past(found),
    }
    members["README.txt"] = readme(found.result, [*members, MANIFEST, *([SIGNATURE] if extras.key else [])])
    manifest = _manifest(found, own, members, only=only)
    members[MANIFEST] = to_json(manifest)
    if extras.key:
        members[SIGNATURE] = sign(members[MANIFEST], extras.key, extras.password)
    path = write_file(out, pack(members))
    return Made(path=path, manifest=manifest, sha256=sha256(members[MANIFEST]), signed=extras.key is not None)


def judged(snapshot: Snapshot, own: Prepared, only: frozenset[str], journal: bytes) -> AuditResult:
    """Return the audit of a snapshot, with the findings that a journal closed; an empty journal closes none."""
    result, _ = judge(snapshot, own, only=only)
    return with_closed(result, journal, JOURNAL) if journal else result


def require_one_tenant(held: Mapping[str, bytes], tenant_id: str) -> None:
    """Refuse plan and journal where they are not of this tenant, or not of each other.

    Raises:
        InputError: as said, or one of them is none.
        RefusedError: the plan was edited.
    """
    plan = decode_plan(held[PLAN], PLAN) if PLAN in held else None
    lines = decode_journal(held[JOURNAL], JOURNAL) if JOURNAL in held else ()
    begun = [line for line in lines if isinstance(line, Begin)]
    if JOURNAL in held and not begun:
        raise InputError("The journal is empty.", where=JOURNAL, advice="Name the plan's journal.")
    tenants = [(PLAN, plan.tenant_id)] if plan else []
    for name, tenant in (*tenants, *((JOURNAL, line.tenant_id) for line in begun)):
        if tenant.lower() != tenant_id.lower():
            raise InputError("It is another tenant's.", where=name, advice="Name this tenant's.")
    if plan and any(line.approved_hash != plan.approved_hash or line.purpose != plan.purpose for line in begun):
        raise InputError("It tells of another plan.", where=JOURNAL, advice="Name the journal of the plan.")


def parts(result: AuditResult, frameworks: Sequence[Framework] | None = None) -> dict[str, bytes]:
    """Return what is made from the audit alone: the reports, the ledger and the sample.

    Args:
        result: the audit.
        frameworks: those of the rules that judged; None: the program's own.
    """
    known = reporters()
    rendered = render(result, [known[name] for name in FORMATS]) | by_frameworks(result, frameworks)
    return {
        **{f"reports/{name}": content for name, content in rendered.items()},
        "ledger.csv": ledger_csv(result),
        "sample.csv": sample_csv(result),
    }


def in_folder(folder: Path, history: str = "") -> Found:
    """Return the run in a folder of reports, with its chain where it was kept and the history is named.

    Raises:
        InputError: audit.json or the snapshot is missing, cannot be read, or is not of this run; the run is not in the
            history.
    """
    where = folder / AUDIT_JSON
    whole = decode_audit(read(where, where=str(where), limit=AUDIT_LIMIT), str(where))
    place = next((folder / name for name in (SNAPSHOT, SNAPSHOT_JSON) if (folder / name).exists()), folder / SNAPSHOT)
    snapshot = decode(read(place, where=str(place), limit=SNAPSHOT_LIMIT), str(place))
    found = Found(snapshot=snapshot, result=replace(whole, drift=UNSET, history=UNSET))
    if whole.history is not UNSET:
        found = replace(found, run=whole.history.number, head=whole.history.sha256)
    return _with_chain(found, history) if history and found.head else found


def in_history(history: str, number: int, chosen: Chosen) -> Found:
    """Return a kept run, with its chain and the run before.

    Raises:
        UsageError: there is no such run, or it is not clear of which tenant.
        InputError: its contents were pruned, or cannot be read.
    """
    from auditor.history.chain import linked
    from auditor.history.store import open_store

    with open_store(history, create=False) as store:
        stream = chosen.one(store.streams())
        kept = store.run(stream, number)
        entries = store.entries(stream)
    if kept is None:
        there = any(entry.number == number and entry.kind == "run" for entry in entries)
        what = f"The contents of run {number} were pruned." if there else f"There is no run {number}."
        raise UsageError(what, where=f"history:{number}", advice="See: entra-audit history list")
    where = f"history:{number}"
    found = Found(
        snapshot=decode(kept.snapshot, where),
        result=decode_audit(kept.result, where),
        run=number,
        head=linked(kept.entry).sha256,
    )
    return _with_chain(found, history)


def _with_chain(found: Found, history: str) -> Found:
    """Return the run with the chain up to its entry, and with the run before where it was not pruned."""
    from auditor.history.chain import linked
    from auditor.history.store import open_store

    stream = stream_of(found.result)
    with open_store(history, create=False) as store:
        entries = store.entries(stream)
        own = next((entry for entry in entries if linked(entry).sha256 == found.head), None)
        if own is None:
            raise InputError(
                "This run is not in the history: no entry has the hash that its audit names.",
                where="--history",
                advice="Name the history that the run was kept in, or leave --history out.",
            )
        before = run_before(entries, own.number)
        previous = store.run(stream, before.number) if before else None
    return replace(
        found,
        entries=tuple(entry for entry in entries if entry.number <= own.number),
        previous=(previous.snapshot, previous.result) if previous else None,
        previous_run=previous.entry.number if previous else 0,
    )


def _require_same(result: AuditResult, own: Prepared, snapshot: str) -> None:
    said = result.provenance
    for what, here, there, advice in (
        ("snapshot", snapshot, said.snapshot_sha256, "Give the folder that one run wrote."),
        ("rules", own.rulebook.sha256, said.rules_sha256, "Use the version that made the audit, or run again."),
        (
            "configuration",
            own.configuration_sha256,
            said.configuration_sha256,
            "Give --config, --policy and --feature as to run.",
        ),
        (
            "register of attestations",
            own.attestations_sha256,
            said.attestations_sha256,
            "Give --attestations as to run.",
        ),
    ):
        if here != there:
            raise InputError(f"The audit was made with another {what} than is at hand.", where=what, advice=advice)


def _word_of_the_team(own: Prepared) -> dict[str, bytes]:
    judging = judging_part(own.configuration)
    configured = {CONFIGURATION: to_json(judging)} if judging != Configuration() else {}
    return configured | ({REGISTER: encode_register(own.register)} if own.register is not None else {})


def _rules() -> dict[str, bytes]:
    """Return every file of rules/, with LF line ends, as their hash is made."""
    root = data_dir("rules")
    return {
        f"rules/{path.relative_to(root).as_posix()}": path.read_bytes().replace(b"\r\n", b"\n")
        for path in root.rglob("*")
        if path.is_file()
    }


def _read(path: Path | None, limit: int, decoded: Callable[[bytes, str], object]) -> bytes | None:
    if path is None:
        return None
    data = read(path, where=str(path), limit=limit)
    decoded(data, str(path))
    return data


def _past(found: Found) -> dict[str, bytes]:
    chain = {CHAIN: to_json(found.entries)} if found.entries else {}
    if found.previous is None:
        return chain
    snapshot, audit = found.previous
    return chain | {f"previous/{SNAPSHOT_JSON}": snapshot, f"previous/{AUDIT_JSON}": audit}


def _manifest(found: Found, own: Prepared, members: Mapping[str, bytes], *, only: frozenset[str]) -> Manifest:
    result = found.result
    return Manifest(
        tool_version=__version__,
        tenant_id=result.tenant_id,
        profile=result.profile,
        taken_at=result.taken_at,
        snapshot_sha256=sha256(members[SNAPSHOT_JSON]),
        result_sha256=sha256(members[AUDIT_JSON]),
        rules_sha256=own.rulebook.sha256,
        configuration_sha256=own.configuration_sha256,
        attestations_sha256=own.attestations_sha256,
        only=tuple(sorted(only)),
        closed=bool(result.closed),
        run=found.run,
        head=found.head,
        previous_run=found.previous_run,
        members=tuple(
            Member(name=name, size=len(content), sha256=sha256(content)) for name, content in sorted(members.items())
        ),
    )
