"""What is promised of the description of a sign-in: each part with where it came from, and no secret in it."""

from __future__ import annotations

import pytest
from msgspec import json

from auditor.graph.auth import SignIn, connection, simulator_connection
from auditor.graph.clouds import CLOUDS
from auditor.graph.secret import Secret
from auditor.graph.ways import METHODS
from auditor.workflow.signing import describe

CANARY = "c4n4ry~s3cr3t"
TENANT = "contoso.example"
CLIENT = "00000000-aaaa-4aaa-8aaa-00000000c11e"


def told(sign_in: SignIn, *given: str, **environ: str) -> dict[str, tuple[str, str]]:
    """Return each part's value and origin by its name."""
    parts = describe(sign_in, connection(sign_in, environ), frozenset(given), environ)
    assert len({part.what for part in parts}) == len(parts)
    return {part.what: (part.value, part.origin) for part in parts}


def test_what_the_options_said_is_named_by_option() -> None:
    """Method, cloud, tenant, client and certificate."""
    sign_in = SignIn(
        method="certificate",
        cloud=CLOUDS["us-gov-l4"],
        tenant_id=TENANT,
        client_id=CLIENT,
        certificate_path="reader.pem",
    )
    said = told(sign_in, "--auth", "--cloud", "--tenant-id", "--client-id", "--certificate")
    assert said["method"] == ("certificate", "--auth")
    assert said["cloud"] == ("us-gov-l4: US Government L4 (GCC High)", "--cloud")
    assert said["authority"][0] == "login.microsoftonline.us"
    assert said["Microsoft Graph"][0] == "https://graph.microsoft.us"
    assert said["the tenant's id"] == (TENANT, "--tenant-id")
    assert said["the appId of the identity that reads"] == (CLIENT, "--client-id")
    assert said["the certificate's file"] == ("reader.pem", "--certificate")


def test_what_the_environment_said_is_named_by_variable() -> None:
    """The same parts where no option was given."""
    said = told(
        SignIn(method="workload-identity"),
        "--auth",
        AZURE_TENANT_ID=TENANT,
        AZURE_CLIENT_ID=CLIENT,
        AZURE_FEDERATED_TOKEN_FILE="token",
        AZURE_AUTHORITY_HOST="https://login.chinacloudapi.cn/",
    )
    assert said["the tenant's id"] == (TENANT, "AZURE_TENANT_ID")
    assert said["the appId of the identity that reads"] == (CLIENT, "AZURE_CLIENT_ID")
    assert said["the federated token's file"] == ("token", "AZURE_FEDERATED_TOKEN_FILE")
    assert said["cloud"] == ("china: China, operated by 21Vianet", "AZURE_AUTHORITY_HOST")


@pytest.mark.parametrize(
    ("given", "environ", "origin"),
    [
        (("--secret-file",), {"AZURE_CLIENT_SECRET": CANARY}, "--secret-file"),
        ((), {"AZURE_CLIENT_SECRET": CANARY}, "AZURE_CLIENT_SECRET"),
        ((), {"ENTRA_AUDIT_CLIENT_SECRET": CANARY, "AZURE_CLIENT_SECRET": "other"}, "ENTRA_AUDIT_CLIENT_SECRET"),
        ((), {}, "prompt"),
    ],
)
def test_where_the_secret_came_from_is_told_and_not_the_secret(
    given: tuple[str, ...], environ: dict[str, str], origin: str
) -> None:
    """From a file, a variable or the prompt."""
    sign_in = SignIn(method="client-secret", tenant_id=TENANT, client_id=CLIENT, secret=Secret(CANARY))
    assert told(sign_in, *given, **environ)["the client secret"] == ("given", origin)


def test_the_default_chain_names_the_variables_that_it_would_find() -> None:
    """Their names only: azure-identity reads them itself."""
    said = told(SignIn(), AZURE_CLIENT_ID=CLIENT, AZURE_CLIENT_SECRET=CANARY)
    assert said["method"] == ("default", "default")
    assert said["read by azure-identity itself"][0] == "AZURE_CLIENT_ID, AZURE_CLIENT_SECRET"
    assert told(SignIn())["read by azure-identity itself"][0] == "no variable of its own is set"


@pytest.mark.parametrize(
    ("environ", "proxy"),
    [
        ({}, ("none", "")),
        ({"HTTPS_PROXY": "http://proxy.contoso.example:8080"}, ("http://proxy.contoso.example:8080", "HTTPS_PROXY")),
        ({"ALL_PROXY": "http://a", "https_proxy": "http://b"}, ("http://b", "https_proxy")),
        (
            {"HTTPS_PROXY": "http://a", "NO_PROXY": "contoso.example, .microsoft.com"},
            ("none for this host", "NO_PROXY"),
        ),
        ({"HTTPS_PROXY": "http://a", "NO_PROXY": "*"}, ("none for this host", "NO_PROXY")),
        ({"HTTPS_PROXY": "http://a", "NO_PROXY": "soft.com,"}, ("http://a", "HTTPS_PROXY")),
    ],
)
def test_the_proxy_in_use_is_told(environ: dict[str, str], proxy: tuple[str, str]) -> None:
    """Which one, by which variable, or that none is used for Graph's host."""
    assert told(SignIn(), **environ)["proxy"] == proxy


def test_whom_it_trusts_is_told() -> None:
    """The company's authorities where a variable names them."""
    assert told(SignIn(), SSL_CERT_FILE="/etc/ssl/company.pem")["trusted authorities"] == (
        "/etc/ssl/company.pem",
        "SSL_CERT_FILE",
    )
    assert told(SignIn())["trusted authorities"] == ("those that come with the program", "")


@pytest.mark.parametrize("method", METHODS)
def test_no_secret_is_shown_by_any_method(method: str) -> None:
    """Canaries in every secret, a proxy's password among them."""
    environ = {
        "ENTRA_AUDIT_CLIENT_SECRET": CANARY,
        "AZURE_CLIENT_SECRET": CANARY,
        "AZURE_CLIENT_CERTIFICATE_PASSWORD": CANARY,
        "AZURE_TENANT_ID": TENANT,
        "AZURE_CLIENT_ID": CLIENT,
        "AZURE_FEDERATED_TOKEN_FILE": "token",
        "HTTPS_PROXY": f"http://user:{CANARY}@proxy.contoso.example",
    }
    certificate = "reader.pem" if method == "certificate" else ""
    sign_in = SignIn(method=method, certificate_path=certificate, certificate_password=Secret(CANARY))  # type: ignore[arg-type]
    parts = describe(sign_in, connection(sign_in, environ), frozenset(), environ)
    assert CANARY.encode() not in json.encode(parts)
    assert any(part.value == "http://**redacted**@proxy.contoso.example" for part in parts)


@pytest.mark.parametrize(
    ("environ", "origin"),
    [({}, "--demo"), ({"ENTRA_AUDIT_SIMULATOR_URL": "http://127.0.0.1:1"}, "ENTRA_AUDIT_SIMULATOR_URL")],
)
def test_the_simulator_is_never_taken_for_a_tenant(environ: dict[str, str], origin: str) -> None:
    """Its own token, and why it is used."""
    method, where = describe(None, simulator_connection("http://127.0.0.1:1", CANARY), frozenset(), environ)
    assert (method.value, method.origin) == ("the simulator's own token", origin)
    assert where.value == "http://127.0.0.1:1"
