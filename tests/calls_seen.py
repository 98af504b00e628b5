"""A pytest plugin: the calls that the program makes during a test run, against the table that the documentation shows.

Whatever the simulator gets from the program's own User-Agent must be a call of ENDPOINTS, so a write is none of them;
what it gets from the one that carries plans out must be one of those, of CHECKS or of WRITES. After a whole run, every
ENDPOINT has been met, and the permissions of those that were met are those that the documentation lists: no more, no
less. Otherwise the run fails.
"""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from auditor.graph.endpoints import BATCH, BATCH_BETA, CHECKS, ENDPOINTS, Endpoint
from auditor.graph.writes import WRITES
from auditor.simulator.graph import LOG, Call

AGENT = "entra-auditor/"
WRITING_AGENT = "entra-auditor-apply/"
DOCS = Path(__file__).parent.parent / "docs" / "reference" / "graph-permissions.md"
LISTENING = logging.INFO - 1
"""The simulator's level while nobody else listens: such records are counted here and go no further."""
WHOLE = ("", "not slow")
"""What `-m` may say in a whole run."""
STRANGERS = 10
"""Calls of no endpoint that are shown."""


@cache
def endpoint_of(method: str, target: str) -> int | None:
    """Return the number in ENDPOINTS of a call: method, version, path and the names of its query; None: it is none."""
    path, _, query = target.partition("?")
    names = frozenset(part.partition("=")[0] for part in query.split("&") if part)
    for number, endpoint in enumerate(ENDPOINTS):
        pattern = re.escape(f"/{endpoint.version}{endpoint.path}").replace(r"\{id\}", "[^/?]+")
        if method == endpoint.method and re.fullmatch(pattern, path) and _asks(endpoint, names):
            return number
    return None


@cache
def is_of_a_plan(method: str, target: str) -> bool:
    """Tell whether a call is one that carrying a plan out may make."""
    if endpoint_of(method, target) is not None:
        return True
    path, _, query = target.partition("?")
    reads = [(e.method, f"/{e.version}{e.path}", {name for name, _ in e.query}) for e in CHECKS]
    writes = [(e.method, f"/v1.0{e.path}", set[str]()) for e in WRITES.values()]
    names = {part.partition("=")[0] for part in query.split("&") if part}
    return any(
        method == allowed and names == asks and re.fullmatch(re.sub(r"\\{\w+\\}", "[^/?]+", re.escape(pattern)), path)
        for allowed, pattern, asks in (*reads, *writes)
    )


def _asks(endpoint: Endpoint, names: frozenset[str]) -> bool:
    """Tell whether an endpoint asks by these names; the link to a later page leaves $count out."""
    own = frozenset(name for name, _ in endpoint.query)
    return names == own or (not endpoint.single and names == own - {"$count"} | {"$skiptoken"})


class CallsSeen(logging.Filter):
    """Counts calls by their endpoints, and by their text where they have none."""

    def __init__(self) -> None:
        super().__init__()
        self.by_endpoint: Counter[int] = Counter()
        self.strangers: Counter[str] = Counter()

    def filter(self, record: logging.LogRecord) -> bool:
        """Count a call of the program, and let a record through as if nobody listened here."""
        call = getattr(record, "call", None)
        if isinstance(call, Call) and call.agent.startswith(AGENT):
            number = endpoint_of(call.method, call.target)
            if number is None:
                self.strangers[f"{call.method} {call.target}"] += 1
            else:
                self.by_endpoint[number] += 1
        elif (
            isinstance(call, Call)
            and call.agent.startswith(WRITING_AGENT)
            and not is_of_a_plan(call.method, call.target)
        ):
            self.strangers[f"{call.method} {call.target}"] += 1
        above = LOG.parent or LOG
        return LOG.level != LISTENING or above.isEnabledFor(record.levelno)

    def told(self) -> dict[str, Any]:
        """Return the counts in a form that goes from one process to another."""
        return {
            "by_endpoint": {str(n): times for n, times in self.by_endpoint.items()},
            "strangers": {**self.strangers},
        }

    def add(self, told: dict[str, Any]) -> None:
        """Add the counts of another process."""
        self.by_endpoint.update({int(n): times for n, times in told["by_endpoint"].items()})
        self.strangers.update(told["strangers"])


def documented(page: str) -> frozenset[str]:
    """Return the application permissions that the table of the documentation lists."""
    reads = page.partition("## The calls that write")[0]
    rows = (line.split("|") for line in reads.splitlines() if line.startswith(("| `GET", "| `POST")))
    return frozenset(name for row in rows for name in re.findall(r"`([^`]+)`", row[2]))


def problems(seen: CallsSeen, listed: frozenset[str], *, whole: bool) -> list[str]:
    """Return what is wrong with the calls of a run; only of a `whole` one, what is missing."""
    found = [
        f"no endpoint of the table: {call} ({times} times)" for call, times in seen.strangers.most_common(STRANGERS)
    ]
    if not whole:
        return found
    missing = [endpoint for number, endpoint in enumerate(ENDPOINTS) if not seen.by_endpoint[number]]
    found += [f"never called: {_name(endpoint)}" for endpoint in missing]
    used = permissions(seen.by_endpoint)
    found += [f"listed in {DOCS.name}, and no call needs it: {name}" for name in sorted(listed - used)]
    found += [f"needed by a call, and not listed in {DOCS.name}: {name}" for name in sorted(used - listed)]
    return found


def permissions(numbers: Iterable[int]) -> frozenset[str]:
    """Return the least permissions of endpoints; a batch needs none of its own."""
    used = (ENDPOINTS[number] for number in numbers)
    return frozenset(endpoint.application for endpoint in used if endpoint not in (BATCH, BATCH_BETA))


def _name(endpoint: Endpoint) -> str:
    names = "&".join(name for name, _ in endpoint.query)
    return f"{endpoint.method} /{endpoint.version}{endpoint.path}" + (f"?{names}" if names else "")


def is_whole(config: pytest.Config) -> bool:
    """Tell whether every test was asked for: no path, no -k, no choice of what failed before, no part left out."""
    option = config.option
    parts = ("lf", "failedfirst", "newfirst", "stepwise", "collectonly", "deselect", "ignore", "ignore_glob", "maxfail")
    return (
        config.args_source is pytest.Config.ArgsSource.TESTPATHS
        and not option.keyword
        and option.markexpr in WHOLE
        and not any(getattr(option, name, None) for name in parts)
    )


class Plugin:
    """Listens in every process of a run; the first one judges."""

    def __init__(self, config: pytest.Config, docs: Path) -> None:
        self.seen = CallsSeen()
        self._config = config
        self._docs = docs
        self._said: Sequence[str] = ()
        self._worker: dict[str, Any] | None = getattr(config, "workeroutput", None)
        self._level = LOG.level
        LOG.setLevel(LISTENING)
        LOG.addFilter(self.seen)

    def pytest_unconfigure(self) -> None:
        """Listen no more."""
        LOG.removeFilter(self.seen)
        LOG.setLevel(self._level)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take over what a worker of pytest-xdist has seen."""
        told = getattr(node, "workeroutput", {}).get("calls_seen")
        if told:
            self.seen.add(told)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Hand over what was seen, or judge it."""
        if self._worker is not None:
            self._worker["calls_seen"] = self.seen.told()
            return
        ended = session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
        listed = documented(self._docs.read_text("utf-8"))
        wrong = problems(self.seen, listed, whole=ended and is_whole(self._config))
        used = permissions(self.seen.by_endpoint)
        calls = self.seen.by_endpoint.total() + self.seen.strangers.total()
        figures = f"{calls} calls, {len(self.seen.by_endpoint)} of {len(ENDPOINTS)} endpoints, {len(used)} permissions"
        self._said = [f"calls seen: {figures}", *wrong] if calls or wrong else []
        if wrong and ended:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say the figures, and what is wrong."""
        for line in self._said:
            terminalreporter.write_line(line)


def pytest_configure(config: pytest.Config) -> None:
    """Begin to listen."""
    config.pluginmanager.register(Plugin(config, DOCS), "calls-seen")
