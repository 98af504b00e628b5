"""When a schedule begins a run: each day or one day of each week, at a minute of UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Literal, get_args

from msgspec import Struct

from auditor.errors import UsageError

Every = Literal["day", "week"]
Day = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
DAYS: tuple[Day, ...] = get_args(Day)
_TIME = re.compile(r"([01]\d|2[0-3]):([0-5]\d)", re.ASCII)


class Timetable(Struct, frozen=True, kw_only=True):
    """Each day, or one day of each week, at a minute of UTC."""

    every: Every = "week"
    hour: int = 6
    minute: int = 17
    on: Day = "monday"
    """The day of a week; of no meaning each day."""

    @property
    def words(self) -> str:
        """As `every week on monday at 06:17 UTC`."""
        day = f" on {self.on}" if self.every == "week" else ""
        return f"every {self.every}{day} at {self.hour:02}:{self.minute:02} UTC"

    @property
    def cron(self) -> str:
        """The five fields of a crontab that counts in UTC; Sunday is 0."""
        day = str((DAYS.index(self.on) + 1) % 7) if self.every == "week" else "*"
        return f"{self.minute} {self.hour} * * {day}"

    @property
    def calendar(self) -> str:
        """The calendar event of systemd."""
        day = f"{self.on[:3].title()} " if self.every == "week" else ""
        return f"{day}*-*-* {self.hour:02}:{self.minute:02}:00 UTC"

    def due(self, now: datetime) -> tuple[datetime, datetime]:
        """Return the newest moment of the timetable that is not after `now`, and the one that follows it."""
        moment = now.astimezone(UTC).replace(hour=self.hour, minute=self.minute, second=0, microsecond=0)
        step = timedelta(days=1 if self.every == "day" else 7)
        if self.every == "week":
            moment -= timedelta(days=(moment.weekday() - DAYS.index(self.on)) % 7)
        if moment > now:
            moment -= step
        return moment, moment + step


def timetable(every: Every, at: str, on: Day) -> Timetable:
    """Return the timetable that the options say.

    Args:
        every: day or week.
        at: `06:17`, UTC.
        on: the day of a week.

    Raises:
        UsageError: `at` is no time.
    """
    told = _TIME.fullmatch(at)
    if told is None:
        raise UsageError(f"'{at}' is no time of a day.", where="--at", advice="Write it as 06:17; it is UTC.")
    return Timetable(every=every, hour=int(told[1]), minute=int(told[2]), on=on)
