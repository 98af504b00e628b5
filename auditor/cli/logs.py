"""What `-v` shows on stderr: each request, and with `-vv` what the libraries say of theirs; never a secret."""

from __future__ import annotations

import logging
import os

import click

from auditor.graph.secret import redacted
from auditor.model.text import visible

OURS = "auditor"
REQUESTS = "auditor.graph"
LIBRARIES = ("azure", "httpx", "kiota", "msal", "msgraph")
_MARK = "entra-audit log"


class _Formatter(logging.Formatter):
    """One line a record: no control characters, no secret that can be told as one, no traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        text = f"{record.name}: {record.getMessage()}"
        return visible(redacted(text, (), os.environ))


def show_logs(verbosity: int, ours: str = REQUESTS) -> None:
    """Show logs on stderr: the one named `ours` (1), all of the program's and the libraries' (2); 0 shows none."""
    for name in (OURS, REQUESTS, *LIBRARIES):
        logger = logging.getLogger(name)
        for handler in [handler for handler in logger.handlers if handler.name == _MARK]:
            logger.removeHandler(handler)
            logger.setLevel(logging.NOTSET)
    if not verbosity:
        return
    handler = logging.StreamHandler()
    handler.name = _MARK
    handler.setFormatter(_Formatter())
    for name in (OURS, *LIBRARIES) if verbosity > 1 else (ours,):
        logger = logging.getLogger(name)
        logger.setLevel(logging.INFO)
        logger.addHandler(handler)


def verbose_option() -> click.Option:
    """Return the option that every verb has."""

    def chosen(context: click.Context, _option: click.Parameter, value: int) -> None:
        show_logs(value, OURS if context.info_name == "simulate" else REQUESTS)

    return click.Option(
        ["-v", "--verbose"],
        count=True,
        expose_value=False,
        callback=chosen,
        help="Show each request on stderr; twice, the libraries' log too. Never a secret.",
    )
