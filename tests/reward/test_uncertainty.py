"""The Laplace approximation against autograd, quadrature and simulation; what is caught is what the head read."""

from pathlib import Path

import numpy as np
import pytest
import torch
from builders import AWKWARD, group
from scipy.integrate import quad
from scipy.special import expit
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from labeler.errors import ModelError
from reward.artifact import BUDGET, Scorer, save_artifact
from reward.features import score_and_features
from reward.model import head, new_reward_model
from reward.pairs import collect_pairs
from reward.uncertainty import (
    Laplace,
    choose_prior,
    fisher_information,
    gap_deviations,
    kappa,
    observations,
    shrunk,
    training_information,
)
from reward.uncertainty_check import auroc_with_interval, check_uncertainty


def test_information_is_the_hessian_of_the_pairwise_loss():
    rng = np.random.default_rng(0)
    differences, weights, w = rng.normal(size=(30, 4)), rng.random(30), rng.normal(size=4)

    def loss(head_weights):
        gaps = torch.as_tensor(differences) @ head_weights
        return (torch.as_tensor(weights) * torch.nn.functional.softplus(-gaps)).sum()

    expected = torch.autograd.functional.hessian(loss, torch.as_tensor(w)).numpy()
    assert fisher_information(differences, differences @ w, weights) == pytest.approx(expected)


@pytest.mark.parametrize(("gap", "deviation", "temperature"), [(0.5, 1.0, 1.0), (-2.0, 3.0, 1.0), (4.0, 2.0, 2.5)])
def test_adjusted_probability_is_the_mean_over_the_posterior(gap, deviation, temperature):
    mean, _ = quad(
        lambda x: expit(x / temperature) * norm.pdf(x, gap, deviation), gap - 12 * deviation, gap + 12 * deviation
    )
    assert expit(shrunk(np.array([gap]), np.array([deviation]), temperature))[0] == pytest.approx(mean, abs=0.02)


def test_without_deviation_nothing_changes():
    assert kappa(np.zeros(2)).tolist() == [1.0, 1.0]


def test_deviation_of_a_gap_is_that_of_the_feature_difference():
    rng = np.random.default_rng(1)
    features, root = rng.normal(size=(3, 5)), rng.normal(size=(8, 5))
    laplace = Laplace(root.T @ root, rng.normal(size=5), prior=0.7)
    inverse = np.linalg.inv(root.T @ root + 0.7 * np.eye(5))
    pairs = collect_pairs([group("g", "p", ["a", "b", "c"], (1, 2, 3))], [[3, 2, 1]])
    difference = features[0] - features[2]
    found = gap_deviations(pairs, [laplace.covariance(features)])
    assert found[1] == pytest.approx(np.sqrt(difference @ inverse @ difference))  # pairs come as 01, 02, 12
    centred = features - laplace.mean
    assert np.diag(laplace.covariance(features)) == pytest.approx(np.diag(centred @ inverse @ centred.T))


def test_true_gaps_lie_within_the_stated_deviations():
    """Weights from the prior, choices from the model, a maximum a posteriori fit: 95 % of true gaps within 1.96 s."""
    rng = np.random.default_rng(2)
    inside = []
    for _ in range(20):
        truth = rng.normal(size=6)
        x = rng.normal(size=(150, 6))
        wins = rng.random(150) < expit(x @ truth)
        signed = torch.as_tensor(np.where(wins[:, None], x, -x))
        w = torch.zeros(6, dtype=torch.float64, requires_grad=True)
        optimizer = torch.optim.LBFGS([w], max_iter=100)

        def objective(optimizer=optimizer, signed=signed, w=w):
            optimizer.zero_grad()
            value = torch.nn.functional.softplus(-signed @ w).sum() + (w**2).sum() / 2
            value.backward()
            return value

        optimizer.step(objective)
        fitted = w.detach().numpy()
        laplace = Laplace(fisher_information(x, x @ fitted, np.ones(150)), np.zeros(6), prior=1.0)
        new = rng.normal(size=(200, 6))
        deviation = np.sqrt(np.diag(laplace.covariance(new)))
        inside += (np.abs(new @ (fitted - truth)) < 1.96 * deviation).tolist()
    assert np.mean(inside) == pytest.approx(0.95, abs=0.03)


def made(count, features_of, weights, noise, seed):
    """Groups of two whose choices follow the weights; the model's scores carry an error along the last direction."""
    rng = np.random.default_rng(seed)
    groups, scores, features = [], [], []
    for i in range(count):
        x = features_of(rng)
        wins = rng.random() < expit((x[0] - x[1]) @ weights)
        groups.append(group(f"g{i}", f"prompt {i}", ["a", "b"], (1, 2) if wins else (2, 1)))
        scores.append((x @ (weights + noise)).tolist())
        features.append(x)
    return groups, scores, features


def test_prior_is_chosen_so_that_unsure_gaps_shrink_where_that_helps():
    def features_of(rng):  # half of the pairs differ in a direction that training never saw
        x = rng.normal(size=(2, 4))
        x[:, 3] = 3 * rng.normal(size=2) if rng.random() < 0.5 else 0.0
        return x

    def known(rng):
        x = rng.normal(size=(2, 4))
        x[:, 3] = 0.0
        return x

    weights, error = np.array([1.0, -1.0, 0.5, 0.0]), np.array([0, 0, 0, 2.0])
    start = training_information(*made(300, known, weights, 0 * error, 0), total=300)
    assert start.prior == 5.0
    groups, scores, features = made(400, features_of, weights, error, 1)
    fitted = choose_prior(start, collect_pairs(groups, scores).decided(), features)
    groups, scores, features = made(600, features_of, weights, error, 2)
    covariances = [fitted.covariance(rows) for rows in features]
    found = check_uncertainty(groups, scores, covariances, fitted, temperature=1.0)
    assert found.log_loss < found.log_loss_plain
    assert found.auroc_ci95[0] > 0.5
    assert "wrong more often" in found.verdict
    assert "makes probabilities better" in found.verdict


def test_uncertainty_that_says_nothing_is_called_that():
    rng = np.random.default_rng(3)
    groups = [group(f"g{i}", f"prompt {i}", ["a", "b"], (1, 2)) for i in range(200)]
    scores = rng.normal(size=(200, 2)).tolist()
    covariances = [np.diag(rng.random(2)) for _ in range(200)]
    laplace = Laplace(np.eye(2), np.zeros(2), 1.0)
    found = check_uncertainty(groups, scores, covariances, laplace, temperature=1.0)
    assert "does not tell which pairs are wrong" in found.verdict


def test_area_under_the_curve_is_scikit_learns():
    rng = np.random.default_rng(4)
    value, wrong = np.round(rng.normal(size=300), 1), rng.integers(0, 2, size=300)
    area, (low, high) = auroc_with_interval(np.arange(300), value + wrong, wrong.astype(float), seed=0)
    assert area == pytest.approx(roc_auc_score(wrong, value + wrong))
    assert low < area < high
    assert auroc_with_interval(np.arange(3), np.arange(3.0), np.zeros(3), seed=0) == (None, None)


def test_a_ranking_of_k_counts_as_k_minus_one_observations():
    ranked = observations(group("g", "p", ["a", "b", "c", "d"], (1, 2, 3, 4), (1, 2, None, None)))
    assert sum(ranked.values()) == pytest.approx(3 + 1)
    assert ranked[0, 1] == pytest.approx(2 / 4 + 1)
    assert observations(group("g", "p", ["a", "b"], (1, 1))) == {}


@pytest.mark.parametrize("family", ["llama", "gpt2", "bert"])
@pytest.mark.parametrize("mode", ["own", "padded"])
def test_what_is_caught_gives_the_scores(tiny_base, family, mode):
    model, tokenizer = new_reward_model(tiny_base(family), seed=0)
    if mode == "padded":
        model.use("padded")
    scorer = Scorer(model, tokenizer)
    encoded, _ = scorer.encode(AWKWARD)
    scores, features = score_and_features(model, encoded, BUDGET)
    linear = head(model.classifier)
    weight = linear.weight.detach().double().numpy()[0]
    bias = 0.0 if linear.bias is None else float(linear.bias.detach())
    for values, rows in zip(scores, features, strict=True):
        assert rows @ weight + bias == pytest.approx(np.array(values), abs=1e-4)


def test_the_folder_keeps_it_where_no_engine_looks(tiny_base, tmp_path: Path):
    model, tokenizer = new_reward_model(tiny_base("llama"), seed=0)
    scorer = Scorer(model, tokenizer, mean=0.5, std=2.0)
    encoded, _ = scorer.encode(AWKWARD)
    scorer.uncertainty = training_information(AWKWARD, *score_and_features(model, encoded, BUDGET), total=10)
    save_artifact(tmp_path / "rm", scorer, "card\n")
    assert [path.name for path in (tmp_path / "rm").glob("*.safetensors")] == ["model.safetensors"]
    loaded = Scorer.from_pretrained(tmp_path / "rm", device="cpu")
    first, second = (s.score_with_uncertainty("Name a prime.", ["7", "9 is one", "7"]) for s in (scorer, loaded))
    assert second.deviations == pytest.approx(first.deviations, rel=1e-3)
    assert first.scores == pytest.approx(scorer.score("Name a prime.", ["7", "9 is one", "7"]), abs=1e-5)
    assert first.gap_deviation(0, 2) == pytest.approx(0, abs=1e-3)
    assert first.probability(0, 2) == pytest.approx(0.5, abs=1e-4)
    assert abs(first.probability(0, 1) - 0.5) < abs(expit(first.raw[0] - first.raw[1]) - 0.5)
    raw = scorer.score_with_uncertainty("Name a prime.", ["7"], raw=True)
    assert raw.deviations[0] == pytest.approx(2 * first.deviations[0], rel=1e-3)
    (tmp_path / "rm" / "uncertainty" / "laplace.safetensors").write_bytes(b"x")
    with pytest.raises(ModelError, match="cannot be read"):
        Scorer.from_pretrained(tmp_path / "rm")
    scorer.uncertainty = None
    with pytest.raises(ModelError, match="train it with"):
        scorer.score_with_uncertainty("Name a prime.", ["7"])
