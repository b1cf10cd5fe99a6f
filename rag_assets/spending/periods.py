"""Stretches of time in UTC that costs are summed over."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from rag_assets.errors import ConfigurationError

_MONTH = re.compile(r"(\d{4})-(\d{2})")


@dataclass(frozen=True, slots=True)
class Period:
    """From `since` on, and before `until`."""

    since: datetime
    until: datetime

    @property
    def days(self) -> list[date]:
        """Every day that it touches."""
        last = (self.until - timedelta(microseconds=1)).date()
        count = (last - self.since.date()).days + 1
        return [self.since.date() + timedelta(days=number) for number in range(count)]

    def __str__(self) -> str:
        days = self.days
        return f"{days[0]}" if len(days) == 1 else f"{days[0]} to {days[-1]}"


def this_month(now: datetime) -> Period:
    """From the first of the month to the end of today."""
    first = now.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return Period(first, _tomorrow(now))


def month(name: str) -> Period:
    """The whole month `YYYY-MM`. Raises `ConfigurationError`."""
    found = _MONTH.fullmatch(name)
    try:
        first = datetime(int(found[1]), int(found[2]), 1, tzinfo=UTC) if found else None
    except ValueError:
        first = None
    if first is None or first.year > 9_998:
        raise ConfigurationError(f"{name!r} is no month.", fix="Write it as YYYY-MM, like 2026-11.")
    return Period(first, (first + timedelta(days=31)).replace(day=1))


def since_day(name: str, now: datetime) -> Period:
    """From the day `YYYY-MM-DD` to the end of today. Raises `ConfigurationError`."""
    try:
        day = date.fromisoformat(name)
    except ValueError:
        raise ConfigurationError(f"{name!r} is no day.", fix="Write it as YYYY-MM-DD, like 2026-11-03.") from None
    if day > now.astimezone(UTC).date():
        raise ConfigurationError(f"{name} is still to come.", fix="Name a day up to today (UTC).")
    return Period(datetime(day.year, day.month, day.day, tzinfo=UTC), _tomorrow(now))


def _tomorrow(now: datetime) -> datetime:
    return now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
