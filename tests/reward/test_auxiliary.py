"""What is learned beside the model: recovery of what was planted, EM by hand, checkpoints, several processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from judged import encode, judged, ranking
from safetensors.torch import load_file
from scipy.integrate import quad
from scipy.special import expit
from scipy.stats import beta
from sklearn.linear_model import LogisticRegression

from labeler.formats import write_groups
from labeler.records import Completion, Group, Message
from reward import train
from reward.auxiliary import Auxiliary, collect, tie_share
from reward.config.train import TrainConfig
from reward.consensus import PRIOR_MEAN, RIDGE, Comparisons, agree, evidence_of, item_scores, posterior_mean
from reward.data import EncodedGroup
from reward.labels import Labels
from reward.step import Batch, backward

CROWD = Labels(ties="davidson", annotator_model="crowd-bt", position_bias=True)


def alone(tensor: torch.Tensor, _: str) -> torch.Tensor:
    return tensor


def simulate(
    eta: np.ndarray, each: int, items: int = 40, seed: int = 0
) -> tuple[Comparisons, np.ndarray, np.random.Generator]:
    """``each`` judgments of every person about random pairs; the person says the opposite with probability 1 − η."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(0, 1.5, items)
    person = np.repeat(np.arange(len(eta)), each)
    pairs = np.array([rng.choice(items, 2, replace=False) for _ in person])
    better = rng.random(len(person)) < expit(truth[pairs[:, 0]] - truth[pairs[:, 1]])
    said = better == (rng.random(len(person)) < eta[person])
    winner, loser = np.where(said, pairs.T, pairs.T[::-1])
    return Comparisons(winner, loser, person, np.ones(len(person)), items, len(eta)), truth, rng


def test_scores_of_a_reliable_crowd_are_those_of_logistic_regression() -> None:
    data, _, _ = simulate(np.ones(5), 60, items=10)
    design = np.zeros((len(data.person), 10))
    design[np.arange(len(design)), data.winner] = 1
    design[np.arange(len(design)), data.loser] = -1
    signs = np.where(np.arange(len(design)) % 2, 1, -1)  # sklearn wants two classes
    fitted = LogisticRegression(C=1 / RIDGE, fit_intercept=False, tol=1e-8).fit(design * signs[:, None], signs)
    np.testing.assert_allclose(item_scores(data), fitted.coef_[0], atol=1e-3)


def test_scores_for_given_reliabilities_are_a_maximum() -> None:
    eta = np.array([0.95, 0.7, 0.2])
    data, _, rng = simulate(eta, 40, items=8)
    best = item_scores(data, eta)

    def log_posterior(scores: np.ndarray) -> float:
        p, e = expit(scores[data.winner] - scores[data.loser]), eta[data.person]
        return float(np.log(e * p + (1 - e) * (1 - p)).sum() - RIDGE / 2 * (scores**2).sum())

    assert all(log_posterior(best) > log_posterior(best + rng.normal(0, 0.05, 8)) for _ in range(50))


def test_planted_reliabilities_are_recovered_and_enemies_do_not_turn_the_scores_around() -> None:
    eta = np.array([0.95] * 20 + [0.5] * 6 + [0.05] * 8)  # four in ten careless or worse
    data, truth, _ = simulate(eta, 300)
    found = agree(data)
    assert np.corrcoef(found.scores, truth)[0, 1] > 0.97
    for kind in (0.95, 0.5, 0.05):
        assert found.reliability[eta == kind].mean() == pytest.approx(kind, abs=0.08)
    plain = item_scores(data)
    assert np.corrcoef(plain, truth)[0, 1] < np.corrcoef(found.scores, truth)[0, 1]


def test_somebody_with_one_judgment_stays_near_the_prior() -> None:
    data, truth, _ = simulate(np.full(20, 0.95), 60)
    best, worst = int(truth.argmax()), int(truth.argmin())
    more = Comparisons(
        np.append(data.winner, worst),
        np.append(data.loser, best),
        np.append(data.person, 20),
        np.append(data.weight, 1.0),
        data.items,
        21,
    )
    eta = agree(more).reliability[20]
    assert 4.5 / 6 <= eta < PRIOR_MEAN


def test_a_reliability_is_the_mean_of_its_posterior() -> None:
    data = Comparisons(*np.zeros((3, 4), dtype=np.int64), np.array([1.0, 1.0, 1.0, 2.0]), 2, 1)
    data = replace(data, winner=np.array([0, 0, 1, 0]), loser=np.array([1, 1, 0, 1]))
    p = expit(1.1)

    def weight(eta: float) -> float:
        right, wrong = eta * p + (1 - eta) * (1 - p), eta * (1 - p) + (1 - eta) * p
        return float(right**4 * wrong * beta.pdf(eta, 4.5, 0.5))

    exact = quad(lambda eta: eta * weight(eta), 0, 1)[0] / quad(weight, 0, 1)[0]
    found = posterior_mean(evidence_of(data, np.array([1.1, 0.0])))
    assert found[0] == pytest.approx(exact, abs=0.01)  # twenty cells


def groups_of(data: Comparisons) -> list[EncodedGroup]:
    return [
        judged(ranking(f"labeler-{p:02}", 1, 2), items=(int(w), int(x)), name=f"g{n}")
        for n, (w, x, p) in enumerate(zip(data.winner, data.loser, data.person, strict=True))
    ]


def test_the_same_completion_of_the_same_prompt_is_one_item() -> None:
    data, _, _ = simulate(np.array([0.9, 0.2]), 30, items=6)
    found = collect(groups_of(data), {"labeler-00": 0, "labeler-01": 1})
    assert (found.items, found.people) == (6, 2)
    seen: dict[int, int] = {}
    for ours, theirs in ((found.winner, data.winner), (found.loser, data.loser)):
        assert all(seen.setdefault(int(a), int(b)) == b for a, b in zip(ours, theirs, strict=True))
    np.testing.assert_array_equal(found.person, data.person)


def test_a_ranking_counts_as_its_free_choices() -> None:
    group = judged(ranking("labeler-1", 1, 2, 3, 3, weight=2.0), ranking("labeler-1", None, 1, 2, None))
    found = collect([group], {"labeler-1": 0})
    assert found.weight.sum() == pytest.approx(2.0 * 5 * (2 / 4) + 1)  # five strict pairs of four; one pair of two
    assert tie_share([group]) == pytest.approx(2 / 13)


def test_one_step_over_all_groups_is_the_posterior_given_the_scores() -> None:
    data, truth, _ = simulate(np.array([0.9, 0.9, 0.2]), 25, items=8)
    groups = groups_of(data)
    auxiliary = Auxiliary(Labels(annotator_model="crowd-bt"), groups)
    scores = torch.tensor(truth)
    for group in groups:
        auxiliary.likelihood(scores[[int(tail[0]) for tail in group.tails]], group)
    auxiliary.step(1.0, alone)
    expected = posterior_mean(evidence_of(data, truth))
    np.testing.assert_allclose(auxiliary.likelihood.reliability(), expected, atol=1e-5)


def test_reliabilities_are_learned_with_the_scores_also_without_a_consensus_to_start_from() -> None:
    eta = np.array([0.95] * 12 + [0.5] * 4 + [0.05] * 4)
    data, truth, rng = simulate(eta, 50, items=20)
    groups = groups_of(data)
    auxiliary = Auxiliary(Labels(annotator_model="crowd-bt"), groups)
    likelihood = auxiliary.likelihood
    likelihood.evidence.zero_()
    scores = torch.zeros(20, requires_grad=True)
    optimizer = torch.optim.Adam([scores], lr=0.05)
    for _ in range(3):
        for part in np.array_split(rng.permutation(len(groups)), 40):
            loss = sum(likelihood(scores[[int(t[0]) for t in groups[i].tails]], groups[i]) for i in part) / len(part)
            (loss + 0.01 * scores.square().mean()).backward()
            optimizer.step()
            optimizer.zero_grad()
            auxiliary.step(1.0, alone)
    assert np.corrcoef(scores.detach(), truth)[0, 1] > 0.85
    found = likelihood.reliability().numpy()
    assert found[:12].min() > found[16:].max()
    assert found[16:].mean() < 0.45
    assert found[:12].mean() > 0.1 + found[12:16].mean() > 0.3 + found[16:].mean()


def crowd_groups(count: int = 40, seed: int = 0) -> list[Group]:
    """Groups of three completions whose better ones hold an exclamation mark, judged by good and careless people."""
    rng = np.random.default_rng(seed)
    groups = []
    for number in range(count):
        texts = ["ab" * int(rng.integers(1, 5)) + mark + "cd" * int(rng.integers(0, 3)) for mark in ("!", "?", "?")]
        texts = [texts[k] for k in rng.permutation(3)]
        rankings = []
        for person in rng.choice(6, 3, replace=False):
            ranks = [1 if "!" in text else 2 for text in texts]
            if person == 5:
                ranks = [3 - rank for rank in ranks]
            rankings.append(ranking(f"labeler-{person}", *ranks, order=rng.permutation(3).tolist()))
        completions = tuple(Completion(f"c{k}", text) for k, text in enumerate(texts))
        groups.append(Group(f"g{number}", (Message("user", f"prompt {number}"),), completions, tuple(rankings)))
    return groups


def steps(auxiliary: Auxiliary, groups: list[EncodedGroup], start: int, end: int) -> None:
    for step in range(start, end):
        for group in groups[step * 4 : step * 4 + 4]:
            auxiliary.likelihood(torch.tensor([0.3 * step, -0.2, 0.1]), group).backward()
        auxiliary.step(0.5, alone)


def test_a_restored_state_continues_to_the_same_bits() -> None:
    groups = [encode(group, range(3)) for group in crowd_groups()]
    whole, cut, resumed = (Auxiliary(CROWD, groups) for _ in range(3))
    steps(whole, groups, 0, 8)
    steps(cut, groups, 0, 5)
    resumed.restore({name: tensor.clone() for name, tensor in cut.tensors().items()})
    steps(resumed, groups, 5, 8)
    assert whole.tensors().keys() == resumed.tensors().keys()
    assert all(torch.equal(tensor, resumed.tensors()[name]) for name, tensor in whole.tensors().items())
    assert whole.report() == resumed.report()


def test_default_labels_add_nothing() -> None:
    auxiliary = Auxiliary(Labels(), [judged(ranking("labeler-1", 1, 2))])
    assert auxiliary.tensors() == {}
    assert auxiliary.report() == {}
    auxiliary.step(1.0, alone)


@dataclass
class Row:
    """Stands for inputs of the model: only the owners matter."""

    owners: list[tuple[int, int]]


class Table(torch.nn.Module):
    """A score for every completion."""

    def __init__(self) -> None:
        super().__init__()
        self.scores = torch.nn.Parameter(torch.tensor([[0.3, -0.2, 0.8], [1.1, 0.0, -0.4]]))

    def forward(self, row: Row) -> torch.Tensor:
        return torch.stack([self.scores[owner] for owner in row.owners])


def test_groups_that_are_cut_give_the_same_gradients_and_count_once() -> None:
    groups = [encode(group, range(3)) for group in crowd_groups(2)]
    everyone = [(g, k) for g in range(2) for k in range(3)]
    found = []
    for rows in ([everyone], [everyone[:2], everyone[2:5], everyone[5:]]):
        model, likelihood = Table(), Auxiliary(CROWD, groups).likelihood
        batch = Batch(groups, [0.5, 0.5], [Row(owners) for owners in rows])  # type: ignore[arg-type]
        losses = backward(model, batch, likelihood)
        gradients = [parameter.grad for parameter in (*model.parameters(), *likelihood.parameters())]
        found.append([losses, *gradients, likelihood.seen])
    assert len(found[0]) == 5
    for whole, cut in zip(*found, strict=True):
        torch.testing.assert_close(whole, cut)
        assert whole.abs().sum() > 0


def test_two_processes_move_like_one() -> None:
    """Each process sees its half; their gradients are averaged and what they saw is summed, as accelerate does it."""
    groups = [encode(group, range(3)) for group in crowd_groups(8)]
    single, left, right = (Auxiliary(CROWD, groups) for _ in range(3))
    scores = torch.tensor([0.4, -0.3, 0.2])
    for _ in range(3):
        for group in groups:
            (single.likelihood(scores, group) / 8).backward()
        single.step(1.0, alone)
        for process, part in ((left, groups[::2]), (right, groups[1::2])):
            for group in part:
                (process.likelihood(scores, group) * 2 / 8).backward()
        sent = [torch.stack([p.grad for p in each.likelihood.parameters()]) for each in (left, right)]
        seen = left.likelihood.seen + right.likelihood.seen
        mean = (sent[0] + sent[1]) / 2
        for process in (left, right):
            answers = iter([*mean, seen])
            process.step(1.0, lambda tensor, how, answers=answers: next(answers).clone())
    for process in (left, right):
        for name, tensor in single.tensors().items():
            torch.testing.assert_close(process.tensors()[name], tensor)


def test_a_process_that_only_goes_along_counts_for_nothing() -> None:
    groups = [encode(group, range(3)) for group in crowd_groups(4)]
    auxiliary = Auxiliary(CROWD, groups)
    before = auxiliary.likelihood.evidence.clone()
    auxiliary.likelihood(torch.tensor([5.0, -5.0, 0.0]), groups[0])
    assert auxiliary.likelihood.seen.any()
    auxiliary.step(1.0, alone, counts=False)
    assert torch.equal(auxiliary.likelihood.evidence, before)
    assert not auxiliary.likelihood.seen.any()


@pytest.fixture
def settings(tmp_path: Path, tiny_base: Callable[[str], Path]) -> dict[str, Any]:
    data = tmp_path / "groups.jsonl"
    write_groups(crowd_groups(), data)
    return {
        "data": (str(data),),
        "out": tmp_path / "rm",
        "base": str(tiny_base("llama")),
        "lr": 3e-3,
        "precision": "float32",
        "device": "cpu",
        "ties": "davidson",
        "annotator_model": "crowd-bt",
        "position_bias": True,
    }


def test_training_learns_them_tells_them_and_continues_to_the_same_bits(
    settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = settings | {"epochs": 2, "checkpoint_every": 2, "tokens_per_batch": 150}  # some groups are cut
    whole = train.train(TrainConfig(**changed))
    told = json.loads((whole.folder / "reward.json").read_text(encoding="utf-8"))["likelihood"]
    assert told["ties"]["model"] == "davidson"
    assert told["ties"]["prevalence"] > 0
    assert told["position_bias"] != 0
    etas = {name: person["reliability"] for name, person in told["annotators"].items()}
    assert etas.keys() == {f"labeler-{n}" for n in range(6)}
    assert etas["labeler-5"] < 0.5 < min(eta for name, eta in etas.items() if name != "labeler-5")

    class Killed(BaseException):
        pass

    original, calls = train.check_finite, iter(range(100))

    def die(*args: Any) -> None:
        if next(calls) == 5:
            raise Killed
        original(*args)

    cut = changed | {"out": settings["out"].with_name("cut")}
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(train, "check_finite", die)
        train.train(TrainConfig(**cut))
    resumed = train.train(TrainConfig(**cut | {"resume": True}))
    one, other = (load_file(folder / "model.safetensors") for folder in (whole.folder, resumed.folder))
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert json.loads((resumed.folder / "reward.json").read_text(encoding="utf-8"))["likelihood"] == told


def test_two_processes_of_accelerate_learn_what_one_does(settings: dict[str, Any]) -> None:
    alone = train.train(TrainConfig(**settings | {"batch": 5}))
    out = settings["out"].with_name("two")
    flags = ["--lr", "3e-3", "--batch", "5", "--precision", "float32", "--device", "cpu"]
    flags += ["--ties", "davidson", "--annotator-model", "crowd-bt", "--position-bias"]
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = ["-m", "reward", "train", "--data", *settings["data"], "--out", str(out), "--base", settings["base"]]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run([*launch, *command, *flags], capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]
    one, two = (json.loads((f / "reward.json").read_text(encoding="utf-8")) for f in (alone.folder, out))
    assert two["history"]["losses"] == pytest.approx(one["history"]["losses"], rel=1e-4)
    assert two["likelihood"]["ties"]["prevalence"] == pytest.approx(one["likelihood"]["ties"]["prevalence"], rel=1e-4)
    assert two["likelihood"]["position_bias"] == pytest.approx(one["likelihood"]["position_bias"], rel=1e-3, abs=1e-5)
    for name, person in one["likelihood"]["annotators"].items():
        assert two["likelihood"]["annotators"][name]["reliability"] == pytest.approx(person["reliability"], abs=2e-4)


def test_more_completions_than_a_small_integer_counts_are_told_apart() -> None:
    groups = [judged(ranking("labeler-1", 2, 1), items=(n, n + 1), name=f"g{n}") for n in range(17_000)]
    found = collect(groups, {"labeler-1": 0})
    assert found.items == 17_001
    np.testing.assert_array_equal(found.winner - found.loser, 1)
    np.testing.assert_array_equal(found.loser, np.arange(17_000))
