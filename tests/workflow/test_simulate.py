"""A snapshot served until it is interrupted: what is said, what goes wrong on purpose, and what is left behind."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from auditor.errors import ConfigurationError, InputError, OutputError
from auditor.simulator.sample import sample
from auditor.sources.snapshot_file import encode
from auditor.workflow.simulate import simulate

VARIABLE = "export ENTRA_AUDIT_SIMULATOR_"


class Person:
    """Reads what is said, asks what is served, and presses Ctrl-C when told how."""

    def __init__(self, env_file: Path | None = None) -> None:
        self.lines: list[str] = []
        self.statuses: list[int] = []
        self.sizes: list[int] = []
        self._env_file = env_file

    def __call__(self, line: str) -> None:
        self.lines.append(line)
        if line == "Stop with Ctrl-C.":
            self._ask()
            raise KeyboardInterrupt

    def _ask(self) -> None:
        text = self._env_file.read_text() if self._env_file else "\n".join(self.lines)
        found = (line.removeprefix(VARIABLE) for line in text.splitlines() if line.startswith(VARIABLE))
        values = {name: value.strip("'") for name, _, value in (line.partition("=") for line in found)}
        with httpx.Client(base_url=values["URL"], headers={"Authorization": f"Bearer {values['TOKEN']}"}) as client:
            self.statuses = [client.get("/v1.0/organization").status_code for _ in range(2)]
            self.sizes = [len(client.get("/v1.0/servicePrincipals?$top=9").json()["value"])]


@pytest.fixture
def snapshot(tmp_path: Path) -> Path:
    file = tmp_path / "tenant.json"
    file.write_bytes(encode(sample()))
    return file


def test_it_serves_until_it_is_interrupted(snapshot: Path) -> None:
    """Without a file the lines that point at it are said; nothing goes wrong, and Ctrl-C is no error."""
    person = Person()
    simulate(snapshot, port=0, env_file=None, say=person)
    assert (person.statuses, person.sizes) == ([200, 200], [9])
    assert person.lines[0].startswith("Serving on http://127.0.0.1:")


def test_it_serves_what_goes_wrong(snapshot: Path, tmp_path: Path) -> None:
    """Faults of the file strike, pages are cut, and the lines stand in the file that was named."""
    faults, env_file = tmp_path / "faults.json", tmp_path / "sim.env"
    faults.write_text('[{"match": "/organization", "status": 507}]')
    person = Person(env_file)
    simulate(snapshot, port=0, env_file=env_file, say=person, faults=faults, max_page=5)
    assert (person.statuses, person.sizes) == ([507, 200], [5])
    assert str(env_file) in person.lines[0]
    assert person.lines[1] == "Faults to come: 1."
    assert VARIABLE not in "\n".join(person.lines)


def test_nothing_is_served_where_an_input_is_wrong(snapshot: Path, tmp_path: Path) -> None:
    """Faults that are none, a snapshot that is none, and a folder that is a file: said before the server starts."""
    person = Person()
    wrong = tmp_path / "wrong"
    wrong.write_text("{")
    with pytest.raises(ConfigurationError):
        simulate(snapshot, port=0, env_file=None, say=person, faults=wrong)
    with pytest.raises(InputError):
        simulate(wrong, port=0, env_file=None, say=person)
    with pytest.raises(OutputError):
        simulate(snapshot, port=0, env_file=wrong / "sim.env", say=person)
    assert person.lines == []
