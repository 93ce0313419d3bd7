"""Training a part of the weights, or with fewer activations, computes the same as the plain way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from builders import AWKWARD
from safetensors.torch import load_file
from test_train import planted, small_run

from labeler.errors import ModelError, UsageError
from labeler.formats import write_groups
from reward import train
from reward.artifact import Scorer
from reward.config.train import TrainConfig
from reward.data import EncodedGroup, Encoder
from reward.frozen import Store
from reward.lora import Adapters
from reward.losses import LOSSES
from reward.model import RewardModel, new_reward_model
from reward.step import Batch, backward

Base = Callable[[str], Path]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("REWARD_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def settings(tiny_base: Base, tmp_path: Path) -> dict[str, Any]:
    write_groups(planted(), tmp_path / "groups.jsonl")
    return small_run(tmp_path / "groups.jsonl", tiny_base("llama"), tmp_path / "rm")


def load(folder: Path) -> tuple[RewardModel, list[EncodedGroup]]:
    model, tokenizer = new_reward_model(folder, seed=0)
    return model, Encoder(tokenizer, model.max_length, model.shares_prefix).groups(AWKWARD)[0]


def gradients(model: RewardModel, groups: list[EncodedGroup], budget: int) -> dict[str, torch.Tensor]:
    model.zero_grad()
    backward(model, Batch(groups, [1 / len(groups)] * len(groups), model.inputs(groups, budget)), LOSSES["pairwise"])
    return {name: p.grad for name, p in model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("budget", [10_000, 60], ids=["whole groups", "groups cut over rows"])
@pytest.mark.parametrize("family", ["llama", "qwen2", "gpt2", "neox"])
def test_kept_states_give_the_gradients_of_the_whole_model(
    tiny_base: Base, tmp_path: Path, family: str, budget: int
) -> None:
    model, groups = load(tiny_base(family))
    expected = gradients(model, groups, budget)
    model.train_last(1, Store(tmp_path, "tiny", torch.float32))
    found = gradients(model, groups, budget)
    assert 0 < len(found) < len(expected)
    assert not any(f".{model.lower.cut.name}.0." in name or "emb" in name for name in found)
    learning = {name for name, p in model.named_parameters() if p.requires_grad}
    assert found.keys() == learning
    for name, gradient in found.items():
        torch.testing.assert_close(gradient, expected[name], rtol=1e-5, atol=1e-5, msg=lambda m, n=name: f"{n}: {m}")


def test_states_are_computed_once_for_the_same_texts_and_base(tiny_base: Base, tmp_path: Path) -> None:
    for base, runs in (("tiny", len(AWKWARD) + 1), ("tiny", 0), ("another", len(AWKWARD) + 1)):
        model, groups = load(tiny_base("llama"))
        seen = []
        model.classifier.model.layers[0].register_forward_hook(lambda *_, seen=seen: seen.append(1))
        model.train_last(1, Store(tmp_path, base, torch.float32))
        probes = len(seen) - (1 if runs else 0)  # the check reads its made-up group the stock way, too
        model.inputs(groups, 60)
        assert len(seen) - probes == runs


def test_only_the_last_layers_change(settings: dict[str, Any], tiny_base: Base) -> None:
    result = train.train(TrainConfig(**settings, train_layers=1))
    assert result.state.losses[-1] < result.state.losses[0]
    before = load_file(tiny_base("llama") / "model.safetensors")
    after = load_file(result.folder / "model.safetensors")
    changed = {name for name in after if name not in before or not torch.equal(before[name], after[name])}
    assert {name.split(".")[2] for name in changed if ".layers." in name} == {"1"}
    assert "score.weight" in changed
    assert "model.embed_tokens.weight" not in changed
    scorer = Scorer.from_pretrained(result.folder)
    assert scorer.score("a new prompt", ["ab!"]) == pytest.approx(
        result.scorer.score("a new prompt", ["ab!"]), abs=1e-5
    )


def test_groups_that_nobody_ranked_yet_are_read_ahead(settings: dict[str, Any], tmp_path: Path, cache: Path) -> None:
    waiting = [
        replace(g, id=f"w{g.id}", prompt=(replace(g.prompt[0], content=f"new {g.id}"),), rankings=())
        for g in planted(5)
    ]
    train.train(TrainConfig(**settings, train_layers=1))
    kept = set(cache.glob("states/*/*/*.safetensors"))
    write_groups([*planted(), *waiting], tmp_path / "more.jsonl")
    again = settings | {"data": (str(tmp_path / "more.jsonl"),), "out": tmp_path / "again"}
    train.train(TrainConfig(**again, train_layers=1))
    assert len(set(cache.glob("states/*/*/*.safetensors")) - kept) == len(waiting)


def test_what_has_no_lower_layers_is_refused(settings: dict[str, Any], tiny_base: Base) -> None:
    with pytest.raises(ModelError, match="--train-layers 2: the base has 2 layers"):
        train.train(TrainConfig(**settings, train_layers=2))
    with pytest.raises(ModelError, match="--train-layers needs a decoder"):
        train.train(TrainConfig(**settings | {"base": str(tiny_base("bert"))}, train_layers=1))
    with pytest.raises(UsageError, match="--lora must be given without --train-layers"):
        TrainConfig(**settings, train_layers=1, lora=4)


@pytest.mark.parametrize("family", ["llama", "gpt2", "bert"])
def test_adapters_are_merged_into_a_plain_model(settings: dict[str, Any], tiny_base: Base, family: str) -> None:
    result = train.train(TrainConfig(**settings | {"base": str(tiny_base(family)), "lr": 1e-2, "epochs": 6}, lora=2))
    epoch = len(result.state.losses) // 6
    assert sum(result.state.losses[-epoch:]) < 0.9 * sum(result.state.losses[:epoch])
    before = load_file(tiny_base(family) / "model.safetensors")
    after = load_file(result.folder / "model.safetensors")
    assert not any("lora" in name for name in after)
    bare = {
        name.removeprefix("model.").removeprefix("transformer.").removeprefix("bert."): t for name, t in before.items()
    }
    ranks = {}
    for name, tensor in after.items():
        key = name.removeprefix("model.").removeprefix("transformer.").removeprefix("bert.")
        if key in bare and tensor.ndim == 2 and not torch.equal(tensor, bare[key]):
            ranks[name] = int(torch.linalg.matrix_rank(tensor - bare[key], rtol=1e-3))
    assert set(ranks.values()) <= {1, 2}
    assert len(ranks) >= 7


def test_merging_leaves_the_scores(tiny_base: Base) -> None:
    model, groups = load(tiny_base("llama"))
    adapters = Adapters(model, rank=2, seed=0)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(0, 0.3, generator=torch.Generator().manual_seed(0))
        (row,) = model.inputs(groups, 10_000)
        before = model(row)
        adapters.merge()
        assert model.mode == "fused"
        torch.testing.assert_close(model(row), before, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("family", ["llama", "gpt2", "bert"])
def test_checkpointed_activations_give_the_same_gradients_with_less(tiny_base: Base, family: str) -> None:
    found, sizes = [], []
    for checkpointed in (False, True):
        model, groups = load(tiny_base(family))
        if checkpointed:
            model.checkpoint_activations()
        kept: dict[int, int] = {}

        def pack(tensor: torch.Tensor, kept: dict[int, int] = kept) -> torch.Tensor:
            if not isinstance(tensor, torch.nn.Parameter):
                kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            scores = model(model.inputs(groups, 10_000)[0])
        sizes.append(sum(kept.values()))
        scores.sum().backward()
        found.append({name: p.grad for name, p in model.named_parameters() if p.grad is not None})
    assert found[0].keys() == found[1].keys()
    for name, gradient in found[0].items():
        torch.testing.assert_close(found[1][name], gradient, rtol=1e-5, atol=1e-6)
    assert sizes[1] < sizes[0] / 2
