"""Groups and their scores as aligned arrays of compared pairs, which every statistic of the evaluation starts from."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from labeler.errors import DataError
from labeler.formats import prompt_key
from labeler.records import Group
from reward.bootstrap import Bools, Floats, Interval, Ints, ratio_interval


@dataclass(frozen=True)
class Pairs:
    """Every compared pair of some groups as aligned arrays, all of length P (pairs).

    Attributes:
        cluster: index of the prompt that the pair belongs to, 0 … prompts − 1.
        group: index of its group. i, j: places of its completions there, i < j.
        gap: raw score of completion i minus that of completion j.
        length_i, length_j: characters of the two completions.
        majority: 1 if people put i above j, −1 below, 0 tie.
        wins: people who put i above j; losses: people who put it below; tied: people who saw no difference.
    """

    cluster: Ints
    group: Ints
    i: Ints
    j: Ints
    gap: Floats
    length_i: Ints
    length_j: Ints
    majority: Ints
    wins: Floats
    losses: Floats
    tied: Floats

    @property
    def length_gap(self) -> Floats:
        """Characters of completion i minus those of completion j."""
        return (self.length_i - self.length_j).astype(np.float64)

    @property
    def prompts(self) -> int:
        """Number of different prompts."""
        return len(np.unique(self.cluster))

    def decided(self) -> Pairs:
        """Only the pairs with a winner."""
        return self.where(self.majority != 0)

    def where(self, keep: Bools) -> Pairs:
        """Only the pairs for which ``keep`` (P booleans) is true."""
        return Pairs(**{name: values[keep] for name, values in vars(self).items()})

    def __len__(self) -> int:
        return len(self.gap)


def clusters_of(groups: Sequence[Group]) -> Ints:
    """(G,) number of each group's prompt, from 0 in the order in which the prompts first come."""
    numbers: dict[str, int] = {}
    return np.asarray([numbers.setdefault(prompt_key(g.prompt), len(numbers)) for g in groups], dtype=np.int64)


def collect_pairs(groups: Sequence[Group], scores: Sequence[Sequence[float]]) -> Pairs:
    """Line up scores with what people said.

    Args:
        groups: G groups.
        scores: G lists with one raw score per completion.

    Raises:
        DataError: nobody compared anything, or a score is not finite (names the group).
    """
    rows = array("d")
    clusters = clusters_of(groups).tolist()
    for index, (group, values) in enumerate(zip(groups, scores, strict=True)):
        if len(values) != len(group.completions) or not np.all(np.isfinite(values)):
            raise DataError("needs one finite score per completion", field=f"group {group.id}")
        lengths = [len(completion.text) for completion in group.completions]
        for t in group.tallies():
            place = (clusters[index], index, t.i, t.j, lengths[t.i], lengths[t.j], t.majority)
            rows.extend((*place, values[t.i] - values[t.j], t.wins_i, t.wins_j, t.ties))
    if not rows:
        raise DataError("no pair of completions was compared by anybody; evaluation needs rankings")
    table = np.frombuffer(rows).reshape(-1, 11)
    whole = table.astype(np.int64)
    cluster, group_index, i, j, length_i, length_j, majority = whole[:, :7].T
    gap, wins, losses, tied = table[:, 7:].T
    return Pairs(cluster, group_index, i, j, gap, length_i, length_j, majority, wins, losses, tied)


def correctness(gap: Floats, truth: Ints) -> Floats:
    """1 where the gap (P) has the sign of the truth (P of ±1), 0 where the other, 0.5 where the gap is zero."""
    return np.where(gap == 0, 0.5, (np.sign(gap) == truth).astype(np.float64))


def human_agreement(groups: Sequence[Group], *, seed: int = 0) -> tuple[float | None, Interval | None, float | None]:
    """How often two people agree on a pair: strict verdicts only, its interval over prompts, and with ties as verdicts.

    Per pair with w wins, l losses and t ties, C(w,2) + C(l,2) of the (w + l choose 2) couples of strict judges agree.
    """
    scores = [[0.0] * len(group.completions) for group in groups]
    pairs = collect_pairs(groups, scores)
    same = (pairs.wins * (pairs.wins - 1) + pairs.losses * (pairs.losses - 1)) / 2
    strict = pairs.wins + pairs.losses
    couples = strict * (strict - 1) / 2
    everybody = strict + pairs.tied
    all_couples = everybody * (everybody - 1) / 2
    with_ties = (
        float((same + pairs.tied * (pairs.tied - 1) / 2).sum() / all_couples.sum()) if all_couples.sum() else None
    )
    if not couples.sum():
        return None, None, with_ties
    return float(same.sum() / couples.sum()), ratio_interval(pairs.cluster, same, couples, seed=seed), with_ties


def strict_judgments(groups: Sequence[Group]) -> list[tuple[str, str]]:
    """(prompt, annotator) of every strict preference between two completions."""
    return [
        (prompt_key(group.prompt), ranking.annotator)
        for group in groups
        for ranking in group.rankings
        for i, j in combinations(range(len(group.completions)), 2)
        if ranking.compare(i, j)
    ]
