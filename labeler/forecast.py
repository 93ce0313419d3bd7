"""When the queue will be done: a plain rule over the last days' work. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from labeler.languages import mark

DAYS = 14
RULE = mark(
    "Rankings per day over the last {days} days, those without any included (fewer where the project is younger); "
    "the range resamples those days 1,000 times and takes the middle 80 %."
)


@dataclass(frozen=True, slots=True)
class Forecast:
    """When `left` rankings will be there.

    Attributes:
        left: rankings still wanted.
        per_day: mean of the days looked at.
        days: how many days that was.
        done, early, late: the day, and its likely range; None where nothing was ranked, or is too far off to say.
    """

    left: int
    per_day: float
    days: int
    done: date | None
    early: date | None
    late: date | None


def forecast(per_day: Counter[date], left: int, today: date, *, seed: int = 0) -> Forecast:
    """The forecast by `RULE`; today counts only once it is over, except on a project's first day.

    Args:
        per_day: rankings of each day.
        left: how many are wanted.
        today: the day of looking.
    """
    first = min((day for day in per_day if per_day[day]), default=today)
    last = today - timedelta(days=1) if first < today else today
    days = max(1, min(DAYS, (last - first).days + 1))
    counts = np.array([per_day[last - timedelta(days=back)] for back in range(days)], dtype=float)
    mean = float(counts.mean())
    drawn = np.random.default_rng(seed).choice(counts, size=(1000, days)).mean(axis=1)
    slow, fast = np.percentile(drawn, (10, 90))
    return Forecast(left, mean, days, *(_day(today, left, speed) for speed in (mean, float(fast), float(slow))))


def _day(today: date, left: int, per_day: float) -> date | None:
    if per_day <= 0 or left / per_day > 3650:
        return today if left == 0 else None
    return today + timedelta(days=math.ceil(left / per_day))


def by_day(hours: Sequence[tuple[str, int]]) -> Counter[date]:
    """Rankings of each day from those of each hour (``2026-01-31T09``)."""
    found: Counter[date] = Counter()
    for hour, count in hours:
        found[date.fromisoformat(hour[:10])] += count
    return found
