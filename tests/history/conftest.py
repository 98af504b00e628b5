"""Where histories are kept in tests: an SQLite file, and a database of a real PostgreSQL server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import IN_CI
from tests.history.cluster import Cluster, running, why_absent


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """Start a private PostgreSQL server; without its programs the test is skipped, and fails with CI=true."""
    if why := why_absent():
        if IN_CI:
            pytest.fail(f"{why}; with CI=true it must be there", pytrace=False)
        pytest.skip(why)
    with running() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Name an empty place for a history, one of each kind in turn."""
    if request.param == "sqlite":
        return str(tmp_path / "history.db")
    server: Cluster = request.getfixturevalue("cluster")
    return server.location(server.database())
