"""Weights that learn by low-rank changes, beside the same thing written out for automatic differentiation."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from transformers.pytorch_utils import Conv1D

from reward.low_rank import LowRank


def layers(kind: type[nn.Module]) -> nn.Sequential:
    torch.manual_seed(0)
    made: list[Any] = [nn.Linear(5, 4), nn.Linear(4, 3)] if kind is nn.Linear else [Conv1D(4, 5), Conv1D(3, 4)]
    return nn.Sequential(made[0], nn.Tanh(), nn.LayerNorm(4), made[1]).double()


@pytest.mark.parametrize("kind", [nn.Linear, Conv1D])
def test_gradients_and_steps_are_those_of_the_factors(kind: type[nn.Module]) -> None:
    module = layers(kind)
    turned = kind is Conv1D
    change = LowRank(module, 2, torch.Generator().manual_seed(1))
    for factor in change.factors.values():
        factor.data = torch.randn(factor.shape, dtype=torch.float64)
    change.spread()
    mirror = {name: factor.detach().clone().requires_grad_() for name, factor in change.factors.items()}
    inputs = torch.randn(7, 5, dtype=torch.float64)

    def written_out() -> torch.Tensor:
        weights = {
            f"{name}.weight": change.start[name] + (p.T if turned else p)
            for name in change.layers
            for p in [mirror[f"{name}.up"] @ mirror[f"{name}.down"]]
        }
        return torch.func.functional_call(module, weights, (inputs,))

    ours = torch.optim.Adam(change.factors.values(), lr=0.1)
    theirs = torch.optim.Adam(mirror.values(), lr=0.1)
    for _ in range(3):
        for _ in range(2):  # two parts of a batch
            module(inputs).square().sum().backward()
            change.gather()
            written_out().square().sum().backward()
        for name, factor in change.factors.items():
            torch.testing.assert_close(factor.grad, mirror[name].grad)
        for optimizer in (ours, theirs):
            optimizer.step()
            optimizer.zero_grad()
        change.spread()
        torch.testing.assert_close(module(inputs), written_out())


def test_nothing_has_changed_at_first_and_nothing_else_learns() -> None:
    module = layers(nn.Linear)
    before = {name: value.clone() for name, value in module.state_dict().items()}
    change = LowRank(module, 2, torch.Generator().manual_seed(1))
    change.spread()
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert {name for name, p in module.named_parameters() if p.requires_grad} == {"0.weight", "3.weight"}
    assert sum(factor.numel() for factor in change.factors.values()) == 2 * (5 + 4) + 2 * (4 + 3)
