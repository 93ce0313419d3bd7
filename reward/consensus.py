"""What a crowd agrees on, before any text is read: a score per item and a reliability per person (crowd-BT).

Every item that people compared gets a score of its own, and every person a reliability, so that their judgments become
likely (Chen et al. 2013). Training starts from these reliabilities: where people judged the same items, their agreement
tells careless from careful ones at once, while a reward model in its first epoch cannot.

A reliability η is the mean of its posterior, by quadrature over `GRID`: P(judgment) is linear in η, so the mean is all
that the next judgment depends on. (EM for the most likely η ends at about the same but needs tens of passes: while gaps
are small, hardly any single judgment shows whether it was meant.)

The likelihood does not change when all scores change their sign and all η become 1 − η. The prior settles it: Beta(4.5,
0.5) of mean `PRIOR_MEAN` says that most people mostly mean what they say, with the weight of `PRIOR_CHOICES` judgments;
somebody with few judgments stays near it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, log_expit, softmax
from scipy.stats import beta

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

PRIOR_MEAN = 0.9
PRIOR_CHOICES = 5.0
EDGES = np.linspace(0, 1, 21)
GRID: NDArray[np.float64] = (EDGES[1:] + EDGES[:-1]) / 2
"""The G reliabilities that are told apart; neither 0 nor 1 is among them."""
LOG_PRIOR: NDArray[np.float64] = np.log(
    np.diff(beta.cdf(EDGES, PRIOR_MEAN * PRIOR_CHOICES, (1 - PRIOR_MEAN) * PRIOR_CHOICES))
)
"""(G,) log of the prior probability around each of them."""
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
    """Scores (items,); reliability (people,); evidence (people, G): log likelihood of what each said for every η."""

    scores: Floats
    reliability: Floats
    evidence: Floats


def agree(data: Comparisons) -> Consensus:
    """Scores of items and reliabilities of people that fit the comparisons best, by alternating between the two.

    Scores maximise the likelihood given the reliabilities (L-BFGS), then each η becomes its posterior mean given the
    scores.
    """
    evidence = np.zeros((data.people, len(GRID)))
    reliability = posterior_mean(evidence)
    scores = np.zeros(data.items)
    for _ in range(ROUNDS):
        scores = item_scores(data, reliability, scores)
        evidence = evidence_of(data, scores)
        before, reliability = reliability, posterior_mean(evidence)
        if np.abs(reliability - before).max(initial=0) < TOLERANCE:
            break
    return Consensus(scores, reliability, evidence)


def evidence_of(data: Comparisons, scores: Floats) -> Floats:
    """(people, G) log likelihood of each person's judgments for every reliability in `GRID`."""
    right = expit(scores[data.winner] - scores[data.loser])
    columns = [np.log(eta * right + (1 - eta) * (1 - right)) for eta in GRID]
    return np.stack([np.bincount(data.person, data.weight * column, data.people) for column in columns], axis=1)


def posterior_mean(evidence: Floats) -> Floats:
    """(people,) mean reliability given evidence (people, G)."""
    mean: Floats = softmax(evidence + LOG_PRIOR, axis=1) @ GRID
    return mean


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
