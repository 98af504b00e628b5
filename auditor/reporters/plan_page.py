"""plan.html: a plan for the eyes of whoever will carry it out, on one self-contained page without any script."""

from __future__ import annotations

from auditor.model.plan import RevokePlan
from auditor.reporters import plan_facts
from auditor.reporters.environment import rendered

STYLES = ("report.css", "plan.css")


def plan_html(plan: RevokePlan) -> bytes:
    """Return the page of a plan.

    It says what is done in which order to which object, from which state to which; who notices; what comes first; what
    it leaves; what it does not prove; and how it is undone.
    """
    return rendered("plan.html.j2", styles=STYLES, p=plan, facts=plan_facts)
