"""Pairs of policies put against each other on the same prompts by one judge: wins, ties, win rates.

Everything starts from tallies, a (C, M, 3) array: for each of C prompts and each of the M = P(P−1)/2 pairs of policies
(i < j, in the order of `itertools.combinations`) the weight of judgments in which i's answer won, tied, and lost.
A judgment weighs 1 (or its own weight) for a pair of policies; where these have several answers to the prompt, all
pairs of answers share it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from reward.bootstrap import RESAMPLES, Floats, draws
from reward.policies.measures import Estimate, complement, rate_of
from reward.policies.records import Answers

WIN, TIE, LOSS = 0, 1, 2
EQUAL = 1e-4
"""Scores that differ by no more are equal: to this the score of one text is the same in every batch."""


@dataclass(frozen=True)
class WinRate:
    """How often one policy's answers are preferred to another's; a tie is half a win.

    Attributes:
        policy, against: names.
        rate: of wins. ties: share of ties. judgments: how many.
    """

    policy: str
    against: str
    rate: Estimate
    ties: float
    judgments: int

    def turned(self) -> WinRate:
        """The same from the other policy's side."""
        return WinRate(self.against, self.policy, complement(self.rate), self.ties, self.judgments)


def pairs_of(policies: int) -> list[tuple[int, int]]:
    """The M pairs of policies in the order of the tallies."""
    return list(combinations(range(policies), 2))


def people_tallies(answers: Answers) -> Floats:
    """Tallies (C, M, 3) of people's rankings; completions of models that are no policy here are left aside."""
    prompts, policies = answers.shape
    numbers = {pair: number for number, pair in enumerate(pairs_of(policies))}
    tallies = np.zeros((prompts, len(numbers), 3))
    for judgment in answers.judgments():
        places: dict[int, list[int]] = {}
        for place, policy in enumerate(judgment.policies):
            if policy is not None:
                places.setdefault(policy, []).append(place)
        weight = 1.0 if judgment.ranking.weight is None else judgment.ranking.weight
        for i, j in combinations(sorted(places), 2):
            verdicts = [judgment.ranking.compare(a, b) for a in places[i] for b in places[j]]
            told = [verdict for verdict in verdicts if verdict is not None]
            _add(tallies[judgment.prompt, numbers[i, j]], told, weight)
    return tallies


def score_tallies(scores: Sequence[Sequence[Sequence[float]]]) -> Floats:
    """Tallies (C, M, 3) of a judge that scores single answers; equal scores tie, NaN was not scored.

    Args:
        scores: ``scores[c][p]`` are those of policy p's answers to prompt c.
    """
    policies = len(scores[0]) if scores else 0
    tallies = np.zeros((len(scores), len(pairs_of(policies)), 3))
    for prompt, row in enumerate(scores):
        for pair, (i, j) in enumerate(pairs_of(policies)):
            gaps = [a - b for a in row[i] for b in row[j]]
            _add(tallies[prompt, pair], [int(gap > EQUAL) - int(gap < -EQUAL) for gap in gaps if not np.isnan(gap)])
    return tallies


def _add(cell: Floats, verdicts: Sequence[int], weight: float = 1.0) -> None:
    """One judgment into a cell (3), its weight shared by its verdicts of 1, 0 and −1."""
    for verdict in verdicts:
        cell[{1: WIN, 0: TIE, -1: LOSS}[verdict]] += weight / len(verdicts)


def resampled(tallies: Floats, *, seed: int, resamples: int = RESAMPLES) -> Floats:
    """(R, M, 3) sums of the tallies over resampled prompts, of those that have any."""
    judged = tallies[tallies.any(axis=(1, 2))]
    counts = draws(len(judged), seed=seed, resamples=resamples)
    sums: Floats = np.einsum("rc,cmo->rmo", counts.astype(np.float64), judged)
    return sums


def win_rates(tallies: Floats, names: Sequence[str]) -> tuple[WinRate, ...]:
    """Every pair of policies that anybody compared, each pair once, the earlier policy first."""
    found = []
    for pair, (i, j) in enumerate(pairs_of(len(names))):
        cells = tallies[:, pair]
        total = float(cells.sum())
        if total:
            estimate = rate_of(cells[:, WIN] + cells[:, TIE] / 2, cells.sum(axis=-1))
            ties = float(cells[:, TIE].sum() / total)
            found.append(WinRate(names[i], names[j], estimate, ties, round(total)))
    return tuple(found)
