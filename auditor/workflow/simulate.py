"""A snapshot served as a tenant on loopback, until interrupted."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path

from auditor.simulator.server import Running, env_lines, run_forever
from auditor.sources.files import read
from auditor.sources.snapshot_file import LIMIT, decode
from auditor.workflow.writing import check_folder, write_file


def simulate(snapshot: Path, *, port: int, env_file: Path | None, say: Callable[[str], None]) -> None:
    """Serve `snapshot` on 127.0.0.1 until Ctrl-C.

    Args:
        snapshot: what `collect` or `run` wrote.
        port: 0 takes a free one.
        env_file: where to write the lines that point this tool and curl at it; None says them instead.
        say: takes one line to show.

    Raises:
        InputError: the snapshot cannot be read.
        OutputError: the env file cannot be written.
        UsageError: the port is taken.
    """
    if env_file is not None:
        check_folder(env_file.parent)
    data = read(snapshot, where=str(snapshot), limit=LIMIT)

    def ready(running: Running) -> None:
        lines = env_lines(running.url, running.token)
        if env_file is not None:
            write_file(env_file, lines.encode())
            say(f"Serving on {running.url}; in another shell: . {shlex.quote(str(env_file.absolute()))}")
        else:
            say(f"Serving on {running.url}; in another shell:\n{lines}")
        say("Stop with Ctrl-C.")

    run_forever(decode(data, str(snapshot)), port, ready=ready)
