"""P(judgment | scores) against formulas written down from the papers in numpy, finite differences and probability."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from judged import judged, ranking
from scipy.optimize import approx_fprime, minimize
from scipy.special import expit
from scipy.stats import beta

from reward.data import EncodedGroup
from reward.labels import Labels
from reward.likelihood import Likelihood, prepare, tie_start
from reward.losses import bradley_terry, centring_loss, davidson, plackett_luce_loss, rao_kupper

GAPS = np.linspace(-6, 6, 41)


def loss_of(scores: Any, group: EncodedGroup, model: Likelihood) -> torch.Tensor:
    ready = prepare(group, model.labels)
    assert ready is not None
    return model(torch.as_tensor(scores, dtype=torch.float64), ready)


def model_of(*annotators: str, **labels: Any) -> Likelihood:
    return Likelihood(Labels(**labels), annotators, tie_share=0.3).double()


def rao_kupper_1967(gap: np.ndarray, theta: float) -> np.ndarray:
    """Equations for merits π_i = e^Δ, π_j = 1 and threshold parameter κ = e^θ, as in the paper."""
    pi, kappa = np.exp(gap), math.exp(theta)
    tie = pi * (kappa**2 - 1) / ((pi + kappa) * (kappa * pi + 1))
    return np.stack([pi / (pi + kappa), tie, 1 / (1 + kappa * pi)])


def davidson_1970(gap: np.ndarray, nu: float) -> np.ndarray:
    pi = np.exp(gap)
    return np.stack([pi, nu * np.sqrt(pi), np.ones_like(pi)]) / (pi + 1 + nu * np.sqrt(pi))


@pytest.mark.parametrize("parameter", [0.05, 0.7, 2.5])
@pytest.mark.parametrize(("ours", "paper"), [(rao_kupper, rao_kupper_1967), (davidson, davidson_1970)])
def test_ties_are_as_likely_as_in_the_paper(ours: Any, paper: Any, parameter: float) -> None:
    found = ours(torch.tensor(GAPS), torch.tensor(parameter, dtype=torch.float64)).exp().numpy()
    np.testing.assert_allclose(found, paper(GAPS, parameter), rtol=1e-9)
    np.testing.assert_allclose(found.sum(axis=0), 1.0, rtol=1e-12)


def test_without_ties_it_is_bradley_terry() -> None:
    found = bradley_terry(torch.tensor(GAPS)).exp().numpy()
    np.testing.assert_allclose(found, [expit(GAPS), np.zeros_like(GAPS), expit(-GAPS)], atol=1e-12)
    nearly = rao_kupper(torch.tensor(GAPS), torch.tensor(1e-9, dtype=torch.float64)).exp().numpy()
    np.testing.assert_allclose(nearly, found, atol=1e-8)


@pytest.mark.parametrize("ties", ["rao-kupper", "davidson"])
def test_huge_gaps_stay_finite_in_float32(ties: Any) -> None:
    model = Likelihood(Labels(ties=ties), tie_share=0.3)
    gap = torch.tensor([-500.0, 500.0, 0.0], requires_grad=True)
    outcomes = model.log_probabilities(gap)
    outcomes.sum().backward()
    assert torch.isfinite(outcomes).all()
    assert torch.isfinite(gap.grad).all()
    assert torch.isfinite(model.log_tie.grad)


@pytest.mark.parametrize("share", [0.05, 0.4, 0.8])
@pytest.mark.parametrize(("ties", "paper"), [("rao-kupper", rao_kupper_1967), ("davidson", davidson_1970)])
def test_the_tie_parameter_starts_where_equals_tie_as_often_as_people_did(ties: Any, paper: Any, share: float) -> None:
    assert paper(np.zeros(1), tie_start(ties, share))[1, 0] == pytest.approx(share)


PEOPLE = (
    ranking("labeler-1", 1, 2, 2, None, weight=2.0, order=(3, 1, 0, 2)),
    ranking("labeler-2", 2, 1, 3, 4, order=(0, 1, 2, 3)),
    ranking("labeler-1", None, 1, 1, 2),
    ranking("labeler-3", 1, 1, 1, 1, weight=0.0),
)
SCORES = np.array([0.3, -0.8, 1.1, 0.2])


def by_hand(scores: np.ndarray, log_p: Any, *, ties: bool, bias: float = 0.0) -> float:
    """Mean over pairs of the weighted mean of −log P, by plain loops over what each person said."""
    places = {0: (2, 1, 3, 0), 1: (0, 1, 2, 3)}  # of the completions, in the orders above
    pairs = []
    for i in range(4):
        for j in range(i + 1, 4):
            votes = []
            for index, person in enumerate(PEOPLE):
                verdict = person.compare(i, j)
                weight = 1.0 if person.weight is None else person.weight
                if verdict is None or weight == 0 or (verdict == 0 and not ties):
                    continue
                shift = places[index][j] - places[index][i] if index in places else 0
                votes.append((weight, log_p(scores[i] - scores[j] + bias * shift, verdict, person.annotator)))
            if votes:
                pairs.append(-sum(w * p for w, p in votes) / sum(w for w, _ in votes))
    return float(np.mean(pairs))


def strict(gap: float, verdict: int, _: str) -> float:
    return math.log(expit(verdict * gap))


def test_single_judgments_without_ties_give_the_loss_of_the_shares() -> None:
    group = judged(*PEOPLE)
    single = loss_of(SCORES, group, model_of(position_bias=True))
    assert single.item() == pytest.approx(by_hand(SCORES, strict, ties=False))
    assert single.item() == pytest.approx(loss_of(SCORES, group, model_of()).item())


def test_those_left_over_below_the_best_were_not_compared() -> None:
    """Of "the best is 0" two preferences follow, and neither a tie nor anything else between the other two."""
    best = judged(ranking("ann", 1, 2, 2, top_only=True))
    found = sorted(zip(best.judgments.first.tolist(), best.judgments.second.tolist(), strict=True))
    assert found == [(0, 1), (0, 2)]
    assert len(judged(ranking("ann", 1, 2, 2)).judgments.first) == 3
    assert [(pair.i, pair.j) for pair in best.pairs] == found


def test_position_bias_adds_to_the_gap_by_places_shown() -> None:
    model = model_of(position_bias=True)
    with torch.no_grad():
        model.position.fill_(0.4)
    expected = by_hand(SCORES, strict, ties=False, bias=0.4)
    assert loss_of(SCORES, judged(*PEOPLE), model).item() == pytest.approx(expected)


@pytest.mark.parametrize(("ties", "paper"), [("rao-kupper", rao_kupper_1967), ("davidson", davidson_1970)])
def test_ties_count_as_judgments(ties: Any, paper: Any) -> None:
    model = model_of(ties=ties)
    parameter = model.log_tie.exp().item()

    def log_p(gap: float, verdict: int, _: str) -> float:
        return math.log(paper(np.array([gap]), parameter)[1 - verdict, 0])

    assert loss_of(SCORES, judged(*PEOPLE), model).item() == pytest.approx(by_hand(SCORES, log_p, ties=True))


def tell(model: Likelihood) -> None:
    """Three of twenty judgments of the first person were right beyond doubt, five of five of the second."""
    right, wrong = torch.log(model.grid), torch.log1p(-model.grid)
    model.evidence.copy_(torch.stack([3 * right + 17 * wrong, 5 * right, 0 * right]))


@pytest.mark.parametrize("ties", ["drop", "davidson"])
def test_crowd_bt_mixes_what_was_said_with_its_opposite(ties: Any) -> None:
    model = model_of("labeler-1", "labeler-2", "labeler-3", ties=ties, annotator_model="crowd-bt").eval()
    tell(model)
    names = ("labeler-1", "labeler-2")
    eta = dict(zip(names, (beta.mean(4.5 + 3, 0.5 + 17), beta.mean(4.5 + 5, 0.5)), strict=True))
    expected = [*eta.values(), 0.9]  # the prior for somebody who said nothing
    assert model.reliability().tolist() == pytest.approx(expected, abs=0.01)
    eta = dict(zip(names, model.reliability().tolist(), strict=False))
    nu = model.log_tie.exp().item() if ties == "davidson" else 0.0

    def log_p(gap: float, verdict: int, person: str) -> float:
        outcomes = davidson_1970(np.array([gap]), nu)[:, 0]
        said, opposite = outcomes[1 - verdict], outcomes[1 + verdict]
        return math.log(eta[person] * said + (1 - eta[person]) * opposite)

    expected = by_hand(SCORES, log_p, ties=ties == "davidson")
    assert loss_of(SCORES, judged(*PEOPLE), model).item() == pytest.approx(expected)


@pytest.mark.parametrize(
    "labels",
    [
        {"ties": "rao-kupper", "position_bias": True},
        {"ties": "davidson", "strength": "weight", "centre": 0.1},
        {"ties": "davidson", "annotator_model": "crowd-bt", "position_bias": True},
        {"strength": "margin-large", "position_bias": True},
        {"label_smoothing": 0.1, "position_bias": True},
    ],
    ids=str,
)
def test_gradients_by_finite_differences(labels: dict[str, Any]) -> None:
    model = model_of("labeler-1", "labeler-2", "labeler-3", **labels).eval()
    if labels.get("annotator_model"):
        tell(model)
    group = judged(*PEOPLE)
    if "strength" in labels:
        said = [ranking("labeler-1", 1, 2, strength=4), ranking("labeler-2", 2, 1, strength=1)]
        group = judged(*said, ranking("labeler-3", 1, 2))
    k = len(group.kept)
    parameters = list(model.parameters())
    start = np.concatenate([SCORES[:k], [0.2] * len(parameters)])

    def value(point: np.ndarray) -> torch.Tensor:
        with torch.no_grad():
            for parameter, number in zip(parameters, point[k:], strict=True):
                parameter.fill_(number)
        return loss_of(point[:k], group, model)

    expected = approx_fprime(start, lambda point: value(point).item(), 1e-7)
    scores = torch.tensor(start[:k], requires_grad=True)
    value(start)
    loss_of(scores, group, model).backward()
    found = np.concatenate([scores.grad.numpy(), [float(p.grad) for p in parameters]])
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize(("strength", "margin"), [(None, 0), (1, 0), (2, 1 / 3), (3, 2 / 3), (4, 1)])
def test_margins_are_those_of_llama_2(strength: int | None, margin: float) -> None:
    for ranks in ((1, 2), (2, 1)):
        group = judged(ranking("labeler-1", *ranks, strength=strength))
        gap = 0.7 if ranks == (1, 2) else -0.7
        for name, factor in (("margin", 1), ("margin-large", 3)):
            loss = loss_of([0.7, 0.0], group, model_of(strength=name)).item()
            assert loss == pytest.approx(-math.log(expit(gap - factor * margin)))


def test_strength_as_weight_scales_also_a_group_of_one_judgment() -> None:
    plain = loss_of([0.7, 0.0], judged(ranking("labeler-1", 1, 2)), model_of(strength="weight")).item()
    assert plain == pytest.approx(-math.log(expit(0.7)))
    said = [
        loss_of([0.7, 0.0], judged(ranking("labeler-1", 1, 2, strength=s)), model_of(strength="weight")).item()
        for s in (1, 2, 3, 4)
    ]
    assert said == pytest.approx([plain * factor for factor in (0.4, 0.8, 1.2, 1.6)])
    assert np.mean(said) == pytest.approx(plain)


def test_label_smoothing_takes_a_share_of_judgments_to_be_wrong() -> None:
    group = judged(ranking("labeler-1", 1, 2), ranking("labeler-2", 1, 2), ranking("labeler-3", 2, 1))
    right, wrong = math.log(expit(0.9)), math.log(expit(-0.9))
    expected = -np.mean([0.9 * right + 0.1 * wrong] * 2 + [0.9 * wrong + 0.1 * right])
    for labels in ({}, {"position_bias": True}):
        found = loss_of([0.9, 0.0], group, model_of(label_smoothing=0.1, **labels))
        assert found.item() == pytest.approx(expected)


def test_smoothing_leaves_a_tie_alone() -> None:
    group = judged(ranking("labeler-1", 1, 1))
    found = loss_of([0.9, 0.0], group, model_of(ties="davidson", label_smoothing=0.2))
    assert found.item() == pytest.approx(loss_of([0.9, 0.0], group, model_of(ties="davidson")).item())


def test_the_majority_decides_and_even_splits_go() -> None:
    votes = [(1, 2, 3), (1, 2, 3), (2, 1, 3), (2, 1, 3), (3, 2, 1)]
    group = judged(*(ranking(f"labeler-{i}", *v) for i, v in enumerate(votes)))
    ready = prepare(group, Labels(targets="majority"))
    assert ready is not None
    assert [(p.i, p.j, p.share) for p in ready.pairs] == [(0, 1, 0.0), (0, 2, 1.0), (1, 2, 1.0)]
    even = judged(ranking("labeler-1", 1, 2), ranking("labeler-2", 2, 1))
    assert prepare(even, Labels(targets="majority")) is None
    assert prepare(even, Labels()).pairs == even.pairs


def test_only_a_model_of_ties_keeps_groups_of_ties_alone() -> None:
    tied = judged(ranking("labeler-1", 1, 1))
    assert prepare(tied, Labels()) is None
    assert prepare(tied, Labels(position_bias=True)) is None
    assert len(prepare(tied, Labels(ties="davidson")).judgments) == 1
    loss = loss_of([0.4, 0.0], tied, model_of(ties="davidson", centre=0.5))
    assert torch.isfinite(loss)


def test_centring_is_the_mean_square_of_the_sum_of_a_pair() -> None:
    scores = torch.tensor([1.0, 2.0, -0.5], dtype=torch.float64)
    assert float(centring_loss(scores, torch.tensor([0, 1]), torch.tensor([1, 2]))) == pytest.approx((9 + 2.25) / 2)
    group = judged(ranking("labeler-1", 1, 2, 2))
    plain, both = (loss_of(scores, group, model_of(centre=c)).item() for c in (0.0, 0.01))
    assert both - plain == pytest.approx(0.01 * (3.0**2 + 0.5**2) / 2)
    listwise = [loss_of(scores, group, model_of(loss="plackett-luce", centre=c)).item() for c in (0.0, 0.01)]
    assert listwise[1] - listwise[0] == pytest.approx(both - plain)


def test_plackett_luce_takes_ties_after_breslow_and_weights_as_repetitions() -> None:
    ranks = torch.tensor([[1, 1, 2, 0], [2, 3, 1, 1], [2, 3, 1, 1]])
    weighted = plackett_luce_loss(torch.tensor(SCORES), ranks[:2], torch.tensor([1.0, 2.0], dtype=torch.float64))
    repeated = plackett_luce_loss(torch.tensor(SCORES), ranks, torch.ones(3, dtype=torch.float64))
    assert float(weighted) == pytest.approx(float(repeated))
    strength = np.exp(SCORES)
    first = [strength[0] / strength[:3].sum(), strength[1] / strength[:3].sum()]  # both from all three that were ranked
    second = [strength[2] / strength.sum(), strength[3] / strength.sum(), strength[0] / strength[:2].sum()]
    expected = -(np.log(first).mean() + 2 * np.log(second).mean()) / 3
    assert float(weighted) == pytest.approx(expected)


def test_scores_of_half_precision_are_compared_in_float32() -> None:
    group = prepare(judged(*PEOPLE), Labels(ties="davidson", position_bias=True))
    model = Likelihood(Labels(ties="davidson", position_bias=True), tie_share=0.3)
    scores = torch.tensor(SCORES, dtype=torch.float32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = model(scores, group)
    assert mixed.dtype == torch.float32
    assert mixed.item() == model(scores, group).item()


@pytest.mark.parametrize(("ties", "paper"), [("rao-kupper", rao_kupper_1967), ("davidson", davidson_1970)])
def test_planted_ties_and_position_bias_are_recovered(ties: Any, paper: Any) -> None:
    rng = np.random.default_rng(0)
    truth, parameter, bias = rng.normal(0, 1.2, 12), 0.8, 0.5
    groups = []
    for _ in range(4000):
        i, j = rng.choice(12, 2, replace=False)
        order = (0, 1) if rng.random() < 0.5 else (1, 0)
        shift = 1 if order == (0, 1) else -1
        outcome = rng.choice(3, p=paper(np.array([truth[i] - truth[j] + bias * shift]), parameter)[:, 0])
        groups.append(judged(ranking("labeler-1", *((1, 2), (1, 1), (2, 1))[outcome], order=order), items=(i, j)))
    together = merged(groups)
    model = model_of(ties=ties, position_bias=True)
    scores = torch.nn.Parameter(torch.zeros(12, dtype=torch.float64))
    learned = [scores, *model.parameters()]

    def objective(point: np.ndarray) -> tuple[float, np.ndarray]:
        with torch.no_grad():
            torch.nn.utils.vector_to_parameters(torch.tensor(point), learned)
        for each in learned:
            each.grad = None
        value = model(scores, together)
        value.backward()
        return value.item(), np.concatenate([each.grad.reshape(-1).numpy() for each in learned])

    objective(minimize(objective, torch.nn.utils.parameters_to_vector(learned).detach().numpy(), jac=True).x)
    assert model.log_tie.exp().item() == pytest.approx(parameter, abs=0.06)
    assert model.position.item() == pytest.approx(bias, abs=0.1)
    np.testing.assert_allclose((scores - scores.mean()).detach(), truth - truth.mean(), atol=0.25)


def merged(groups: list[EncodedGroup]) -> EncodedGroup:
    """One group of all items with the judgments of many pairs, each judgment a pair of its own in the mean."""
    items = [tail[0] for g in groups for tail in g.tails]
    judgments = groups[0].judgments
    join = {
        name: np.concatenate([getattr(g.judgments, name) for g in groups])
        for name in ("verdict", "weight", "strength", "shift", "choices")
    }
    first, second = (np.array(items[side::2], dtype=np.int16) for side in (0, 1))
    person = np.zeros(len(groups), dtype=np.int16)
    all_judged = replace(judgments, first=first, second=second, person=person, **join)
    return replace(groups[0], kept=tuple(range(12)), judgments=all_judged)
