"""Look up the known vulnerabilities of every pinned package: `make audit`.

    python -m docs.vulnerabilities [an option of pip-audit, such as -s osv]

Exit codes: 0 every package was looked up and none has a known vulnerability; 1 one has; 3 some could not be looked up.

pip-audit alone passes over what its service does not answer for and then says "No known vulnerabilities found". Its
--strict stops at the first such package instead, and hides what it knows of the others. So its answer is counted here.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from docs.dependencies import DEVELOPMENT, RUNTIME, pins

CLEAN, VULNERABLE, NOT_CHECKED = 0, 1, 3


def main(options: list[str], locks: Iterable[Path] = (RUNTIME, DEVELOPMENT)) -> int:
    """Print what is known of the pins of `locks`, and return the exit code; `options` are pip-audit's."""
    wanted = {(pin.name, pin.version) for lock in locks for pin in pins(lock.read_text(encoding="utf-8"))}
    answers, trouble = look_up(wanted, options)
    found = {pin: answers[pin] for pin in sorted(wanted & answers.keys()) if answers[pin]}
    missing = sorted(wanted - answers.keys())
    for (name, version), vulnerabilities in found.items():
        for known in vulnerabilities:
            fixed = ", ".join(known["fix_versions"]) or "no version"
            print(f"VULNERABLE: {name} {version}: {known['id']}, fixed in {fixed}")
    if missing:
        print(f"NOT CHECKED: {len(missing)} of {len(wanted)} packages: {', '.join('=='.join(pin) for pin in missing)}")
        print("\n".join(f"  {reason}" for reason in sorted(trouble)))
    print(f"Checked {len(wanted) - len(missing)} of {len(wanted)} packages; vulnerable: {len(found)}")
    return VULNERABLE if found else NOT_CHECKED if missing else CLEAN


def look_up(wanted: Iterable[tuple[str, str]], options: list[str]) -> tuple[dict[tuple[str, str], list[Any]], set[str]]:
    """Return the vulnerabilities of each package that was looked up, and why others were not."""
    answers: dict[tuple[str, str], list[Any]] = {}
    trouble: set[str] = set()
    for part in _one_version_each(wanted):
        text, reason = _pip_audit(part, options)
        for answer in json.loads(text)["dependencies"] if text else ():
            if "version" in answer:
                answers[answer["name"], answer["version"]] = answer["vulns"]
            else:
                trouble.add(answer["skip_reason"].partition(": ")[0])
        trouble |= {reason} - {""}
    return answers, trouble


def _one_version_each(wanted: Iterable[tuple[str, str]]) -> list[dict[str, str]]:
    """Divide pins into lists that name no package twice: pip-audit refuses those, and drops other platforms' pins."""
    parts: list[dict[str, str]] = []
    for name, version in sorted(wanted):
        part = next((part for part in parts if name not in part), None)
        if part is None:
            parts.append(part := {})
        part[name] = version
    return parts


def _pip_audit(part: dict[str, str], options: list[str]) -> tuple[str, str]:
    """Return pip-audit's JSON, empty where it gave none, and then the last line of what it said instead."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "requirements.txt"
        file.write_text("".join(f"{name}=={version}\n" for name, version in part.items()), encoding="utf-8")
        command = [sys.executable, "-m", "pip_audit", "--requirement", str(file), "--no-deps", "--disable-pip"]
        command += ["--format", "json", "--progress-spinner", "off", *options]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.stdout.strip():
        return ended.stdout, ""
    return "", (ended.stderr.strip().splitlines() or ["pip-audit gave no answer"])[-1]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
