"""The ID token of a GitHub Actions job, asked for anew whenever it is presented.

Source: https://docs.github.com/actions/reference/security/oidc (read 2026-11-22). The token that asks goes to the host
that GitHub names, over HTTPS, and to no other: redirects are not followed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

import httpx
from msgspec import DecodeError, Struct, json

from auditor.errors import SignInError
from auditor.graph.answer import one_line
from auditor.graph.auth import trusted
from auditor.model.canonical import shared

URL = "ACTIONS_ID_TOKEN_REQUEST_URL"
TOKEN = "ACTIONS_ID_TOKEN_REQUEST_TOKEN"  # noqa: S105 - the variable's name
TIMEOUT = 30
"""Seconds."""
_ADVICE = "Run this in a GitHub Actions job whose workflow says `permissions: id-token: write`."


@shared
class _Answer(Struct):
    value: str = ""


def id_token(environ: Mapping[str, str], audience: str) -> Callable[[], str]:
    """Return what asks GitHub for an ID token for `audience`.

    Raises:
        SignInError: the job may not ask, or the address is not one over HTTPS; what is returned raises it when GitHub
            gives no token.
    """
    url, token = environ.get(URL, ""), environ.get(TOKEN, "")
    if not (url and token):
        missing = " and ".join(name for name in (URL, TOKEN) if not environ.get(name))
        raise SignInError(f"GitHub gives this job no ID token: {missing} is not set.", advice=_ADVICE)
    if not _over_https(url):
        advice = "GitHub sets it; it has to be an https address without a name or password in it."
        raise SignInError("That is no address for an ID token.", where=URL, advice=advice)

    def ask() -> str:
        try:
            with httpx.Client(verify=trusted(environ), follow_redirects=False, timeout=TIMEOUT) as client:
                address = httpx.URL(url).copy_merge_params({"audience": audience})
                response = client.get(address, headers={"Authorization": f"Bearer {token}"})
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError, ImportError) as error:
            # h11's own words of a bad request repeat its headers, and with them the token.
            said = "" if isinstance(error, httpx.LocalProtocolError) else str(error).replace(token, "**redacted**")
            why = one_line(f"{type(error).__name__} {said}")
            advice = "Check the network, the proxy (HTTPS_PROXY) and its certificates (SSL_CERT_FILE)."
            raise SignInError(f"GitHub could not be asked for an ID token: {why}.", advice=advice) from None
        if response.status_code != httpx.codes.OK:
            raise SignInError(f"GitHub gives no ID token: HTTP {response.status_code}.", advice=_ADVICE)
        try:
            value = json.decode(response.content, type=_Answer).value
        except (DecodeError, UnicodeDecodeError, RecursionError):
            value = ""
        if not value:
            raise SignInError("GitHub's answer holds no ID token.", advice=_ADVICE)
        return value

    return ask


def _over_https(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme == "https" and bool(parts.hostname) and not (parts.username or parts.password)
    except ValueError:
        return False
