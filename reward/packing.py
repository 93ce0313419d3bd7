"""Groups → rows that a model reads in one go, and the order in which their scores come back.

A causal model reads the shared prompt of a group once, followed by its K completions::

    row        [ prefix | tail 1 | tail 2 | prefix' | tail 1' | … ]        (several groups in a row, no padding)
    positions  [ 0 … p-1 | p … | p … | 0 … p'-1 | p' … | … ]
    tail k sees its own prefix and itself, nothing else; its score is read at its last token

This gives the scores and gradients of the K separate sequences. A bidirectional model cannot share the prompt, since
there the prompt's states depend on the completion: it reads each sequence once, padded to a batch (`PaddedBatch`).
A group with more tokens than the budget is spread over several rows that repeat its prefix.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from reward.data import EncodedGroup

Owner = tuple[int, int]
"""(index of the group in the batch, index of the completion within the group)."""


@dataclass(frozen=True)
class Block:
    """One prefix and its tails within a row: where it starts, tokens of the prefix, tokens of each tail, in order."""

    start: int
    prefix: int
    tails: tuple[int, ...]

    @property
    def tail_start(self) -> int:
        """Index of the first token of the first tail."""
        return self.start + self.prefix

    @property
    def end(self) -> int:
        """Index after the last token of the last tail."""
        return self.tail_start + sum(self.tails)


@dataclass(frozen=True, eq=False)
class PackedRow:
    """Several groups (or parts of one) in one row of L tokens that holds T tails.

    Attributes:
        input_ids: (1, L) int64.
        position_ids: (1, L) int64, restarting after each prefix.
        ends: (T,) int64, index of the last token of each tail.
        owners: whose tails these are, T of them.
        blocks: where the prefixes and tails lie; they cover the row without gaps.
        states: (1, L, d) what enters the first trained layer, where the layers below are frozen and were read before.
    """

    input_ids: Tensor
    position_ids: Tensor
    ends: Tensor
    owners: tuple[Owner, ...]
    blocks: tuple[Block, ...]
    states: Tensor | None = None

    @property
    def tokens(self) -> int:
        """Tokens that the model reads."""
        return self.input_ids.numel()

    def to(self, device: torch.device) -> PackedRow:
        """The same row on a device."""
        tensors = (self.input_ids.to(device), self.position_ids.to(device), self.ends.to(device))
        states = None if self.states is None else self.states.to(device)
        return PackedRow(*tensors, self.owners, self.blocks, states)


@dataclass(frozen=True, eq=False)
class PaddedBatch:
    """T whole sequences, padded on the right to L tokens.

    Attributes:
        input_ids: (T, L) int64.
        attention_mask: (T, L) int64, 1 where there is a token of the sequence.
        owners: whose sequences these are, T of them.
    """

    input_ids: Tensor
    attention_mask: Tensor
    owners: tuple[Owner, ...]

    @property
    def tokens(self) -> int:
        """Tokens that the model reads, padding included."""
        return self.input_ids.numel()

    def to(self, device: torch.device) -> PaddedBatch:
        """The same batch on a device."""
        return PaddedBatch(self.input_ids.to(device), self.attention_mask.to(device), self.owners)


Inputs = PackedRow | PaddedBatch


def pack(groups: Sequence[EncodedGroup], budget: int) -> list[PackedRow]:
    """Rows of at most ``budget`` tokens that hold every tail of every group once.

    Groups stay whole where they fit. A tail that is over the budget with its own prefix gets a row of its own.

    Args:
        groups: B encoded groups; those without completions have no place in any row.
        budget: tokens per row.
    """
    parts = [part for index, group in enumerate(groups) for part in _parts(index, group, budget)]
    sizes = [_size(groups, part) for part in parts]
    rows: list[list[list[Owner]]] = []
    room: list[int] = []
    for place in sorted(range(len(parts)), key=lambda p: -sizes[p]):  # first fit, largest first
        for row, left in enumerate(room):
            if sizes[place] <= left:
                rows[row].append(parts[place])
                room[row] -= sizes[place]
                break
        else:
            rows.append([parts[place]])
            room.append(budget - sizes[place])
    return [_row(groups, row) for row in rows]


def pad(groups: Sequence[EncodedGroup], budget: int, pad_id: int) -> list[PaddedBatch]:
    """Batches of at most ``budget`` tokens, padding included, that hold every whole sequence once.

    Groups stay whole where they fit; groups of about the same length come together.

    Args:
        groups: B encoded groups.
        budget: tokens per batch.
        pad_id: id of the padding token.
    """
    longest = [len(g.prefix) + max((len(t) for t in g.tails), default=0) for g in groups]
    batches: list[list[Owner]] = []
    width = 0
    for index in sorted(range(len(groups)), key=lambda i: longest[i]):
        owners = [(index, k) for k in range(len(groups[index].tails))]
        most = max(1, budget // max(1, longest[index]))
        for chunk in (owners[i : i + most] for i in range(0, len(owners), most)):
            width = max(width, longest[index])
            if batches and (len(batches[-1]) + len(chunk)) * width <= budget:
                batches[-1].extend(chunk)
            else:
                batches.append(chunk)
                width = longest[index]
    return [_padded(groups, owners, pad_id) for owners in batches]


class Laid(Protocol):
    """A row of L tokens that is made of blocks."""

    @property
    def input_ids(self) -> Tensor:
        """(1, L) int64."""
        ...

    @property
    def blocks(self) -> tuple[Block, ...]:
        """They cover the row without gaps."""
        ...


def dense_mask(row: Laid) -> Tensor:
    """(1, 1, L, L) bool on the row's device, True where the query (third axis) sees the key (fourth axis)."""
    length = row.input_ids.shape[1]
    mask = torch.zeros(length, length, dtype=torch.bool)
    for block in row.blocks:
        prefix = slice(block.start, block.tail_start)
        mask[prefix, prefix] = True
        mask[block.tail_start : block.end, prefix] = True
        for start, size in zip(accumulate(block.tails, initial=block.tail_start), block.tails, strict=False):
            mask[start : start + size, start : start + size] = True
    return mask.tril_()[None, None].to(row.input_ids.device)


def _parts(index: int, group: EncodedGroup, budget: int) -> list[list[Owner]]:
    """The tails of one group in as few parts as fit the budget each, the prefix counted in every part."""
    parts: list[list[Owner]] = []
    left = 0
    for k, tail in enumerate(group.tails):
        if not parts or len(tail) > left:
            parts.append([])
            left = budget - len(group.prefix)
        parts[-1].append((index, k))
        left -= len(tail)
    return parts


def _size(groups: Sequence[EncodedGroup], part: Sequence[Owner]) -> int:
    group = groups[part[0][0]]
    return len(group.prefix) + sum(len(group.tails[k]) for _, k in part)


def _row(groups: Sequence[EncodedGroup], parts: Sequence[Sequence[Owner]]) -> PackedRow:
    """One row with the parts side by side."""
    ids, positions, blocks, ends = [], [], [], []
    start = 0
    for part in parts:
        group = groups[part[0][0]]
        tails = [group.tails[k] for _, k in part]
        block = Block(start, len(group.prefix), tuple(len(tail) for tail in tails))
        ids += [group.prefix, *tails]
        positions += [np.arange(block.prefix), *(np.arange(block.prefix, block.prefix + len(t)) for t in tails)]
        ends += [end - 1 for end in accumulate(block.tails, initial=block.tail_start)][1:]
        blocks.append(block)
        start = block.end
    return PackedRow(
        input_ids=torch.from_numpy(np.concatenate(ids).astype(np.int64))[None],
        position_ids=torch.from_numpy(np.concatenate(positions).astype(np.int64))[None],
        ends=torch.tensor(ends),
        owners=tuple(owner for part in parts for owner in part),
        blocks=tuple(blocks),
    )


def _padded(groups: Sequence[EncodedGroup], owners: Sequence[Owner], pad_id: int) -> PaddedBatch:
    rows = [torch.from_numpy(groups[g].sequence(k).astype(np.int64)) for g, k in owners]
    ids = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=pad_id)
    sizes = torch.tensor([len(row) for row in rows])
    mask = (torch.arange(ids.shape[1])[None] < sizes[:, None]).long()
    return PaddedBatch(ids, mask, tuple(owners))
