"""Would more labels help: accuracy against the number of labels, the pure part.

Every model of the curve is trained on a share of the training prompts and measured on the same test prompts. Intervals
are over test prompts; that another training of the same size would differ a little is not in them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from labeler.formats import prompt_key
from labeler.records import Group
from reward.bootstrap import Interval, mean_interval
from reward.pairs import collect_pairs, correctness, strict_judgments


@dataclass(frozen=True)
class CurvePoint:
    """A model trained on a share of the training prompts.

    Attributes:
        share: of the training prompts. prompts, labels: how many prompts, and how many compared pairs of people.
        accuracy: on the test pairs, which are the same for every point.
    """

    share: float
    prompts: int
    labels: int
    accuracy: float
    accuracy_ci95: Interval | None


@dataclass(frozen=True)
class LearningCurve:
    """Accuracy against number of labels; every larger set holds the smaller ones.

    Attributes:
        points: in rising order of labels.
        gain: accuracy of the last point minus that of the one before, with its interval over test prompts.
        comparisons, prompts: of the test.
    """

    points: tuple[CurvePoint, ...]
    gain: float
    gain_ci95: Interval | None
    comparisons: int
    prompts: int

    @property
    def verdict(self) -> str:
        """Whether more labels still help, in a sentence."""
        before, last = self.points[-2:]
        told = (
            f"From {before.labels} to {last.labels} labels accuracy went from {100 * before.accuracy:.1f} to"
            f" {100 * last.accuracy:.1f} %"
        )
        if self.gain_ci95 is None:
            return f"{told}; with one test prompt that says nothing."
        low, high = (100 * bound for bound in self.gain_ci95)
        span = f"gain {low:+.1f} to {high:+.1f} points".replace("-", "−")
        if low > 0:
            return f"{told} ({span}): more labels still help."
        if high < 0:
            return f"{told} ({span}): the last labels did harm; look at their quality or at the training settings."
        return f"{told} ({span}): whether more labels help is not shown here."


def nested_shares(groups: Sequence[Group], shares: Sequence[float], *, seed: int = 0) -> list[tuple[Group, ...]]:
    """Per share, the groups of so many of the prompts (at least one); every larger set holds the smaller ones."""
    keys = sorted({prompt_key(group.prompt) for group in groups})
    order = [keys[i] for i in np.random.default_rng(seed).permutation(len(keys))]
    chosen = [frozenset(order[: max(1, round(share * len(order)))]) for share in shares]
    return [tuple(group for group in groups if prompt_key(group.prompt) in names) for names in chosen]


def learning_curve(
    shares: Sequence[float],
    trained: Sequence[Sequence[Group]],
    test: Sequence[Group],
    scores: Sequence[Sequence[Sequence[float]]],
    *,
    seed: int = 0,
) -> LearningCurve:
    """The curve from what the models of each share said of the test groups.

    Args:
        shares: S shares. trained: per share, the groups that were trained on.
        test: G groups. scores: per share, G lists with one raw score per completion.
        seed: of the bootstrap.
    """
    points, rights = [], []
    for share, part, values in zip(shares, trained, scores, strict=True):
        pairs = collect_pairs(test, values).decided()
        right = correctness(pairs.gap, pairs.majority)
        rights.append(right)
        points.append(
            CurvePoint(
                share=share,
                prompts=len({prompt_key(group.prompt) for group in part}),
                labels=len(strict_judgments(part)),
                accuracy=float(right.mean()),
                accuracy_ci95=mean_interval(pairs.cluster, right, seed=seed),
            )
        )
    gain = rights[-1] - rights[-2]
    return LearningCurve(
        tuple(points), float(gain.mean()), mean_interval(pairs.cluster, gain, seed=seed), len(pairs), pairs.prompts
    )
