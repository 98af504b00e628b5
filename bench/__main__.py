"""`python -m bench`: every benchmark, one table each."""

from __future__ import annotations

from bench import collection, judging, startup

for benchmark in (collection, startup, judging):
    print(benchmark.report(), flush=True)
