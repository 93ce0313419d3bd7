"""Simulated labeling: the head against scikit-learn, the split, the counts of labels, and a method that must win."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from builders import ranked_groups
from sklearn.linear_model import LogisticRegression
from transformers import AutoModel, AutoTokenizer

from labeler.errors import DataError, UsageError
from labeler.formats import write_groups
from reward.bench import run
from reward.benchmark import selection
from reward.benchmark.active import (
    PRIOR,
    SHARES,
    Comparisons,
    Trial,
    accuracy_at,
    draw_trial,
    fit_head,
    judge_method,
    labels_needed,
    learn,
    split_rows,
)
from reward.benchmark.selection import by_prompt, read_features
from reward.config.bench import BenchConfig, BenchSelectConfig
from reward.config.select import METHODS
from reward.data import render
from reward.progress import Progress


def test_the_head_is_that_of_scikit_learn():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(80, 6))
    votes = np.where(rng.random(80) < 0.5 + 0.4 * np.sign(x[:, 0]), 1.0, -1.0)
    peer = LogisticRegression(C=1 / PRIOR, fit_intercept=False, tol=1e-8, max_iter=1000).fit(x, votes)
    assert fit_head(x, votes, np.zeros(6)) == pytest.approx(peer.coef_[0], abs=1e-4)
    assert fit_head(x, votes, rng.normal(size=6)) == pytest.approx(peer.coef_[0], abs=1e-4)


def comparisons(prompts, seed=0, each=8):
    """Pairs among ``each`` completions of every prompt, three people each, by a hidden linear score."""
    rng = np.random.default_rng(seed)
    features, head = rng.normal(size=(prompts * each, 10)), rng.normal(size=10)
    pairs = [(p * each + i, p * each + j, p) for p in range(prompts) for i in range(each) for j in range(i + 1, each)]
    first, second, prompt = np.asarray(pairs).T
    wins = rng.binomial(3, 1 / (1 + np.exp(-((features[first] - features[second]) @ head)))).astype(float)
    return Comparisons(features, np.eye(prompts), first, second, prompt, wins, 3 - wins)


@pytest.mark.parametrize("prompts", [5, 60])
def test_pool_and_test_share_nothing(prompts):
    data = comparisons(prompts)
    pool, test = split_rows(data, np.random.default_rng(0))
    apart = [data.prompt] if prompts == 60 else [data.first, data.second]
    assert not {k for rows in apart for k in rows[pool]} & {k for rows in apart for k in rows[test]}
    assert len(pool) > len(test) > 0


def test_votes_follow_the_people():
    data = comparisons(60)
    shares = [
        np.mean(draw_trial(dataclasses.replace(data, wins=data.wins * 0 + w, losses=data.wins * 0 + 1), 0).votes)
        for w in (1, 3)
    ]
    assert shares[0] == pytest.approx(0, abs=0.1)
    assert shares[1] == pytest.approx(0.5, abs=0.1)


def test_all_methods_begin_and_end_alike():
    trial = draw_trial(comparisons(5), 0)
    curves = {method: learn(trial, method, 0) for method in METHODS}
    for curve in curves.values():
        assert len(curve) == len(SHARES)
        assert curve[0] == curves["random"][0]
        assert curve[-1] == pytest.approx(curves["random"][-1], abs=1e-9)
    assert learn(trial, "random", 0) == pytest.approx(curves["random"])
    assert len({tuple(curve) for curve in curves.values()}) == len(METHODS)


@pytest.mark.parametrize("method", ["disagreement", "fisher", "fisher-diverse"])
def test_where_most_pairs_say_the_same_choosing_wins(method):
    """Nine pairs in ten show one direction that is soon known; the test is about all ten."""
    gains = []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        size = 400
        kind = np.where(rng.random(size) < 0.9, 0, rng.integers(1, 10, size=size))
        pool = np.eye(10)[kind] * rng.choice([-1.0, 1.0], size=size)[:, None]
        test = np.eye(10)
        votes = np.where(rng.random(size) < 1 / (1 + np.exp(-2 * pool.sum(axis=1))), 1.0, -1.0)
        trial = Trial(pool, votes, np.eye(10)[kind], test, np.ones(10))
        gains.append((learn(trial, method, seed) - learn(trial, "random", seed))[:8].mean())
    assert np.mean(gains) > 0.05


def test_the_least_variance_runs_less_after_outliers_than_the_determinant():
    """One pair in three points in a direction of its own, twice as far as the others, which the test never asks for."""
    gains = []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        pool = np.zeros((300, 110))
        common = np.arange(300) % 3 > 0
        pool[common, :10] = rng.normal(size=(200, 10))
        pool[~common, 10 + np.arange(100)] = 6.0
        head = np.concatenate([rng.normal(size=10), np.zeros(100)])
        votes = np.where(rng.random(300) < 1 / (1 + np.exp(-pool @ head)), 1.0, -1.0)
        test = pool[common]
        trial = Trial(pool, votes, np.eye(300), test, np.sign(test @ head))
        curves = {method: learn(trial, method, seed)[:15].mean() for method in ("fisher", "variance")}
        gains.append(curves["variance"] - curves["fisher"])
    assert np.mean(gains) > 0.05


def test_labels_are_counted_where_the_curve_arrives():
    shares = [0.1, 0.25, 0.5, 1.0]
    random = np.array([[0.5, 0.6, 0.7, 0.8]] * 3)
    quick = np.array([[0.6, 0.7, 0.8, 0.8]] * 3)
    assert labels_needed(quick, random, shares, 1.0) == pytest.approx(0.5)
    assert labels_needed(quick, random, shares, 0.25) == pytest.approx(0.1 / 0.25)
    assert labels_needed(random, random, shares, 0.25) == pytest.approx(1.0)
    assert labels_needed(random - 0.3, random, shares, 0.25) == pytest.approx(4.0)  # never: all labels
    assert accuracy_at(random, shares, 0.375) == pytest.approx(0.65)
    lucky = np.array([[0.9, 0.5, 0.7, 0.8]] * 3)
    assert labels_needed(lucky, random, shares, 1.0) > 0.5  # one lucky step does not count


def test_a_gain_is_paired_over_seeds():
    rng = np.random.default_rng(0)
    random = rng.normal(0.7, 0.1, size=(10, len(SHARES)))  # seeds differ far more than methods
    found = judge_method("fisher", random + 0.01 + rng.normal(0, 0.002, size=random.shape), random, SHARES)
    assert found.gain == pytest.approx(0.01, abs=0.001)
    assert found.beats_random
    assert not judge_method("fisher", random + rng.normal(0, 0.002, size=random.shape), random, SHARES).beats_random


def test_a_prompt_is_read_once():
    groups = ranked_groups(3)
    twice = [dataclasses.replace(groups[0], id="again"), *groups]
    found = by_prompt(twice)
    assert len(found) == 3
    assert [c.text for c in found[0].completions] == [c.text for c in groups[0].completions]


@pytest.mark.parametrize("family", ["bert", "llama"])
def test_the_command_prints_a_table_and_json(tiny_base, tmp_path, capsys, monkeypatch, family):
    monkeypatch.setattr(selection, "EMBEDDER", str(tiny_base("bert")))
    write_groups(ranked_groups(60), tmp_path / "toy.jsonl")
    config = BenchSelectConfig(
        data=(str(tmp_path / "toy.jsonl"),), base=str(tiny_base(family)), seeds=2, cache=tmp_path / "cache"
    )
    run(BenchConfig(config))
    lines = capsys.readouterr().out.splitlines()
    (found,) = json.loads(lines[-1])["sets"]
    assert found["held_out"] == "prompts"
    assert [row["method"] for row in found["methods"]] == list(METHODS)
    assert sum(line.startswith("| ") for line in lines) == 2 + len(METHODS)
    assert "to +" in lines[3] or "to −" in lines[3]
    monkeypatch.setattr(selection, "read_features", lambda *_: pytest.fail("the features were kept"))
    run(BenchConfig(config))
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["sets"] == [found]


@pytest.mark.parametrize("layers", [1, None])
def test_features_are_the_states_of_stock_transformers(tiny_base, layers):
    prompts = by_prompt(ranked_groups(2))
    config = BenchSelectConfig(data=("x",), base=str(tiny_base("llama")), layers=layers)
    found = iter(read_features(prompts, config, Progress(quiet=True)))
    tokenizer, model = AutoTokenizer.from_pretrained(tiny_base("llama")), AutoModel.from_pretrained(tiny_base("llama"))
    model.layers = model.layers[:layers]
    for group in prompts:
        for completion in group.completions:
            text = render(tokenizer, group.prompt, completion.text)
            ids = tokenizer(text, add_special_tokens=False, return_tensors="pt").input_ids
            with torch.no_grad():
                expected = model(input_ids=ids).last_hidden_state[0, -1]
            assert next(found) == pytest.approx(expected.numpy(), abs=1e-4)


def test_wrong_input_is_named(tmp_path, tiny_base):
    write_groups(ranked_groups(5), tmp_path / "few.jsonl")
    with pytest.raises(UsageError, match="--seeds"):
        BenchSelectConfig(data=("x",), seeds=1)
    with pytest.raises(UsageError, match="--layers 9: LlamaModel has 2 layers"):
        read_features([], BenchSelectConfig(data=("x",), base=str(tiny_base("llama")), layers=9), Progress(quiet=True))
    with pytest.raises(DataError, match=r"few\.jsonl: has 15 comparisons"):
        run(BenchConfig(BenchSelectConfig(data=(str(tmp_path / "few.jsonl"),))))
