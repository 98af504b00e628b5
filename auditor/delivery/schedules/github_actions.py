"""GitHub Actions: a workflow that signs in by what its job is; actions by their commit, packages by their hash."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping

from auditor.delivery.schedules import Schedule
from auditor.delivery.schedules.request import BY_CONFIGURATION, Request, in_yaml
from auditor.errors import UsageError

CHECKOUT = "actions/checkout@de0fac2e4500dabe0009e67214ff5f5447ce83dd # v6.0.2"
UPLOAD = "actions/upload-artifact@b7c566a772e6b6bfb58ed0dc250532a479d7789f # v6.0.0"
REQUIREMENTS = "entra-audit-requirements.txt"
_INSIDE = re.compile(r"(?!/)(?!.*(?:^|/)\.\.(?:/|$))[\w./ -]+", re.ASCII)
_WORKFLOW = """\
# entra-audit {words}; written by `entra-audit schedule github-actions`.
# Who may read this repository's artifacts reads the reports: keep it private.
# {requirements} is yours: entra-auditor and all that it needs, each with its hash.
name: {name}
on:
  schedule:
    - cron: "{cron}" # UTC
  workflow_dispatch: {{}}
permissions: {{}}
concurrency:
  group: {name}
  cancel-in-progress: false
jobs:
  watch:
    name: Watch
    runs-on: ubuntu-24.04
    timeout-minutes: 360
    permissions:
      contents: read # the configuration
      id-token: write # the job signs in by what it is; nothing is stored
    steps:
      - name: Read the configuration
        uses: {checkout}
        with:
          persist-credentials: false
      - name: Install entra-auditor
        run: |
          python3 -m venv "$RUNNER_TEMP/entra-auditor"
          "$RUNNER_TEMP/entra-auditor/bin/python" -m pip install --require-hashes --requirement {requirements}
          echo "$RUNNER_TEMP/entra-auditor/bin" >> "$GITHUB_PATH"
      - name: Watch
        run: {command}
      - name: Keep the reports
        if: ${{{{ !cancelled() }}}}
        uses: {upload}
        with:
          name: {name}
          path: {reports}
          include-hidden-files: false
          if-no-files-found: warn
          retention-days: 30
"""


def render(request: Request) -> Mapping[str, bytes]:
    """Return the workflow, for `.github/workflows/`.

    Raises:
        UsageError: a path leaves the repository or has characters with a meaning there, or something would have to stay
            on a runner, where nothing stays.
    """
    for option, path in (("--config", request.config), ("--reports", request.reports), ("--log", request.log)):
        if path and not _INSIDE.fullmatch(path):
            raise UsageError(
                "The path has to lie in the repository, and be of letters, digits, spaces and . _ - /.",
                where=option,
                advice="Rename the file.",
            )
    if request.history and not request.history.startswith("postgresql"):
        raise UsageError("Nothing stays on a runner.", where="--history", advice="Name a PostgreSQL database.")
    if "${{" in request.history:
        raise UsageError("GitHub would fill this in.", where="--history", advice="Write the address itself.")
    if request.notify_file:
        raise UsageError(
            "The file would lie in the repository, and it holds secrets.",
            where="--notify-file",
            advice="docs/schedule.md says how a workflow notifies.",
        )
    text = _WORKFLOW.format(
        words=request.timetable.words,
        name=in_yaml(request.name),
        cron=request.timetable.cron,
        checkout=CHECKOUT,
        upload=UPLOAD,
        requirements=REQUIREMENTS,
        command=in_yaml(shlex.join(request.argv)),
        reports=in_yaml(request.reports),
    )
    return {f"{request.name}.yml": text.encode()}


SCHEDULE = Schedule(
    name="github-actions",
    help="A workflow of GitHub Actions, which signs in by the job's own identity.",
    auth=("github-oidc", BY_CONFIGURATION),
    program=("entra-audit",),
    config="entra-audit.yaml",
    reports="report",
    render=render,
)
