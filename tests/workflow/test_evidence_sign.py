"""A package is signed with the team's own key, and only the team's public key fits it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from auditor.errors import InputError
from auditor.graph.secret import Secret
from auditor.workflow.evidence import Extras
from auditor.workflow.evidence_archive import MANIFEST, SIGNATURE, pack
from auditor.workflow.evidence_sign import PASSWORD_VARIABLE, is_signed_by, sign
from auditor.workflow.evidence_verify import _signature, verify_package
from tests.workflow.evidence import members, package

PASSWORD = "correct horse battery staple"  # a made-up one


def keys(folder: Path, name: str = "team", password: str = "") -> tuple[Path, Path]:
    """Write a private and a public key."""
    key = ed25519.Ed25519PrivateKey.generate()
    lock = BestAvailableEncryption(password.encode()) if password else NoEncryption()
    private, public = folder / f"{name}.pem", folder / f"{name}-public.pem"
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock))
    public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return private, public


def test_a_signed_package_is_verified_with_the_public_key(tmp_path: Path) -> None:
    """With another key it is a fault; without one it is said that nothing was checked."""
    private, public = keys(tmp_path)
    _, stranger = keys(tmp_path, "stranger")
    path = package(tmp_path, extras=Extras(key=private))
    states = {check.what: check for check in verify_package(path, key=public).checks}
    assert states[SIGNATURE].state == "ok"
    assert not verify_package(path, key=public).faults
    held = members(path.read_bytes())
    assert [one.state for one in _signature(held, stranger)] == ["fault"]
    (unchecked,) = _signature(held, None)
    assert unchecked.state == "note"
    assert "Signed, not checked" in unchecked.text
    assert len(held[SIGNATURE]) == 64
    assert "manifest.sig" in held["README.txt"].decode()


def test_a_package_that_should_be_signed_and_is_not_is_a_fault(tmp_path: Path) -> None:
    """Taking the signature away is no way around it."""
    private, public = keys(tmp_path)
    held = members(package(tmp_path, extras=Extras(key=private)).read_bytes())
    del held[SIGNATURE]
    (tmp_path / "bare.zip").write_bytes(pack(held))
    assert [fault.what for fault in verify_package(tmp_path / "bare.zip", key=public).faults] == [SIGNATURE]


def test_every_bit_of_manifest_and_signature_counts(tmp_path: Path) -> None:
    private, public = keys(tmp_path)
    manifest = b'{"members":[],"schema":"entra-auditor/evidence"}\n'
    signature = sign(manifest, private, None)
    assert is_signed_by(manifest, signature, public)
    for place in range(len(signature)):
        changed = signature[:place] + bytes([signature[place] ^ 1]) + signature[place + 1 :]
        assert not is_signed_by(manifest, changed, public)
    for place in range(len(manifest)):
        assert not is_signed_by(manifest[:place] + b"~" + manifest[place + 1 :], signature, public)
    assert not is_signed_by(manifest, b"", public)
    assert not is_signed_by(manifest, signature + b"\0", public)


def test_an_encrypted_key_takes_its_password_from_the_environment(tmp_path: Path) -> None:
    private, public = keys(tmp_path, password=PASSWORD)
    assert is_signed_by(b"x", sign(b"x", private, Secret(PASSWORD)), public)
    for password, word in ((None, "The key is encrypted"), (Secret("wrong"), "password is another one")):
        with pytest.raises(InputError, match=word) as caught:
            sign(b"x", private, password)
        assert PASSWORD not in str(caught.value)
    with pytest.raises(InputError, match=PASSWORD_VARIABLE):
        sign(b"x", private, None)


def ec_key(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    private, public = folder / "ec.pem", folder / "ec-public.pem"
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return private, public


def test_what_is_no_ed25519_key_is_an_error_with_advice(tmp_path: Path) -> None:
    private, public = keys(tmp_path)
    other, other_public = ec_key(tmp_path)
    (tmp_path / "text.pem").write_text("no key")
    wrong: tuple[tuple[Callable[[], object], str], ...] = (
        (lambda: sign(b"x", tmp_path / "none.pem", None), "cannot be read"),
        (lambda: sign(b"x", tmp_path / "text.pem", None), "no private key"),
        (lambda: sign(b"x", public, None), "no private key"),
        (lambda: sign(b"x", other, None), "not an Ed25519 key"),
        (lambda: sign(b"x", private, Secret("unneeded")), "not encrypted"),
        (lambda: is_signed_by(b"x", b"y", tmp_path / "text.pem"), "no public key"),
        (lambda: is_signed_by(b"x", b"y", private), "no public key"),
        (lambda: is_signed_by(b"x", b"y", other_public), "not an Ed25519 key"),
    )
    for call, word in wrong:
        with pytest.raises(InputError, match=word) as caught:
            call()
        assert caught.value.advice


@pytest.mark.slow
def test_openssl_finds_the_signature_good(tmp_path: Path) -> None:
    """Nobody needs this program to check a signature."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs openssl")
    private, public = keys(tmp_path)
    for name, content in members(package(tmp_path, extras=Extras(key=private)).read_bytes()).items():
        if name in {MANIFEST, SIGNATURE}:
            (tmp_path / name).write_bytes(content)
    where = ["-inkey", str(public), "-in", MANIFEST, "-sigfile", SIGNATURE]
    command = [openssl, "pkeyutl", "-verify", "-pubin", "-rawin", *where]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Verified Successfully" in done.stdout
