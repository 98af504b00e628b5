"""Machines of their own for a real cron and a real systemd: namespaces of the kernel, in which the system's own places
are empty and belong to the test. Nothing of the machine around them is changed."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from msgspec import Struct

CRON = """
set -e
mount -t tmpfs tmpfs /var/spool/cron
mkdir /var/spool/cron/crontabs
chgrp crontab /var/spool/cron/crontabs
chmod 1730 /var/spool/cron/crontabs
mount -t tmpfs tmpfs /etc/cron.d
mount --bind /dev/null /etc/crontab
mount -t tmpfs tmpfs /run
touch "$1/ready"
exec cron -f
"""
SYSTEMD = """
set -e
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mkdir "/sys/fs/cgroup/$2"
echo $$ > "/sys/fs/cgroup/$2/cgroup.procs"
mount -t tmpfs tmpfs /run
mkdir -p -m 700 /run/systemd/system "$XDG_RUNTIME_DIR" "$HOME"
touch "$1/ready"
/usr/lib/systemd/systemd --user --log-target=null &
wait
"""
SWEEP = """
mount -t cgroup2 cgroup2 /mnt
for _ in 1 2 3 4 5 6 7 8 9 10; do
    find "/mnt/$1" -depth -type d -exec rmdir {} + && exit 0
    sleep 0.3
done
"""


class Machine(Struct, frozen=True):
    """A machine that runs."""

    process: int
    """Its first process, as seen from outside."""
    environment: Mapping[str, str]

    def run(self, *command: str | Path, given: str = "") -> str:
        """Run a command there, and return what it printed; it has to succeed."""
        done = self.attempt(*command, given=given)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def attempt(self, *command: str | Path, given: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command there."""
        enter = ["nsenter", "--target", str(self.process), "--mount", "--pid", "--", *map(str, command)]
        return subprocess.run(
            enter, env=dict(self.environment), input=given, capture_output=True, text=True, check=False
        )


@contextmanager
def cron_machine(folder: Path) -> Iterator[Machine]:
    """Yield a machine on which Debian's cron runs, with no crontab but root's own."""
    _require("cron", "crontab", "unshare", "nsenter")
    with _started(CRON, folder, _environment()) as machine:
        time.sleep(1.5)  # cron tells changes by whole seconds, and would miss one in the second of its start.
        yield machine


@contextmanager
def systemd_machine(folder: Path) -> Iterator[Machine]:
    """Yield a machine on which systemd runs as a user's manager."""
    _require("/usr/lib/systemd/systemd", "systemctl", "unshare", "nsenter")
    environment = _environment() | {"XDG_RUNTIME_DIR": "/run/user", "HOME": str(folder / "home")}
    group = f"entra-audit-{os.getpid()}-{time.monotonic_ns()}"
    try:
        with _started(SYSTEMD, folder, environment, group) as machine:
            deadline = time.monotonic() + 30
            while machine.attempt("systemctl", "--user", "list-timers").returncode:
                if time.monotonic() > deadline:
                    pytest.skip("systemd cannot be started in a namespace here")
                time.sleep(0.1)
            yield machine
    finally:
        subprocess.run(["unshare", "--mount", "sh", "-c", SWEEP, "sweep", group], capture_output=True, check=False)


def _environment() -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "LC_ALL": "C.UTF-8"}


def _require(*programs: str) -> None:
    missing = [program for program in programs if shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin") is None]
    if missing:
        pytest.skip(f"absent: {', '.join(missing)}")
    if os.geteuid() != 0:
        pytest.skip("only root can make a machine of its own")


@contextmanager
def _started(script: str, folder: Path, environment: Mapping[str, str], *words: str) -> Iterator[Machine]:
    command = ["unshare", "--mount", "--pid", "--cgroup", "--fork", "--kill-child", "--mount-proc", "sh", "-c", script]
    with subprocess.Popen(
        [*command, "machine", str(folder), *words], env=dict(environment), stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            while not (folder / "ready").exists():
                if process.poll() is not None:
                    assert process.stderr
                    pytest.skip(f"no machine of its own can be made here: {process.stderr.read().strip()[:200]}")
                time.sleep(0.02)
            children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text(encoding="ascii")
            yield Machine(int(children), environment)
        finally:
            process.kill()
