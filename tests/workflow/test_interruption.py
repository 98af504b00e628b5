"""Ctrl-C while a tenant is read, at any page."""

from __future__ import annotations

import logging
import os
import signal
import sys
from pathlib import Path

import pytest

from auditor.cli.main import main
from auditor.simulator.graph import LOG


class Interrupting(logging.Handler):
    """Sends Ctrl-C when the simulator gets a certain call."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self.calls = 0
        self._at = at

    def emit(self, _record: logging.LogRecord) -> None:
        self.calls += 1
        if self.calls == self._at:
            os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize(("verb", "at"), [("run", 1), ("run", 5), ("run", 20), ("run", 60), ("collect", 20)])
def test_ctrl_c_leaves_nothing_half_written(
    verb: str,
    at: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Exit 130, one line that says so, no complaint, and no file or folder, whichever call is under way."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["entra-audit", verb, "--demo", "--out", "out"])
    handler = Interrupting(at)
    LOG.addHandler(handler)
    try:
        with caplog.at_level(logging.INFO, logger=LOG.name), pytest.raises(SystemExit) as ended:
            main()
    finally:
        LOG.removeHandler(handler)
    assert handler.calls >= at
    assert ended.value.code == 130
    assert capsys.readouterr().err.endswith("entra-audit: interrupted; nothing was left half-written.\n")
    assert [record for record in caplog.records if record.levelno > logging.INFO] == []
    assert list(tmp_path.iterdir()) == []
