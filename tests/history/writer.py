"""A process that keeps runs, for the tests that kill it: python -m tests.history.writer LOCATION NAME RUNS FILE.

FILE holds an audit. Each run is told on a line, as `number hash`, once it was kept; `building` is told before.
"""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path

import msgspec
from msgspec.structs import replace

from auditor.history.store import Contents, Kept, open_store
from auditor.model.canonical import to_json
from auditor.model.history import Stream
from auditor.model.outcome import AuditResult


def main(location: str, name: str, runs: int, file: Path) -> None:
    """Keep runs that no other process keeps, one after the other."""
    audit = msgspec.json.decode(file.read_bytes(), type=AuditResult)
    stream = Stream(tenant_id=audit.tenant_id, profile=audit.profile)
    for number in range(runs):
        taken = audit.taken_at + timedelta(seconds=number)
        own = replace(audit, taken_at=taken, notes=(f"{name}, run {number}",))

        def build(_previous: Kept | None, own: AuditResult = own) -> Contents:
            tell("building")
            snapshot = to_json({"writer": name, "taken_at": own.taken_at, "filling": [own.headline] * 2000})
            return Contents(snapshot=snapshot, result=to_json(own), taken_at=own.taken_at)

        with open_store(location) as store:
            kept = store.append(stream, build)
        tell(f"{kept.entry.number} {kept.sha256}")


def tell(line: str) -> None:
    """Print a line at once: this process may be killed before the next."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), Path(sys.argv[4]))
