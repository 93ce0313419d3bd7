"""What score gaps mean as probabilities: reliability, expected calibration error, log loss, and the temperature."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from labeler.records import Group
from reward.bootstrap import Floats, Interval, Ints, grid_minimum, losses_on_grid, percentiles, resampled_sums
from reward.pairs import Pairs, collect_pairs, correctness

BINS = 10
PRIOR_DEVIATION = math.log(2)
"""Standard deviation of the prior on ln temperature, whose mean is 0.

Training minimises −log σ(gap), so a gap of a model that neither over- nor underfits already is a logit and its
temperature is 1; over- and underfitting move it by factors. A deviation of ln 2 takes temperatures of 1/4 to 4 as
likely (95 %). On ln T its information is 1 / ln² 2 ≈ 2.1, while a pair brings E[z² σ(z) σ(−z)] ≈ 0.4 with gaps of a few
logits: it weighs as much as about five prompts, and with hundreds it is gone. Simulated with temperatures of ½ to 4
(tests/reward/test_calibration.py), a deviation half as large costs more at 4 than it saves at 1, an infinite one (plain
maximum likelihood) runs to the bounds wherever 20 pairs happen to be separable.
"""
LOG_TEMPERATURES = np.linspace(math.log(0.01), math.log(100.0), 461)
"""Where the temperature is looked for: steps of 2 %."""


@dataclass(frozen=True)
class Bin:
    """One bar of the reliability plot: of ``pairs`` with mean ``confidence`` a share of ``accuracy`` is right."""

    confidence: float
    accuracy: float
    pairs: int


def reliability_bins(probability: Floats, truth: Ints, bins: int = BINS) -> tuple[Bin, ...]:
    """Confidence against accuracy in equal-width bins over [0.5, 1].

    Args:
        probability: P(i over j) per decided pair (P).
        truth: ±1 (P).
    """
    confidence = np.maximum(probability, 1 - probability)
    right = correctness(probability - 0.5, truth)
    place = np.minimum(((confidence - 0.5) * 2 * bins).astype(int), bins - 1)
    return tuple(
        Bin(float(confidence[inside].mean()), float(right[inside].mean()), int(inside.sum()))
        for inside in (place == b for b in range(bins))
        if inside.any()
    )


def expected_calibration_error(bins: Sequence[Bin]) -> float:
    """Σ_b n_b / N · |accuracy_b − confidence_b| (Guo et al. 2017, arXiv 1706.04599, eq. 3)."""
    total = sum(b.pairs for b in bins)
    return sum(b.pairs * abs(b.accuracy - b.confidence) for b in bins) / total


def pair_losses(gap: Floats, truth: Ints, temperature: float = 1.0) -> Floats:
    """(P,) −log σ(truth · gap / temperature) in nats, stable for any gap."""
    return np.logaddexp(0.0, -truth * gap / temperature)


def log_loss(gap: Floats, truth: Ints, temperature: float) -> float:
    """Mean −log σ(truth · gap / temperature) in nats."""
    return float(pair_losses(gap, truth, temperature).mean())


def brier_score(probability: Floats, truth: Ints) -> float:
    """Mean squared error of P(i over j) (P) against what people said (P of ±1) (Brier 1950)."""
    return float((((truth > 0) - probability) ** 2).mean())


def fit_temperature(groups: Sequence[Group], scores: Sequence[Sequence[float]]) -> float:
    """The temperature of the decided pairs, pulled towards 1 where prompts are few; fit it on validation data only.

    It minimises  N · mean log loss(T) + (ln T)² / (2 s²)  over T in [0.01, 100]: temperature scaling (Guo et al. 2017,
    section 4.2) with a log-normal prior of deviation s = `PRIOR_DEVIATION`. N is the number of prompts, not of pairs:
    the pairs of a prompt say nearly the same thing, so a prompt counts as one observation against the prior.
    """
    pairs = collect_pairs(groups, scores).decided()
    return penalised_temperature(pairs) if len(pairs) else 1.0


def penalised_temperature(pairs: Pairs, gap: Floats | None = None, *, deviation: float = PRIOR_DEVIATION) -> float:
    """The temperature of `fit_temperature` for decided pairs.

    Args:
        pairs: P decided pairs.
        gap: use these gaps (P) in place of the pairs' own.
        deviation: of the prior on ln T; infinite for the plain maximum-likelihood fit.
    """
    losses = _losses(pairs, pairs.gap if gap is None else gap)
    objective = losses.sum(axis=0, keepdims=True) / len(pairs) * len(losses) + _penalty(deviation)
    return float(np.exp(grid_minimum(objective, LOG_TEMPERATURES)[0]))


def temperature_interval(
    groups: Sequence[Group], scores: Sequence[Sequence[float]], *, seed: int = 0
) -> Interval | None:
    """95 % interval of `fit_temperature` over resampled prompts; None with fewer than two."""
    pairs = collect_pairs(groups, scores).decided()
    if pairs.prompts < 2:
        return None
    losses = _losses(pairs, pairs.gap)
    sizes = np.unique(pairs.cluster, return_counts=True)[1]
    sums = resampled_sums(np.column_stack([losses, sizes]), seed=seed)
    objective = sums[:, :-1] / sums[:, -1:] * len(losses) + _penalty(PRIOR_DEVIATION)
    return percentiles(np.exp(grid_minimum(objective, LOG_TEMPERATURES)))


def _losses(pairs: Pairs, gap: Floats) -> Floats:
    """(prompts, temperatures) summed log losses."""
    return losses_on_grid(
        pairs.cluster, lambda log_t: pair_losses(gap, pairs.majority, math.exp(log_t)), LOG_TEMPERATURES
    )


def _penalty(deviation: float) -> Floats:
    """(temperatures,) −log of the prior, up to a constant."""
    penalty: Floats = LOG_TEMPERATURES**2 / (2 * deviation**2)
    return penalty


def fit_tie_threshold(groups: Sequence[Group], scores: Sequence[Sequence[float]]) -> float:
    """The gap under which to call a tie, so that the model calls as many ties as people did on these groups."""
    pairs = collect_pairs(groups, scores)
    return float(np.quantile(np.abs(pairs.gap), float((pairs.majority == 0).mean())))


def probabilities(gap: Floats, temperature: float) -> Floats:
    """(P,) P(i over j) = σ(gap / temperature)."""
    found: Floats = expit(gap / temperature)
    return found
