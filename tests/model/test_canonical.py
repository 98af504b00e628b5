"""Shapes that threads share: decoding one for the first time in several threads at once does not end the process."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

AT_ONCE = """
import os, sys, threading
import msgspec
from auditor.model.snapshot import Snapshot
from auditor.simulator.sample import sample
from auditor.sources.snapshot_file import encode

document = msgspec.json.decode(encode(sample()))
sys.setswitchinterval(1e-6)
for _ in range(12):
    if (child := os.fork()) == 0:
        start = threading.Barrier(4)
        def decode():
            start.wait()
            msgspec.convert(document, Snapshot)

        threads = [threading.Thread(target=decode) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        os._exit(0)
    print(os.waitpid(child, 0)[1])
"""
"""Each child is a process in which nothing was decoded before."""


@pytest.mark.skipif(os.name == "nt", reason="it forks")
def test_a_first_decoding_in_several_threads_ends_no_process() -> None:
    """As in a watch of several tenants from files."""
    done = subprocess.run([sys.executable, "-c", AT_ONCE], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0"] * 12
