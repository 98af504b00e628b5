"""What is promised of azure-identity's credentials: one token for many requests, and errors that say what to do."""

from __future__ import annotations

import asyncio
import json
import ssl
import stat
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
import trustme
from azure.core.credentials import AccessToken

from auditor.errors import SignInError
from auditor.graph.auth import Secret, SignIn, connection
from auditor.graph.credentials import REFRESH_BEFORE, AzureCredential, CachedCredential

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


class Authority:
    """A made-up authority over TLS: what it was asked, and what it answers to a token request."""

    def __init__(self) -> None:
        self.url = ""
        self.host = ""
        self.error = ""
        self.asked: list[str] = []

    def answer(self, path: str, body: str) -> tuple[int, object]:
        self.asked.append(path)
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


def _by_secret(authority: Authority) -> SignIn:
    return SignIn(
        method="client-secret",
        tenant_id=TENANT,
        client_id=CLIENT,
        secret=Secret(CANARY),
        authority=authority.url,
        instance_discovery=False,
    )


def test_a_client_secret_gives_a_token(authority: Authority) -> None:
    """Through azure-identity's own code, against an authority of our own."""
    credential = connection(_by_secret(authority), {}).credential()
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
        AzureCredential(_by_secret(authority)).get_token(SCOPE)
    text = str(refused.value)
    assert code in text
    assert advice in text
    assert CANARY not in text
    assert "\n" not in text
    assert refused.value.__cause__ is None


def _certificate(tmp_path: Path) -> Path:
    issued = trustme.CA().issue_cert("reader.contoso.example", key_type=trustme.KeyType.RSA)
    issued.private_key_and_cert_chain_pem.write_to_path(tmp_path / "reader.pem")
    return tmp_path / "reader.pem"


def test_a_certificate_gives_a_token(authority: Authority, tmp_path: Path) -> None:
    """PEM with certificate and private key."""
    sign_in = SignIn(
        method="certificate",
        tenant_id=TENANT,
        client_id=CLIENT,
        certificate_path=str(_certificate(tmp_path)),
        authority=authority.url,
        instance_discovery=False,
    )
    assert AzureCredential(sign_in).get_token(SCOPE).token


def test_an_unusable_certificate_says_so(tmp_path: Path) -> None:
    """Absent, empty, or with a wrong password; the password is not in the error."""
    empty = tmp_path / "empty.pem"
    empty.write_text("")
    for path, advice in (
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
            AzureCredential(sign_in).get_token(SCOPE)
        assert advice in refused.value.advice
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
    token = AzureCredential(SignIn(method="azure-cli", tenant_id=TENANT)).get_token(SCOPE)
    assert token.token == "from az"
    assert TENANT in (tmp_path / "asked").read_text()


def test_without_az_login_the_advice_is_to_log_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As without the Azure CLI it is to install it."""
    _fake_az(tmp_path, monkeypatch, "echo \"ERROR: Please run 'az login' to setup account.\" >&2; exit 1")
    with pytest.raises(SignInError) as refused:
        AzureCredential(SignIn(method="azure-cli")).get_token(SCOPE)
    assert "az login --tenant" in refused.value.advice
    (tmp_path / "az").unlink()
    with pytest.raises(SignInError) as refused:
        AzureCredential(SignIn(method="azure-cli")).get_token(SCOPE)
    assert "Install the Azure CLI" in refused.value.advice


def test_the_default_chain_takes_the_environment(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    """azure-identity's own variables work; without any, the error names the other methods or the log-in."""
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "EnvironmentCredential")
    with pytest.raises(SignInError) as refused:
        AzureCredential(SignIn(tenant_id=TENANT)).get_token(SCOPE)
    assert refused.value.advice
    for name, value in {"TENANT_ID": TENANT, "CLIENT_ID": CLIENT, "CLIENT_SECRET": CANARY}.items():
        monkeypatch.setenv(f"AZURE_{name}", value)
    authority.error = "AADSTS7000215"
    with pytest.raises(SignInError):
        AzureCredential(SignIn(authority=authority.url)).get_token(SCOPE)
