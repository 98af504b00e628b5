"""The simulator's own bearer tokens: one that reads, and one that writes."""

from __future__ import annotations

from auditor.model.snapshot import Snapshot
from auditor.simulator.assertions import unsigned
from auditor.simulator.bodies import uuid
from auditor.simulator.identities import READER, WRITER


def read_token(snapshot: Snapshot) -> str:
    """Return a token of the identity that read the snapshot, else of a sample one; it may read and nothing more."""
    source = snapshot.source
    app_id, oid = source.reader_app_id, source.reader_object_id
    return _token(
        snapshot,
        "Sample reader",
        READER,
        app_id or uuid("sample reader"),
        oid or uuid("sample reader object"),
    )


def write_token(snapshot: Snapshot) -> str:
    """Return a token of another sample identity, which may write as well."""
    return _token(snapshot, "Sample writer", (*READER, *WRITER), uuid("sample writer"), uuid("sample writer object"))


def _token(snapshot: Snapshot, name: str, roles: tuple[str, ...], app_id: str, oid: str) -> str:
    return unsigned(
        {
            "aud": "https://graph.microsoft.com",
            "tid": snapshot.tenant_id,
            "appid": app_id,
            "oid": oid,
            "app_displayname": name,
            "roles": roles,
        }
    )
