"""The package as a file: a ZIP archive that has one form only, so that no byte of it can be another one unseen.

Members are stored as they are, in name order, with one fixed time and one fixed mode, and the comment holds the hash of
the manifest. Whoever reads a package writes it anew from what was read, and compares. Nothing is unpacked to names that
the archive chooses.
"""

from __future__ import annotations

import io
import os
import re
import stat
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from auditor.errors import InputError
from auditor.model.canonical import sha256
from auditor.sources.files import MIB, shown

MANIFEST, SIGNATURE = "manifest.json", "manifest.sig"
LIMIT = 1024 * MIB
"""Bytes of a package; its members are stored as they are, so that they hold no more."""
MOST = 2_000
"""Members of a package."""
SAFE = re.compile(r"(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9._+()-]*(/[A-Za-z0-9][A-Za-z0-9._+()-]*){0,3}")
"""A member's name: no root, no way up, no backslash, no drive."""
_TIME = (1980, 1, 1, 0, 0, 0)
_ENTRY = b"PK\1\2"
"""How each member begins in an archive's directory; no text that this program packs holds it."""
_MODE = (stat.S_IFREG | 0o600) << 16
_UNREADABLE = (
    zipfile.BadZipFile,
    NotImplementedError,  # packed or encrypted in a way that Python does not know
    RuntimeError,  # encrypted
    EOFError,
    OSError,
    OverflowError,
    ValueError,  # names that are no UTF-8, places outside the file
    struct.error,
)


class Opened(Struct, frozen=True, kw_only=True):
    """What an archive holds."""

    members: dict[str, bytes]
    """Name to content, of those that can be read."""
    damaged: tuple[str, ...]
    """Names of those that cannot."""
    other_form: bool
    """Something beside the members' contents is not as this program writes it."""


def pack(members: Mapping[str, bytes]) -> bytes:
    """Return the archive of `members`, MANIFEST among them; equal members give equal bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(members):
            info = zipfile.ZipInfo(name, _TIME)
            info.create_system, info.external_attr = 3, _MODE
            archive.writestr(info, members[name])
        archive.comment = f"entra-auditor evidence, manifest {sha256(members[MANIFEST])}".encode()
    return buffer.getvalue()


def unpack(data: bytes, where: str) -> Opened:
    """Return what a package holds.

    Raises:
        InputError: it is no archive, or one that no package is: packed or encrypted members, names that lead elsewhere
            or stand twice, links, or more than LIMIT or MOST.
    """
    if data.count(_ENTRY) > MOST:  # Before a directory of millions takes the memory.
        raise _refused(f"The archive has more than {MOST:,} members.", where)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            _refuse(entries, len(data), where)
            members: dict[str, bytes] = {}
            damaged: list[str] = []
            for entry in entries:
                try:
                    members[entry.filename] = archive.read(entry)
                except _UNREADABLE:
                    damaged.append(entry.filename)
    except _UNREADABLE as error:
        raise _refused(f"This is no evidence package, or it is damaged: {shown(str(error))}.", where) from None
    whole = MANIFEST in members and not damaged and pack(members) == data
    return Opened(members=members, damaged=tuple(damaged), other_form=not whole)


def read_package(path: Path) -> bytes:
    """Return the bytes of a package.

    Raises:
        InputError: the file cannot be read, or is larger than LIMIT.
    """
    try:
        with path.open("rb") as file:
            large = os.fstat(file.fileno()).st_size > LIMIT
            data = b"" if large else file.read(LIMIT + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "no valid file name"
        raise InputError(
            f"The file cannot be read: {reason}.", where=str(path), advice="Check the name and your right to read it."
        ) from None
    if large or len(data) > LIMIT:
        raise _refused(f"The file is larger than {LIMIT // MIB} MiB.", str(path))
    return data


def _refuse(entries: list[zipfile.ZipInfo], size: int, where: str) -> None:
    names: set[str] = set()
    for entry in entries:
        name = entry.filename
        if not SAFE.fullmatch(name):
            raise _refused(f"The archive has a member whose name leads elsewhere: '{shown(name)}'.", where)
        if name in names:
            raise _refused(f"The archive has the member '{name}' twice.", where)
        names.add(name)
        if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1:
            raise _refused(f"The member '{name}' is packed or encrypted; a package stores it as it is.", where)
        if stat.S_IFMT(entry.external_attr >> 16) not in {0, stat.S_IFREG}:
            raise _refused(f"The member '{name}' is a link or something else that is no file.", where)
    if sum(entry.file_size for entry in entries) > size:
        raise _refused("The archive says that it holds more than it is long.", where)


def _refused(what: str, where: str) -> InputError:
    return InputError(what, where=where, advice="Give the file that `entra-audit evidence` wrote.")
