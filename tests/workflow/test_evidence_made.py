"""What an evidence package is made of: a folder of reports or a kept run, its past, and a sample to look up by hand."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

import pytest
from msgspec.structs import replace

from auditor.errors import InputError, OutputError, UsageError
from auditor.knowledge.attestations import encode_register
from auditor.model.attestation import Register
from auditor.model.canonical import sha256, to_gzip, to_json
from auditor.model.configuration import Configuration
from auditor.model.history import HistoryHead
from auditor.model.plan import Begin
from auditor.model.snapshot import Unavailable
from auditor.remedy.planning import build_plan
from auditor.reporters.json import decode_audit
from auditor.simulator.sample import sample
from auditor.sources.snapshot_file import decode, encode
from auditor.workflow.evidence import (
    AUDIT_JSON,
    CHAIN,
    SNAPSHOT_JSON,
    Extras,
    Found,
    in_folder,
    in_history,
    judged,
    make_package,
)
from auditor.workflow.evidence_archive import MANIFEST
from auditor.workflow.evidence_parts import SAMPLE, drawn_sample
from auditor.workflow.history import Chosen
from auditor.workflow.keep import kept
from auditor.workflow.prepare import Prepared
from auditor.workflow.revoke import write_plan
from auditor.workflow.run import judge
from tests.remedy.world import World
from tests.workflow.evidence import (
    Look,
    faults,
    found,
    looked,
    members,
    own,
    package,
    sealed,
    states,
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return the package of a run over the sample tenant."""
    return package(tmp_path_factory.mktemp("evidence")).read_bytes()


@pytest.fixture
def look(tmp_path: Path) -> Look:
    """Return what looks at the bytes of a package."""
    return partial(looked, tmp_path / "looked-at.zip")


# What a package is made of


def reported(folder: Path, **history: object) -> Path:
    """Write what `run` leaves in a folder."""
    run = found()
    folder.mkdir()
    (folder / "audit.json").write_bytes(to_json(replace(run.result, **history)))
    (folder / "snapshot.json.gz").write_bytes(to_gzip(encode(run.snapshot)))
    return folder


def test_a_folder_of_reports_is_packed(whole: bytes, tmp_path: Path) -> None:
    assert package(tmp_path, in_folder(reported(tmp_path / "report"))).read_bytes() == whole


def test_an_edited_audit_is_not_packed(tmp_path: Path) -> None:
    run = found()
    edited = replace(run, result=replace(run.result, headline="Nothing to see."))
    with pytest.raises(InputError, match="gives another audit"):
        package(tmp_path, edited)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda p: replace(p, configuration=Configuration(), configuration_sha256=""), "another configuration"),
        (lambda p: replace(p, attestations_sha256="0" * 64), "another register"),
        (lambda p: replace(p, rulebook=replace(p.rulebook, sha256="0" * 64)), "another rules"),
    ],
    ids=["configuration", "register", "rules"],
)
def test_what_the_audit_was_not_made_with_is_refused(
    tmp_path: Path, change: Callable[[Prepared], Prepared], what: str
) -> None:
    with pytest.raises(InputError, match=what) as caught:
        make_package(found(), lambda _: change(own()), Extras(), out=tmp_path / "e.zip")
    assert caught.value.advice


def test_another_run_s_snapshot_is_refused(tmp_path: Path) -> None:
    run = found()
    with pytest.raises(InputError, match="another snapshot"):
        package(tmp_path, replace(run, snapshot=replace(run.snapshot, clients=())))


def test_a_folder_without_a_run_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        in_folder(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        package(tmp_path / "file" / "folder")


@pytest.mark.slow
def test_an_audit_of_named_apps_is_judged_again_for_these(look: Look, tmp_path: Path) -> None:
    snapshot = sample()
    only = frozenset({snapshot.clients[0].service_principal.app_id})
    run = Found(snapshot=snapshot, result=judge(snapshot, own(), only=only)[0])
    path = make_package(run, lambda _: own(), Extras(), only=only, out=tmp_path / "e.zip").path
    seen = look(path.read_bytes())
    assert not seen.faults
    assert [check.text for check in seen.checks if check.what == "coverage" and "Only these apps" in check.text]
    with pytest.raises(InputError, match="another audit"):
        package(tmp_path, run)


def test_hostile_names_are_dead_in_what_people_open_first(look: Look, tmp_path: Path) -> None:
    evil = '=HYPERLINK("https://evil.example")\u202e\x1b[2J'
    clients = tuple(
        replace(one, service_principal=replace(one.service_principal, display_name=evil)) for one in sample().clients
    )
    snapshot = decode(encode(replace(sample(), clients=clients)), "hostile")
    data = package(tmp_path, Found(snapshot=snapshot, result=judge(snapshot, own())[0])).read_bytes()
    assert not look(data).faults
    held = members(data)
    for name in ("README.txt", "sample.csv", "ledger.csv"):
        assert not set(held[name].decode("utf-8-sig")) & {"\u202e", "\x1b"}
    names = [row["app_name"] for row in csv.DictReader(io.StringIO(held["sample.csv"].decode("utf-8-sig"), newline=""))]
    assert any("HYPERLINK" in name for name in names)
    assert not any(name.startswith("=") for name in names)


@pytest.mark.slow
def test_plan_and_journal_are_packed_and_closed_findings_told_again(look: Look, tmp_path: Path) -> None:
    """The audit after a plan names what it closed: that is told from the packaged journal, and not without it."""
    world = World(tmp_path)
    plan = build_plan(judge(world.snapshot, own())[0], world.snapshot, rulebook=own().rulebook)
    world.apply(plan)
    where = write_plan(plan, tmp_path / "plan.json")[0]
    snapshot = decode(encode(world.snapshot), "after")
    result = judged(snapshot, own(), frozenset(), world.journal.read_bytes())
    assert result.closed
    run = Found(snapshot=snapshot, result=result)
    path = package(tmp_path, run, Extras(plan=where, journal=world.journal))
    seen = look(path.read_bytes())
    assert not seen.faults
    assert states(seen) | {"plan.json": "ok", "journal.jsonl": "ok"} == states(seen)
    with pytest.raises(InputError, match="another audit"):
        package(tmp_path, run)
    cut = {**members(path.read_bytes()), "journal.jsonl": world.journal.read_bytes().splitlines(keepends=True)[0]}
    assert faults(look(sealed(cut))).keys() == {AUDIT_JSON}
    with pytest.raises(InputError):
        package(tmp_path, run, Extras(plan=world.journal))
    with pytest.raises(InputError):
        package(tmp_path, run, Extras(journal=where))
    held = members(path.read_bytes())
    other = held["plan.json"].replace(world.snapshot.tenant_id.encode(), b"99999999-9999-4999-8999-999999999999")
    assert "plan.json" in faults(look(sealed({**held, "plan.json": other})))
    journal = re.sub(rb'"approved_hash":"[0-9a-f]+"', b'"approved_hash":"00"', held["journal.jsonl"])
    assert "another plan" in faults(look(sealed({**held, "journal.jsonl": journal})))["journal.jsonl"]


def test_a_journal_of_another_tenant_or_without_a_line_is_not_packed(tmp_path: Path) -> None:
    begin = Begin(
        at=sample().taken_at, by="apply", purpose="revoke", plan="0" * 64,
        approved_hash="0" * 64, tenant_id="99999999-9999-4999-8999-999999999999", cloud="global",
    )  # fmt: skip
    for content, what in ((b"", "empty"), (to_json(begin), "another tenant")):
        (tmp_path / "journal.jsonl").write_bytes(content)
        with pytest.raises(InputError, match=what):
            package(tmp_path, extras=Extras(journal=tmp_path / "journal.jsonl"))
    assert not (tmp_path / "evidence.zip").exists()


def test_a_register_of_attestations_is_packed(look: Look, tmp_path: Path) -> None:
    register = Register()
    told = replace(own(), register=register, attestations_sha256=sha256(encode_register(register)))
    run = Found(snapshot=sample(), result=judge(sample(), told)[0])
    data = make_package(run, lambda _: told, Extras(), out=tmp_path / "e.zip").path.read_bytes()
    assert members(data)["attestations.json"] == encode_register(register)
    assert not look(data).faults
    rest = {name: content for name, content in members(data).items() if name != "attestations.json"}
    assert look(sealed(rest, attestations_sha256="")).faults


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Found]:
    """Return a history of two runs over the sample tenant, and the second as it was kept."""
    where = str(tmp_path_factory.mktemp("history") / "history.db")
    first = replace(sample(), clients=sample().clients[:-1], taken_at=sample().taken_at.replace(day=1))
    kept(judge(first, own())[0], encode(first), where)
    kept(found().result, encode(found().snapshot), where)
    return where, in_history(where, 2, Chosen())


def test_a_kept_run_is_packed_with_its_chain_and_the_run_before(
    history: tuple[str, Found], look: Look, tmp_path: Path
) -> None:
    where, run = history
    assert in_history(where, 2, Chosen()) == run
    data = package(tmp_path, run).read_bytes()
    held = members(data)
    assert held.keys() >= {CHAIN, "previous/snapshot.json", "previous/audit.json"}
    seen = look(data, head=run.head.upper())
    assert not seen.faults
    assert states(seen) | {"chain.json": "ok", "head": "ok"} == states(seen)
    assert faults(look(data, head="0" * 64)).keys() == {"head"}


def test_a_folder_of_a_kept_run_gives_the_same_package(history: tuple[str, Found], tmp_path: Path) -> None:
    where, run = history
    head = HistoryHead(number=2, sha256=run.head, previous_run=1)
    folder = reported(tmp_path / "report", history=head)
    assert in_folder(folder, where) == run
    alone = in_folder(folder)
    assert (alone.run, alone.head, alone.entries) == (2, run.head, ())


def chains(data: Mapping[str, bytes]) -> Iterator[tuple[str, dict[str, bytes]]]:
    """Give packages whose chain or earlier run is another one, each sealed by somebody who knows the format."""
    entries = json.loads(data[CHAIN])
    for name, other in {
        "first dropped": entries[1:],
        "last dropped": entries[:1],
        "swapped": entries[::-1],
        "doubled": [*entries, entries[-1]],
        "altered": [{**entries[0], "snapshot_sha256": "0" * 64}, entries[1]],
        "other tenant": [{**entry, "tenant_id": "x"} for entry in entries],
    }.items():
        yield name, {**data, CHAIN: to_json(other)}
    yield "another run before", {**data, "previous/audit.json": data[AUDIT_JSON]}
    yield (
        "a run before that has no number",
        {**data, MANIFEST: data[MANIFEST].replace(b'"previous_run":1', b'"previous_run":0')},
    )
    yield "half a run before", {name: content for name, content in data.items() if name != "previous/audit.json"}


def test_an_altered_chain_is_found(history: tuple[str, Found], look: Look, tmp_path: Path) -> None:
    held = members(package(tmp_path, history[1]).read_bytes())
    for name, changed in chains(held):
        assert "chain.json" in faults(look(sealed(changed))), name


def test_a_run_that_is_not_there_is_an_error(history: tuple[str, Found], tmp_path: Path) -> None:
    where, _ = history
    with pytest.raises(UsageError, match="no run 7"):
        in_history(where, 7, Chosen())
    folder = reported(tmp_path / "report", history=HistoryHead(number=2, sha256="0" * 64, previous_run=1))
    with pytest.raises(InputError, match="not in the history"):
        in_folder(folder, where)


# The sample


def test_the_sample_takes_each_app_and_each_decision_first() -> None:
    result = found().result
    drawn = drawn_sample(result.grants, result.provenance.snapshot_sha256)
    assert len(drawn) == SAMPLE < len(result.grants)
    assert {g.grant.service_principal_id for g in drawn} == {g.grant.service_principal_id for g in result.grants}
    assert {g.decision for g in drawn} == {g.decision for g in result.grants}
    assert len({id(g) for g in drawn}) == len(drawn)


def test_the_snapshot_draws_the_sample_and_nobody_else() -> None:
    """The order of the grants does not count; another snapshot draws another sample; few grants are all drawn."""
    grants = found().result.grants
    assert drawn_sample(grants, "a") == drawn_sample(grants[::-1], "a")
    assert drawn_sample(grants, "a") != drawn_sample(grants, "b")
    assert set(map(id, drawn_sample(grants[:9], "a"))) == set(map(id, grants[:9]))
    assert drawn_sample((), "a") == ()


def test_each_sampled_grant_says_where_to_look_and_leaves_room_for_what_was_seen(whole: bytes) -> None:
    text = members(whole)["sample.csv"].decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert len(rows) == SAMPLE
    for row in rows:
        assert row["graph_request"].startswith("GET /v1.0/")
        assert row["portal_url"].startswith("https://entra.microsoft.com/")
        assert row["what_you_saw"] == row["as_reported"] == row["who"] == row["when"] == ""


def test_the_ledger_and_the_way_in_say_what_was_not_read(whole: bytes) -> None:
    held = members(whole)
    result = decode_audit(held[AUDIT_JSON], "")
    assert len(held["ledger.csv"].decode().splitlines()) == len(result.ledger) + 1
    told = held["README.txt"].decode()
    assert result.complete
    assert "INCOMPLETE" not in told
    assert "evidence verify" in told
    assert sha256(held[SNAPSHOT_JSON]) in told


def test_an_incomplete_audit_is_not_verified_as_a_whole(look: Look, tmp_path: Path) -> None:
    """The way in says it, and the verdict."""
    first, *others = sample().clients
    unread = replace(first, app_role_assignments=Unavailable(why="Not allowed.", opens=""))
    snapshot = replace(sample(), clients=(unread, *others))
    data = package(tmp_path, Found(snapshot=snapshot, result=judge(snapshot, own())[0])).read_bytes()
    assert "\nINCOMPLETE: not everything could be read." in members(data)["README.txt"].decode()
    seen = look(data)
    assert not seen.faults
    assert states(seen)["INCOMPLETE"] == "note"
    assert any("the audit is INCOMPLETE" in what for what in seen.unchecked)
