"""The made-up sample tenant, served on loopback and read through the whole live path."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from auditor.errors import InputError
from auditor.graph.auth import Connection, simulator_connection
from auditor.model.configuration import Configuration
from auditor.simulator.sample import sample, sample_configuration
from auditor.simulator.server import serve


@contextmanager
def demo_connection() -> Iterator[Connection]:
    """Serve the sample tenant for as long as the block runs, and yield the connection to it."""
    with serve(sample(_now())) as running:
        yield simulator_connection(running.url, running.token)


def demo_configuration(taken_at: datetime | None = None) -> Configuration:
    """Return what the sample tenant's made-up team had answered at a time; None: now.

    Raises:
        InputError: nobody can have answered then.
    """
    try:
        return sample_configuration(taken_at or _now())
    except OverflowError:
        raise InputError("The time of its reading is none of the demo tenant's.", advice="Leave --demo out.") from None


def _now() -> datetime:
    """Return the present moment, around which the sample's dates are laid so that its story does not age."""
    return datetime.now(UTC).replace(microsecond=0)
