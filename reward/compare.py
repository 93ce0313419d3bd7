"""Which of two models orders the same pairs better, tested pair by pair and prompt by prompt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from labeler.records import Group
from reward.bootstrap import Floats, Interval, mean_interval, per_cluster
from reward.pairs import collect_pairs, correctness


@dataclass(frozen=True)
class Comparison:
    """Two models on the same decided pairs.

    Attributes:
        model, other: their names; accuracy and other_accuracy are theirs, with bootstrap intervals over prompts.
        difference: accuracy − other_accuracy, with its bootstrap interval over prompts.
        p_value: of `sign_flip_test` over prompts: how often a difference at least as large comes up if it is a toss-up
            in every prompt which of the two models gave which scores.
        only_model, only_other: pairs that only the one or only the other ordered right.
        comparisons: decided pairs that both models scored, of so many prompts.
    """

    model: str
    other: str
    accuracy: float
    accuracy_ci95: Interval | None
    other_accuracy: float
    other_accuracy_ci95: Interval | None
    difference: float
    difference_ci95: Interval | None
    p_value: float
    only_model: int
    only_other: int
    comparisons: int
    prompts: int

    @property
    def verdict(self) -> str:
        """Which is better, in a sentence."""
        figures = f"{100 * self.accuracy:.1f} % against {100 * self.other_accuracy:.1f} % of the same pairs"
        chance = f"p = {self.p_value:.3f}" if self.p_value >= 0.001 else "p < 0.001"
        span = ""
        if self.difference_ci95:
            low, high = (100 * bound for bound in self.difference_ci95)
            span = f", 95 % interval of the difference {low:+.1f} to {high:+.1f} points".replace("-", "−")
        if self.p_value < 0.05:
            better, worse = (self.model, self.other) if self.difference > 0 else (self.other, self.model)
            return f"{better} orders people's preferences better than {worse}: {figures} ({chance}{span})."
        return f"No difference between {self.model} and {self.other} is shown: {figures} ({chance}{span})."


def compare_models(
    groups: Sequence[Group],
    scores: Sequence[Sequence[float]],
    others: Sequence[Sequence[float]],
    *,
    names: tuple[str, str] = ("model", "other"),
    seed: int = 0,
) -> Comparison:
    """Compare two models.

    Args:
        groups: G groups with rankings.
        scores, others: per model, G lists with one raw score per completion.
        names: of the two models.
        seed: of the bootstrap.
    """
    first, second = (collect_pairs(groups, values).decided() for values in (scores, others))
    right, other = (correctness(pairs.gap, pairs.majority) for pairs in (first, second))
    difference = right - other
    return Comparison(
        model=names[0],
        other=names[1],
        accuracy=float(right.mean()),
        accuracy_ci95=mean_interval(first.cluster, right, seed=seed),
        other_accuracy=float(other.mean()),
        other_accuracy_ci95=mean_interval(first.cluster, other, seed=seed),
        difference=float(difference.mean()),
        difference_ci95=mean_interval(first.cluster, difference, seed=seed),
        p_value=sign_flip_test(per_cluster(first.cluster, difference)),
        only_model=int((difference > 0).sum()),
        only_other=int((difference < 0).sum()),
        comparisons=len(first),
        prompts=first.prompts,
    )


def sign_flip_test(sums: Floats) -> float:
    """Two-sided p of Σ sums (C clusters) if every cluster's sign were tossed with a coin, exactly.

    The randomisation test for matched pairs (Fisher 1935, The Design of Experiments, section 21), with prompts as the
    units. With one pair a prompt it is McNemar's exact test. Sums are multiples of ½, so the distribution of the
    signed total is convolved over whole numbers and nothing is sampled.
    """
    steps = np.abs(np.rint(2 * sums)).astype(np.int64)
    steps = steps[steps > 0]
    total = int(steps.sum())
    chance = np.zeros(2 * total + 1)
    chance[total] = 1.0
    for step in steps.tolist():
        flipped = np.zeros_like(chance)
        flipped[step:] += chance[: len(chance) - step] / 2
        flipped[: len(chance) - step] += chance[step:] / 2
        chance = flipped
    observed = abs(int(np.rint(2 * sums.sum())))
    values = np.abs(np.arange(-total, total + 1))
    return min(1.0, float(chance[values >= observed].sum()))
