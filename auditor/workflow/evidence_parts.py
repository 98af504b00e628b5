"""Parts of an evidence package that are made from the audit: ledger, sample to do again by hand, a way to begin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from auditor.model.canonical import sha256
from auditor.model.outcome import AuditResult, JudgedGrant
from auditor.model.text import moment, visible
from auditor.reporters.csv import Row, table

SAMPLE = 25
"""Grants that a sample holds at most."""
LEDGER_COLUMNS = (
    "collection", "app_id", "service_principal_id", "state", "got", "pages", "faults", "why", "opens",
)  # fmt: skip
SAMPLE_COLUMNS = (
    "number", "app_name", "app_id", "kind", "consent", "principal_id", "resource_name", "permission", "permission_id",
    "grant_id", "decision", "policy", "portal_url", "graph_request", "what_you_saw", "as_reported", "who", "when",
)  # fmt: skip


def ledger_csv(result: AuditResult) -> bytes:
    """Return ledger.csv: what was asked for, and what came."""
    return table(LEDGER_COLUMNS, [{name: getattr(line, name) for name in LEDGER_COLUMNS} for line in result.ledger])


def sample_csv(result: AuditResult) -> bytes:
    """Return sample.csv: grants to look up by hand, with empty columns for what was seen."""
    drawn = drawn_sample(result.grants, result.provenance.snapshot_sha256)
    return table(SAMPLE_COLUMNS, [_row(number, judged) for number, judged in enumerate(drawn, 1)])


def drawn_sample(grants: Sequence[JudgedGrant], seed: str, most: int = SAMPLE) -> tuple[JudgedGrant, ...]:
    """Return at most `most` grants, drawn by the hash of the seed and of what names a grant.

    Nobody chooses them: the snapshot does. First comes a grant for each app and each decision, then one for each pair
    of them, then others, as long as there is room.
    """
    waiting = sorted(grants, key=lambda judged: sha256(f"{seed} {_name(judged)}".encode()))
    drawn: list[JudgedGrant] = []
    for covers in (_apart, _together, _any):
        seen: set[object] = {mark for judged in drawn for mark in covers(judged)}
        for judged in waiting:
            if len(drawn) < most and not seen.issuperset(covers(judged)):
                drawn.append(judged)
                seen.update(covers(judged))
    return tuple(drawn)


def _apart(judged: JudgedGrant) -> set[object]:
    return {("app", judged.grant.service_principal_id), ("decision", judged.decision)}


def _together(judged: JudgedGrant) -> set[object]:
    return {(judged.grant.service_principal_id, judged.decision)}


def _any(judged: JudgedGrant) -> set[object]:
    return {_name(judged)}


def _name(judged: JudgedGrant) -> str:
    grant = judged.grant
    ids = (grant.service_principal_id, grant.grant_id, grant.permission, grant.permission_id, grant.principal_id)
    return "\0".join(ids)


def _row(number: int, judged: JudgedGrant) -> Row:
    held = judged.grant.__struct_fields__
    own: Row = {
        name: getattr(judged.grant if name in held else judged, name)
        for name in SAMPLE_COLUMNS
        if name in held or name in judged.__struct_fields__
    }
    return dict.fromkeys(SAMPLE_COLUMNS, "") | own | {"number": number}


_WHAT: Mapping[str, str] = {
    "manifest.json": "every file of this package with its size and SHA-256, and what the audit was made from",
    "manifest.sig": "the team's Ed25519 signature over manifest.json",
    "snapshot.json": "what was read from the tenant, as it was read",
    "audit.json": "the audit: every permission, finding, pass, waiver and gap",
    "configuration.json": "what the team told the audit: policies, answers, waivers, accepted gaps",
    "attestations.json": "what business owners answered for what is kept; a signer's name there is a claim",
    "rules/": "the rules, the permission tables, the app profiles and the frameworks that judged",
    "reports/": "the reports, rendered from audit.json",
    "ledger.csv": "what was asked of the tenant, and what came: here stands what was NOT read",
    "sample.csv": f"at most {SAMPLE} permissions to look up by hand, drawn by the snapshot's own hash",
    "plan.json": "a plan of what to take away",
    "journal.jsonl": "what was done of it, step by step",
    "chain.json": "the history's chain up to this run; each entry holds the hash of the one before",
    "previous/": "snapshot and audit of the run before",
}


def readme(result: AuditResult, names: Sequence[str]) -> bytes:
    """Return README.txt: what an outsider does with the package.

    Args:
        result: the audit.
        names: every other member.
    """
    there = [
        f"  {name:<20} {what}"
        for name, what in _WHAT.items()
        if any(one == name or (name.endswith("/") and one.startswith(name)) for one in names)
    ]
    incomplete = (
        ""
        if result.complete
        else "\nINCOMPLETE: not everything could be read. What is missing is not known to be fine; see ledger.csv.\n"
    )
    text = f"""\
EVIDENCE PACKAGE

{visible(result.profile_title)} in {visible(result.tenant_name or result.tenant_id)}, tenant {visible(result.tenant_id)}
Read {moment(result.taken_at)}; snapshot SHA-256 {result.provenance.snapshot_sha256}
{incomplete}
WHAT IS IN IT

{chr(10).join(there)}

WHAT TO DO WITH IT

1. Ask the team, on another way than this file came, for the head of the history or for its public key.
2. On your own machine, with no connection to the tenant:

     pip install entra-auditor
     entra-audit evidence verify FILE.zip --key PUBLIC.pem --head HASH

   It compares every file with the manifest, checks signature and chain, judges the snapshot again by the packaged
   rules and configuration, and has to reach the same bytes. Exit code 0: verified. 1: a fault, each is named.
3. Compare the SHA-256 of the rules with that of the release that you installed: verify says whether they are equal.
4. Open sample.csv. Look each permission up in the portal or by its Graph request, with an account of your own that may
   read, and write down what you saw. What was changed since the reading differs for a good reason: ask for it.
5. Read ledger.csv and the head of reports/report.html for what was not read.

WHAT IT SHOWS, AND WHAT NOT

It shows that this audit follows from this snapshot by these rules, and that nothing was changed since the manifest was
made. That the snapshot is what the tenant held, only the sample and your own reading can show. Without a signature that
you checked, or a head that you had from elsewhere, a whole package can have been made anew. A rule supports a control
of a standard; whether the control is met is for you to say.
"""
    return text.encode()
