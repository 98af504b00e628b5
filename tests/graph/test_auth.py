"""What is promised of signing in: secrets stay hidden, the simulator stays on this machine, errors say what to do."""

from __future__ import annotations

import base64
import copy
import json
import os
import pickle
import ssl
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Thread

import msgspec
import pytest
import trustme

from auditor.errors import AuditorError, SignInError, UsageError
from auditor.graph import auth
from auditor.graph.auth import Connection, SignIn, connection, simulator_connection
from auditor.graph.clouds import CLOUDS
from auditor.graph.secret import Secret, redacted, secret_from_environment, secret_from_file
from auditor.graph.ways import METHODS, Method

CANARY = "c4n4ry-s3cr3t"


def test_a_secret_prints_as_redacted() -> None:
    """No way of printing shows it, alone or inside a sign-in."""
    secret = Secret(CANARY)
    shown = (repr(secret), str(secret), f"{secret}", f"{secret!r:>40}", f"{secret:>40}", "%s" % secret, str([secret]))  # noqa: UP031
    for text in shown:
        assert "**redacted**" in text
        assert CANARY not in text
    assert CANARY not in repr(SignIn(secret=secret, certificate_password=secret))


@pytest.mark.parametrize("leak", [pickle.dumps, copy.deepcopy, msgspec.json.encode, msgspec.to_builtins])
def test_a_secret_is_never_serialized(leak: Callable[[object], object]) -> None:
    """Pickling, copying and encoding are refused, also inside a sign-in."""
    for value in (Secret(CANARY), SignIn(secret=Secret(CANARY))):
        with pytest.raises((TypeError, pickle.PicklingError)) as refused:
            leak({"secret": value})
        assert CANARY not in str(refused.value)
    with pytest.raises(TypeError):
        copy.copy(Secret(CANARY))


def test_a_secret_gives_its_value_to_who_asks() -> None:
    """And an empty one is false."""
    assert Secret(CANARY).reveal() == CANARY
    assert Secret("x")
    assert not Secret("")


@pytest.mark.parametrize(
    ("environ", "value"),
    [
        ({"ENTRA_AUDIT_CLIENT_SECRET": "a", "AZURE_CLIENT_SECRET": "b"}, "a"),
        ({"ENTRA_AUDIT_CLIENT_SECRET": "", "AZURE_CLIENT_SECRET": "b"}, "b"),
        ({}, ""),
    ],
)
def test_our_own_variable_comes_first(environ: dict[str, str], value: str) -> None:
    """The secret comes from ENTRA_AUDIT_CLIENT_SECRET, else from AZURE_CLIENT_SECRET."""
    found = secret_from_environment(environ)
    assert (found.reveal() if found else "") == value


def test_a_secret_file_is_read_without_its_line_end(tmp_path: Path) -> None:
    """Also with a byte order mark; what cannot be read or is empty says so."""
    path = tmp_path / "secret"
    path.touch(mode=0o600)
    path.write_bytes(b"\xef\xbb\xbf" + CANARY.encode() + b"\r\n")
    assert secret_from_file(path).reveal() == CANARY
    for content in (b"", b" \n", b"\xff\xfe\x00"):
        path.write_bytes(content)
        with pytest.raises(SignInError, match="file of the client secret"):
            secret_from_file(path)
    with pytest.raises(SignInError, match="No such file") as missing:
        secret_from_file(tmp_path / "none")
    assert missing.value.where.endswith("none")


@pytest.mark.skipif(os.name != "posix", reason="Windows says otherwise who may read a file")
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o602, 0o660])
def test_a_secret_file_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    """With what to do about it; the secret is not in the error. A pipe, which a shell makes, is nobody else's."""
    path = tmp_path / "secret"
    path.write_text(CANARY)
    path.chmod(mode)
    with pytest.raises(SignInError, match=f"mode {mode:04o}.*chmod 600") as refused:
        secret_from_file(path)
    assert CANARY not in str(refused.value)
    path.chmod(0o400)
    assert secret_from_file(path).reveal() == CANARY
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe, 0o644)
    writer = Thread(target=pipe.write_text, args=(CANARY,))
    writer.start()
    assert secret_from_file(pipe).reveal() == CANARY
    writer.join()


def test_what_others_say_is_shown_without_secrets() -> None:
    """As it is and as a form or an address writes it; tokens and the passwords of addresses go too."""
    secret, token = "a b/c+d=", "eyJhbGciOiJub25lIn0.eyJ0aWQiOiJ0In0.c2ln"
    said = f"client_secret=a+b%2Fc%2Bd%3D {secret} a%20b/c%2Bd%3D pass {token} eyJ0.cut http://u:pw@proxy.example job"
    shown = redacted(said, (Secret(secret), None, Secret("")), {"AZURE_PASSWORD": "pass", "OTHER": "job"})
    assert shown == (
        "client_secret=**redacted** **redacted** **redacted** **redacted** **redacted** **redacted** "
        "http://**redacted**@proxy.example job"
    )


def _jwt(claims: object) -> str:
    return f"e30.{base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip('=')}.sig"


def test_the_claims_of_a_token_are_read() -> None:
    """Tenant, app, object, roles and scopes; without padding and with claims that nobody knows."""
    token = _jwt({"tid": "t", "appid": "a", "oid": "o", "roles": ["Mail.Read"], "scp": "User.Read", "ver": 5})
    assert auth.claims(token) == auth.Claims(tid="t", appid="a", oid="o", roles=("Mail.Read",), scp="User.Read")


@pytest.mark.parametrize(
    "token", ["", "opaque", "a.b.c", "a.%%%.c", _jwt([]), _jwt({"tid": 5}), "a.\xe9.c", "e30./w.s"]
)
def test_a_token_that_is_no_jwt_has_no_claims(token: str) -> None:
    """Opaque tokens are legal; nothing is made of them."""
    assert auth.claims(token) == auth.Claims()


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8801",
        "http://localhost:8801/",
        "http://[::1]:8801",
        "https://127.9.9.9:8801",
        "https://localhost",
    ],
)
def test_a_simulator_on_this_machine_is_accepted(url: str) -> None:
    """Loopback by name and by number; the real credential is not asked for."""
    environ = {"ENTRA_AUDIT_SIMULATOR_URL": url, "ENTRA_AUDIT_SIMULATOR_TOKEN": CANARY}
    made = connection(SignIn(method="client-secret"), environ)
    assert made.simulated
    assert made.base_url == url.rstrip("/")
    assert made.credential().get_token("scope").token == CANARY
    assert CANARY not in repr(made)


@pytest.mark.parametrize(
    "url",
    [
        "http://graph.example",
        "https://10.0.0.1:8801",
        "http://127.0.0.1.evil.example",
        "http://127.0.0.1@evil.example",
        "http://user@127.0.0.1:1",
        "http://127.0.0.1:8801/v1.0",
        "http://127.0.0.1:8801?x=1",
        "http://127.9.9.9:8801",
        "http://127.0.0.1:0",
        "http://127.0.0.1:999999",
        "ftp://localhost",
        "localhost:8801",
        "http://[::1",
        "http://0.0.0.0:80",
    ],
)
def test_a_simulator_elsewhere_is_refused(url: str) -> None:
    """Nothing but this machine may take the place of Microsoft Graph."""
    with pytest.raises(UsageError, match="on this machine"):
        simulator_connection(url, CANARY)


def test_a_simulator_needs_its_own_token() -> None:
    """A real credential is never sent to it."""
    with pytest.raises(UsageError, match="token is missing"):
        connection(SignIn(secret=Secret(CANARY)), {"ENTRA_AUDIT_SIMULATOR_URL": "http://127.0.0.1:8801"})


def _app(method: Method) -> SignIn:
    return SignIn(method=method, tenant_id="t", client_id="c")


@pytest.mark.parametrize(
    ("sign_in", "missing"),
    [
        (SignIn(method="client-secret"), "tenant's id and the appId .* and the client secret.*--secret-file"),
        (_app("client-secret"), "the client secret"),
        (_app("certificate"), "the certificate's file.*--certificate"),
        (_app("workload-identity"), "the federated token's file.*AZURE_FEDERATED_TOKEN_FILE"),
        (SignIn(method="github-oidc"), "the tenant's id and the appId.*AZURE_TENANT_ID"),
    ],
)
def test_a_sign_in_names_what_it_lacks(sign_in: SignIn, missing: str) -> None:
    """Before anything is sent, with every place where it may come from."""
    with pytest.raises(UsageError, match=missing):
        connection(sign_in, {})


@pytest.mark.parametrize("method", ["client-secret", "certificate", "workload-identity", "github-oidc"])
def test_what_a_method_needs_comes_from_the_environment_too(method: Method) -> None:
    """Under the names that azure-identity reads."""
    environ = {
        "AZURE_TENANT_ID": "t",
        "AZURE_CLIENT_ID": "c",
        "AZURE_CLIENT_SECRET": CANARY,
        "AZURE_FEDERATED_TOKEN_FILE": "f",
    }
    path = "reader.pem" if method == "certificate" else ""
    assert connection(SignIn(method=method, certificate_path=path), environ).cloud.name == "public"


FIELDS = {
    "tenant_id": "--tenant-id",
    "client_id": "--client-id",
    "certificate_path": "--certificate",
    "token_file": "--token-file",
}
USED: dict[Method, set[str]] = {
    "default": {"tenant_id"},
    "environment": set(),
    "azure-cli": {"tenant_id"},
    "client-secret": {"tenant_id", "client_id"},
    "certificate": {"tenant_id", "client_id", "certificate_path"},
    "managed-identity": {"client_id"},
    "workload-identity": {"tenant_id", "client_id", "token_file"},
    "github-oidc": {"tenant_id", "client_id"},
    "device-code": {"tenant_id", "client_id"},
    "browser": {"tenant_id", "client_id"},
}


@pytest.mark.parametrize("method", METHODS)
def test_what_a_method_does_not_use_is_refused(method: Method) -> None:
    """An option that does nothing would let somebody think that it does."""
    environ = {f"AZURE_{name}": "x" for name in ("TENANT_ID", "CLIENT_ID", "CLIENT_SECRET", "FEDERATED_TOKEN_FILE")}
    base = SignIn(method=method, certificate_path="reader.pem" if method == "certificate" else "")
    for field, option in FIELDS.items():
        sign_in = msgspec.structs.replace(base, **{field: "given"})
        if field in USED[method]:
            assert not connection(sign_in, environ).simulated
        else:
            with pytest.raises(UsageError, match=f"{option}.*does not use"):
                connection(sign_in, environ)
    if method != "client-secret":
        with pytest.raises(UsageError, match="--secret-file"):
            connection(msgspec.structs.replace(base, secret=Secret(CANARY)), environ)


@pytest.mark.parametrize("name", CLOUDS)
def test_a_connection_leads_to_the_cloud_that_is_named(name: str) -> None:
    """Its Graph, and the token's scope is for nothing else."""
    made = connection(SignIn(cloud=CLOUDS[name]), {})
    assert (made.cloud, made.base_url) == (CLOUDS[name], CLOUDS[name].graph)
    assert made.cloud.scope == f"{made.base_url}/.default"


def test_company_authorities_come_from_any_usual_variable(tmp_path: Path) -> None:
    """A file or a folder; without any, the library's own are trusted."""
    file = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(file)
    assert auth.trusted({}) is True
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        context = auth.trusted({name: str(file), "SSL_CERT_DIR": "/none"})
        assert isinstance(context, ssl.SSLContext)
        assert len(context.get_ca_certs()) == 1
    for name in ("SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"):
        assert isinstance(auth.trusted({name: str(tmp_path)}), ssl.SSLContext)
    with pytest.raises(OSError, match="No such file"):
        auth.trusted({"SSL_CERT_FILE": str(tmp_path / "none")})


def test_the_real_graph_is_the_default() -> None:
    """Without the simulator's variable, the root is Microsoft Graph."""
    made = connection(SignIn(method="client-secret", tenant_id="t", client_id="c"), {"AZURE_CLIENT_SECRET": CANARY})
    assert isinstance(made, Connection)
    assert (made.base_url, made.simulated) == ("https://graph.microsoft.com", False)
    assert CANARY not in repr(made)
    assert connection(SignIn(), {}).base_url == "https://graph.microsoft.com"


def test_nothing_heavy_is_imported_before_it_is_needed() -> None:
    """`--help` waits for neither msgraph nor azure-identity nor pandas."""
    code = (
        "import sys, auditor.sources.tenant, auditor.graph.auth;"
        "print([m for m in ('msgraph', 'azure', 'pandas', 'httpx', 'kiota_http') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_error_is_one_of_ours() -> None:
    """The command line prints them and nothing else."""
    assert issubclass(SignInError, AuditorError)
    assert issubclass(UsageError, AuditorError)
