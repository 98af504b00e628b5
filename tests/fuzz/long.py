"""Many seeds for one target, in a process of its own whose memory may grow by 256 MiB.

python -m tests.fuzz.long TARGET COUNT [FIRST]
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path

from tests.fuzz.measure import run
from tests.fuzz.targets import TARGETS

MEMORY = 256 << 20
WARM = 20
"""Seeds that come first, so that what is loaded once is there before the memory is bounded."""


def main(name: str, count: int, first: int = 0) -> str:
    """Run the seeds and return the figures.

    Raises:
        AssertionError: a seed took too long or broke a promise.
        MemoryError: a seed took more than 256 MiB.
    """
    run(name, TARGETS[name], range(first, first + WARM))
    status = Path("/proc/self/statm")
    if status.exists():
        taken = int(status.read_text(encoding="ascii").split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (taken + MEMORY, resource.RLIM_INFINITY))
    return run(name, TARGETS[name], range(first, first + count))


if __name__ == "__main__":
    print(main(sys.argv[1], *map(int, sys.argv[2:])))  # noqa: T201 - the figures are its result
