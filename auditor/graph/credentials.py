"""Credentials: azure-identity's, with their errors turned into ours, and the simulator's own.

Imported when a token is first needed; azure-identity comes with it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

from azure import identity
from azure.core.credentials import AccessToken, TokenCredential
from azure.core.exceptions import AzureError

from auditor.errors import SignInError
from auditor.graph.answer import one_line
from auditor.graph.auth import METHODS, Claims, Credential, Secret, SignIn, claims

REFRESH_BEFORE = 300
"""Seconds before its expiry at which a token is no longer used."""

# Their warnings repeat what our one paragraph says, and know nothing of our redaction.
for _name in ("azure", "msal"):
    logging.getLogger(_name).addHandler(logging.NullHandler())

_ADVICE = (
    ("AADSTS90002", "There is no such tenant: check the tenant's id or domain."),
    ("AADSTS900023", "That is no tenant's id or domain: check it."),
    (
        "AADSTS7000215",
        "The client secret is wrong: give the secret's value (not its id) of this app registration.",
    ),
    ("AADSTS7000222", "The client secret has expired: add a new one to the app registration."),
    (
        "AADSTS700016",
        "The tenant does not know this app: check client id and tenant, and that an admin consented.",
    ),
    ("AADSTS700027", "The app registration does not hold this certificate: upload its public part."),
    ("AADSTS53003", "Conditional Access blocks this sign-in: ask the tenant's administrators."),
    ("az login", "Sign in with `az login --tenant TENANT`, then run this again."),
    ("Azure CLI not found", "Install the Azure CLI, or sign in another way."),
    ("deserialize", "Check the certificate's file, and its password in ENTRA_AUDIT_CERTIFICATE_PASSWORD."),
    ("password", "Check the certificate's file and its password."),
    ("private key", "Give a file with the certificate and its private key: PEM, or PKCS #12."),
    ("Is a directory", "Name the certificate's file, not its folder."),
    ("Invalid tenant", "Give the tenant's id or one of its domains."),
    ("No such file", "Check the path of the certificate."),
    ("Permission denied", "Check who may read the certificate's file."),
    ("certificate", "Give a PEM file with certificate and private key, or a PKCS #12 file."),
    ("resolve", "Check the network, the proxy and the name of the authority."),
    ("connect", "Check the network and the proxy (HTTPS_PROXY)."),
)
"""Part of an error, and what to do; the first that occurs counts."""


class CachedCredential:
    """A credential that asks for a token once, and again only shortly before its expiry, off the event loop.

    The SDK asks for a token before every HTTP request.
    """

    def __init__(self, make: Callable[[], Credential], *, clock: Callable[[], float] = time.time) -> None:
        self._make = make
        self._clock = clock
        self._credential: Credential | None = None
        self._token: AccessToken | None = None
        self._lock = asyncio.Lock()

    async def get_token(self, *scopes: str, **_options: object) -> AccessToken:
        """Return a token that is good for five minutes or more.

        Raises:
            SignInError: none could be had.
        """
        async with self._lock:
            if self._token is None or self._token.expires_on - self._clock() < REFRESH_BEFORE:
                if self._credential is None:
                    self._credential = self._make()
                self._token = await asyncio.to_thread(self._credential.get_token, *scopes)
            return self._token

    @property
    def claims(self) -> Claims:
        """What the last token says of its bearer."""
        return claims(self._token.token) if self._token else Claims()


class FixedCredential:
    """The simulator's own token, which does not expire."""

    def __init__(self, secret: Secret) -> None:
        self._secret = secret

    def get_token(self, *_scopes: str, **_options: object) -> AccessToken:
        """Return the token."""
        return AccessToken(self._secret.reveal(), 2**40)


class AzureCredential:
    """One of azure-identity's credentials."""

    def __init__(self, sign_in: SignIn) -> None:
        self._sign_in = sign_in
        self._credential: TokenCredential | None = None

    def get_token(self, *scopes: str, **_options: object) -> AccessToken:
        """Return a token.

        Raises:
            SignInError: none could be had; it says why and what to do, without any secret.
        """
        tenant = (self._sign_in.tenant_id or None) if self._sign_in.method == "default" else None
        try:
            if self._credential is None:
                self._credential = _azure(self._sign_in)
            return self._credential.get_token(*scopes, tenant_id=tenant)
        except (AzureError, OSError, ValueError) as error:
            raise _sign_in_error(error, self._sign_in) from None


def _azure(sign_in: SignIn) -> TokenCredential:
    tenant, client = sign_in.tenant_id, sign_in.client_id
    options: dict[str, Any] = {"authority": sign_in.authority} if sign_in.authority else {}
    if sign_in.method == "azure-cli":
        return identity.AzureCliCredential(tenant_id=tenant)
    if sign_in.method == "default":
        allowed = [tenant] if tenant else []
        return identity.DefaultAzureCredential(
            exclude_interactive_browser_credential=True, additionally_allowed_tenants=allowed, **options
        )
    options["disable_instance_discovery"] = not sign_in.instance_discovery
    if sign_in.method == "client-secret":
        return identity.ClientSecretCredential(tenant, client, _text(sign_in.secret), **options)
    password = _text(sign_in.certificate_password) or None
    try:
        return identity.CertificateCredential(tenant, client, sign_in.certificate_path, password=password, **options)
    except TypeError as error:  # What the cryptography library raises for a password too many or too few.
        raise ValueError(str(error)) from None


def _text(secret: Secret | None) -> str:
    return secret.reveal() if secret else ""


def _sign_in_error(error: Exception, sign_in: SignIn) -> SignInError:
    text = str(error)
    for secret in (sign_in.secret, sign_in.certificate_password):
        if secret:
            text = text.replace(secret.reveal(), repr(secret))
    text = one_line(text).rstrip(".") or type(error).__name__
    advice = next((advice for part, advice in _ADVICE if part.lower() in text.lower()), "")
    return SignInError(
        f"No token for Microsoft Graph by the sign-in method {sign_in.method}: {text}.",
        advice=advice or f"Sign in with `az login`, or choose another method: {', '.join(METHODS)}.",
    )
