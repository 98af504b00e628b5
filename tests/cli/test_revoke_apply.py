"""`revoke` from plan to undo on the demo's tenant, by the command line and over loopback, and every refusal."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec import to_builtins
from msgspec.structs import replace

from auditor.cli.logs import show_logs
from auditor.graph.auth import SIMULATOR_TOKEN, SIMULATOR_URL, SIMULATOR_WRITE_TOKEN, claims
from auditor.model.canonical import to_gzip, to_json
from auditor.model.outcome import AuditResult, Finding
from auditor.model.plan import RevokePlan
from auditor.model.snapshot import Snapshot
from auditor.remedy.seal import encode_plan, sealed
from auditor.simulator.sample import sample, sample_configuration
from auditor.simulator.server import Running, serve
from auditor.sources.snapshot_file import encode
from auditor.workflow.prepare import Prepared, prepare
from auditor.workflow.revoke import read_plan
from auditor.workflow.run import judge, render
from tests.canary import leaks, written
from tests.cli.conftest import Run
from tests.remedy.world import READS, token

NOW = datetime.now(UTC).replace(microsecond=0)
FEATURES = ("--feature", "personal-calendar-application", "--feature", "rooms-application")
TENANT = "Contoso (sample)"


def prepared(policy: str) -> Prepared:
    return prepare("zoom", config=None, policy=policy, sample=sample_configuration(NOW))


@pytest.fixture
def tenant(monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    with serve(sample(NOW)) as running:
        monkeypatch.setenv(SIMULATOR_URL, running.url)
        monkeypatch.setenv(SIMULATOR_TOKEN, running.token)
        monkeypatch.setenv(SIMULATOR_WRITE_TOKEN, running.write_token)
        yield running


@pytest.fixture
def audited(tmp_path: Path, tenant: Running) -> Callable[[str], AuditResult]:
    """Return what audits the tenant as it stands, and leaves audit.json and the snapshot in the folder."""

    def run_audit(policy: str) -> AuditResult:
        result, data = judge(tenant.snapshot, prepared(policy))
        from auditor.reporters import reporters

        (tmp_path / "audit.json").write_bytes(render(result, [reporters()["json"]])["audit.json"])
        (tmp_path / "snapshot.json.gz").write_bytes(to_gzip(data))
        return result

    return run_audit


def writes(running: Running) -> int:
    return sum(call.writes for call in running.calls)


def outcomes(result: AuditResult) -> dict[tuple[str, ...], str]:
    """Return the kind of every outcome by rule and subject, without Graph's ids."""
    found: dict[tuple[str, ...], str] = {}
    for outcome in result.outcomes:
        s = outcome.subject
        key = (outcome.rule_id, s.service_principal_id, s.resource_app_id, s.kind, s.permission, s.principal_id)
        found[key] = str(type(outcome).__name__)
    return found


def plain(result: AuditResult) -> Any:
    """Return a result without ids that Graph gives, dates of grants, and who granted."""
    new = {"grant_id", "granted_at", "granted_by", "finding_id", "graph_request", "snapshot_sha256", "got", "outcomes"}
    new |= {"audit_log_since"}

    def cleaned(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: cleaned(inner) for name, inner in value.items() if name not in new}
        return [cleaned(inner) for inner in value] if isinstance(value, list) else value

    whole = cleaned(json.loads(to_json(result)))
    whole["grants"] = sorted(whole["grants"], key=json.dumps)
    return whole


@pytest.mark.parametrize("policy", [pytest.param("minimal", marks=pytest.mark.slow), "required"])
def test_the_round_trip_closes_what_the_plan_names_and_undo_brings_all_back(
    run: Run, tmp_path: Path, tenant: Running, audited: Callable[[str], AuditResult], policy: str
) -> None:
    """With the policy `required` a permission is replaced; with both, consents of twelve people go in one step."""
    start = audited(policy)
    made = run("revoke", "plan", "audit.json", "--with-checks", "--out", "plan.json")
    assert made.code == 0, made.err
    plan = read_plan(tmp_path / "plan.json")
    actions = {one.action for one in plan.steps}
    assert "remove-user-consents" in actions
    assert ("replace-permission" in actions) == (policy == "required")
    applied = run("revoke", "apply", "plan.json", "--tenant-name", TENANT)
    assert applied.code == 0, applied.err
    assert "Effective by about" in applied.out
    after = audited(policy)
    closes = {c.finding_id for one in plan.steps for c in one.closes}
    assert closes
    assert not closes & {o.finding_id for o in after.outcomes if isinstance(o, Finding)}
    assert_nothing_else_changed(start, after, closes, plan)
    assert run("revoke", "apply", "plan.json", "--tenant-name", TENANT).code == 0
    sent = writes(tenant)
    assert sent == sum(len(one.changes) for one in plan.steps)
    assert run("revoke", "verify", "plan.json").code == 0
    closed = run("run", "--after", "plan.journal.jsonl", "--policy", policy, *FEATURES, "--out", "after")
    assert closed.code in (0, 1, 3), closed.err
    listed = json.loads((tmp_path / "after" / "audit.json").read_bytes())["closed"]
    assert {one["finding_id"] for one in listed} == closes
    assert not any(one["still_open"] for one in listed)
    undone = run("revoke", "undo", "plan.journal.jsonl", "--tenant-name", TENANT)
    assert undone.code == 0, undone.err
    assert "Privileged Role Administrator" in undone.out
    assert run("revoke", "verify", "plan.json").code == 1
    again = audited(policy)
    assert plain(again) == plain(start)
    assert outcomes(again) == outcomes(start)


def assert_nothing_else_changed(start: AuditResult, after: AuditResult, closes: set[str], plan: RevokePlan) -> None:
    """Outcomes of grants that are gone are gone, those that the plan closes are closed, and all others are the same."""
    before, now = outcomes(start), outcomes(after)
    finding = {o.finding_id: (o.rule_id, o.subject) for o in start.outcomes if isinstance(o, Finding)}
    closed = {(rule, s.service_principal_id, s.permission) for id_ in closes for rule, s in [finding[id_]]}
    gone = {
        (one.target.service_principal_id, one.target.resource_app_id, one.target.kind, permission)
        for one in plan.steps
        for permission in one.target.permissions
    }
    granted = {(one.target.service_principal_id, one.target.replaced_by) for one in plan.steps}
    for key, kind in before.items():
        rule, owner, resource, grant_kind, permission, _ = key
        if (owner, resource, grant_kind, permission) in gone and key not in now:
            continue
        if now.get(key) != kind:
            assert (rule, owner, permission) in closed, key
    for key in now.keys() - before.keys():
        assert (key[1], key[4]) in granted, key


@pytest.mark.slow
def test_rehearsal_writes_only_to_its_own_copy_and_says_what_apply_then_does(
    run: Run, tmp_path: Path, tenant: Running, audited: Callable[[str], AuditResult]
) -> None:
    audited("minimal")
    run("revoke", "plan", "audit.json", "--with-checks", "--out", "plan.json")
    ran = run("revoke", "rehearse", "plan.json", "--demo", "--format", "json", "--out", "rehearsal")
    assert ran.code == 0, ran.err
    assert writes(tenant) == 0
    rehearsed = json.loads((tmp_path / "rehearsal" / "after-audit.json").read_bytes())
    run("revoke", "apply", "plan.json", "--tenant-name", TENANT)
    real, _ = judge(tenant.snapshot, prepared("minimal"))
    assert rehearsed["headline"] == real.headline
    assert len(rehearsed["grants"]) == len(real.grants)


def edited(plan: RevokePlan) -> bytes:
    return encode_plan(plan).replace(b"Mail.Send", b"Mail.Read", 1)


REFUSED: dict[str, Callable[[RevokePlan], bytes]] = {
    "edited": edited,
    "aged": lambda plan: encode_plan(sealed(replace(plan, expires=NOW - timedelta(minutes=1)))),
    "other rules": lambda plan: encode_plan(sealed(replace(plan, rules_sha256="0" * 64))),
    "other tenant": lambda plan: encode_plan(sealed(replace(plan, tenant_id="12121212-1212-4212-8212-121212121212"))),
    "too many steps": lambda plan: encode_plan(
        sealed(replace(plan, steps=tuple(replace(plan.steps[0], number=n, id=str(n)) for n in range(26))))
    ),
    "too large a share": lambda plan: encode_plan(sealed(replace(plan, grants_of_tenant=1000, grants_removed=51))),
}


@pytest.mark.parametrize(
    "why", [why if why in {"edited", "other tenant"} else pytest.param(why, marks=pytest.mark.slow) for why in REFUSED]
)
def test_a_plan_that_may_not_be_carried_out_is_refused_without_a_write(
    run: Run, tmp_path: Path, tenant: Running, audited: Callable[[str], AuditResult], why: str
) -> None:
    audited("minimal")
    run("revoke", "plan", "audit.json", "--out", "plan.json")
    plan = read_plan(tmp_path / "plan.json")
    (tmp_path / "plan.json").write_bytes(REFUSED[why](plan))
    ran = run("revoke", "apply", "plan.json", "--tenant-name", TENANT)
    assert ran.code == 4, ran.err
    assert ran.err.count("\n") <= 2
    assert writes(tenant) == 0
    assert not (tmp_path / "plan.journal.jsonl").exists()


def planned(run: Run, audited: Callable[[str], AuditResult]) -> None:
    audited("minimal")
    assert run("revoke", "plan", "audit.json", "--out", "plan.json").code == 0


def test_another_name_than_the_tenants_is_refused(run: Run, tenant: Running, audited: Any) -> None:
    planned(run, audited)
    assert run("revoke", "apply", "plan.json", "--tenant-name", "contoso (sample)").code == 4
    assert run("revoke", "apply", "plan.json").code == 2
    assert writes(tenant) == 0


def test_a_token_without_the_write_permission_is_told_before_the_first_step(
    run: Run, tenant: Running, audited: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned(run, audited)
    monkeypatch.setenv(SIMULATOR_WRITE_TOKEN, token(*READS))
    ran = run("revoke", "apply", "plan.json", "--tenant-name", TENANT)
    assert ran.code == 2
    assert "AppRoleAssignment.ReadWrite.All" in ran.err
    assert tenant.requests == 0


def test_who_read_may_not_write(run: Run, tmp_path: Path, tenant: Running, audited: Any) -> None:
    planned(run, audited)
    plan = read_plan(tmp_path / "plan.json")
    writer = claims(tenant.write_token)
    same = replace(plan, reader_app_id=writer.appid, reader_object_id=writer.oid)
    (tmp_path / "plan.json").write_bytes(encode_plan(sealed(same)))
    ran = run("revoke", "apply", "plan.json", "--tenant-name", TENANT)
    assert ran.code == 4
    assert "two identities" in ran.err
    unknown = replace(plan, reader_app_id="", reader_object_id="")
    (tmp_path / "plan.json").write_bytes(encode_plan(sealed(unknown)))
    ran = run("revoke", "apply", "plan.json", "--tenant-name", TENANT)
    assert ran.code == 0
    assert "not known" in ran.err


def test_containing_an_app_stops_its_sign_in_and_is_undone(run: Run, tmp_path: Path, tenant: Running) -> None:
    snapshot: Snapshot = tenant.snapshot
    (tmp_path / "s.json").write_bytes(encode(snapshot))
    look_alike = "55555555-5555-4555-8555-555555555555"
    made = run("contain", "--app", look_alike, "--snapshot", "s.json", "--out", "contain.json")
    assert made.code == 0, made.err
    assert run("revoke", "apply", "contain.json", "--tenant-name", TENANT).code == 0
    app = next(c.service_principal for c in tenant.snapshot.clients if c.service_principal.app_id == look_alike)
    assert app.account_enabled is False
    assert run("revoke", "undo", "contain.journal.jsonl", "--tenant-name", TENANT).code == 0
    assert to_builtins(tenant.snapshot)["clients"] == to_builtins(snapshot)["clients"]


def test_neither_token_is_shown_or_written(run: Run, tmp_path: Path, tenant: Running, audited: Any) -> None:
    """At full verbosity, from plan to undo."""
    planned(run, audited)
    try:
        said = [
            run("revoke", "apply", "plan.json", "-vv", "--tenant-name", TENANT),
            run("revoke", "verify", "plan.json", "-vv"),
            run("revoke", "undo", "plan.journal.jsonl", "-vv", "--tenant-name", TENANT),
        ]
    finally:
        show_logs(0)
    assert [one.code for one in said] == [0, 0, 0]
    texts = [("shown", (one.out + one.err).encode()) for one in said] + list(written(tmp_path))
    tokens = {"read": tenant.token, "write": tenant.write_token}
    assert leaks({name: text.rpartition(".")[2] for name, text in tokens.items()}, texts) == []


def test_a_plan_of_nothing_known_is_no_plan(run: Run, tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_text("{}", encoding="utf-8")
    (tmp_path / "bad.json").write_text("{", encoding="utf-8")
    for name in ("plan.json", "bad.json", "absent.json"):
        assert run("revoke", "apply", name, "--tenant-name", TENANT).code == 2
    assert run("revoke", "undo", "absent.journal.jsonl").code == 2
