"""Learning curves of ways to choose comparisons, simulated on labels that are known. Pure.

A linear Bradley–Terry head over frozen features is trained on a growing set of single votes. In every round a method
chooses the next comparisons with what the head knows by then; accuracy is measured on comparisons that are held out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import isotonic_regression
from scipy.special import expit
from scipy.stats import t as student

from reward.bootstrap import Floats, Interval, Ints, percentiles
from reward.config.select import Method
from reward.design import Candidates, choose_by
from reward.uncertainty import fisher_information

SHARES = (0.01, 0.02, 0.03, 0.05, 0.075, *(k / 40 for k in range(4, 21)), 0.6, 0.7, 0.8, 0.9, 1.0)
"""Of the labels there are: where accuracy is measured, and how large the rounds are."""
MANY_PROMPTS = 50
"""So many prompts or more: some prompts are held out. Fewer: some completions of every prompt."""
HELD_OUT = 0.3
"""Share of prompts, or of completions, that is held out."""
MOST = 1500
"""Comparisons of the pool and of the test, at the most; drawn anew with every seed."""
BUDGETS = (0.25, 1.0)
"""Shares of all labels for whose accuracy at random the labels that a method needs are counted."""
COMPONENTS = 64
"""Principal components of the features that the head reads."""
PRIOR = 3.0
"""Precision of the head's weights where pairs of completions lie 1 apart on average."""


@dataclass(frozen=True, eq=False)
class Comparisons:
    """Everything that people said of some completions.

    Attributes:
        features: (M, d) of the completions.
        embeddings: (prompts, e) of the prompts, of length 1.
        first, second: (P,) the two completions of each comparison. prompt: (P,) their prompt.
        wins, losses: (P,) people who put the first above the second, and below.
    """

    features: Floats
    embeddings: Floats
    first: Ints
    second: Ints
    prompt: Ints
    wins: Floats
    losses: Floats

    @property
    def by_prompt(self) -> bool:
        """Whether whole prompts are held out."""
        return len(self.embeddings) >= MANY_PROMPTS


@dataclass(frozen=True, eq=False)
class Trial:
    """What one seed draws: pool and test.

    Attributes:
        pool: (N, k) feature differences, first minus second. votes: (N,) ±1, one person's verdict each.
        embeddings: (N, e) of the prompts in the pool.
        test: (T, k) feature differences. truth: (T,) ±1, the majority's verdict.
    """

    pool: Floats
    votes: Floats
    embeddings: Floats
    test: Floats
    truth: Floats

    def steps(self) -> list[int]:
        """Numbers of labels at which accuracy is measured, one for each of `SHARES`."""
        return [max(1, round(share * len(self.pool))) for share in SHARES]


def draw_trial(data: Comparisons, seed: int) -> Trial:
    """Split into pool and test, which share no prompt, or no completion where there are few prompts; draw the votes."""
    rng = np.random.default_rng(seed)
    pool, test = (rng.permutation(rows)[:MOST] for rows in split_rows(data, rng))
    basis = _principal(data.features[np.unique([data.first[pool], data.second[pool]])])
    differences = (data.features[data.first] - data.features[data.second]) @ basis
    differences = differences / np.sqrt((differences[pool] ** 2).sum(axis=1).mean())
    first = rng.random(len(pool)) < (data.wins / (data.wins + data.losses))[pool]
    return Trial(
        differences[pool],
        np.where(first, 1.0, -1.0),
        data.embeddings[data.prompt[pool]],
        differences[test],
        np.sign(data.wins - data.losses)[test],
    )


def split_rows(data: Comparisons, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Rows of the pool, and rows of the test with a majority."""
    if data.by_prompt:
        count = len(data.embeddings)
        out = np.isin(np.arange(count), rng.permutation(count)[: round(HELD_OUT * count)])[data.prompt]
        inside = ~out
    else:
        away = rng.random(len(data.features)) < HELD_OUT
        out, inside = away[data.first] & away[data.second], ~away[data.first] & ~away[data.second]
    return np.flatnonzero(inside), np.flatnonzero(out & (data.wins != data.losses))


def _principal(features: Floats) -> Floats:
    """(d, k) directions of the most variance of features (M, d)."""
    directions = np.linalg.svd(features - features.mean(axis=0), full_matrices=False)[2]
    found: Floats = directions[:COMPONENTS].T
    return found


def fit_head(differences: Floats, votes: Floats, start: Floats) -> Floats:
    """(k,) weights that minimise Σ log(1 + e^(−vote · w · difference)) + `PRIOR` / 2 · |w|², by Newton's method.

    Args:
        differences: (n, k). votes: (n,) ±1. start: (k,) weights to start from.
    """
    weights = start
    for _ in range(30):
        gap = differences @ weights
        gradient = PRIOR * weights - differences.T @ (votes * expit(-votes * gap))
        step = np.linalg.solve(precision(differences, gap), gradient)
        weights = weights - step
        if np.abs(differences @ step).max() < 1e-6:
            break
    return weights


def precision(differences: Floats, gaps: Floats) -> Floats:
    """(k, k) posterior precision of the head after judgments of these pairs."""
    found: Floats = fisher_information(differences, gaps, np.ones(len(gaps))) + PRIOR * np.eye(differences.shape[1])
    return found


def learn(trial: Trial, method: Method, seed: int) -> Floats:
    """(S,) accuracy at each step; the first round, the same for every method, is drawn at random."""
    order = np.random.default_rng([seed, 1]).permutation(len(trial.pool))
    labelled = np.zeros(len(trial.pool), dtype=bool)
    weights = np.zeros(trial.pool.shape[1])
    found = []
    for step in trial.steps():
        need = step - int(labelled.sum())
        left = order[~labelled[order]]
        random = method == "random" or not labelled.any() or need == len(left)
        labelled[left[:need] if random else _chosen(trial, method, labelled, weights, need)] = True
        weights = fit_head(trial.pool[labelled], trial.votes[labelled], weights)
        right = trial.test @ weights * trial.truth
        found.append(float(np.mean((right > 0) + 0.5 * (right == 0))))
    return np.asarray(found)


def _chosen(trial: Trial, method: Method, labelled: np.ndarray, weights: Floats, need: int) -> Ints:
    """Rows of the pool that the method takes next."""
    left = np.flatnonzero(~labelled)
    known = trial.pool[labelled]
    covariance = np.linalg.inv(precision(known, known @ weights)).astype(np.float64)
    pairs = np.stack([trial.pool[left], np.zeros_like(trial.pool[left])], axis=1)
    candidates = Candidates(pairs, pairs @ weights, np.full(len(left), 2))
    near = trial.embeddings[left]
    return left[[k for k, _ in choose_by(method, candidates, covariance, need, embeddings=near)]]


@dataclass(frozen=True)
class Outcome:
    """What a method was worth on one data set.

    Attributes:
        method: its name.
        needed: for each of `BUDGETS`, the labels until the mean curve reaches what random reaches with the budget, as a
            share of the budget. needed_ci95: over seeds.
        gain: accuracy minus random's, averaged over the steps up to half of the labels. gain_ci95: paired over seeds.
        curve: mean accuracy at each step.
    """

    method: Method
    needed: tuple[float, ...]
    needed_ci95: tuple[Interval, ...]
    gain: float
    gain_ci95: Interval
    curve: tuple[float, ...]

    @property
    def beats_random(self) -> bool:
        """Whether the first half of the labels taught surely more than a random half."""
        return self.gain_ci95[0] > 0


def judge_method(method: Method, curves: Floats, random: Floats, shares: Sequence[float], *, seed: int = 0) -> Outcome:
    """Compare a method's curves (seeds, S) with random's (seeds, S), measured at shares (S) of all labels."""
    early = np.asarray(shares) <= 0.5
    gains = (curves - random)[:, early].mean(axis=1)
    half = student.ppf(0.975, len(gains) - 1) * gains.std(ddof=1) / np.sqrt(len(gains))
    rng = np.random.default_rng(seed)
    drawn = rng.integers(len(curves), size=(1000, len(curves)))
    needed = tuple(labels_needed(curves, random, shares, budget) for budget in BUDGETS)
    intervals = tuple(
        percentiles(np.asarray([labels_needed(curves[rows], random[rows], shares, budget) for rows in drawn]))
        for budget in BUDGETS
    )
    curve = tuple(curves.mean(axis=0).tolist())
    span = (float(gains.mean() - half), float(gains.mean() + half))
    return Outcome(method, needed, intervals, float(gains.mean()), span, curve)


def labels_needed(curves: Floats, random: Floats, shares: Sequence[float], budget: float) -> float:
    """Labels with which a method is as accurate as random with a budget, as a share of the budget.

    Read off the means of the curves, made monotone by isotonic regression so that one lucky step does not count, and
    straight between steps. A method that never gets there needs all labels: 1 / budget.

    Args:
        curves, random: (seeds, S) accuracy at each step.
        shares: (S,) labels of each step, as a share of all.
        budget: share of all labels.
    """
    target = accuracy_at(random, shares, budget)
    smooth = isotonic_regression(curves.mean(axis=0)).x
    above = np.flatnonzero(smooth >= target - 1e-12)
    if not len(above):
        return 1.0 / budget
    k = int(above[0])
    if k == 0:
        return float(shares[0]) / budget
    rise = (target - smooth[k - 1]) / (smooth[k] - smooth[k - 1])
    return float(shares[k - 1] + rise * (shares[k] - shares[k - 1])) / budget


def accuracy_at(curves: Floats, shares: Sequence[float], budget: float) -> float:
    """Mean accuracy of curves (seeds, S), made monotone, with a share of all labels."""
    return float(np.interp(budget, shares, isotonic_regression(curves.mean(axis=0)).x))
