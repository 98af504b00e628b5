"""Lines over time, as the points of an SVG: what a page draws needs no script and no picture file."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from auditor.reporters.text import day

WIDTH, HEIGHT = 560, 170
LEFT, RIGHT, TOP, BOTTOM = 38, 12, 10, 24
_STEPS = (1, 2, 5)
_TICKS = 4


class Line(Struct, frozen=True, kw_only=True):
    """One line of a chart."""

    name: str
    look: str
    """Class of reports/trends.css."""
    points: str
    """Of an SVG polyline."""
    last: int
    """Its value in the newest run."""


class Tick(Struct, frozen=True, kw_only=True):
    """A mark on an axis."""

    at: float
    text: str
    anchor: str = "end"


class Chart(Struct, frozen=True, kw_only=True):
    """Lines that hold their value from run to run, on one scale that begins at 0."""

    lines: tuple[Line, ...]
    rows: tuple[Tick, ...]
    days: tuple[Tick, ...]
    gaps: tuple[Tick, ...]
    """Where runs were incomplete: a line that falls there proves nothing."""


def chart(
    moments: Sequence[datetime], lines: Sequence[tuple[str, str, Sequence[int]]], incomplete: Sequence[datetime] = ()
) -> Chart:
    """Return the chart of `lines`: name, look and one value for each of `moments`, which are in order."""
    top = _scale(max((value for *_, values in lines for value in values), default=0))
    start, end = moments[0], moments[-1]
    across = [_x(at, start, end) for at in moments]
    return Chart(
        lines=tuple(
            Line(name=name, look=look, points=_points(across, values, top), last=values[-1])
            for name, look, values in lines
        ),
        rows=tuple(Tick(at=_y(value, top), text=f"{value:,}") for value in range(0, top + 1, max(1, top // _TICKS))),
        days=_days(moments),
        gaps=tuple(Tick(at=_x(at, start, end), text=day(at)) for at in incomplete),
    )


def _days(moments: Sequence[datetime]) -> tuple[Tick, ...]:
    start, end = moments[0], moments[-1]
    if start.date() == end.date():
        return (Tick(at=LEFT, text=day(start.date()), anchor="start"),)
    return (
        Tick(at=LEFT, text=day(start.date()), anchor="start"),
        Tick(at=WIDTH - RIGHT, text=day(end.date()), anchor="end"),
    )


def _points(across: Sequence[float], values: Sequence[int], top: int) -> str:
    """Return a staircase: a value holds until the next run says otherwise."""
    parts: list[str] = []
    before: float | None = None
    for x, value in zip(across, values, strict=True):
        y = _y(value, top)
        if before is not None and y != before:
            parts.append(f"{x:g},{before:g}")
        if before is None or y != before or x == across[-1]:
            parts.append(f"{x:g},{y:g}")
        before = y
    if len(across) == 1 or across[0] == across[-1]:
        parts.append(f"{WIDTH - RIGHT:g},{before:g}")
    return " ".join(parts)


def _x(at: datetime, start: datetime, end: datetime) -> float:
    span = (end - start).total_seconds()
    share = (at - start).total_seconds() / span if span else 0
    return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)


def _y(value: int, top: int) -> float:
    return round(HEIGHT - BOTTOM - value / top * (HEIGHT - TOP - BOTTOM), 1)


def _scale(most: int) -> int:
    """Return the end of the scale: 4, or the next 4 times 1, 2 or 5 times a power of ten."""
    power = 1
    while True:
        for step in _STEPS:
            if _TICKS * step * power >= most:
                return _TICKS * step * power
        power *= 10
