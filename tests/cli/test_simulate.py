"""`simulate` with faults and small pages, as a user calls it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import get_args

import httpx
import pytest

from auditor.simulator.fault import Fault, FaultKind, FaultStatus
from tests.cli.conftest import Run

GUIDE = Path(__file__).parents[2] / "docs" / "sources.md"
FAULTS = """\
- {match: /organization, status: 429, retry_after: "2.128", times: 2}
- {match: /applications, kind: feature-off, after: 1}
"""


@contextmanager
def simulated(*options: str) -> Iterator[tuple[httpx.Client, list[str]]]:
    """Run `simulate tenant.json` in a process, give a client of it, and end it with Ctrl-C; also what it said."""
    said: list[str] = []
    process = subprocess.Popen(
        [sys.executable, "-m", "auditor", "simulate", "tenant.json", "--port", "0", "--env-file", "sim.env", *options],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        deadline = time.monotonic() + 60
        while not Path("sim.env").exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        lines = Path("sim.env").read_text().splitlines()
        values = dict(line.removeprefix("export ").split("=", 1) for line in lines if line.startswith("export "))
        url, token = (values[f"ENTRA_AUDIT_SIMULATOR_{name}"].strip("'") for name in ("URL", "TOKEN"))
        with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=20) as client:
            yield client, said
    finally:
        process.send_signal(signal.SIGINT)
        said += process.communicate(timeout=20)[1].splitlines()
    assert process.returncode == 0, said


def test_faults_of_a_file_strike_and_pages_are_cut(run: Run, tmp_path: Path) -> None:
    """What the file names goes wrong as often as it says, no page is larger than --max-page, and it says what is to
    come."""
    run("collect", "--demo", "--out", "tenant.json")
    (tmp_path / "faults.yaml").write_text(FAULTS)
    with simulated("--faults", "faults.yaml", "--max-page", "4") as (client, said):
        answers = [client.get("/v1.0/organization") for _ in range(3)]
        page = client.get("/v1.0/servicePrincipals?$top=999").json()
    assert [answer.status_code for answer in answers] == [429, 429, 200]
    assert [answer.headers.get("retry-after") for answer in answers] == ["2.128", "2.128", None]
    assert len(page["value"]) == 4
    assert "@odata.nextLink" in page
    assert "Faults to come: 2." in said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- {match: x}\n- {match: x, kind: resets}\n", "faults.yaml:2:20: 'resets' is not allowed here. Did you mean"),
        ("- {match: x, retries: 3}\n", "faults.yaml:1:14: 'retries' is not a key here."),
        (None, "faults.yaml: The file cannot be read: No such file or directory."),
    ],
)
def test_a_wrong_file_of_faults_is_an_error(run: Run, tmp_path: Path, text: str | None, said: str) -> None:
    """Exit 2 with file, line and what is allowed, before anything is served or read."""
    if text is not None:
        (tmp_path / "faults.yaml").write_text(text)
    ran = run("simulate", "tenant.json", "--port", "0", "--faults", "faults.yaml")
    assert ran.code == 2
    assert said in ran.err
    assert "Serving" not in ran.err


@pytest.mark.parametrize("number", ["0", "-1", "many"])
def test_a_page_holds_at_least_one(run: Run, number: str) -> None:
    """A page of nothing would never end."""
    ran = run("simulate", "tenant.json", "--port", "0", "--max-page", number)
    assert ran.code == 2
    assert "--max-page" in ran.err


def test_the_help_says_every_kind_key_and_status(run: Run) -> None:
    """Whoever writes a file of faults finds all that it may say in `--help`."""
    words = set(run("simulate", "--help").out.replace(",", " ").split())
    assert set(get_args(FaultKind)) <= words
    assert {str(status) for status in get_args(FaultStatus)} <= words
    assert set(Fault.__struct_fields__) <= words


def test_the_guide_says_every_kind_and_key() -> None:
    """So does the page about sources."""
    guide = GUIDE.read_text(encoding="utf-8")
    assert not [name for name in (*get_args(FaultKind), *Fault.__struct_fields__) if f"`{name}`" not in guide]
