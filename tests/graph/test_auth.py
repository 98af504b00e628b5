"""What is promised of signing in: secrets stay hidden, the simulator stays on this machine, errors say what to do."""

from __future__ import annotations

import base64
import copy
import json
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from auditor.errors import AuditorError, SignInError, UsageError
from auditor.graph import auth
from auditor.graph.auth import Connection, Secret, SignIn, connection, simulator_connection

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
    found = auth.secret_from_environment(environ)
    assert (found.reveal() if found else "") == value


def test_a_secret_file_is_read_without_its_line_end(tmp_path: Path) -> None:
    """Also with a byte order mark; what cannot be read or is empty says so."""
    path = tmp_path / "secret"
    path.write_bytes(b"\xef\xbb\xbf" + CANARY.encode() + b"\r\n")
    assert auth.secret_from_file(path).reveal() == CANARY
    for content in (b"", b" \n", b"\xff\xfe\x00"):
        path.write_bytes(content)
        with pytest.raises(SignInError, match="file of the client secret"):
            auth.secret_from_file(path)
    with pytest.raises(SignInError, match="No such file") as missing:
        auth.secret_from_file(tmp_path / "none")
    assert missing.value.where.endswith("none")


def _jwt(claims: object) -> str:
    return f"e30.{base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip('=')}.sig"


def test_the_claims_of_a_token_are_read() -> None:
    """Tenant, app, object, roles and scopes; without padding and with claims that nobody knows."""
    token = _jwt({"tid": "t", "appid": "a", "oid": "o", "roles": ["Mail.Read"], "scp": "User.Read", "exp": 5})
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


@pytest.mark.parametrize(
    ("sign_in", "missing"),
    [
        (SignIn(method="client-secret"), "tenant's id and the appId .* and the client secret"),
        (SignIn(method="client-secret", tenant_id="t", client_id="c"), "the client secret"),
        (SignIn(method="certificate", tenant_id="t", client_id="c"), "the certificate's file"),
    ],
)
def test_a_sign_in_names_what_it_lacks(sign_in: SignIn, missing: str) -> None:
    """Before anything is sent."""
    with pytest.raises(UsageError, match=missing):
        connection(sign_in, {})


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
