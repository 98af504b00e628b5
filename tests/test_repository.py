"""What the repository promises of itself, whatever the program does."""

from __future__ import annotations

import ast
import os
import re
import shutil
import socket
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hatchling.builders.wheel import WheelBuilder

import auditor
from auditor.reporters import reporters
from auditor.simulator.sample import sample
from auditor.sources.snapshot_file import encode

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
MODULES = sorted((ROOT / "auditor").rglob("*.py"))
LOCK_FILES = sorted(ROOT.glob("requirements*.lock"))
MOST_LINES_OF_A_FILE = 400
MOST_LINES_OF_A_FUNCTION = 60

ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
"""The shell's, before tests clean it: pip may need its proxy to fetch what it installs."""

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


@pytest.fixture(scope="module")
def installed(wheel: zipfile.ZipFile, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the programs' folder of a fresh environment with the wheel and the runtime lock, and nothing else."""
    folder = tmp_path_factory.mktemp("installed")
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    programs = folder / ("Scripts" if os.name == "nt" else "bin")
    lock = str(ROOT / "requirements-runtime.lock")
    for what in (["--require-hashes", "--requirement", lock], [str(wheel.filename)]):
        command = [str(programs / "python"), "-m", "pip", "install", "--quiet", "--no-compile", "--no-deps", *what]
        done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
    return programs


@pytest.mark.slow
def test_an_installed_wheel_judges_as_the_checkout_does(installed: Path, tmp_path: Path) -> None:
    """The runtime lock is enough; rules and report parts are found; every report is the same, byte for byte."""
    (tmp_path / "sample.json").write_bytes(encode(sample()))
    written = []
    for programs, name in ((installed, "there"), (Path(sys.executable).parent, "here")):
        audit = str(programs / "entra-audit")
        told = subprocess.run([audit, "--version"], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
        assert auditor.__version__ in told
        plain = ",".join(reporter.name for reporter in reporters().values() if not reporter.needs)
        command = [audit, "run", "--snapshot", "sample.json", "--format", plain, "--out", name]
        ended = subprocess.run(command, cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, check=False)
        assert ended.returncode == 1, ended.stderr
        written.append({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()})
    assert written[0] == written[1]
    assert {"report.html", "grants.csv", "audit.json", "report.sarif", "junit.xml", "report.md"} <= written[0].keys()


@pytest.mark.slow
def test_a_plain_installation_names_the_extra_that_a_format_needs(installed: Path, tmp_path: Path) -> None:
    """Every format at once needs more than the runtime lock: exit 2, what to install, and nothing written."""
    command = [str(installed / "entra-audit"), "run", "--demo", "--format", "all", "--out", "out"]
    ended = subprocess.run(command, cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert 'pip install "entra-auditor[xlsx]"' in ended.stderr
    assert not (tmp_path / "out").exists()


TAMPERED = """
import sys
from pathlib import Path
from auditor.errors import InputError
from auditor.workflow.evidence_archive import unpack
from auditor.workflow.evidence_verify import verify_package
package, changed = Path(sys.argv[1]), Path(sys.argv[2])
data = package.read_bytes()
members = unpack(data, "").members
found = 0
for name, content in members.items():
    begin = data.index(name.encode() + content) + len(name)
    place = begin + len(content) // 2
    changed.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
    try:
        found += bool(verify_package(changed).faults)
    except InputError:
        found += 1
print(found, len(members))
"""
"""Changes one byte in the middle of each member of a package, one at a time, and counts what is found."""


@pytest.mark.slow
def test_a_package_is_verified_in_a_fresh_environment(
    installed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An evidence package from here is judged to the same bytes there, and one byte that is another one is found."""
    (tmp_path / "sample.json").write_bytes(encode(sample()))
    run = ["run", "--snapshot", "sample.json", "--history", "history.db", "--out", "report"]
    pack = ["evidence", "report", "--history", "history.db", "--out", "evidence.zip"]
    for command, code in ((run, 1), (run, 1), (pack, 0)):
        whole = [sys.executable, "-m", "auditor", *command]
        shell = ENVIRONMENT | {"PYTHONPATH": str(ROOT)}
        made = subprocess.run(whole, cwd=tmp_path, env=shell, capture_output=True, text=True, check=False)
        assert made.returncode == code, made.stderr
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    program = [str(installed / "entra-audit"), "evidence", "verify", str(tmp_path / "evidence.zip")]
    seen = subprocess.run(program, cwd=elsewhere, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert seen.returncode == 0, seen.stdout + seen.stderr
    for line in ("ok     audit.json", "ok     chain.json", "ok     rules/", "ok     reports/"):
        assert line in seen.stdout
    program = [str(installed / "python"), "-c", TAMPERED, str(tmp_path / "evidence.zip"), "changed.zip"]
    tried = subprocess.run(program, cwd=elsewhere, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert tried.returncode == 0, tried.stderr
    found, members = map(int, tried.stdout.split())
    with capsys.disabled():
        sys.stdout.write(f"\nin a fresh environment: {found} of {members} changed members found\n")
    assert found == members > 70


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
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    shellcheck = shutil.which("shellcheck", path=Path(sys.executable).parent) or shutil.which("shellcheck")
    if shellcheck is None:
        pytest.skip("shellcheck is absent")
    assert subprocess.run([shellcheck, script], capture_output=True, text=True, check=False).stdout == ""


def test_ci_script_runs_every_gate() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert re.findall(r"^run make (\S+)$", script, re.MULTILINE) == [
        "setup",
        "tools",
        "check",
        "test",
        "test-slow",
        "demo",
    ]


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
