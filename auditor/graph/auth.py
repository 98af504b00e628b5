"""Signing in: how to reach Microsoft Graph, and as whom.

Secrets live in `Secret` and inside azure-identity's credentials, nowhere else: no repr, error, pickle or
encoding shows one. azure-identity is imported when a token is first needed.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NoReturn, Protocol, get_args
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from auditor.errors import SignInError, UsageError

if TYPE_CHECKING:
    from azure.core.credentials import AccessToken

GRAPH = "https://graph.microsoft.com"
SECRET_VARIABLES = ("ENTRA_AUDIT_CLIENT_SECRET", "AZURE_CLIENT_SECRET")
SIMULATOR_URL = "ENTRA_AUDIT_SIMULATOR_URL"
SIMULATOR_TOKEN = "ENTRA_AUDIT_SIMULATOR_TOKEN"  # noqa: S105 - the variable's name
Method = Literal["default", "azure-cli", "client-secret", "certificate"]
METHODS: tuple[Method, ...] = get_args(Method)


class Secret:
    """A text that no way of printing, formatting, copying, pickling or encoding shows."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the text itself."""
        return self._value

    def __bool__(self) -> bool:
        return bool(self._value)

    def __repr__(self) -> str:
        return "**redacted**"

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a secret is neither copied nor pickled")


class SignIn(Struct, frozen=True, kw_only=True):
    """As whom to sign in."""

    method: Method = "default"
    tenant_id: str = ""
    """Tenant id or one of its domains; client-secret and certificate need it."""
    client_id: str = ""
    """appId of the identity that reads; client-secret and certificate need it."""
    secret: Secret | None = None
    certificate_path: str = ""
    """PEM (certificate and private key) or PKCS #12."""
    certificate_password: Secret | None = None
    authority: str = ""
    """Host that issues tokens; empty: login.microsoftonline.com."""
    instance_discovery: bool = True
    """Ask Microsoft whether the authority is known; off for a private authority."""


class Credential(Protocol):
    """What gives tokens, in azure-identity's shape."""

    def get_token(self, *scopes: str, **options: Any) -> AccessToken:  # noqa: ANN401 - azure-identity's signature
        """Return a token for the scopes."""
        ...


class Connection(Struct, frozen=True, kw_only=True):
    """How to reach Microsoft Graph, and as whom."""

    base_url: str = GRAPH
    """Scheme, host and port, without a path."""
    credential: Callable[[], Credential]
    """Makes the credential; called once, when the first token is needed."""
    simulated: bool = False


class Claims(Struct, frozen=True):
    """What a token says of its bearer; read without verification, to be shown and never to be trusted."""

    tid: str = ""
    appid: str = ""
    oid: str = ""
    roles: tuple[str, ...] = ()
    """Application permissions."""
    scp: str = ""
    """Delegated permissions, space-separated."""


def claims(token: str) -> Claims:
    """Return a token's claims; empty ones for a token that is no JWT."""
    parts = token.split(".")
    body = parts[1] if len(parts) == 3 else ""  # noqa: PLR2004 - header, body, signature
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)), type=Claims)
    except (binascii.Error, ValueError):
        return Claims()


def secret_from_environment(environ: Mapping[str, str]) -> Secret | None:
    """Return the client secret of the first of SECRET_VARIABLES that is set, or None."""
    value = next((environ[name] for name in SECRET_VARIABLES if environ.get(name)), "")
    return Secret(value) if value else None


def secret_from_file(path: Path) -> Secret:
    """Return the client secret that a file holds, without the line end.

    Raises:
        SignInError: the file cannot be read or is empty.
    """
    advice = "Write the secret's value, and nothing else, into a UTF-8 file that only you may read."
    try:
        value = path.read_text(encoding="utf-8-sig").strip()
    except OSError as error:
        what = f"The file of the client secret cannot be read: {error.strerror}."
        raise SignInError(what, where=str(path), advice=advice) from None
    except UnicodeDecodeError:
        raise SignInError("The file of the client secret is not UTF-8.", where=str(path), advice=advice) from None
    if not value:
        raise SignInError("The file of the client secret is empty.", where=str(path), advice=advice)
    return Secret(value)


def connection(sign_in: SignIn, environ: Mapping[str, str]) -> Connection:
    """Return the connection to the simulator that `environ` names, else to Microsoft Graph as `sign_in` says.

    Raises:
        UsageError: the sign-in lacks a part, or the simulator is not on loopback.
    """
    if url := environ.get(SIMULATOR_URL, ""):
        return simulator_connection(url, environ.get(SIMULATOR_TOKEN, ""))
    if sign_in.method == "client-secret" and not sign_in.secret:
        sign_in = msgspec.structs.replace(sign_in, secret=secret_from_environment(environ))
    _require_parts(sign_in)

    def credential() -> Credential:
        from auditor.graph.credentials import AzureCredential

        return AzureCredential(sign_in)

    return Connection(credential=credential)


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


def _require_parts(sign_in: SignIn) -> None:
    needed = {
        "client-secret": ("tenant_id", "client_id", "secret"),
        "certificate": ("tenant_id", "client_id", "certificate_path"),
    }
    names = {
        "tenant_id": "the tenant's id",
        "client_id": "the appId of the identity that reads",
        "secret": f"the client secret (from {SECRET_VARIABLES[0]}, a file or the prompt)",
        "certificate_path": "the certificate's file",
    }
    missing = [names[part] for part in needed.get(sign_in.method, ()) if not getattr(sign_in, part)]
    if missing:
        raise UsageError(
            f"Signing in by {sign_in.method} needs {' and '.join(missing)}.",
            advice="Give what is missing, or sign in with `az login` and the method azure-cli.",
        )
