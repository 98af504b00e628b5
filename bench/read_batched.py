"""One reading as this program does it; prints the seconds that it took without start-up."""

from __future__ import annotations

import os
import sys
import time

import msgraph  # noqa: F401 - both readers are timed without the SDK's import

from auditor.graph.auth import simulator_connection
from auditor.knowledge.profile import load_profile
from auditor.model.configuration import AppConfiguration
from auditor.sources import SourceRequest
from auditor.sources.tenant import read
from bench.tenants import APPS

request = SourceRequest(
    profile=load_profile("zoom"),
    configuration=AppConfiguration(),
    connection=simulator_connection(sys.argv[1], os.environ["BENCH_TOKEN"]),
)
start = time.perf_counter()
snapshot = read(request)
print(time.perf_counter() - start)
if len(snapshot.clients) != len(APPS):
    sys.exit("not all apps were read")
