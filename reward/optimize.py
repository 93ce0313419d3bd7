"""What the steps of every training have in common: order of the examples, learning rate, optimizer."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TypeVar

import torch

FLOOR = 0.1
"""The learning rate ends at this share of its peak (InstructGPT, arXiv 2203.02155, section C.2)."""
E = TypeVar("E")


def schedule(
    examples: Sequence[E], *, epochs: int, batch: int, seed: int, start: int = 0
) -> Iterator[tuple[int, list[E]]]:
    """(step, its examples) from step ``start`` to the end; the order of an epoch depends on seed and epoch alone."""
    per_epoch = math.ceil(len(examples) / batch)
    for epoch in range(start // per_epoch, epochs):
        generator = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
        order = torch.randperm(len(examples), generator=generator)
        for place in range(per_epoch):
            if (step := epoch * per_epoch + place) >= start:
                yield step, [examples[i] for i in order[place * batch : (place + 1) * batch].tolist()]


def rate(step: int, total: int, warmup: float) -> float:
    """Share of the peak learning rate at a step (from 0): linear up, then a cosine down to `FLOOR`."""
    rising = math.ceil(warmup * total)
    if step < rising:
        return (step + 1) / rising
    done = (step - rising) / max(1, total - rising)
    return FLOOR + (1 - FLOOR) * (1 + math.cos(math.pi * done)) / 2


def due(step: int, every: int) -> bool:
    """Whether something that comes every so many steps comes now; 0 is never."""
    return every > 0 and step % every == 0


def adamw(model: torch.nn.Module, lr: float, weight_decay: float) -> torch.optim.Optimizer:
    """AdamW in which only matrices decay."""
    learning = [p for p in model.parameters() if p.requires_grad]
    matrices = [p for p in learning if p.ndim >= 2]
    others = [p for p in learning if p.ndim < 2]
    groups = [{"params": matrices, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=lr, betas=(0.9, 0.95), fused=True)
