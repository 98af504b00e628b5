"""JSON Web Tokens of the simulator's authority: those that it makes, and the assertions that it verifies.

PyJWT and cryptography come with azure-identity; they are imported when a token is signed or verified.
"""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Mapping
from typing import Any

Claims = dict[str, Any]


class Mistrusted(Exception):  # noqa: N818 - a verdict on a token and no error of this program
    """An assertion does not hold; the text says why."""


def unsigned(claims: Mapping[str, object]) -> str:
    """Return a token in the shape of a JSON Web Token that nobody signed; its end is random."""
    parts = (json.dumps(part).encode() for part in ({"typ": "JWT", "alg": "none"}, claims))
    text = ".".join(encoded(part) for part in parts)
    return f"{text}.{secrets.token_urlsafe(32)}"


def encoded(data: bytes) -> str:
    """Return bytes in base64 for URLs, without padding."""
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


class Issuer:
    """Another identity provider that the tenant's apps may trust: it signs federated tokens with a key of its own."""

    def __init__(self) -> None:
        from cryptography.hazmat.primitives.asymmetric import ec

        self._key = ec.generate_private_key(ec.SECP256R1())

    def sign(self, claims: Claims) -> str:
        """Return a signed token."""
        import jwt

        return jwt.encode(claims, self._key, algorithm="ES256")

    def verify(self, token: str, audience: str, now: float) -> Claims:
        """Return the claims of a token that this key signed, for this audience, and that has not expired.

        Raises:
            Mistrusted: it is none.
        """
        return _verified(token, self._key.public_key(), ["ES256"], audience, now)


def verify_certificate_assertion(token: str, certificate: str, audience: str, now: float) -> Claims:
    """Return the claims of an assertion that the key of a PEM certificate signed, for this audience.

    Raises:
        Mistrusted: it is none, or has expired.
    """
    from cryptography import x509

    key = x509.load_pem_x509_certificate(certificate.encode()).public_key()
    return _verified(token, key, ["PS256", "RS256"], audience, now)


def _verified(token: str, key: Any, algorithms: list[str], audience: str, now: float) -> Claims:  # noqa: ANN401 - jwt's
    import jwt

    options: Any = {"verify_exp": False, "verify_nbf": False, "verify_iat": False, "require": ["exp", "aud"]}
    try:
        claims: Claims = jwt.decode(token, key, algorithms=algorithms, audience=audience, options=options)
    except jwt.PyJWTError as error:
        raise Mistrusted(str(error)) from None
    if not isinstance(claims["exp"], int | float) or claims["exp"] <= now:
        raise Mistrusted("The token has expired.")
    return claims
