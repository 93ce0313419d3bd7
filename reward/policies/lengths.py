"""Length, and who wins at equal length (Dubois et al. 2024, arXiv 2404.04475).

Their eq. 2 without the difficulty of the instruction, which two policies alone do not identify:
P(first wins) = σ(α + φ tanh(Δ/s)), with Δ the difference of the two answers' lengths and s its standard deviation.
The length-controlled win rate is σ(α): what the judge would say if both wrote equally much.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from reward.bootstrap import Floats
from reward.policies.duels import TIE, WIN, pairs_of
from reward.policies.measures import Z95, Estimate

PRIOR_SD = 10.0
STEPS = 50
FEWEST = 10
"""With fewer prompts nothing is said: two coefficients would be fitted to next to nothing."""


@dataclass(frozen=True)
class ControlledRate:
    """Win rate of a policy against another as if their answers were equally long.

    Attributes:
        policy, against: names. rate: length-controlled. raw: as it is.
        length_effect: φ, in nats per unit of tanh(Δ/s); above 0 the judge goes with the longer answer.
    """

    policy: str
    against: str
    rate: Estimate
    raw: float
    length_effect: float


def characters(texts: Sequence[Sequence[Sequence[str]]]) -> list[list[list[float]]]:
    """Characters of every answer, ``texts[c][p]`` being those of policy p to prompt c."""
    return [[[float(len(text)) for text in answers] for answers in row] for row in texts]


def controlled(tallies: Floats, length: Floats, names: Sequence[str]) -> tuple[ControlledRate, ...]:
    """Length-controlled win rates of all pairs that were compared, and neither always won, on enough prompts.

    Args:
        tallies: (C, M, 3) of one judge. length: (C, P) mean characters of the answers, NaN where there is none.
        names: of the policies.
    """
    found = []
    for pair, (i, j) in enumerate(pairs_of(len(names))):
        gap = length[:, i] - length[:, j]
        used = ~np.isnan(gap) & tallies[:, pair].any(axis=-1)
        cells = tallies[used, pair]
        weight = cells.sum(axis=-1)
        outcome = (cells[:, WIN] + cells[:, TIE] / 2) / np.where(weight, weight, 1)
        if len(outcome) < FEWEST or not np.std(gap[used]) or not np.std(outcome):
            continue
        x = np.stack([np.ones(len(weight)), np.tanh(gap[used] / np.std(gap[used]))], axis=1)
        slopes, covariance = logistic(x, outcome, weight)
        half = Z95 * math.sqrt(covariance[0, 0])
        interval = (float(expit(slopes[0] - half)), float(expit(slopes[0] + half)))
        rate = Estimate(float(expit(slopes[0])), interval, len(weight))
        raw = float((outcome * weight).sum() / weight.sum())
        found.append(ControlledRate(names[i], names[j], rate, raw, float(slopes[1])))
    return tuple(found)


def logistic(x: Floats, outcome: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """Weighted logistic regression with a row a prompt: coefficients (d), and their robust covariance (d, d).

    Newton's method on the log likelihood with a prior of standard deviation `PRIOR_SD`, which keeps coefficients finite
    where length decides everything. The covariance is the sandwich H⁻¹ (Σ g gᵀ) H⁻¹ · N/(N−1), g being the gradient of
    a row (Liang & Zeger 1986, Biometrika 73, 13–22): it holds whether a prompt was judged once or often.

    Args:
        x: (N, d). outcome: (N) between 0 and 1. weight: (N).
    """
    beta = np.zeros(x.shape[1])
    precision = np.eye(x.shape[1]) / PRIOR_SD**2
    for _ in range(STEPS):
        chance = expit(x @ beta)
        hessian = (x * (weight * chance * (1 - chance))[:, None]).T @ x + precision
        step = np.linalg.solve(hessian, x.T @ (weight * (outcome - chance)) - precision @ beta)
        beta += np.clip(step, -2, 2)
        if np.abs(step).max() < 1e-10:
            break
    gradient = x * (weight * (outcome - expit(x @ beta)))[:, None]
    inverse = np.linalg.inv(hessian)
    return beta, inverse @ (gradient.T @ gradient) @ inverse * len(x) / (len(x) - 1)
