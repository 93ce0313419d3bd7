"""``reward bench accuracy`` on tiny models: the same training as TRL's where both do the same, and runs that go on."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import group, ranked_groups

from labeler.errors import DataError, UsageError
from labeler.formats import prompt_key, write_groups
from labeler.records import Group
from reward.artifact import Scorer
from reward.benchmark import accuracy, child
from reward.benchmark.held_out import choose_parts, difference, divide, outcome
from reward.benchmark.learn import Kept, Learned, Parts
from reward.config.studies import BenchAccuracyConfig
from reward.evaluate import evaluate
from reward.model import new_reward_model
from reward.progress import Progress

Base = Callable[[str], Path]
libraries_warn = pytest.mark.filterwarnings("ignore")
"""TRL runs in this process here, and what it says is not ours to change."""


def pairs(count: int = 40) -> list[Group]:
    return ranked_groups(count, 2, seed=4)


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Jobs run in this process; gives (side, seed) of the trainings that ran."""
    ran: list[tuple[str, int]] = []

    def call(job: str, **fields: Any) -> Any:
        module, _, name = child.JOBS[job].partition(":")
        return [asdict(one) for one in getattr(import_module(module), name)(**json.loads(json.dumps(fields)))]

    def get(kept: Kept, seed: int, train: Callable[[], Learned]) -> Learned:
        if kept.find(seed) is None:
            ran.append((kept.name, seed))
        return real(kept, seed, train)

    real = Kept.get
    monkeypatch.setattr(accuracy, "call", call)
    monkeypatch.setattr(Kept, "get", get)
    return ran


def config(tmp_path: Path, base: Path, rows: list[Group], **more: Any) -> BenchAccuracyConfig:
    write_groups(rows, tmp_path / "groups.jsonl")
    fields: dict[str, Any] = {
        "data": (str(tmp_path / "groups.jsonl"),),
        "out": tmp_path / "out",
        "base": str(base),
        "seeds": 2,
    }
    fields |= {"against": "trl", "precision": "float32", "device": "cpu", "test_share": 0.5}
    return BenchAccuracyConfig(**fields | more)


def picked(settings: BenchAccuracyConfig) -> tuple[Parts, int]:
    base = Path(settings.base)
    return accuracy.pick(settings, Scorer(*new_reward_model(base, seed=0, max_length=settings.max_length)).encoder)


def scores(file: Path) -> list[float]:
    return [value for values in json.loads(file.read_text())["scores"] for value in values]


@libraries_warn
def test_one_step_over_all_pairs_is_the_same_step_in_trl(
    tiny_base: Base, tmp_path: Path, here: list[tuple[str, int]]
) -> None:
    """With a single step no order matters, and one person's strict pairs are the same labels on both sides."""
    strict = [group(g.id, g.prompt[0].content, [c.text for c in g.completions], (1, 2)) for g in pairs()]
    settings = config(tmp_path, tiny_base("llama"), strict, batch=64, peer_batch=4, lr=1e-2)
    with Progress(quiet=True) as silent:
        told = accuracy.bench_accuracy(settings, silent)
    assert (told["ours_steps"], told["peer_steps"], told["groups"], told["pairs"]) == (1, 1, 16, 20)
    for seed in (0, 1):
        ours, peer = (scores(tmp_path / "out" / f"{side}-{seed}.json") for side in ("ours", "trl"))
        assert peer == pytest.approx(ours, abs=2e-3 * np.ptp(ours))
    first, second = (scores(tmp_path / "out" / f"ours-{seed}.json") for seed in (0, 1))
    assert first != pytest.approx(second, abs=0.1 * np.ptp(first))  # the head is another one
    assert told["difference"] == 0


@libraries_warn
def test_figures_are_those_of_evaluate_and_a_run_goes_on(
    tiny_base: Base, tmp_path: Path, here: list[tuple[str, int]]
) -> None:
    settings = config(tmp_path, tiny_base("llama"), pairs(), groups=12, test_groups=15, lr=1e-3)
    silent = Progress(quiet=True)
    told = accuracy.bench_accuracy(settings, silent)
    order = [("ours", 0), ("ours", 1), ("trl", 0), ("trl", 1)]
    assert here == order  # one side at a time
    measured = picked(settings)[0].test
    for side, key in (("ours", "ours_accuracy"), ("trl", "peer_accuracy")):
        files = [tmp_path / "out" / f"{side}-{seed}.json" for seed in (0, 1)]
        found = [evaluate(measured, json.loads(file.read_text())["scores"]).accuracy for file in files]
        assert told[key] == pytest.approx(found)
    assert told["difference"] == pytest.approx(np.mean(told["ours_accuracy"]) - np.mean(told["peer_accuracy"]))
    assert told["difference_ci95"][0] <= told["difference"] <= told["difference_ci95"][1]

    (tmp_path / "out" / "trl-1.json").unlink()
    assert accuracy.bench_accuracy(settings, silent) == told
    assert here == [*order, ("trl", 1)]  # only what was missing
    accuracy.bench_accuracy(config(tmp_path, tiny_base("llama"), pairs(), groups=12, seeds=1, lr=1e-2), silent)
    assert here[5:] == [order[0], order[2]]  # other settings are other trainings


def test_long_groups_and_undecided_ones_are_left_out(tiny_base: Base, tmp_path: Path) -> None:
    long = group("long", "Why? " * 40, ["Because.", "It is so."], (1, 2))
    even = group("even", "Which?", ["this", "that"], (1, 2), (2, 1))
    settings = config(tmp_path, tiny_base("llama"), [*pairs(), long, even], max_length=130)
    parts, left_out = picked(settings)
    assert left_out == 1
    assert {g.id for g in (*parts.train, *parts.test)} <= {g.id for g in pairs()}


def test_prompts_are_divided_as_asked() -> None:
    groups = [*pairs(30), *(group(f"again {i}", f"Question {i}?", ["a", "b"], (1, 2)) for i in range(30))]
    splits = divide(groups, 0.4, 7)
    keys = [{prompt_key(g.prompt) for g in part} for part in (splits.train, splits.valid, splits.test)]
    assert [len(k) for k in keys] == [15, 3, 12]
    assert not keys[0] & keys[1] | keys[0] & keys[2] | keys[1] & keys[2]
    assert [*divide(groups, 0.4, 7).test] == [*splits.test] != [*divide(groups, 0.4, 8).test]
    given = [group(f"g{i}", f"p{i}", ["a", "b"], (1, 2), split="test" if i < 5 else "train") for i in range(9)]
    assert len(divide(given, None, 0).test) == 5


def test_nothing_to_measure_on_is_said(tiny_base: Base, tmp_path: Path) -> None:
    given = [group(f"g{i}", f"p{i}", ["a", "b"], (1, 2), split="train") for i in range(9)]
    settings = config(tmp_path, tiny_base("llama"), given, test_share=None)
    with pytest.raises(DataError, match="no held-out prompt has a preference"):
        choose_parts(given, settings)
    with pytest.raises(UsageError, match="--test-share must be between 0 and 1"):
        config(tmp_path, tiny_base("llama"), given, test_share=1.0)


def test_a_difference_pairs_seeds_and_prompts() -> None:
    """Every pair shifted by the same amount: no chance is left, however much pairs and seeds differ."""
    rng = np.random.default_rng(0)
    cluster = np.sort(rng.integers(0, 9, size=40))
    one = rng.normal(size=(3, 40))
    found = difference(cluster, one, one - 0.25)
    assert found.mean == pytest.approx(0.25)
    assert found.ci95 == pytest.approx((0.25, 0.25))


def test_outcome_uses_the_temperature_of_each_training() -> None:
    measured = [group("a", "A?", ["x", "y"], (1, 2)), group("b", "B?", ["x", "y"], (2, 1))]
    found = outcome(measured, [Learned([[2.0, 0.0], [1.0, 0.0]], 1), Learned([[2.0, 0.0], [0.0, 1.0]], 1, 2.0)])
    assert found.right.tolist() == [[1, 0], [1, 1]]
    assert found.loss == pytest.approx(np.log1p(np.exp([[-2, 1], [-1, -0.5]])))


def test_what_was_kept_is_read_for_the_same_settings_only(tmp_path: Path) -> None:
    kept, first = Kept(tmp_path / "a", "epochs 2", {"lr": 1}), Learned([[0.5, -1.0]], 3, 1.5)
    assert kept.find(0) is None
    assert kept.get(0, lambda: first) == first
    assert kept.get(0, lambda: pytest.fail("trained again")) == kept.find(0) == first
    assert [file.name for file in (tmp_path / "a").iterdir()] == ["epochs-2-0.json"]
    assert kept.find(1) is None
    other = replace(kept, about={"lr": 2})
    assert other.find(0) is None
    assert other.get(0, lambda: replace(first, steps=4)).steps == 4
    (tmp_path / "c").write_text("in the way")
    with pytest.raises(DataError, match="choose another --out"):
        replace(kept, folder=tmp_path / "c" / "d").get(0, lambda: first)


def test_parts_go_round(tmp_path: Path) -> None:
    parts = Parts(pairs(3), (), pairs(5)[3:])
    parts.save(tmp_path)
    assert Parts.load(tmp_path).sha256 == parts.sha256
