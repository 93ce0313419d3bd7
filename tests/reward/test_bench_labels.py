"""``reward bench labels`` on tiny models: which ways are tried, what is compared with what, and runs that go on."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import group, ranked_groups

from labeler.errors import UsageError
from labeler.formats import write_groups
from labeler.records import Group, Ranking
from reward.benchmark import label_study, learn
from reward.benchmark.held_out import Difference, choose_parts, fitting
from reward.benchmark.label_study import DEFAULT, WAYS, Row, bench_labels, in_words, table
from reward.benchmark.learn import student
from reward.cli import main
from reward.config.studies import BenchLabelsConfig
from reward.config.train import TrainConfig
from reward.evaluate import evaluate
from reward.progress import Progress
from reward.train import train

Base = Callable[[str], Path]


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REWARD_CACHE", str(tmp_path / "cache"))


def study_config(tmp_path: Path, base: Path, **more: Any) -> BenchLabelsConfig:
    sources = []
    for name, k in (("pairs", 2), ("triples", 3)):
        write_groups(ranked_groups(30, k), tmp_path / f"{name}.jsonl")
        sources.append(str(tmp_path / f"{name}.jsonl"))
    fields = {"data": tuple(sources), "out": tmp_path / "out", "base": str(base), "seeds": 2, "train_layers": 1}
    return BenchLabelsConfig(precision="float32", device="cpu", test_share=0.5, lr=1e-2, **fields | more)


def test_every_way_beside_the_default(tiny_base: Base, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = study_config(tmp_path, tiny_base("llama"), only=("loss plackett-luce", "epochs 2"))
    flags = f"--data {' '.join(settings.data)} --out {settings.out} --base {settings.base} --seeds 2 --train-layers 1"
    more = "--test-share 0.5 --lr 1e-2 --precision float32 --device cpu --only"
    command = ["bench", "labels", *flags.split(), *more.split(), "loss plackett-luce", "epochs 2"]
    assert main(command) == 0
    lines = capsys.readouterr().out.splitlines()
    rows = json.loads(lines[-1])["rows"]
    ways = [(row["data"], row["way"]) for row in rows]
    assert ways[:2] == [("pairs", DEFAULT), ("pairs", "epochs 2")]  # with two completions Plackett-Luce is the default
    assert ways[2:] == [("triples", DEFAULT), ("triples", "loss plackett-luce"), ("triples", "epochs 2")]
    assert (settings.out / "labels.md").read_text().splitlines() == lines[:-1]
    assert [json.loads(line) for line in (settings.out / "labels.jsonl").read_text().splitlines()] == rows

    test = choose_parts(ranked_groups(30, 3), settings).test
    kept = {way: sorted((settings.out / "triples").glob(f"{way}-?.json")) for way in (DEFAULT, "epochs-2")}
    told = {way: [json.loads(file.read_text()) for file in files] for way, files in kept.items()}
    found = {
        way: [evaluate(test, one["scores"], temperature=one["temperature"]) for one in ones]
        for way, ones in told.items()
    }
    accuracy, loss = (
        {way: np.mean([getattr(metrics, name) for metrics in each]) for way, each in found.items()}
        for name in ("accuracy", "log_loss")
    )
    assert rows[2]["accuracy"] == pytest.approx(accuracy[DEFAULT])
    assert rows[4]["accuracy_difference"]["mean"] == pytest.approx(accuracy["epochs-2"] - accuracy[DEFAULT])
    assert rows[4]["log_loss_difference"]["mean"] == pytest.approx(loss["epochs-2"] - loss[DEFAULT])
    assert [one["steps"] for one in told["epochs-2"]] == [2 * one["steps"] for one in told[DEFAULT]]


def test_a_run_goes_on_and_a_student_forgets(tiny_base: Base, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A training that runs after others gives what it gives alone."""
    settings = study_config(tmp_path, tiny_base("llama"), only=("centre 0.01",))
    silent = Progress(quiet=True)
    first = bench_labels(settings, silent)
    file = tmp_path / "out" / "triples" / "centre-0.01-1.json"
    before = file.read_text()
    file.unlink()
    assert bench_labels(settings, silent) == first
    assert file.read_text() == before
    monkeypatch.setattr(learn, "fit", lambda *_: pytest.fail("nothing is left to be trained"))
    assert bench_labels(settings, silent) == first


def test_a_student_learns_what_reward_train_does(tiny_base: Base, tmp_path: Path) -> None:
    groups = [replace(g, split="test" if i % 3 == 0 else "train") for i, g in enumerate(ranked_groups(24))]
    write_groups(groups, tmp_path / "groups.jsonl")
    base = tiny_base("llama")
    fields = {"base": str(base), "seed": 3, "lr": 1e-2, "epochs": 2, "precision": "float32", "device": "cpu"}
    config = TrainConfig(data=(str(tmp_path / "groups.jsonl"),), out=tmp_path / "rm", **fields)
    test = [g for g in groups if g.split == "test"]
    expected = train(config).scorer.score_groups(test, raw=True)
    parts = label_study.Parts([g for g in groups if g.split == "train"], (), test)
    with student(config, base) as learner:
        learner.learn(replace(config, seed=4), parts)
        found = learner.learn(config, parts)
    assert np.asarray(found.scores) == pytest.approx(np.asarray(expected), abs=1e-4)


def test_ways_are_tried_where_they_can_differ() -> None:
    def ways(*groups: Group) -> set[str]:
        return {way.name for way in WAYS if way.fits(groups)} - plain

    alone = group("a", "A?", ["x", "y"], (1, 2))
    plain = {way.name for way in WAYS if way.fits([alone])}
    assert plain == {DEFAULT, "label-smoothing 0.1", "centre 0.01", "epochs 2", "epochs 3", "batch 4", "batch 16"}
    assert ways(group("b", "B?", ["x", "y"], (1, 1))) == {"ties rao-kupper", "ties davidson"}
    assert ways(group("c", "C?", ["x", "y"], (1, 2), (2, 1))) == {"targets majority", "annotator-model crowd-bt"}
    assert ways(group("d", "D?", ["x", "y", "z"], (1, 2, 3))) == {"loss plackett-luce"}
    assert ways(group("e", "E?", ["x", "y", "z"], (1, 2, None))) == set()
    said = replace(alone, rankings=(Ranking("labeler-1", (1, 2), strength=4, order=("c1", "c0")),))
    assert ways(alone, said) == {"strength margin", "strength weight", "position-bias"}


def test_the_table_marks_what_leaves_out_nothing() -> None:
    gap, shown = Difference(0.021, (0.004, 0.038)), Difference(-0.01, (-0.03, 0.01))
    row = Row("set", DEFAULT, 0.7512, 0.5, None, None, 1.0, 5, 100, 400, 50)
    other = replace(row, way="epochs 2", accuracy_difference=gap, log_loss_difference=shown)
    head, _, first, second = table([row, other])
    assert head.count("|") == first.count("|") == second.count("|")
    assert "100 groups, 400 pairs of 50 prompts, 5 seeds | default | 75.1 |" in first
    assert second == "|  | epochs 2 | 75.1 | **+2.1 (+0.4 to +3.8)** | 0.500 | −0.010 (−0.030 to +0.010) |"
    assert in_words(Difference(0.5, None), 100, 1) == "+50.0"


def test_what_makes_no_sense_is_refused(tiny_base: Base, tmp_path: Path) -> None:
    silent = Progress(quiet=True)
    with pytest.raises(UsageError, match="--only 'epochs 9': there is no such way; choose from 'default', 'ties"):
        bench_labels(study_config(tmp_path, tiny_base("llama"), only=("epochs 9",)), silent)
    twice = study_config(tmp_path, tiny_base("llama"))
    with pytest.raises(UsageError, match="two sources have the same name, pairs, pairs"):
        bench_labels(replace(twice, data=(twice.data[0], twice.data[0])), silent)


def test_only_whole_groups_within_the_limit(tiny_base: Base, tmp_path: Path) -> None:
    config = TrainConfig(data=("none",), out=tmp_path, base=str(tiny_base("llama")), max_length=60, precision="float32")
    with student(config, tiny_base("llama")) as learner:
        groups = [group("short", "A?", ["x", "y"], (1, 2)), group("long", "A?", ["x", "word " * 20], (1, 2))]
        assert [g.id for g in fitting(groups, learner.scorer.encoder)] == ["short"]
