"""The published JSON Schemas of every format that others read, generated from the Structs.

`python -m auditor.reporters.schema` writes them to reports/schemas/ anew.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

from auditor.knowledge.configuration_text import configuration_schema
from auditor.knowledge.data import data_dir
from auditor.model import attestation, drift, outcome, plan, snapshot, watch
from auditor.model.attestation import Register
from auditor.model.drift import Drift
from auditor.model.outcome import AuditResult
from auditor.model.plan import RevokePlan
from auditor.model.snapshot import Snapshot
from auditor.model.watch import Watch

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def audit_schema() -> dict[str, Any]:
    """Return the JSON Schema of audit.json."""
    return _versioned(AuditResult, outcome.SCHEMA, outcome.VERSION)


def snapshot_schema() -> dict[str, Any]:
    """Return the JSON Schema of a snapshot file, once unpacked."""
    return _versioned(Snapshot, snapshot.SCHEMA, snapshot.VERSION)


def plan_schema() -> dict[str, Any]:
    """Return the JSON Schema of a plan."""
    return _versioned(RevokePlan, plan.SCHEMA, plan.VERSION)


def watch_schema() -> dict[str, Any]:
    """Return the JSON Schema of watch.json."""
    return _versioned(Watch, watch.SCHEMA, watch.VERSION)


def attestations_schema() -> dict[str, Any]:
    """Return the JSON Schema of a register of attestations."""
    return _versioned(Register, attestation.SCHEMA, attestation.VERSION)


def drift_schema() -> dict[str, Any]:
    """Return the JSON Schema of drift.json."""
    return _versioned(Drift, drift.SCHEMA, drift.VERSION)


def schemas() -> dict[str, bytes]:
    """Return every published schema by its file name under reports/schemas/, as that file must read."""
    found = {
        "attestations.schema.json": attestations_schema(),
        "audit.schema.json": audit_schema(),
        "configuration.schema.json": configuration_schema(),
        "drift.schema.json": drift_schema(),
        "plan.schema.json": plan_schema(),
        "snapshot.schema.json": snapshot_schema(),
        "watch.schema.json": watch_schema(),
    }
    return {name: json.dumps(schema, indent=2).encode() + b"\n" for name, schema in found.items()}


def _versioned(shape: type, name: str, version: int) -> dict[str, Any]:
    schema = {"$schema": _DIALECT, "$id": f"urn:{name.replace('/', ':')}", "title": name} | msgspec.json.schema(shape)
    properties = schema["$defs"][shape.__name__]["properties"]
    properties["schema"] = {"const": name}
    properties["version"] = {"const": version}
    return schema


if __name__ == "__main__":
    for file, content in schemas().items():
        (data_dir("reports") / "schemas" / file).write_bytes(content)
