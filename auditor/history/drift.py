"""What changed between two audits of one tenant.

Pure: the same two sides give the same bytes. Nothing is taken for gone that a side only did not read.
"""

from __future__ import annotations

from collections.abc import Collection

from auditor.history.drift_acts import with_acts
from auditor.history.drift_apps import app_changes
from auditor.history.drift_findings import finding_changes, waiver_changes
from auditor.history.drift_grants import grant_changes
from auditor.history.drift_notes import notes
from auditor.history.side import Side
from auditor.model.drift import Drift

__all__ = ["Side", "drift"]


def drift(before: Side, after: Side, *, found_earlier: Collection[str] = frozenset()) -> Drift:
    """Return what is different in `after`.

    Args:
        before: the earlier audit.
        after: the later one, of the same tenant and profile.
        found_earlier: ids of findings of audits before the earlier one, where they are known: one of them that
            `before` does not have and `after` does has returned, and is not new.
    """
    grants = grant_changes(before, after)
    apps = app_changes(before, after)
    return with_acts(
        Drift(
            tenant_id=after.result.tenant_id,
            profile=after.result.profile,
            before_taken_at=before.result.taken_at,
            before_snapshot_sha256=before.result.provenance.snapshot_sha256,
            after_taken_at=after.result.taken_at,
            after_snapshot_sha256=after.result.provenance.snapshot_sha256,
            grants=grants,
            apps=apps,
            findings=finding_changes(before, after, grants, found_earlier),
            waivers=waiver_changes(before.result, after.result),
            notes=tuple(notes(before, after)),
        ),
        after.snapshot,
    )
