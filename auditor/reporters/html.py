"""HTML: report.html, one self-contained file that opens from a mail attachment and asks nothing of any network."""

from __future__ import annotations

from functools import cache

from auditor.knowledge.profile import load_profile, profile_names
from auditor.model.outcome import AuditResult
from auditor.reporters import Reporter
from auditor.reporters.changes import groups
from auditor.reporters.environment import rendered
from auditor.reporters.page import page

MOST_CHANGES = 60
"""Lines under one head of what changed; the CSV has all."""


def render(result: AuditResult) -> dict[str, bytes]:
    """Return report.html."""
    content = rendered(
        "report.html.j2",
        styles=("report.css",),
        scripts=("report.js",),
        r=result,
        page=page(result),
        titles=_titles(result.profile),
        changes=groups(result.drift) if result.drift else (),
        most=MOST_CHANGES,
    )
    return {"report.html": content}


@cache
def _titles(profile: str) -> dict[str, str]:
    """Return the title of each integration of a profile; nothing for a profile that this version does not know."""
    if profile not in profile_names():
        return {}
    return {name: integration.title for name, integration in load_profile(profile).integrations.items()}


REPORTER = Reporter(name="html", help="report.html, one page for people, with everything in it", render=render)
