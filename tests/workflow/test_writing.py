"""Results are written whole or not at all."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from auditor.errors import OutputError
from auditor.workflow.writing import check_folder, write_file, write_files


def test_files_are_written_whole_and_readable_by_their_owner_only(tmp_path: Path) -> None:
    paths = write_files(tmp_path / "new" / "folder", {"a.txt": b"a", "b.txt": b"b"})
    assert [path.read_bytes() for path in paths] == [b"a", b"b"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in paths} == {0o600}
    assert sorted(path.name for path in (tmp_path / "new" / "folder").iterdir()) == ["a.txt", "b.txt"]


def test_a_name_that_a_folder_has_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    (tmp_path / "report.html").mkdir()
    with pytest.raises(OutputError, match="A folder stands where the file should be"):
        write_files(tmp_path, {"audit.json": b"new", "report.html": b"x"})
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_a_full_disk_leaves_neither_new_nor_temporary_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk fills up while the second file is written: the first must not appear either."""
    written: list[int] = []

    def fsync(handle: int) -> None:
        written.append(handle)
        if len(written) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(OutputError, match="No space left on device"):
        write_files(tmp_path, {"a.txt": b"a", "b.txt": b"b"})
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_way_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match="A file stands where the folder should be"):
        check_folder(tmp_path / "file")
    with pytest.raises(OutputError, match="A file stands in the way"):
        check_folder(tmp_path / "file" / "below")


def test_a_folder_that_may_not_be_written_is_refused_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tests may run as root, whom the file system refuses nothing, so the system's answer is given here."""
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(OutputError, match="cannot be written to"):
        check_folder(tmp_path / "new")


def test_a_folder_where_the_file_should_be_is_named(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="A folder stands where the file should be"):
        write_file(tmp_path, b"")
