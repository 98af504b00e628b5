"""Whatever a team writes: its configuration, permission families, app profiles and lists are read or refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.engine.waivers import check_waivers
from auditor.errors import ConfigurationError, InputError
from auditor.knowledge.configuration import read_configuration
from auditor.knowledge.documents import MAX_BYTES, MAX_VALUES, load, load_text
from auditor.knowledge.people import count_unequal
from auditor.model.configuration import Configuration
from tests.fuzz.targets import CONFIGURATION, configuration, permissions, profile, users

FEW = settings(max_examples=200)
FEWER = settings(max_examples=40)
SEEDS = st.integers(0, 2**32 - 1)


@FEW
@given(SEEDS)
def test_a_changed_configuration_is_read_or_refused(seed: int) -> None:
    configuration(seed)


@FEW
@given(SEEDS)
def test_a_changed_list_of_users_is_counted_or_refused(seed: int) -> None:
    users(seed)


@settings(max_examples=100)
@given(SEEDS)
def test_a_changed_permission_family_is_read_or_refused(seed: int) -> None:
    permissions(seed)


@FEWER
@given(SEEDS)
def test_a_changed_app_profile_is_read_or_refused(seed: int) -> None:
    profile(seed)


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("a: " + "9" * 5_000, "1:4", "more than 30 digits"),
        ("a: 1\nb: [" + "-" + "9" * 31 + "]", "2:5", "more than 30 digits"),
        ('a: 1\nb: "\\U00110000"', "2:2", "out of range"),
        ('"\\UFFFFFFFF": 1', "1:1", "out of range"),
        ("%YAML 1." + "9" * 5_000 + "\n---\na: no", "1:1", "out of range"),
        ('a: "\\ud800"', "1:4", "surrogate"),
        ('a: 1\n"\\udfff": 2', "2:1", "surrogate"),
        ('"foo` - at `$.bar": 1', "1:1", "not a key here"),
        ('"foo` - at `$.apps[0].x": 1', "1:1", "not a key here"),
        ('apps: {zoom: {"foo` - at `$.apps[...].zoom[...]": 1}}', "1:14", "not a key here"),
        ("- a\n" * (MAX_VALUES + 1), f"{MAX_VALUES}:3", "more than 20,000 values"),
        ("a: [" + "b," * MAX_VALUES + "]", "1:39999", "more than 20,000 values"),
        ("a: &x [*x, *x]", "1:4", "Anchors"),
        ("a: {b: 1, b: 2}", "1:11", "stands here twice"),
        ("a:\n\t- b", "2:1", "not valid YAML"),
    ],
)  # fmt: skip
def test_named_documents_are_refused_where_they_are_wrong(text: str, place: str, words: str) -> None:
    """Each ended in another error, took seconds, or named no line."""
    with pytest.raises(ConfigurationError, match=words) as caught:
        load_text(text, Configuration, "sample.yaml")
    line = caught.value.where.rpartition(":")[0] if "foo`" in text else caught.value.where
    assert line.startswith(f"sample.yaml:{place.partition(':')[0]}")
    assert "foo`" in text or caught.value.where == f"sample.yaml:{place}"
    assert caught.value.advice


def test_windows_line_ends_and_a_byte_order_mark_change_nothing(tmp_path: Path) -> None:
    """A configuration saved by Notepad reads the same; one in UTF-16, or over half a MiB, is refused in words."""
    file = tmp_path / "entra-audit.yaml"
    file.write_bytes(b"\xef\xbb\xbf" + CONFIGURATION.replace("\n", "\r\n").encode())
    assert load(file, Configuration) == load_text(CONFIGURATION, Configuration, "sample")
    file.write_bytes(CONFIGURATION.encode("utf-16"))
    with pytest.raises(ConfigurationError, match="not UTF-8"):
        load(file, Configuration)
    file.write_bytes(b"#" * (MAX_BYTES + 1))
    with pytest.raises(ConfigurationError, match="larger than 512 KiB"):
        load(file, Configuration)


def test_a_waivers_unknown_rule_is_named_with_its_line(tmp_path: Path) -> None:
    """The second waiver's misspelled rule is told by file, line and column."""
    file = tmp_path / "entra-audit.yaml"
    waiver = "  - {rule: RULE, app: a, owner: o, reason: r, expires: 2026-12-31}\n"
    file.write_text("waivers:\n" + waiver.replace("RULE", "owners") + waiver.replace("RULE", "owner"), encoding="utf-8")
    value, lines = read_configuration(file)
    with pytest.raises(ConfigurationError, match="There is no rule 'owner'") as caught:
        check_waivers(value.waivers, ["owners"], lines)
    assert caught.value.where == f"{file}:3:12"
    assert "Did you mean 'owners'?" in caught.value.advice


LIST = "Email,UPN\na@contoso.example,A@contoso.example\nb@contoso.example,bob@contoso.example\n"


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-16", "utf-8-sig", "utf-8"])
def test_a_list_in_any_unicode_is_read(tmp_path: Path, encoding: str) -> None:
    """UTF-16 without a byte order mark is told by its NULs."""
    file = tmp_path / "users.csv"
    file.write_bytes(LIST.encode(encoding))
    found = count_unequal(file, None)
    assert (found.total, found.unequal) == (2, 1)


def test_people_and_not_rows_are_counted(tmp_path: Path) -> None:
    """Rows with one address are one person, who counts as unequal when any row shows it; rows = people + repeated."""
    file = tmp_path / "users.csv"
    file.write_text(
        LIST + "B@contoso.example,b@contoso.example\na@contoso.example,a@contoso.example\n,x\n,x\n", encoding="utf-8"
    )
    found = count_unequal(file, None)
    assert (found.total, found.repeated, found.unequal, found.not_comparable) == (4, 2, 3, 2)


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("Email,E-mail,UPN", "2 columns of e-mail addresses: 'Email' and 'E-mail'"),
        ("Email,Mail,UPN", "2 columns of e-mail addresses"),
        ("Email,UPN,u p n", "2 columns of user principal names"),
    ],
)
def test_two_columns_of_one_meaning_are_refused(tmp_path: Path, header: str, words: str) -> None:
    """Which of them counts is not guessed."""
    file = tmp_path / "users.csv"
    file.write_text(f"{header}\na,b,c\n", encoding="utf-8")
    with pytest.raises(InputError, match=words) as caught:
        count_unequal(file, None)
    assert caught.value.where == f"{file}:1"


@pytest.mark.parametrize(
    ("rows", "unequal"),
    [
        ("x,a@contoso.example,a@contoso.example,Smith\n", 1),
        ("x,a@contoso.example,a@contoso.example,,\n", 0),
        ('"a\u2028b\x0bc",a@contoso.example,a@contoso.example\n', 0),
    ],
    ids=["shifted cells", "empty cells at the end", "other line ends inside a cell"],
)
def test_a_shifted_row_proves_nothing(tmp_path: Path, rows: str, unequal: int) -> None:
    """A comma without quotes moves the cells: such a row is not equal. U+2028 and VT are no end of a row."""
    file = tmp_path / "users.csv"
    file.write_text("Name,Email,UPN\n" + rows, encoding="utf-8")
    found = count_unequal(file, None)
    assert (found.total, found.unequal) == (1, unequal)


def test_a_line_without_end_is_refused(tmp_path: Path) -> None:
    """Cells by the million would fill the memory."""
    file = tmp_path / "users.csv"
    file.write_bytes(b"email,upn\n" + b"," * (2 << 20))
    with pytest.raises(InputError, match="longer than 1,048,576 characters"):
        count_unequal(file, None)
