"""Signing in: how to reach Microsoft Graph, and as whom.

Secrets live in `Secret` and inside azure-identity's credentials, nowhere else: no repr, error, pickle or
encoding shows one. azure-identity is imported when a token is first needed.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import ssl
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from auditor.errors import UsageError
from auditor.graph.clouds import PUBLIC, Cloud, cloud_in_force
from auditor.graph.secret import SECRET_VARIABLES, Secret
from auditor.graph.ways import NEEDS, Method, uses
from auditor.model.canonical import from_json, shared

if TYPE_CHECKING:
    from azure.core.credentials import AccessToken

CA_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
SIMULATOR_URL = "ENTRA_AUDIT_SIMULATOR_URL"
SIMULATOR_TOKEN = "ENTRA_AUDIT_SIMULATOR_TOKEN"  # noqa: S105 - the variable's name
SIMULATOR_WRITE_TOKEN = "ENTRA_AUDIT_SIMULATOR_WRITE_TOKEN"  # noqa: S105 - the variable's name
"""The token that writing takes in a simulator; reading takes SIMULATOR_TOKEN."""


class SignIn(Struct, frozen=True, kw_only=True):
    """As whom to sign in; what a method does not use has to stay empty."""

    method: Method = "default"
    cloud: Cloud | None = None
    """None: the one that AZURE_AUTHORITY_HOST names, else the public one."""
    tenant_id: str = ""
    """Tenant id or one of its domains."""
    client_id: str = ""
    """appId of the identity that reads; of managed-identity the user-assigned one, empty: the system's."""
    secret: Secret | None = None
    certificate_path: str = ""
    """PEM (certificate and private key) or PKCS #12."""
    certificate_password: Secret | None = None
    token_file: str = ""
    """File with the federated token of workload-identity."""


class Credential(Protocol):
    """What gives tokens, in azure-identity's shape."""

    def get_token(self, *scopes: str, **options: Any) -> AccessToken:  # noqa: ANN401 - azure-identity's signature
        """Return a token for the scopes."""
        ...


class Connection(Struct, frozen=True, kw_only=True):
    """How to reach Microsoft Graph, and as whom."""

    cloud: Cloud = PUBLIC
    base_url: str = PUBLIC.graph
    """Scheme, host and port, without a path."""
    credential: Callable[[], Credential]
    """Makes the credential; called when the first token is needed, and again when Graph refuses one."""
    simulated: bool = False


@shared
class Claims(Struct, frozen=True):
    """What a token says of its bearer; read without verification, to be shown and never to be trusted."""

    tid: str = ""
    appid: str = ""
    oid: str = ""
    roles: tuple[str, ...] = ()
    """Application permissions."""
    scp: str = ""
    """Delegated permissions, space-separated."""
    wids: tuple[str, ...] = ()
    """Directory roles that hold tenant-wide, by template id."""
    idtyp: str = ""
    """`app` or `user`; often left out."""
    app_displayname: str = ""
    upn: str = ""
    """The person who signed in."""
    exp: int = 0
    """End of the token's life in seconds since 1970; 0 when it does not say."""


def claims(token: str) -> Claims:
    """Return a token's claims; empty ones for a token that is no JWT."""
    parts = token.split(".")
    body = parts[1] if len(parts) == 3 else ""  # noqa: PLR2004 - header, body, signature
    try:
        said = from_json(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        return msgspec.convert(said, Claims)
    except (binascii.Error, ValueError):
        return Claims()


def authorities_file(environ: Mapping[str, str]) -> str:
    """Return the path of the certificate authorities that the first of CA_VARIABLES names, or an empty text.

    Those are the variables of OpenSSL, of requests and of curl; each library on its own knows only some of them.
    SSL_CERT_DIR, a folder, comes last.
    """
    return next((environ[name] for name in (*CA_VARIABLES, "SSL_CERT_DIR") if environ.get(name)), "")


def trusted(environ: Mapping[str, str]) -> ssl.SSLContext | bool:
    """Return whom to trust when Graph is reached over TLS: the company's authorities where `environ` names them.

    Raises:
        OSError: the file holds none, or cannot be read.
    """
    path = authorities_file(environ)
    if not path:
        return True
    folder = Path(path).is_dir()
    return ssl.create_default_context(cafile=None if folder else path, capath=path if folder else None)


def connection(sign_in: SignIn, environ: Mapping[str, str]) -> Connection:
    """Return the connection to the simulator that `environ` names, else to Microsoft Graph as `sign_in` says.

    Raises:
        UsageError: the sign-in lacks a part or has one that it does not use, the cloud is in doubt, or the simulator
            is not on loopback.
    """
    if url := environ.get(SIMULATOR_URL, ""):
        return simulator_connection(url, environ.get(SIMULATOR_TOKEN, ""))
    cloud = cloud_in_force(sign_in.cloud, environ)
    complete = _completed(msgspec.structs.replace(sign_in, cloud=cloud), environ)

    def credential() -> Credential:
        from auditor.graph.credentials import AzureCredential

        return AzureCredential(complete, environ)

    return Connection(cloud=cloud, base_url=cloud.graph, credential=credential)


def simulator_connection(url: str, token: str) -> Connection:
    """Return a connection to a simulator on this machine; `token` is its own and opens nothing else.

    Raises:
        UsageError: `url` is not on loopback, or there is no token.
    """
    if not _on_loopback(url):
        raise UsageError(
            "The simulator's address must lie on this machine.",
            where=SIMULATOR_URL,
            advice="Set it to an address such as http://127.0.0.1:8801, or unset it to read a real tenant.",
        )
    if not token:
        advice = "Set it to the one that `simulate` wrote."
        raise UsageError("The simulator's token is missing.", where=SIMULATOR_TOKEN, advice=advice)
    if not (token.isascii() and token.isprintable()):
        raise UsageError(
            "The simulator's token holds a character that no token has.",
            where=SIMULATOR_TOKEN,
            advice="Set it to the one that `simulate` wrote, without a line end.",
        )
    secret = Secret(token)

    def credential() -> Credential:
        from auditor.graph.credentials import FixedCredential

        return FixedCredential(secret)

    return Connection(base_url=url.rstrip("/"), credential=credential, simulated=True)


def _on_loopback(url: str) -> bool:
    """Tell whether a URL is a bare origin on this machine.

    Over plain HTTP the SDK sends a token to three names of it only, so no other is accepted there.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        bare = not (parts.username or parts.password or parts.query or parts.fragment or parts.path.strip("/"))
        named = host in ("localhost", "127.0.0.1", "::1")
        address = parts.scheme == "https" and not named and ipaddress.ip_address(host).is_loopback
        accepted = bare and parts.scheme in ("http", "https") and parts.port != 0 and (named or address)
    except ValueError:
        return False
    return accepted


class Part(Struct, frozen=True):
    """A part of a sign-in."""

    name: str
    option: str
    variables: tuple[str, ...] = ()
    """Where it comes from when the option is left out and the method needs it."""


PARTS = {
    "tenant_id": Part("the tenant's id", "--tenant-id", ("AZURE_TENANT_ID",)),
    "client_id": Part("the appId of the identity that reads", "--client-id", ("AZURE_CLIENT_ID",)),
    "secret": Part("the client secret", "--secret-file, a prompt", SECRET_VARIABLES),
    "certificate_path": Part("the certificate's file", "--certificate"),
    "token_file": Part("the federated token's file", "--token-file", ("AZURE_FEDERATED_TOKEN_FILE",)),
}


def _completed(sign_in: SignIn, environ: Mapping[str, str]) -> SignIn:
    """Return a sign-in with what the method needs, from the environment where it was not given.

    Raises:
        UsageError: something is missing, or was given and is not used.
    """
    needs = NEEDS.get(sign_in.method, ())
    given = [part for part in PARTS if getattr(sign_in, part)]
    unused = [PARTS[part].option for part in given if part not in uses(sign_in.method)]
    if unused:
        raise UsageError(
            f"The sign-in method {sign_in.method} does not use this.",
            where=", ".join(unused),
            advice="Leave it out, or choose another method with --auth.",
        )
    found: dict[str, str | Secret] = {}
    for part in (part for part in needs if part not in given):
        value = next((environ[name] for name in PARTS[part].variables if environ.get(name)), "")
        found[part] = Secret(value) if part == "secret" else value
    missing = [PARTS[part] for part, value in found.items() if not value]
    if missing:
        sources = "; ".join(f"{part.name}: {', '.join((part.option, *part.variables))}" for part in missing)
        raise UsageError(
            f"Signing in by {sign_in.method} needs {' and '.join(part.name for part in missing)}.",
            where="--auth",
            advice=f"Give what is missing ({sources}), or sign in with `az login` and the method azure-cli.",
        )
    return msgspec.structs.replace(sign_in, **found)
