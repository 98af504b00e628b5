"""What the tests of a history keep: runs of a very small made-up tenant."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache

from msgspec.structs import replace

from auditor.engine.audit import Hashes, audit
from auditor.history.store import Contents, Kept, Store
from auditor.model.canonical import sha256, to_json
from auditor.model.configuration import Configuration
from auditor.model.history import Stream
from auditor.model.outcome import AuditResult
from auditor.model.snapshot import Complete, Snapshot
from auditor.sources.snapshot_file import encode
from tests.engine.world import app, rulebook, tenant

TAKEN = datetime(2026, 11, 22, 9, 14, tzinfo=UTC)
TENANT = "11111111-1111-4111-8111-111111111111"
STREAM = Stream(tenant_id=TENANT, profile="zoom")
RULES = frozenset({"mail-on-calendar-app", "outside-policy", "no-sign-in"})
ROLES = ("Calendars.ReadWrite", "Mail.Read", "User.Read.All", "Place.Read.All")


def snapshot(day: int, *roles: str) -> Snapshot:
    """Return the tenant on a day, with one app that holds `roles`; its resources publish nothing else."""
    whole = replace(tenant(app(*roles)), taken_at=TAKEN + timedelta(days=day))
    assert isinstance(whole.resources, Complete)
    held = tuple(
        replace(
            one,
            app_roles=tuple(role for role in one.app_roles or () if role.value in roles),
            oauth2_permission_scopes=(),
        )
        for one in whole.resources.items
    )
    return replace(whole, resources=replace(whole.resources, items=held))


def audited(of: Snapshot) -> AuditResult:
    """Return its audit by a few rules."""
    book = rulebook()
    few = replace(book, rules=tuple(rule for rule in book.rules if rule.id in RULES))
    return audit(of, rulebook=few, configuration=Configuration(), hashes=Hashes(snapshot=sha256(encode(of))))


@cache
def contents(day: int) -> Contents:
    """Return what the run of a day leaves; each day holds another number of permissions."""
    of = snapshot(day, *ROLES[: 1 + day % len(ROLES)])
    return Contents(snapshot=encode(of), result=to_json(audited(of)), taken_at=of.taken_at)


def keep(store: Store, *days: int, stream: Stream = STREAM) -> list[Kept]:
    """Keep the runs of these days, one after the other."""
    return [store.append(stream, lambda _, day=day: contents(day)) for day in days]  # type: ignore[misc]
