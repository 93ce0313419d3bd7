"""What a crowd agrees on, before any text is read: a score per item and a reliability per person (crowd-BT).

Every item that people compared gets a score of its own, and every person a reliability, so that their judgments become
likely (Chen et al. 2013). Training starts from these reliabilities: where people judged the same items, their agreement
tells careless from careful ones at once, while a reward model in its first epoch cannot.

The likelihood does not change when all scores change their sign and all reliabilities η become 1 − η. The prior settles
it: η ~ Beta(5.5, 1.5), whose mode is `PRIOR_MEAN`, says that most people mostly mean what they say. It counts like
`PRIOR_CHOICES` judgments, so somebody with few stays near it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, log_expit

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

PRIOR_MEAN = 0.9
PRIOR_CHOICES = 5.0
RIDGE = 0.5
"""Inverse variance of the item scores' Gaussian prior; without it an item that always wins would run off."""
ROUNDS = 50
TOLERANCE = 1e-3
"""Rounds end when no reliability moves by more."""


@dataclass(frozen=True, eq=False)
class Comparisons:
    """N strict judgments: ``winner`` was put above ``loser`` by ``person`` (N,), which counts ``weight`` (N,).

    The arrays hold indices of ``items`` items and ``people`` people.
    """

    winner: Indices
    loser: Indices
    person: Indices
    weight: Floats
    items: int
    people: int


@dataclass(frozen=True, eq=False)
class Consensus:
    """Scores (items,); reliability (people,); credit (people,): weighted judgments that were probably meant so."""

    scores: Floats
    reliability: Floats
    credit: Floats


def agree(data: Comparisons) -> Consensus:
    """Scores of items and reliabilities of people that fit the comparisons best, by alternating between the two.

    Scores maximise the likelihood given the reliabilities (L-BFGS), then each η becomes the mode of its posterior given
    the probability that each judgment was meant so (the M step of EM): (credit + 5 · 0.9) / (weight + 5).
    """
    reliability = np.full(data.people, PRIOR_MEAN)
    total = np.bincount(data.person, data.weight, data.people)
    scores = np.zeros(data.items)
    for _ in range(ROUNDS):
        scores = item_scores(data, reliability, scores)
        meant = probably_meant(scores[data.winner] - scores[data.loser], reliability[data.person])
        credit = np.bincount(data.person, data.weight * meant, data.people).astype(np.float64)
        before, reliability = reliability, (credit + PRIOR_CHOICES * PRIOR_MEAN) / (total + PRIOR_CHOICES)
        if np.abs(reliability - before).max(initial=0) < TOLERANCE:
            break
    return Consensus(scores, reliability, credit)


def item_scores(data: Comparisons, reliability: Floats | None = None, start: Floats | None = None) -> Floats:
    """Scores (items,) that make the comparisons most likely, with a Gaussian prior (`RIDGE`).

    Args:
        data: comparisons.
        reliability: (people,); without it everybody is always right, which is the Bradley–Terry model.
        start: (items,) where the search begins.
    """
    eta = np.ones(len(data.person)) if reliability is None else reliability[data.person]

    def objective(scores: Floats) -> tuple[float, Floats]:
        gap = scores[data.winner] - scores[data.loser]
        right, wrong = expit(gap), expit(-gap)
        with np.errstate(divide="ignore"):  # log 0 of somebody who is never wrong
            log_p = np.logaddexp(np.log(eta) + log_expit(gap), np.log1p(-eta) + log_expit(-gap))
        slope = data.weight * (2 * eta - 1) * np.exp(np.log(right) + np.log(wrong) - log_p)
        pull = np.bincount(data.winner, slope, data.items) - np.bincount(data.loser, slope, data.items)
        return float(-(data.weight @ log_p) + RIDGE / 2 * (scores @ scores)), RIDGE * scores - pull

    found = minimize(objective, np.zeros(data.items) if start is None else start, jac=True, method="L-BFGS-B")
    best: Floats = found.x
    return best


def probably_meant(gap: Floats, reliability: Floats) -> Floats:
    """P(the person meant what they said), (N,), from the gap (N,) in favour of what they said and their η (N,)."""
    right = reliability * expit(gap)
    meant: Floats = right / (right + (1 - reliability) * expit(-gap))
    return meant
