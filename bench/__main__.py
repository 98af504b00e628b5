"""`python -m bench`: every benchmark, one table each."""

from __future__ import annotations

from bench import applying, collection, judging, keeping, startup, watching

for benchmark in (collection, startup, judging, keeping, applying, watching):
    print(benchmark.report(), flush=True)
