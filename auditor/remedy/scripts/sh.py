"""`--lang sh`: curl and jq, with an access token from the environment."""

from __future__ import annotations

from collections.abc import Mapping

from auditor.model.plan import RevokePlan
from auditor.remedy.scripts import Script
from auditor.remedy.scripts.shell import shell_scripts

_HOW = (
    "Needs a POSIX shell, curl, jq, and an access token for Microsoft Graph in the variable GRAPH_TOKEN.",
    "The variable GRAPH_URL leads elsewhere: to another https:// host, or to http://127.0.0.1:PORT for a rehearsal.",
)


def _render(plan: RevokePlan, name: str) -> Mapping[str, bytes]:
    return shell_scripts(plan, name, by="sh", driver="curl.sh", how=_HOW)


SCRIPT = Script(name="sh", help="A POSIX shell with curl and jq.", render=_render)
