"""Adapters that are switched per role, and getting a reward model's adapters back from its merged weights."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model

from reward.base import load_causal
from reward.lora import Adapters
from reward.model import new_reward_model
from reward.roles import Shared, difference, linears, low_rank, shape

Base = Callable[[str], Path]
IDS = torch.tensor([[5, 9, 17, 30, 2]])


def backbone(model: torch.nn.Module) -> torch.nn.Module:
    return getattr(model, model.base_model_prefix)


def disturb(model: torch.nn.Module, part: str, seed: int = 0) -> None:
    """Random numbers in all adapters whose name holds ``part``, as training would leave them."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if part in name:
                parameter.copy_(0.05 * torch.randn(parameter.shape, generator=generator))


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_roles_are_the_base_with_their_adapters(tiny_base: Base, family: str) -> None:
    model, _ = load_causal(tiny_base(family), dtype=torch.float32)
    base = copy.deepcopy(model)
    expected = base(IDS).logits
    shared = Shared(model)
    learned = shared.add("policy", 3, torch.Generator().manual_seed(0))
    shared.add("value", 2, torch.Generator().manual_seed(1))
    assert all(p.requires_grad == (".up." in n or ".down." in n) for n, p in model.named_parameters())
    with shared.acting(["policy"]):
        torch.testing.assert_close(model(IDS).logits, expected)  # new adapters change nothing
    disturb(model, "policy")
    with shared.acting(["policy"]):
        changed = model(IDS).logits
        with shared.acting([]):
            torch.testing.assert_close(model(IDS).logits, expected)
        torch.testing.assert_close(model(IDS).logits, changed)
        model(IDS).logits.sum().backward()
    assert (changed - expected).abs().max() > 0.01
    assert all(p.grad is not None for p in learned)
    assert not any(p.grad is not None for n, p in model.named_parameters() if "value" in n)
    with torch.no_grad():
        for name, added in shared.merged("policy").items():
            backbone(base).get_submodule(name).weight += added
    torch.testing.assert_close(base(IDS).logits, changed, rtol=1e-4, atol=1e-5)


def test_a_role_computes_what_peft_computes(tiny_base: Base) -> None:
    model, _ = load_causal(tiny_base("llama"), dtype=torch.float32)
    targets = list(linears(backbone(model)))
    settings = LoraConfig(r=4, lora_alpha=8, target_modules=[f"model.{t}" for t in targets])
    with warnings.catch_warnings(action="ignore"):
        peer = get_peft_model(copy.deepcopy(model), settings).eval()
    disturb(peer, "lora_")
    factors = {}
    for name in targets:
        layer = peer.get_submodule(f"base_model.model.model.{name}")
        factors[name] = (2 * layer.lora_B["default"].weight.data, layer.lora_A["default"].weight.data)
    shared = Shared(model)
    shared.add_fixed("reward", factors)
    with shared.acting(["reward"]):
        torch.testing.assert_close(model(IDS).logits, peer(IDS).logits, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_merged_adapters_are_found_again(tiny_base: Base, family: str) -> None:
    policy, _ = load_causal(tiny_base(family), dtype=torch.float32)
    reward, _ = new_reward_model(tiny_base(family), seed=0)
    adapters = Adapters(reward, 3, seed=0)
    disturb(reward, "lora_")
    adapters.merge()
    found = difference(backbone(policy), backbone(reward.classifier), limit=8)
    assert found is not None
    assert {down.shape[0] for _, down in found.values()} == {3}
    for name, (up, down) in found.items():
        ours, theirs = (backbone(m).get_submodule(name) for m in (policy, reward.classifier))
        matrix = theirs.weight - ours.weight
        matrix = matrix.T if matrix.shape != shape(ours) or family == "gpt2" else matrix
        torch.testing.assert_close(up @ down, matrix, rtol=1e-3, atol=1e-5)


def test_other_differences_are_no_adapters(tiny_base: Base) -> None:
    policy, _ = load_causal(tiny_base("llama"), dtype=torch.float32)
    same, full, norm = (copy.deepcopy(policy) for _ in range(3))
    with torch.no_grad():
        backbone(full).layers[1].mlp.up_proj.weight += 0.01 * torch.randn(48, 32)
        backbone(norm).norm.weight += 0.1
    found = difference(backbone(policy), backbone(same))
    assert found is not None
    assert all(len(down) == 0 for _, down in found.values())
    assert difference(backbone(policy), backbone(full)) is None
    assert difference(backbone(policy), backbone(norm)) is None


def test_the_rank_of_a_matrix_is_found() -> None:
    generator = torch.Generator().manual_seed(0)
    left, right = torch.randn(40, 5, generator=generator), torch.randn(5, 30, generator=generator)
    up, down = low_rank(left @ right, 16)
    assert down.shape == (5, 30)
    torch.testing.assert_close(up @ down, left @ right, rtol=1e-4, atol=1e-4)
    assert low_rank(left @ right, 4) is None
    assert low_rank(torch.randn(40, 30, generator=generator), 16) is None
