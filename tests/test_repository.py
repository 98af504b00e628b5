"""What the repository promises of itself, whatever the program does."""

from __future__ import annotations

import ast
import os
import re
import socket
import subprocess
import tomllib
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hatchling.builders.wheel import WheelBuilder

import auditor

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
MODULES = sorted((ROOT / "auditor").rglob("*.py"))
LOCK_FILES = sorted(ROOT.glob("requirements*.lock"))
MOST_LINES_OF_A_FILE = 400
MOST_LINES_OF_A_FUNCTION = 60

PIN = re.compile(r"[a-z0-9-]+==[\w.!+]+( ; [^/\\]+)? \\")
HASH = re.compile(r"    --hash=sha256:[0-9a-f]{64}( \\)?")
ORIGIN = re.compile(r"    #[\w .:()-]*")

HOME_FOLDER = re.compile(
    r"(?<![\w.:*{}$/-])/(?:home|Users|root|work|workspace|mnt)/[\w.]|\b[A-Z]:\\{1,2}Users\\", re.ASCII
)
PACKAGE_SOURCE = re.compile(r"--(?:find.links|(?:extra.|default.)?index.url|trusted.host)\b")


def module_id(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def tracked_files() -> list[Path]:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [path for name in listed.split("\0") if name and (path := ROOT / name).is_file()]


def tracked_lines() -> Iterator[tuple[str, str]]:
    for path in tracked_files():
        text = path.read_bytes().decode("utf-8", errors="replace")
        for number, line in enumerate(text.splitlines(), 1):
            yield f"{module_id(path)}:{number}", line


@pytest.mark.parametrize("path", LOCK_FILES, ids=module_id)
def test_lock_file_holds_names_versions_and_hashes_only(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if not any(form.fullmatch(line) for form in (PIN, HASH, ORIGIN))] == []


def test_lock_file_pins_every_dependency() -> None:
    declared = project()
    wanted = [
        *declared["project"]["dependencies"],
        *declared["project"]["optional-dependencies"]["simulator"],
    ]
    wanted += declared["dependency-groups"]["dev"]
    names = {re.split(r"[^\w.-]", requirement)[0].replace(".", "-") for requirement in wanted}
    pinned = set(re.findall(r"^([a-z0-9-]+)==", (ROOT / "requirements.lock").read_text(encoding="utf-8"), re.MULTILINE))
    assert names - pinned == set()


def test_no_file_names_a_folder_or_host_of_the_machine_it_was_written_on() -> None:
    here = [str(ROOT), str(Path.home()) + os.sep]
    host = socket.gethostname()
    if len(host) > 5 and host != "localhost":
        here.append(host)
    found = [
        f"{place}: {line.strip()[:120]}"
        for place, line in tracked_lines()
        if HOME_FOLDER.search(line) or any(name in line for name in here)
    ]
    assert found == []


def test_no_file_chooses_where_packages_come_from() -> None:
    """The user's own pip configuration decides that."""
    assert [f"{place}: {line.strip()}" for place, line in tracked_lines() if PACKAGE_SOURCE.search(line)] == []


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    (path,) = WheelBuilder(str(ROOT)).build(directory=str(folder), versions=["standard"])
    return zipfile.ZipFile(path)


def test_wheel_carries_the_program_its_rules_and_its_report_parts(wheel: zipfile.ZipFile) -> None:
    expected = {
        f"auditor/{path.relative_to(ROOT).as_posix()}".replace("auditor/auditor/", "auditor/", 1)
        for path in tracked_files()
        if path.relative_to(ROOT).parts[0] in {"auditor", "rules", "reports"}
    }
    carried = {name for name in wheel.namelist() if not name.startswith("entra_auditor-")}
    assert carried == expected
    assert {"auditor/rules", "auditor/reports"} <= {"/".join(name.split("/")[:2]) for name in carried}
    assert "auditor/py.typed" in carried


def test_wheel_installs_the_command_and_the_licence(wheel: zipfile.ZipFile) -> None:
    info = f"entra_auditor-{auditor.__version__}.dist-info"
    assert "entra-audit = auditor.cli.main:main" in wheel.read(f"{info}/entry_points.txt").decode()
    assert f"{info}/licenses/LICENSE" in wheel.namelist()


def test_version_is_the_same_everywhere() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = re.search(r"^## (\d\S*)", changelog, re.MULTILINE)
    assert newest is not None
    assert project()["project"]["version"] == auditor.__version__ == newest[1]


def test_licence_is_apache_2() -> None:
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert re.match(r"\s+Apache License\n\s+Version 2\.0, January 2004\n", text)
    assert "END OF TERMS AND CONDITIONS" in text
    assert project()["project"]["license"] == "Apache-2.0"


def test_every_exception_to_a_gate_has_a_reason() -> None:
    """An entry of an ignore or exclude list in pyproject.toml ends in a comment."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    lists = re.findall(
        r'^(?:ignore|exclude_also|filterwarnings|"[^"\n]+") = \[\n(.*?)^\]', text, re.MULTILINE | re.DOTALL
    )
    entries = [line for body in lists for line in body.splitlines()]
    assert len(entries) > 20
    assert [line for line in entries if not re.search(r'",\s+# \S.*\.$', line)] == []


def test_every_make_target_is_listed_by_make_help() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = re.findall(r"^\.PHONY: (.*)$", text, re.MULTILINE)
    documented = re.findall(r"^([a-z-]+):.*  ## \S", text, re.MULTILINE)
    assert documented == phony[0].split()


def test_ci_script_can_be_run() -> None:
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


@pytest.mark.parametrize("path", MODULES, ids=module_id)
def test_module_stays_readable(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MOST_LINES_OF_A_FILE
    too_long = {
        node.name: length
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (length := (node.end_lineno or node.lineno) - node.lineno + 1) > MOST_LINES_OF_A_FUNCTION
    }
    assert too_long == {}


@pytest.mark.parametrize("path", MODULES, ids=module_id)
def test_module_catches_no_exception_it_cannot_name(path: Path) -> None:
    handlers = [node for node in ast.walk(ast.parse(path.read_bytes())) if isinstance(node, ast.ExceptHandler)]
    too_broad = [node.lineno for node in handlers if node.type is None or catches_everything(node.type)]
    assert too_broad == []


def catches_everything(caught: ast.expr) -> bool:
    return any(isinstance(node, ast.Name) and node.id in {"Exception", "BaseException"} for node in ast.walk(caught))
