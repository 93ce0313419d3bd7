"""Several roles of one backbone: low-rank adapters (LoRA) that are switched per role instead of merged.

With them policy, reference, value function and reward model hold the weights of their common base once. A role is a
name; `Shared.acting` says which one the backbone plays::

    policy       base + adapters that learn                     reference    base alone
    value        base + the reward model's adapters + own       reward       base + the reward model's adapters

The reward model is saved merged. Where it was trained by adapters from this very base, its weights differ from the
base's by matrices of low rank, and a singular value decomposition gives the adapters back (`difference`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from reward.lora import SCALE

RANK_LIMIT = 64
"""A difference of a higher rank than this is no adapter."""
RESIDUAL = 1e-3
"""Share of a difference that the rounding of merged weights may leave over."""

Factors = tuple[Tensor, Tensor]
"""(out, r) and (r, in): their product is added to a weight (out, in)."""


class Switched(nn.Module):
    """A linear layer with the adapters of several roles, of which those in ``active`` add to its result.

    Args:
        base: maps (…, in) to (…, out); frozen.
        active: names of the adapters that are on; one list for all layers of a model.
    """

    def __init__(self, base: nn.Module, active: list[str]) -> None:
        super().__init__()
        self.base, self.active = base.requires_grad_(False), active
        self.up, self.down = nn.ParameterDict(), nn.ParameterDict()

    def forward(self, inputs: Tensor) -> Tensor:
        """(…, in) → (…, out)."""
        result: Tensor = self.base(inputs)
        for name in self.active:
            if name in self.up:
                low = nn.functional.linear(inputs.to(self.down[name].dtype), self.down[name])
                result = result + nn.functional.linear(low, self.up[name]).to(result.dtype)
        return result

    @property
    def out_features(self) -> int:
        """Width of the result."""
        return shape(self.base)[0]

    @torch.no_grad()
    def product(self) -> tuple[Tensor, Tensor | None]:
        """The one matrix (out, in) that base and active adapters come to, and the bias."""
        base: Any = self.base
        added = [self.up[name] @ self.down[name] for name in self.active if name in self.up]
        matrix = sum(added, start=as_matrix(base, base.weight).float()).to(base.weight.dtype)
        return matrix, base.bias


class Shared:
    """A backbone whose linear layers have switchable adapters.

    Args:
        model: its backbone's linear layers are replaced in place, and all its weights frozen.
    """

    def __init__(self, model: PreTrainedModel) -> None:
        self.model = model.requires_grad_(False)
        self.active: list[str] = []
        self.layers: dict[str, Switched] = {}
        backbone = getattr(model, model.base_model_prefix)
        for name, linear in linears(backbone).items():
            parent, _, last = name.rpartition(".")
            self.layers[name] = Switched(linear, self.active)
            setattr(backbone.get_submodule(parent), last, self.layers[name])

    def add(self, name: str, rank: int, generator: torch.Generator) -> list[nn.Parameter]:
        """Fresh adapters that learn and change nothing yet; returns their parameters."""
        made = []
        for layer in self.layers.values():
            made += self._put(layer, name, fresh(layer.base, rank, generator), learns=True)
        return made

    def add_fixed(self, name: str, factors: Mapping[str, Factors]) -> None:
        """Adapters that do not learn, such as a reward model's."""
        for key, (up, down) in factors.items():
            if len(down):
                self._put(self.layers[key], name, (up, down), learns=False)

    @contextmanager
    def acting(self, names: Sequence[str]) -> Iterator[None]:
        """Within the block the backbone is the base with the adapters of these names."""
        before = self.active[:]
        self.active[:] = names
        try:
            yield
        finally:
            self.active[:] = before

    def merged(self, name: str) -> dict[str, Tensor]:
        """What the adapters of a name add to the weight of each layer, in the shape of that weight."""
        return {
            key: as_matrix(layer.base, (layer.up[name] @ layer.down[name]).detach())
            for key, layer in self.layers.items()
            if name in layer.up
        }

    def _put(self, layer: Switched, name: str, pair: Factors, *, learns: bool) -> list[nn.Parameter]:
        device = next(layer.base.parameters()).device
        layer.up[name], layer.down[name] = (nn.Parameter(each.to(device), requires_grad=learns) for each in pair)
        return [layer.up[name], layer.down[name]]


def linears(backbone: nn.Module) -> dict[str, nn.Module]:
    """The linear layers of a backbone by name."""
    return {name: m for name, m in backbone.named_modules() if isinstance(m, (nn.Linear, Conv1D))}


def shape(linear: nn.Module) -> tuple[int, int]:
    """(out, in) of a linear layer; GPT-2's keep their weight the other way round."""
    rows, columns = linear.get_parameter("weight").shape
    return (columns, rows) if isinstance(linear, Conv1D) else (rows, columns)


def fresh(linear: nn.Module, rank: int, generator: torch.Generator) -> Factors:
    """Factors for a layer that change nothing yet.

    The second is drawn as in Hu et al. 2021 (arXiv 2106.09685), section 4.1, the first is zero; their scale SCALE is
    put into the second.
    """
    out, into = shape(linear)
    down = torch.empty(rank, into).uniform_(-1, 1, generator=generator) * (SCALE / math.sqrt(into))
    return torch.zeros(out, rank), down


def as_matrix(linear: nn.Module, matrix: Tensor) -> Tensor:
    """A layer's own weight as (out, in), and such a matrix in the layout of the weight: the same turn both ways."""
    return matrix.T if isinstance(linear, Conv1D) else matrix


def difference(base: nn.Module, other: nn.Module, limit: int = RANK_LIMIT) -> dict[str, Factors] | None:
    """Adapters that turn one backbone into the other, or None where they differ by more than low-rank matrices.

    Args:
        base, other: backbones in float32.
        limit: highest rank per layer.
    """
    ours, theirs = base.state_dict(), other.state_dict()
    if ours.keys() != theirs.keys() or any(ours[name].shape != theirs[name].shape for name in ours):
        return None
    found = {}
    for name, linear in linears(base).items():
        matrix = as_matrix(linear, (theirs.pop(f"{name}.weight") - ours[f"{name}.weight"]).float())
        pair = low_rank(matrix, limit)
        if pair is None:
            return None
        found[name] = pair
    return found if all(torch.equal(ours[name], rest) for name, rest in theirs.items()) else None


def low_rank(matrix: Tensor, limit: int) -> Factors | None:
    """Factors (out, r), (r, in) of a matrix (out, in) with r at most ``limit`` below its full rank, or None."""
    size = torch.linalg.matrix_norm(matrix)
    if size == 0:
        return matrix[:, :0], matrix[:0]
    most = min(limit, min(matrix.shape) - 1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        left, strength, right = torch.svd_lowrank(matrix, q=most, niter=4)
    left, right = left * strength, right.T
    if torch.linalg.matrix_norm(matrix - left @ right) > RESIDUAL * size:
        return None
    kept = int((strength > RESIDUAL / 100 * strength[0]).sum())
    return left[:, :kept].contiguous(), right[:kept].contiguous()
