"""How a plan is carried out, and what became of each of its steps."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Literal

from msgspec import Struct

from auditor.model.plan import Step

StepState = Literal["done", "refused", "failed", "unverified", "not-reached"]


class StepOutcome(Struct, frozen=True, kw_only=True):
    """What became of a step."""

    step: Step
    outcome: StepState
    why: str = ""
    written: int = 0
    """Writes that were sent for it in this run."""
    before: bool = False
    """Done by an earlier run."""


class Applied(Struct, frozen=True, kw_only=True):
    """What became of a plan in one run."""

    steps: tuple[StepOutcome, ...]
    interrupted: bool = False

    @property
    def written(self) -> int:
        """Writes that were sent."""
        return sum(step.written for step in self.steps)

    @property
    def done(self) -> bool:
        """Every step is done."""
        return all(step.outcome == "done" for step in self.steps)


class Drift(Struct, frozen=True, kw_only=True):
    """A change whose object is not as planned."""

    step: Step
    change: int
    why: str


class Conduct(Struct, frozen=True, kw_only=True):
    """How a plan is carried out."""

    keep_going: bool = False
    """Go on with the next step where one is refused or fails."""
    stop: Callable[[], bool] = lambda: False
    """Asked before each step whether to end."""
    progress: Callable[[int], None] = lambda _steps: None
    """Told the number of steps that are behind."""
    now: Callable[[], datetime] = lambda: datetime.now(UTC).replace(microsecond=0)
    """The time, for the journal."""
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    """Waits for seconds."""
