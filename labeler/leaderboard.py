"""How the models stand whose completions people ranked: Bradley–Terry with ties over all pairs within each ranking.

Pure. Intervals come from resampling whole tasks: the pairs of one ranking, and the rankings of one task, hang together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from labeler.agreement import Estimate
from labeler.comparisons import Comparisons, Floats, Resamples, estimates
from labeler.statistics import chances, comparable, davidson

SAMPLES = 200
"""Bootstrap samples in which the whole model is fitted anew."""


@dataclass(frozen=True, slots=True)
class Standing:
    """One model.

    Attributes:
        model: its name.
        score: Bradley–Terry score θ in nats, 0 being the mean of those that can be compared; the interval is None where
            the model won or lost everything, or was never compared with the most others: its score is then a guess.
        win_rate: expected share of wins against the other models, each counting the same, a tie being half a win.
        wins, ties, losses: as counted.
    """

    model: str
    score: Estimate
    win_rate: Estimate
    wins: int
    ties: int
    losses: int


@dataclass(frozen=True, slots=True)
class Duel:
    """How two models did against each other; ``rate`` is the share of wins of the first, a tie being half a win."""

    model: str
    against: str
    wins: int
    ties: int
    losses: int
    rate: Estimate


@dataclass(frozen=True, slots=True)
class Leaderboard:
    """Models from the best down, every two that were compared (both ways), and ν, the readiness to call a tie."""

    standings: tuple[Standing, ...]
    duels: tuple[Duel, ...]
    tie_parameter: float | None


def leaderboard(table: Comparisons, *, seed: int = 0, samples: int = SAMPLES) -> Leaderboard:
    """Scores, win rates and the matrix of duels; empty where no two models were compared."""
    if not table.tasks:
        return Leaderboard((), (), None)
    wins, ties, drawn_wins, drawn_ties = _tables(table, Resamples(table.tasks, seed=seed, samples=samples))
    seen = np.asarray((wins + wins.T + ties).any(axis=1))
    if not seen.any():
        return Leaderboard((), (), None)
    keep = np.ix_(seen, seen)
    wins, ties = wins[keep], ties[keep]
    drawn_wins, drawn_ties = drawn_wins[:, seen][:, :, seen], drawn_ties[:, seen][:, :, seen]
    names = [name for name, was in zip(table.models, seen, strict=True) if was]
    inside = comparable(wins, ties)
    best = davidson(wins[None], ties[None])
    drawn = davidson(drawn_wins, drawn_ties, start=best[0])
    rates, drawn_rates = _win_rates(best)[0], _win_rates(drawn)
    scores, drawn_scores = (
        found[:, :-1] - found[:, :-1][:, inside].mean(axis=1, keepdims=True) for found in (best, drawn)
    )
    counted = (wins + wins.T + ties).sum(axis=1)
    standings = [
        Standing(
            name,
            _interval(scores[0, m], drawn_scores[:, m] if inside[m] else None, counted[m]),
            _interval(rates[m], drawn_rates[:, m] if inside[m] else None, counted[m]),
            *(round(float(cells.sum())) for cells in (wins[m], ties[m], wins[:, m])),
        )
        for m, name in enumerate(names)
    ]
    duels = [
        Duel(
            names[i],
            names[j],
            round(float(wins[i, j])),
            round(float(ties[i, j])),
            round(float(wins[j, i])),
            estimates(
                drawn_wins[:, i, j, None] + drawn_ties[:, i, j, None] / 2,
                (drawn_wins[:, i, j] + drawn_ties[:, i, j] + drawn_wins[:, j, i])[:, None],
                wins[i, j, None] + ties[i, j, None] / 2,
                wins[i, j, None] + ties[i, j, None] + wins[j, i, None],
            )[0],
        )
        for i, j in np.argwhere(wins + wins.T + ties > 0)
    ]
    standings.sort(key=lambda standing: -(standing.score.value or 0.0))
    return Leaderboard(tuple(standings), tuple(duels), float(np.exp(best[0, -1])))


def _tables(table: Comparisons, draws: Resamples) -> tuple[Floats, Floats, Floats, Floats]:
    """Wins and ties (M, M) of every two different models, and the same (R, M, M) in each draw."""
    count = len(table.models)
    first, second = table.models_of[table.pair].T
    ours = first != second
    first, second, verdict = first[ours], second[ours], table.verdict[ours]
    winner, loser = np.where(verdict >= 0, first, second), np.where(verdict >= 0, second, first)
    cell = np.where(verdict == 0, count**2, 0) + winner * count + loser
    task, ones = table.task[table.pair][ours], np.ones(len(cell))
    drawn = draws.sums(task, cell, ones, 2 * count**2).reshape(draws.samples, 2, count, count)
    wins, ties = np.bincount(cell, minlength=2 * count**2).astype(float).reshape(2, count, count)
    drawn_ties = drawn[:, 1] + drawn[:, 1].swapaxes(1, 2)
    return wins, ties + ties.T, drawn[:, 0], drawn_ties


def _win_rates(parameters: Floats) -> Floats:
    """(R, P) mean chance to win against each other side, a tie counting one half."""
    win, tie = chances(parameters)
    sides = win.shape[1]
    return np.asarray(((win + tie / 2).sum(axis=2) - 0.5) / max(sides - 1, 1))


def _interval(value: float, drawn: Floats | None, counted: float) -> Estimate:
    low, high = (None, None) if drawn is None else map(float, np.percentile(drawn, (2.5, 97.5)))
    return Estimate(float(value), low, high, round(float(counted)))
