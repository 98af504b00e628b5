"""`rules`, `permissions`, `init` and `simulate`."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
import ruamel.yaml

from tests.cli.conftest import EXPORT, Run


def test_the_rules_are_listed_worst_first(run: Run) -> None:
    lines = run("rules", "list").out.splitlines()
    assert lines[0].startswith("critical")
    assert any("outside-policy" in line for line in lines)


def test_a_rule_is_shown_with_its_condition_and_facts(run: Run) -> None:
    out = run("rules", "show", "outside-policy").out
    assert "grant.policy" in out
    assert "remediation" in out


def test_an_unknown_rule_is_named_with_a_near_one(run: Run) -> None:
    ran = run("rules", "show", "outside-polcy")
    assert ran.code == 2
    assert "Did you mean outside-policy?" in ran.err
    assert "rules list" in run("rules", "show", "zzz").err


def test_every_rule_passes_its_own_cases(run: Run) -> None:
    ran = run("rules", "test")
    assert ran.code == 0, [line for line in ran.out.splitlines() if line.startswith("FAIL")]
    assert "0 failed" in ran.err
    assert run("rules", "test", "outside-policy").code == 0


def test_the_facts_are_listed_with_type_and_meaning(run: Run) -> None:
    out = run("rules", "facts").out
    assert "grant.policy" in out
    assert "app.match" in out


def test_a_permission_is_shown_on_every_resource(run: Run) -> None:
    """The same id is another permission on Exchange, and both are shown."""
    out = run("permissions", "show", "ef54d2bf-783f-4e0f-bca1-3210c0444d99").out
    assert "Calendars.ReadWrite\n" in out
    assert "Calendars.ReadWrite.All\n" in out


def test_an_unknown_permission_is_named_with_near_ones(run: Run) -> None:
    ran = run("permissions", "show", "Calendar.ReadWrit")
    assert ran.code == 2
    assert "Calendars.ReadWrite" in ran.err
    assert run("permissions", "show", "zzzzzz").code == 2


def typed(monkeypatch: pytest.MonkeyPatch, *lines: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("".join(f"{line}\n" for line in lines)))


def load(path: Path) -> dict[str, object]:
    document: dict[str, object] = ruamel.yaml.YAML(typ="safe").load(path.read_text())
    return document


def test_init_asks_and_writes_who_said_what(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    features = ["y", "n", "y", *["n"] * 20]
    questions = ["yes", "Ada Admin (sample)"]
    typed(monkeypatch, *features[:8], "minimal", *questions, *["later"] * 20)
    ran = run("init", "--no-tenant")
    assert ran.code == 0, ran.err
    zoom = load(tmp_path / "entra-audit.yaml")["apps"]["zoom"]  # type: ignore[index]
    assert zoom["policy"] == "minimal"
    assert "personal-calendar-application" in zoom["features"]
    (answer,) = zoom["answers"].values()
    assert answer["answered_by"] == "Ada Admin (sample)"


def test_init_asks_about_the_apps_that_it_finds(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    typed(monkeypatch, "personal-calendar-application", "exclude", *["n"] * 8, "minimal", *["later"] * 20)
    ran = run("init", "--graph-export", EXPORT)
    assert ran.code == 0, ran.err
    zoom = load(tmp_path / "entra-audit.yaml")["apps"]["zoom"]  # type: ignore[index]
    assert list(zoom["integrations"].values()) == ["personal-calendar-application"]
    assert len(zoom["exclude"]) == 1


def test_init_takes_the_answers_from_a_file(run: Run, tmp_path: Path) -> None:
    (tmp_path / "answers.yaml").write_text("apps: {zoom: {policy: minimal, features: [rooms-application]}}\n")
    ran = run("init", "--from", "answers.yaml", "--out", "made.yaml")
    assert ran.code == 0, ran.err
    assert load(tmp_path / "made.yaml")["apps"]["zoom"]["features"] == ["rooms-application"]  # type: ignore[index]
    assert run("init", "--from", "answers.yaml", "--out", "made.yaml").code == 2
    assert run("init", "--from", "answers.yaml", "--out", "made.yaml", "--force").code == 0


def test_init_counts_the_people_whose_names_differ(run: Run, tmp_path: Path) -> None:
    (tmp_path / "answers.yaml").write_text("apps: {zoom: {policy: minimal}}\n")
    (tmp_path / "users.csv").write_text(
        "Email,UPN\na@contoso.example,a@contoso.example\nb@contoso.example,x@contoso.example\n"
    )
    ran = run("init", "--from", "answers.yaml", "--zoom-users", "users.csv")
    assert ran.code == 0, ran.err
    answer = load(tmp_path / "entra-audit.yaml")["apps"]["zoom"]["answers"]["upn_equals_zoom_email"]  # type: ignore[index]
    assert answer["value"] is False
    assert "1 of 2" in answer["answered_by"]


def test_init_without_a_terminal_says_how_to_give_the_answers(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    typed(monkeypatch)
    ran = run("init", "--no-tenant")
    assert ran.code == 2
    assert "--from" in ran.err


def test_a_snapshot_is_served_until_it_is_interrupted(run: Run, tmp_path: Path) -> None:
    run("collect", "--demo", "--out", "tenant.json")
    process = subprocess.Popen(
        [sys.executable, "-m", "auditor", "simulate", "tenant.json", "--port", "0", "--env-file", "sim.env"],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        deadline = time.monotonic() + 30
        while not (tmp_path / "sim.env").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        lines = (tmp_path / "sim.env").read_text().splitlines()
        values = dict(line.removeprefix("export ").split("=", 1) for line in lines if line.startswith("export "))
        url = values["ENTRA_AUDIT_SIMULATOR_URL"].strip("'")
        token = values["ENTRA_AUDIT_SIMULATOR_TOKEN"].strip("'")
        answer = httpx.get(f"{url}/v1.0/organization", headers={"Authorization": f"Bearer {token}"}, timeout=10)
        assert "Contoso" in answer.text
    finally:
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
    assert process.returncode == 0, err
    assert "Traceback" not in err


def test_a_snapshot_that_is_none_cannot_be_served(run: Run, tmp_path: Path) -> None:
    (tmp_path / "tenant.json").write_text("{")
    assert run("simulate", "tenant.json", "--port", "0").code == 2
