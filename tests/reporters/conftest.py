"""The sample audit that every reporter is tested with."""

from __future__ import annotations

import pytest

from auditor.model.outcome import AuditResult
from tests.reporters.sample import sample_result


@pytest.fixture(scope="session")
def result() -> AuditResult:
    """Return a rich, made-up audit."""
    return sample_result()
