"""`watch`: several tenants by one configuration, from the command line to the chat, over real HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from auditor.model.canonical import to_gzip
from auditor.model.snapshot import Snapshot
from auditor.simulator.fault import Fault
from auditor.simulator.graph import LOG
from auditor.simulator.server import serve
from auditor.sources.snapshot_file import encode
from auditor.workflow.guarded import held
from tests.canary import leaks, written
from tests.cli.conftest import Ran, Run
from tests.delivery.receiver import TOKEN, Receiver, receiver
from tests.workflow.test_interruption import Interrupting
from tests.workflow.test_watch import REFUSED
from tests.workflow.watching import IDS, small

CLIENT = "00000000-aaaa-4aaa-8aaa-00000000c11e"  # A sample.
QUICK = ("--format", "json")
GUARD = {".entra-audit.lock", "last-run.json"}


def configured(folder: Path, text: str = "") -> Path:
    """A configuration of the tenants a and b, and what `text` adds."""
    path = folder / "team" / "entra-audit.yaml"
    path.parent.mkdir(exist_ok=True)
    tenants = "".join(f"  {name}: {{tenant_id: {IDS[name]}}}\n" for name in "ab")
    path.write_text(f"{text}tenants:\n{tenants}", encoding="utf-8")
    return path


@contextmanager
def served(monkeypatch: pytest.MonkeyPatch, *tenants: tuple[str, Snapshot, tuple[Fault, ...]]) -> Iterator[None]:
    """Serve tenants, each where the variables of its name say."""
    with ExitStack() as stack:
        for name, snapshot, faults in tenants:
            simulator = stack.enter_context(serve(snapshot, faults=faults))
            monkeypatch.setenv(f"ENTRA_AUDIT_SIMULATOR_URL_{name.upper()}", simulator.url)
            monkeypatch.setenv(f"ENTRA_AUDIT_SIMULATOR_TOKEN_{name.upper()}", simulator.token)
        yield


def both(*roles: str, failing: bool = False) -> tuple[tuple[str, Snapshot, tuple[Fault, ...]], ...]:
    return ("a", small("a", *roles), ()), ("b", small("b"), REFUSED if failing else ())


def audits(folder: Path) -> dict[str, dict[str, Any]]:
    found = json.loads((folder / "watch.json").read_bytes())["audits"]
    return {audit["tenant"]: audit for audit in found}


def test_each_tenant_of_the_configuration_is_audited_as_its_own(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One fails: exit 3, the other's report is there, stderr says why; the result alone stands on stdout."""
    with served(monkeypatch, *both(failing=True)):
        ran = run("watch", "--config", configured(tmp_path), "--out", "all", "--log", "log", *QUICK)
    assert ran.code == 3, ran.err
    assert "b, zoom: failed: Microsoft Graph does not take the token" in (tmp_path / "log").read_text()
    assert "2 audits, 1 failed, exit code 3" in ran.out
    assert "INCOMPLETE: what is missing is not known to be fine." in ran.out
    assert "b, Zoom: failed. Microsoft Graph does not take the token" in ran.out
    assert "a, zoom: complete" in ran.err
    assert "b, zoom: failed: Microsoft Graph does not take the token" in ran.err
    assert "Traceback" not in ran.err
    assert {path.name for path in (tmp_path / "all").iterdir()} - GUARD == {
        "a",
        "watch.csv",
        "watch.html",
        "watch.json",
    }
    assert {path.name for path in (tmp_path / "all" / "a").iterdir()} == {"audit.json", "snapshot.json.gz"}


def test_what_stands_at_a_tenant_holds_for_it_alone(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Policy, waivers and the file it is read from, relative to the configuration."""
    (tmp_path / "team").mkdir()
    (tmp_path / "team" / "c.json.gz").write_bytes(to_gzip(encode(small("c", "Mail.Read"))))
    own = """\
  own:
    snapshot: c.json.gz
    apps: {zoom: {policy: required, features: [rooms-application]}}
"""
    config = configured(tmp_path)
    config.write_text(config.read_text() + own + "  outer: {snapshot: c.json.gz}\n")
    with served(monkeypatch, *both()):
        ran = run("watch", "--config", config, "--only", "own", "--only", "outer", "--out", "all", *QUICK)
    assert ran.code == 1, ran.err
    assert list(audits(tmp_path / "all")) == ["own", "outer"]
    policies = {
        name: json.loads((tmp_path / "all" / name / "audit.json").read_bytes())["policy_name"]
        for name in ("own", "outer")
    }
    assert policies == {"own": "required", "outer": "minimal"}


@pytest.mark.slow
def test_a_tenants_audit_is_that_of_run(run: Run, tmp_path: Path) -> None:
    """The same snapshot by the same configuration gives the same bytes."""
    (tmp_path / "a.json.gz").write_bytes(to_gzip(encode(small("a", "Mail.Read"))))
    config = tmp_path / "c.yaml"
    config.write_text("apps: {zoom: {policy: minimal}}\ntenants:\n  a: {snapshot: a.json.gz}\n")
    assert run("watch", "--config", config, "--out", "all").code == 1
    assert run("run", "--config", config, "--snapshot", "a.json.gz", "--out", "one").code == 1
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "all" / "a" / path.name).read_bytes(), path.name


def test_without_tenants_the_command_line_names_one(run: Run, tmp_path: Path) -> None:
    """As `run` does: here a snapshot; its sign-in would be that of the options and the environment."""
    (tmp_path / "a.json.gz").write_bytes(to_gzip(encode(small("a"))))
    ran = run("watch", "--snapshot", "a.json.gz", "--out", "all", *QUICK)
    assert ran.code == 0, ran.err
    assert audits(tmp_path / "all")["tenant"]["state"] == "complete"


@pytest.mark.slow
def test_another_tenant_than_the_configuration_says_fails(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two tenants by one identity is a mix-up that would be kept as drift of the wrong one."""
    with served(monkeypatch, ("a", small("b"), ()), ("b", small("b"), ())):
        ran = run("watch", "--config", configured(tmp_path), "--out", "all", *QUICK)
    assert ran.code == 3
    assert "another tenant" in audits(tmp_path / "all")["a"]["why"][0]
    assert audits(tmp_path / "all")["b"]["state"] == "complete"


def test_a_secret_goes_to_nobody_whose_name_it_does_not_bear(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tenant without a secret of its own fails and names the variable; it is not given what stands for another."""
    monkeypatch.setenv("ENTRA_AUDIT_CLIENT_SECRET", "c4n4ry-0f-n0b0dy")
    monkeypatch.setenv("ENTRA_AUDIT_CLIENT_SECRET_OTHER", "c4n4ry-0f-0th3r")
    config = tmp_path / "c.yaml"
    sign_in = f"sign_in: {{method: client-secret, client_id: {CLIENT}}}"
    config.write_text(f"tenants:\n  a-b: {{tenant_id: {IDS['a']}, {sign_in}}}\n")
    ran = run("watch", "-vv", "--config", config, "--out", "all", *QUICK)
    assert ran.code == 3
    why = audits(tmp_path / "all")["a-b"]["why"][0]
    assert "ENTRA_AUDIT_CLIENT_SECRET_A_B" in why
    assert "the client secret" in why
    assert "c4n4ry" not in ran.out + ran.err + why


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (("--only", "c"), "There is no tenant 'c'. Tenants: a, b"),
        (("--tenant-id", "contoso.example"), "--tenant-id: The configuration says where each of its tenants is read"),
        (("--demo",), "--demo: The configuration says where"),
        (("--jobs", "0"), "0 is not in the range"),
        (("--fail-on", "new:high"), "only be told from a history"),
        (("--format", "pdf"), "There is no format 'pdf'"),
        (("--notify-file", "missing"), "The file of the addresses of notifications cannot be read"),
    ],
)
def test_a_wrong_command_reads_nothing(run: Run, tmp_path: Path, arguments: tuple[str, ...], what: str) -> None:
    """Exit 2 is for what is wrong with the command or the configuration, and for nothing else."""
    ran = run("watch", "--config", configured(tmp_path), "--out", "all", *arguments)
    assert ran.code == 2
    assert what in " ".join(ran.err.split())
    assert not (tmp_path / "all" / "watch.json").exists()


def test_a_wrong_configuration_stops_the_watch_before_it_begins(run: Run, tmp_path: Path) -> None:
    """With file and line, also where only one tenant is concerned."""
    config = configured(tmp_path)
    config.write_text(config.read_text() + "  c: {tenant_id: x, cloud: mars}\n")
    ran = run("watch", "--config", config, "--out", "all", "--only", "a")
    assert ran.code == 2
    assert "entra-audit.yaml:4:" in ran.err
    assert "'mars' is not a cloud" in ran.err


def test_ctrl_c_leaves_nothing_half_written(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """130, one line that says so, and no report, while two tenants are being read."""
    handler = Interrupting(5)
    level = LOG.level
    LOG.addHandler(handler)
    LOG.setLevel("INFO")
    try:
        with served(monkeypatch, *both()):
            ran = run("watch", "--config", configured(tmp_path), "--out", "all")
    finally:
        LOG.removeHandler(handler)
        LOG.setLevel(level)
    assert ran.code == 130
    assert ran.err.endswith("entra-audit: interrupted; nothing was left half-written.\n")
    assert "Traceback" not in ran.err
    assert {path.name for path in (tmp_path / "all").rglob("*")} <= GUARD


# Notifications


@pytest.fixture
def chat(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """A chat that the environment names."""
    with receiver() as found:
        monkeypatch.setenv("ENTRA_AUDIT_NOTIFY", found.address)
        yield found


@pytest.mark.slow
def test_a_chat_hears_of_changes_and_failures_and_of_nothing_else(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chat: Receiver
) -> None:
    """Once that watching has begun, then silence; a permission that came; silence; a tenant that fails."""
    config = configured(tmp_path, "history: runs.db\n")

    def watched(*roles: str, failing: bool = False) -> tuple[int, list[dict[str, Any]]]:
        chat.messages.clear()
        with served(monkeypatch, *both(*roles, failing=failing)):
            ran = run("watch", "-vv", "--config", config, "--out", "all", *QUICK)
        texts = [("out", ran.out.encode()), ("err", ran.err.encode()), *written(tmp_path)]
        assert leaks({"token": TOKEN}, texts) == []
        return ran.code, chat.messages

    code, [begun] = watched()
    assert code == 0
    assert begun["title"] == "entra-audit: watching has begun"
    assert "a (Zoom): watching has begun. Findings: " in begun["message"]
    assert watched() == (0, [])
    code, [changed] = watched("Mail.Read")
    assert code == 1
    assert "1 came" in changed["title"]
    assert "a: came: Mail.Read (application) of Zoom" in changed["message"]
    assert f"Exit code 1. Report: {tmp_path / 'all' / 'watch.html'}" in changed["message"]
    assert watched("Mail.Read") == (1, [])
    code, [failed] = watched("Mail.Read", failing=True)
    assert code == 3
    assert failed["type"] == "failure"
    assert failed["title"] == "entra-audit: 1 failed"
    assert "FAILED b (Zoom): Microsoft Graph does not take the token" in failed["message"]
    assert (tmp_path / "team" / "runs.db").exists()


def quiet(run: Run, tmp_path: Path, *arguments: str) -> Ran:
    """One run over a snapshot in which there is nothing to find."""
    (tmp_path / "a.json.gz").write_bytes(to_gzip(encode(small("a"))))
    return run("watch", "--snapshot", "a.json.gz", "--out", "all", *QUICK, *arguments)


def test_a_channel_that_fails_changes_nothing_of_the_result(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The exit code and the reports are those of a run without it; stderr says which, and shows no address."""
    alone = quiet(run, tmp_path, "--history", "one.db")
    with receiver(status=500) as broken, receiver() as good:
        monkeypatch.setenv("ENTRA_AUDIT_NOTIFY", f"{broken.address}\nnosuch://{TOKEN}\n{good.address}")
        ran = quiet(run, tmp_path, "-vv", "--history", "two.db", "--log", "log")
    assert (ran.code, ran.out) == (alone.code, alone.out)
    assert "Notification channel 1 (json) was not told: " in ran.err
    assert "Notification channel 2 (nosuch) was not told: " in ran.err
    assert "The result stands." in ran.err
    assert "Notification channel 2 (nosuch) was not told: " in (tmp_path / "log").read_text()
    assert len(good.messages) == 1
    texts = [("out", ran.out.encode()), ("err", ran.err.encode()), *written(tmp_path)]
    assert leaks({"token": TOKEN}, texts) == []


def test_addresses_come_from_a_file_that_nobody_else_reads(run: Run, tmp_path: Path, chat: Receiver) -> None:
    """It takes the place of the environment, and is refused where others may read it."""
    file = tmp_path / "addresses"
    with receiver() as other:
        file.write_text(f"# the team\n{other.address}\n")
        file.chmod(0o644)
        refused = quiet(run, tmp_path, "--history", "h.db", "--notify-file", "addresses")
        assert refused.code == 2
        assert "may be read or changed by others" in refused.err
        assert TOKEN not in refused.err
        file.chmod(0o600)
        assert quiet(run, tmp_path, "--history", "h.db", "--notify-file", "addresses").code == 0
    assert len(other.messages) == 1
    assert chat.messages == []


def test_a_quiet_run_is_told_where_the_team_asks_for_it(run: Run, tmp_path: Path, chat: Receiver) -> None:
    """Otherwise, without a history, only failures are; and a note says so."""
    assert "Without a history nobody knows what changed" in quiet(run, tmp_path).err
    assert chat.messages == []
    (tmp_path / "c.yaml").write_text("notify: {unchanged: true}\n")
    assert "Without a history" not in quiet(run, tmp_path, "--config", "c.yaml").err
    assert [message["title"] for message in chat.messages] == ["entra-audit: not compared"]
    assert "nothing to compare with. Findings: 1 info." in chat.messages[0]["message"]


def test_a_watch_that_comes_to_no_report_is_told(run: Run, tmp_path: Path, chat: Receiver) -> None:
    """A schedule whose configuration broke does not go silent."""
    (tmp_path / "c.yaml").write_text("tenants: {a: {}}\n")
    ran = quiet(run, tmp_path, "--config", "c.yaml")
    assert ran.code == 2
    [message] = chat.messages
    assert message["title"] == "entra-audit: the watch failed"
    assert "Nothing says where this tenant is read" in message["message"]
    assert message["message"].endswith("Exit code 2.")


def test_a_watch_that_could_not_even_begin_is_told(run: Run, tmp_path: Path, chat: Receiver) -> None:
    """A run that hangs holds the lock, and a folder becomes a file: each later run is refused, and somebody hears."""
    with held(tmp_path / "all" / ".entra-audit.lock"):
        assert quiet(run, tmp_path).code == 2
    (tmp_path / "file").touch()
    assert quiet(run, tmp_path, "--out", "file").code == 2
    assert [message["title"] for message in chat.messages] == ["entra-audit: the watch failed"] * 2
    assert "Another run is under way" in chat.messages[0]["message"]
    assert "A file stands where the folder should be" in chat.messages[1]["message"]
