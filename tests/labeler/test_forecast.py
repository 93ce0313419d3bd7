"""When the queue is done."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta

import numpy as np
import pytest

from labeler.forecast import DAYS, by_day, forecast

TODAY = date(2026, 3, 20)


def days(*counts: int) -> Counter[date]:
    """Rankings of the days up to yesterday."""
    return Counter({TODAY - timedelta(days=len(counts) - n): count for n, count in enumerate(counts)})


def test_a_steady_pace_is_done_when_it_says():
    found = forecast(days(*[10] * 20), 95, TODAY)
    assert (found.per_day, found.days) == (10, DAYS)
    assert found.done == found.early == found.late == TODAY + timedelta(days=10)


def test_days_off_count_and_today_does_not():
    found = forecast(days(20, 0, 0, 20) + Counter({TODAY: 500}), 100, TODAY)
    assert (found.per_day, found.days) == (10, 4)
    assert found.early < found.done < found.late


def test_the_first_day_counts_though_it_is_not_over():
    assert forecast(Counter({TODAY: 8}), 16, TODAY).done == TODAY + timedelta(days=2)


def test_without_work_there_is_no_day():
    assert forecast(Counter(), 10, TODAY).done is None
    assert forecast(days(*[5, *[0] * 20]), 10, TODAY).done is None  # nothing in the last two weeks
    assert forecast(Counter(), 0, TODAY).done == TODAY


def test_the_range_has_four_of_five_outcomes():
    rng, inside = np.random.default_rng(1), []
    for seed in range(150):
        counts = rng.poisson(20, DAYS)
        found = forecast(days(*counts.tolist()), 280, TODAY, seed=seed)
        took = int(np.searchsorted(np.cumsum(rng.poisson(20, 60)), 280) + 1)
        inside.append(found.early <= TODAY + timedelta(days=took) <= found.late)
    assert np.mean(inside) == pytest.approx(0.75, abs=0.2)


def test_hours_add_up_to_days():
    assert by_day([("2026-01-02T09", 3), ("2026-01-02T10", 4)]) == Counter({date(2026, 1, 2): 7})
