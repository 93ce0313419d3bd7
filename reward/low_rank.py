"""Linear layers that learn by a low-rank change of their weights and stay plain layers otherwise.

`reward.roles` adds adapters beside a layer, so that several roles can share one. Where a role has its weights for
itself, the sum can stand in the weight: W = W₀ + U V (LoRA, Hu et al. 2021, arXiv 2106.09685, eq. 3). The chain rule
turns the gradient of W into that of the factors::

    ∂L/∂U = ∂L/∂W Vᵀ        ∂L/∂V = Uᵀ ∂L/∂W

so whatever computes with plain weights, the layers of `reward.fused` above all, needs not know of it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from reward.roles import as_matrix, fresh, linears


class LowRank:
    """The linear layers of a module, which learn as W₀ + U V from now on; everything else in it is frozen.

    After every backward pass call `gather`, after every change of the factors `spread`.

    Args:
        module: changed in place.
        rank: columns of U and rows of V.
        generator: of V; U begins as zeros.
    """

    def __init__(self, module: nn.Module, rank: int, generator: torch.Generator) -> None:
        module.requires_grad_(False)
        self.layers = linears(module)
        self.start: dict[str, Tensor] = {}
        self.factors: dict[str, nn.Parameter] = {}
        for name, layer in self.layers.items():
            weight = layer.get_parameter("weight").requires_grad_()
            self.start[name] = weight.detach().clone()
            up, down = fresh(layer, rank, generator)
            self.factors[f"{name}.up"] = nn.Parameter(up.to(weight.device))
            self.factors[f"{name}.down"] = nn.Parameter(down.to(weight.device))

    @torch.no_grad()
    def gather(self) -> None:
        """Add the gradients of the weights, which are used up, to those of the factors."""
        for name, layer in self.layers.items():
            weight = layer.get_parameter("weight")
            if weight.grad is None:
                continue
            change = as_matrix(layer, weight.grad)
            up, down = self.factors[f"{name}.up"], self.factors[f"{name}.down"]
            for factor, gradient in ((up, change @ down.T), (down, up.T @ change)):
                factor.grad = gradient if factor.grad is None else factor.grad + gradient
            weight.grad = None

    @torch.no_grad()
    def spread(self) -> None:
        """Give every layer the weight that its factors come to."""
        for name, layer in self.layers.items():
            product = self.factors[f"{name}.up"] @ self.factors[f"{name}.down"]
            layer.get_parameter("weight").copy_(self.start[name] + as_matrix(layer, product))
