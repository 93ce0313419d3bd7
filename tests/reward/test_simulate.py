"""Simulated annotators err as often as their model says, and each has a taste of their own."""

import numpy as np
import pytest
from builders import group
from scipy.special import expit

from reward.rounds.simulate import Annotator, annotators, label, rank, utilities


def test_of_two_the_better_one_wins_as_often_as_the_logistic_function_says():
    person, generator = Annotator("labeler-1", 0.0, noise=0.7), np.random.default_rng(0)
    worth = np.array([1.0, 0.4])
    wins = np.mean([rank(person, worth, generator)[0] == 1 for _ in range(20_000)])
    assert wins == pytest.approx(expit(0.6 / 0.7), abs=0.01)


def test_whole_rankings_follow_plackett_and_luce():
    person, generator = Annotator("labeler-1", 0.0, noise=1.0), np.random.default_rng(1)
    worth = np.array([0.5, 0.0, -1.0])
    weights = np.exp(worth)
    expected = weights[1] / weights.sum() * weights[0] / (weights[0] + weights[2])  # second, then first, then third
    seen = np.mean([rank(person, worth, generator) == (2, 1, 3) for _ in range(20_000)])
    assert seen == pytest.approx(expected, abs=0.01)


def test_without_noise_they_rank_by_utility_and_taste_for_length_counts():
    texts = ["short", "a much longer answer than the other"]
    liking, blind = Annotator("labeler-1", 5.0, 0.0), Annotator("labeler-2", 0.0, 0.0)
    labelled = label(group("g", "Why?", texts), [0.2, 0.0], [liking, blind], seed=0)
    assert [ranking.ranks for ranking in labelled.rankings] == [(2, 1), (1, 2)]
    assert utilities(blind, [0.2, 0.0], [5, 35]).tolist() == [0.2, 0.0]


def test_the_same_seed_gives_the_same_labels_in_any_order():
    people = annotators(3, noise=1.0, spread=0.5, seed=7)
    assert [person.name for person in people] == ["labeler-1", "labeler-2", "labeler-3"]
    assert len({person.length_taste for person in people}) == 3
    one, two = group("one", "Why?", ["a", "b", "c"]), group("two", "How?", ["d", "e", "f"])
    alone = label(two, [0.0, 0.1, 0.2], people, seed=3)
    label(one, [0.0, 0.1, 0.2], people, seed=3)
    assert label(two, [0.0, 0.1, 0.2], people, seed=3) == alone
    assert label(two, [0.0, 0.1, 0.2], people[::-1], seed=3).rankings == alone.rankings[::-1]
