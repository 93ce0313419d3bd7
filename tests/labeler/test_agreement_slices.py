"""Agreement of parts beside the same figures of the parts alone, computed the slow way."""

from __future__ import annotations

import numpy as np
import pytest
from simulated import honest, pairs

from labeler.agreement import reliability
from labeler.agreement_slices import mean_taus, slices
from labeler.comparisons import Resamples, comparisons
from labeler.records import Completion, Group, Message, Ranking


def random_groups(seed: int, tasks: int = 60) -> list[Group]:
    rng = np.random.default_rng(seed)
    groups = []
    for task in range(tasks):
        k, completions = int(rng.integers(2, 5)), []
        completions = [Completion(f"c{i}", f"text {task} {i}") for i in range(k)]
        people = rng.choice(6, size=int(rng.integers(0, 5)), replace=False)
        said = [Ranking(f"p{p}", tuple(int(rank) for rank in rng.integers(1, 4, k))) for p in people]
        if said and rng.random() < 0.3:
            said[0] = Ranking(said[0].annotator, (None, *said[0].ranks[1:]))
        groups.append(Group(f"g{task}", (Message("user", "?"),), tuple(completions), tuple(said)))
    return groups


@pytest.mark.parametrize("seed", range(3))
def test_each_part_has_the_figures_that_it_would_have_alone(seed: int):
    groups = random_groups(seed)
    names = [[None, "a", "b"][task % 3] for task in range(len(groups))]
    found = slices(comparisons(groups), mean_taus(groups), names, Resamples(len(groups)))
    assert [part.name for part in found] == ["a", "b"]
    for part in found:
        alone = reliability([group for group, name in zip(groups, names, strict=True) if name == part.name])
        assert part.agreement.value == pytest.approx(alone.agreement.value)
        assert part.agreement.comparisons == alone.agreement.comparisons
        assert part.decided.value == pytest.approx(alone.decided.value)
        assert part.kappa.value == pytest.approx(alone.fleiss_kappa)
        assert part.alpha.value == pytest.approx(alone.krippendorff_alpha)
        assert part.tau.value == pytest.approx(alone.kendall_tau)
        assert part.agreement.low == pytest.approx(alone.agreement.low, abs=0.03)
        assert part.alpha.low < part.alpha.value < part.alpha.high


def test_intervals_of_coefficients_cover_what_they_estimate():
    people = {f"p{n}": honest(0.8) for n in range(6)}
    truth = 0.8**2 + 0.2**2
    covered = []
    for seed in range(60):
        groups = pairs(people, 120, 3, seed)
        (part,) = slices(comparisons(groups), mean_taus(groups), ["all"] * 120, Resamples(120))
        chance = 0.5
        kappa = (truth - chance) / (1 - chance)
        covered += [part.agreement.low <= truth <= part.agreement.high, part.kappa.low <= kappa <= part.kappa.high]
        covered.append(part.alpha.low <= kappa <= part.alpha.high)
    assert 0.88 <= np.mean(covered) <= 0.99


def test_parts_that_nobody_judged_twice_are_left_out():
    groups = random_groups(5, 9)
    alone = [Group(g.id, g.prompt, g.completions, g.rankings[:1]) for g in groups]
    assert slices(comparisons(alone), mean_taus(alone), ["a"] * 9, Resamples(9)) == []
    mixed = [*pairs({"x": honest(0.9), "y": honest(0.9)}, 5, 2, 1), *alone]
    found = slices(comparisons(mixed), mean_taus(mixed), ["a"] * 5 + ["z"] * 9, Resamples(14))
    assert [part.name for part in found] == ["a"]
