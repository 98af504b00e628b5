"""200 random pairs of audits: the drift turns the first into the second, and tells nothing twice."""

from __future__ import annotations

from collections import Counter

import pytest

from auditor.history.drift import Side, drift
from auditor.history.drift_apps import facts
from auditor.model.canonical import to_json
from auditor.model.drift import Drift
from auditor.model.snapshot import Complete
from tests.history.pairs import applied, pair, state_of

FAST = 40
SEEDS = [pytest.param(seed, marks=[] if seed < FAST else [pytest.mark.slow]) for seed in range(200)]


@pytest.mark.parametrize("seed", SEEDS)
def test_the_drift_makes_the_second_out_of_the_first(seed: int) -> None:
    """Applied to what the first audit says it gives what the second says; every second pair is incomplete."""
    before, after = pair(seed, incomplete=bool(seed % 2))
    found = drift(before, after)
    assert applied(
        state_of(before), found, came=lambda id_: {k: v or () for k, (v, _) in facts(after, id_).items()}
    ) == (state_of(after))
    check_once(found)
    check_certain(found, before, after)
    assert to_json(drift(before, after)) == to_json(found)
    back = drift(after, before)
    assert applied(
        state_of(after), back, came=lambda id_: {k: v or () for k, (v, _) in facts(before, id_).items()}
    ) == (state_of(before))
    for same in (before, after):
        assert drift(same, same).empty


def check_once(found: Drift) -> None:
    """Each grant, fact, finding and waiver is told of once, and no change changes nothing."""
    sides = [
        (side, one.service_principal_id, one.grant_id, one.permission, one.principal_id)
        for change in found.grants
        for side, one in (("before", change.before), ("after", change.after))
        if one
    ]
    assert len(sides) == len(set(sides))
    assert all(change.before != change.after for change in found.grants if not change.fields)
    assert all(one.before != one.after for change in found.grants for one in change.fields)
    facts_ = [(app.service_principal_id, app.what) for app in found.apps]
    assert len(facts_) == len(set(facts_))
    whole = {"appeared", "audited", "gone", "no-longer-audited"}
    assert all(app.before != app.after for app in found.apps if app.what not in whole)
    told = [one.finding_id for one in found.findings] + [one.replaces for one in found.findings if one.replaces]
    assert len(told) == len(set(told))
    assert len(found.notes) == len(set(found.notes))


def check_certain(found: Drift, before: Side, after: Side) -> None:
    """What a side did not read to the end proves no absence."""
    for change in found.grants:
        if change.what in {"added", "removed", "granted-again"} and change.certain:
            for side, grant in ((before, change.after), (after, change.before)):
                if grant and grant.service_principal_id in side.apps:
                    client = side.clients[grant.service_principal_id]
                    collected = (
                        client.app_role_assignments if grant.kind == "application" else client.oauth2_permission_grants
                    )
                    assert isinstance(collected, Complete)
                elif grant:
                    assert isinstance(side.snapshot.service_principals, Complete)
    for one in found.findings:
        if one.what == "closed":
            assert (one.rule_id, one.service_principal_id) not in after.not_evaluated
    if any(not isinstance(c.owners, Complete) for side in (before, after) for c in side.snapshot.clients):
        assert any("owners" in note for note in found.notes)


def test_the_pairs_show_every_kind_of_change() -> None:
    """What the pairs promise is promised of something."""
    found = [drift(*pair(seed, incomplete=bool(seed % 2))) for seed in range(FAST)]
    kinds = Counter(change.what for one in found for change in one.grants)
    assert set(kinds) == {"added", "removed", "widened", "narrowed", "granted-again", "judged-anew"}
    assert {change.what for one in found for change in one.findings} >= {
        "new",
        "closed",
        "waived",
        "no-longer-evaluated",
        "returned",
    }
    assert {change.what for one in found for change in one.waivers} == {"added", "changed", "removed", "lapsed"}
    assert {app.what for one in found for app in one.apps} >= {
        "appeared",
        "gone",
        "owners",
        "credentials",
        "reply-urls",
        "sign-in",
    }
    assert {change.certain for one in found for change in one.grants} == {True, False}
