"""What is promised of `doctor` at the command line: what it says, how it ends, and that no secret shows."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from msgspec.structs import replace

from auditor.simulator.fault import Fault
from auditor.simulator.server import serve
from tests import network
from tests.cli.conftest import Run
from tests.graph.contoso import TENANT, contoso
from tests.graph.wireserver import Got, Reply, wire_server
from tests.hostile import HOSTILE
from tests.network import CANARY, CLIENT, world


def jwt(claims: Mapping[str, object]) -> str:
    """Return an unsigned token that says this."""
    return ".".join(
        base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in ({}, claims, {})
    )


def graph(organization: str) -> Callable[[Got], Reply]:
    """Return a Graph that answers every member of a batch with one row, named `organization`."""

    def respond(got: Got) -> Reply:
        row = {"id": TENANT, "displayName": organization}
        members = json.loads(got.body)["requests"]
        return Reply({"responses": [{"id": m["id"], "status": 200, "body": {"value": [row]}} for m in members]})

    return respond


def test_everything_is_there(run: Run) -> None:
    """On the made-up tenant: exit 0, the tenant's name, each permission; nothing on stderr, as no terminal watches."""
    done = run("doctor", "--demo")
    assert (done.code, done.err) == (0, "")
    assert "Contoso (sample)" in done.out
    assert re.search(r"held +Organization\.Read\.All by Directory\.Read\.All", done.out)
    assert "Nothing that a rule asks is closed" in done.out
    assert "\x1b" not in done.out


def test_json_is_one_document_for_machines(run: Run) -> None:
    """The same, with a name of its format; sorted, so that equal findings are equal texts."""
    done = run("doctor", "--demo", "--format", "json")
    told = json.loads(done.out)
    assert (done.code, told["exit_code"]) == (0, 0)
    assert (told["schema"], told["version"]) == ("entra-auditor/doctor", 1)
    assert list(told) == sorted(told)
    assert {row["state"] for row in told["permissions"]} == {"held"}


def test_what_lacks_is_named_and_exits_with_3(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The permission, its collections and rules with their numbers, and the word INCOMPLETE."""
    fault = Fault(match="/beta/reports/", status=403, times=0)
    with serve(contoso(), faults=(fault,)) as running:
        monkeypatch.setenv("ENTRA_AUDIT_SIMULATOR_URL", running.url)
        monkeypatch.setenv("ENTRA_AUDIT_SIMULATOR_TOKEN", running.token)
        done = run("doctor")
        as_json = run("doctor", "--format", "json")
    assert done.code == as_json.code == 3
    assert re.search(r"refused +AuditLog\.Read\.All", done.out)
    assert "1 collection unread: signInActivity" in done.out
    assert "1 rule not evaluated: no-sign-in" in done.out
    assert "INCOMPLETE: 1 of " in done.out
    assert "ENTRA_AUDIT_SIMULATOR_URL" in done.out
    assert json.loads(as_json.out)["rules_left"] == ["no-sign-in"]


def test_the_whole_sign_in_is_shown_and_tried(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over TLS at the real hosts' names, through a proxy, with a secret: every part with its origin, and no secret."""
    with world(contoso()) as w:
        for name, value in {**w.environ, "AZURE_TENANT_ID": TENANT}.items():
            monkeypatch.setenv(name, value)
        done = run("doctor", "--auth", "client-secret", "--client-id", CLIENT, "--secret-file", str(w.secret_file))
        assert w.refused_hosts == []
        assert w.hosts == {"login.microsoftonline.com", "graph.microsoft.com"}
    assert done.code == 0, done.err
    shown = dict(re.findall(r"^  (\S.{23}) *(\S.*)$", done.out, re.MULTILINE))
    said = {label.strip(): value for label, value in shown.items()}
    assert said["method"] == "client-secret  (--auth)"
    assert said["the tenant's id"] == f"{TENANT}  (AZURE_TENANT_ID)"
    assert said["the client secret"] == "given  (--secret-file)"
    assert said["proxy"] == f"{w.environ['HTTPS_PROXY']}  (HTTPS_PROXY)"
    assert said["trusted authorities"] == f"{w.ca}  (SSL_CERT_FILE)"
    assert CLIENT in done.out
    assert "valid until" in done.out
    assert CANARY not in done.out + done.err
    assert "eyJ" not in done.out + done.err


def test_what_the_cloud_does_not_have_is_told(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Outside the global cloud there is no report of sign-ins: exit 3 before anybody waits for one."""
    with world(contoso(), cloud="us-gov-l4") as w:
        for name, value in w.environ.items():
            monkeypatch.setenv(name, value)
        done = run("doctor", "--cloud", "us-gov-l4", "--auth", "client-secret", *w.client_secret)
    assert done.code == 3, done.err
    assert re.search(r"not in this cloud +signInActivity\n", done.out)
    assert "us-gov-l4: US Government L4 (GCC High)  (--cloud)" in done.out


def test_a_person_is_shown_with_scopes_and_roles_at_most(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Scope times role: both are shown, and that they are an upper bound."""
    token = jwt(
        {
            "tid": TENANT,
            "appid": CLIENT,
            "scp": "openid AuditLog.Read.All Directory.Read.All",
            "upn": "sam.rivera@contoso.example",
            "wids": ["5d6b6bb7-de71-4623-b4af-96380a352509"],
        }
    )
    with wire_server(graph("Contoso (sample)")) as wire:
        monkeypatch.setenv("ENTRA_AUDIT_SIMULATOR_URL", wire.url)
        monkeypatch.setenv("ENTRA_AUDIT_SIMULATOR_TOKEN", token)
        done = run("doctor")
    assert done.code == 0, done.err
    assert "sam.rivera@contoso.example" in done.out
    assert re.search(r"directory roles +Security Reader\n", done.out)
    assert "At most: a scope reaches no further than the person's own roles." in done.out
    assert token not in done.out


def test_an_identity_that_could_write_is_warned_of_once_and_refused_when_strict(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line by name; with --strict-identity exit 2 and why on stderr."""
    claims = {
        "tid": TENANT,
        "appid": CLIENT,
        "roles": ["AuditLog.Read.All", "Directory.ReadWrite.All", "Directory.Read.All"],
    }
    with wire_server(graph("Contoso (sample)")) as wire:
        monkeypatch.setenv("ENTRA_AUDIT_SIMULATOR_URL", wire.url)
        monkeypatch.setenv("ENTRA_AUDIT_SIMULATOR_TOKEN", jwt(claims))
        done, strict = run("doctor"), run("doctor", "--strict-identity")
        as_json = run("doctor", "--strict-identity", "--format", "json")
    assert done.code == 0
    assert done.out.count("Directory.ReadWrite.All") == 2  # Among the permissions, and in the warning.
    assert done.out.count("Warning: ") == 1
    assert strict.code == as_json.code == 2
    assert "--strict-identity: The identity that reads could also write: Directory.ReadWrite.All." in strict.err
    assert "Refused." in strict.out
    assert json.loads(as_json.out)["error"] in as_json.err


def test_no_sign_in_shows_what_was_tried_and_exits_with_2(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which method with which parts, on stdout; why it failed, on stderr."""
    with world(contoso(), identities=replace(network.identities(), registrations=())) as w:
        for name, value in w.environ.items():
            monkeypatch.setenv(name, value)
        done = run("doctor", "--auth", "client-secret", *w.client_secret)
    assert done.code == 2
    assert "client-secret  (--auth)" in done.out
    assert "held" not in done.out
    assert "AADSTS700016" in done.err
    assert CANARY not in done.out + done.err


def test_hostile_names_are_made_printable(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tenant's, the app's, the person's, roles': nothing of them steers a terminal, in any output."""
    short = [name for name in HOSTILE if len(name) < 200]  # A token is a header, and those have bounds.
    whole = "".join(short)
    claims = {"tid": whole, "appid": whole, "app_displayname": whole, "upn": whole, "roles": short}
    with wire_server(graph("".join(HOSTILE))) as wire:
        monkeypatch.setenv("ENTRA_AUDIT_SIMULATOR_URL", wire.url)
        monkeypatch.setenv("ENTRA_AUDIT_SIMULATOR_TOKEN", jwt(claims))
        done, as_json = run("doctor", "--strict-identity"), run("doctor", "--format", "json")
    assert (done.code, as_json.code) == (2, 3)
    steering = r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069]"
    assert re.findall(steering, done.out + done.err) == []
    assert len(json.loads(as_json.out)["token"]["permissions"]) > 300


@pytest.mark.parametrize("kind", ["certificate", "federated"])
def test_print_setup_needs_nothing_and_runs_nothing(kind: str, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Offline and without a sign-in: the script on stdout, ready to be saved; no file, no program."""
    monkeypatch.setenv("PATH", "/absent")
    done = run("doctor", "--print-setup", kind, "--cloud", "us-gov-l4", "--tenant-id", TENANT)
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("#!/bin/sh\n")
    assert done.out.endswith("END\n")
    assert "https://graph.microsoft.us" in done.out
    assert TENANT in done.out
    assert list(Path.cwd().iterdir()) == []


def test_print_setup_refuses_a_tenant_that_is_no_id(run: Run) -> None:
    """Nothing unchecked gets into a script."""
    done = run("doctor", "--print-setup", "certificate", "--tenant-id", "$(id)")
    assert (done.code, done.out) == (2, "")
    assert "--tenant-id: '$(id)' is no tenant id." in done.err


@pytest.mark.parametrize(
    "options", [("--snapshot", "a.json"), ("--graph-export", "."), ("--demo", "--taken-at", "2026-11-22T09:14:00Z")]
)
def test_only_a_live_tenant_is_looked_at(options: tuple[str, ...], run: Run) -> None:
    """A file has no sign-in."""
    done = run("doctor", *options)
    assert (done.code, done.out) == (2, "")
    assert "live tenant" in done.err
    assert options[-2] in done.err
