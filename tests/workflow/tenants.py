"""Made-up tenants of any size, drawn from a seed."""

from __future__ import annotations

import random
from datetime import timedelta

from msgspec.structs import replace

from auditor.knowledge.outline import AppOutline, ScopeOutline
from auditor.model.directory import GrantEvent
from auditor.model.snapshot import Client, Complete, Snapshot
from tests.engine.world import tenant

ROLES = (
    "Calendars.Read",
    "Calendars.ReadWrite",
    "Contacts.ReadWrite",
    "Mail.Read",
    "Mail.Send",
    "Place.Read.All",
    "Presence.ReadWrite.All",
    "User.Read.All",
    "exchange/full_access_as_app",
)
SCOPES = ("openid", "profile", "offline_access", "User.Read", "Calendars.ReadWrite", "Mail.Read", "Presence.Read.All")
ACTIVITIES = (
    "Consent to application",
    "Add app role assignment to service principal",
    "Add owner to service principal",
)


def drawn(seed: int) -> Snapshot:
    """Return the tenant of a seed: up to two audited apps, with up to five rows in each collection."""
    chance = random.Random(seed)
    apps = tuple(_app(chance, number) for number in range(chance.choice((0, 1, 1, 1, 2))))
    others = tuple(_other(number) for number in range(chance.randrange(1, 4)))
    made = tenant(*apps, other_service_principals=others, enabled_members=chance.randrange(1, 100_000))
    return replace(made, clients=tuple(_with_records(chance, client) for client in made.clients))


def _app(chance: random.Random, number: int) -> AppOutline:
    return AppOutline(
        app_id=_guid("a", number),
        name=f"Zoom {number}",
        roles=tuple(chance.sample(ROLES, chance.randrange(6))),
        scopes=tuple(
            ScopeOutline(scope=" ".join(chance.sample(SCOPES, chance.randrange(1, 6))), principal=principal)
            for principal in chance.sample(("", *(_guid("b", user) for user in range(7))), chance.randrange(5))
        ),
        owners=tuple(f"person{owner}@contoso.example" for owner in range(chance.randrange(5))),
        groups=tuple(f"Sample group {group}" for group in range(chance.randrange(5))),
        directory_roles=("Directory Readers",) * chance.randrange(2),
        last_sign_in=chance.choice((None, AppOutline(app_id="").last_sign_in)),
    )


def _other(number: int) -> AppOutline:
    return AppOutline(
        app_id=_guid("c", number),
        name=f"Sample app {number}",
        owner_tenant=_guid("d", number),
        service_principal={
            "publisherName": "Fabrikam (sample)",
            "replyUrls": ["https://fabrikam.example/in"],
            "verifiedPublisher": {"displayName": None, "verifiedPublisherId": None, "addedDateTime": None},
        },
    )


def _with_records(chance: random.Random, client: Client) -> Client:
    events = tuple(
        GrantEvent(
            id=f"{client.service_principal.id[:24]}{record:012}",
            activity_date_time=_TAKEN - timedelta(hours=30 * record, minutes=chance.randrange(60)),
            activity=chance.choice(ACTIVITIES),
            result="success",
            actor="admin@contoso.example",
            target_id=client.service_principal.id,
        )
        for record in range(1, chance.randrange(1, 6))
    )
    return replace(client, grant_events=Complete(items=events))


def _guid(letter: str, number: int) -> str:
    return f"{letter * 8}-0000-4000-8000-{number:012}"


_TAKEN = tenant().taken_at
