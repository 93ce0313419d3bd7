"""Losses against values worked out by hand, brute force and finite differences."""

from __future__ import annotations

import math
from itertools import combinations, permutations

import numpy as np
import pytest
import torch
from builders import group
from scipy.optimize import approx_fprime
from scipy.special import log_expit, log_softmax

from reward.data import EncodedGroup, compared_pairs, ranked_lists
from reward.losses import LOSSES, pairwise_loss, plackett_luce_loss


def index(*values: int) -> torch.Tensor:
    return torch.tensor(values)


def encode(ranks: list[tuple[int | None, ...]]) -> EncodedGroup:
    one = group("g", "p", [str(k) for k in range(len(ranks[0]))], *ranks)
    kept = tuple(range(len(ranks[0])))
    empty = np.zeros(0, dtype=np.int32)
    return EncodedGroup("g", kept, empty, (), tuple(compared_pairs(one, kept)), tuple(ranked_lists(one, kept)))


@pytest.mark.parametrize(
    ("gap", "share", "loss"),
    [
        (0.0, 1.0, 0.6931471805599453),  # ln 2
        (1.0, 1.0, 0.31326168751822286),  # ln(1 + 1/e)
        (-1.0, 1.0, 1.3132616875182228),
        (math.log(3), 0.75, 0.5623351446188083),  # entropy of (3/4, 1/4): the minimum at this share
        (1000.0, 1.0, 0.0),
        (-1000.0, 1.0, 1000.0),  # e^1000 overflows any float
        (100.0, 0.5, 50.0),
    ],
)
def test_pairwise_by_hand(gap: float, share: float, loss: float) -> None:
    scores = torch.tensor([gap, 0.0], requires_grad=True)
    value = pairwise_loss(scores, index(0), index(1), torch.tensor([share]))
    assert value.item() == pytest.approx(loss, rel=1e-6, abs=1e-9)
    value.backward()
    assert torch.isfinite(scores.grad).all()


def test_every_group_weighs_the_same_and_each_pair_its_share_of_it() -> None:
    scores = np.array([0.3, -1.2, 2.0, 0.1])
    ranking = (1, 2, 3, 4)
    expected = -np.mean([log_expit(scores[i] - scores[j]) for i, j in combinations(range(4), 2)])
    one = encode([ranking])
    assert len(one.pairs) == 6
    assert float(LOSSES["pairwise"](torch.tensor(scores), one)) == pytest.approx(expected)


def test_votes_are_soft_targets_and_ties_are_left_out() -> None:
    one = encode([(1, 2, 2), (1, 2, None), (2, 1, 1)])
    assert [(p.i, p.j, p.share) for p in one.pairs] == [(0, 1, 2 / 3), (0, 2, 0.5)]
    scores = np.array([1.0, 0.2, -0.5])
    both = [log_expit(0.8) * 2 / 3 + log_expit(-0.8) / 3, log_expit(1.5) / 2 + log_expit(-1.5) / 2]
    assert float(LOSSES["pairwise"](torch.tensor(scores), one)) == pytest.approx(-np.mean(both))


def test_plackett_luce_is_the_probability_of_the_order() -> None:
    scores = torch.tensor([0.5, -1.0, 2.0], dtype=torch.float64)
    total = 0.0
    for order in permutations(range(3)):
        ranks = torch.tensor([[order.index(k) + 1 for k in range(3)]])
        loss = float(plackett_luce_loss(scores, ranks, torch.ones(1, dtype=torch.float64)))
        first = log_softmax(scores.numpy())[order[0]]
        second = log_softmax(scores.numpy()[list(order[1:])])[0]
        assert loss * 2 == pytest.approx(-(first + second))  # two choices decide an order of three
        total += math.exp(-2 * loss)
    assert total == pytest.approx(1.0)


def test_plackett_luce_of_two_is_the_pairwise_loss() -> None:
    scores = torch.tensor([0.4, -0.3])
    one = encode([(1, 2), (2, 1), (1, 2)])
    assert float(LOSSES["plackett-luce"](scores, one)) == pytest.approx(float(LOSSES["pairwise"](scores, one)))


def test_plackett_luce_with_ties_and_gaps_by_hand() -> None:
    scores = np.array([0.2, 1.0, -0.7, 3.0])
    tied = float(LOSSES["plackett-luce"](torch.tensor(scores), encode([(1, 1, 2, None)])))
    three = log_softmax(scores[:3])
    assert tied == pytest.approx(-(three[0] + three[1]) / 2)


@pytest.mark.parametrize("name", ["pairwise", "plackett-luce"])
def test_gradients_by_finite_differences(name: str) -> None:
    one = encode([(1, 2, 3, 3), (4, None, 1, 2), (2, 1, 1, 3)])
    point = np.array([0.1, -0.4, 1.3, 0.0])

    def value(scores: np.ndarray) -> float:
        return float(LOSSES[name](torch.tensor(scores), one))

    scores = torch.tensor(point, requires_grad=True)
    LOSSES[name](scores, one).backward()
    np.testing.assert_allclose(scores.grad, approx_fprime(point, value, 1e-7), atol=1e-5)
    assert torch.autograd.gradcheck(lambda s: LOSSES[name](s, one), torch.tensor(point, requires_grad=True))


@pytest.mark.parametrize("name", ["pairwise", "plackett-luce"])
def test_huge_gaps_neither_overflow_nor_lose_their_gradient(name: str) -> None:
    scores = torch.tensor([-300.0, 0.0, 300.0], requires_grad=True)
    loss = LOSSES[name](scores, encode([(1, 2, 3)]))
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(scores.grad).all()
    assert scores.grad[0] < 0 < scores.grad[2]
