"""Evidence packages for tests: made of the sample tenant, taken apart, and put together otherwise."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from auditor.model.canonical import sha256, to_json
from auditor.model.evidence import Manifest, Member
from auditor.simulator.sample import sample, sample_configuration
from auditor.workflow.evidence import Extras, Found, make_package
from auditor.workflow.evidence_archive import MANIFEST, SIGNATURE, pack
from auditor.workflow.evidence_verify import Verified, verify_package
from auditor.workflow.prepare import Prepared, prepare
from auditor.workflow.run import judge

Look = Callable[..., Verified]
"""Looks at the bytes of a package, with the options of verify_package."""


@cache
def own() -> Prepared:
    """Return rules and configuration of the sample tenant's team."""
    return prepare("zoom", config=None, sample=sample_configuration())


@cache
def found() -> Found:
    """Return a run over the sample tenant."""
    snapshot = sample()
    return Found(snapshot=snapshot, result=judge(snapshot, own())[0])


def package(folder: Path, run: Found | None = None, extras: Extras | None = None, name: str = "evidence.zip") -> Path:
    """Write the package of a run, of the sample tenant unless told otherwise."""
    return make_package(run or found(), lambda _: own(), extras or Extras(), out=folder / name).path


def members(data: bytes) -> dict[str, bytes]:
    """Return what an archive holds, read by Python's own module."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zipped(held: Mapping[str, bytes]) -> bytes:
    """Return an archive as anybody would write it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in held.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def sealed(held: Mapping[str, bytes], **changes: object) -> bytes:
    """Return a package whose manifest fits its members, as somebody who knows the format would forge it."""
    listed = {name: content for name, content in held.items() if name not in {MANIFEST, SIGNATURE}}
    manifest = replace(
        msgspec.json.decode(held[MANIFEST], type=Manifest),
        members=tuple(
            Member(name=name, size=len(content), sha256=sha256(content)) for name, content in sorted(listed.items())
        ),
        **changes,
    )
    return pack({**held, MANIFEST: to_json(manifest)})


def looked(path: Path, data: bytes, **options: Any) -> Verified:
    """Write the bytes to a file and look at the package."""
    path.write_bytes(data)
    return verify_package(path, **options)


def faults(seen: Verified) -> dict[str, str]:
    """Return what is wrong: where, and what."""
    return {check.what: check.text for check in seen.faults}


def states(seen: Verified) -> dict[str, str]:
    """Return what was looked at, and how it is."""
    return {check.what: check.state for check in seen.checks}


def flipped(data: bytes, place: int, bit: int = 0) -> bytes:
    """Return the bytes with one bit of one byte turned."""
    return data[:place] + bytes([data[place] ^ (1 << bit)]) + data[place + 1 :]


def places(data: bytes) -> dict[str, tuple[int, int]]:
    """Return where the content of each member begins and ends in the file."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        begins = {
            info.filename: info.header_offset + 30 + len(info.filename.encode()) + len(info.extra)
            for info in archive.infolist()
        }
        return {
            info.filename: (begins[info.filename], begins[info.filename] + info.file_size)
            for info in archive.infolist()
        }
