"""Which prompts a benchmark trains on and which it measures on, and how two trainings compare on the latter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from labeler.errors import DataError
from labeler.formats import prompt_key
from labeler.records import Group
from reward.benchmark.learn import Learned, Parts
from reward.benchmark.workload import draw
from reward.bootstrap import Floats, Interval, Ints, per_cluster
from reward.calibration import pair_losses
from reward.config.studies import Repeated
from reward.crossed import crossed_interval
from reward.data import Encoder, render
from reward.pairs import collect_pairs, correctness
from reward.splits import Splits, split_groups

VALID_SHARE = 0.1
"""Share of the prompts to which the temperature is fitted where prompts are drawn at random."""


def divide(groups: Sequence[Group], test_share: float | None, seed: int) -> Splits:
    """The split of the data itself, or prompts drawn at random: a share tests, a tenth validates, the rest trains.

    Raises:
        DataError: a prompt is in two splits, or nothing is left to train on.
    """
    if test_share is None:
        return split_groups(groups)
    keys = sorted({prompt_key(group.prompt) for group in groups})
    order = np.random.default_rng(seed).permutation(len(keys))
    test = max(1, round(test_share * len(keys)))
    valid = test + max(1, round(VALID_SHARE * len(keys)))
    parts = ["test"] * test + ["valid"] * (valid - test) + ["train"] * (len(keys) - valid)
    names = {keys[k]: part for k, part in zip(order, parts, strict=True)}
    return split_groups([replace(group, split=names[prompt_key(group.prompt)]) for group in groups])


def compared(groups: Sequence[Group]) -> list[Group]:
    """Those in which somebody compared two completions."""
    return [group for group in groups if any(True for _ in group.tallies())]


def fitting(groups: Sequence[Group], encoder: Encoder) -> list[Group]:
    """Those whose sequences are all within the limit of tokens, so that each is read whole."""
    return [
        group
        for group in groups
        if all(
            len(ids) <= encoder.max_length
            for ids in encoder.ids([render(encoder.tokenizer, group.prompt, c.text) for c in group.completions])
        )
    ]


def choose_parts(groups: Sequence[Group], config: Repeated) -> Parts:
    """Divide the groups by prompt and draw as many as the settings ask for.

    Raises:
        DataError: nothing is left to train on or to measure on.
    """
    splits = divide(groups, config.test_share, config.draw)
    decided = [group for group in splits.test if any(tally.majority for tally in group.tallies())]
    if not decided:
        raise DataError("no held-out prompt has a preference; give more rankings, or a larger --test-share")
    train = draw(compared(splits.train), config.groups, config.draw)
    valid = [group for group in splits.valid if any(tally.majority for tally in group.tallies())]
    return Parts(train, draw(valid, config.test_groups, config.draw), draw(decided, config.test_groups, config.draw))


@dataclass(frozen=True, eq=False)
class Outcome:
    """What S trainings say of the same P decided pairs of C prompts.

    Attributes:
        cluster: (P,) prompt of each pair. right: (S, P) whether the scores have it in people's order, ½ for equal ones.
        loss: (S, P) −log P of what people said, in nats, after each training's temperature.
    """

    cluster: Ints
    right: Floats
    loss: Floats


def outcome(groups: Sequence[Group], trainings: Sequence[Learned]) -> Outcome:
    """Line up what trainings say of the groups, pair by pair, as `reward.evaluate` does."""
    rights, losses = [], []
    for learned in trainings:
        pairs = collect_pairs(groups, learned.scores).decided()
        rights.append(correctness(pairs.gap, pairs.majority))
        losses.append(pair_losses(pairs.gap, pairs.majority, learned.temperature))
    return Outcome(pairs.cluster, np.stack(rights), np.stack(losses))


@dataclass(frozen=True)
class Difference:
    """A mean difference over pairs and trainings, with its 95 % interval over both prompts and seeds."""

    mean: float
    ci95: Interval | None


def difference(cluster: Ints, one: Floats, other: Floats) -> Difference:
    """Mean of one − other, both (S, P) with a training of the same seed in the same row."""
    gap = one - other
    sums = np.stack([per_cluster(cluster, row) for row in gap])
    return Difference(float(gap.mean()), crossed_interval(sums, per_cluster(cluster, np.ones(len(cluster)))))
