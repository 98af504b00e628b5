"""Requests for schedules, and the command line read back out of what a platform was given."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections.abc import Mapping
from io import StringIO
from typing import Any

from ruamel.yaml import YAML

from auditor.delivery.schedules import Schedule, schedules
from auditor.delivery.schedules.request import Request
from auditor.delivery.schedules.timetable import Timetable

PLATFORMS = tuple(schedules().values())
GUID = "00000000-0000-4000-8000-00000000c0de"


def request(schedule: Schedule, **other: Any) -> Request:
    """Return a request that the platform takes as it is."""
    method = schedule.auth[0]
    values: dict[str, Any] = {
        "timetable": Timetable(),
        "command": (*(schedule.program or ("/opt/entra/bin/entra-audit",)), "watch"),
        "config": schedule.config or "/etc/entra/entra-audit.yaml",
        "reports": schedule.reports or "/srv/reports",
        "auth": method,
        "tenant_id": "" if method == "managed-identity" else "contoso.example",
        "client_id": GUID,
        "image": "registry.example/entra-audit:1" if schedule.container else "",
    }
    return Request(**(values | other))


def yaml(data: bytes) -> list[Any]:
    return list(YAML(typ="safe").load_all(StringIO(data.decode())))


def argv(platform: str, files: Mapping[str, bytes]) -> tuple[str, ...]:
    """Return the command line that a platform would start; for systemd only a running one can tell."""
    (data,) = files.values()
    return {"cron": _of_cron, "github-actions": _of_github, "kubernetes": _of_kubernetes}.get(platform, _of_azure)(data)


def _of_cron(data: bytes) -> tuple[str, ...]:
    """What the shell makes of the line, once cron has taken the backslash from each percent sign."""
    (line,) = [line for line in data.decode().split("\n") if line and not line.startswith("#")]
    command = line.split(" ", 5)[5]
    assert not re.search(r"(?<!\\)%", command)
    shown = command.replace("\\%", "%").replace(" || exec ", " || printf '%s\\0' ").removesuffix(" >/dev/null")
    return tuple(subprocess.run(["sh", "-c", shown], capture_output=True, check=True).stdout.decode().split("\0")[:-1])


def _of_github(data: bytes) -> tuple[str, ...]:
    (workflow,) = yaml(data)
    (step,) = [step for step in workflow["jobs"]["watch"]["steps"] if step["name"] == "Watch"]
    assert "${{" not in step["run"]
    return tuple(shlex.split(step["run"]))


def _of_kubernetes(data: bytes) -> tuple[str, ...]:
    (job,) = [part for part in yaml(data) if part["kind"] == "CronJob"]
    (container,) = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    return (*container["command"], *(argument.replace("$$", "$") for argument in container["args"]))


def _of_azure(data: bytes) -> tuple[str, ...]:
    (resource,) = json.loads(data)["resources"]
    (container,) = resource["properties"]["template"]["containers"]
    return tuple(
        re.sub(r"^\[\[", "[", part) for part in (*container["command"], *container["args"]) if _is_no_expression(part)
    )


def _is_no_expression(text: str) -> bool:
    return not (text.startswith("[") and not text.startswith("[["))
