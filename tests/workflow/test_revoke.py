"""A plan held against the tenant as it is now: the approval stands, or what moved is named."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from auditor.errors import RefusedError
from auditor.model.snapshot import Client, Complete, Snapshot, items
from auditor.remedy.planning import Again, permissions_of
from auditor.remedy.planning_contain import build_containment
from auditor.remedy.seal import encode_plan, sealed
from auditor.simulator.sample import IMITATION
from auditor.workflow.revoke import write_plan
from tests.engine.world import rulebook
from tests.workflow.revoking import SNAPSHOT, planned, prepared, read, refreshed, without

ELSEWHERE = "99999999-9999-4999-8999-999999999999"


def moved(folder: Path, snapshot: Snapshot) -> set[tuple[str, str]]:
    """Return what moved, each with the permission that it is about, after seeing that nothing was written."""
    before = (folder / "plan.json").read_bytes()
    found = refreshed(folder, snapshot)
    assert (found.plan, found.paths) == (None, ())
    assert (folder / "plan.json").read_bytes() == before
    return {(one.how, one.title) for one in found.moved}


def title(permission: str) -> str:
    return f"Remove the application permission {permission} of Zoom on Microsoft Graph"


def test_an_approval_stands_while_no_step_moved(tmp_path: Path) -> None:
    """Later the same steps: a new reading, a new end, the hash that was approved; also where other things changed."""
    path = planned(tmp_path, days=5)
    old = read(path)
    later = replace(without(SNAPSHOT, "Mail.Send"), taken_at=SNAPSHOT.taken_at.replace(day=25))
    found = refreshed(tmp_path, later)
    new = read(path)
    assert (found.plan, found.moved, found.reconfigured) == (new, (), False)
    assert (new.approved_hash, new.steps) == (old.approved_hash, old.steps)
    assert (new.created_at, new.expires - new.created_at) == (later.taken_at, old.expires - old.created_at)
    assert (new.snapshot_sha256 == old.snapshot_sha256, new.sha256 == old.sha256) == (False, False)


def test_a_step_that_is_gone_is_named(tmp_path: Path) -> None:
    planned(tmp_path)
    assert moved(tmp_path, without(SNAPSHOT, "Calendars.Read")) == {("gone", title("Calendars.Read"))}


def test_a_step_that_is_new_is_named(tmp_path: Path) -> None:
    planned(tmp_path, without(SNAPSHOT, "User.Read.All"))
    assert moved(tmp_path, SNAPSHOT) == {("new", title("User.Read.All"))}


def test_what_was_granted_anew_is_a_changed_step(tmp_path: Path) -> None:
    """The same permissions under other ids: nothing that was approved is left as it was."""
    steps = read(planned(tmp_path)).steps

    def again(client: Client) -> Client:
        held = (replace(a, id=f"new-{a.id}") for a in items(client.app_role_assignments))
        return replace(client, app_role_assignments=Complete(items=tuple(held)))

    found = moved(tmp_path, replace(SNAPSHOT, clients=tuple(map(again, SNAPSHOT.clients))))
    assert found == {("changed", step.title) for step in steps}


def test_a_wider_consent_is_a_changed_step(tmp_path: Path) -> None:
    """A scope more stands in one user's grant: what the step leaves behind is not what was approved."""
    (bulk,) = (s for s in read(planned(tmp_path, with_checks=True)).steps if s.action == "remove-user-consents")

    def wider(client: Client) -> Client:
        grants = items(client.oauth2_permission_grants)
        if len(grants) < bulk.target.users:
            return client
        last = replace(grants[-1], scope=f"{grants[-1].scope} openid")
        return replace(client, oauth2_permission_grants=Complete(items=(*grants[:-1], last)))

    assert moved(tmp_path, replace(SNAPSHOT, clients=tuple(map(wider, SNAPSHOT.clients)))) == {("changed", bulk.title)}


def test_another_order_alone_is_told(tmp_path: Path) -> None:
    """What is approved is also what comes first."""
    plan = read(planned(tmp_path))
    first, second, *rest = plan.steps
    swapped = (replace(second, number=1), replace(first, number=2), *rest)
    (tmp_path / "plan.json").write_bytes(encode_plan(sealed(replace(plan, steps=swapped))))
    assert moved(tmp_path, SNAPSHOT) == {("changed", "The order of the steps")}


def test_what_only_named_and_is_gone_is_gone(tmp_path: Path) -> None:
    planned(tmp_path, only=("permission:Calendars.Read",))
    assert moved(tmp_path, without(SNAPSHOT, "Calendars.Read")) == {("gone", title("Calendars.Read"))}


def test_a_plan_that_follows_another_stays_within_what_that_one_removed(tmp_path: Path) -> None:
    old = read(planned(tmp_path, without(SNAPSHOT, "User.Read.All"), "old.json"))
    path = planned(tmp_path, again=Again(follows=old.sha256, removed=permissions_of(old.steps)))
    found = refreshed(tmp_path, SNAPSHOT)
    assert found.plan == read(path)
    assert found.plan.follows == old.sha256
    assert not any("User.Read.All" in step.target.permissions for step in found.plan.steps)


def test_another_tenants_plan_and_an_undo_are_not_refreshed(tmp_path: Path) -> None:
    path = planned(tmp_path)
    with pytest.raises(RefusedError, match="The plan is for the tenant"):
        refreshed(tmp_path, replace(SNAPSHOT, tenant_id=ELSEWHERE))
    path.write_bytes(encode_plan(sealed(replace(read(path), purpose="undo"))))
    with pytest.raises(RefusedError, match="made from a journal"):
        refreshed(tmp_path, SNAPSHOT)


def test_an_emergency_plan_is_refreshed_until_the_app_is_off(tmp_path: Path) -> None:
    team = prepared(tmp_path).configuration.apps["zoom"]
    plan = build_containment(SNAPSHOT, app=IMITATION, rulebook=rulebook(), configuration=team, days=14)
    assert plan
    write_plan(plan, tmp_path / "plan.json")
    found = refreshed(tmp_path, replace(SNAPSHOT, taken_at=SNAPSHOT.taken_at.replace(day=25)))
    assert found.plan
    assert found.plan.approved_hash == plan.approved_hash
    (client,) = (c for c in SNAPSHOT.clients if c.service_principal.app_id == IMITATION)
    off = replace(client, service_principal=replace(client.service_principal, account_enabled=False))
    assert moved(tmp_path, replace(SNAPSHOT, clients=(off,))) == {("gone", plan.steps[0].title)}
