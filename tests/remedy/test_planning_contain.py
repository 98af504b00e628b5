"""The emergency plan: one app's sign-in off, whatever the app is."""

from __future__ import annotations

import pytest
from msgspec import UNSET
from msgspec.structs import replace

from auditor.errors import AuditorError, InputError, RefusedError, UsageError
from auditor.knowledge.identify import MICROSOFT_TENANTS
from auditor.knowledge.permissions import RESOURCES
from auditor.model.configuration import AppConfiguration
from auditor.model.directory import ServicePrincipal
from auditor.model.plan import AccountChange, RevokePlan, inverse
from auditor.model.snapshot import Complete, Partial, Snapshot, items
from auditor.remedy.planning_contain import build_containment
from auditor.remedy.seal import decode_plan, encode_plan
from auditor.simulator.sample import CALENDAR, IMITATION, PILOT, ROOMS, sample, sample_configuration
from tests.engine.world import rulebook
from tests.remedy.planned import read_by

SNAPSHOT = sample()
TEAM = sample_configuration().apps["zoom"]


def contained(app: str, snapshot: Snapshot = SNAPSHOT, team: AppConfiguration = TEAM) -> RevokePlan | None:
    return build_containment(snapshot, app=app, rulebook=rulebook(), configuration=team, days=14)


def principal(app_id: str) -> ServicePrincipal:
    return next(sp for sp in items(SNAPSHOT.service_principals) if sp.app_id == app_id)


def with_principals(*changed: ServicePrincipal) -> Snapshot:
    """Return the sample with these service principals in the place of those of their ids, and no client of them."""
    ids = {sp.id for sp in changed}
    listed = (sp for sp in items(SNAPSHOT.service_principals) if sp.id not in ids)
    clients = tuple(c for c in SNAPSHOT.clients if c.service_principal.id not in ids)
    return replace(SNAPSHOT, service_principals=Complete(items=(*listed, *changed)), clients=clients)


ORDINARY = next(sp for sp in items(SNAPSHOT.service_principals) if sp.display_name == "Contoso Payroll")


@pytest.mark.parametrize("app_id", [IMITATION, CALENDAR, ROOMS, ORDINARY.app_id])
@pytest.mark.parametrize("by", ["app_id", "id"])
def test_any_app_can_be_contained_by_either_id_and_enabled_again(app_id: str, by: str) -> None:
    plan = contained(getattr(principal(app_id), by).upper())
    assert plan
    (step,) = plan.steps
    (change,) = step.changes
    assert isinstance(change, AccountChange)
    assert (change.before.id, change.before.app_id) == (principal(app_id).id, app_id)
    assert (change.before.account_enabled, change.after.account_enabled) == (True, False)
    assert inverse(change) == AccountChange(before=change.after, after=change.before)
    assert (plan.purpose, step.action, step.impact.when) == ("contain", "disable-app", "now")
    assert step.needs.permission == step.undo_needs.permission == "Application.ReadWrite.All"
    assert decode_plan(encode_plan(plan), "plan.json") == plan


def test_an_app_that_is_off_already_gives_no_plan() -> None:
    assert contained(PILOT) is None


def test_the_impact_says_what_stops_what_lives_on_and_what_stays() -> None:
    plan = contained(IMITATION)
    assert plan
    impact = plan.steps[0].impact
    for words in ("No new access token", "60 to 90 minutes", "unknown", "Refresh tokens and every grant stay"):
        assert words in impact.what.text
    assert impact.what.source == "https://learn.microsoft.com/entra/identity-platform/configurable-token-lifetimes"
    assert "not known" in impact.who_notices


def test_what_the_vendor_documents_is_told_of_a_confirmed_app_only() -> None:
    sure, unsure = contained(CALENDAR), contained(CALENDAR, team=AppConfiguration())
    assert sure
    assert unsure
    told = sure.steps[0].impact.what.text
    assert "no longer lists calendar events" in told
    assert "keep working" not in told
    assert "https://" not in told
    assert "nobody" not in sure.steps[0].impact.who_notices
    assert "calendar events" not in unsure.steps[0].impact.what.text


def test_where_no_permission_is_known_to_be_needed_everything_stops() -> None:
    plan = contained(ROOMS)
    assert plan
    assert "Zoom Rooms by application permissions: everything that it does" in plan.steps[0].impact.what.text
    assert "not known" in plan.steps[0].impact.who_notices


@pytest.mark.parametrize("home", sorted(MICROSOFT_TENANTS))
def test_an_app_at_home_with_microsoft_is_refused(home: str) -> None:
    with pytest.raises(RefusedError, match="Microsoft's own"):
        contained(ORDINARY.app_id, with_principals(replace(ORDINARY, app_owner_organization_id=home.upper())))


def test_microsofts_apps_and_the_reader_are_refused() -> None:
    with pytest.raises(RefusedError, match="Microsoft's own"):
        contained(RESOURCES["graph"])
    for own in (read_by(SNAPSHOT, app_id=IMITATION), read_by(SNAPSHOT, object_id=principal(IMITATION).id)):
        with pytest.raises(RefusedError, match="identity that read"):
            contained(IMITATION, own)


@pytest.mark.parametrize(
    ("app", "snapshot", "error", "words"),
    [
        ("Zoom", SNAPSHOT, UsageError, "neither an appId nor an object id"),
        ("99999999-9999-4999-8999-999999999999", SNAPSHOT, UsageError, "no single app"),
        (
            "99999999-9999-4999-8999-999999999999",
            replace(SNAPSHOT, service_principals=Partial(items=(), why="cut")),
            UsageError,
            "among what could be read",
        ),
        (ORDINARY.app_id, replace(SNAPSHOT, tenant_id=""), InputError, "which tenant"),
        (ORDINARY.app_id, with_principals(replace(ORDINARY, account_enabled=UNSET)), InputError, "was not read"),
        (ORDINARY.app_id, with_principals(replace(ORDINARY, account_enabled=None)), InputError, "was not read"),
        (ORDINARY.app_id, with_principals(ORDINARY, replace(ORDINARY, id=IMITATION)), UsageError, "no single app"),
        (ORDINARY.app_id, with_principals(replace(ORDINARY, id="x'y")), UsageError, "no single app"),
    ],
    ids=["a name", "none", "unread", "no tenant", "unset", "null", "two", "odd id"],
)
def test_what_cannot_be_contained_is_an_error(
    app: str, snapshot: Snapshot, error: type[AuditorError], words: str
) -> None:
    with pytest.raises(error, match=words):
        contained(app, snapshot)


def test_an_unnamed_app_and_tenant_are_called_by_their_ids() -> None:
    snapshot = replace(with_principals(replace(ORDINARY, display_name=None)), organization=Complete(items=()))
    plan = contained(ORDINARY.app_id, snapshot)
    assert plan
    assert (plan.tenant_name, plan.steps[0].target.app_name) == ("", ORDINARY.app_id)
