"""A signature over the manifest of a package, with the team's own Ed25519 key."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from auditor.errors import InputError
from auditor.sources.files import read

if TYPE_CHECKING:
    from auditor.graph.secret import Secret

PASSWORD_VARIABLE = "ENTRA_AUDIT_SIGN_KEY_PASSWORD"  # noqa: S105 - the variable's name
_LIMIT = 64 << 10
_MAKE = "Make one with: openssl genpkey -algorithm ed25519 -out KEY.pem"
_PUBLIC = "Give the public key: openssl pkey -in KEY.pem -pubout -out PUBLIC.pem"


def sign(manifest: bytes, key: Path, password: Secret | None) -> bytes:
    """Return the detached signature of a manifest, 64 bytes.

    Args:
        manifest: the bytes of manifest.json.
        key: a private Ed25519 key as PEM.
        password: of an encrypted key; None: it is not encrypted.

    Raises:
        InputError: the key cannot be read, is encrypted otherwise, or is no private Ed25519 key.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    data = read(key, where=str(key), limit=_LIMIT)
    try:
        loaded = load_pem_private_key(data, password.reveal().encode() if password else None)
    except TypeError:
        what = "The key is not encrypted, and a password is set." if password else "The key is encrypted."
        raise InputError(what, where=str(key), advice=f"Its password is read from {PASSWORD_VARIABLE}.") from None
    except (ValueError, UnsupportedAlgorithm):
        what = "This is no private key, or its password is another one."
        raise InputError(what, where=str(key), advice=_MAKE) from None
    if not isinstance(loaded, Ed25519PrivateKey):
        raise InputError("This key is not an Ed25519 key.", where=str(key), advice=_MAKE)
    return loaded.sign(manifest)


def is_signed_by(manifest: bytes, signature: bytes, key: Path) -> bool:
    """Tell whether the signature is of this manifest, by the owner of a public key.

    Raises:
        InputError: the key cannot be read, or is no public Ed25519 key.
    """
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    data = read(key, where=str(key), limit=_LIMIT)
    try:
        loaded = load_pem_public_key(data)
    except (ValueError, UnsupportedAlgorithm):
        raise InputError("This is no public key.", where=str(key), advice=_PUBLIC) from None
    if not isinstance(loaded, Ed25519PublicKey):
        raise InputError("This key is not an Ed25519 key.", where=str(key), advice=_PUBLIC)
    try:
        loaded.verify(signature, manifest)
    except InvalidSignature:
        return False
    return True
