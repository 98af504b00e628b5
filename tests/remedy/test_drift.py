"""A tenant that is not as the plan says: refused, and not one write is sent."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct
from msgspec.structs import replace

from auditor.errors import RefusedError
from auditor.model.directory import AppRoleAssignment, OAuth2PermissionGrant
from auditor.model.plan import AccountChange, AssignmentChange, Change, Step
from auditor.model.snapshot import Client, Snapshot, items
from tests.remedy.plans import NOBODY, SNAPSHOT, plan, step, steps, without
from tests.remedy.world import World

OTHER: dict[str, object] = {
    "id": "another-id",
    "app_role_id": NOBODY,
    "principal_id": NOBODY,
    "resource_id": NOBODY,
    "client_id": NOBODY,
    "principal_type": "User",
    "principal_display_name": "Renamed",
    "resource_display_name": "Renamed",
    "created_date_time": SNAPSHOT.taken_at,
    "consent_type": "AllPrincipals",
    "scope": "Calendars.ReadWrite Files.ReadWrite.All",
    "account_enabled": True,
}


def whole() -> Step:
    """Return a step that removes a grant to its last scope."""
    one = steps()[3].changes[0]
    assert not isinstance(one, AccountChange)
    assert isinstance(one.before, OAuth2PermissionGrant)
    return step(6, "remove-user-consents", (without(one.before, *(one.before.scope or "").split()),))


def cases() -> Iterator[Any]:
    """Give each step kind with each way in which its object may have moved."""
    for made in (*steps(), whole()):
        for index, change in enumerate(made.changes[:2]):
            before = change.before
            if before is None:
                continue
            name = f"{made.number}-{made.action}-{index}"
            if isinstance(change, AccountChange):
                yield pytest.param(made, change, {"account_enabled": True}, id=f"{name}-account_enabled")
                continue
            yield pytest.param(made, change, None, id=f"{name}-gone")
            for field in before.__struct_fields__:
                if getattr(before, field) != OTHER[field]:
                    yield pytest.param(made, change, {field: OTHER[field]}, id=f"{name}-{field}")
            if isinstance(before, OAuth2PermissionGrant):
                wider = {"scope": f"{before.scope} Files.Read.All"}
                yield pytest.param(made, change, wider, id=f"{name}-wider")
                yield pytest.param(made, change, {"scope": None}, id=f"{name}-without-scope")


def moved(snapshot: Snapshot, change: Change, fields: dict[str, object] | None) -> Snapshot:
    """Return the tenant with one object changed, or gone."""
    wanted = change.before
    assert wanted

    def kept(one: Struct) -> Iterator[Struct]:
        if getattr(one, "id", "") != wanted.id:
            yield one
        elif fields is not None:
            yield replace(one, **fields)

    def of(client: Client) -> Client:
        app = client.service_principal
        if isinstance(change, AccountChange):
            return replace(client, service_principal=next(iter(kept(app)))) if app.id == wanted.id else client
        name = "app_role_assignments" if isinstance(change, AssignmentChange) else "oauth2_permission_grants"
        held = getattr(client, name)
        return replace(client, **{name: replace(held, items=tuple(n for one in items(held) for n in kept(one)))})

    return replace(snapshot, clients=tuple(of(client) for client in snapshot.clients))


@pytest.mark.parametrize(("made", "change", "fields"), list(cases()))
def test_any_field_that_moved_refuses_the_plan(
    tmp_path: Path, made: Step, change: Change, fields: dict[str, object] | None
) -> None:
    world = World(tmp_path, snapshot=moved(SNAPSHOT, change, fields))
    with pytest.raises(RefusedError) as refused:
        world.apply(plan(made))
    assert refused.value.exit_code == 4
    assert world.written == []
    assert not world.journal.exists()


def test_the_narrower_permission_that_somebody_granted_meanwhile_refuses_a_replacement(tmp_path: Path) -> None:
    swap = steps()[1]
    narrow = swap.changes[0].after
    assert isinstance(narrow, AppRoleAssignment)
    client = next(c for c in SNAPSHOT.clients if c.service_principal.id == narrow.principal_id)
    held = client.app_role_assignments
    more = replace(held, items=(*items(held), replace(narrow, id="new-id")))
    clients = tuple(replace(c, app_role_assignments=more) if c is client else c for c in SNAPSHOT.clients)
    world = World(tmp_path, snapshot=replace(SNAPSHOT, clients=clients))
    with pytest.raises(RefusedError, match="somebody has granted it meanwhile"):
        world.apply(plan(swap))
    assert world.written == []


def test_the_tenant_as_it_was_planned_is_no_drift(tmp_path: Path) -> None:
    later = replace(SNAPSHOT, taken_at=SNAPSHOT.taken_at + timedelta(days=1))
    assert World(tmp_path, snapshot=later).apply(plan()).done
