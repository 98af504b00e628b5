"""Several tenants side by side: one that fails does not stop the rest, and what is not known is never fine."""

from __future__ import annotations

import csv
import json
import threading
import time
from contextlib import nullcontext
from pathlib import Path

import jsonschema
import pytest
from msgspec.structs import replace

from auditor.errors import InputError, OutputError
from auditor.graph.auth import simulator_connection
from auditor.model.configuration import Configuration
from auditor.model.outcome import Finding, Severity
from auditor.model.snapshot import Snapshot, Unavailable
from auditor.reporters import reporters
from auditor.reporters.schema import watch_schema
from auditor.reporters.watch_page import COLUMNS
from auditor.simulator.fault import Fault
from auditor.simulator.sample import sample, sample_configuration
from auditor.simulator.server import serve
from auditor.sources import SourceKind, SourceRequest, sources
from auditor.workflow.prepare import prepared
from auditor.workflow.run import judge
from auditor.workflow.watch import DEFECT, Reading, Watched, watch
from auditor.workflow.watch_rows import audited
from auditor.workflow.watch_tenants import WatchedTenant, check_tenant
from tests.engine.world import rulebook
from tests.workflow.watching import IDS, on, small, unheard, wanted

REFUSED = (Fault(match="/v1.0", status=401, times=0), Fault(match="/beta", status=401, times=0))
THROTTLED = (Fault(match="/v1.0", status=429, retry_after="1", times=2),)


def states(watched: Watched) -> dict[str, str]:
    return {audit.tenant: audit.state for audit in watched.watch.audits}


def test_three_tenants_one_failing_one_throttled(tmp_path: Path) -> None:
    """Exit 3, a report over all with the reason, the reports of the two others; all three are read at the same time."""
    together = threading.Barrier(3)  # Passed only when three threads read at once.

    def meet() -> None:
        together.wait(30)

    with (
        serve(small("a")) as good,
        serve(small("b"), faults=REFUSED) as failing,
        serve(small("c", "Mail.Read"), faults=THROTTLED) as throttled,
    ):
        tenants = [on(one, name, before=meet) for name, one in zip("abc", (good, failing, throttled), strict=True)]
        heard: list[str] = []
        watched = watch(tenants, wanted(tmp_path), Reading(), told=lambda audit: heard.append(audit.tenant))
        assert throttled.requests > good.requests  # What was answered with 429 was asked again.
    assert not together.broken
    assert sorted(heard) == ["a", "b", "c"]
    assert watched.watch.exit_code == 3
    assert states(watched) == {"a": "complete", "b": "failed", "c": "complete"}
    assert [audit.exit_code for audit in watched.watch.audits] == [0, 3, 1]
    assert "does not take the token" in watched.watch.audits[1].why[0]
    assert [path.relative_to(tmp_path).as_posix() for path in sorted(tmp_path.rglob("*")) if path.is_file()] == [
        "a/audit.json",
        "a/report.html",
        "a/snapshot.json.gz",
        "c/audit.json",
        "c/report.html",
        "c/snapshot.json.gz",
        "watch.csv",
        "watch.html",
        "watch.json",
    ]
    assert_told_alike(tmp_path)


def assert_told_alike(folder: Path) -> None:
    """The three files of the combined report say the same, and watch.json is of its schema."""
    whole = json.loads((folder / "watch.json").read_bytes())
    jsonschema.Draft202012Validator.check_schema(watch_schema())
    jsonschema.validate(whole, watch_schema())
    with (folder / "watch.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    assert [(row["tenant"], row["state"], row["exit_code"]) for row in rows] == [
        (audit["tenant"], audit["state"], str(audit["exit_code"])) for audit in whole["audits"]
    ]
    assert [row["critical"] for row in rows if row["state"] == "failed"] == [""]
    page = (folder / "watch.html").read_text(encoding="utf-8")
    assert "<title>INCOMPLETE: Watch of 3 audits</title>" in page
    assert [f'href="{name}/report.html"' in page for name in "abc"] == [True, False, True]


def test_one_tenant_that_fails_alone_is_incomplete(tmp_path: Path) -> None:
    """Nothing was read: that is 3 as well, with the words of the error in the report."""
    with serve(small(), faults=REFUSED) as simulator:
        watched = watch([on(simulator, "a")], wanted(tmp_path), Reading(), told=unheard)
    assert (watched.watch.exit_code, states(watched)) == (3, {"a": "failed"})
    assert "<title>INCOMPLETE: " in (tmp_path / "watch.html").read_text(encoding="utf-8")
    assert not (tmp_path / "a").exists()


def test_an_earlier_report_of_a_tenant_that_fails_now_is_not_linked(tmp_path: Path) -> None:
    """It stays where it is, and nobody takes it for today's."""
    with serve(small()) as simulator:
        watch([on(simulator, "a")], wanted(tmp_path), Reading(), told=unheard)
    with serve(small(), faults=REFUSED) as simulator:
        watched = watch([on(simulator, "a")], wanted(tmp_path), Reading(), told=unheard)
    assert (tmp_path / "a" / "report.html").exists()
    assert watched.watch.audits[0].report == ""
    assert "a/report.html" not in (tmp_path / "watch.html").read_text(encoding="utf-8")


def test_no_more_tenants_are_read_at_once_than_asked_for(tmp_path: Path) -> None:
    """Six tenants by two: two at a time, never three, and all of them."""
    now, most, lock, pair = 0, 0, threading.Lock(), threading.Barrier(2)

    def read(_request: SourceRequest) -> object:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        pair.wait(30)
        time.sleep(0.01)  # A third would come in now.
        with lock:
            now -= 1
        raise InputError("A sample.")

    kind = SourceKind(name="x", option="", metavar="", help="", read=read)  # type: ignore[arg-type]
    apps = (("zoom", prepared(rulebook(), Configuration())),)
    tenants = [WatchedTenant(name=f"t{n}", kind=kind, connect=lambda: nullcontext(None), apps=apps) for n in range(6)]
    watched = watch(tenants, wanted(tmp_path), Reading(jobs=2), told=unheard)
    assert most == 2
    assert [audit.tenant for audit in watched.watch.audits] == ["t0", "t1", "t2", "t3", "t4", "t5"]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_defect_of_the_program_in_one_tenant_does_not_stop_the_rest(tmp_path: Path) -> None:
    """It is told as one, its traceback is shown by Python, and the run is incomplete."""

    def breaks(_request: SourceRequest) -> None:
        raise KeyError("sample")

    with serve(small()) as simulator:
        good = on(simulator, "good")
        kind = replace(good.kind, read=breaks)
        watched = watch([replace(good, name="bad", kind=kind), good], wanted(tmp_path), Reading(), told=unheard)
    assert states(watched) == {"bad": "failed", "good": "complete"}
    assert watched.watch.audits[0].why == (DEFECT,)
    assert watched.watch.exit_code == 3


def test_several_apps_of_a_tenant_are_read_in_turn_into_folders_of_their_own(tmp_path: Path) -> None:
    """One that is throttled is not asked twice at once."""
    book = rulebook()
    other = replace(book, profile=replace(book.profile, id="fabrikam", title="Fabrikam (sample)"))
    alone = threading.Lock()

    def read(request: SourceRequest) -> object:
        assert alone.acquire(blocking=False)
        try:
            return good.kind.read(request)
        finally:
            alone.release()

    with serve(small()) as simulator:
        good = on(simulator, "a")
        apps = (*good.apps, ("fabrikam", prepared(other, Configuration())))
        both = replace(good, apps=apps, kind=replace(good.kind, read=read))
        watched = watch([both], wanted(tmp_path), Reading(), told=unheard)
    assert [(audit.app, audit.report) for audit in watched.watch.audits] == [
        ("zoom", "a/zoom/report.html"),
        ("fabrikam", "a/fabrikam/report.html"),
    ]
    assert all((tmp_path / audit.report).is_file() for audit in watched.watch.audits)
    assert watched.watch.exit_code == 0


def test_what_changed_since_the_run_before_is_told(tmp_path: Path) -> None:
    """The first kept run begins the watch; a permission that came is a change, and no change is none."""
    told = []
    for roles in ((), (), ("Mail.Read",)):
        with serve(small("a", *roles)) as simulator:
            done = watch(
                [on(simulator, "a")], wanted(tmp_path, history=str(tmp_path / "h.db")), Reading(), told=unheard
            )
        told.append((done.watch.audits[0], done.drifts[0]))
    (first, none), (second, quiet), (third, drift) = told
    assert first.begun
    assert (first.change, none) == (None, None)
    assert second.change
    assert second.change.none
    assert quiet
    assert quiet.empty
    assert third.change
    assert third.change.granted == 1
    assert third.change.new_findings
    assert drift
    assert [change.after.permission for change in drift.grants if change.after] == ["Mail.Read"]
    assert third.history
    assert third.history.number == 3
    page = (tmp_path / "watch.html").read_text(encoding="utf-8")
    assert "1 permission came" in page


def test_a_tenant_that_could_not_be_reached_is_tried_again(tmp_path: Path) -> None:
    """As often as asked for, and the others do not wait for it."""
    attempts = []

    def read(request: SourceRequest) -> Snapshot:
        attempts.append(1)
        with serve(small(), faults=REFUSED if len(attempts) < 3 else ()) as simulator:
            to = simulator_connection(simulator.url, simulator.token)
            return live.read(replace(request, connection=to))

    live = sources()["tenant"]
    tenant = WatchedTenant(
        name="a",
        kind=replace(live, read=read),
        connect=lambda: nullcontext(None),
        apps=(("zoom", prepared(rulebook(), Configuration())),),
    )
    watched = watch([tenant], wanted(tmp_path), Reading(retries=2, wait=0.01), told=unheard)
    assert states(watched) == {"a": "complete"}
    assert len(attempts) == 3
    attempts.clear()
    watched = watch([tenant], wanted(tmp_path), Reading(retries=1, wait=0.01), told=unheard)
    assert states(watched) == {"a": "failed"}


def test_what_was_read_has_to_be_the_tenant_that_was_named() -> None:
    """By id and by domain; a list of domains that was not read refutes nothing."""
    read = small("a")
    check_tenant(read, "")
    check_tenant(read, IDS["a"].upper())
    with pytest.raises(InputError, match="another tenant"):
        check_tenant(read, IDS["b"])
    domain = read.organization.items[0].verified_domains[0].name  # type: ignore[union-attr]
    check_tenant(read, domain.upper())
    with pytest.raises(InputError, match="another tenant"):
        check_tenant(read, "fabrikam.example")
    check_tenant(replace(read, organization=Unavailable(why="sample")), "fabrikam.example")


def test_a_folder_that_cannot_be_written_to_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with serve(small()) as simulator, pytest.raises(OutputError):
        watch([on(simulator, "a")], wanted(tmp_path / "out"), Reading(), told=unheard)
    assert simulator.requests == 0


def test_a_report_that_cannot_be_written_fails_its_tenant_alone(tmp_path: Path) -> None:
    """A file stands where one tenant's folder should be."""
    (tmp_path / "a").write_text("a file")
    with serve(small("a")) as one, serve(small("b")) as other:
        watched = watch([on(one, "a"), on(other, "b")], wanted(tmp_path), Reading(), told=unheard)
    assert states(watched) == {"a": "failed", "b": "complete"}
    assert "A file stands where the folder should be" in watched.watch.audits[0].why[0]


def test_the_combined_report_counts_findings_as_the_tenants_own_does() -> None:
    """Many people's consents to one permission are one finding in both."""
    result = judge(sample(), prepared(rulebook(), sample_configuration()))[0]
    row = audited("a", result, code=1, report="")
    assert row.findings[Severity.MEDIUM] < sum(
        isinstance(outcome, Finding) and outcome.severity == "medium" for outcome in result.outcomes
    )
    assert f"\n{row.found}; " in reporters()["md"].render(result)["report.md"].decode()
