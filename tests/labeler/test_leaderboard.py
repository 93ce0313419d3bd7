"""The models' leaderboard: beside Davidson's own example, counts by hand, and simulated truth."""

from __future__ import annotations

import numpy as np
import pytest
from simulated import duels, ranks
from test_statistics import PUDDINGS

from labeler.comparisons import comparisons
from labeler.leaderboard import Leaderboard, leaderboard
from labeler.records import Completion, Group, Message, Ranking


def of(groups: list[Group], **options: int) -> Leaderboard:
    return leaderboard(comparisons(groups), **options)


def group(name: str, models: tuple[str | None, ...], *said: tuple[int | None, ...]) -> Group:
    completions = tuple(Completion(f"c{i}", f"text {i}", model) for i, model in enumerate(models))
    rankings = tuple(Ranking(f"labeler-{n}", ranks) for n, ranks in enumerate(said))
    return Group(name, (Message("user", "?"),), completions, rankings)


def test_the_puddings_of_davidson():
    groups = []
    for i, j, ours, theirs, neither in np.array(PUDDINGS.split(), dtype=int).reshape(-1, 5):
        for verdict, times in ((1, ours), (-1, theirs), (0, neither)):
            groups += [group(f"{i} {j} {verdict} {n}", (f"b{i}", f"b{j}"), ranks(verdict)) for n in range(times)]
    board = of(groups)
    worth = {standing.model: np.exp(standing.score.value) for standing in board.standings}
    worths = [0.1388005, 0.1729985, 0.1617420, 0.1653930, 0.1586805, 0.2023855]
    published = {f"b{n}": value for n, value in enumerate(worths, start=1)}
    assert {name: value / sum(worth.values()) for name, value in worth.items()} == pytest.approx(published, abs=2e-4)
    assert board.tie_parameter == pytest.approx(0.7468147, abs=2e-4)
    assert board.standings[0].model == "b6"
    first = next(duel for duel in board.duels if (duel.model, duel.against) == ("b1", "b2"))
    assert (first.wins, first.ties, first.losses, first.rate.value) == (19, 16, 22, 27 / 57)


def test_all_pairs_within_a_ranking_count_and_a_model_against_itself_does_not():
    board = of(
        [
            group("g", ("a", "a", "b", None), (1, 2, 2, 3)),
            group("h", ("b", None), (2, 1)),
            group("i", ("a", "b"), (2, 1)),
        ]
    )
    counted = {(duel.model, duel.against): (duel.wins, duel.ties, duel.losses) for duel in board.duels}
    assert counted["a", "b"] == (1, 1, 1)
    assert counted["a", "unknown model"] == (2, 0, 0)
    assert counted["unknown model", "b"] == (1, 0, 1)
    assert counted["b", "a"] == (1, 1, 1)


def test_a_model_that_lost_everything_has_no_interval_and_moves_nobody():
    groups = duels((0.3, -0.3), 0.5, 60, 1)
    alone = of(groups)
    lost = of([*groups, *(group(f"lost {n}", ("m0", "worst"), (1, 2)) for n in range(5))])
    last = lost.standings[-1]
    assert (last.model, last.score.low, last.wins, last.losses) == ("worst", None, 0, 5)
    first, second = ({s.model: s.score.value for s in board.standings} for board in (alone, lost))
    assert second["m0"] == pytest.approx(first["m0"], abs=0.02)


def test_nothing_ranked_is_an_empty_board():
    assert of([]) == of([group("g", ("a", "b"))]) == of([group("g", ("a", "a"), (1, 2))]) == Leaderboard((), (), None)


def test_known_scores_and_win_rates_are_found_again_and_intervals_cover_them():
    theta, nu = np.array([-0.8, 0.0, 0.2, 0.6]), 0.5
    half = np.subtract.outer(theta, theta) / 2
    rates = (np.exp(half) + nu / 2) / (np.exp(half) + np.exp(-half) + nu)
    truth = (rates.sum(axis=1) - 0.5) / 3
    covered, errors = [], []
    for seed in range(40):
        found = {s.model: s for s in of(duels(theta, nu, 250, seed), samples=100).standings}
        for m in range(4):
            score, rate = found[f"m{m}"].score, found[f"m{m}"].win_rate
            errors.append(score.value - (theta[m] - theta.mean()))
            covered += [score.low <= theta[m] - theta.mean() <= score.high, rate.low <= truth[m] <= rate.high]
    assert abs(np.mean(errors)) < 0.01
    assert np.std(errors) < 0.25
    assert 0.91 <= np.mean(covered) <= 0.98


def test_judgments_of_one_task_are_resampled_together():
    once = of(duels((0.5, -0.5), 0.5, 80, 2))
    ten = [
        group(g.id, tuple(c.model for c in g.completions), *[g.rankings[0].ranks] * 10)
        for g in duels((0.5, -0.5), 0.5, 80, 2)
    ]
    assert of(ten).standings[0].score.low == pytest.approx(once.standings[0].score.low, abs=0.02)
