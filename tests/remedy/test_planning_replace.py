"""What is replaced: the narrower comes first, the wider goes, and undoing it takes both back."""

from __future__ import annotations

from msgspec.structs import replace

from auditor.knowledge.outline import ScopeOutline
from auditor.model.configuration import Configuration
from auditor.model.plan import AssignmentChange, GrantChange, RevokePlan, inverse
from auditor.model.snapshot import Complete, Snapshot, items
from tests.engine.test_replace import required, with_conditional
from tests.engine.world import app, rulebook, tenant
from tests.remedy.planned import PERSON, audited, of_audit, only_step

GRAPH = "00000003-0000-0000-c000-000000000000"
SURE = required(answers={"no_user_sign_in": True})


def planned(snapshot: Snapshot, *conditional: str, configuration: Configuration = SURE) -> RevokePlan:
    """Return the plan under rules by which these permissions may be needed."""
    rules = with_conditional(*conditional)
    return of_audit(audited(snapshot, configuration, rules), snapshot, rulebook=rules)


def role(value: str) -> str:
    entry = rulebook().permissions.by_value(GRAPH, value, "application")
    assert entry
    return entry.id


def test_the_narrower_is_granted_before_the_wider_goes() -> None:
    step = only_step(planned(tenant(app("Calendars.ReadWrite", "Mail.ReadWrite")), "Mail.Read"))
    granted, removed = step.changes
    assert isinstance(granted, AssignmentChange)
    assert isinstance(removed, AssignmentChange)
    assert (granted.before, removed.after) == (None, None)
    assert granted.after
    assert removed.before
    assert (granted.after.app_role_id, removed.before.app_role_id) == (role("Mail.Read"), role("Mail.ReadWrite"))
    for same in ("principal_id", "resource_id", "principal_type"):
        assert getattr(granted.after, same) == getattr(removed.before, same)
    assert (granted.after.id, granted.after.created_date_time) == ("", None)
    assert step.needs.role == "Privileged Role Administrator, Cloud Application Administrator"
    assert [change.write for change in step.changes] == ["add-assignment", "delete-assignment"]
    back = [inverse(change).write for change in reversed(step.changes)]
    assert back == ["add-assignment", "delete-assignment"]


def test_two_wider_ones_make_way_for_one_narrower_in_one_step() -> None:
    step = only_step(planned(tenant(app("Calendars.ReadWrite", "Mail.ReadWrite", "Mail.Read")), "Mail.ReadBasic"))
    assert [change.write for change in step.changes] == ["add-assignment", "delete-assignment", "delete-assignment"]
    assert (step.target.permissions, step.target.replaced_by) == (("Mail.Read", "Mail.ReadWrite"), "Mail.ReadBasic")


def test_a_delegated_grant_swaps_its_scopes_in_one_patch() -> None:
    """Once, where the first of the wider ones stood; what goes without replacement goes with it."""
    scope = "openid Mail.ReadWrite profile Mail.Read Contacts.Read email"
    snapshot = tenant(app("Calendars.ReadWrite", scopes=(ScopeOutline(scope=scope),)))
    step = only_step(planned(snapshot, "Mail.ReadBasic@delegated"))
    (change,) = step.changes
    assert isinstance(change, GrantChange)
    assert change.after
    assert change.after.scope == "openid Mail.ReadBasic profile email"
    assert (step.action, step.target.replaced_by) == ("replace-permission", "Mail.ReadBasic")
    assert step.target.permissions == ("Contacts.Read", "Mail.Read", "Mail.ReadWrite")


def test_a_grant_of_which_nothing_else_stays_is_not_deleted() -> None:
    snapshot = tenant(app("Calendars.ReadWrite", scopes=(ScopeOutline(scope="Mail.ReadWrite"),)))
    (change,) = only_step(planned(snapshot, "Mail.Read@delegated")).changes
    assert change.write == "update-grant"


def test_many_users_consents_are_narrowed_in_one_step() -> None:
    scopes = tuple(ScopeOutline(scope="Mail.ReadWrite openid", principal=PERSON.format(n)) for n in range(5))
    step = only_step(planned(tenant(app("Calendars.ReadWrite", scopes=scopes)), "Mail.Read@delegated"))
    assert (step.action, step.target.users, len(step.changes)) == ("replace-permission", 5, 5)
    assert {change.after.scope for change in step.changes if isinstance(change, GrantChange) and change.after} == {
        "Mail.Read openid"
    }
    assert "in the consents of 5 users" in step.title


def test_a_scope_that_the_resource_does_not_publish_is_not_granted() -> None:
    snapshot = tenant(app("Calendars.ReadWrite", scopes=(ScopeOutline(scope="Mail.ReadWrite"),)))
    graph = next(r for r in items(snapshot.resources) if r.app_id == GRAPH)
    fewer = tuple(scope for scope in graph.oauth2_permission_scopes or () if scope.value != "Mail.Read")
    poorer = replace(snapshot, resources=Complete(items=(replace(graph, oauth2_permission_scopes=fewer),)))
    (left,) = planned(poorer, "Mail.Read@delegated").left
    assert "not seen to publish Mail.Read" in left.why


def test_the_impact_says_that_the_audits_words_are_of_both_being_gone() -> None:
    step = only_step(planned(tenant(app("Calendars.ReadWrite", "Mail.ReadWrite")), "Mail.Read"))
    assert step.impact.what.text.startswith("Mail.Read is granted first, so what it covers goes on. With neither of")
    assert (step.impact.what.basis, step.impact.when) == ("inferred", "at the next connect")
