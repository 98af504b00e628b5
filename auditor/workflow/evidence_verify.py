"""An evidence package looked at on another machine: every byte compared, and the snapshot judged again.

Nothing here asks a network, and nothing of a package is run: its rules are conditions that are bounded and checked when
they are loaded, its names are held against those that a package may have.
"""

from __future__ import annotations

import re
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from auditor import __version__
from auditor.engine.rulebook import load_rulebook
from auditor.errors import AuditorError, InputError
from auditor.history.chain import Head, Link, check_links, linked
from auditor.knowledge.attestations import decode_register
from auditor.knowledge.configuration import check_configuration
from auditor.knowledge.data import rules_sha256
from auditor.knowledge.frameworks import Framework, load_frameworks
from auditor.knowledge.profile import load_profile, profile_names
from auditor.model.canonical import sha256, to_json
from auditor.model.configuration import Configuration
from auditor.model.evidence import SCHEMA, VERSION, Manifest
from auditor.model.history import Entry, Stream
from auditor.model.outcome import AuditResult, Finding, NotEvaluated, Waived
from auditor.reporters.json import decode_audit
from auditor.sources.files import named
from auditor.sources.snapshot_file import decode, encode
from auditor.workflow.evidence import (
    AUDIT_JSON,
    CHAIN,
    CONFIGURATION,
    JOURNAL,
    PLAN,
    REGISTER,
    SNAPSHOT_JSON,
    judged,
    parts,
    require_one_tenant,
)
from auditor.workflow.evidence_archive import MANIFEST, SIGNATURE, read_package, unpack
from auditor.workflow.evidence_parts import readme
from auditor.workflow.evidence_sign import is_signed_by
from auditor.workflow.prepare import Prepared

_RULE = re.compile(r"rules/((?:apps|checks|frameworks|permissions)/[A-Za-z0-9.+-]+\.yaml)")
_OWN = re.compile(
    rf"{_RULE.pattern}|reports/[a-z]+\.(csv|html)|README\.txt|ledger\.csv|sample\.csv|(previous/)?(snapshot|audit)\.json"
    r"|(configuration|attestations|plan|chain)\.json|journal\.jsonl"
)
"""The names that a package may have, beside the manifest and its signature."""
_VERSION = re.compile(r"[0-9A-Za-z.+-]{1,40}")

Members = Mapping[str, bytes]


class Check(Struct, frozen=True, kw_only=True):
    """One thing that was looked at."""

    state: Literal["ok", "fault", "note"]
    """`note`: not looked at, or something that a reader has to know."""
    what: str
    text: str


class Verified(Struct, frozen=True, kw_only=True):
    """What a look at a package gave."""

    manifest: Manifest | None
    """None where it cannot be read."""
    manifest_sha256: str
    checks: tuple[Check, ...]

    @property
    def faults(self) -> tuple[Check, ...]:
        """What is wrong; empty where the package is verified."""
        return tuple(check for check in self.checks if check.state == "fault")

    @property
    def unchecked(self) -> tuple[str, ...]:
        """What nobody looked at, though nothing is wrong; empty where the package is verified as a whole."""
        state = {check.what: check.state for check in self.checks}
        signed = state.get(SIGNATURE) == "ok"
        there = (
            (signed or state.get("head") == "ok", "that nobody made it anew (give --key or --head)"),
            (state.get("rules/") == "ok", "that the rules are those of a release"),
            (state.get("reports/") == "ok", "that the reports say what the audit says"),
            (signed or not {PLAN, JOURNAL} & state.keys(), "who wrote plan and journal (give --key)"),
            ("INCOMPLETE" not in state, "what could not be read: the audit is INCOMPLETE (see ledger.csv)"),
        )
        return tuple(what for known, what in there if not known)


def verify_package(path: Path, *, key: Path | None = None, head: str = "") -> Verified:
    """Look at a package.

    Args:
        path: the package.
        key: the public key of whom it should be signed by; None: a signature is not checked.
        head: the hash of the run's entry as it was noted elsewhere; empty: it is not compared.

    Raises:
        InputError: it is no package, or the key is none.
    """
    opened = unpack(read_package(path), str(path))
    members, content = opened.members, opened.members.get(MANIFEST, b"")
    faults = [_fault(name, "The file is damaged.") for name in opened.damaged]
    try:
        manifest = _manifest(content) if content else None
    except InputError as error:
        manifest = None
        faults.append(_fault(MANIFEST, str(error)))
    if manifest is None:
        what = faults or [_fault(MANIFEST, "It is missing.")]
        return Verified(manifest=None, manifest_sha256=sha256(content), checks=tuple(what))
    faults += _members(manifest, members)
    if opened.other_form and not opened.damaged:
        faults.append(_fault("archive", "It is not as this program writes it: bytes beside the files were changed."))
    checks = [*faults, *_signature(members, key), *_chain(manifest, members), *_head(manifest, members, head)]
    if any(check.state == "fault" for check in checks):
        checks.append(_note(AUDIT_JSON, "Not judged again: the package is not as it was made."))
    else:
        checks.append(_ok("files", f"All {len(manifest.members):,} are as the manifest says."))
        checks += [*_carried_out(manifest, members), *_judged_again(manifest, members)]
    return Verified(manifest=manifest, manifest_sha256=sha256(content), checks=tuple(checks))


def _manifest(data: bytes) -> Manifest:
    try:
        manifest = msgspec.json.decode(data, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"It cannot be read: {error}.") from None
    if manifest.schema != SCHEMA or manifest.version != VERSION:
        raise InputError("It is none, or of another version of this program.")
    if to_json(manifest) != data or not _VERSION.fullmatch(manifest.tool_version):
        raise InputError("It is not in the form that this program writes.")
    return manifest


def _members(manifest: Manifest, members: Members) -> Iterator[Check]:
    """Give every file that is not as the manifest says."""
    listed = {member.name: member for member in manifest.members}
    if len(listed) < len(manifest.members):
        yield _fault(MANIFEST, "It lists a file twice.")
    for name in sorted(listed.keys() - members.keys()):
        yield _fault(name, "The file is missing or cannot be read.")
    for name in sorted(members.keys() - listed.keys() - {MANIFEST, SIGNATURE}):
        yield _fault(name, "The manifest does not list the file.")
    for name, member in listed.items():
        if not _OWN.fullmatch(name):
            yield _fault(name, "No package has such a file.")
        if name in members and (member.size, member.sha256) != (len(members[name]), sha256(members[name])):
            yield _fault(name, "The file was changed: its size or hash is not that of the manifest.")
    for name, said in (
        (SNAPSHOT_JSON, manifest.snapshot_sha256),
        (AUDIT_JSON, manifest.result_sha256),
        (CONFIGURATION, manifest.configuration_sha256),
        (REGISTER, manifest.attestations_sha256),
    ):
        own = sha256(members[name]) if name in members else ""
        if own != said or (not own and name in {SNAPSHOT_JSON, AUDIT_JSON}):
            yield _fault(name, "It is not the one that the audit was made from.")


def _signature(members: Members, key: Path | None) -> Iterator[Check]:
    signature = members.get(SIGNATURE)
    if signature is None:
        if key is not None:
            yield _fault(SIGNATURE, "The package is not signed.")
        else:
            yield _note(SIGNATURE, "Not signed.")
    elif key is None:
        yield _note(SIGNATURE, "Signed, not checked: give the team's public key with --key.")
    elif is_signed_by(members[MANIFEST], signature, key):
        yield _ok(SIGNATURE, "The signature is of this manifest, by the owner of the key.")
    else:
        yield _fault(SIGNATURE, "The signature is not of this manifest by the owner of this key.")


def _head(manifest: Manifest, members: Members, head: str) -> Iterator[Check]:
    if not head:
        yield _note("head", "Not compared: give the head that was noted elsewhere with --head.")
    elif CHAIN not in members:
        yield _fault("head", "No chain is packaged, so that no head ties the snapshot to what was noted elsewhere.")
    elif head.lower() != manifest.head:
        yield _fault("head", f"The head of run {manifest.run} is {manifest.head}, not the one that was given.")
    else:
        yield _ok("head", f"The head of run {manifest.run} is the one that was given.")


def _chain(manifest: Manifest, members: Members) -> Iterator[Check]:
    if CHAIN not in members:
        where = f"the run is number {manifest.run} of a history that is not packaged" if manifest.head else "no history"
        yield _note(CHAIN, f"Not there: {where}.")
        if any(name.startswith("previous/") for name in members):
            yield _fault("previous/", "No chain ties the run before to this one.")
        return
    try:
        entries = msgspec.json.decode(members[CHAIN], type=tuple[Entry, ...])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        yield _fault(CHAIN, f"It cannot be read: {error}.")
        return
    links = [linked(entry) for entry in entries]
    stream = Stream(tenant_id=manifest.tenant_id, profile=manifest.profile)
    last: Head | Link = links[-1] if links else Head()
    wrong, _ = check_links(stream, links, Head(number=last.number, sha256=last.sha256))
    texts = [fault.text for fault in wrong]
    if (last.number, last.sha256) != (manifest.run, manifest.head) or to_json(entries) != members[CHAIN]:
        texts.append("It does not end with this run.")
    texts += _contents({entry.number: entry for entry in entries}, manifest, members)
    yield from (_fault(CHAIN, text) for text in texts)
    if not texts:
        yield _ok(CHAIN, f"{len(entries):,} entries hold together, and the last one is this run.")


def _contents(entries: Mapping[int, Entry], manifest: Manifest, members: Members) -> Iterator[str]:
    """Give what the chain's entries say otherwise of this run or of the run before."""
    for number, folder in ((manifest.run, ""), (manifest.previous_run, "previous/")):
        own = (members.get(f"{folder}{SNAPSHOT_JSON}"), members.get(f"{folder}{AUDIT_JSON}"))
        if own != (None, None):
            entry = entries.get(number)
            said = (entry.snapshot_sha256, entry.result_sha256) if entry else ()
            if said != tuple(sha256(content or b"") for content in own):
                yield f"Entry {number} names another snapshot or audit than the packaged one."


def _carried_out(manifest: Manifest, members: Members) -> Iterator[Check]:
    """Give what stands of plan and journal: neither is tied to the audit but by tenant and by a signature."""
    there = [name for name in (PLAN, JOURNAL) if name in members]
    try:
        require_one_tenant(members, manifest.tenant_id)
    except AuditorError as error:
        yield _fault(error.where or JOURNAL, str(error))
    else:
        yield from (_ok(name, "It can be read, and is of this tenant.") for name in there)


def _judged_again(manifest: Manifest, members: Members) -> Iterator[Check]:
    """Give what judging the snapshot by the packaged rules and configuration comes to."""
    with tempfile.TemporaryDirectory(prefix="entra-audit-") as folder:
        try:
            result, own = _judge(manifest, members, Path(folder))
            frameworks = load_frameworks(Path(folder) / "frameworks")
            said = decode_audit(members[AUDIT_JSON], AUDIT_JSON)
        except (AuditorError, OSError, msgspec.ValidationError, msgspec.DecodeError) as error:
            what = str(error).replace(folder, "rules")
            made_by = f"Install entra-auditor {manifest.tool_version} and verify there." if _other(manifest) else ""
            yield _fault(AUDIT_JSON, f"It cannot be judged again here. {what} {made_by}".strip())
            return
    if own.rulebook.sha256 != manifest.rules_sha256:
        yield _fault("rules/", "They are not the rules that the audit names.")
    if to_json(result) != members[AUDIT_JSON]:
        differs = [name for name in result.__struct_fields__ if getattr(result, name) != getattr(said, name)]
        yield _fault(AUDIT_JSON, f"Judged again, the snapshot gives another audit: {named(differs) or 'its form'}.")
        return
    yield _ok(AUDIT_JSON, "Judged again by the packaged rules, the snapshot gives the same bytes.")
    yield from _claimed(manifest, result)
    yield from _told(manifest, result)
    yield from _rendered_again(manifest, members, result, frameworks)


def _claimed(manifest: Manifest, result: AuditResult) -> Iterator[Check]:
    """Give what the manifest says otherwise than the audit."""
    pairs = {name: (getattr(manifest, name), getattr(result, name)) for name in ("tenant_id", "profile", "taken_at")}
    pairs["closed"] = (manifest.closed, bool(result.closed))
    if wrong := [name for name, (said, own) in pairs.items() if said != own]:
        yield _fault(MANIFEST, f"It says otherwise than the audit: {named(wrong)}.")


def _told(manifest: Manifest, result: AuditResult) -> Iterator[Check]:
    """Give what a reader has to know of the audit."""
    if manifest.rules_sha256 == rules_sha256():
        yield _ok("rules/", "They are those of this installation.")
    else:
        yield _note("rules/", f"They are not those of this installation ({__version__}): {manifest.rules_sha256}.")
    numbers = Counter(type(outcome) for outcome in result.outcomes)
    yield _note(
        "findings",
        f"{numbers[Finding]:,}, {numbers[Waived]:,} waived, {numbers[NotEvaluated]:,} not evaluated. That a package is "
        "verified says nothing of how the tenant stands.",
    )
    if manifest.only:
        yield _note("coverage", f"Only these apps were judged: {named(manifest.only)}.")
    if not result.complete:
        yield _note("INCOMPLETE", "Not everything could be read; see ledger.csv.")


def _judge(manifest: Manifest, members: Members, folder: Path) -> tuple[AuditResult, Prepared]:
    for name, content in members.items():
        if rule := _RULE.fullmatch(name):
            place = folder / rule[1]
            place.parent.mkdir(exist_ok=True)
            place.write_bytes(content)
    for kind in ("apps", "checks", "frameworks", "permissions"):
        (folder / kind).mkdir(exist_ok=True)
    configuration = members.get(CONFIGURATION)
    register = members.get(REGISTER)
    own = Prepared(
        rulebook=load_rulebook(manifest.profile, folder),
        configuration=msgspec.json.decode(configuration, type=Configuration) if configuration else Configuration(),
        configuration_sha256=manifest.configuration_sha256,
        register=decode_register(register, REGISTER) if register else None,
        attestations_sha256=manifest.attestations_sha256,
    )
    apps = folder / "apps"
    profiles = {name: load_profile(name, apps, permissions=own.rulebook.permissions) for name in profile_names(apps)}
    check_configuration(own.configuration, profiles=profiles, where=CONFIGURATION)
    snapshot = decode(members[SNAPSHOT_JSON], SNAPSHOT_JSON)
    if encode(snapshot) != members[SNAPSHOT_JSON]:
        raise InputError("The snapshot is not in the form that this program writes.", where=SNAPSHOT_JSON)
    journal = members.get(JOURNAL, b"") if manifest.closed else b""
    return judged(snapshot, own, frozenset(manifest.only), journal), own


def _rendered_again(
    manifest: Manifest, members: Members, result: AuditResult, frameworks: Sequence[Framework]
) -> Iterator[Check]:
    others = [name for name in members if name != "README.txt"]
    made = parts(result, frameworks) | {"README.txt": readme(result, others)}
    shown = made.keys() | {name for name in members if name.startswith("reports/")}
    differing = sorted(name for name in shown if members.get(name) != made.get(name))
    if not differing:
        yield _ok("reports/", "Rendered again, reports, ledger and sample have the same bytes.")
    elif _other(manifest):
        version = manifest.tool_version
        text = f"Version {version} is said to have made them, and {__version__} makes others: {named(differing)}."
        yield _note("reports/", f"{text} Believe audit.json, or install entra-auditor {version} and verify there.")
    else:
        yield from (_fault(name, "Rendered again from the audit, it has other bytes.") for name in differing)


def _other(manifest: Manifest) -> bool:
    return manifest.tool_version != __version__


def _ok(what: str, text: str) -> Check:
    return Check(state="ok", what=what, text=text)


def _note(what: str, text: str) -> Check:
    return Check(state="note", what=what, text=text)


def _fault(what: str, text: str) -> Check:
    return Check(state="fault", what=what, text=text)
