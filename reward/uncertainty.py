"""How sure a score is: the last-layer Laplace approximation of a reward model.

A score is w · φ + b, with φ the d features that the head reads. Around the trained w the pairwise likelihood is taken
for a Gaussian (MacKay 1992, The evidence framework applied to classification networks, section 3; for last layers
Kristiadi et al. 2020, arXiv 2002.10118, section 2.2):

    Σ⁻¹ = F + λ I,      F = Σ_pairs n · σ(Δ) σ(−Δ) · (φ_i − φ_j)(φ_i − φ_j)ᵀ,     Δ = score_i − score_j

so the gap of a new pair has the variance s² = (φ_a − φ_b)ᵀ Σ (φ_a − φ_b), and the probability that allows for it is
σ(κ Δ / T) with κ = 1 / √(1 + π s² / (8 T²)) (MacKay 1992, eq. 28), T being the temperature. n = 2 / K is what a pair of
a ranking of K counts, since the K (K − 1) / 2 pairs of a ranking follow from K − 1 independent choices.

F is estimated on the groups that are scored anyway to set the offset, and scaled up to all training groups. λ is chosen
on the validation pairs: `choose_prior`. Only arrays here, no model.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file
from scipy.special import expit

from labeler.errors import ModelError
from labeler.records import Group
from reward.bootstrap import Floats
from reward.calibration import log_loss, penalised_temperature
from reward.pairs import Pairs

MULTIPLES = np.logspace(-3, 5, 17)
"""λ is looked for at these multiples of d + 1, the precision of the head's first weights (`reward.model`)."""


@dataclass(frozen=True, eq=False)
class Laplace:
    """The posterior of a head's weights.

    Attributes:
        fisher: (d, d) Fisher information F of the training pairs.
        mean: (d,) mean features of the training completions; scores are unsure relative to it.
        prior: λ, the precision of the prior.
        temperature: T for probabilities that allow for the uncertainty; it differs from that of plain ones, which has
            to stand for the uncertainty too.
    """

    fisher: Floats
    mean: Floats
    prior: float
    temperature: float = 1.0

    @cached_property
    def spectrum(self) -> tuple[Floats, Floats]:
        """Eigenvalues (d,) and eigenvectors (d, d), in columns, of F."""
        values, vectors = np.linalg.eigh(self.fisher)
        return np.maximum(values, 0.0), vectors

    def rotate(self, features: Floats) -> Floats:
        """(N, d) features in the directions of the eigenvectors."""
        rotated: Floats = features @ self.spectrum[1]
        return rotated

    def covariance(self, features: Floats) -> Floats:
        """(K, K) covariance of the scores of K completions, each relative to that of the mean features.

        Args:
            features: (K, d); a row of NaN gives NaN.
        """
        rotated = self.rotate(features - self.mean)
        found: Floats = (rotated / (self.spectrum[0] + self.prior)) @ rotated.T
        return found

    def shrunk(self, gap: Floats, deviation: Floats) -> Floats:
        """(P,) log-odds κ Δ / T of the first being better, for raw gaps (P) with standard deviations (P)."""
        return shrunk(gap, deviation, self.temperature)

    def save(self, path: Path) -> None:
        """Write a safetensors file."""
        path.parent.mkdir(parents=True, exist_ok=True)
        tensors = {"fisher": self.fisher.astype(np.float32), "mean": self.mean.astype(np.float32)}
        save_file(tensors, path, metadata={"prior": repr(self.prior), "temperature": repr(self.temperature)})

    @classmethod
    def load(cls, path: Path) -> Laplace:
        """Read what `save` wrote.

        Raises:
            ModelError: the file is damaged.
        """
        try:
            with safe_open(path, "numpy") as file:
                told = file.metadata()
                fisher, mean = (file.get_tensor(name).astype(np.float64) for name in ("fisher", "mean"))
                return cls(fisher, mean, float(told["prior"]), float(told["temperature"]))
        except (OSError, KeyError, TypeError, ValueError, SafetensorError) as error:
            raise ModelError(f"{path} cannot be read ({error}); remove it, or train again") from error


@dataclass(frozen=True)
class UncertainScores:
    """Scores of one prompt's completions and how sure they are.

    Attributes:
        scores: one per completion (K), NaN where one does not fit the context.
        deviations: standard deviation of each (K), in the same unit, relative to the training mean.
        raw: raw scores (K). covariance: of the raw scores, relative to the training mean (K, K).
        temperature: of the probabilities.
    """

    scores: tuple[float, ...]
    deviations: tuple[float, ...]
    raw: tuple[float, ...]
    covariance: tuple[tuple[float, ...], ...]
    temperature: float

    def gap_deviation(self, i: int, j: int) -> float:
        """Standard deviation of the raw score gap between completions i and j."""
        c = self.covariance
        return float(np.sqrt(max(0.0, c[i][i] + c[j][j] - 2 * c[i][j])))

    def probability(self, i: int, j: int) -> float:
        """P(i is better than j), drawn to ½ by the uncertainty of the gap."""
        gap, deviation = np.asarray([self.raw[i] - self.raw[j]]), np.asarray([self.gap_deviation(i, j)])
        return float(expit(shrunk(gap, deviation, self.temperature))[0])


def kappa(deviation: Floats, temperature: float = 1.0) -> Floats:
    """(P,) how much gaps shrink for their standard deviations (P): 1 / √(1 + π s² / (8 T²)) (MacKay 1992, eq. 28)."""
    found: Floats = 1 / np.sqrt(1 + np.pi * (deviation / temperature) ** 2 / 8)
    return found


def shrunk(gap: Floats, deviation: Floats, temperature: float) -> Floats:
    """(P,) log-odds κ Δ / T, whose σ approximates E[σ(x / T)] for x ~ N(Δ, deviation²)."""
    found: Floats = kappa(deviation, temperature) * gap / temperature
    return found


def fisher_information(differences: Floats, gaps: Floats, weights: Floats) -> Floats:
    """(d, d) Σ_p weight · σ(gap) σ(−gap) · difference differenceᵀ, the Hessian of the pairwise loss in the weights.

    Args:
        differences: φ_i − φ_j of each pair (P, d).
        gaps: raw score gap of each pair (P).
        weights: how many observations each pair is (P).
    """
    curvature = weights / (4 * np.cosh(np.clip(gaps / 2, -350, 350)) ** 2)
    found: Floats = (differences * curvature[:, None]).T @ differences
    return found


def training_information(
    groups: Sequence[Group], scores: Sequence[Sequence[float]], features: Sequence[Floats], *, total: int
) -> Laplace | None:
    """The posterior from some training groups, with the precision of the head's first weights as prior.

    Args:
        groups: G of the training groups.
        scores, features: per group, a raw score and a row of d features per completion.
        total: number of training groups that G of them stand for.

    Returns:
        None if nobody preferred anything in these groups.
    """
    differences: list[Floats] = []
    gaps: list[float] = []
    weights: list[float] = []
    for group, values, rows in zip(groups, scores, features, strict=True):
        for (i, j), weight in observations(group).items():
            differences.append(rows[i] - rows[j])
            gaps.append(values[i] - values[j])
            weights.append(weight)
    if not gaps:
        return None
    everything = np.concatenate([np.asarray(rows, dtype=np.float64) for rows in features])
    information = fisher_information(np.asarray(differences, dtype=np.float64), np.asarray(gaps), np.asarray(weights))
    return Laplace(
        information * max(1.0, total / len(groups)), everything.mean(axis=0), prior=everything.shape[1] + 1.0
    )


def observations(group: Group) -> dict[tuple[int, int], float]:
    """Pair (i, j) of completions → how many observations people made of it: 2 / K by each ranking of K."""
    found: dict[tuple[int, int], float] = defaultdict(float)
    for ranking in group.rankings:
        ranked = [k for k, rank in enumerate(ranking.ranks) if rank is not None]
        weight = 1.0 if ranking.weight is None else ranking.weight
        for i, j in combinations(ranked, 2):
            if weight and ranking.compare(i, j):
                found[i, j] += weight * 2 / len(ranked)
    return dict(found)


def choose_prior(laplace: Laplace, pairs: Pairs, features: Sequence[Floats]) -> Laplace:
    """The posterior with the λ, and the temperature that goes with it, of the lowest log loss on validation pairs.

    For every λ the temperature is fitted as `reward.calibration.fit_temperature` does it. The largest λ leaves next to
    no uncertainty, so where allowing for it does not help, none is left.

    Args:
        laplace: with the Fisher information.
        pairs: decided pairs of the validation groups.
        features: per validation group, a row of d features per completion.
    """
    values = laplace.spectrum[0]
    rows = zip(pairs.group.tolist(), pairs.i.tolist(), pairs.j.tolist(), strict=True)
    squared = laplace.rotate(np.asarray([features[g][i] - features[g][j] for g, i, j in rows], dtype=np.float64)) ** 2
    best = (np.inf, laplace.prior, laplace.temperature)
    for prior in (len(values) + 1.0) * MULTIPLES[::-1]:
        deviation = np.sqrt(squared @ (1 / (values + prior)))
        temperature = 1.0
        for _ in range(3):  # the shrinkage hangs on the temperature that is fitted to the shrunk gaps
            temperature = penalised_temperature(pairs, pairs.gap * kappa(deviation, temperature))
        loss = log_loss(pairs.gap * kappa(deviation, temperature), pairs.majority, temperature)
        if loss < best[0] - 1e-6:
            best = (loss, float(prior), temperature)
    return replace(laplace, prior=best[1], temperature=best[2])


def gap_deviations(pairs: Pairs, covariances: Sequence[Floats]) -> Floats:
    """(P,) standard deviation of each pair's raw gap from the covariance (K, K) of its group's scores."""
    rows = zip(pairs.group.tolist(), pairs.i.tolist(), pairs.j.tolist(), strict=True)
    variances = [(c := covariances[g])[i, i] + c[j, j] - 2 * c[i, j] for g, i, j in rows]
    return np.sqrt(np.maximum(np.asarray(variances, dtype=np.float64), 0.0))
