"""Judging and reporting: how the time grows with the number of grants."""

from __future__ import annotations

import time

from auditor.engine.audit import Hashes, audit
from auditor.engine.rulebook import load_rulebook
from auditor.model.configuration import Configuration
from auditor.reporters import reporters
from bench.measure import table
from bench.tenants import tenant

USERS = (250, 500, 1000)
"""Users who consented to each of the four apps, two scopes each."""


def report() -> str:
    """Return the table of seconds per number of grants."""
    rulebook = load_rulebook("zoom")
    rows = []
    previous = 0.0
    for users in USERS:
        snapshot = tenant(100, users=users)
        start = time.perf_counter()
        result = audit(snapshot, rulebook=rulebook, configuration=Configuration(), hashes=Hashes(snapshot=""))
        judged = time.perf_counter() - start
        start = time.perf_counter()
        for reporter in reporters().values():
            reporter.render(result)
        rendered = time.perf_counter() - start
        growth = f"{(judged + rendered) / previous:.1f}x" if previous else ""
        previous = judged + rendered
        rows.append((f"{len(result.grants):,}", f"{judged:.2f}", f"{rendered:.2f}", growth))
    return table("Judging and all reports", ("grants", "s judged", "s rendered", "for 2x the grants"), rows)
