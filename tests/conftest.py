"""What every test starts from: a clean environment, and the reference data where it is at hand."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import pytest
from hypothesis import settings

pytest_plugins = ["tests.calls_seen"]

OUTSIDE_INFLUENCE = re.compile(
    r"(AZURE|ARM|MSAL|IDENTITY|MSI|IMDS|ACTIONS|ENTRA_AUDIT|OTEL)_.*|.*_PROXY|MSAL.*|SSL_CERT_.*|(REQUESTS_CA|CURL_CA)_BUNDLE|"
    r"PG[A-Z]+|XDG_DATA_HOME|BROWSER|COLUMNS|LINES|NO_COLOR|FORCE_COLOR|CLICOLOR.*",
    re.IGNORECASE,
)
"""Variables by which a developer's shell would sign in, redirect or restyle the program under test."""

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell starts its background jobs so; tests that interrupt would wait for nothing.
    signal.signal(signal.SIGINT, signal.default_int_handler)

IN_CI = os.environ.get("CI", "").lower() in {"1", "true"}

settings.register_profile("dev", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if IN_CI else "dev"))


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if OUTSIDE_INFLUENCE.fullmatch(name)]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def reference_data() -> Path:
    """Return the folder of Microsoft's and others' published data, which is not part of this repository."""
    named = os.environ.get("REFERENCE_DATA", "")
    if named and Path(named).is_dir():
        return Path(named)
    missing = f"REFERENCE_DATA names no folder ({named})" if named else "REFERENCE_DATA is not set"
    if IN_CI:
        pytest.fail(f"{missing}; with CI=true it must be there", pytrace=False)
    pytest.skip(missing)
