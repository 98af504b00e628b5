"""An evidence package is verified on its own, and one byte of it that is another one is found."""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from auditor import __version__
from auditor.engine.rulebook import load_rulebook
from auditor.errors import InputError
from auditor.knowledge.data import data_dir, rules_sha256
from auditor.knowledge.frameworks import load_frameworks
from auditor.model.canonical import sha256, to_json
from auditor.model.evidence import Manifest
from auditor.model.outcome import Finding
from auditor.reporters.json import decode_audit
from auditor.simulator.sample import sample
from auditor.sources.snapshot_file import encode
from auditor.workflow.evidence import (
    AUDIT_JSON,
    CONFIGURATION,
    SNAPSHOT_JSON,
    Extras,
    Found,
    make_package,
    parts,
)
from auditor.workflow.evidence_archive import MANIFEST, pack
from auditor.workflow.evidence_parts import readme
from auditor.workflow.run import judge
from tests.workflow.evidence import (
    Look,
    faults,
    flipped,
    found,
    looked,
    members,
    own,
    package,
    places,
    sealed,
    states,
    zipped,
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return the package of a run over the sample tenant."""
    return package(tmp_path_factory.mktemp("evidence")).read_bytes()


@pytest.fixture
def look(tmp_path: Path) -> Look:
    """Return what looks at the bytes of a package."""
    return partial(looked, tmp_path / "looked-at.zip")


def is_found(look: Look, data: bytes) -> bool:
    try:
        return bool(look(data).faults)
    except InputError:
        return True


def test_a_package_holds_what_judging_it_again_takes(whole: bytes) -> None:
    held = members(whole)
    rules = {f"rules/{p.relative_to(data_dir('rules')).as_posix()}" for p in data_dir("rules").rglob("*.yaml")}
    assert held.keys() == rules | {
        "README.txt", "audit.json", "configuration.json", "ledger.csv", "manifest.json", "reports/findings.csv",
        "reports/frameworks.csv", "reports/frameworks.html", "reports/grants.csv", "reports/report.html", "sample.csv",
        "snapshot.json",
    }  # fmt: skip
    assert held[SNAPSHOT_JSON] == encode(sample())
    assert held[AUDIT_JSON] == to_json(found().result)
    manifest = msgspec.json.decode(held[MANIFEST], type=Manifest)
    assert manifest.rules_sha256 == rules_sha256()
    assert [m.name for m in manifest.members] == sorted(held.keys() - {MANIFEST})
    assert all(m.sha256 == sha256(held[m.name]) for m in manifest.members)


def test_a_package_is_verified(whole: bytes, look: Look) -> None:
    seen = look(whole)
    assert not seen.faults
    assert states(seen) == {
        "manifest.sig": "note", "chain.json": "note", "head": "note", "files": "ok", "audit.json": "ok",
        "rules/": "ok", "reports/": "ok", "findings": "note",
    }  # fmt: skip
    assert seen.unchecked == ("that nobody made it anew (give --key or --head)",)
    assert seen.manifest_sha256 == sha256(members(whole)[MANIFEST])


def test_the_same_run_gives_the_same_package(whole: bytes, tmp_path: Path) -> None:
    assert package(tmp_path).read_bytes() == whole


def test_no_place_and_no_address_of_the_team_is_packed(tmp_path: Path) -> None:
    """Of the configuration only what judges: not where a history lies, nor how a tenant is signed in to."""
    told = own()
    configuration = replace(told.configuration, history="/srv/secret-place/history.db")
    where = make_package(
        found(), lambda _: replace(told, configuration=configuration), Extras(), out=tmp_path / "e.zip"
    ).path
    assert b"secret-place" not in where.read_bytes()
    configured = json.loads(members(where.read_bytes())[CONFIGURATION])
    assert {key for key, value in configured.items() if value} <= {
        "apps", "policies", "waivers", "accepted_gaps", "retention", "notify",
    }  # fmt: skip


def tampered(whole: bytes, positions: Callable[[int, int], tuple[int, ...]]) -> Iterator[tuple[str, bytes]]:
    """Give the package with one byte changed in the file, and the same put together anew with sums that fit."""
    held = members(whole)
    for name, (begin, end) in places(whole).items():
        for place in positions(begin, end):
            yield name, flipped(whole, place, place % 8)
            changed = {**held, name: flipped(held[name], place - begin, place % 8)}
            yield name, zipped(changed)
            yield name, pack(changed) if name != MANIFEST else flipped(whole, place)


def told(capsys: pytest.CaptureFixture[str], text: str) -> None:
    with capsys.disabled():
        sys.stdout.write(f"\n{text}\n")


def test_a_byte_changed_in_any_member_is_found(whole: bytes, look: Look, capsys: pytest.CaptureFixture[str]) -> None:
    """In the middle of each file; the slow test takes more places, and archives whose sums fit."""
    tried = [(name, is_found(look, flipped(whole, (begin + end) // 2))) for name, (begin, end) in places(whole).items()]
    told(capsys, f"{len(tried)} packages with one byte changed, {len(dict(tried))} members, all found")
    assert len(dict(tried)) == len(members(whole))
    assert [name for name, seen in tried if not seen] == []


@pytest.mark.slow
def test_bytes_changed_all_over_are_found(whole: bytes, look: Look, capsys: pytest.CaptureFixture[str]) -> None:
    """First, last and random bytes of each member; every fourth byte of the archive's own heads and directory."""
    draw = random.Random(5)
    tried = [
        (name, is_found(look, data)) for name, data in tampered(whole, lambda a, b: (a, b - 1, draw.randrange(a, b)))
    ]
    assert [name for name, seen in tried if not seen] == []
    inside = {place for begin, end in places(whole).values() for place in range(begin, end)}
    outside = [place for place in range(len(whole)) if place not in inside]
    outside = outside[::4]
    missed = [place for place in outside if not is_found(look, flipped(whole, place, draw.randrange(8)))]
    told(capsys, f"{len(tried)} bytes in members, {len(outside)} bytes between them: {len(missed)} not found")
    assert missed == []


def rearranged(held: Mapping[str, bytes], names: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """Give packages with a member added, removed, renamed, swapped, emptied or longer, with sums that fit."""
    for write in (zipped, pack):
        for before, name in zip(["ledger.csv", *names], names, strict=False):
            rest = {one: content for one, content in held.items() if one != name}
            changes = (
                rest,
                {**rest, f"{name}.bak": held[name]},
                {**held, f"{name}.bak": held[name]},
                {**held, name: held[before], before: held[name]} if held[name] != held[before] else rest,
                {**held, name: b""},
                {**held, name: held[name] + b"\n"},
            )
            yield from ((name, write(change)) for change in changes if MANIFEST in change or write is zipped)


@pytest.mark.parametrize(
    "names",
    [
        pytest.param(("README.txt", AUDIT_JSON, MANIFEST, "rules/apps/zoom.yaml"), id="some"),
        pytest.param((), id="all", marks=pytest.mark.slow),
    ],
)
def test_members_added_removed_renamed_and_swapped_are_found(
    whole: bytes, look: Look, capsys: pytest.CaptureFixture[str], names: tuple[str, ...]
) -> None:
    held = members(whole)
    tried = [(name, is_found(look, data)) for name, data in rearranged(held, names or sorted(held))]
    told(capsys, f"{len(tried)} packages with members added, removed, renamed, swapped, emptied or longer, all found")
    assert [name for name, seen in tried if not seen] == []


def test_each_fault_is_named(whole: bytes, look: Look) -> None:
    held = members(whole)
    changed = {**held, "ledger.csv": b"", "notes.txt": b"x"}
    del changed["sample.csv"]
    assert faults(look(pack(changed))).keys() == {"ledger.csv", "notes.txt", "sample.csv"}
    assert "ledger.csv" in faults(look(flipped(whole, places(whole)["ledger.csv"][0] + 5)))
    assert faults(look(zipped(held))).keys() == {"archive"}


def test_a_forged_audit_is_found_by_judging_again(whole: bytes, look: Look) -> None:
    """Whoever writes manifest and reports anew has to bring a snapshot that gives the audit."""
    held = members(whole)
    result = decode_audit(held[AUDIT_JSON], "")
    grants = tuple(replace(one, decision="keep") for one in result.grants)
    forged = replace(result, grants=grants, outcomes=())
    data = {**held, AUDIT_JSON: to_json(forged), **parts(forged)}
    seen = look(sealed(data, result_sha256=sha256(data[AUDIT_JSON])))
    assert faults(seen) == {AUDIT_JSON: "Judged again, the snapshot gives another audit: grants, outcomes."}


@pytest.mark.parametrize(
    "name",
    [
        "reports/grants.csv",
        *(
            pytest.param(name, marks=pytest.mark.slow)
            for name in ("reports/report.html", "reports/frameworks.html", "sample.csv", "ledger.csv", "README.txt")
        ),
    ],
)
def test_a_forged_report_is_found_by_rendering_again(whole: bytes, look: Look, name: str) -> None:
    held = members(whole)
    seen = look(sealed({**held, name: held[name] + b" "}))
    assert faults(seen) == {name: "Rendered again from the audit, it has other bytes."}


def test_a_report_beside_the_reports_is_a_fault(whole: bytes, look: Look) -> None:
    seen = look(sealed({**members(whole), "reports/compliance.html": b"<h1>Compliant</h1>"}))
    assert faults(seen).keys() == {"reports/compliance.html"}


def test_a_report_of_another_version_is_named_and_the_package_is_not_verified_as_a_whole(
    whole: bytes, look: Look
) -> None:
    """Anybody can write a version into a manifest, so that it excuses nothing."""
    seen = look(sealed({**members(whole), "reports/report.html": b"<!doctype html>"}, tool_version="99.0"))
    assert not seen.faults
    assert [check.text for check in seen.checks if check.what == "reports/" and "reports/report.html" in check.text]
    assert "that the reports say what the audit says" in seen.unchecked


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("tenant_id", "99999999-9999-4999-8999-999999999999"),
        ("taken_at", sample().taken_at.replace(year=2020)),
        ("closed", True),
    ],
)
def test_a_manifest_that_says_otherwise_than_the_audit_is_a_fault(
    whole: bytes, look: Look, name: str, value: object
) -> None:
    assert faults(look(sealed(members(whole), **{name: value}))) == {
        MANIFEST: f"It says otherwise than the audit: {name}."
    }


def test_a_run_before_that_no_chain_ties_is_a_fault(whole: bytes, look: Look) -> None:
    held = {**members(whole), "previous/snapshot.json": b"{}", "previous/audit.json": b"{}"}
    assert "previous/" in faults(look(sealed(held, previous_run=1)))


def test_a_rule_s_name_that_no_file_can_have_is_a_fault(whole: bytes, look: Look) -> None:
    seen = look(sealed({**members(whole), f"rules/checks/{'a' * 300}.yaml": b"id: a\n"}))
    assert "cannot be judged again" in faults(seen)[AUDIT_JSON]
    assert "entra-audit-" not in faults(seen)[AUDIT_JSON]


def test_what_was_found_stands_beside_the_verdict(whole: bytes, look: Look) -> None:
    """A package that is verified may hold an audit full of findings."""
    number = sum(isinstance(outcome, Finding) for outcome in found().result.outcomes)
    assert number
    (text,) = [check.text for check in look(whole).checks if check.what == "findings"]
    assert text.startswith(f"{number:,}, ")
    assert "says nothing of how the tenant stands" in text


def test_a_forged_snapshot_is_found_by_its_head(whole: bytes, look: Look, tmp_path: Path) -> None:
    """A package that was made anew as a whole holds together; a head that was noted elsewhere tells it."""
    snapshot = replace(sample(), clients=sample().clients[1:])
    forged = package(tmp_path, Found(snapshot=snapshot, result=judge(snapshot, own())[0])).read_bytes()
    assert not look(forged).faults
    assert faults(look(forged, head="ab" * 32)).keys() == {"head"}
    assert faults(look(whole, head="ab" * 32)).keys() == {"head"}


def test_a_head_without_its_chain_ties_nothing(whole: bytes, look: Look) -> None:
    """Anybody can write a head that they saw into a manifest: only the chain holds the snapshot's hash."""
    claimed = sealed(members(whole), run=7, head="ab" * 32)
    assert not look(claimed).faults
    assert faults(look(claimed, head="ab" * 32)).keys() == {"head"}


def test_a_package_without_its_core_is_a_fault(whole: bytes, look: Look) -> None:
    for name, field in ((AUDIT_JSON, "result_sha256"), (SNAPSHOT_JSON, "snapshot_sha256")):
        rest = {one: content for one, content in members(whole).items() if one != name}
        assert name in faults(look(sealed(rest, **{field: ""})))


def of_other_rules(
    tmp_path: Path, change: Callable[[str], str], name: str = "rules/checks/owners.yaml"
) -> dict[str, bytes]:
    """Return the members of a package whose rules are others than this installation's."""
    run, team = found(), own()
    held = members(package(tmp_path, run).read_bytes())
    held[name] = change(held[name].decode()).encode()
    root = tmp_path / "rules"
    for one, content in held.items():
        if one.startswith("rules/"):
            (tmp_path / one).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / one).write_bytes(content)
    try:
        book = load_rulebook("zoom", root)
    except Exception:  # noqa: BLE001 - a rule that no version can load has no audit either
        return held
    result, _ = judge(run.snapshot, replace(team, rulebook=book))
    held |= {AUDIT_JSON: to_json(result), **parts(result, load_frameworks(root / "frameworks"))}
    held["README.txt"] = readme(result, [one for one in held if one != "README.txt"])
    return held


def test_a_package_is_judged_by_its_own_rules_and_says_that_they_are_others(look: Look, tmp_path: Path) -> None:
    held = of_other_rules(tmp_path, lambda text: text.replace("severity:", "severity: low # ", 1))
    changed = {"result_sha256": sha256(held[AUDIT_JSON]), "rules_sha256": rules_sha256(tmp_path / "rules")}
    assert changed["rules_sha256"] != rules_sha256()
    seen = look(sealed(held, **changed))
    assert not seen.faults
    assert states(seen)["rules/"] == "note"
    assert "that the rules are those of a release" in seen.unchecked
    assert states(seen)[AUDIT_JSON] == "ok"


def test_the_view_of_frameworks_is_that_of_the_packaged_ones(look: Look, tmp_path: Path) -> None:
    """A team that keeps its own frameworks is verified by whoever does not have them."""
    held = of_other_rules(
        tmp_path, lambda text: text.replace("SOC 2, common", "Our SOC 2, common", 1), "rules/frameworks/SOC2-2017.yaml"
    )
    assert b"Our SOC 2, common" in held["reports/frameworks.html"]
    changed = {"result_sha256": sha256(held[AUDIT_JSON]), "rules_sha256": rules_sha256(tmp_path / "rules")}
    assert not look(sealed(held, **changed)).faults


@pytest.mark.slow
def test_rules_that_this_version_cannot_load_are_a_fault_with_advice(look: Look, tmp_path: Path) -> None:
    held = of_other_rules(tmp_path, lambda text: text.replace("when: ", "when: app.fact_of_tomorrow && ", 1))
    seen = look(sealed(held, rules_sha256=rules_sha256(tmp_path / "rules"), tool_version="99.0"))
    assert "Install entra-auditor 99.0" in faults(seen)[AUDIT_JSON]
    assert "fact_of_tomorrow" in faults(seen)[AUDIT_JSON]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "content"),
    [
        (CONFIGURATION, b"{"),
        (CONFIGURATION, b'{"apps":{"zoom":{"policy":"none-such"}}}\n'),
        (CONFIGURATION, b'{"apps":{"zoom":{"integrations":{"f56e91e5-5a82-452f-b435-d4d78aeaf064":"none-such"}}}}\n'),
        (CONFIGURATION, b'{"apps":{"none-such":{}}}\n'),
        (SNAPSHOT_JSON, b"{}"),
        (AUDIT_JSON, b"[]"),
        ("plan.json", b"{}"),
        ("journal.jsonl", b"\xff\n"),
        ("chain.json", b"{}"),
        ("chain.json", b"[]"),
        ("attestations.json", b"{}"),
        ("rules/apps/zoom.yaml", b"- 1\n"),
    ],
)
def test_a_sealed_package_of_nonsense_is_a_fault_and_no_crash(
    whole: bytes, look: Look, name: str, content: bytes
) -> None:
    hashes = {
        CONFIGURATION: "configuration_sha256",
        SNAPSHOT_JSON: "snapshot_sha256",
        AUDIT_JSON: "result_sha256",
        "attestations.json": "attestations_sha256",
    }
    held = {**members(whole), name: content}
    assert look(sealed(held, **({hashes[name]: sha256(content)} if name in hashes else {}))).faults


def test_the_manifest_has_to_be_readable(whole: bytes, look: Look) -> None:
    held = members(whole)
    odd = held[MANIFEST].replace(f'"tool_version":"{__version__}"'.encode(), b'"tool_version":"1\\u001b[2J"')
    for content in (b"{", b"{}", held[MANIFEST].replace(b'"version":1', b'"version":2'), held[MANIFEST] + b" ", odd):
        seen = look(pack({**held, MANIFEST: content}))
        assert seen.manifest is None
        assert faults(seen).keys() == {MANIFEST}
