"""The search for canaries finds what it is meant to find."""

from __future__ import annotations

import base64
import gzip
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.canary import leaks, written

SECRET = "c4n4ry~s3cr3t/+="
TOKEN = "eyJ0eXAi" + "Sample-token-of-contoso-" * 4


@pytest.mark.parametrize(
    "text",
    [
        f"a {SECRET} b".encode(),
        quote(SECRET, safe="").encode(),
        SECRET.encode().hex().encode(),
        base64.b64encode(SECRET.encode()),
        base64.b64encode(b"x:" + SECRET.encode()),
        base64.urlsafe_b64encode(b"?" + SECRET.encode() + b"tail"),
        SECRET.encode("utf-16-le"),
    ],
)
def test_a_secret_is_found_in_every_form(text: bytes) -> None:
    assert leaks({"secret": SECRET}, [("here", text)])


def test_a_part_of_a_token_is_found_too() -> None:
    assert leaks({"token": TOKEN}, [("here", TOKEN[40:].encode())])
    assert leaks({"token": TOKEN}, [("here", TOKEN[:40].encode())])
    assert not leaks({"token": TOKEN}, [("here", b"eyJ0eXAi and nothing of it")])


def test_files_are_searched_unpacked(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b.json.gz").write_bytes(gzip.compress(SECRET.encode()))
    assert leaks({"secret": SECRET}, written(tmp_path)) == ["secret, plain, b.json.gz, unpacked"]
