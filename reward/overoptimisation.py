"""How far optimising a proxy reward carries the gold reward along: best of n, fits, and where the two part. Pure.

Distances are d = √KL, in √nats per completion, as in Gao et al. 2022, Scaling Laws for Reward Model Overoptimization
(arXiv 2210.10760).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from reward.bootstrap import Floats, Interval, mean_interval

Form = Literal["best of n", "rl"]


def best_of_n_kl(n: int) -> float:
    """KL of best of n from what it draws from, in nats: ln n − (n − 1)/n.

    Exact where no two draws have the same score, else an upper bound (Stiennon et al. 2020, arXiv 2009.01325, appendix
    G.3; Beirami et al. 2024, arXiv 2401.01879).
    """
    return math.log(n) - (n - 1) / n


def best_of_n_mean(scores: Floats, values: Floats, n: int) -> float:
    """Unbiased estimate of the expected value of whichever of n draws has the best score.

    The mean over all subsets of n out of the N draws: with scores in rising order, the i-th draw is the best of
    C(i−1, n−1) of the C(N, n) subsets (Nakano et al. 2021, WebGPT, arXiv 2112.09332, appendix I). Equal scores share
    their places evenly.

    Args:
        scores: (N,) what the best is chosen by. values: (N,) what is averaged; the scores again for their own mean.
        n: at most N.
    """
    total = len(scores)
    weights = np.array([math.comb(i, n - 1) / math.comb(total, n) for i in range(total)])
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    shared = np.array([weights[end - count : end].mean() for end, count in zip(ends, counts, strict=True)])
    return float(shared[place] @ values)


@dataclass(frozen=True)
class Fit:
    """R(d) = d (α − β d) for best of n, d (α − β ln d) for RL (Gao et al. 2022, section 3, eq. 1).

    Attributes:
        error: root mean square of what the fit leaves over.
    """

    form: Form
    alpha: float
    beta: float
    error: float

    def __call__(self, distance: Floats) -> Floats:
        """Gains (D) at distances (D) above 0."""
        bend = distance if self.form == "best of n" else np.log(distance)
        gains: Floats = distance * (self.alpha - self.beta * bend)
        return gains


def fit(form: Form, distance: Floats, gain: Floats) -> Fit | None:
    """Least squares through points (D) of distance and gain; those at distance 0 say nothing. None for fewer than 3."""
    inside = distance > 0
    d, r = distance[inside], gain[inside]
    if len(d) < 3:
        return None
    design = np.stack([d, -d * (d if form == "best of n" else np.log(d))], axis=1)
    (alpha, beta), *_ = np.linalg.lstsq(design, r, rcond=None)
    return Fit(form, float(alpha), float(beta), float(np.sqrt(np.mean((r - design @ (alpha, beta)) ** 2))))


@dataclass(frozen=True)
class Parting:
    """Whether the gold reward still follows the proxy on the way from the start to the last point.

    All figures are changes in standard deviations of the reference's reward, with 95 % intervals over prompts.

    Attributes:
        peak: the point after which the gold reward is tested for falling, chosen on one half of the prompts.
        proxy_since_peak, gold_since_peak: changes from there to the last point, on the other half.
        proxy, gold: gains of the last point over the start, on all prompts.
    """

    peak: int
    proxy_since_peak: float
    proxy_since_peak_ci95: Interval | None
    gold_since_peak: float
    gold_since_peak_ci95: Interval | None
    proxy: float
    proxy_ci95: Interval | None
    gold: float
    gold_ci95: Interval | None

    @property
    def falls(self) -> bool:
        """The proxy still rises after the peak of the gold reward, which falls; both intervals leave 0 out."""
        return _above(self.proxy_since_peak_ci95) and _below(self.gold_since_peak_ci95)

    @property
    def unshared(self) -> bool:
        """The proxy gained, and of the gold reward no gain is shown."""
        return _above(self.proxy_ci95) and not _above(self.gold_ci95)


def part(proxy: Floats, gold: Floats, *, seed: int) -> Parting:
    """Compare the last point with the start, and with the peak of the gold reward.

    The peak is chosen on every other prompt and tested on those between: on the same prompts, the fall from the highest
    of several noisy points would always look real.

    Args:
        proxy, gold: (S, P) gains of S points in order of distance, on P prompts; the first point is the start.
        seed: of the bootstrap.
    """
    peak = int(gold[:, 0::2].mean(axis=1).argmax())
    tested = slice(1, None, 2)
    since = [mean_and_interval(each[-1, tested] - each[peak, tested], seed=seed) for each in (proxy, gold)]
    whole = [mean_and_interval(each[-1] - each[0], seed=seed) for each in (proxy, gold)]
    return Parting(peak, *since[0], *since[1], *whole[0], *whole[1])


def mean_and_interval(values: Floats, *, seed: int) -> tuple[float, Interval | None]:
    """Mean of one value per prompt (P) and its interval."""
    return float(values.mean()), mean_interval(np.arange(len(values)), values, seed=seed)


def _above(interval: Interval | None) -> bool:
    return interval is not None and interval[0] > 0


def _below(interval: Interval | None) -> bool:
    return interval is not None and interval[1] < 0
