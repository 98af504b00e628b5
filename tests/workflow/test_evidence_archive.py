"""The archive of a package has one form only: no byte of it can be another one, and nothing in it leads elsewhere."""

from __future__ import annotations

import io
import stat
import sys
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.errors import InputError
from auditor.workflow.evidence_archive import LIMIT, MANIFEST, MOST, Opened, pack, read_package, unpack
from tests.workflow.evidence import flipped, zipped

HELD = {MANIFEST: b'{"a":1}\n', "rules/checks/a.yaml": b"id: a\n", "audit.json": b"{}\n", "empty.csv": b""}


def is_whole(data: bytes) -> bool:
    try:
        opened = unpack(data, "x.zip")
    except InputError:
        return False
    return not opened.damaged and not opened.other_form


def test_what_was_packed_is_unpacked() -> None:
    assert unpack(pack(HELD), "x.zip") == Opened(members=HELD, damaged=(), other_form=False)


def test_equal_members_give_equal_bytes_in_any_order() -> None:
    """Fixed times and modes, name order, nothing packed: zlib has no say."""
    assert pack(HELD) == pack(dict(reversed(HELD.items())))
    with zipfile.ZipFile(io.BytesIO(pack(HELD))) as archive:
        assert archive.testzip() is None
        for info in archive.infolist():
            assert info.date_time == (1980, 1, 1, 0, 0, 0)
            assert info.compress_type == zipfile.ZIP_STORED
            assert info.external_attr >> 16 == stat.S_IFREG | 0o600
        assert archive.namelist() == sorted(HELD)


def test_every_bit_of_the_file_counts(capsys: pytest.CaptureFixture[str]) -> None:
    """Contents, headers, central directory, comment: each bit turned, one at a time."""
    data = pack(HELD)
    unseen = [(n, bit) for n in range(len(data)) for bit in range(8) if is_whole(flipped(data, n, bit))]
    with capsys.disabled():
        sys.stdout.write(f"\n{8 * len(data):,} bits turned, {len(unseen)} unseen\n")
    assert unseen == []


def test_every_cut_and_every_byte_more_counts() -> None:
    data = pack(HELD)
    assert not any(is_whole(data[:n]) for n in range(len(data)))
    assert not any(is_whole(data[:n] + b"\0" + data[n:]) for n in range(len(data) + 1))
    assert not is_whole(b"MZ" + data)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes_are_a_package_or_an_input_error(data: bytes) -> None:
    for candidate in (data, b"PK\x03\x04" + data, pack(HELD)[:-30] + data):
        assert not is_whole(candidate)


def entry(name: str, **attributes: object) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    for key, value in attributes.items():
        setattr(info, key, value)
    return info


def with_entries(*entries: zipfile.ZipInfo, compression: int = zipfile.ZIP_STORED, content: bytes = b"x") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(MANIFEST, b"{}")
        for one in entries:
            archive.writestr(one, content, compress_type=compression)
    return buffer.getvalue()


REFUSED: Mapping[str, tuple[Callable[[], bytes], str]] = {
    "a way up": (lambda: with_entries(entry("../evil")), "leads elsewhere"),
    "a root": (lambda: with_entries(entry("/etc/passwd")), "leads elsewhere"),
    "a way up inside": (lambda: with_entries(entry("a/../../b")), "leads elsewhere"),
    "a drive": (lambda: with_entries(entry("C:evil")), "leads elsewhere"),
    "a backslash": (lambda: with_entries(entry("a/b")).replace(b"a/b", b"a\\b"), "leads elsewhere"),
    "a folder": (lambda: with_entries(entry("folder/")), "leads elsewhere"),
    "a turned name": (lambda: with_entries(entry("\u202egnp.json")), "leads elsewhere"),
    "a name twice": (lambda: with_entries(entry("a"), entry("a")), "twice"),
    "a bomb": (lambda: with_entries(entry("a"), compression=zipfile.ZIP_DEFLATED, content=b"\0" * 10**7), "packed"),
    "another packing": (lambda: with_entries(entry("a"), compression=zipfile.ZIP_LZMA), "packed"),
    "a link": (lambda: with_entries(entry("a", external_attr=(stat.S_IFLNK | 0o777) << 16)), "link"),
    "a pipe": (lambda: with_entries(entry("a", external_attr=(stat.S_IFIFO | 0o600) << 16)), "link"),
    "many members": (lambda: with_entries(*(entry(f"m{n}") for n in range(MOST + 1))), "members"),
    "a directory of millions": (lambda: b"PK\1\2" * 3_000_000, "members"),
    "nothing": (lambda: b"", "no evidence package"),
    "a beginning": (lambda: b"PK", "no evidence package"),
}


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("name", REFUSED)
def test_what_no_package_is_is_refused(name: str) -> None:
    make, word = REFUSED[name]
    with pytest.raises(InputError, match=word) as caught:
        unpack(make(), "x.zip")
    assert caught.value.where == "x.zip"
    assert caught.value.advice


def test_an_archive_that_claims_more_than_it_is_long_is_refused() -> None:
    data = zipped({MANIFEST: b"{}", "a": b"x"})
    place = data.rindex(b"PK\x01\x02")
    swollen = data[: place + 20] + (2**31).to_bytes(4, "little") * 2 + data[place + 28 :]
    with pytest.raises(InputError, match=r"more than it is long"):
        unpack(swollen, "x.zip")


def test_an_encrypted_member_is_refused() -> None:
    data = zipped({MANIFEST: b"{}", "a": b"x"})
    place = data.rindex(b"PK\x01\x02")
    with pytest.raises(InputError, match="encrypted"):
        unpack(data[: place + 8] + b"\x01" + data[place + 9 :], "x.zip")


def test_a_file_that_is_too_large_or_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_package(tmp_path / "none.zip")
    large = tmp_path / "large.zip"
    with large.open("wb") as file:
        file.truncate(LIMIT + 1)
    with pytest.raises(InputError, match="larger than"):
        read_package(large)
