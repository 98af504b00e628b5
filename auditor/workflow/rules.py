"""The rules' own cases, run."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.engine.cases import CaseResult, run_cases
from auditor.engine.rules import CompiledRule
from auditor.knowledge.permissions import load_permissions
from auditor.knowledge.profile import load_profile


def run_all_cases(rules: tuple[CompiledRule, ...], *, app: str = "zoom") -> Iterator[CaseResult]:
    """Yield the result of every case of every rule; the cases' tenants hold apps of the profile `app`."""
    profile, permissions = load_profile(app), load_permissions()
    for rule in rules:
        yield from run_cases(rule, profile=profile, permissions=permissions)
