"""Resampling in parts, which bounds memory, gives what resampling at once gives."""

import numpy as np
import pytest

from reward import bootstrap


def test_sums_of_resamples_do_not_hang_on_how_many_counts_are_held(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).normal(size=(7, 3))
    whole = bootstrap.draws(7, seed=5, resamples=100)
    assert (whole.sum(axis=1) == 7).all()
    for held in (1, 7 * 30, 7 * 100):
        monkeypatch.setattr(bootstrap, "HELD", held)
        np.testing.assert_array_equal(bootstrap.draws(7, seed=5, resamples=100), whole)
        found = bootstrap.resampled_sums(values, seed=5, resamples=100)
        np.testing.assert_allclose(found, whole @ values, rtol=1e-12)
