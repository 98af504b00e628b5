"""An undo: the journal of a plan becomes a plan of its own, is written down, and is carried out like any other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from auditor.errors import InputError, RefusedError
from auditor.knowledge.data import rules_sha256
from auditor.model.plan import RevokePlan
from auditor.remedy.journal import SUFFIX, opened, read_journal
from auditor.remedy.undo import undo_plan
from auditor.workflow.apply import now
from auditor.workflow.revoke import plan_target, read_plan, write_plan


@contextmanager
def undoing(journal: Path) -> Iterator[None]:
    """Hold a journal for as long as it is undone, so that nobody goes on with its plan meanwhile.

    Raises:
        InputError: there is none.
        RefusedError: its plan is being carried out right now.
    """
    if not journal.is_file():
        raise InputError(
            "There is no such journal.",
            where=str(journal),
            advice="Give the .journal.jsonl of a plan that was applied.",
        )
    with opened(journal):
        yield


def plan_undo(journal: Path, *, out: Path) -> RevokePlan:
    """Write the plan (and its page) that takes back what `journal` tells, and return it.

    Raises:
        InputError: the journal cannot be read.
        RefusedError: it tells of nothing that was written, or another plan's journal stands beside `out`.
        UsageError: no plan may be written to `out`.
        OutputError: the plan cannot be written.
    """
    plan_target(out, journal, _beside(journal))
    plan = undo_plan(
        read_journal(journal), where=str(journal), now=now(), rules_sha256=rules_sha256(), plan=_original(journal)
    )
    write_plan(plan, out)
    return plan


def default_out(journal: Path) -> Path:
    """Return where the plan of an undo stands: `plan.journal.jsonl` has `plan.undo.json`."""
    return journal.with_name(journal.name.removesuffix(SUFFIX) + ".undo.json")


def _original(journal: Path) -> RevokePlan | None:
    """Return the plan that stands beside its journal, for the names in it; None where there is none that fits."""
    path = _beside(journal)
    if not path.is_file():
        return None
    try:
        return read_plan(path)
    except (InputError, RefusedError):
        return None


def _beside(journal: Path) -> Path:
    return journal.with_name(journal.name.removesuffix(SUFFIX) + ".json")
