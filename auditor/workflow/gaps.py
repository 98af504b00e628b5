"""Gaps: what an audit leaves open where calls are closed to it, told before anything is read.

A call feeds a collection, a collection the facts that are declared on it, and facts the rules that ask them. What a
rule says hangs on the apps too, so a rule that is named here is left not evaluated for every app whose answer hangs on
what is missing, and no rule is that is not named.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from auditor.engine.attest import in_force
from auditor.engine.facts import FACTS
from auditor.engine.grant_facts import COLLECTION_OF
from auditor.engine.rules import CompiledRule, activation
from auditor.graph import endpoints as calls
from auditor.graph.endpoints import Endpoint

FEEDS: Mapping[str, tuple[Endpoint, ...]] = {
    "organization": (calls.ORGANIZATION,),
    "enabledMembers": (calls.ENABLED_MEMBERS, calls.ENABLED_MEMBERS_AGAIN),
    "servicePrincipals": (calls.SERVICE_PRINCIPALS, calls.PUBLISHERS, calls.SERVICE_PRINCIPAL),
    "resources": (calls.RESOURCE,),
    "appRoleAssignments": (calls.APP_ROLE_ASSIGNMENTS, calls.APP_ROLE_ASSIGNED_TO),
    "oauth2PermissionGrants": (calls.OAUTH2_PERMISSION_GRANTS, calls.GRANTS_OF_CLIENT),
    "owners": (calls.OWNERS, calls.OWNER_COUNT),
    "memberOf": (calls.MEMBER_OF, calls.MEMBER_OF_COUNT),
    "signInActivity": (calls.SIGN_IN_ACTIVITY, calls.ANY_SIGN_IN),
    "grantEvents": (calls.DIRECTORY_AUDITS, calls.FIRST_GRANT_EVENT, calls.OLDEST_AUDIT),
}
"""Each collection, and the calls without which it is not read in full."""


def unread(closed: Iterable[Endpoint]) -> tuple[str, ...]:
    """Return the collections that stay unread, or unconfirmed, where these calls are closed."""
    shut = set(closed)
    return tuple(collection for collection, feeding in FEEDS.items() if shut.intersection(feeding))


def rules_left(rules: Iterable[CompiledRule], collections: Iterable[str]) -> tuple[str, ...]:
    """Return the ids of the rules that these collections leave not evaluated, for some app or for all.

    A rule that judges only beside a register of attestations is left out: whether one is in use is not known here, and
    other rules hang on the same collections.
    """
    missing = frozenset(collections)
    return tuple(rule.id for rule in in_force(tuple(rules), None) if _hangs_on(rule, missing))


def _hangs_on(rule: CompiledRule, missing: frozenset[str]) -> bool:
    if "servicePrincipals" in missing:  # Any app may be hidden, and with it a finding of any rule.
        return True
    asked = {collection for fact in rule.facts for collection in FACTS[fact].collections}
    return bool(asked & missing) or (rule.subject == "grant" and _grants_hide(rule, missing))


def _grants_hide(rule: CompiledRule, missing: frozenset[str]) -> bool:
    """Tell whether the grants of a kind that is not read could be findings: the kind is all that is known of them."""
    for kind, collection in COLLECTION_OF.items():
        facts = {"grant.kind": kind}
        if collection in missing and rule.judge(activation(facts), facts) is not False:
            return True
    return False
