"""`entra-audit rules`: the rules, listed, shown and tested."""

from __future__ import annotations

import click

from auditor.errors import ExitCode


@click.group(epilog="Example: entra-audit rules list")
def command() -> None:
    """List, show and test the rules."""


@command.command("list", epilog="Example: entra-audit rules list")
def list_rules() -> int:
    """List the rules: severity, axis, id and title."""
    from auditor.engine.rules import load_rules

    for rule in sorted(load_rules(), key=lambda rule: (rule.severity.rank, rule.id)):
        click.echo(f"{rule.severity.value:<9} {rule.axis:<11} {rule.id:<32} {rule.title}")
    return 0


@command.command(epilog="Example: entra-audit rules show outside-policy")
@click.argument("rule_id", metavar="RULE")
def show(rule_id: str) -> int:
    """Show a rule: when it holds, why, what to do, and the facts that it asks."""
    from auditor.workflow.lookup import find_rule

    rule = find_rule(rule_id)
    rows = (
        ("severity", f"{rule.severity.value}, {rule.axis}"),
        ("subject", rule.subject),
        ("when", rule.when.strip()),
        ("facts", ", ".join(rule.facts)),
        ("why", rule.why.strip()),
        ("remediation", rule.remediation.strip()),
        ("basis", rule.basis),
        ("references", "\n               ".join(rule.references)),
        ("controls", ", ".join(rule.controls)),
    )
    click.echo(f"{rule.id}: {rule.title}")
    for label, text in rows:
        if text:
            click.echo(f"  {label:<12} {text}")
    return 0


@command.command(epilog="Example: entra-audit rules test")
@click.argument("rule_id", metavar="[RULE]", required=False)
def test(rule_id: str | None) -> int:
    """Run every rule's own cases, or those of one RULE."""
    from auditor.engine.rules import load_rules
    from auditor.workflow.lookup import find_rule
    from auditor.workflow.rules import run_all_cases

    failed = 0
    for result in run_all_cases((find_rule(rule_id),) if rule_id else load_rules()):
        failed += not result.ok
        mark = "ok  " if result.ok else "FAIL"
        click.echo(f"{mark} {result.rule_id}: {result.name}" + ("" if result.ok else f" ({result.message})"))
    click.echo(f"{failed} failed", err=True)
    return int(ExitCode.FINDINGS if failed else ExitCode.CLEAN)


@command.command(epilog="Example: entra-audit rules facts")
def facts() -> int:
    """List the facts that a rule may ask, with type and meaning."""
    from auditor.engine.facts import facts_table

    for fact in facts_table():
        click.echo(f"{fact.name:<34} {fact.type:<13} {fact.doc}")
    return 0
