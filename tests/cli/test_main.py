"""The command as a whole: help, versions, verbs, completion and the ways it ends."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import import_module

import click
import pytest

from auditor import __version__
from auditor.cli import main as module
from auditor.cli.main import VERBS, cli, printable
from tests.cli.conftest import Run


def commands(command: click.Command, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], click.Command]]:
    """Every command with the words that call it."""
    if not isinstance(command, click.Group):
        return [(path, command)]
    context = click.Context(command)
    children = [(name, command.get_command(context, name)) for name in command.list_commands(context)]
    return [(path, command), *(found for name, child in children if child for found in commands(child, (*path, name)))]


ALL = commands(cli)


@pytest.mark.parametrize(("path", "command"), ALL, ids=[" ".join(path) or "entra-audit" for path, _ in ALL])
def test_every_command_has_help_with_an_example(path: tuple[str, ...], command: click.Command, run: Run) -> None:
    ran = run(*path, "--help")
    assert ran.code == 0
    assert "entra-audit " + " ".join(path) in ran.out.replace("\n", " ").replace("  ", " ") or not path
    assert command.epilog
    assert "entra-audit" in command.epilog


@pytest.mark.parametrize("verb", VERBS)
def test_the_short_help_is_the_commands_own(verb: str) -> None:
    command = import_module(f"auditor.cli.{verb}").command
    assert command.help.split("\n\n")[0].replace("\n", " ") == VERBS[verb]


def test_the_version_is_printed(run: Run) -> None:
    assert run("--version").out == f"entra-audit {__version__}\n"


def test_an_unknown_verb_is_named(run: Run) -> None:
    ran = run("audit")
    assert ran.code == 2
    assert "audit" in ran.err


def test_help_and_version_import_neither_the_sdk_nor_pandas() -> None:
    code = (
        "import sys, contextlib, io\n"
        "from auditor.cli.main import main\n"
        "for option in ('--help', '--version'):\n"
        "    sys.argv = ['entra-audit', option]\n"
        "    with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):\n"
        "        main()\n"
        "print(sorted({'msgraph', 'azure', 'pandas', 'jinja2', 'msgspec', 'rich'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_shell_completion_offers_the_verbs() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "auditor"],
        env={**os.environ, "_ENTRA_AUDIT_COMPLETE": "bash_complete", "COMP_WORDS": "entra-audit ", "COMP_CWORD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert {line.partition(",")[2] for line in done.stdout.splitlines()} == set(VERBS)


def test_ctrl_c_ends_with_130(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("auditor.workflow.run.write_files", interrupted)
    ran = run("run", "--demo", "--out", "out")
    assert ran.code == 130
    assert "interrupted" in ran.err


def test_a_reader_that_leaves_early_is_no_error() -> None:
    """`entra-audit rules list | head -1` ends quietly."""
    process = subprocess.Popen(
        [sys.executable, "-m", "auditor", "permissions", "show", "Mail.ReadWrite"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    with process:
        process.stdout.close()  # type: ignore[union-attr]
        assert process.stderr.read() == b""  # type: ignore[union-attr]


def test_nothing_that_steers_a_terminal_is_printed() -> None:
    assert printable("a\x1b[31mb\u202ec\nd") == "a\u2039U+001B\u203a[31mb\u2039U+202E\u203ac\nd"
    assert module.__doc__


def test_a_defect_of_the_program_is_no_complete_run() -> None:
    """Its traceback is shown, and the exit code is that of what is not known: Python's own, 1, means findings."""
    code = "import auditor.cli.main as m; m.cli.main = lambda **_: {}['boom']; m.main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert "KeyError: 'boom'" in done.stderr
