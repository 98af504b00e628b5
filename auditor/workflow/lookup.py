"""Looking things up in what is known: permissions by value or id, rules by id."""

from __future__ import annotations

from difflib import get_close_matches

from auditor.engine.rules import CompiledRule, load_rules
from auditor.errors import UsageError
from auditor.knowledge.permissions import Permission, PermissionTable


def find_permissions(table: PermissionTable, name: str) -> tuple[Permission, ...]:
    """Return the entries of a permission's value (any case) or id.

    Raises:
        UsageError: no table has it.
    """
    entries = [entry for family in table.families for entry in family.permissions]
    found = tuple(e for e in entries if name.lower() in (e.permission.lower(), e.id.lower()))
    if not found:
        near = get_close_matches(name, sorted({e.permission for e in entries}), n=3)
        hint = f"Did you mean {', '.join(near)}?" if near else "The tables hold the families that meeting apps touch."
        raise UsageError(f"The permission tables do not hold '{name}'.", advice=hint)
    return found


def find_rule(rule_id: str) -> CompiledRule:
    """Return a rule by its id.

    Raises:
        UsageError: there is none.
    """
    rules = {rule.id: rule for rule in load_rules()}
    if rule_id not in rules:
        near = get_close_matches(rule_id, rules, n=1)
        hint = f"Did you mean {near[0]}?" if near else "`entra-audit rules list` names them all."
        raise UsageError(f"There is no rule '{rule_id}'.", advice=hint)
    return rules[rule_id]
