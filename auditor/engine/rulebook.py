"""Everything that judges: one app profile, the permission families and the compiled rules."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from auditor.engine.rules import CompiledRule, load_rules
from auditor.knowledge.data import rules_sha256
from auditor.knowledge.frameworks import control_names, load_frameworks
from auditor.knowledge.permissions import PermissionTable, load_permissions
from auditor.knowledge.profile import AppProfile, load_profile
from auditor.knowledge.references import known_permissions


class Rulebook(Struct, frozen=True, kw_only=True):
    """What an audit is judged by, loaded and checked once."""

    profile: AppProfile
    permissions: PermissionTable
    rules: tuple[CompiledRule, ...]
    sha256: str


def load_rulebook(app: str, root: Path | None = None) -> Rulebook:
    """Load the profile of `app`, all permission families and all rules.

    Args:
        app: the app profile.
        root: a folder as rules/ is; None: the program's own.

    Raises:
        UsageError: there is no such profile.
        ConfigurationError: a file of rules/ is wrong.
    """
    if root is None:
        return Rulebook(
            profile=load_profile(app), permissions=known_permissions(), rules=load_rules(), sha256=rules_sha256()
        )
    permissions = load_permissions(root / "permissions")
    controls = control_names(load_frameworks(root / "frameworks"))
    return Rulebook(
        profile=load_profile(app, root / "apps", permissions=permissions),
        permissions=permissions,
        rules=load_rules(root / "checks", controls=controls),
        sha256=rules_sha256(root),
    )
