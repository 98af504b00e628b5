"""A plan's shell scripts, run as a person runs them: by a real shell, against a tenant on this machine."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from auditor.model.directory import AppRoleAssignment, OAuth2PermissionGrant
from auditor.model.plan import Begin, Change, Line, RevokePlan
from auditor.model.snapshot import Client, Snapshot, items
from auditor.remedy.journal import read_journal
from auditor.remedy.scripts import scripts
from auditor.simulator.fault import Fault
from auditor.simulator.server import Running, serve
from tests.remedy.plans import SNAPSHOT, on_graph, plan, step, steps
from tests.remedy.world import World

LATER = datetime(2999, 1, 1, tzinfo=UTC)
"""When a plan expires that is to be carried out, whenever the tests run."""


def sound(*chosen: Any, **overrides: Any) -> RevokePlan:
    """Return a plan that has not expired."""
    return plan(*chosen, **{"expires": LATER, **overrides})


def small(**overrides: Any) -> RevokePlan:
    """Return a plan with a step of every kind, its bulk cut to one deletion and one update."""
    made = list(steps())
    bulk = made[3]
    cut = on_graph("Contacts.ReadWrite", kind="delegated", users=2)
    made[3] = step(4, bulk.action, bulk.changes[:2], **cut)
    return sound(*made, **overrides)


class Desk:
    """Where a person sits who runs a plan's scripts against a tenant."""

    def __init__(self, running: Running, folder: Path, made: RevokePlan, shell: str, language: str) -> None:
        self.running = running
        self.folder = folder
        self.plan = made
        self.journal = folder / "plan.journal.jsonl"
        self.undone = folder / "plan.undo.journal.jsonl"
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "TMPDIR": str(folder),
            "GRAPH_URL": running.url,
            "GRAPH_TOKEN": running.write_token,
            "PAUSE_SECONDS": "0",
        }
        self._shell = shell
        self._end = "" if language == "sh" else f"-{language}"
        for name, content in scripts()[language].render(made, "plan").items():
            (folder / name).write_bytes(content)

    @property
    def writes(self) -> int:
        """Writes that the tenant has met so far."""
        return sum(call.writes for call in self.running.calls)

    @property
    def lines(self) -> tuple[Line, ...]:
        """The journal, read as `revoke` reads it."""
        return read_journal(self.journal)

    def start(self, *arguments: str, **more: str) -> subprocess.Popen[str]:
        """Start a script: its name and options; variables by name."""
        script, *options = arguments
        return subprocess.Popen(
            [self._shell, script.replace(".sh", f"{self._end}.sh"), *options],
            cwd=self.folder,
            env={**self.environment, **more},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, code: int = 0, **more: str) -> str:
        """Run a script, and return what it said; its exit code has to be `code`."""
        with self.start(*arguments, **more) as started:
            out, err = started.communicate(timeout=500)
        assert started.returncode == code, (out[-3000:], err[-3000:])
        return out + err


@contextmanager
def desk(
    folder: Path,
    made: RevokePlan,
    *faults: Fault,
    shell: str = "dash",
    language: str = "sh",
    snapshot: Snapshot = SNAPSHOT,
    page_size: int = 100,
) -> Iterator[Desk]:
    """Serve a tenant, with a plan's scripts at hand."""
    assert shutil.which(shell), f"{shell} is not installed"
    with serve(snapshot, faults=faults, page_size=page_size) as running:
        yield Desk(running, folder, made, shell, language)


def holdings(snapshot: Snapshot) -> list[Any]:
    """Return what the apps hold, without the ids and dates that Graph chooses."""
    return sorted(row for app in snapshot.clients for row in _held(app))


def _held(app: Client) -> Iterator[tuple[str, ...]]:
    yield app.service_principal.id, "enabled", str(app.service_principal.account_enabled)
    for role in items(app.app_role_assignments):
        yield role.principal_id, "role", role.resource_id, role.app_role_id
    for grant in items(app.oauth2_permission_grants):
        scopes = " ".join(sorted((grant.scope or "").split()))
        yield grant.client_id, "grant", grant.consent_type, grant.principal_id or "", grant.resource_id, scopes


def changed(snapshot: Snapshot, change: Change, **fields: Any) -> Snapshot:
    """Return the tenant where somebody has changed the object that a change is to find; nothing given: removed it."""
    before = change.before

    def of(app: Client) -> Client:
        roles, grants = app.app_role_assignments, app.oauth2_permission_grants
        if isinstance(before, AppRoleAssignment):
            return replace(app, app_role_assignments=replace(roles, items=_with(items(roles), before.id, fields)))
        if isinstance(before, OAuth2PermissionGrant):
            return replace(app, oauth2_permission_grants=replace(grants, items=_with(items(grants), before.id, fields)))
        if before is not None and app.service_principal.id == before.id:
            return replace(app, service_principal=replace(app.service_principal, **fields))
        return app

    return replace(snapshot, clients=tuple(map(of, snapshot.clients)))


def _with(held: tuple[Any, ...], id_: str, fields: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(replace(one, **fields) if one.id == id_ else one for one in held if fields or one.id != id_)


def timeless(path: Path) -> list[dict[str, Any]]:
    """Return a journal's lines without times, and without who wrote it."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for line in lines:
        line["at"] = ""
        for name in ("by", "writer_app_id", "writer_object_id"):
            line.pop(name, None)
    return lines


def canonical(path: Path) -> bool:
    """Tell whether every line of a journal is the bytes that this program would write for it."""
    return path.read_bytes() == b"".join(
        msgspec.json.encode(msgspec.json.decode(line, type=Line), order="sorted") + b"\n"
        for line in path.read_bytes().splitlines()
    )


def applied(made: RevokePlan, folder: Path) -> World:
    """Return the tenant, and the journal, after `revoke apply` of the same plan."""
    folder.mkdir()
    world = World(folder)
    world.apply(made)
    return world


def require_round_trip(folder: Path, made: RevokePlan, shell: str, language: str = "sh", **more: str) -> None:
    """Dry run, commit, commit again, undo: the tenant and the journal are what `revoke apply` makes of them."""
    world = applied(made, folder / "apply")
    changes = sum(len(each.changes) for each in made.steps)
    with desk(folder, made, shell=shell, language=language) as at:
        at.environment |= more
        said = at.run("revoke.sh")
        assert f"Dry run: {changes} changes were checked" in said
        assert said.count("would ") == changes
        assert at.writes == 0
        assert not at.journal.exists()
        said = at.run("revoke.sh", "--commit")
        assert at.writes == changes
        assert "Removed at " in said
        assert "entra-audit revoke verify plan.json" in said
        assert holdings(at.running.snapshot) == holdings(world.snapshot) != holdings(SNAPSHOT)
        assert timeless(at.journal) == timeless(world.journal)
        assert canonical(at.journal)
        assert (at.journal.stat().st_mode & 0o777) == 0o600
        first = at.lines[0]
        assert isinstance(first, Begin)
        assert (first.by, first.purpose, first.plan) == (language, "revoke", made.sha256)
        assert "Nothing is left to do" in at.run("revoke.sh", "--commit")
        assert at.writes == changes
        assert "would " in at.run("undo.sh")
        assert at.writes == changes
        said = at.run("undo.sh", "--commit")
        assert "grants power again" in said
        assert at.writes == 2 * changes
        assert holdings(at.running.snapshot) == holdings(SNAPSHOT)
        assert canonical(at.undone)
        assert "Nothing is left to do" in at.run("undo.sh", "--commit")
        assert at.writes == 2 * changes
