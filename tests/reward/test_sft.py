"""Fine-tuning of tiny models: they learn to answer and to stop, continue bit by bit, and the best epoch is kept."""

from __future__ import annotations

import json
import os
import random
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tiny_models import save_policy, save_reward_model
from transformers import AutoModelForCausalLM, AutoTokenizer

from labeler.errors import DataError, ModelError, TrainingError, UsageError
from labeler.formats import write_demonstrations
from labeler.records import Demonstration, Group, Message
from reward import checkpoint, sft
from reward.artifact import Scorer
from reward.cli import parse
from reward.config.common import Sampling
from reward.config.sft import SftConfig
from reward.demonstrations import demonstrations, read_splits, to_chat
from reward.policy import Policy
from reward.sft_state import Epoch, choose

Base = Callable[[str], Path]


def single(name: str, letter: str, split: str | None = None) -> Demonstration:
    """The answer to everything is the same."""
    return Demonstration(name, (Message("user", letter),), "ok!", meta={} if split is None else {"split": split})


def dialogue(name: str, letters: str, split: str | None = None) -> Demonstration:
    turns = [m for one in letters for m in (Message("user", one), Message("assistant", "ok!"))]
    return Demonstration(name, tuple(turns[:-1]), turns[-1].content, meta={} if split is None else {"split": split})


def lessons(count: int = 24) -> list[Demonstration]:
    """Single prompts and dialogues that teach one answer, a few of each held out."""
    letters = [chr(ord("a") + i) for i in range(count)]
    draw = random.Random(0)
    made = []
    for number, letter in enumerate(letters):
        split = "valid" if number % 6 == 4 else "test" if number % 6 == 5 else "train"
        made.append(
            dialogue(f"d{number}", letter + "".join(draw.sample(letters, 2)), split)
            if number % 2
            else single(f"e{number}", letter, split)
        )
    return made


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "lessons.jsonl"
    write_demonstrations(lessons(), path)
    return path


@pytest.fixture
def settings(data: Path, tiny_base: Base, tmp_path: Path) -> dict[str, Any]:
    return {
        "data": (str(data),),
        "out": tmp_path / "policy",
        "base": str(tiny_base("llama")),
        "lr": 1e-2,
        "epochs": 2,
        "max_new_tokens": 8,
        "samples": 3,
        "precision": "float32",
        "device": "cpu",
    }


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


def same(first: Path, second: Path) -> bool:
    a, b = weights(first), weights(second)
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def told(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "sft.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("more", [{}, {"lora": 16, "lr": 3e-2, "epochs": 12}, {"from_scratch": True}], ids=str)
def test_a_policy_learns_to_answer_and_to_stop(settings: dict[str, Any], more: dict[str, Any]) -> None:
    result = sft.fine_tune(SftConfig(**settings | {"epochs": 10, "temperature": 0.0} | more))
    before, after = result.state.epochs[0], result.chosen
    assert before.loss > 3
    assert after.loss < 0.7
    assert after.test_loss < 0.7
    tokenizer, model = AutoTokenizer.from_pretrained(result.folder), AutoModelForCausalLM.from_pretrained(result.folder)
    prompt = tokenizer.apply_chat_template(
        [{"role": "user", "content": "c"}], add_generation_prompt=True, return_dict=True, return_tensors="pt"
    )
    written = model.generate(**prompt, do_sample=False, max_new_tokens=8)[0, prompt["input_ids"].shape[1] :]
    assert tokenizer.decode(written) == "ok!<eos>"
    sampling = Sampling(temperature=0.0, max_new_tokens=8, precision="float32")
    group = Policy.load(str(result.folder), sampling).write(Group("g", (Message("user", "c"),), ()), 1, sampling)
    assert group.completions[0].text == "ok!"
    assert group.meta["generation"]["finished"] == [True]
    assert {n for n, _ in model.named_parameters()} == {
        n for n, _ in AutoModelForCausalLM.from_pretrained(settings["base"]).named_parameters()
    }
    assert not checkpoint.work_folder(result.folder).exists()


def test_the_folder_says_how_it_was_made(settings: dict[str, Any]) -> None:
    result = sft.fine_tune(SftConfig(**settings))
    found = told(result.folder)
    assert found["base"]["sha256"]
    assert found["data"]["conversations"] == {"train": 16, "valid": 4, "test": 4}
    assert found["data"]["split"] == "given"
    assert found["data"]["encoding"]["answers"] == 8 + 3 * 8
    assert found["config"]["lr"] == 1e-2
    assert [epoch["number"] for epoch in found["epochs"]] == [0, 1, 2]
    assert found["chosen"]["number"] == result.chosen.number
    assert len(found["losses"]) == found["steps"] == result.state.step == 4
    assert len(found["seen_prompts"]) == 20
    card = (result.folder / "README.md").read_text(encoding="utf-8")
    assert f"{result.chosen.loss:.4f}" in card
    page = (result.folder / "report.html").read_text(encoding="utf-8")
    assert not re.search(r"<script|<link|<img|(?:url\(|@import|src=|href=)\s*[\"']?(?!#)[\w/:.]", page)
    assert page.count("<article>") == 3
    assert "before training" in page
    again = sft.fine_tune(SftConfig(**settings | {"out": settings["out"].with_name("again")}))
    assert same(result.folder, again.folder)
    assert again.state == result.state


class StoppedError(Exception):
    """Raised in the place of a kill."""


@pytest.mark.parametrize(
    ("where", "more"),
    [
        ("step 1", {}),
        ("step 4", {}),
        ("step 4", {"dropout": 0.2}),
        ("step 4", {"lora": 2}),
        ("before the checkpoint of epoch 2", {}),
        ("before the folder", {}),
    ],
    ids=str,
)
def test_a_stopped_run_continues_bit_by_bit(
    settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch, where: str, more: dict[str, Any]
) -> None:
    flags = settings | {"epochs": 3, "checkpoint_every": 1, "samples": 1} | more
    whole = sft.fine_tune(SftConfig(**flags))
    cut = flags | {"out": settings["out"].with_name("cut")}
    calls = {"step": 0, "save": 0}
    take_step, save, write = sft.take_step, sft.save, sft.write_outcome

    def stop_step(course: Any, **parts: Any) -> None:
        calls["step"] += 1
        if where == f"step {calls['step']}":
            raise StoppedError
        take_step(course, **parts)

    def stop_save(*arguments: Any) -> None:
        calls["save"] += 1
        if where.startswith("before the checkpoint") and calls["save"] == 4:
            raise StoppedError
        save(*arguments)

    def stop_write(*arguments: Any) -> None:
        if where == "before the folder":
            raise StoppedError
        write(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(sft, "take_step", stop_step)
        patch.setattr(sft, "save", stop_save)
        patch.setattr(sft, "write_outcome", stop_write)
        with pytest.raises(StoppedError):
            sft.fine_tune(SftConfig(**cut))
    assert not cut["out"].exists()
    if where != "step 1":
        with pytest.raises(UsageError, match="--resume"):
            sft.fine_tune(SftConfig(**cut))
        with pytest.raises(UsageError, match="lr was"):
            sft.fine_tune(SftConfig(**cut | {"lr": 1e-3, "resume": True}))
    resumed = sft.fine_tune(SftConfig(**cut | {"resume": True}))
    assert same(whole.folder, resumed.folder)
    assert resumed.state == whole.state
    assert resumed.chosen == whole.chosen


def test_two_processes_give_the_weights_of_one(settings: dict[str, Any], data: Path) -> None:
    alone = sft.fine_tune(SftConfig(**settings | {"epochs": 1, "batch": 5}))
    out = settings["out"].with_name("two")
    flags = ["--lr", "1e-2", "--batch", "5", "--precision", "float32", "--device", "cpu", "--epochs", "1"]
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = ["-m", "reward", "sft", "--data", str(data), "--out", str(out), "--base", settings["base"], *flags]
    done = subprocess.run(
        [*launch, *command], capture_output=True, text=True, check=False, env=os.environ | {"OMP_NUM_THREADS": "1"}
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.count("The policy is in") == 1
    expected, found = weights(alone.folder), weights(out)
    for name, tensor in expected.items():
        torch.testing.assert_close(found[name], tensor, rtol=1e-3, atol=1e-4)
    assert told(out)["losses"] == pytest.approx(alone.state.losses, rel=1e-4)


def test_bfloat16_learns_too_and_keeps_float32_weights(settings: dict[str, Any]) -> None:
    result = sft.fine_tune(SftConfig(**settings | {"precision": "bfloat16", "samples": 0, "epochs": 4}))
    assert result.chosen.loss < 3 < result.state.epochs[0].loss
    assert all(tensor.dtype == torch.float32 for tensor in weights(result.folder).values())


def test_an_existing_folder_is_replaced_only_on_demand(settings: dict[str, Any]) -> None:
    first = sft.fine_tune(SftConfig(**settings | {"epochs": 1}))
    with pytest.raises(UsageError, match="--overwrite"):
        sft.fine_tune(SftConfig(**settings | {"epochs": 1}))
    before = weights(first.folder)
    sft.fine_tune(SftConfig(**settings | {"epochs": 1, "seed": 1, "overwrite": True}))
    assert not all(torch.equal(before[name], tensor) for name, tensor in weights(first.folder).items())


def test_the_epoch_with_the_best_reward_is_kept_else_that_with_the_lowest_loss() -> None:
    measured = [Epoch(0, 0, loss=0.5, reward=9.0), Epoch(1, 2, 3.0, reward=0.1), Epoch(2, 4, 2.0, reward=0.3)]
    measured += [Epoch(3, 6, 1.0, reward=0.2), Epoch(4, 8, 1.0, reward=0.3)]
    best, why = choose(measured)
    assert (best.number, "reward" in why) == (2, True)
    best, why = choose([replace(epoch, reward=None) for epoch in measured])
    assert (best.number, "loss" in why) == (3, True)
    best, why = choose([replace(epoch, reward=None, loss=None) for epoch in measured])
    assert (best.number, "last" in why) == (4, True)


def test_a_reward_model_chooses_the_epoch_whose_weights_are_saved(
    settings: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rewards = iter([0.0, 0.2, 0.9, 0.4])
    after: list[dict[str, torch.Tensor]] = []

    def planted(answers: Any) -> tuple[float, float]:
        return next(rewards), 0.1

    finish = sft.finish_epoch

    def note(course: sft.Course, *arguments: Any) -> None:
        finish(course, *arguments)
        after.append({n: p.detach().clone() for n, p in course.model.network.named_parameters()})

    monkeypatch.setattr(sft, "mean_reward", planted)
    monkeypatch.setattr(sft, "finish_epoch", note)
    scorer = save_reward_model(tmp_path / "rm")
    result = sft.fine_tune(SftConfig(**settings | {"epochs": 3, "reward": scorer}))
    assert result.chosen.number == 2
    assert "highest mean reward" in told(result.folder)["chosen"]["why"]
    saved = dict(AutoModelForCausalLM.from_pretrained(result.folder).named_parameters())
    assert all(torch.equal(saved[name], tensor) for name, tensor in after[2].items())
    assert not all(torch.equal(saved[name], tensor) for name, tensor in after[3].items())


def test_answers_are_scored_as_the_scorer_scores_them(settings: dict[str, Any], tmp_path: Path) -> None:
    folder = save_reward_model(tmp_path / "rm")
    result = sft.fine_tune(SftConfig(**settings | {"epochs": 1, "reward": folder}))
    scorer = Scorer.from_pretrained(folder)
    prompts = [d.prompt for d in lessons() if d.meta["split"] == "valid"][:3]
    for epoch in result.state.epochs:
        expected = [scorer.score(p, [a.text])[0] for p, a in zip(prompts, epoch.answers, strict=True)]
        assert [a.reward for a in epoch.answers] == pytest.approx(expected, abs=1e-4)
        assert epoch.reward == pytest.approx(sum(expected) / 3, abs=1e-4)
        assert epoch.reward_error == pytest.approx(torch.tensor(expected).std().item() / 3**0.5, abs=1e-4)


def test_dialogues_that_open_alike_are_in_one_split(tmp_path: Path, tiny_base: Base) -> None:
    made = [dialogue(f"{opening}{i}", opening + "xyz"[i]) for opening in "abcdefghijklmnopqrst" for i in range(3)]
    write_demonstrations(made, tmp_path / "d.jsonl")
    splits = read_splits([str(tmp_path / "d.jsonl")])
    where = [{g.prompt[0].content for g in part} for part in (splits.train, splits.valid, splits.test)]
    assert sum(map(len, where)) == 20
    assert where[0]
    assert where[1] or where[2]


def test_weights_of_sources_weigh_their_tokens(tmp_path: Path) -> None:
    """Losses of both sources, by hand, against the loss of the first step."""
    paths = []
    for name, shown in (("a", single("a", "a")), ("b", dialogue("b", "bcd"))):
        paths.append(tmp_path / f"{name}.jsonl")
        write_demonstrations([replace(shown, meta={"split": "train"})], paths[-1])
    base = save_policy(tmp_path / "base")
    common = {"base": str(base), "epochs": 1, "precision": "float32", "device": "cpu", "samples": 0}

    def first_loss(**more: Any) -> float:
        return sft.fine_tune(SftConfig(**common | more)).state.losses[0]

    alone = [first_loss(data=(str(p),), out=tmp_path / f"only-{p.stem}") for p in paths]
    both = first_loss(data=tuple(map(str, paths)), out=tmp_path / "both", weights=(3.0, 0.5))
    tokens = (4, 12)  # three letters and an end token, each answer
    total = 3.0 * tokens[0] + 0.5 * tokens[1]
    assert both == pytest.approx((3.0 * tokens[0] * alone[0] + 0.5 * tokens[1] * alone[1]) / total, rel=1e-4)


def test_messages_rows_are_demonstrations_too(tmp_path: Path) -> None:
    row = {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Ho"}], "split": "test"}
    (tmp_path / "m.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    (group,) = demonstrations(str(tmp_path / "m.jsonl"))
    assert (group.split, to_chat(group).turns) == ("test", (Message("user", "Hi"), Message("assistant", "Ho")))


def test_bad_input_is_named(settings: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    groups = tmp_path / "groups.jsonl"
    groups.write_text(
        json.dumps({"id": "g", "prompt": "Hi", "completions": [{"id": "c", "text": "x"}], "rankings": []}) + "\n"
    )
    with pytest.raises(DataError, match=r"groups\.jsonl.*no demonstrations"):
        sft.fine_tune(SftConfig(**settings | {"data": (str(groups),)}))
    broken = tmp_path / "broken.jsonl"
    broken.write_text('{"id": "a", "prompt": "x", "completion": "y"}\n{"id": "b", "prompt": "x"\n')
    with pytest.raises(DataError, match=r"broken\.jsonl:2"):
        sft.fine_tune(SftConfig(**settings | {"data": (str(broken),)}))
    with pytest.raises(DataError, match="--max-length"):
        sft.fine_tune(SftConfig(**settings | {"max_length": 3}))
    with pytest.raises(ModelError, match="no reward model"):
        sft.fine_tune(SftConfig(**settings | {"reward": tmp_path}))
    monkeypatch.setattr(sft, "rate", lambda *_: float("nan"))
    with pytest.raises(TrainingError, match="--lr"):
        sft.fine_tune(SftConfig(**settings | {"overwrite": True}))
    assert not settings["out"].exists()


@pytest.mark.parametrize(
    ("change", "flag"),
    [
        ({"data": ()}, "--data"),
        ({"epochs": 0}, "--epochs"),
        ({"lr": 0.0}, "--lr"),
        ({"dropout": 1.0}, "--dropout"),
        ({"weights": (1.0, 2.0)}, "--weights"),
        ({"weights": (0.0,)}, "--weights"),
        ({"reward": Path("rm"), "samples": 0}, "--samples"),
        ({"temperature": -1.0}, "--temperature"),
        ({"resume": True, "overwrite": True}, "--resume"),
    ],
)
def test_settings_out_of_range_name_their_flag(change: dict[str, Any], flag: str) -> None:
    with pytest.raises(UsageError, match=flag):
        SftConfig(**{"data": ("d",), "out": Path("o")} | change)


def test_the_command_line_is_made_from_the_settings() -> None:
    found = parse(shlex.split("sft --data a.jsonl b.jsonl --out o --weights 1 0.5 --from-scratch --reward rm"))
    assert isinstance(found, SftConfig)
    assert (found.data, found.weights, found.from_scratch) == (("a.jsonl", "b.jsonl"), (1.0, 0.5), True)
