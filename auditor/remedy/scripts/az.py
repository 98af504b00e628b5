"""`--lang az`: the Azure CLI, as whoever is signed in to it."""

from __future__ import annotations

from collections.abc import Mapping

from auditor.model.plan import RevokePlan
from auditor.remedy.scripts import Script
from auditor.remedy.scripts.pieces import cloud_of
from auditor.remedy.scripts.shell import shell_scripts


def _render(plan: RevokePlan, name: str) -> Mapping[str, bytes]:
    how = (
        "Needs a POSIX shell and the Azure CLI, signed in:",
        f"  az cloud set --name {cloud_of(plan).azure_cli}",
        f"  az login --allow-no-subscriptions --tenant {plan.tenant_id}",
        "For a rehearsal, GRAPH_URL leads to http://127.0.0.1:PORT, and GRAPH_TOKEN holds the token of the simulator.",
    )
    return shell_scripts(plan, name, by="az", driver="az.sh", how=how)


SCRIPT = Script(name="az", help="A POSIX shell with the Azure CLI.", render=_render)
