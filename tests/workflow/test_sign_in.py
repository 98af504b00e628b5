"""Every way to sign in, from the command line to a finished audit, through azure-identity over TLS.

Nothing of the program is replaced: a proxy on this machine leads its real hosts to the simulator (tests/network.py).
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest
from azure.core.credentials import AccessToken

from auditor.cli.main import main
from auditor.errors import SignInError
from auditor.graph.auth import Connection, SignIn, connection
from auditor.graph.clouds import CLOUDS
from auditor.graph.secret import Secret
from auditor.graph.ways import Method
from auditor.knowledge.profile import load_profile
from auditor.model.configuration import AppConfiguration
from auditor.model.snapshot import EXCHANGE, Snapshot, ledger
from auditor.simulator.bodies import uuid
from auditor.simulator.fault import Fault
from auditor.simulator.identities import AZURE_CLI
from auditor.simulator.sample import sample
from auditor.sources import SourceRequest, tenant
from auditor.sources.snapshot_file import SOURCE
from tests import network
from tests.network import (
    APP_SERVICE,
    CANARY,
    CLIENT,
    GITHUB_HOST,
    HEADER_CANARY,
    JOB_CANARY,
    MACHINE,
    MANAGED,
    SYSTEM,
    THIEF,
    World,
    world,
)

GRAPH, LOGIN = "graph.microsoft.com", "login.microsoftonline.com"
SECRETS = (CANARY, HEADER_CANARY, JOB_CANARY, "eyJ")


class Ran(NamedTuple):
    code: int
    out: str
    err: str


Run = Callable[..., Ran]


@cache
def tenant_of_the_sample() -> Snapshot:
    return sample()


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Call `entra-audit` in a world: its variables, an empty folder, and others of the test."""
    monkeypatch.chdir(tmp_path)

    def call(w: World, *arguments: str | Path, **environ: str) -> Ran:
        for name, value in {**w.environ, **environ}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", ["entra-audit", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        return Ran(int(str(ended.value.code)), captured.out, captured.err)

    return call


def collected(path: Path) -> Snapshot:
    profile, team = load_profile("zoom"), AppConfiguration()
    return SOURCE.read(SourceRequest(profile=profile, configuration=team, location=str(path)))


Read = Callable[..., Snapshot]


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Read:
    """Read the tenant in a world, as a sign-in or a connection says; the command line's part is left out."""

    def call(w: World, how: SignIn | Connection, **environ: str) -> Snapshot:
        for name, value in {**w.environ, **environ}.items():
            monkeypatch.setenv(name, value)
        to = how if isinstance(how, Connection) else connection(how, os.environ)
        profile, team = load_profile("zoom"), AppConfiguration()
        return tenant.read(SourceRequest(profile=profile, configuration=team, connection=to))

    return call


def by_secret(w: World) -> SignIn:
    secret = Secret(CANARY)
    return SignIn(method="client-secret", cloud=w.cloud, tenant_id=w.tenant, client_id=CLIENT, secret=secret)


def by_github(w: World) -> SignIn:
    return SignIn(method="github-oidc", cloud=w.cloud, tenant_id=w.tenant, client_id=CLIENT)


def gaps(snapshot: Snapshot) -> list[str]:
    """Return what could not be read in full; Exchange is never read."""
    return [
        entry.collection for entry in ledger(snapshot) if entry.state != "complete" and entry.collection != EXCHANGE
    ]


def github(_w: World) -> dict[str, str]:
    return {
        "ACTIONS_ID_TOKEN_REQUEST_URL": f"https://{GITHUB_HOST}/00000000//idtoken?api-version=2.0",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": JOB_CANARY,
    }


def app_service(_w: World) -> dict[str, str]:
    return {"IDENTITY_ENDPOINT": f"http://{APP_SERVICE}/msi/token", "IDENTITY_HEADER": HEADER_CANARY}


def variables(w: World) -> dict[str, str]:
    return {"AZURE_TENANT_ID": w.tenant, "AZURE_CLIENT_ID": CLIENT, "AZURE_CLIENT_SECRET": CANARY}


def variables_with_certificate(w: World) -> dict[str, str]:
    certificate = {"AZURE_CLIENT_CERTIFICATE_PATH": str(w.certificate)}
    return {"AZURE_TENANT_ID": w.tenant, "AZURE_CLIENT_ID": CLIENT, **certificate}


def pod(w: World) -> dict[str, str]:
    """Return what Azure's webhook sets in a pod of Kubernetes."""
    host, file = f"https://{w.cloud.authority}/", str(w.token_file)
    app = {"AZURE_TENANT_ID": w.tenant, "AZURE_CLIENT_ID": CLIENT}
    return {**app, "AZURE_AUTHORITY_HOST": host, "AZURE_FEDERATED_TOKEN_FILE": file}


def fake_azure_cli(w: World) -> dict[str, str]:
    """Put an `az` on the path that prints a token which Graph takes, and writes down what it was asked."""
    az = w.folder / "az"
    answer = json.dumps({"accessToken": w.simulator.token, "expires_on": 2082758400})
    az.write_text(f"#!/bin/sh\necho \"$@\" > '{w.folder}/asked'\ncat <<'END'\n{answer}\nEND\n")
    az.chmod(0o700)
    return {"PATH": f"{w.folder}:/usr/bin:/bin"}


def nothing(_w: World) -> dict[str, str]:
    return {}


class Way(NamedTuple):
    """A way to sign in: what a person types and sets, and what has to come of it."""

    options: Callable[[World], tuple[str, ...]]
    environ: Callable[[World], dict[str, str]]
    reader: str
    grants: tuple[str, ...]
    hosts: frozenset[str]


APP_GRANT = ("client_credentials",)
WAYS = {
    "default": Way(lambda _: (), variables, CLIENT, APP_GRANT, frozenset({LOGIN})),
    "environment": Way(lambda _: ("--auth", "environment"), variables, CLIENT, APP_GRANT, frozenset({LOGIN})),
    "environment, certificate": Way(
        lambda _: ("--auth", "environment"), variables_with_certificate, CLIENT, APP_GRANT, frozenset({LOGIN})
    ),
    "azure-cli": Way(
        lambda w: ("--auth", "azure-cli", "--tenant-id", w.tenant),
        fake_azure_cli,
        uuid("sample reader"),
        (),
        frozenset(),
    ),
    "client-secret": Way(
        lambda w: ("--auth", "client-secret", *w.client_secret), nothing, CLIENT, APP_GRANT, frozenset({LOGIN})
    ),
    "client-secret, variables": Way(
        lambda _: ("--auth", "client-secret"), variables, CLIENT, APP_GRANT, frozenset({LOGIN})
    ),
    "certificate": Way(
        lambda w: ("--auth", "certificate", *w.app, "--certificate", str(w.certificate)),
        nothing,
        CLIENT,
        APP_GRANT,
        frozenset({LOGIN}),
    ),
    "managed-identity, machine": Way(
        lambda _: ("--auth", "managed-identity"), nothing, SYSTEM, ("managed-identity",), frozenset({MACHINE})
    ),
    "managed-identity, machine, user-assigned": Way(
        lambda _: ("--auth", "managed-identity", "--client-id", MANAGED),
        nothing,
        MANAGED,
        ("managed-identity",),
        frozenset({MACHINE}),
    ),
    "managed-identity, App Service": Way(
        lambda _: ("--auth", "managed-identity"), app_service, SYSTEM, ("managed-identity",), frozenset({APP_SERVICE})
    ),
    "managed-identity, App Service, user-assigned": Way(
        lambda _: ("--auth", "managed-identity", "--client-id", MANAGED),
        app_service,
        MANAGED,
        ("managed-identity",),
        frozenset({APP_SERVICE}),
    ),
    "workload-identity": Way(
        lambda w: ("--auth", "workload-identity", *w.app, "--token-file", str(w.token_file)),
        nothing,
        CLIENT,
        APP_GRANT,
        frozenset({LOGIN}),
    ),
    "workload-identity, variables": Way(
        lambda _: ("--auth", "workload-identity"), pod, CLIENT, APP_GRANT, frozenset({LOGIN})
    ),
    "github-oidc": Way(
        lambda w: ("--auth", "github-oidc", *w.app),
        github,
        CLIENT,
        ("id-token", *APP_GRANT),
        frozenset({LOGIN, GITHUB_HOST}),
    ),
    "device-code": Way(
        lambda w: ("--auth", "device-code", *w.app), nothing, CLIENT, ("device_code",), frozenset({LOGIN})
    ),
    "device-code, without an app of one's own": Way(
        lambda _: ("--auth", "device-code"), nothing, AZURE_CLI, ("device_code",), frozenset({LOGIN})
    ),
}


VARIANTS = (
    "environment, certificate",
    "client-secret, variables",
    "managed-identity, machine, user-assigned",
    "managed-identity, App Service",
    "device-code, without an app of one's own",
)
"""What differs from another way in a detail; the other tests take a second each."""


@pytest.mark.parametrize(
    "way", [pytest.param(way, marks=[pytest.mark.slow] if way in VARIANTS else []) for way in WAYS]
)
def test_every_way_to_sign_in_ends_in_a_finished_audit(run: Run, tmp_path: Path, way: str) -> None:
    """One token is asked for, as the identity that was named; no host is asked but the authority's and Graph's."""
    options, environ, reader, grants, hosts = WAYS[way]
    with world(tenant_of_the_sample()) as w:
        ran = run(w, "run", *options(w), "--format", "json", "--out", "out", **environ(w))
        assert ran.code == 1, ran.err
        assert [request.grant for request in w.token_requests] == list(grants)
        assert all(request.given for request in w.token_requests)
        assert w.hosts == {GRAPH, *hosts}
        assert w.refused_hosts == []
    assert json.loads((tmp_path / "out" / "audit.json").read_text())["grants"]
    assert collected(tmp_path / "out" / "snapshot.json.gz").source.reader_app_id == reader
    assert not [secret for secret in SECRETS if secret in ran.out + ran.err]


def browser(folder: Path) -> str:
    """Return a BROWSER that does what a person's does: open the page, and send the form that it holds."""
    script = folder / "browser.py"
    script.write_text(
        "import html, re, sys, httpx\n"
        "page = httpx.get(sys.argv[1]).raise_for_status().text\n"
        'pairs = re.findall(r\'name="(\\w+)" value="([^"]*)"\', page)\n'
        'back = html.unescape(re.search(r\'action="([^"]*)"\', page)[1])\n'
        "httpx.post(back, data={n: html.unescape(v) for n, v in pairs}, trust_env=False).raise_for_status()\n"
    )
    return f"{sys.executable} {script} %s &"


def audited(w: World, folder: Path, *options: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run the command line as it is, in a process of its own."""
    command = [sys.executable, "-m", "auditor", "run", *options, "--format", "json", "--out", str(folder / "out")]
    surroundings = network.environment(w, **environ)
    return subprocess.run(command, env=surroundings, cwd=folder, capture_output=True, text=True, check=False)


def test_a_browser_signs_a_person_in(tmp_path: Path) -> None:
    """From the real command line, through the program that BROWSER names, back to the port that waits for it."""
    with world(tenant_of_the_sample()) as w:
        done = audited(w, tmp_path, "--auth", "browser", *w.app, BROWSER=browser(tmp_path))
        assert done.returncode == 1, done.stderr
        assert [(request.grant, request.given) for request in w.token_requests] == [("authorization_code", True)]
        assert w.hosts == {GRAPH, LOGIN}
        assert w.refused_hosts == []
    assert collected(tmp_path / "out" / "snapshot.json.gz").source.reader_app_id == CLIENT
    assert not [secret for secret in SECRETS if secret in done.stdout + done.stderr]


def test_without_a_browser_the_advice_is_another_method(tmp_path: Path) -> None:
    with world(tenant_of_the_sample()) as w:
        done = audited(w, tmp_path, "--auth", "browser", *w.app, BROWSER="/bin/false %s", PATH="/none")
    assert (done.returncode, done.stdout) == (2, "")
    assert "device-code" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_unmodified_command_line_reads_its_real_hosts(tmp_path: Path) -> None:
    """`python -m auditor run`, in a process of its own, led by the environment alone."""
    with world(tenant_of_the_sample()) as w:
        done = audited(w, tmp_path, "--auth", "client-secret", *w.client_secret)
        assert done.returncode == 1, done.stderr
        assert w.hosts == {GRAPH, LOGIN}
        assert w.refused_hosts == []
        assert len(w.token_requests) == 1
        assert w.calls
    assert not [secret for secret in SECRETS if secret in done.stdout + done.stderr]


def test_a_person_who_takes_a_while_is_waited_for(run: Run) -> None:
    """The prompt is on stderr: the address and the code to type, and no other code."""
    with world(tenant_of_the_sample(), identities=network.identities(pending=1)) as w:
        ran = run(w, "collect", "--auth", "device-code", *w.app, "--out", "snapshot.json")
        assert ran.code == 0, ran.err
        assert [request.given for request in w.token_requests] == [False, True]
    (prompt,) = [line for line in ran.err.splitlines() if "devicelogin" in line]
    assert re.fullmatch(
        r"To sign in, open https://microsoft\.com/devicelogin and enter the code SMPL[0-9A-F]{4} "
        r"before \d\d:\d\d UTC\.",
        prompt,
    )
    assert ran.out.strip() == "snapshot.json"


@pytest.mark.parametrize("name", CLOUDS)
def test_a_cloud_is_read_at_its_own_hosts_only(run: Run, tmp_path: Path, name: str) -> None:
    """Authority, host and scope switch together; the authority gives no token for another cloud's Graph."""
    cloud = CLOUDS[name]
    with world(tenant_of_the_sample(), cloud=name) as w:
        ran = run(w, "collect", "--cloud", name, "--auth", "client-secret", *w.client_secret, "--out", "snapshot.json")
        assert ran.code in (0, 3), ran.err
        assert w.hosts == {cloud.graph.removeprefix("https://"), cloud.authority}
        assert w.refused_hosts == []
        assert [request.given for request in w.token_requests] == [True]
    assert collected(tmp_path / "snapshot.json").source.cloud == name


@pytest.mark.parametrize(
    ("name", "method"),
    [("us-gov-l4", "github-oidc"), ("us-gov-l5", "device-code"), ("china", "workload-identity"), ("china", "default")],
)
def test_every_kind_of_sign_in_stays_in_its_cloud(read: Read, name: str, method: Method) -> None:
    """A person's, a federated one with the cloud's own audience, and the chain."""
    cloud = CLOUDS[name]
    environ = {"default": variables, "workload-identity": pod, "github-oidc": github}.get(method, nothing)
    with world(tenant_of_the_sample(), cloud=name) as w:
        sign_in = by_github(w) if method == "github-oidc" else SignIn(method=method, cloud=cloud)
        read(w, sign_in, **environ(w))
        assert w.hosts - {GITHUB_HOST} == {cloud.graph.removeprefix("https://"), cloud.authority}
        assert w.refused_hosts == []


def test_the_chain_takes_no_workload_identity_to_another_cloud(read: Read) -> None:
    """Where nothing says so, azure-identity would present the pod's token to the public cloud."""
    with world(tenant_of_the_sample(), cloud="china") as w:
        environ = {name: value for name, value in pod(w).items() if name != "AZURE_AUTHORITY_HOST"}
        with pytest.raises(SignInError):
            read(w, SignIn(cloud=w.cloud), **environ, PATH="/none")
        assert LOGIN not in w.refused_hosts


@pytest.mark.parametrize(
    ("proxy", "variable"),
    [
        ("HTTPS_PROXY", "SSL_CERT_FILE"),
        ("https_proxy", "REQUESTS_CA_BUNDLE"),
        ("ALL_PROXY", "CURL_CA_BUNDLE"),
    ],
)
def test_any_of_the_usual_variables_leads_through_a_company(read: Read, proxy: str, variable: str) -> None:
    """The proxy and the authorities hold for Graph and for the token endpoint, whichever variable names them."""
    with world(tenant_of_the_sample()) as w:
        w.environ = {proxy: w.environ["HTTPS_PROXY"], variable: str(w.ca)}
        assert gaps(read(w, by_secret(w))) == []
        assert w.hosts == {GRAPH, LOGIN}


class Once:
    """A credential of one's own: gives the simulator's token, and counts."""

    def __init__(self, token: str) -> None:
        self.token = token
        self.asked = 0

    def get_token(self, *_scopes: str, **_options: object) -> AccessToken:
        self.asked += 1
        return AccessToken(self.token, 2**40)


def test_a_credential_of_ones_own_is_asked_once_per_token(read: Read) -> None:
    """And not once per request, which is how often the SDK asks."""
    with world(tenant_of_the_sample()) as w:
        mine = Once(w.simulator.token)
        read(w, Connection(base_url=w.cloud.graph, credential=lambda: mine))
        assert w.simulator.requests > 5
        assert mine.asked == 1


def test_a_token_that_graph_refuses_is_asked_for_once_more(read: Read) -> None:
    """A 401 in the middle of a run costs one new token and nothing else."""
    fault = Fault(match=r"POST .*\$batch", status=401, after=1)
    with world(tenant_of_the_sample(), faults=(fault,)) as w:
        assert gaps(read(w, by_secret(w))) == []
        assert [request.given for request in w.token_requests] == [True, True]


def test_a_token_that_graph_goes_on_refusing_is_given_up(run: Run) -> None:
    """One new token, not one for every request; then the sign-in has failed."""
    fault = Fault(match=".", status=401, times=0)
    with world(tenant_of_the_sample(), faults=(fault,)) as w:
        ran = run(w, "collect", "--auth", "client-secret", *w.client_secret, "--out", "snapshot.json")
        assert (ran.code, ran.out) == (2, "")
        assert "does not take the token" in ran.err
        assert len(w.token_requests) == 2


def test_calls_that_stay_refused_cost_one_new_token_together(read: Read) -> None:
    """What Graph does not let this identity read is a gap, and no reason to ask the authority again and again."""
    fault = Fault(match=r"POST .*\$batch", status=401, times=0)
    with world(tenant_of_the_sample(), faults=(fault,)) as w:
        assert gaps(read(w, by_secret(w)))
        assert sum("$batch" in call.target for call in w.calls) > 3
        assert len(w.token_requests) == 2


def test_a_token_that_is_about_to_expire_is_asked_for_again(read: Read) -> None:
    """azure-identity's own cache does not give the old one again."""
    with world(tenant_of_the_sample(), identities=network.identities(lifetime=60)) as w:
        assert gaps(read(w, by_secret(w))) == []
        assert len(w.token_requests) > 1
        assert all(request.given for request in w.token_requests)


def test_github_is_asked_anew_for_each_token(read: Read) -> None:
    """Its ID tokens live for minutes."""
    fault = Fault(match=r"POST .*\$batch", status=401)
    with world(tenant_of_the_sample(), faults=(fault,)) as w:
        assert gaps(read(w, by_github(w), **github(w))) == []
        assert [request.grant for request in w.token_requests] == ["id-token", "client_credentials"] * 2


def other_tenant(w: World) -> tuple[str, ...]:
    return ("--tenant-id", "fabrikam.example", "--client-id", CLIENT, "--secret-file", str(w.secret_file))


def other_app(w: World) -> tuple[str, ...]:
    return ("--tenant-id", w.tenant, "--client-id", MANAGED, "--secret-file", str(w.secret_file))


def wrong_secret(w: World) -> tuple[str, ...]:
    w.secret_file.write_text(CANARY + "x")
    return w.client_secret


FAILURES: dict[str, tuple[Callable[[World], tuple[str, ...]], dict[str, str], tuple[str, ...]]] = {
    "wrong secret": (wrong_secret, {}, ("AADSTS7000215", "secret's value")),
    "unknown app": (other_app, {}, ("AADSTS700016", "client id and tenant")),
    "unknown tenant": (other_tenant, {}, ("no such tenant", "--cloud")),
    "wrong authorities": (
        lambda w: w.client_secret,
        {"SSL_CERT_FILE": "other-authorities.pem"},
        ("CERTIFICATE_VERIFY_FAILED", "REQUESTS_CA_BUNDLE"),
    ),
    "authorities that are not there": (
        lambda w: w.client_secret,
        {"SSL_CERT_FILE": "none.pem"},
        ("certificate settings", "SSL_CERT_FILE"),
    ),
    "no network": (lambda w: w.client_secret, {"HTTPS_PROXY": "http://127.0.0.1:9"}, ("HTTPS_PROXY",)),
    "an app of the wrong cloud": (lambda w: ("--cloud", "china", *w.client_secret), {}, ("proxy",)),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_a_sign_in_that_fails_says_why(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: str) -> None:
    """Exit 2, one paragraph with what to do, no secret, no file."""
    monkeypatch.setattr("azure.core.pipeline.policies.RetryPolicy.sleep", lambda *_, **__: None)
    options, environ, words = FAILURES[failure]
    with world(tenant_of_the_sample()) as w:
        here = {n: v if "://" in v else str(w.folder / v) for n, v in environ.items()}
        ran = run(w, "run", "--auth", "client-secret", *options(w), "--out", "out", **here)
        assert not w.calls
    assert (ran.code, ran.out) == (2, "")
    assert [word for word in words if word not in ran.err] == []
    assert len(ran.err.strip().splitlines()) == 1, ran.err
    assert not [secret for secret in SECRETS if secret in ran.err]
    assert not (tmp_path / "out").exists()


def test_a_proxy_that_refuses_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the authority as before Graph."""
    monkeypatch.setattr("azure.core.pipeline.policies.RetryPolicy.sleep", lambda *_, **__: None)
    monkeypatch.setattr("auditor.graph.client.CONNECTS", 1)
    for host in (LOGIN, GRAPH):
        with world(tenant_of_the_sample(), unreachable=[host]) as w:
            ran = run(w, "collect", "--auth", "client-secret", *w.client_secret, "--out", "snapshot.json")
            assert (ran.code, ran.out) == (2, "")
            assert "proxy" in ran.err
            assert set(w.refused_hosts) == {host}


def test_an_identity_that_a_machine_lacks_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Azure gives none, and where another is asked for."""
    monkeypatch.setattr("azure.core.pipeline.policies.RetryPolicy.sleep", lambda *_, **__: None)
    with world(tenant_of_the_sample(), identities=network.identities(system="")) as w:
        for options in ((), ("--client-id", CLIENT)):
            ran = run(w, "collect", "--auth", "managed-identity", *options, "--out", "snapshot.json")
            assert (ran.code, ran.out) == (2, "")
            assert "--client-id" in ran.err
        assert not w.calls


def leaks(w: World) -> list[str]:
    """Return what was asked of any host that is not Microsoft's."""
    return [host for host in (*w.hosts, *w.refused_hosts) if host not in (GRAPH, LOGIN)]


@pytest.mark.parametrize("match", ["GET /v1.0/servicePrincipals\\?", "appRoleAssignments", "oauth2PermissionGrants"])
def test_a_foreign_next_link_gets_no_token(read: Read, match: str) -> None:
    """Of a page, and of a member of a batch: nobody is asked there, and the collection is not Complete."""
    fault = Fault(match=match, kind="foreign-next-link", times=0)
    with world(tenant_of_the_sample(), faults=(fault,), page_size=2) as w:
        assert gaps(read(w, by_secret(w)))
        assert leaks(w) == []


@pytest.mark.parametrize("host", [GRAPH, LOGIN])
def test_a_redirect_to_a_foreign_host_gets_no_token(run: Run, monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    """Neither Graph's nor the authority's redirects are followed."""
    monkeypatch.setattr("azure.core.pipeline.policies.RetryPolicy.sleep", lambda *_, **__: None)
    with world(tenant_of_the_sample(), redirecting=[host]) as w:
        ran = run(w, "collect", "--auth", "client-secret", *w.client_secret, "--out", "snapshot.json")
        assert ran.code in (2, 3), ran.err
        assert host in w.hosts
        assert leaks(w) == []
        assert THIEF not in w.hosts
        assert not [secret for secret in SECRETS if secret in ran.err]


def test_githubs_redirect_gets_no_token(run: Run) -> None:
    """The job's token stays with the host that GitHub named, and no assertion is sent."""
    with world(tenant_of_the_sample(), redirecting=[GITHUB_HOST]) as w:
        ran = run(w, "collect", "--auth", "github-oidc", *w.app, "--out", "snapshot.json", **github(w))
        assert (ran.code, ran.out) == (2, "")
        assert "id-token: write" in ran.err
        assert w.refused_hosts == []
        assert w.token_requests == []


def test_the_azure_cli_is_asked_for_the_clouds_own_graph(run: Run) -> None:
    with world(tenant_of_the_sample(), cloud="us-gov-l4") as w:
        options = ("--auth", "azure-cli", "--cloud", "us-gov-l4", "--tenant-id", w.tenant)
        ran = run(w, "collect", *options, "--out", "snapshot.json", **fake_azure_cli(w))
        assert ran.code in (0, 3), ran.err
        asked = (w.folder / "asked").read_text()
    assert "--resource https://graph.microsoft.us" in asked
    assert f"--tenant {w.tenant}" in asked
