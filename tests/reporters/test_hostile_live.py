"""A tenant whose every free text is hostile, served over TCP, read, judged and reported: nothing breaks or runs."""

from __future__ import annotations

import csv
import io
import re
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import cycle, islice
from pathlib import Path

import pytest
from msgspec.structs import replace

from auditor.cli.main import main
from auditor.engine.audit import Hashes, audit
from auditor.model.canonical import to_gzip
from auditor.model.configuration import Configuration
from auditor.model.outcome import AuditResult
from auditor.model.snapshot import EXCHANGE, Client, Complete, Partial, Snapshot, Unavailable, items
from auditor.reporters import reporters
from auditor.reporters.json import decode_audit
from auditor.simulator.sample import sample
from auditor.simulator.server import serve
from auditor.sources.snapshot_file import decode, encode
from tests.engine.world import rulebook
from tests.hostile import FAMILIES, HOSTILE, as_read, named
from tests.reporters.fill import declared_fields, fill, text_fields, texts
from tests.reporters.hostile_formats import steering
from tests.reporters.test_hostile import formulas
from tests.reporters.tree import Tree, dangers

CHOSEN_BY_MICROSOFT = re.compile(
    r"Snapshot\.|Source\.|.*\.(id|faults|why|opens)$|.*\.\w*(app|role|principal|resource|client|target|key)_id$"
    r"|GrantEvent\.(activity|result|resource_id)$|OAuth2PermissionGrant\.consent_type$|DirectoryObject\.odata_type$"
    r"|AppRoleAssignment\.principal_type$|AppRole\.allowed_member_types$"
)
"""Ids and fixed words: they tie rows to each other, and nobody who names an app or publishes one can choose them."""
FIXED = ("Snapshot.schema", "Snapshot.profile", "OAuth2PermissionGrant.consent_type")
"""Without their fixed words nothing of a snapshot is judged at all."""


@cache
def tenant() -> Snapshot:
    """Return the sample tenant with few permissions on each resource."""
    whole = sample()
    resources = (
        replace(
            sp, app_roles=(sp.app_roles or ())[:3], oauth2_permission_scopes=(sp.oauth2_permission_scopes or ())[:3]
        )
        for sp in items(whole.resources)
    )
    return replace(whole, resources=Complete(items=tuple(resources)))


@cache
def gaps() -> Snapshot:
    """Return the same tenant with a collection in each state."""
    first, second, *others = tenant().clients
    first = replace(first, owners=Partial(items=items(first.owners), why="x", faults=("x",)))
    held = Complete(items=items(second.app_role_assignments), faults=("x",))
    second = replace(second, owners=Unavailable(why="x", opens="x", faults=("x",)), app_role_assignments=held)
    return replace(tenant(), clients=tuple(map(_told, (first, second, *others))))


def _told(client: Client) -> Client:
    """Return the app with an audit log whose records name what went and what was updated."""
    records = (replace(event, removed=("x",), changed=("x",)) for event in items(client.grant_events))
    return replace(client, grant_events=Complete(items=tuple(records)))


def free_text(snapshot: Snapshot, chosen: Iterable[str]) -> Snapshot:
    """Return the tenant with one text after the other in each field that somebody can choose."""
    following = iter(chosen)
    return fill(snapshot, lambda path, text: text if CHOSEN_BY_MICROSOFT.match(path) else next(following))


def names(clients: Iterable[Client]) -> Iterator[object]:
    """Give what the apps call themselves, as far as it is kept."""
    for client in clients:
        app = client.service_principal
        yield (app.id, app.display_name, app.publisher_name, app.homepage, app.reply_urls, app.tags)
        yield tuple(owner.display_name for owner in items(client.owners))
        yield tuple(secret.display_name for secret in app.password_credentials or ())


def check_reports(folder: Path) -> AuditResult:
    """Check the files of a run, and return the audit that they tell."""
    tree = Tree((folder / "report.html").read_text("utf-8"))
    assert dangers(tree) == []
    assert tree.first_in_head[1]["http-equiv"] == "Content-Security-Policy"
    assert steering((folder / "report.html").read_text("utf-8")) == []
    for file in ("grants.csv", "findings.csv"):
        header, *rows = csv.reader(
            io.StringIO((folder / file).read_bytes().decode("utf-8-sig"), newline=""), strict=True
        )
        assert {len(row) for row in rows} <= {len(header)}
        assert formulas(rows) == []
    data = (folder / "audit.json").read_bytes()
    result = decode_audit(data, "audit.json")
    assert reporters()["json"].render(result)["audit.json"] == data
    return result


class Run:
    """`entra-audit` against a simulated tenant."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def __call__(self, *arguments: str) -> int:
        """Return the exit code; what was printed steers no terminal."""
        self._monkeypatch.setattr(sys, "argv", ["entra-audit", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        captured = self._capsys.readouterr()
        assert captured.out
        assert steering(captured.out) == steering(captured.err) == []
        return int(str(ended.value.code))

    def live(self, served: Snapshot, verb: str, out: str) -> int:
        """Serve the tenant and read all its clients."""
        with serve(served) as running:
            self._monkeypatch.setenv("ENTRA_AUDIT_SIMULATOR_URL", running.url)
            self._monkeypatch.setenv("ENTRA_AUDIT_SIMULATOR_TOKEN", running.token)
            ids = [part for client in served.clients for part in ("--app-id", client.service_principal.app_id)]
            return self(verb, "--out", out, *ids)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    monkeypatch.chdir(tmp_path)
    return Run(monkeypatch, capsys)


def check_live(run: Run, served: Snapshot) -> None:
    """Read, judge and report the tenant; everything is read, and every name arrives as it was served."""
    assert run.live(served, "run", "out") in {0, 1, 3}
    result = check_reports(Path("out"))
    assert {(e.collection, e.state) for e in result.ledger if e.state != "complete"} == {(EXCHANGE, "unavailable")}
    assert {fault for entry in result.ledger for fault in entry.faults} == set()
    assert len(result.apps) == len(served.clients)
    found = decode(Path("out/snapshot.json.gz").read_bytes(), "out")
    as_served = fill(served, lambda _path, text: as_read(text) if isinstance(text, str) else text)
    assert set(names(found.clients)) == set(names(as_served.clients))


def test_every_text_of_a_tenant_is_filled() -> None:
    """The walk finds every text field of a snapshot; those that nobody can choose are the only ones left out."""
    rich = gaps()
    declared = declared_fields(Snapshot)
    assert set(text_fields(rich)) == set(declared)
    assert len(declared) >= 74
    free = [field for field in declared if not CHOSEN_BY_MICROSOFT.match(field)]
    assert len(free) >= 30
    filled = texts(free_text(gaps(), cycle(["<x>"])))
    assert {path for path, text in filled if text == "<x>"} == set(free)


def test_a_tenant_of_hostile_names_is_read_judged_and_reported(run: Run) -> None:
    """All strings in one tenant, each in several fields, over TCP and through the command line."""
    hostile = free_text(tenant(), cycle(HOSTILE))
    assert {text for _, text in texts(hostile)} >= set(HOSTILE)
    check_live(run, hostile)


def test_a_tenant_of_half_characters_is_read_complete(run: Run) -> None:
    """Lone surrogates in every name cost no collection."""
    check_live(run, free_text(tenant(), cycle(FAMILIES["surrogates"])))


def test_collect_and_run_print_and_write_nothing_that_steers(run: Run) -> None:
    """The other verbs that show a tenant's names show them harmlessly, gaps with hostile reasons among them."""
    assert run.live(free_text(tenant(), cycle(HOSTILE)), "collect", "tenant.json") == 0
    gap = fill(gaps(), lambda path, text: "\x1b[2J\u202e" if path.endswith(".why") else text)
    Path("gap.json.gz").write_bytes(to_gzip(encode(gap)))
    assert run("collect", "--snapshot", "gap.json.gz", "--out", "again.json") == 3
    assert run("run", "--snapshot", "gap.json.gz", "--out", "gap") == 3
    check_reports(Path("gap"))


def judged(snapshot: Snapshot) -> AuditResult:
    saved = decode(encode(snapshot), "snapshot.json")
    return audit(saved, rulebook=rulebook(), configuration=Configuration(), hashes=Hashes(snapshot="0" * 64))


@pytest.mark.parametrize("text", [family[0] for family in FAMILIES.values()], ids=named)
def test_a_snapshot_of_one_string_is_judged_and_reported(text: str) -> None:
    """One string in every text field of a snapshot, ids included: saved, read again, judged, reported."""
    result = judged(fill(gaps(), lambda path, value: value if path in FIXED else text))
    for reporter in reporters().values():
        reporter.render(result)


@pytest.mark.slow
@pytest.mark.parametrize("text", HOSTILE, ids=named)
def test_every_string_in_every_text_of_a_snapshot(text: str) -> None:
    """Any one string in every text field of a snapshot, with ids and without: judged, reported, and nothing lives."""
    for change in (
        lambda path, value: value if path in FIXED else text,
        lambda path, value: value if CHOSEN_BY_MICROSOFT.match(path) else text,
    ):
        result = judged(fill(gaps(), change))
        rendered = {n: d for reporter in reporters().values() for n, d in reporter.render(result).items()}
        assert dangers(Tree(rendered["report.html"].decode())) == []
        assert steering(rendered["report.html"].decode()) == []


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_each_family_fills_a_tenant(run: Run, family: str) -> None:
    """A tenant of one family of strings alone, so that each string meets every field, over TCP."""
    strings = FAMILIES[family]
    for first in range(min(len(strings), 4)):
        check_live(run, free_text(tenant(), islice(cycle(strings), first, None)))
