"""How reliable each person is when nobody knows the right answer: the one-coin model of many judges. Pure.

Of every pair one side is better. A person with reliability η names it with chance η, and the other side with 1 − η: one
half is the toss of a coin, less is somebody who turns the question round. This is Dawid and Skene (1979) with one error
rate a person, and η_k of the crowdsourced Bradley–Terry model (Chen et al. 2013, eq. 3). EM finds the most probable:

    E: odds of each pair = Σ over people of verdict · log(η / (1 − η))      M: η = mean chance that they were right

A prior of Beta(`PRIOR`) stands for six comparisons, four of them right, so that few answers say little; it also says
which way round people usually are, which the answers alone cannot.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

PRIOR = (4.0, 2.0)
STEPS = 500
CLOSE = 1e-6
GRID: Floats = np.linspace(0.005, 0.995, 100)
"""Values of η at which its posterior is looked at."""


def one_coin(pair: Ints, person: Ints, side: Ints, pairs: int, people: int) -> tuple[Floats, Floats]:
    """(A) η of each person, and (U) log odds that the first of each pair is better.

    Args:
        pair: (N) of each preference.
        person: (N) whose.
        side: (N) 1 if the first was preferred, -1 if the second.
        pairs: U.
        people: A.
    """
    right, wrong = PRIOR
    given = np.bincount(person, minlength=people)
    ability = np.full(people, right / (right + wrong))
    for _ in range(STEPS):
        better = np.bincount(pair, side * logit(ability)[person], pairs)
        hits = np.bincount(person, expit(side * better[pair]), people)
        before, ability = ability, (hits + right - 1) / (given + right + wrong - 2)
        if np.abs(ability - before).max(initial=0) < CLOSE:
            break
    odds: Floats = np.bincount(pair, side * logit(ability)[person], pairs).astype(np.float64)
    return ability, odds


def intervals(
    pair: Ints, person: Ints, side: Ints, task: Ints, *, ability: Floats, odds: Floats
) -> tuple[Floats, Floats]:
    """(A) and (A): the middle 95 % of each person's posterior of η, everybody else's being as estimated.

    Given the others, a preference is right with chance r, and says Σ log(η r + (1 − η)(1 − r)) of η. Preferences of one
    task are not independent; the log likelihood is scaled down by the ratio of its curvature to the variance of its
    slope over tasks (Chandler and Bate 2007).

    Args:
        pair, person, side: as in `one_coin`.
        task: (N) of each preference.
        ability: (A) as found.
        odds: (U) as found.
    """
    people = len(ability)
    others = expit(side * odds[pair] - logit(ability)[person])
    slope = (2 * others - 1) / (ability[person] * others + (1 - ability[person]) * (1 - others))
    cells, cell = np.unique(np.stack([person, task]), axis=1, return_inverse=True)
    by_task = np.bincount(cell.ravel(), slope, cells.shape[1])
    variance = np.bincount(cells[0], by_task**2, people)
    scale = np.minimum(1.0, np.bincount(person, slope**2, people) / np.maximum(variance, 1e-12))
    says = np.stack([np.bincount(person, np.log(n * others + (1 - n) * (1 - others)), people) for n in GRID], axis=1)
    right, wrong = PRIOR
    posterior = scale[:, None] * says + (right - 1) * np.log(GRID) + (wrong - 1) * np.log(1 - GRID)
    below = np.cumsum(np.exp(posterior - posterior.max(axis=1, keepdims=True)), axis=1)
    below /= below[:, -1:]
    return GRID[(below < 0.025).sum(axis=1)], GRID[(below < 0.975).sum(axis=1)]
