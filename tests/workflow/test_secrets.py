"""Secrets never leave memory: canaries for every way to sign in, every verb at full verbosity, faults at every layer.

Each run happens in the proxied world (tests/network.py). What it prints and writes is searched for the client secret,
the certificate's key, the federated and the job's token, the managed identity's header, the codes of a device, and
every token that the authority gave; plain, in URL form, in hex and in base64.
"""

from __future__ import annotations

import logging
import os
import re
import traceback
from pathlib import Path

import pytest
from click.testing import CliRunner

from auditor.cli.logs import show_logs
from auditor.cli.main import VERBS, cli
from auditor.graph.auth import Connection
from auditor.graph.secret import Secret
from auditor.model.canonical import to_gzip
from auditor.simulator.fault import Fault
from auditor.simulator.sample import sample
from auditor.sources.snapshot_file import encode
from tests.canary import leaks, written
from tests.network import CANARY, HEADER_CANARY, JOB_CANARY, World, reader_certificate, world
from tests.workflow.test_sign_in import WAYS, Ran, Run, by_secret, run, tenant_of_the_sample

__all__ = ["run"]

FAULTS = {
    "nothing": (),
    "a token that is never taken": (
        Fault(match="/v1.0", status=401, times=0),
        Fault(match="/beta", status=401, times=0),
    ),
    "bodies that are no JSON": (Fault(match="/v1.0", kind="not-json", times=2),),
    "a link to another host": (Fault(match="servicePrincipals", kind="foreign-next-link", times=0),),
}
QUICK = {(way, "run") for way in ("client-secret", "certificate", "github-oidc", "managed-identity")}
"""Ways and verbs that the fast suite tries; tests/workflow/test_sign_in.py signs in by each."""
OTHER_ENDS = {
    "a certificate of nobody known": {"SSL_CERT_FILE": "other-authorities.pem"},
    "no proxy": {"HTTPS_PROXY": "http://127.0.0.1:9"},
}


def secrets_of(w: World) -> dict[str, str]:
    """Return every secret of a world by its name, those too that came up while it ran."""
    key = re.sub(r"-----[^-]+-----", "", reader_certificate()[0].decode()).split()
    known = {
        "client secret": CANARY,
        "header of the managed identity": HEADER_CANARY,
        "token of the job": JOB_CANARY,
        "private key": "".join(key[:12]),
        "federated token": w.token_file.read_text(),
        "token of the simulator": w.simulator.token,
    }
    return known | {f"issued {number}": secret for number, secret in enumerate(w.simulator.secrets)}


def searched(w: World, ran: Ran, folder: Path) -> list[str]:
    texts = [("stdout", ran.out.encode()), ("stderr", ran.err.encode())]
    return leaks(secrets_of(w), [*texts, *written(folder)])


@pytest.mark.parametrize(
    ("way", "verb"),
    [
        pytest.param(way, verb, marks=[] if (way, verb) in QUICK else [pytest.mark.slow])
        for way in WAYS
        for verb in ("run", "collect", "doctor")
    ],
)
def test_no_way_to_sign_in_leaves_a_trace_of_a_secret(run: Run, tmp_path: Path, way: str, verb: str) -> None:
    """At `-vv`, with the libraries' own logs, in everything that is printed and written."""
    options, environ, *_ = WAYS[way]
    target = {"run": ("--out", "out"), "collect": ("--out", "out/snapshot.json"), "doctor": ("--format", "json")}[verb]
    with world(tenant_of_the_sample()) as w:
        ran = run(w, verb, "-vv", *options(w), *target, **environ(w))
        assert ran.code in (0, 1, 3), ran.err
        assert "httpx: HTTP Request" in ran.err
        assert searched(w, ran, tmp_path) == []


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("end", ["", *(pytest.param(end, marks=pytest.mark.slow) for end in OTHER_ENDS)])
def test_no_failure_shows_a_secret(run: Run, tmp_path: Path, fault: str, end: str) -> None:
    """Whatever goes wrong at Graph, at the authority or on the way: a clear error or an incomplete audit."""
    with world(tenant_of_the_sample(), faults=FAULTS[fault], page_size=3) as w:
        wrong = {
            name: str(w.folder / value) if value.endswith(".pem") else value
            for name, value in OTHER_ENDS.get(end, {}).items()
        }
        ran = run(w, "run", "-vv", "--auth", "client-secret", *w.client_secret, "--out", "out", **wrong)
        assert ran.code in (1, 2, 3)
        assert "Traceback" not in ran.err
        assert searched(w, ran, tmp_path) == []


@pytest.mark.parametrize("where", ["token", "request", "answer", "report"])
def test_a_traceback_with_locals_shows_no_secret_in_our_frames(monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    """Even a debugger's view of an exception at any layer: our frames hold Secrets, and the text of none."""
    with world(tenant_of_the_sample()) as w:
        known, shown = secrets_of(w), _raised(w, where, monkeypatch)
        known |= secrets_of(w)
    assert shown
    assert leaks(known, [("traceback", shown.encode())]) == []


def _raised(w: World, where: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return what a traceback with locals shows of this program's frames when something breaks at a layer."""
    from auditor.knowledge.profile import load_profile
    from auditor.model.configuration import AppConfiguration
    from auditor.sources import SourceRequest, tenant

    class BrokenError(Exception):
        pass

    def breaks(*_arguments: object, **_options: object) -> None:
        raise BrokenError

    for name, value in w.environ.items():
        monkeypatch.setenv(name, value)
    target = {
        "token": "azure.identity.ClientSecretCredential.get_token",
        "request": "httpx.AsyncClient.send",
        "answer": "auditor.graph.reader._Job.take",
        "report": "auditor.sources.tenant.identify",
    }[where]
    monkeypatch.setattr(target, breaks)
    from auditor.graph.auth import connection

    to: Connection = connection(by_secret(w), os.environ)
    request = SourceRequest(profile=load_profile("zoom"), configuration=AppConfiguration(), connection=to)
    try:
        tenant.read(request)
    except BrokenError as error:
        seen = traceback.TracebackException.from_exception(error, capture_locals=True)
        frames = [frame for frame in seen.stack if "/auditor/" in frame.filename]
        return "\n".join(f"{frame.name}: {frame.locals}" for frame in frames)
    return ""


@pytest.mark.parametrize(
    "verb", [verb if verb != "doctor" else pytest.param(verb, marks=pytest.mark.slow) for verb in VERBS]
)
def test_the_secrets_of_the_environment_stay_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str) -> None:
    """Every verb, at full verbosity, with arguments that work and with some that do not."""
    snapshot = tmp_path / "tenant.json.gz"
    snapshot.write_bytes(to_gzip(encode(sample())))
    monkeypatch.chdir(tmp_path)
    canaries = {
        "ENTRA_AUDIT_CLIENT_SECRET": "c4n4ry-cl13nt-s3cr3t",
        "ENTRA_AUDIT_CERTIFICATE_PASSWORD": "c4n4ry-p4ssw0rd-0f-key",
        "AZURE_CLIENT_SECRET": "c4n4ry-4zur3-s3cr3t",
        "ENTRA_AUDIT_SIMULATOR_TOKEN": "c4n4ry-s1mul4t0r-t0k3n",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "c4n4ry-j0b-t0k3n-l0ng",
        "IDENTITY_HEADER": "c4n4ry-h34d3r-l0ng",
        "ENTRA_AUDIT_SIMULATOR_WRITE_TOKEN": "c4n4ry-wr1t3-t0k3n-l0ng",
    }
    arguments = {
        "run": ["--snapshot", str(snapshot), "--out", "out"],
        "watch": ["--snapshot", str(snapshot), "--out", "all"],
        "collect": ["--snapshot", str(snapshot), "--out", "again.json"],
        "doctor": ["--auth", "client-secret", "--tenant-id", "contoso.example", "--client-id", "0" * 8],
        "report": ["missing.json", "--out", "out"],
        "diff": ["history:1", "history:2", "--history", "h.db"],
        "history": ["list", "--history", "h.db"],
        "evidence": ["make", "missing", "--out", "e.zip"],
        "attest": ["status", "missing.json", "--register", "missing-too.json"],
        "init": ["--snapshot", str(snapshot), "--out", "team.yaml"],
        "rules": ["list"],
        "permissions": ["Mail.Read"],
        "simulate": ["missing.json"],
        "schedule": ["status", "--reports", str(tmp_path)],
        "revoke": ["verify", "missing.json", "--auth", "client-secret"],
        "contain": ["--app", "0" * 8, "--snapshot", str(snapshot), "--out", "plan.json"],
    }[verb]
    for wrong in ([], ["--no-such-option"], ["--tenant-id", ""]):
        here = {**canaries, "ENTRA_AUDIT_SIMULATOR_URL": "http://127.0.0.1:9"}
        result = CliRunner().invoke(cli, [verb, "-vv", *arguments, *wrong], env=here)
        shown = "".join(traceback.format_exception(result.exception)) if result.exception else ""
        texts = [("output", result.output.encode()), ("exception", shown.encode()), *written(tmp_path)]
        assert leaks(canaries, texts) == []


def test_the_log_hides_what_looks_like_a_token(capsys: pytest.CaptureFixture[str]) -> None:
    """A library that logs a header or a body is not believed to be careful."""
    show_logs(2)
    try:
        logging.getLogger("azure.identity").warning("Authorization: Bearer %s", "eyJhbGciOi.eyJzdWIiOiJj.c2lnbmF0dXJl")
        logging.getLogger("httpx").info("%r, \x1b[31mred", Secret(CANARY))
    finally:
        show_logs(0)
    err = capsys.readouterr().err
    assert "eyJ" not in err
    assert CANARY not in err
    assert "\x1b" not in err
    assert "azure.identity: Authorization" in err
