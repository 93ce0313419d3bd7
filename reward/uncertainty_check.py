"""Whether a model's stated uncertainty is worth anything on pairs that it has not seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from labeler.records import Group
from reward.bootstrap import Floats, Interval, Ints, draws, mean_interval, percentiles
from reward.calibration import (
    Bin,
    expected_calibration_error,
    pair_losses,
    probabilities,
    reliability_bins,
)
from reward.pairs import collect_pairs, correctness
from reward.uncertainty import Laplace, gap_deviations

RESAMPLES = 500
CHUNK = 50
"""Resamples at once, which bounds memory."""


@dataclass(frozen=True)
class UncertaintyCheck:
    """Probabilities with and without the uncertainty of the gap, and whether unsure pairs are wrong more often.

    Attributes:
        log_loss, ece: of σ(κ Δ / T), which allows for the uncertainty. log_loss_plain, ece_plain: of σ(Δ / T).
        log_loss_gain: log_loss_plain − log_loss in nats, with its interval over prompts.
        auroc: chance that a wrongly ordered pair has a larger standard deviation than a rightly ordered one; 0.5 says
            nothing. auroc_margin: the same for a small |Δ|, which needs no uncertainty.
        deviation_median: of the standard deviation of a raw gap; gap_median: of |Δ|.
        prior: precision λ of the prior, chosen on validation.
    """

    log_loss: float
    log_loss_plain: float
    log_loss_gain: float
    log_loss_gain_ci95: Interval | None
    ece: float
    ece_plain: float
    auroc: float | None
    auroc_ci95: Interval | None
    auroc_margin: float | None
    deviation_median: float
    gap_median: float
    prior: float
    comparisons: int
    prompts: int
    reliability: tuple[Bin, ...]

    @property
    def verdict(self) -> str:
        """Whether to use it, in one or two sentences."""
        return f"{self._ranks()} {self._calibrates()}"

    def _ranks(self) -> str:
        if self.auroc is None or self.auroc_ci95 is None:
            return (
                "Whether pairs with a larger standard deviation are wrong more often cannot be told from these pairs."
            )
        low, high = self.auroc_ci95
        told = f"AUROC {self.auroc:.2f}, 95 % interval {low:.2f} to {high:.2f}"
        margin = f"the size of the gap alone gets {self.auroc_margin:.2f}"
        if low > 0.5:
            return f"Pairs with a larger standard deviation are wrong more often ({told}; {margin})."
        if high < 0.5:
            return f"Pairs with a larger standard deviation are wrong less often ({told}; {margin}): do not sort by it."
        return f"A larger standard deviation does not tell which pairs are wrong ({told}; {margin})."

    def _calibrates(self) -> str:
        figures = f"log loss {self.log_loss:.4f} with it, {self.log_loss_plain:.4f} without"
        low, high = self.log_loss_gain_ci95 or (-np.inf, np.inf)
        if low > 0:
            return f"Allowing for it makes probabilities better ({figures})."
        if high < 0:
            return f"Allowing for it makes probabilities worse ({figures}): use the plain ones."
        return f"Allowing for it does not change probabilities beyond chance ({figures})."


def check_uncertainty(
    groups: Sequence[Group],
    scores: Sequence[Sequence[float]],
    covariances: Sequence[Floats],
    laplace: Laplace,
    *,
    temperature: float,
    seed: int = 0,
) -> UncertaintyCheck:
    """Judge the uncertainty by people's rankings.

    Args:
        groups: G groups with rankings. scores: G lists with one raw score per completion.
        covariances: per group (K, K), from `Laplace.covariance`.
        laplace: where they come from.
        temperature: of the plain probabilities.
        seed: of the bootstrap.
    """
    pairs = collect_pairs(groups, scores).decided()
    deviation = gap_deviations(pairs, covariances)
    # log-odds of the adjusted probability, so that the losses stay exact where it rounds to 1
    adjusted = laplace.shrunk(pairs.gap, deviation)
    losses = pair_losses(adjusted, pairs.majority)
    plain_losses = pair_losses(pairs.gap, pairs.majority, temperature)
    bins = reliability_bins(probabilities(adjusted, 1.0), pairs.majority)
    plain_bins = reliability_bins(probabilities(pairs.gap, temperature), pairs.majority)
    wrong = 1 - correctness(pairs.gap, pairs.majority)
    auroc, interval = auroc_with_interval(pairs.cluster, deviation, wrong, seed=seed)
    return UncertaintyCheck(
        log_loss=float(losses.mean()),
        log_loss_plain=float(plain_losses.mean()),
        log_loss_gain=float((plain_losses - losses).mean()),
        log_loss_gain_ci95=mean_interval(pairs.cluster, plain_losses - losses, seed=seed),
        ece=expected_calibration_error(bins),
        ece_plain=expected_calibration_error(plain_bins),
        auroc=auroc,
        auroc_ci95=interval,
        auroc_margin=auroc_with_interval(pairs.cluster, -np.abs(pairs.gap), wrong, seed=seed)[0],
        deviation_median=float(np.median(deviation)),
        gap_median=float(np.median(np.abs(pairs.gap))),
        prior=laplace.prior,
        comparisons=len(pairs),
        prompts=pairs.prompts,
        reliability=bins,
    )


def auroc_with_interval(
    cluster: Ints, value: Floats, wrong: Floats, *, seed: int
) -> tuple[float | None, Interval | None]:
    """Area under the ROC curve of a value for telling wrong pairs, and its interval over resampled clusters.

    It is the Mann–Whitney statistic P(of a wrong pair > of a right one) + ½ P(equal) (Hanley & McNeil 1982).

    Args:
        cluster: prompt of each pair (P). value: (P,).
        wrong: 1 wrong, 0 right, ½ counts as half a pair of each (P).

    Returns:
        None for both if all pairs are right or all wrong; no interval with fewer than two clusters.
    """
    levels, level = np.unique(value, return_inverse=True)
    names, index = np.unique(cluster, return_inverse=True)

    def area(weights: Floats) -> Floats:
        """(R,) areas for the weights (R, P) of the pairs."""
        bad, good = (
            np.stack([np.bincount(level, row * share, len(levels)) for row in weights]) for share in (wrong, 1 - wrong)
        )
        below = np.cumsum(good, axis=1) - good / 2
        with np.errstate(invalid="ignore", divide="ignore"):
            found: Floats = (bad * below).sum(axis=1) / (bad.sum(axis=1) * good.sum(axis=1))
        return found

    whole = float(area(np.ones((1, len(value))))[0])
    if not np.isfinite(whole):
        return None, None
    if len(names) < 2:
        return whole, None
    drawn = draws(len(names), seed=seed, resamples=RESAMPLES).astype(np.float64)
    parts = [area(drawn[start : start + CHUNK][:, index]) for start in range(0, RESAMPLES, CHUNK)]
    areas = np.concatenate(parts)
    finite = areas[np.isfinite(areas)]
    return whole, percentiles(finite) if len(finite) else None
