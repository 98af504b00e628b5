"""The plugin that compares the calls of a test run with the table of endpoints can fail."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from auditor.graph.endpoints import ENDPOINTS, OWNER_COUNT, OWNERS, SERVICE_PRINCIPALS, Endpoint
from auditor.simulator.graph import Call
from tests.calls_seen import AGENT, DOCS, CallsSeen, documented, endpoint_of, permissions, problems

ROOT = Path(__file__).parent.parent
CONFTEST = """
from pathlib import Path
from tests.calls_seen import Plugin

def pytest_configure(config):
    config.pluginmanager.register(Plugin(config, Path(__file__).with_name("permissions.md")), "calls-seen")
"""
TESTS = """
import logging
import pytest
from auditor.graph.endpoints import ENDPOINTS
from auditor.simulator.graph import LOG, Call
from tests.test_calls_seen import target

def call(method, target, agent="entra-auditor/1"):
    LOG.info("%s", target, extra={"call": Call(method, target, False, agent)})

@pytest.mark.parametrize("endpoint", ENDPOINTS[LEFT_OUT:])
def test_an_endpoint(endpoint, caplog):
    call(endpoint.method, target(endpoint))
    assert caplog.records == []

def test_somebody_else():
    call("DELETE", "/v1.0/organization", "curl/8")

def test_a_stranger():
    call(*STRANGER)
"""
KNOWN = ("GET", "/v1.0/organization?$select=id,displayName,verifiedDomains")
UNKNOWN = ("DELETE", "/v1.0/organization")


def target(endpoint: Endpoint) -> str:
    """Return a call of an endpoint as the simulator tells it."""
    query = "&".join(f"{name}={value}" for name, value in endpoint.query)
    path = f"/{endpoint.version}{endpoint.path}".replace("{id}", "1")
    return f"{path}?{query}" if query else path


def run_in(
    folder: Path,
    *options: str,
    left_out: int = 0,
    stranger: tuple[str, str] = KNOWN,
    docs: str = DOCS.read_text("utf-8"),
) -> tuple[int, str]:
    """Run pytest over a few made-up calls, and return its exit code and what it said."""
    (folder / "pytest.ini").write_text("[pytest]\ntestpaths = there\naddopts = --import-mode=importlib\n")
    (folder / "there").mkdir()
    (folder / "there" / "conftest.py").write_text(CONFTEST)
    (folder / "there" / "permissions.md").write_text(docs)
    tests = TESTS.replace("LEFT_OUT", str(left_out)).replace("STRANGER", repr(stranger))
    (folder / "there" / "test_calls.py").write_text(tests)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options]
    surroundings = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, cwd=folder, env=surroundings, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


def test_a_whole_run_with_every_endpoint_passes(tmp_path: Path) -> None:
    """Over two workers as well: their counts come together."""
    code, said = run_in(tmp_path, "-n", "2")
    assert code == 0, said
    count = len(ENDPOINTS)
    assert f"calls seen: {count + 1} calls, {count} of {count} endpoints, 5 permissions" in said


def test_a_whole_run_fails_for_what_is_missing(tmp_path: Path) -> None:
    """An endpoint that was never called, and a permission that is listed for nothing, though every test passed."""
    docs = DOCS.read_text("utf-8").replace("| `User.Read.All` |", "| `User.ReadWrite.All` |")
    code, said = run_in(tmp_path, left_out=1, docs=docs)
    assert code == 1
    assert "no call needs it: User.ReadWrite.All" in said
    assert "not listed in graph-permissions.md: User.Read.All" in said
    assert "never called: GET /v1.0/servicePrincipals?$select&$top" in said
    assert " failed" not in said


def test_any_run_fails_for_a_call_of_no_endpoint(tmp_path: Path) -> None:
    """Even a partial one; and only for that."""
    code, said = run_in(tmp_path, "-k", "stranger", stranger=UNKNOWN)
    assert code == 1
    assert "no endpoint of the table: DELETE /v1.0/organization (1 times)" in said
    assert "never called" not in said


def test_each_endpoint_is_told_from_every_other() -> None:
    """By method, version, path and the names of the query; a later page belongs to its first."""
    assert [endpoint_of(endpoint.method, target(endpoint)) for endpoint in ENDPOINTS] == list(range(len(ENDPOINTS)))
    assert endpoint_of("GET", f"{target(OWNERS)}&$skiptoken=x") == ENDPOINTS.index(OWNERS)


@pytest.mark.parametrize(
    ("method", "call"),
    [
        ("POST", target(OWNERS)),
        ("GET", target(OWNERS).replace("v1.0", "beta")),
        ("GET", target(OWNERS).replace("/1/", "/1/2/")),
        ("GET", target(OWNERS).partition("&")[0]),
        ("GET", f"{target(OWNERS)}&$expand=x"),
        ("GET", f"{target(OWNER_COUNT)}&$skiptoken=x"),
        ("GET", target(SERVICE_PRINCIPALS).partition("?")[0]),
    ],
)
def test_what_is_no_endpoint_is_a_stranger(method: str, call: str) -> None:
    """Another method, version, path or query."""
    assert endpoint_of(method, call) is None


def test_the_page_lists_what_the_table_needs() -> None:
    """The table of the documentation is read as it is meant: five permissions, and none for a batch."""
    assert documented(DOCS.read_text("utf-8")) == permissions(range(len(ENDPOINTS)))
    assert len(permissions(range(len(ENDPOINTS)))) == 5


def test_only_our_own_calls_count() -> None:
    """What another program asks of the simulator is no call of ours."""
    seen = CallsSeen()
    for agent, calls in (("curl/8", 0), (f"{AGENT}1", 1)):
        record = logging.makeLogRecord({"call": Call(*UNKNOWN, False, agent), "levelno": logging.INFO})
        seen.filter(record)
        assert seen.strangers.total() == calls
    assert problems(seen, frozenset(), whole=False) == ["no endpoint of the table: DELETE /v1.0/organization (1 times)"]
