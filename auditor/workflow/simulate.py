"""A snapshot served as a tenant on loopback, until interrupted."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path

from auditor.knowledge.documents import load
from auditor.simulator.fault import Fault
from auditor.simulator.pages import UNLIMITED
from auditor.simulator.server import Running, env_lines, run_forever
from auditor.sources.files import read
from auditor.sources.snapshot_file import LIMIT, decode
from auditor.workflow.writing import check_folder, write_file


def simulate(
    snapshot: Path,
    *,
    port: int,
    env_file: Path | None,
    say: Callable[[str], None],
    faults: Path | None = None,
    max_page: int | None = None,
) -> None:
    """Serve `snapshot` on 127.0.0.1 until Ctrl-C.

    Args:
        snapshot: what `collect` or `run` wrote.
        port: 0 takes a free one.
        env_file: where to write the lines that point this tool and curl at it; None says them instead.
        say: takes one line to show.
        faults: a YAML list of what goes wrong on purpose, each item the fields of a Fault; None: nothing does.
        max_page: the most items of a page, whatever a call asks for; None: no limit.

    Raises:
        ConfigurationError: the file of faults cannot be read, or is not such a list.
        InputError: the snapshot cannot be read.
        OutputError: the env file cannot be written.
        UsageError: the port is taken.
    """
    if env_file is not None:
        check_folder(env_file.parent)
    wrong = load(faults, tuple[Fault, ...]) if faults is not None else ()
    data = read(snapshot, where=str(snapshot), limit=LIMIT)

    def ready(running: Running) -> None:
        lines = env_lines(running.url, running.token, running.write_token)
        if env_file is not None:
            write_file(env_file, lines.encode())
            say(f"Serving on {running.url}; in another shell: . {shlex.quote(str(env_file.absolute()))}")
        else:
            say(f"Serving on {running.url}; in another shell:\n{lines}")
        if wrong:
            say(f"Faults to come: {len(wrong)}.")
        say("Stop with Ctrl-C.")

    run_forever(decode(data, str(snapshot)), port, ready=ready, faults=wrong, max_page=max_page or UNLIMITED)
