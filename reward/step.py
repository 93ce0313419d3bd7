"""One optimizer step's gradients, exact however the groups are spread over inputs.

The loss of a group needs all its scores at once. A group that lies whole in one input is differentiated there. One that
is cut over several inputs is scored first without a graph, which gives ∂loss/∂score of each of its completions; those
then pull on the scores as constants while the parts are read again, one after another (gradient caching, Gao et al.
2021, arXiv 2101.06983, section 3.2). Memory stays that of one input.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from reward.data import EncodedGroup
from reward.packing import Inputs

GroupLoss = Callable[[Tensor, EncodedGroup], Tensor]
Guard = Callable[[], AbstractContextManager[None]]


@dataclass(frozen=True)
class Batch:
    """The groups of one step, each with its weight in the loss, and the inputs that hold them."""

    groups: Sequence[EncodedGroup]
    weights: Sequence[float]
    inputs: Sequence[Inputs]

    def places(self) -> dict[int, dict[int, list[int]]]:
        """Group → input → positions of the group's scores among those of the input."""
        found: dict[int, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
        for number, inputs in enumerate(self.inputs):
            for position, (group, _) in enumerate(inputs.owners):
                found[group][number].append(position)
        return found


def backward(
    model: nn.Module,
    batch: Batch,
    loss: GroupLoss,
    propagate: Callable[[Tensor], None] = Tensor.backward,
    hold: Guard = nullcontext,
) -> Tensor:
    """Add the gradients of Σ weight · loss over the batch's groups to the parameters of the model and of the loss.

    Args:
        model: inputs with T owners → (T,) scores.
        batch: groups and inputs on the model's device.
        loss: of one group from its scores (K,).
        propagate: what runs backward from a scalar, such as ``accelerator.backward``.
        hold: context for all inputs but the last, such as ``no_sync`` of a distributed model.

    Returns:
        (B,) unweighted losses, detached, on the CPU.
    """
    places = batch.places()
    losses = torch.full((len(batch.groups),), math.nan)
    cut = {group for group, parts in places.items() if len(parts) > 1}
    pulls = _pulls(model, batch, cut, loss, losses)
    for number, inputs in enumerate(batch.inputs):
        with hold() if number + 1 < len(batch.inputs) else nullcontext():
            scores: Tensor = model(inputs)
            objective = scores.new_zeros(())
            for group, parts in places.items():
                if number not in parts:
                    continue
                own = scores[parts[number]]
                if group in cut:
                    ks = [inputs.owners[position][1] for position in parts[number]]
                    objective = objective + (own * pulls[group][ks]).sum()
                else:
                    value = loss(own, batch.groups[group])
                    losses[group] = value.detach()
                    objective = objective + batch.weights[group] * value
            propagate(objective)
    return losses


def _pulls(model: nn.Module, batch: Batch, cut: set[int], loss: GroupLoss, losses: Tensor) -> dict[int, Tensor]:
    """∂(weight · loss)/∂score (K,) of each group that is cut; writes its loss into ``losses`` (B,).

    Parameters of the loss itself get their gradient here, since the scores pull without the loss later.
    """
    if not cut:
        return {}
    scores: dict[int, dict[int, Tensor]] = defaultdict(dict)
    with torch.no_grad():
        for inputs in batch.inputs:
            if any(group in cut for group, _ in inputs.owners):
                for (group, k), score in zip(inputs.owners, model(inputs), strict=True):
                    scores[group][k] = score
    pulls = {}
    for group in cut:
        leaf = torch.stack([scores[group][k] for k in range(len(batch.groups[group].kept))]).requires_grad_()
        value = loss(leaf, batch.groups[group])
        losses[group] = value.detach()
        torch.autograd.backward(batch.weights[group] * value)
        pulls[group] = torch.zeros_like(leaf) if leaf.grad is None else leaf.grad
    return pulls
