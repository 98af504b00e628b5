"""What is promised of azure-identity's credentials: one token for many requests, and errors that say what to do."""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import stat
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
import trustme
from azure.core.credentials import AccessToken
from msgspec.structs import replace

from auditor.errors import SignInError
from auditor.graph.advice import advice
from auditor.graph.auth import SignIn, connection
from auditor.graph.clouds import CLOUDS, PUBLIC, Cloud
from auditor.graph.credentials import REFRESH_BEFORE, RENEW_AFTER, AzureCredential, CachedCredential
from auditor.graph.github import id_token
from auditor.graph.methods import azure_credential
from auditor.graph.secret import Secret
from auditor.graph.ways import METHODS, Method
from tests.network import reader_certificate

SCOPE = "https://graph.microsoft.com/.default"
TENANT = "5a0c1d1e-0000-4000-8000-00000000c0de"
CLIENT = "11111111-aaaa-4aaa-8aaa-00000000c11e"
CANARY = "c4n4ry-s3cr3t"


class Counting:
    """A credential at the far end: numbers its tokens, which live for an hour."""

    def __init__(self, clock: list[float]) -> None:
        self.clock = clock
        self.asked = 0

    def get_token(self, *_scopes: str, **_options: object) -> AccessToken:
        self.asked += 1
        return AccessToken(f"token {self.asked}", int(self.clock[0]) + 3600)


def test_a_token_is_asked_for_once_and_again_before_it_expires() -> None:
    """A hundred requests at once ask once; five minutes before the expiry it is asked for again."""
    clock = [1000.0]
    source = Counting(clock)

    async def run() -> None:
        cached = CachedCredential(lambda: source, clock=lambda: clock[0])
        assert cached.claims.tid == ""
        tokens = await asyncio.gather(*(cached.get_token(SCOPE, claims=None, enable_cae=False) for _ in range(100)))
        assert {token.token for token in tokens} == {"token 1"}
        clock[0] += 3600 - REFRESH_BEFORE
        assert (await cached.get_token(SCOPE)).token == "token 1"
        clock[0] += 1
        assert (await cached.get_token(SCOPE)).token == "token 2"

    asyncio.run(run())
    assert source.asked == 2


def test_a_refused_token_is_forgotten_once_in_five_minutes() -> None:
    """With its credential, whose cache would give it again; only the token that was refused; then not again at once."""
    clock, closed = [1000.0], []

    class Closing(Counting):
        def close(self) -> None:
            closed.append(self.asked)

    made: list[Closing] = []

    def make() -> Closing:
        made.append(Closing(clock))
        return made[-1]

    async def run() -> None:
        cached = CachedCredential(make, clock=lambda: clock[0])
        await cached.get_token(SCOPE)
        cached.renew(0)
        assert len(made) == 1
        await cached.get_token(SCOPE)
        assert cached.number == 1
        cached.renew(1)
        await cached.get_token(SCOPE)
        assert (cached.number, len(made), closed) == (2, 2, [1])
        clock[0] += RENEW_AFTER - 1
        cached.renew(2)
        await cached.get_token(SCOPE)
        assert (cached.number, len(made)) == (2, 2)
        clock[0] += 1
        cached.renew(2)
        await cached.get_token(SCOPE)
        assert (cached.number, len(made)) == (3, 3)
        cached.close()
        cached.close()
        assert closed == [1, 1, 1]

    asyncio.run(run())


class Authority:
    """A made-up authority over TLS: what it was asked, and what it answers to a token request."""

    def __init__(self) -> None:
        self.url = ""
        self.host = ""
        self.error = ""
        self.fixed: tuple[int, object] | None = None
        self.asked: list[str] = []

    def answer(self, path: str, body: str) -> tuple[int, object]:
        self.asked.append(path)
        if self.fixed:
            return self.fixed
        base = f"{self.url}/{TENANT}"
        if path.endswith("openid-configuration"):
            return 200, {
                "issuer": f"{base}/v2.0",
                "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
                "token_endpoint": f"{base}/oauth2/v2.0/token",
            }
        if self.error:
            return 400, {"error": "invalid_client", "error_description": f"{self.error}: said with {body}\r\nTrace"}
        return 200, {"token_type": "Bearer", "expires_in": 3600, "access_token": "e30.eyJ0aWQiOiJ0In0.x"}


@pytest.fixture
def authority(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Authority]:
    """Run the authority on loopback with a throw-away certificate that the process trusts."""
    made = Authority()
    ca = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("localhost").configure_cert(context)
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))

    class Handler(BaseHTTPRequestHandler):
        def handle_one(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            status, answer = made.answer(self.path.partition("?")[0], body)
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(answer).encode())

        do_GET = do_POST = handle_one  # noqa: N815 - http.server's names

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("localhost", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    made.host = f"localhost:{server.server_port}"
    made.url = f"https://{made.host}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


def _cloud(authority: Authority) -> Cloud:
    return replace(PUBLIC, name="sample", authority=authority.host)


def _by_secret(authority: Authority) -> SignIn:
    return SignIn(
        method="client-secret",
        cloud=_cloud(authority),
        tenant_id=TENANT,
        client_id=CLIENT,
        secret=Secret(CANARY),
    )


def _credential(sign_in: SignIn) -> AzureCredential:
    return AzureCredential(sign_in, os.environ)


def test_a_client_secret_gives_a_token(authority: Authority) -> None:
    """Through azure-identity's own code, against an authority of our own."""
    credential = connection(_by_secret(authority), os.environ).credential()
    assert credential.get_token(SCOPE).token == "e30.eyJ0aWQiOiJ0In0.x"
    assert credential.get_token(SCOPE).token == "e30.eyJ0aWQiOiJ0In0.x"
    assert f"/{TENANT}/oauth2/v2.0/token" in authority.asked


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        ("AADSTS7000215", "secret's value"),
        ("AADSTS7000222", "expired"),
        ("AADSTS700016", "does not know this app"),
        ("AADSTS90002", "no such tenant"),
        ("AADSTS53003", "Conditional Access"),
        ("AADSTS999999", "az login"),
    ],
)
def test_a_refused_sign_in_says_what_to_do(authority: Authority, code: str, advice: str) -> None:
    """One line, the service's code, an advice; the secret that the service repeats is not in it."""
    authority.error = code
    with pytest.raises(SignInError) as refused:
        _credential(_by_secret(authority)).get_token(SCOPE)
    text = str(refused.value)
    assert code in text
    assert advice in text
    assert CANARY not in text
    assert "\n" not in text
    assert refused.value.__cause__ is None


def _certificate(tmp_path: Path) -> Path:
    (tmp_path / "reader.pem").write_bytes(reader_certificate()[0])
    return tmp_path / "reader.pem"


def test_a_certificate_gives_a_token(authority: Authority, tmp_path: Path) -> None:
    """PEM with certificate and private key."""
    sign_in = SignIn(
        method="certificate",
        tenant_id=TENANT,
        client_id=CLIENT,
        certificate_path=str(_certificate(tmp_path)),
        cloud=_cloud(authority),
    )
    assert _credential(sign_in).get_token(SCOPE).token


def test_an_unusable_certificate_says_so(tmp_path: Path) -> None:
    """Absent, empty, or with a wrong password; the password is not in the error."""
    empty = tmp_path / "empty.pem"
    empty.write_text("")
    for path, words in (
        (tmp_path / "none.pem", "path"),
        (empty, "certificate's file"),
        (_certificate(tmp_path), "password"),
    ):
        sign_in = SignIn(
            method="certificate",
            tenant_id=TENANT,
            client_id=CLIENT,
            certificate_path=str(path),
            certificate_password=Secret(CANARY),
        )
        with pytest.raises(SignInError) as refused:
            _credential(sign_in).get_token(SCOPE)
        assert words in refused.value.advice
        assert CANARY not in str(refused.value)


def _fake_az(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    az = tmp_path / "az"
    az.write_text(f"#!/bin/sh\n{script}\n")
    az.chmod(az.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")


def test_the_azure_cli_gives_a_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What `az account get-access-token` prints, for the tenant that was named."""
    answer = json.dumps({"accessToken": "from az", "expiresOn": "2036-01-01 00:00:00.000000", "expires_on": 2082758400})
    _fake_az(tmp_path, monkeypatch, f"echo \"$@\" > {tmp_path}/asked; echo '{answer}'")
    token = _credential(SignIn(method="azure-cli", tenant_id=TENANT)).get_token(SCOPE)
    assert token.token == "from az"
    assert TENANT in (tmp_path / "asked").read_text()


def test_without_az_login_the_advice_is_to_log_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As without the Azure CLI it is to install it."""
    _fake_az(tmp_path, monkeypatch, "echo \"ERROR: Please run 'az login' to setup account.\" >&2; exit 1")
    with pytest.raises(SignInError) as refused:
        _credential(SignIn(method="azure-cli")).get_token(SCOPE)
    assert "az login --tenant" in refused.value.advice
    (tmp_path / "az").unlink()
    with pytest.raises(SignInError) as refused:
        _credential(SignIn(method="azure-cli")).get_token(SCOPE)
    assert "Install the Azure CLI" in refused.value.advice


def test_the_default_chain_takes_the_environment(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    """azure-identity's own variables work; without any, the error names the other methods or the log-in."""
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "EnvironmentCredential")
    with pytest.raises(SignInError) as refused:
        _credential(SignIn(tenant_id=TENANT)).get_token(SCOPE)
    assert refused.value.advice
    for name, value in {"TENANT_ID": TENANT, "CLIENT_ID": CLIENT, "CLIENT_SECRET": CANARY}.items():
        monkeypatch.setenv(f"AZURE_{name}", value)
    authority.error = "AADSTS7000215"
    with pytest.raises(SignInError):
        _credential(SignIn(cloud=_cloud(authority))).get_token(SCOPE)


def test_an_echo_of_the_service_shows_no_assertion(authority: Authority, tmp_path: Path) -> None:
    """What signs a certificate's owner in stands in the request, and a service may repeat it."""
    authority.error = "AADSTS700027"
    sign_in = SignIn(
        method="certificate",
        cloud=_cloud(authority),
        tenant_id=TENANT,
        client_id=CLIENT,
        certificate_path=str(_certificate(tmp_path)),
    )
    with pytest.raises(SignInError, match="public part") as refused:
        _credential(sign_in).get_token(SCOPE)
    assert "eyJ" not in str(refused.value)


def test_hosts_outside_the_proxy_are_reached_without_it(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    """NO_PROXY holds for the authority; the proxy named here is none."""
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "localhost")
    assert _credential(_by_secret(authority)).get_token(SCOPE).token


def test_a_credential_ends_its_connections_and_begins_anew(authority: Authority) -> None:
    credential = _credential(_by_secret(authority))
    assert credential.get_token(SCOPE).token
    credential.close()
    credential.close()
    assert credential.get_token(SCOPE).token


@pytest.mark.parametrize(("content", "words"), [(None, "cannot be read"), (b" \n", "empty"), (b"\xff\xfe", "UTF-8")])
def test_a_federated_token_that_is_none_is_named(tmp_path: Path, content: bytes | None, words: str) -> None:
    """Its file is absent, empty or no text; nothing is sent."""
    path = tmp_path / "token"
    if content is not None:
        path.write_bytes(content)
    sign_in = SignIn(method="workload-identity", tenant_id=TENANT, client_id=CLIENT, token_file=str(path))
    with pytest.raises(SignInError, match=words) as refused:
        _credential(sign_in).get_token(SCOPE)
    assert refused.value.where == str(path)
    assert "--token-file" in refused.value.advice


URL, TOKEN = "ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({}, f"{URL} and {TOKEN} is not set.*permissions: id-token: write"),
        ({URL: "https://github.example"}, f"{TOKEN} is not set.*id-token: write"),
        ({URL: "http://github.example", TOKEN: CANARY}, "https"),
        ({URL: "https://user@github.example", TOKEN: CANARY}, "https"),
        ({URL: "https://:pass@github.example", TOKEN: CANARY}, "https"),
        ({URL: "https://[::1", TOKEN: CANARY}, "https"),
        ({URL: "https:", TOKEN: CANARY}, "https"),
        ({URL: "file:///etc/passwd", TOKEN: CANARY}, "https"),
    ],
)
def test_a_job_that_may_not_ask_says_so(environ: dict[str, str], words: str) -> None:
    """The job's token goes over HTTPS only, and is in no error."""
    with pytest.raises(SignInError, match=words) as refused:
        id_token(environ, "api://AzureADTokenExchange")
    assert CANARY not in str(refused.value)


def test_what_github_answers_has_to_be_a_token(authority: Authority, tmp_path: Path) -> None:
    """Anything else is an error of its own; an address without a server, and one that is not trusted, too."""
    ca = os.environ["REQUESTS_CA_BUNDLE"]
    environ = {URL: f"{authority.url}/idtoken?api-version=2.0", TOKEN: CANARY, "SSL_CERT_FILE": ca}
    ask = id_token(environ, "api://AzureADTokenExchange")
    wrong_values: tuple[object, ...] = ({"value": ""}, {"value": 5}, [], None)
    for answer in (*((200, value) for value in wrong_values), (403, {"value": "x"}), (302, {"value": "x"})):
        authority.fixed = answer
        with pytest.raises(SignInError, match="ID token") as refused:
            ask()
        assert "id-token: write" in refused.value.advice
    authority.fixed = (200, {"value": "e30.e30.x"})
    assert ask() == "e30.e30.x"
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(other)
    for wrong in ({URL: "https://127.0.0.1:9"}, {"SSL_CERT_FILE": str(other)}, {"SSL_CERT_FILE": "/none"}):
        with pytest.raises(SignInError, match="could not be asked") as refused:
            id_token({**environ, **wrong}, "api://AzureADTokenExchange")()
        assert CANARY not in str(refused.value)


@pytest.mark.parametrize("method", METHODS)
def test_every_failure_has_an_advice(method: str) -> None:
    """Also one that nobody has met; the Azure CLI is told of its own cloud."""
    for name in CLOUDS:
        sign_in = SignIn(method=method, cloud=CLOUDS[name])  # type: ignore[arg-type]
        said = advice("something new", sign_in)
        assert len(said) > 20
        assert ("az cloud set --name" in said) == (method == "azure-cli" and name != "public")


def test_a_code_counts_whole() -> None:
    """AADSTS700021 is not AADSTS70002; the service's code comes before the library's words."""
    secret = SignIn(method="client-secret")
    assert "secret's value" in advice("connect: AADSTS7000215: Invalid client secret", secret)
    assert "trusts no such token" in advice("AADSTS70021: no match", secret)
    assert "expired" in advice("AADSTS7000222: keys are expired", secret)
    assert "Check the network" in advice("AADSTS7000229: cannot connect", secret)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_is_azure_identitys_own(tmp_path: Path, method: Method) -> None:
    """No flow is spelled out by this program; making one asks nobody for anything."""
    (tmp_path / "token").write_text("e30.e30.x")
    sign_in = SignIn(
        method=method,
        tenant_id=TENANT,
        client_id=CLIENT,
        secret=Secret(CANARY),
        certificate_path=str(_certificate(tmp_path)),
        token_file=str(tmp_path / "token"),
    )
    made = azure_credential(sign_in, {URL: "https://github.example", TOKEN: CANARY})
    assert type(made).__module__.startswith("azure.identity.")
