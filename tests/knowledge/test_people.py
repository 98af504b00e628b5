"""For how many people the vendor's e-mail address is not the user principal name."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.errors import InputError
from auditor.knowledge.people import count_unequal

EXPORT = "Email Address,First Name,User Principal Name\nadele@contoso.example,A,ADELE@contoso.example\n"
LATER = "b@contoso.example,B,bob@contoso.example\n,,\nc@contoso.example,C,\n,D,d@contoso.example\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_people_are_counted_against_the_files_own_column(tmp_path: Path, encoding: str, delimiter: str) -> None:
    """Case does not count; a row without one of the two is not shown to be equal; empty rows are nobody."""
    path = tmp_path / "users.csv"
    path.write_text((EXPORT + LATER).replace(",", delimiter), encoding=encoding)
    users = count_unequal(path, None)
    assert (users.total, users.unequal, users.not_comparable) == (4, 3, 2)
    assert "User Principal Name" in users.compared_with
    path.write_text(EXPORT.replace(",", delimiter), encoding=encoding)
    users = count_unequal(path, None)
    assert (users.total, users.unequal) == (1, 0)


def test_people_are_counted_against_the_tenants_names(tmp_path: Path) -> None:
    """With the tenant's list an address that is nobody's counts, whatever the file's own column says."""
    path = tmp_path / "users.csv"
    path.write_text('e-mail\nadele@contoso.example\nb@contoso.example\n\n""\n', encoding="utf-8")
    users = count_unequal(path, ["Adele@Contoso.example"])
    assert (users.total, users.unequal, users.not_comparable) == (2, 1, 0)
    path.write_text(EXPORT + LATER, encoding="utf-8")
    users = count_unequal(path, iter(["adele@contoso.example", "b@contoso.example"]))
    assert (users.total, users.unequal, users.not_comparable) == (4, 2, 1)
    assert "tenant" in users.compared_with


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("Email,UPN", True),
        ("E-Mail,sso_id", True),
        ("E-mail address,SSO ID", True),
        ("user email,userPrincipalName", True),
        ("Email,Name", False),
        ("Name,UPN", False),
        ("", False),
    ],
)
def test_columns_are_found_by_their_names(tmp_path: Path, header: str, found: bool) -> None:
    """In any case and punctuation; a missing one is named, with what the file has."""
    path = tmp_path / "users.csv"
    path.write_text(f"{header}\na@contoso.example,a@contoso.example\n", encoding="utf-8")
    if found:
        assert count_unequal(path, None).unequal == 0
        return
    with pytest.raises(InputError, match="no column of") as caught:
        count_unequal(path, None)
    assert caught.value.where == f"{path}:1"
    assert caught.value.advice


def test_short_rows_and_an_export_of_nobody_prove_nothing(tmp_path: Path) -> None:
    """A row that ends early is not equal, and an empty list is an error and never `everybody is equal`."""
    path = tmp_path / "users.csv"
    path.write_text("name,email,upn\nA\nB,b@contoso.example\n", encoding="utf-8")
    users = count_unequal(path, None)
    assert (users.unequal, users.not_comparable) == (2, 2)
    path.write_text("email,upn\n,\n", encoding="utf-8")
    with pytest.raises(InputError, match="lists nobody"):
        count_unequal(path, None)


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"email,upn\n\xff\xfe\xfa", "neither UTF-8"),
        (b'email,upn\n"' + b"x" * 200_000, "not CSV"),
        (b"\xff\xfea", "UTF-16"),
    ],
)
def test_what_is_no_csv_is_an_input_error(tmp_path: Path, data: bytes, what: str) -> None:
    """Bytes that are no text, and a cell without end, are refused with the file's name."""
    path = tmp_path / "users.csv"
    path.write_bytes(data)
    with pytest.raises(InputError, match=what):
        count_unequal(path, None)


def test_an_absent_or_huge_export_is_an_input_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither ends in a traceback or takes the memory."""
    with pytest.raises(InputError, match="cannot be read"):
        count_unequal(tmp_path / "absent.csv", None)
    path = tmp_path / "users.csv"
    path.write_text(EXPORT, encoding="utf-8")
    monkeypatch.setattr("auditor.knowledge.people.MAX_BYTES", 10)
    with pytest.raises(InputError, match="larger"):
        count_unequal(path, None)


@given(st.binary(max_size=80))
def test_any_bytes_are_counted_or_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    """No input leads to anything but a count or an error that a user can act on."""
    path = tmp_path_factory.mktemp("users") / "users.csv"
    path.write_bytes(b"email,upn\na,a\n" + data)
    try:
        users = count_unequal(path, None)
    except InputError:
        return
    assert 0 <= users.not_comparable <= users.unequal <= users.total
