"""The program's own data is found wherever the program runs, and its hash says which rules judged."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import auditor
from auditor.errors import ConfigurationError
from auditor.knowledge.data import data_dir, rules_sha256

CHECKOUT = Path(auditor.__file__).parent.parent
FIND = "from auditor.knowledge.data import data_dir; print(data_dir('rules'))"


def test_checkout() -> None:
    """In a checkout, rules/ and reports/ lie beside the package."""
    assert data_dir("rules") == CHECKOUT / "rules"
    assert data_dir("reports") == CHECKOUT / "reports"


def test_installed(tmp_path: Path) -> None:
    """Installed, they lie inside the package, and those win over a folder of the same name beside it."""
    shutil.copytree(CHECKOUT / "auditor", tmp_path / "auditor", ignore=shutil.ignore_patterns("__pycache__"))
    inside = tmp_path / "auditor" / "rules"
    for folder in (inside, tmp_path / "rules"):
        folder.mkdir()
    found = subprocess.run([sys.executable, "-c", FIND], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == str(inside)


def test_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installation without its data says so, and what to do."""
    monkeypatch.setattr("auditor.knowledge.data.files", lambda package: tmp_path / package)
    with pytest.raises(ConfigurationError, match="'reports' is missing") as caught:
        data_dir("reports")
    assert "Install the program again" in caught.value.advice


def test_hash_is_of_names_and_content(tmp_path: Path) -> None:
    """The hash changes with a name or a byte, and not with line ends or the order in which files were made."""

    def tree(name: str, files: dict[str, bytes]) -> str:
        for path, content in files.items():
            file = tmp_path / name / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        return rules_sha256(tmp_path / name)

    first = tree("first", {"checks/a.yaml": b"id: a\nwhy: x\n", "b.yaml": b"b"})
    assert tree("same", {"b.yaml": b"b", "checks/a.yaml": b"id: a\r\nwhy: x\r\n"}) == first
    assert tree("content", {"checks/a.yaml": b"id: a\nwhy: y\n", "b.yaml": b"b"}) != first
    assert tree("name", {"checks/c.yaml": b"id: a\nwhy: x\n", "b.yaml": b"b"}) != first
    assert tree("moved", {"a.yaml": b"id: a\nwhy: x\n", "b.yaml": b"b"}) != first


def test_hash_of_the_rules() -> None:
    """Without a folder, the hash is that of the program's own rules."""
    assert rules_sha256() == rules_sha256(CHECKOUT / "rules")
