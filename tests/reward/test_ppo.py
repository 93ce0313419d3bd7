"""PPO on tiny models: it raises what it is paid for, continues bit by bit, shares what it says, and tells its story."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
import torch
from safetensors.torch import load_file
from tiny_models import byte_tokenizer, save_policy, save_reward_model
from transformers import AutoModelForCausalLM, AutoTokenizer

from labeler.errors import DataError, UsageError
from labeler.records import Completion, Group, Message
from reward import checkpoint, held_out
from reward import ppo as recipe
from reward.actors import load_actors
from reward.artifact import Scorer, save_artifact
from reward.config.ppo import PpoConfig
from reward.lora import Adapters
from reward.model import new_reward_model
from reward.ppo import ppo
from reward.ppo_state import Average
from reward.rollouts import Rollout


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A policy, a reward model of another seed, one of the policy with its head alone, one by adapters, prompts."""
    folder = tmp_path_factory.mktemp("ppo")
    save_policy(folder / "policy", seed=1)
    save_reward_model(folder / "rm")
    for name, rank in (("rm-adapters", 2), ("rm-head", 0)):
        model, tokenizer = new_reward_model(folder / "policy", seed=3)
        if rank:
            adapters = Adapters(model, rank, seed=0)
            with torch.no_grad():
                for key, parameter in model.named_parameters():
                    if "lora_B" in key:
                        parameter.normal_(0, 0.05, generator=torch.Generator().manual_seed(len(key)))
            adapters.merge()
        save_artifact(folder / name, Scorer(model, tokenizer, mean=0.5, std=2.0), "card\n")
    (folder / "prompts.txt").write_text("".join(f"Question {n}?\n" for n in range(40)))
    return folder


def settings(place: Path, out: Path, **more: Any) -> PpoConfig:
    """A run of seconds."""
    plain: dict[str, Any] = {
        "policy": str(place / "policy"),
        "reward": place / "rm-head",
        "prompts": str(place / "prompts.txt"),
        "out": out,
        "episodes": 64,
        "batch": 16,
        "minibatch": 8,
        "max_new_tokens": 6,
        "device": "cpu",
        "precision": "float32",
        "evaluate_every": 2,
        "evaluate_samples": 2,
        "lr": 1e-3,
        "value_lr": 1e-3,
    }
    return PpoConfig(**(plain | more))


def pay_for_letters(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the reward be the share of small letters in the completion, whatever the reward model says."""

    def scores(_self: Scorer, groups: list[Group], *, raw: bool = False) -> list[list[float]]:
        return [[sum("a" <= c <= "z" for c in each.text) / 6 for each in group.completions] for group in groups]

    monkeypatch.setattr(Scorer, "score_groups", scores)


def eager(place: Path, out: Path, iterations: int, **more: Any) -> PpoConfig:
    """A run that learns within few iterations."""
    rates = {"lr": 1e-2, "value_lr": 1e-2, "kl_coef": 0.0, "save": "last", "evaluate_every": iterations}
    sizes = {"episodes": 64 * iterations, "batch": 64, "minibatch": 32, "samples_per_prompt": 16}
    return settings(place, out, **(rates | sizes | more))


BOTH: dict[str, Any] = {"train_layers": 1, "lora": 16}


@pytest.mark.parametrize(
    ("iterations", "more"),
    [(14, {}), (20, {"train_layers": 1, "lr": 2e-2}), (20, {"lora": 16, "lr": 2e-2}), (20, BOTH | {"lr": 2e-2})],
    ids=["whole", "layers", "adapters", "both"],
)
def test_what_is_paid_for_is_done_more_often(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, iterations: int, more: dict[str, Any]
) -> None:
    pay_for_letters(monkeypatch)
    state = ppo(eager(place, tmp_path / "out", iterations, **more))
    first, last = state.rows("evaluation")[0], state.rows("evaluation")[-1]
    assert last["reward"] > first["reward"] + 0.3
    assert last["gain_ci95"][0] > 0
    assert abs(first["kl"]) < 1e-4 < 1 < last["kl"]


def test_the_penalty_holds_the_policy_at_the_reference(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pay_for_letters(monkeypatch)
    free, held = (ppo(eager(place, tmp_path / str(beta), 10, kl_coef=beta)) for beta in (0.0, 1.0))
    assert held.rows("evaluation")[-1]["kl"] < free.rows("evaluation")[-1]["kl"] / 2


@pytest.mark.parametrize("way", [{}, BOTH], ids=["whole", "both"])
def test_a_killed_run_goes_on_bit_by_bit(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: dict[str, Any]
) -> None:
    more: dict[str, Any] = way | {
        "kl_target": 0.01,
        "checkpoint_every": 1,
        "ptx_data": str(place / "prompts.txt"),
        "ptx_batch": 2,
    }
    whole = ppo(settings(place, tmp_path / "whole", **more))
    assert not checkpoint.work_folder(tmp_path / "whole").exists()

    class KilledError(Exception):
        pass

    real, calls = recipe.iterate, []

    def killed(*args: Any) -> Any:
        calls.append(1)
        if len(calls) in (2, 4):
            raise KilledError
        return real(*args)

    monkeypatch.setattr(recipe, "iterate", killed)
    for _ in range(2):
        with pytest.raises(KilledError):
            ppo(settings(place, tmp_path / "cut", resume=True, **more))
    assert not (tmp_path / "cut").exists()
    with monkeypatch.context() as patched, pytest.raises(KilledError):  # after the last iteration
        patched.setattr(recipe, "write_outcome", Mock(side_effect=KilledError))
        ppo(settings(place, tmp_path / "cut", resume=True, **more))
    with pytest.raises(UsageError, match="resume"):
        ppo(settings(place, tmp_path / "cut", **more))
    with pytest.raises(UsageError, match="lr was"):
        ppo(settings(place, tmp_path / "cut", resume=True, **(more | {"lr": 2e-3})))
    again = ppo(settings(place, tmp_path / "cut", resume=True, **more))
    expected, found = (load_file(tmp_path / name / "model.safetensors") for name in ("whole", "cut"))
    assert all(torch.equal(expected[name], found[name]) for name in expected)
    assert told(again.curves) == told(whole.curves)
    assert again.samples == whole.samples
    assert again.beta != 0.02


def told(rows: list[dict[str, Any]]) -> str:
    """The curves as they are written, but for the time they took."""
    return json.dumps([{k: v for k, v in row.items() if k != "seconds"} for row in rows])


def test_the_outcome_is_a_plain_model_with_its_story(place: Path, tmp_path: Path) -> None:
    state = ppo(settings(place, tmp_path / "out"))
    out = tmp_path / "out"
    model = AutoModelForCausalLM.from_pretrained(out)
    start = AutoModelForCausalLM.from_pretrained(place / "policy")
    assert any(not torch.equal(a, b) for a, b in zip(model.parameters(), start.parameters(), strict=True))
    assert AutoTokenizer.from_pretrained(out).chat_template
    told = json.loads((out / "ppo.json").read_text())
    assert told["policy"]["sha256"]
    assert set(told["reward_model"]["sha256"]) == {"model.safetensors"}
    assert told["reward_model"]["mean"] == 0.5
    assert told["config"]["kl_coef"] == 0.02
    assert len(told["prompts"]["sha256"]["practice"]) == 64
    curves = [json.loads(line) for line in (out / "curves.jsonl").read_text().splitlines()]
    assert [row["iteration"] for row in curves if row["kind"] == "batch"] == [1, 2, 3, 4]
    assert [row["iteration"] for row in curves if row["kind"] == "evaluation"] == [0, 2, 4]
    samples = [json.loads(line) for line in (out / "samples.jsonl").read_text().splitlines()]
    scorer = Scorer.from_pretrained(place / "rm-head")
    for row in samples[:3]:
        assert scorer.score(row["messages"][0]["content"], [row["text"]]) == [pytest.approx(row["reward"], abs=1e-4)]
    page = (out / "report.html").read_text()
    assert not re.search(r"(src|href)=.(https?:)?//", page)
    assert "Question" in page
    assert all(math.isfinite(row["policy_loss"]) for row in state.rows("batch"))


def test_the_kl_of_the_curves_is_that_of_the_saved_policy(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last evaluation, computed again from the folders with stock models, one completion at a time."""
    drawn: list[Rollout] = []
    real = held_out.draw
    monkeypatch.setattr(held_out, "draw", lambda *args: drawn.__setitem__(slice(None), found := real(*args)) or found)
    state = ppo(settings(place, tmp_path / "out", lr=1e-2))
    models = [AutoModelForCausalLM.from_pretrained(folder) for folder in (tmp_path / "out", place / "policy")]
    ratios = []
    for rollout in drawn:
        for sample in rollout.samples:
            start, ids = rollout.question.ids, list(sample.ids)
            sums = []
            for model in models:
                with torch.no_grad():
                    log_probs = model(torch.tensor([[*start, *ids]])).logits[0].log_softmax(-1)
                total = sum(float(log_probs[len(start) - 1 + t, token]) for t, token in enumerate(ids))
                sums.append(total + (float(log_probs[-1, [0, 2]].logsumexp(0)) if sample.finished else 0.0))
            ratios.append(sums[0] - sums[1])
    last = [row for row in state.samples if row["iteration"] == 4]
    assert [row["kl"] for row in last] == pytest.approx(ratios, abs=1e-3)
    assert state.rows("evaluation")[-1]["kl"] == pytest.approx(sum(ratios) / len(ratios), abs=1e-3)
    assert max(map(abs, ratios)) > 0.01


def test_the_value_function_starts_as_the_reward_model(place: Path, tmp_path: Path) -> None:
    for more in ({}, {"train_layers": 1}, {"lora": 2}, BOTH):
        for reward in ("rm", "rm-head", "rm-adapters"):
            config = settings(place, tmp_path / "x", reward=place / reward, **more)
            actors = load_actors(config, "float32")
            texts = ["a", "bc"]
            raw = Scorer.from_pretrained(place / reward).score("Question 1?", texts)
            asked = Group("q", (Message("user", "Question 1?"),), tuple(Completion(t, t) for t in texts))
            (found,) = actors.scores([asked])
            assert found == pytest.approx(raw, abs=1e-4)
            encoded, _ = actors.scorer.encode([asked])
            (row,) = actors.critic.reader.rows(encoded, 1000)
            row = actors.critic.reader.with_states(row)
            with torch.no_grad():
                states = actors.critic.states(row, row.ends)
                values = actors.critic.head(states)[:, 0]
            torch.testing.assert_close(values, torch.tensor(raw), rtol=1e-4, atol=1e-4)


def test_one_backbone_serves_four_roles_only_where_it_can(place: Path, tmp_path: Path) -> None:
    notes, sizes = {}, {}
    for reward in ("rm", "rm-head", "rm-adapters"):
        actors = load_actors(settings(place, tmp_path / "x", reward=place / reward, lora=2), "float32")
        notes[reward] = actors.notes[0]
        models = (actors.policy.model, actors.scorer.model.classifier)
        sizes[reward] = sum({p.data_ptr(): p.numel() for m in models for p in m.parameters()}.values())
    base = sum(p.numel() for p in AutoModelForCausalLM.from_pretrained(place / "policy").parameters())
    assert notes["rm-head"] == notes["rm-adapters"] == "One backbone plays all four roles."
    assert "another one" in notes["rm"]
    assert sizes["rm-head"] < 1.5 * base < sizes["rm"]


def test_a_reward_model_with_other_tokens_gives_scores_but_no_value_function(place: Path, tmp_path: Path) -> None:
    shutil.copytree(place / "rm", tmp_path / "rm")
    tokenizer = byte_tokenizer()
    tokenizer.add_tokens(["extra"])
    tokenizer.save_pretrained(tmp_path / "rm")
    model, ready = new_reward_model(save_policy(tmp_path / "base"), seed=0)
    model.classifier.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    save_artifact(tmp_path / "other", Scorer(model, tokenizer), "card\n")
    for more in ({}, {"lora": 2}):
        state = ppo(settings(place, tmp_path / f"out{len(more)}", reward=tmp_path / "other", episodes=16, **more))
        assert state.iteration == 1
    told = json.loads((tmp_path / "out1" / "ppo.json").read_text())
    assert any("does not read the policy's tokens" in note for note in told["sharing"])
    assert ready


def test_it_stops_at_the_largest_distance(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pay_for_letters(monkeypatch)
    state = ppo(eager(place, tmp_path / "out", 40, max_kl=0.5))
    kls = [row["kl"] for row in state.rows("batch")]
    assert len(kls) < 40
    assert kls[-1] >= 0.5 > max(kls[:-1])


def test_time_is_up(place: Path, tmp_path: Path) -> None:
    assert ppo(settings(place, tmp_path / "out", minutes=1e-6)).iteration == 1


def test_unfinished_completions_pay(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    real = recipe.rl.token_rewards
    monkeypatch.setattr(recipe.rl, "token_rewards", lambda s, *a: seen.append(s) or real(s, *a))
    for penalty in (0.0, 5.0):
        ppo(settings(place, tmp_path / str(penalty), episodes=16, missing_eos_penalty=penalty))
    difference = seen[0] - seen[1]
    assert set(difference.tolist()) <= {0.0, 5.0}
    assert 5.0 in difference.tolist()


def test_the_average_forgets_the_start(tmp_path: Path) -> None:
    parameter = torch.nn.Parameter(torch.zeros(1))
    average = Average({"p": parameter}, 0.992)
    by_hand = 0.0
    for step in range(1, 200):
        with torch.no_grad():
            parameter.fill_(float(step))
        average.update()
        decay = min(0.992, (1 + step) / (10 + step))
        by_hand = decay * by_hand + (1 - decay) * step
    with average.applied():
        assert parameter.item() == pytest.approx(by_hand, rel=1e-4)
    assert parameter.item() == 199


def test_ptx_keeps_what_it_is_shown(place: Path, tmp_path: Path) -> None:
    (tmp_path / "texts.txt").write_text("abcabcabcabc\n")
    texts = str(tmp_path / "texts.txt")
    config = settings(place, tmp_path / "out", episodes=16 * 20, ptx_data=texts, lr=3e-3, evaluate_every=20)
    losses = [row["ptx_loss"] for row in ppo(config).rows("batch")]
    assert losses[-1] < losses[0] - 0.5


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"batch": 24, "minibatch": 16}, "--batch"),
        ({"samples_per_prompt": 3}, "--batch"),
        ({"clip": 0.0}, "--clip"),
        ({"gamma": 1.5}, "--gamma"),
        ({"policy": "https://x"}, "--policy"),
    ],
)
def test_wrong_settings_name_the_flag(place: Path, tmp_path: Path, change: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        settings(place, tmp_path / "out", **change)


def test_what_is_missing_is_said(place: Path, tmp_path: Path) -> None:
    (tmp_path / "one.txt").write_text("Only one?\n")
    with pytest.raises(DataError, match="--valid"):
        ppo(settings(place, tmp_path / "out", prompts=str(tmp_path / "one.txt")))
    (tmp_path / "empty.txt").write_text("\n")
    with pytest.raises(DataError, match="--ptx-data"):
        ppo(settings(place, tmp_path / "out", ptx_data=str(tmp_path / "empty.txt")))
    assert not (tmp_path / "out").exists()


def test_two_processes_give_the_weights_of_one(place: Path, tmp_path: Path) -> None:
    alone = ppo(settings(place, tmp_path / "one", episodes=32, minibatch=16))
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "reward"]
    flags = "--episodes 32 --batch 16 --minibatch 16 --max-new-tokens 6 --device cpu --precision float32 --lr 1e-3"
    where = ["--policy", place / "policy", "--reward", place / "rm-head", "--prompts", place / "prompts.txt"]
    more = "--value-lr 1e-3 --evaluate-every 2 --evaluate-samples 2"
    command = [*launch, "ppo", *map(str, where), "--out", str(tmp_path / "two"), *flags.split(), *more.split()]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.count("The policy is in") == 1
    expected, found = (load_file(tmp_path / name / "model.safetensors") for name in ("one", "two"))
    for name, tensor in expected.items():
        torch.testing.assert_close(found[name], tensor, rtol=1e-4, atol=1e-4)
    rows = [json.loads(line) for line in (tmp_path / "two" / "curves.jsonl").read_text().splitlines()]
    for row, same in zip(rows, alone.curves, strict=True):
        for name in ("reward", "kl", "policy_loss", "value_loss", "length"):
            assert row.get(name) == pytest.approx(same.get(name), abs=1e-4)
