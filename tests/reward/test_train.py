"""Training on tiny models: it learns, continues bit by bit, stops on nonsense, and says where its figures come from."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from builders import group
from safetensors.torch import load_file

from labeler.errors import DataError, TrainingError, UsageError
from labeler.formats import write_groups
from labeler.records import Demonstration, Group, Message
from reward import checkpoint, losses, train
from reward.artifact import Scorer
from reward.auxiliary import Auxiliary
from reward.calibrate import centre
from reward.config.train import TrainConfig
from reward.model import new_reward_model
from reward.optimize import rate, schedule
from reward.progress import Progress

Base = Callable[[str], Path]


def planted(count: int = 48, seed: int = 0) -> list[Group]:
    """Groups whose better completions hold an exclamation mark, of whatever length."""
    draw = random.Random(seed)
    groups = []
    for number in range(count):
        texts = ["ab" * draw.randint(0, 4) + mark + "cd" * draw.randint(0, 3) for mark in ("!", "?", "?")]
        ranks = [1, 2, 2]
        order = draw.sample(range(3), 3)
        groups.append(
            group(f"g{number}", f"prompt {number}", [texts[i] for i in order], tuple(ranks[i] for i in order))
        )
    return groups


def small_run(data: Path, base: Path, out: Path) -> dict[str, Any]:
    """Settings of a training of seconds."""
    return {
        "data": (str(data),),
        "out": out,
        "base": str(base),
        "lr": 3e-3,
        "epochs": 3,
        "precision": "float32",
        "device": "cpu",
    }


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "groups.jsonl"
    write_groups(planted(), path)
    return path


@pytest.fixture
def settings(data: Path, tiny_base: Base, tmp_path: Path) -> dict[str, Any]:
    return small_run(data, tiny_base("llama"), tmp_path / "rm")


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


@pytest.mark.parametrize(("family", "loss"), [("llama", "pairwise"), ("gpt2", "plackett-luce"), ("bert", "pairwise")])
def test_a_planted_preference_is_learned(settings: dict[str, Any], tiny_base: Base, family: str, loss: str) -> None:
    changed = settings | {"base": str(tiny_base(family)), "loss": loss, "epochs": 6}
    result = train.train(TrainConfig(**changed))
    assert result.state.losses[0] > 0.5 > result.state.losses[-1]
    assert result.metrics["test"].accuracy >= 0.9
    scorer = Scorer.from_pretrained(result.folder)
    best, worst = scorer.score((Message("user", "a new prompt"),), ["abab!cd", "abab?cd"])
    assert best > worst
    assert not checkpoint.work_folder(result.folder).exists()


def test_reward_json_lets_the_run_be_repeated(settings: dict[str, Any]) -> None:
    result = train.train(TrainConfig(**settings))
    told = json.loads((result.folder / "reward.json").read_text(encoding="utf-8"))
    assert told["base"]["sha256"]
    assert told["config"]["lr"] == 3e-3
    assert told["config"]["precision"] == "float32"
    assert sum(told["data"]["groups"].values()) == 48
    assert told["data"]["split"] == "hash"
    assert len(told["history"]["losses"]) == told["steps"] == result.state.step
    assert told["calibration"]["temperature"] == result.scorer.calibration.temperature
    assert told["metrics"]["test"]["comparisons"] > 0
    assert set(told["versions"]) >= {"python", "torch", "transformers"}
    card = (result.folder / "README.md").read_text(encoding="utf-8")
    assert "reward-trainer" in card
    assert f"{told['metrics']['test']['accuracy']:.3f}" in card
    again = train.train(TrainConfig(**settings | {"out": settings["out"].with_name("again")}))
    first, second = weights(result.folder), weights(again.folder)
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_the_training_completions_or_the_demonstrations_have_mean_zero(tiny_base: Base) -> None:
    model, tokenizer = new_reward_model(tiny_base("llama"), seed=0)
    scorer, groups = Scorer(model, tokenizer), planted(6)
    assert centre(scorer, [], groups) == "training completions"
    scores = torch.tensor(scorer.score_groups(groups))
    assert scores.mean().item() == pytest.approx(0, abs=1e-5)
    assert scores.std(unbiased=False).item() == pytest.approx(1, abs=1e-5)
    shown = [Demonstration(f"d{i}", (Message("user", f"prompt {i}"),), "written by hand") for i in range(4)]
    assert centre(scorer, shown, groups) == "demonstrations"
    by_hand = [scorer.score(d.prompt, [d.completion])[0] for d in shown]
    assert sum(by_hand) == pytest.approx(0, abs=1e-4)


def test_a_second_fit_of_a_model_computes_in_the_same_precision(tiny_base: Base, tmp_path: Path) -> None:
    model, tokenizer = new_reward_model(tiny_base("llama"), seed=0)
    scorer = Scorer(model, tokenizer)
    config = TrainConfig(data=("-",), out=tmp_path, precision="bfloat16", device="cpu")
    examples = scorer.encode(planted(4))[0]
    accelerator = Accelerator(mixed_precision="bf16", cpu=True)
    seen = []
    model.classifier.model.register_forward_pre_hook(lambda *_: seen.append(torch.is_autocast_enabled("cpu")))
    for _ in range(2):
        train.fit(
            train.Course(config, scorer, examples, (), Auxiliary(config, examples)), accelerator, Progress(quiet=True)
        )
    AcceleratorState._reset_state()
    assert seen == [True, True]
    assert not list(tmp_path.iterdir())  # no checkpoint without a place for it


class Killed(BaseException):
    """Stands for SIGKILL: nothing in the product catches it."""


def die_at(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    original = train.check_finite
    calls = iter(range(1, 10_000))

    def count(*args: Any) -> None:
        if next(calls) > step:
            raise Killed
        original(*args)

    monkeypatch.setattr(train, "check_finite", count)


@pytest.mark.parametrize(("seed", "flags"), [(0, {}), (1, {}), (2, {"train_layers": 1}), (3, {"lora": 2})], ids=str)
def test_a_killed_run_continues_to_the_same_bits(
    settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, seed: int, flags: dict[str, int]
) -> None:
    monkeypatch.setenv("REWARD_CACHE", str(tmp_path / "cache"))
    changed = settings | {"seed": seed, "checkpoint_every": 2} | flags
    whole = train.train(TrainConfig(**changed))
    step = random.Random(seed).randrange(3, whole.state.step)
    cut = changed | {"out": settings["out"].with_name("cut")}
    with monkeypatch.context() as patch, pytest.raises(Killed):
        die_at(step, patch)
        train.train(TrainConfig(**cut))
    assert not cut["out"].exists()
    with pytest.raises(UsageError, match="--resume or start over with --overwrite"):
        train.train(TrainConfig(**cut))
    with pytest.raises(UsageError, match=r"lr was 0\.003 and is 0\.1"):
        train.train(TrainConfig(**cut | {"resume": True, "lr": 0.1}))
    told = settings["out"].with_name("progress.jsonl")
    with Progress(told, quiet=True) as progress:
        resumed = train.train(TrainConfig(**cut | {"resume": True}), progress)
    rows = [json.loads(line) for line in told.read_text(encoding="utf-8").splitlines()]
    first = next(row for row in rows if row["stage"] == "train")
    assert step - 2 <= first["step"] <= step
    expected, found = weights(whole.folder), weights(resumed.folder)
    assert expected.keys() == found.keys()
    assert all(torch.equal(expected[name], found[name]) for name in expected)
    assert resumed.state == whole.state
    one, other = (json.loads((f / "reward.json").read_text(encoding="utf-8")) for f in (whole.folder, resumed.folder))
    assert one["mean"] == other["mean"]
    assert one["calibration"] == other["calibration"]


def test_a_checkpoint_holds_the_weights_that_learn_and_no_others(
    settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = settings | {"lora": 2, "checkpoint_every": 1}
    with monkeypatch.context() as patch, pytest.raises(Killed):
        die_at(2, patch)
        train.train(TrainConfig(**changed))
    last = checkpoint.latest(checkpoint.work_folder(settings["out"]))
    assert last is not None
    names = load_file(last / checkpoint.WEIGHTS)
    assert any(".lora_" in name for name in names)
    assert all(".lora_" in name or "score" in name for name in names)


def test_resume_without_a_checkpoint_starts_and_overwrite_replaces(settings: dict[str, Any]) -> None:
    short = settings | {"epochs": 1}
    first = train.train(TrainConfig(**short | {"resume": True}))
    before = weights(first.folder)
    with pytest.raises(UsageError, match=r"--out .* is there already"):
        train.train(TrainConfig(**short))
    train.train(TrainConfig(**short | {"overwrite": True, "seed": 5}))
    assert not torch.equal(before["score.weight"], weights(first.folder)["score.weight"])


def test_a_checkpoint_that_was_cut_short_is_an_error_for_people(
    settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch, pytest.raises(Killed):
        die_at(4, patch)
        train.train(TrainConfig(**settings | {"checkpoint_every": 2}))
    last = checkpoint.latest(checkpoint.work_folder(settings["out"]))
    assert last is not None
    (last / checkpoint.OPTIMIZER).write_bytes(b"damaged")
    with pytest.raises(TrainingError, match="cannot be read"):
        train.train(TrainConfig(**settings | {"checkpoint_every": 2, "resume": True}))


def test_the_size_of_the_inputs_changes_no_result(settings: dict[str, Any]) -> None:
    settings = settings | {"epochs": 1}
    one = train.train(TrainConfig(**settings))
    other = train.train(TrainConfig(**settings | {"out": settings["out"].with_name("small"), "tokens_per_batch": 50}))
    assert other.state.losses == pytest.approx(one.state.losses, rel=1e-3, abs=1e-5)


def test_a_loss_that_is_no_number_stops_and_names_the_group(
    settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    poisoned: list[str] = []

    def loss(scores: torch.Tensor, one: Any) -> torch.Tensor:
        if len(poisoned) == 0 and one.id == "g7":
            poisoned.append(one.id)
            return scores.sum() * float("nan")
        return scores.sum() * 0

    monkeypatch.setitem(losses.LOSSES, "pairwise", loss)
    told = settings["out"].with_name("progress.jsonl")
    with Progress(told, quiet=True) as progress, pytest.raises(TrainingError, match="the loss of group 'g7' is nan"):
        train.train(TrainConfig(**settings), progress)
    last = json.loads(told.read_text(encoding="utf-8").splitlines()[-1])
    assert (last["event"], last["stage"]) == ("error", "train")
    assert not settings["out"].exists()


def test_data_without_a_preference_or_with_a_leak_is_refused(settings: dict[str, Any], tmp_path: Path) -> None:
    tied = tmp_path / "tied.jsonl"
    write_groups([group(f"t{i}", f"p{i}", ["a", "b"], (1, 1)) for i in range(20)], tied)
    with pytest.raises(DataError, match="no training group has a pair"):
        train.train(TrainConfig(**settings | {"data": (str(tied),)}))
    leak = tmp_path / "valid.jsonl"
    write_groups([planted()[3]], leak)
    with pytest.raises(DataError, match="a prompt may be in one split only"):
        train.train(TrainConfig(**settings | {"valid": str(leak)}))
    assert not settings["out"].exists()


def test_bfloat16_learns_too_and_keeps_float32_weights(settings: dict[str, Any]) -> None:
    result = train.train(TrainConfig(**settings | {"precision": "bfloat16", "epochs": 6}))
    assert result.metrics["test"].accuracy >= 0.9
    assert all(tensor.dtype == torch.float32 for tensor in weights(result.folder).values())


def test_two_processes_give_the_weights_of_one(settings: dict[str, Any], data: Path) -> None:
    alone = train.train(TrainConfig(**settings | {"epochs": 1, "batch": 5}))
    out = settings["out"].with_name("two")
    flags = ["--lr", "3e-3", "--batch", "5", "--precision", "float32", "--device", "cpu"]
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = ["-m", "reward", "train", "--data", str(data), "--out", str(out), "--base", settings["base"], *flags]
    done = subprocess.run(
        [*launch, *command], capture_output=True, text=True, check=False, env=os.environ | {"OMP_NUM_THREADS": "1"}
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.count("The reward model is in") == 1
    expected, found = weights(alone.folder), weights(out)
    for name, tensor in expected.items():
        torch.testing.assert_close(found[name], tensor, rtol=1e-4, atol=1e-5)
    told = json.loads((out / "reward.json").read_text(encoding="utf-8"))
    assert told["history"]["losses"] == pytest.approx(alone.state.losses, rel=1e-4)


def test_scores_are_not_rounded_to_bfloat16(tiny_base: Base) -> None:
    for family in ("llama", "bert"):
        model, tokenizer = new_reward_model(tiny_base(family), seed=0)
        scorer = Scorer(model, tokenizer)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            scores = [s for values in scorer.score_groups(planted(4), raw=True) for s in values]
        assert sum(torch.tensor(s).bfloat16().item() == s for s in scores) < len(scores) / 2


def test_learning_rate_rises_then_falls_to_a_tenth() -> None:
    rates = [rate(step, 100, 0.1) for step in range(100)]
    assert rates[:10] == pytest.approx([k / 10 for k in range(1, 11)])
    assert rates[10] == 1.0
    assert rates[55] == pytest.approx(0.55)  # half way down the cosine from 1 to 0.1
    assert rates[-1] == pytest.approx(0.1, abs=1e-3)
    assert rates[10:] == sorted(rates[10:], reverse=True)


@pytest.mark.parametrize("start", [0, 3, 5, 9])
def test_the_schedule_is_the_same_from_any_start(start: int) -> None:
    items = list(range(18))
    whole = list(schedule(items, epochs=2, batch=4, seed=0))
    assert list(schedule(items, epochs=2, batch=4, seed=0, start=start)) == whole[start:]
    for epoch in (whole[:5], whole[5:]):
        assert sorted(item for _, part in epoch for item in part) == items
    assert whole[0][1] != whole[5][1]


@pytest.mark.parametrize(
    ("field", "value", "flag"),
    [("epochs", 0, "--epochs"), ("lr", 0.0, "--lr"), ("warmup", 1.0, "--warmup"), ("tokens_per_batch", 0, "--tokens-")],
)
def test_settings_out_of_range_name_their_flag(settings: dict[str, Any], field: str, value: Any, flag: str) -> None:
    with pytest.raises(UsageError, match=flag):
        TrainConfig(**settings | {field: value})


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Bits are the same only with the same number of threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
