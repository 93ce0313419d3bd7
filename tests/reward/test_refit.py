"""`reward evaluate` with a second model, new trainings and benchmarks, on tiny models."""

import json
from dataclasses import replace

import pytest
from builders import ranked_groups
from tiny_models import save_policy, save_reward_model

from labeler.errors import DataError, ModelError, UsageError
from labeler.formats import write_groups
from labeler.records import Completion, Group, Message, Ranking
from reward import refit, train
from reward.assess import run
from reward.config.evaluate import EvaluateConfig
from reward.config.train import TrainConfig


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Rankings by four people and a model that was trained on them."""
    folder = tmp_path_factory.mktemp("refit")
    groups = ranked_groups(40)
    other = ranked_groups(40, seed=1)
    both = [
        replace(g, rankings=(*g.rankings, *(replace(r, annotator=f"{r.annotator}-2") for r in o.rankings)))
        for g, o in zip(groups, other, strict=True)
    ]
    write_groups(both, folder / "groups.jsonl")
    save_policy(folder / "base")
    settings = {"base": str(folder / "base"), "lr": 1e-3, "precision": "float32", "device": "cpu"}
    train.train(TrainConfig(data=(str(folder / "groups.jsonl"),), out=folder / "rm", **settings))
    save_reward_model(folder / "other", seed=3)
    return folder


def evaluate(place, out, **more):
    run(EvaluateConfig(**{"model": place / "rm", "data": (str(place / "groups.jsonl"),), "out": out} | more))
    return json.loads((out / "metrics.json").read_text("utf-8")), (out / "report.html").read_text("utf-8")


def test_folds_and_shares_are_trained_measured_and_not_trained_again(place, tmp_path, monkeypatch):
    asked = {"cross_validate": "annotators", "folds": 2, "learning_curve": (0.5, 1.0)}
    trained = []
    original = refit.train

    def counted(config, progress):
        trained.append(config)
        if len(trained) == 4:
            raise KeyboardInterrupt
        return original(config, progress)

    monkeypatch.setattr(refit, "train", counted)
    with pytest.raises(KeyboardInterrupt):
        evaluate(place, tmp_path / "out", **asked)
    assert len(trained) == 4
    found, page = evaluate(place, tmp_path / "out", **asked)
    assert len(trained) == 5  # only what was cut
    assert {config.lr for config in trained} == {1e-3}
    across, curve = found["cross_validation"], found["learning_curve"]
    assert across["annotators"] == 4
    assert across["divided_prompts"]
    assert 0 <= across["accuracy"] <= 1
    assert len(across["folds"]) == 2
    assert curve["points"][0]["labels"] < curve["points"][1]["labels"]
    assert across["verdict"] in page.replace("&#39;", "'")
    assert {"people.png", "labels.png"} <= {path.name for path in (tmp_path / "out" / "plots").iterdir()}
    assert not list((tmp_path / "out" / "refit").glob("*/model"))


def test_two_models_are_compared_on_the_same_pairs(place, tmp_path):
    found, page = evaluate(place, tmp_path / "out", against=place / "other", split="all")
    told = found["against"]
    assert (told["model"], told["other"]) == ("rm", "other")
    assert told["accuracy"] == found["accuracy"]
    assert told["difference"] == pytest.approx(told["accuracy"] - told["other_accuracy"])
    assert 0 < told["p_value"] <= 1
    assert "Against other" in page
    itself, _ = evaluate(place, tmp_path / "same", against=place / "rm", split="all")
    assert (itself["against"]["difference"], itself["against"]["p_value"]) == (0, 1)


def test_uncertainty_and_biases_are_in_the_report(place, tmp_path):
    found, page = evaluate(place, tmp_path / "out", split="all")
    assert found["uncertainty"]["prior"] > 0
    assert found["uncertainty"]["deviation_median"] >= 0
    assert found["biases"]["position"]["earlier"] is None
    assert found["biases"]["leans"][0]["trait"] == "length"
    assert found["temperature_ci95"][0] <= found["temperature"] <= found["temperature_ci95"][1]
    for verdict in (found["uncertainty"]["verdict"], found["biases"]["leans"][0]["verdict"]):
        assert verdict in page.replace("&#39;", "'")


def benchmark_row(name, chosen, rejected, **meta):
    texts = [f"{name} {i}" for i in range(chosen + rejected)]
    completions = tuple(Completion(f"c{i}", text) for i, text in enumerate(texts))
    ranking = Ranking("dataset", (1,) * chosen + (2,) * rejected)
    return Group(name, (Message("user", f"prompt of {name}"),), completions, (ranking,), meta=meta)


@pytest.mark.parametrize(
    ("name", "form", "rows"),
    [
        ("rewardbench2", "rewardbench", [benchmark_row(f"Math-{i}", 1, 3, subset="Math") for i in range(4)]),
        ("rm-bench", "rm-bench", [benchmark_row(f"{i}", 3, 3, domain="chat") for i in range(4)]),
    ],
)
def test_benchmarks_are_read_from_their_rows(place, tmp_path, name, form, rows):
    write_groups(rows, tmp_path / "rows.jsonl", format=form)
    found, page = evaluate(place, tmp_path / "out", data=(str(tmp_path / "rows.jsonl"),), benchmark=name)
    assert found["benchmark"]["name"] == name
    assert found["benchmark"]["parts"][0]["rows"] == 4
    assert found["benchmark"]["verdict"] in page
    with pytest.raises(DataError):
        other = {"rewardbench2": "rm-bench", "rm-bench": "rewardbench2"}[name]
        evaluate(place, tmp_path / "no", data=(str(place / "groups.jsonl"),), benchmark=other)


def test_a_model_that_does_not_say_how_it_was_trained_is_refused(place, tmp_path):
    with pytest.raises(ModelError, match="does not say how it was trained"):
        evaluate(place, tmp_path / "out", model=place / "other", cross_validate="annotators", folds=2)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"folds": 3}, "--folds must be together with --cross-validate"),
        ({"cross_validate": "annotators", "folds": 1}, "--folds must be at least 2"),
        ({"learning_curve": (1.0,)}, "--learning-curve must be at least two"),
        ({"learning_curve": (0.5, 0.25)}, "--learning-curve must be at least two shares, in rising order"),
        ({"learning_curve": (0.5, 1.5)}, "--learning-curve must be shares"),
        ({"benchmark": "rm-bench", "cross_validate": "annotators"}, "--benchmark must be without"),
        ({"benchmark": "rm-bench", "split": "test"}, "--split must be left out"),
    ],
)
def test_senseless_combinations_are_refused(place, tmp_path, flags, message):
    with pytest.raises(UsageError, match=message):
        EvaluateConfig(model=place / "rm", data=("x",), out=tmp_path, **flags)
