"""Optimal design against brute force, autograd and simulation."""

from itertools import combinations

import numpy as np
import pytest
import torch

from reward.design import closeness, d_optimal, disagreement, information_roots, least_variance, stack

D = 5


def pool(count=12, seed=0, widest=4):
    """Candidates of 2 to ``widest`` completions with features and the scores of a random head."""
    rng = np.random.default_rng(seed)
    head = rng.normal(size=D)
    features = [rng.normal(size=(k, D)) for k in rng.integers(2, widest + 1, size=count)]
    return features, [(rows @ head).tolist() for rows in features], head


def information(rows, head):
    """Hessian of the pairwise loss of one ranking by autograd, each pair counting 2 / K."""
    differences = torch.as_tensor(np.array([rows[i] - rows[j] for i, j in combinations(range(len(rows)), 2)]))

    def loss(w):
        return 2 / len(rows) * torch.nn.functional.softplus(-(differences @ w)).sum()

    return torch.autograd.functional.hessian(loss, torch.as_tensor(head)).numpy()


def test_roots_give_the_information_of_a_ranking():
    features, scores, head = pool()
    roots = information_roots(stack(features, scores))
    assert len({len(rows) for rows in features}) > 1
    for root, rows in zip(roots, features, strict=True):
        assert root.T @ root == pytest.approx(information(rows, head))


def test_the_greedy_choice_is_that_of_the_definition():
    features, scores, head = pool()
    precision = 0.3 * np.eye(D) + information(features[0], head)
    found = d_optimal(information_roots(stack(features, scores)), np.linalg.inv(precision), 8)
    left = set(range(len(features)))
    for pick, gain in found:
        after = {k: np.linalg.slogdet(precision + information(features[k], head))[1] for k in left}
        best = max(after, key=after.__getitem__)
        assert pick == best
        assert gain == pytest.approx(after[best] - np.linalg.slogdet(precision)[1])
        precision += information(features[best], head)
        left.remove(best)


def names(chosen):
    return [k for k, _ in chosen]


def test_the_least_variance_is_that_of_the_definition():
    features, scores, head = pool(count=10, seed=5)
    infos = [information(rows, head) for rows in features]
    mean = sum(infos) / len(infos)
    precision = 0.5 * np.eye(D)
    left = set(range(len(features)))
    for pick, gain in least_variance(information_roots(stack(features, scores)), np.linalg.inv(precision), 10):
        after = {k: np.trace(np.linalg.inv(precision + infos[k]) @ mean) for k in left}
        best = min(after, key=after.__getitem__)
        assert pick == best
        assert gain == pytest.approx(np.trace(np.linalg.inv(precision) @ mean) - after[best])
        precision += infos[best]
        left.remove(best)
    assert not left


def test_twins_are_not_asked_twice_and_diversity_spreads_over_prompts():
    axes = np.eye(D)[:2]
    roots = np.stack([axes[[0]], axes[[0]] * 0.99, axes[[1]] * 0.9])
    assert names(d_optimal(roots, 4 * np.eye(D), 2)) == [0, 2]
    rng = np.random.default_rng(0)
    roots = rng.normal(size=(40, 1, D)) * np.where(np.arange(40) < 20, 1.0, 0.3)[:, None, None]
    prompts = np.eye(2)[(np.arange(40) >= 20).astype(int)]
    plain, spread = (names(d_optimal(roots, np.eye(D), 12, embeddings=each)) for each in (None, prompts))
    assert sum(k >= 20 for k in spread) > sum(k >= 20 for k in plain)
    assert len(set(spread)) == 12


def test_everything_is_chosen_where_the_budget_allows():
    features, scores, _ = pool(count=5)
    assert sorted(names(d_optimal(information_roots(stack(features, scores)), np.eye(D), 9))) == [0, 1, 2, 3, 4]


def test_disagreement_is_that_of_drawn_heads():
    features, scores, head = pool(count=6, seed=3)
    rng = np.random.default_rng(1)
    covariance = np.cov(rng.normal(size=(D, 20)))
    heads = rng.multivariate_normal(head, covariance, size=40_000)
    found = disagreement(stack(features, scores), covariance)
    for value, rows in zip(found, features, strict=True):
        order = [(heads @ (rows[i] - rows[j])) > 0 for i, j in combinations(range(len(rows)), 2)]
        assert value == pytest.approx(np.mean([np.mean(one[::2] != one[1::2]) for one in order]), abs=0.01)


def test_closeness_prefers_small_gaps():
    found = closeness(stack([np.zeros((2, D)), np.zeros((3, D))], [[0.0, 3.0], [0.0, 1.0, -1.0]]))
    assert found == pytest.approx([-3.0, -(1 + 1 + 2) / 3])
