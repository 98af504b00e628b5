"""Credentials: azure-identity's, with their errors turned into ours, and the simulator's own.

Imported when a token is first needed; azure-identity comes with it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping

from azure.core.credentials import AccessToken, TokenCredential
from azure.core.exceptions import AzureError

from auditor.errors import SignInError
from auditor.graph.advice import advice
from auditor.graph.answer import one_line
from auditor.graph.auth import Claims, Credential, SignIn, claims
from auditor.graph.methods import azure_credential
from auditor.graph.secret import Secret, redacted

REFRESH_BEFORE = 300
"""Seconds before its expiry at which a token is no longer used."""
RENEW_AFTER = 300
"""Seconds that pass at least between two tokens that are asked for because Graph refused one."""

# Their warnings repeat what our one paragraph says, and know nothing of our redaction.
for _name in ("azure", "msal"):
    logging.getLogger(_name).addHandler(logging.NullHandler())


class CachedCredential:
    """A credential that asks for a token once, and again only shortly before its expiry, off the event loop.

    The SDK asks for a token before every HTTP request.
    """

    def __init__(self, make: Callable[[], Credential], *, clock: Callable[[], float] = time.time) -> None:
        self._make = make
        self._clock = clock
        self._credential: Credential | None = None
        self._token: AccessToken | None = None
        self._number = 0
        self._renewed = -float("inf")
        self._claims = Claims()
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
                self._number += 1
                self._claims = claims(self._token.token)
            return self._token

    @property
    def number(self) -> int:
        """How many tokens have been asked for; it names the one at hand."""
        return self._number

    def renew(self, number: int) -> None:
        """Forget the token of this number, and the credential whose cache would give it again.

        Nothing is forgotten within RENEW_AFTER of the last time: a new token would be refused as well.
        """
        recently = self._clock() - self._renewed < RENEW_AFTER
        if number == self._number and not recently and not self._lock.locked():
            self._renewed = self._clock()
            self.close()

    def close(self) -> None:
        """Forget the token, and end the credential's connections."""
        close = getattr(self._credential, "close", None)
        self._token = self._credential = None
        if close:
            close()

    @property
    def claims(self) -> Claims:
        """What the last token says of its bearer."""
        return self._claims


class FixedCredential:
    """The simulator's own token, which does not expire."""

    def __init__(self, secret: Secret) -> None:
        self._secret = secret

    def get_token(self, *_scopes: str, **_options: object) -> AccessToken:
        """Return the token."""
        return AccessToken(self._secret.reveal(), 2**40)


class AzureCredential:
    """One of azure-identity's credentials.

    Args:
        sign_in: as whom.
        environ: names the certificate authorities to trust, and GitHub's address; azure-identity reads the process's.
    """

    def __init__(self, sign_in: SignIn, environ: Mapping[str, str]) -> None:
        self._sign_in = sign_in
        self._environ = environ
        self._credential: TokenCredential | None = None

    def get_token(self, *scopes: str, **_options: object) -> AccessToken:
        """Return a token.

        Raises:
            SignInError: none could be had; it says why and what to do, without any secret.
        """
        tenant = (self._sign_in.tenant_id or None) if self._sign_in.method == "default" else None
        try:
            if self._credential is None:
                self._credential = azure_credential(self._sign_in, self._environ)
            return self._credential.get_token(*scopes, tenant_id=tenant)
        except (AzureError, OSError, ValueError) as error:
            raise self._error(error) from None

    def close(self) -> None:
        """End its connections."""
        close = getattr(self._credential, "close", None)
        self._credential = None
        if close:
            close()

    def _error(self, error: Exception) -> SignInError:
        sign_in = self._sign_in
        said = error.message if isinstance(error, AzureError) else str(error)
        text = redacted(said, (sign_in.secret, sign_in.certificate_password), self._environ)
        text = one_line(text).rstrip(".") or type(error).__name__
        return SignInError(
            f"No token for Microsoft Graph by the sign-in method {sign_in.method}: {text}.",
            advice=advice(str(error), sign_in),
        )
