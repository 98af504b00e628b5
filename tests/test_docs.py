"""What the documentation promises: it is current and complete, its links lead somewhere, its commands can be typed."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import click
import msgspec
import pytest

from auditor import errors
from auditor.cli.main import cli
from auditor.graph.endpoints import ENDPOINTS
from auditor.graph.ways import METHODS
from auditor.graph.writes import WRITES
from auditor.knowledge.profile import load_profile
from auditor.model import outcome
from auditor.model.configuration import (
    Answer,
    AppConfiguration,
    Configuration,
    NotifyConfiguration,
    Retention,
    SignInConfiguration,
    TenantConfiguration,
)
from auditor.model.outcome import AcceptedGap, Waiver
from auditor.model.snapshot import CLIENT_COLLECTIONS, EXCHANGE, TENANT_COLLECTIONS
from auditor.reporters import reporters
from auditor.reporters.csv import CLOSED_COLUMNS, DRIFT_COLUMNS, FINDING_COLUMNS, GRANT_COLUMNS
from auditor.sources import graph_export
from docs import commands, generate

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
HAND_WRITTEN = [path for path in PAGES if path.parent.name != "reference"]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def page_id(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def page(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def column(name: str, heading: str) -> list[str]:
    """Return the first cells of the first table below a heading, without their backticks."""
    section = page(name).partition(f"\n{heading}\n")[2]
    rows = re.search(r"(?:^\|.*\n)+", section, re.MULTILINE)
    assert rows is not None
    return [row.split("|")[1].strip().strip("`") for row in rows[0].splitlines()[2:]]


# Generated pages


def test_generated_pages_and_blocks_are_current() -> None:
    """`make docs` has been run: what the program says of itself is what the pages say."""
    assert list(generate.find_stale(ROOT)) == []


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of everything that is generated, with the generator working on it."""
    for name in (*generate.BLOCKS, *generate.pages()):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    monkeypatch.setattr(generate, "ROOT", tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "word"), [("README.md", "Application.Read.All"), ("docs/reference/rules.md", "Severity:")]
)
def test_check_names_a_stale_page_and_changes_nothing(
    checkout: Path, name: str, word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--check` exits with 1 naming the stale page; without it the page, or its block, is written anew."""
    stale = page(name).replace(word, "stale")
    (checkout / name).write_text(stale, encoding="utf-8")
    assert generate.main(["--check"]) == 1
    assert f"stale: {name};" in capsys.readouterr().err
    assert (checkout / name).read_text(encoding="utf-8") == stale
    assert generate.main([]) == 0
    assert capsys.readouterr().out == f"written: {name}\n"
    assert (checkout / name).read_text(encoding="utf-8") == page(name)


def test_a_page_that_nothing_generates_is_named_and_removed(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A rule, profile or table that goes takes its page along."""
    stranger = checkout / "docs/reference/gone.md"
    stranger.write_text("left behind", encoding="utf-8")
    assert generate.main(["--check"]) == 1
    assert generate.main([]) == 0
    assert capsys.readouterr().out == "removed: docs/reference/gone.md\n"
    assert not stranger.exists()


def test_a_missing_page_is_written(checkout: Path) -> None:
    """A page that was deleted by mistake comes back."""
    (checkout / "docs/reference/facts.md").unlink()
    assert generate.main([]) == 0
    assert generate.main(["--check"]) == 0


def test_a_lost_block_is_an_error(checkout: Path) -> None:
    """A generated block that somebody removed from a page is no empty block."""
    (checkout / "README.md").write_text("# Nothing", encoding="utf-8")
    with pytest.raises(ValueError, match="no block 'permissions'"):
        generate.main(["--check"])


def test_generator_refuses_other_arguments(capsys: pytest.CaptureFixture[str]) -> None:
    """A typo does not write."""
    assert generate.main(["--chek"]) == 2
    assert "Usage" in capsys.readouterr().err


@pytest.mark.slow
def test_pages_are_the_same_everywhere() -> None:
    """Hash seed, time zone, locale and the terminal's width change no byte."""
    program = (
        "import hashlib; from docs import generate; print(hashlib.sha256(repr(generate.pages()).encode()).hexdigest())"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "7", "COLUMNS": "40", "TZ": "Asia/Tokyo", "LC_ALL": "C"}
    told = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=environment, check=True, capture_output=True, text=True
    )
    assert told.stdout.strip() == hashlib.sha256(repr(generate.pages()).encode()).hexdigest()


# Commands


def lines_of(text: str) -> Iterator[str]:
    """Yield every command line of this program that a page or help text shows."""
    for block in re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        yield from re.findall(r"^(?:\.venv/bin/)?(entra-audit .*)$", block, re.MULTILINE)
    yield from re.findall(r"`(entra-audit [^`]*)`", re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL))


def parse(line: str) -> dict[str, Any]:
    """Return the options of a command line, parsed as the program would; a command alone is a mention of it."""
    arguments = shlex.split(line, comments=True)[1:]
    command: click.Command = cli
    context = click.Context(cli, info_name="entra-audit")
    while arguments and isinstance(command, click.Group) and not arguments[0].startswith("-"):
        found = command.get_command(context, name := arguments.pop(0))
        assert found is not None, f"no command {name}"
        command, context = found, click.Context(found, info_name=name, parent=context)
    if not arguments or arguments in (["--help"], ["--version"]):
        return {}
    return command.make_context(command.name, arguments, parent=context.parent).params


EXAMPLES = [
    *((page_id(path), line) for path in HAND_WRITTEN for line in lines_of(path.read_text(encoding="utf-8"))),
    *(
        (context.command_path, line.strip())
        for context in commands.walk()
        for line in re.findall(r"entra-audit [^|]*", context.command.epilog or "")
    ),
]


@pytest.mark.parametrize(("place", "line"), EXAMPLES)
def test_every_command_line_shown_can_be_typed(place: str, line: str) -> None:
    """What a page or a help text shows is accepted by the program: commands, options, features and formats."""
    options = parse(line)
    assert set(options.get("features") or ()) <= set(load_profile("zoom").integrations), place
    assert set((options.get("formats") or "html").split(",")) <= set(reporters()), place


def test_recipes_show_every_source_and_every_sign_in() -> None:
    """Nobody has to guess how to read a tenant."""
    recipes = " ".join(line for place, line in EXAMPLES if place == "README.md")
    for option in ("--demo", "--snapshot", "--graph-export", "--auth azure-cli", "--auth certificate"):
        assert option in recipes
    assert "--auth client-secret" in recipes


@pytest.mark.parametrize("context", list(commands.walk()), ids=lambda context: context.command_path)
def test_every_command_has_help_an_example_and_a_place_in_the_reference(context: click.Context) -> None:
    """`--help` of each command says what it does and shows a line to copy."""
    assert context.command.help
    assert f"{context.command_path.split()[0]} " in (context.command.epilog or "")
    assert f"\n## {context.command_path}\n" in page("docs/reference/cli.md")


def test_reference_lists_every_exit_code() -> None:
    """A script's author finds each code that the program returns."""
    assert [int(code) for code, _ in commands.EXIT_CODES] == [int(code) for code in errors.ExitCode]


# Links


def anchors(text: str) -> set[str]:
    """Return the anchors that GitHub gives a page's headings."""
    titles = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("path", PAGES, ids=page_id)
def test_links_between_pages_resolve(path: Path) -> None:
    """Every link to a file of the project leads to one, and every anchor to a heading."""
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8")):
        if re.match(r"\w+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = (path.parent / name).resolve() if name else path
        if not file.exists() or (anchor and anchor not in anchors(file.read_text(encoding="utf-8"))):
            broken.append(target)
    assert broken == []


def test_every_page_can_be_reached() -> None:
    """From the README every page of docs/ is one or two links away."""
    index = (ROOT / "docs/index.md").read_text(encoding="utf-8")
    wanted = {path.relative_to(ROOT / "docs").as_posix() for path in PAGES if ROOT / "docs" in path.parents}
    assert "(docs/index.md)" in README
    assert wanted - {"index.md"} <= set(re.findall(r"\]\(([^)#]+)", index))


# Completeness


def test_readme_names_exactly_the_permissions_that_the_calls_need() -> None:
    """An administrator who consents to the README's list consents to enough, and to no more."""
    told = README.partition("<!-- generated: permissions -->")[2].partition("<!-- end -->")[0]
    listed = re.findall(r"^\| `(.*?)`", told, re.MULTILINE)
    assert sorted(listed) == sorted({endpoint.application for endpoint in ENDPOINTS if endpoint.application})


def test_security_page_names_every_call() -> None:
    """What the tool sends is said where people look for it."""
    shown = set(re.findall(r"^\| `((?:GET|POST|PATCH|DELETE) .*?)`", page("SECURITY.md"), re.MULTILINE))
    reads = {f"{endpoint.method} /{endpoint.version}{endpoint.path}" for endpoint in ENDPOINTS}
    assert shown == reads | {f"{endpoint.method} /v1.0{endpoint.path}" for endpoint in WRITES.values()}


def test_readme_fits_and_says_what_is_easily_misread() -> None:
    """It stays short, and tells Zoom's spelling from Graph's name."""
    assert len(README.splitlines()) < 200
    assert "`Calendar.ReadWrite`" in README
    assert "`Calendars.ReadWrite`" in README


@pytest.mark.parametrize(
    ("heading", "columns"),
    [
        ("### grants.csv", GRANT_COLUMNS),
        ("### findings.csv", FINDING_COLUMNS),
        ("### closed.csv", CLOSED_COLUMNS),
        ("### drift.csv", DRIFT_COLUMNS),
    ],
)
def test_every_csv_column_is_explained_in_order(heading: str, columns: tuple[str, ...]) -> None:
    """docs/reports.md is the CSVs' dictionary."""
    assert column("docs/reports.md", heading) == list(columns)


WATCHING = (Retention, NotifyConfiguration, TenantConfiguration, SignInConfiguration)


@pytest.mark.parametrize("shape", [Configuration, AppConfiguration, Answer, Waiver, AcceptedGap, *WATCHING])
def test_every_configuration_key_is_explained(shape: type[msgspec.Struct]) -> None:
    """docs/configuration.md knows each key that the program takes."""
    text = page("docs/configuration.md")
    names = set(re.findall(r"`(\w+)`", text)) | set(re.findall(r"^## (\w+)$", text, re.MULTILINE))
    assert {field.name for field in msgspec.structs.fields(shape)} - names == set()


@pytest.mark.parametrize("name", ["Policy", "VendorSays", "Seen", "Reach", "Decision", "Match", "Axis"])
def test_every_word_of_a_report_is_explained(name: str) -> None:
    """docs/concepts.md knows each value that an answer, a decision or a match can have."""
    known = set(re.findall(r"`([\w-]+)`", page("docs/concepts.md")))
    assert set(get_args(getattr(outcome, name))) - known == set()


def test_every_collection_of_the_ledger_is_explained() -> None:
    """A line of the coverage ledger can be looked up."""
    told = column("docs/concepts.md", "## Coverage, and INCOMPLETE")
    assert set(told) == {*TENANT_COLLECTIONS, *CLIENT_COLLECTIONS, EXCHANGE}


def test_every_way_to_sign_in_and_every_export_file_is_explained() -> None:
    """docs/sources.md is the whole list."""
    assert column("docs/sources.md", "## Live") == list(METHODS)
    files = re.findall(r"[\w/{}]+\.json", graph_export.__doc__ or "")
    assert len(files) > 8
    told = column("docs/sources.md", "## Saved Graph answers")
    assert {file for file in files if not any(name.endswith(f"/{file}") or name == file for name in told)} == set()
