"""An undo: the journal of a plan becomes a plan of its own, is written down, and is carried out like any other."""

from __future__ import annotations

from pathlib import Path

from auditor.errors import InputError, RefusedError
from auditor.knowledge.data import rules_sha256
from auditor.model.plan import RevokePlan
from auditor.remedy.journal import SUFFIX, read_journal
from auditor.remedy.seal import encode_plan
from auditor.remedy.undo import undo_plan
from auditor.reporters.plan_page import plan_html
from auditor.workflow.apply import now
from auditor.workflow.revoke import read_plan
from auditor.workflow.writing import check_folder, write_files


def plan_undo(journal: Path, *, out: Path) -> RevokePlan:
    """Write the plan (and its page) that takes back what `journal` tells, and return it.

    Raises:
        InputError: the journal cannot be read, or is none.
        RefusedError: it tells of nothing that was written.
        OutputError: the plan cannot be written.
    """
    check_folder(out.parent)
    if not journal.is_file():
        raise InputError(
            "There is no such journal.",
            where=str(journal),
            advice="Give the .journal.jsonl of a plan that was applied.",
        )
    plan = undo_plan(
        read_journal(journal), where=str(journal), now=now(), rules_sha256=rules_sha256(), plan=_original(journal)
    )
    page = out.with_suffix(".html").name
    write_files(out.parent, {out.name: encode_plan(plan), page: plan_html(plan)})
    return plan


def default_out(journal: Path) -> Path:
    """Return where the plan of an undo stands: `plan.journal.jsonl` has `plan.undo.json`."""
    return journal.with_name(journal.name.removesuffix(SUFFIX) + ".undo.json")


def _original(journal: Path) -> RevokePlan | None:
    """Return the plan that stands beside its journal, for the names in it; None where there is none that fits."""
    path = journal.with_name(journal.name.removesuffix(SUFFIX) + ".json")
    if not path.is_file():
        return None
    try:
        return read_plan(path)
    except (InputError, RefusedError):
        return None
