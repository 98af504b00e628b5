"""The export reader under libFuzzer: any text in any one file of an export gives a snapshot or an error of ours.

    python -m tests.fuzz.export_reader CORPUS -max_total_time=120 -timeout=2 -rss_limit_mb=512

An input is one letter, which chooses the file (A is the first of FILES), and what that file holds.
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

ZOOM = "servicePrincipals/5ab1e000-0000-4000-8000-000000000003"
FILES = (
    "servicePrincipals.json",
    f"{ZOOM}/appRoleAssignments.json",
    f"{ZOOM}/oauth2PermissionGrants.json",
    f"{ZOOM}/owners.json",
    f"{ZOOM}/transitiveMemberOf.json",
    f"{ZOOM}/memberOf.json",
    "oauth2PermissionGrants.json",
    "organization.json",
    "users.json",
    "reports/servicePrincipalSignInActivities.json",
    "auditLogs/directoryAudits.json",
    "servicePrincipals/5ab1e000-0000-4000-8000-000000000001.json",
)


def reader(root: Path) -> Callable[[bytes], None]:
    """Return what takes one input; the export with the changed file stands in `root`."""
    from auditor.errors import AuditorError
    from auditor.sources.snapshot_file import decode, encode
    from tests.sources.exports import lay, read, whole

    lay(root, whole())
    good = {name: (root / name).read_bytes() if (root / name).exists() else None for name in FILES}

    def take(data: bytes) -> None:
        name = FILES[(data[0] - ord("A")) % len(FILES)] if data else FILES[0]
        lay(root, {name: data[1:]})
        with contextlib.suppress(AuditorError):
            snapshot = read(root)
            if decode(encode(snapshot), "again") != snapshot:
                raise AssertionError(name)
        kept = good[name]
        if kept is None:
            (root / name).unlink()
        else:
            lay(root, {name: kept})

    return take


def main() -> None:
    """Fuzz until libFuzzer is told to stop."""
    import atheris  # type: ignore[import-untyped,import-not-found,unused-ignore]

    with atheris.instrument_imports(include=["auditor"]), tempfile.TemporaryDirectory() as folder:
        take = reader(Path(folder))
        atheris.Setup(sys.argv, take)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
