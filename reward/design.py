"""Which comparisons to ask next: optimal design for a Bradley–Terry head over frozen features. Pure.

A candidate is a set of pairs that people would judge together: one pair, or all pairs of a ranking of K. With the score
w · φ, what its judgments tell about w is the Fisher information

    I = Σ_pairs n · σ(Δ) σ(−Δ) · (φ_i − φ_j)(φ_i − φ_j)ᵀ

with n as in `reward.uncertainty`. D-optimal design asks for the candidates that make log det(Σ⁻¹ + Σ_chosen I) largest,
Σ being the posterior covariance from what is labelled already (for reward models arXiv 2502.04354). A greedy choice is
within 1 − 1/e of the best, since log det is submodular (Nemhauser et al. 1978).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.linalg import solve_triangular
from scipy.special import expit, ndtr

from reward.bootstrap import Bools, Floats, Ints
from reward.config.select import Method


@dataclass(frozen=True, eq=False)
class Candidates:
    """N candidates with at most r completions each; arrays are padded with completions that repeat the first.

    Attributes:
        features: (N, r, d) what the head reads of each completion.
        scores: (N, r) raw scores.
        sizes: (N,) completions of each candidate, 2 or more.
    """

    features: Floats
    scores: Floats
    sizes: Ints

    def __len__(self) -> int:
        return len(self.sizes)

    def pairs(self) -> tuple[list[tuple[int, int]], Bools]:
        """The P pairs (i, j), i < j < r, and which of them each candidate has (N, P)."""
        found = list(combinations(range(self.scores.shape[1]), 2))
        return found, np.asarray([[j < size for _, j in found] for size in self.sizes], dtype=bool)

    def mean_of_pairs(self, values: Floats) -> Floats:
        """(N,) mean over each candidate's own pairs of values (N, P)."""
        own = self.pairs()[1]
        found: Floats = np.where(own, values, 0.0).sum(axis=1) / own.sum(axis=1)
        return found

    def gaps(self) -> Floats:
        """(N, P) raw score gaps of the pairs."""
        i, j = np.asarray(self.pairs()[0]).T
        found: Floats = self.scores[:, i] - self.scores[:, j]
        return found


def stack(features: Sequence[Floats], scores: Sequence[Sequence[float]]) -> Candidates:
    """Candidates from one (K, d) array of features and K raw scores each."""
    widest = max(len(values) for values in scores)
    rows = [[k if k < len(values) else 0 for k in range(widest)] for values in scores]
    return Candidates(
        np.stack([each[row] for each, row in zip(features, rows, strict=True)]),
        np.asarray([[values[k] for k in row] for values, row in zip(scores, rows, strict=True)], dtype=np.float64),
        np.asarray([len(values) for values in scores], dtype=np.int64),
    )


def closeness(candidates: Candidates) -> Floats:
    """(N,) minus the mean absolute gap: the pairs that the model finds hardest to tell apart come first."""
    return -candidates.mean_of_pairs(np.abs(candidates.gaps()))


def disagreement(candidates: Candidates, covariance: Floats) -> Floats:
    """(N,) chance that two heads drawn from the posterior order a pair differently, averaged over the pairs.

    A head's gap is N(Δ, s²), so it puts i above j with p = Φ(Δ / s) and two heads differ with 2 p (1 − p): what an
    ensemble of any number of heads would show (query by committee, Freund et al. 1997).

    Args:
        candidates: N of them.
        covariance: (d, d) posterior covariance Σ of the head.
    """
    spread = np.einsum("nrd,de,nse->nrs", candidates.features, covariance, candidates.features, optimize=True)
    i, j = np.asarray(candidates.pairs()[0]).T
    variance = np.maximum(spread[:, i, i] + spread[:, j, j] - 2 * spread[:, i, j], 1e-300)
    p = ndtr(candidates.gaps() / np.sqrt(variance))
    return candidates.mean_of_pairs(2 * p * (1 - p))


def information_roots(candidates: Candidates) -> Floats:
    """(N, r − 1, d) rows U of each candidate with Uᵀ U = I, its Fisher information.

    I = Φᵀ L Φ with L the Laplacian of the pairs' weights n σ(Δ) σ(−Δ), and L = V diag(λ) Vᵀ gives U = diag(√λ) Vᵀ Φ.
    The smallest eigenvalue of a Laplacian is 0, so its row is left out.
    """
    pairs, own = candidates.pairs()
    gaps = candidates.gaps()
    weights = np.where(own, 2 / candidates.sizes[:, None] * expit(gaps) * expit(-gaps), 0.0)
    count, width = candidates.scores.shape
    laplacian = np.zeros((count, width, width))
    for (i, j), weight in zip(pairs, weights.T, strict=True):
        laplacian[:, i, i] += weight
        laplacian[:, j, j] += weight
        laplacian[:, i, j] -= weight
        laplacian[:, j, i] -= weight
    values, vectors = np.linalg.eigh(laplacian)
    scale = np.sqrt(np.maximum(values, 0.0))[:, 1:, None]
    roots: Floats = (scale * vectors.transpose(0, 2, 1)[:, 1:]) @ candidates.features
    return roots


@dataclass(eq=False)
class Posterior:
    """What is known of the head while candidates are being chosen; everything is kept up to date by `add`.

    Attributes:
        roots: (N, r, d) of `information_roots`, here with r for r − 1.
        sigma: (d, d) posterior covariance.
        gram: (N, r, r) U Σ Uᵀ of each candidate.
    """

    roots: Floats
    sigma: Floats
    gram: Floats

    @classmethod
    def of(cls, roots: Floats, covariance: Floats) -> Posterior:
        """Before anything is chosen; covariance (d, d)."""
        return cls(roots, covariance.copy(), roots @ (covariance @ roots.transpose(0, 2, 1)))

    def add(self, k: int) -> tuple[Floats, Floats]:
        """Take candidate k as labelled: Σ falls by B Bᵀ (Woodbury; with one row Sherman and Morrison's formula).

        Returns:
            B (d, r), and U B (N, r, r) of each candidate.
        """
        root = np.linalg.cholesky(np.eye(self.gram.shape[1]) + self.gram[k])
        fall: Floats = solve_triangular(root, self.roots[k] @ self.sigma, lower=True).T
        shared = self.roots @ fall
        self.sigma = self.sigma - fall @ fall.T
        self.gram = self.gram - shared @ shared.transpose(0, 2, 1)
        return fall, shared


def d_optimal(
    roots: Floats, covariance: Floats, budget: int, *, embeddings: Floats | None = None
) -> list[tuple[int, float]]:
    """The greedy D-optimal choice: who was chosen, in order, with the gain in log det (nats) of each when it was.

    Args:
        roots: (N, r, d) of `information_roots`, here with r for r − 1.
        covariance: (d, d) posterior covariance Σ before anything is chosen.
        budget: how many to choose, at most N.
        embeddings: (N, e) of length 1; then a candidate's gain is divided by 1 + Σ_chosen max(0, cos)², so that similar
            prompts share the budget in proportion to their gains, as Jefferson's rule shares out seats.
    """
    known, eye = Posterior.of(roots, covariance), np.eye(roots.shape[1])
    crowd, free = np.ones(len(roots)), np.ones(len(roots), dtype=bool)
    chosen: list[tuple[int, float]] = []
    for _ in range(min(budget, len(roots))):
        gain = np.linalg.slogdet(eye + known.gram)[1]
        best = int(np.argmax(np.where(free, gain / crowd, -np.inf)))
        chosen.append((best, float(gain[best])))
        free[best] = False
        known.add(best)
        if embeddings is not None:
            crowd += np.maximum(embeddings @ embeddings[best], 0.0) ** 2
    return chosen


def least_variance(roots: Floats, covariance: Floats, budget: int) -> list[tuple[int, float]]:
    """The greedy choice that makes the model surest about the candidates on the whole, with the gain of each.

    What falls is tr(Σ A), A being the mean information of all candidates: the Fisher information ratio, as in BAIT (Ash
    et al. 2021, arXiv 2106.09675). Unlike the determinant it does not run after outliers, since a direction
    counts as much as the pool has of it. With candidate k the trace falls by tr((1 + G_k)⁻¹ U Σ A Σ Uᵀ).

    Args:
        roots: (N, r, d) of `information_roots`, here with r for r − 1.
        covariance: (d, d) posterior covariance Σ before anything is chosen.
        budget: how many to choose, at most N.
    """
    known, eye = Posterior.of(roots, covariance), np.eye(roots.shape[1])
    rows = roots.reshape(-1, roots.shape[2])
    mean = rows.T @ rows / len(roots)
    swing = roots @ (covariance @ mean @ covariance @ roots.transpose(0, 2, 1))  # (N, r, r): U Σ A Σ Uᵀ
    free = np.ones(len(roots), dtype=bool)
    chosen: list[tuple[int, float]] = []
    for _ in range(min(budget, len(roots))):
        gain = np.einsum("nrs,nsr->n", np.linalg.inv(eye + known.gram), swing)
        best = int(np.argmax(np.where(free, gain, -np.inf)))
        chosen.append((best, float(gain[best])))
        free[best] = False
        before = known.sigma
        fall, shared = known.add(best)
        cross = (roots @ (before @ (mean @ fall))) @ shared.transpose(0, 2, 1)
        swing = swing - cross - cross.transpose(0, 2, 1) + shared @ (fall.T @ mean @ fall) @ shared.transpose(0, 2, 1)
    return chosen


def choose_by(
    method: Method, candidates: Candidates, covariance: Floats, budget: int, *, embeddings: Floats | None = None
) -> list[tuple[int, float]]:
    """Index and score of each candidate that a method takes, in its order; not for "random".

    Args:
        method: "fisher-diverse" needs the embeddings.
        candidates: N of them.
        covariance: (d, d) posterior covariance of the head.
        budget: how many, at most N.
        embeddings: (N, e) of the prompts, of length 1.
    """
    if method == "variance":
        return least_variance(information_roots(candidates), covariance, budget)
    if method in ("fisher", "fisher-diverse"):
        near = embeddings if method == "fisher-diverse" else None
        return d_optimal(information_roots(candidates), covariance, budget, embeddings=near)
    scores = closeness(candidates) if method == "margin" else disagreement(candidates, covariance)
    return [(int(k), float(scores[k])) for k in np.argsort(-scores, kind="stable")[:budget]]
