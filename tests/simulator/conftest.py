"""A running simulator of the sample tenant, and a client that knows its token."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest

from auditor.model.snapshot import Snapshot
from auditor.simulator.sample import sample
from auditor.simulator.server import Running, serve

Start = Callable[..., tuple[httpx.Client, Running]]


@pytest.fixture(scope="session")
def tenant() -> Snapshot:
    """Return the sample tenant."""
    return sample()


@pytest.fixture(scope="session")
def graph(tenant: Snapshot) -> Iterator[httpx.Client]:
    """Return a client of one simulator that all reading tests share."""
    with serve(tenant) as running, httpx.Client(base_url=running.url, headers=_bearer(running)) as client:
        yield client


@pytest.fixture
def start() -> Iterator[Start]:
    """Return a function that starts a simulator of one's own, and stops it after the test."""
    with ExitStack() as stack:

        def begin(snapshot: Snapshot, **options: Any) -> tuple[httpx.Client, Running]:
            running = stack.enter_context(serve(snapshot, **options))
            client = httpx.Client(base_url=running.url, headers=_bearer(running))
            return stack.enter_context(client), running

        yield begin


def _bearer(running: Running) -> dict[str, str]:
    return {"Authorization": f"Bearer {running.token}"}
