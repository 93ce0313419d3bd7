"""Going on from prompts with layers as Llama has them: the samples of a prompt share one copy of its keys and values.

A row's query attends to the prompt, which it shares with the other samples of it, and to its own tail, in one softmax
over both (as in Hydragen: Juravsky et al. 2024, arXiv 2402.05099, section 3, whose two partial softmaxes are joined
afterwards; logits of one token are small enough to stand side by side)::

    prompts b, samples s, key heads h, G query heads to each, D numbers a head

    logits[b, h, s, g, :] = [ q[b, h, s, g] · prefix keys[b, h] | q[b, h, s, g] · tail keys[b, h, s] ]
                              one product over all s                one product per sample

Matrices are joined where they share their input and laid out once, when the decoder is made, as matrix products read
them fastest. A decoder therefore sees weights as they were then: make a new one after training.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, rms_norm, silu
from transformers import DynamicCache, PreTrainedModel
from transformers.cache_utils import DynamicLayer

from reward.fused import turn
from reward.llama_parts import backbone_of, effective, plain_model, shape_of

PREFILL = 4096
"""Prompt tokens that are read at once."""
PACK_ROWS = 64
"""Rows of a product that the layout of matrices is chosen for."""


class Product:
    """X Wᵀ + b for a matrix (out, in), laid out anew where oneDNN, which computes such products on CPUs, takes it."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        self._weight, self._bias, self._packed = weight, bias, False
        if weight.device.type == "cpu":
            with suppress(RuntimeError):  # this build or processor does without
                self._weight = torch.ops.mkldnn._reorder_linear_weight(weight, PACK_ROWS)
                self._packed = True

    def __call__(self, inputs: Tensor) -> Tensor:
        """(rows, in) → (rows, out)."""
        if not self._packed:
            return linear(inputs, self._weight, self._bias)
        product: Tensor = torch.ops.mkldnn._linear_pointwise(inputs, self._weight, self._bias, "none", [], "")
        return product


@dataclass(frozen=True, eq=False)
class Layer:
    """One decoder layer: its norms' weights and its products."""

    norms: tuple[Tensor, Tensor]
    qkv: Product
    out: Product
    gate_up: Product
    down: Product


class SharedDecoder:
    """A `reward.decode.Decoder` for Llama's layers.

    Args:
        model: with its weights on one device, in evaluation mode; may carry low-rank adapters of PEFT.

    Raises:
        NotImplementedError: the model is built otherwise.
    """

    mixes_lengths = True

    def __init__(self, model: PreTrainedModel) -> None:
        plain = plain_model(model)
        backbone = backbone_of(plain)
        self._model, self.device = model, model.device
        autocast = torch.is_autocast_enabled(self.device.type)
        self.dtype = torch.get_autocast_dtype(self.device.type) if autocast else model.dtype
        self._embedding, self._norm = backbone.embed_tokens.weight.detach(), backbone.norm
        self._shape, self._rope = shape_of(backbone.layers[0]), backbone.rotary_emb
        self._layers = [self._prepare(layer) for layer in backbone.layers]
        self._head = self._product(plain.lm_head)

    def _prepare(self, layer: Any) -> Layer:
        attention, mlp = layer.self_attn, layer.mlp
        return Layer(
            norms=(
                layer.input_layernorm.weight.detach().float(),
                layer.post_attention_layernorm.weight.detach().float(),
            ),
            qkv=self._product(attention.q_proj, attention.k_proj, attention.v_proj),
            out=self._product(attention.o_proj),
            gate_up=self._product(mlp.gate_proj, mlp.up_proj),
            down=self._product(mlp.down_proj),
        )

    def _product(self, *modules: nn.Module) -> Product:
        matrices, biases = zip(*(effective(module) for module in modules), strict=True)
        if any(matrix.device != self.device for matrix in matrices):
            raise NotImplementedError("the weights are on several devices")
        known = [bias for bias in biases if bias is not None]
        if known and len(known) < len(biases):
            raise NotImplementedError("only some of the joined products have a bias")
        return Product(torch.cat(matrices).to(self.dtype), torch.cat(known).to(self.dtype) if known else None)

    def prefill(self, prompts: Sequence[Sequence[int]], copies: Sequence[int], room: int) -> Tensor:
        """See `reward.decode.Decoder.prefill`."""
        lengths = torch.tensor([len(prompt) for prompt in prompts], device=self.device)
        self._owners = [prompt for prompt, count in enumerate(copies) for _ in range(count)]
        self._slots = [slot for count in copies for slot in range(count)]
        self._prompts, self._samples, self._column = len(prompts), max(copies), 0
        logits = self._read(prompts)
        hidden = torch.arange(max(map(len, prompts)), device=self.device) >= lengths[:, None]
        self._bias = None
        if hidden.any():
            self._bias = torch.zeros(hidden.shape, dtype=self.dtype, device=self.device).masked_fill_(
                hidden, -torch.inf
            )
        heads, size = self._shape.key_heads, self._shape.head_size
        batch = self._prompts * heads * self._samples
        self._keys = [torch.empty(batch, size, room, dtype=self.dtype, device=self.device) for _ in self._layers]
        self._values = [torch.empty(batch, room, size, dtype=self.dtype, device=self.device) for _ in self._layers]
        owners = torch.tensor(self._owners, device=self.device)
        self._positions = lengths[owners]
        self._place()
        return logits[owners]

    def _read(self, prompts: Sequence[Sequence[int]]) -> Tensor:
        """Fill the prefix of every prompt by the model itself; returns the logits (prompts, V) after each."""
        longest = max(map(len, prompts))
        parts, logits, start = [], [], 0
        while start < len(prompts):
            stop, width = start + 1, len(prompts[start])
            while stop < len(prompts) and (stop + 1 - start) * max(width, len(prompts[stop])) <= PREFILL:
                width = max(width, len(prompts[stop]))
                stop += 1
            cache, found = self._read_padded(prompts[start:stop], width)
            logits.append(found)
            parts.append([(_widen(layer.keys, longest), _widen(layer.values, longest)) for layer in cache.layers])
            start = stop
        self._prefix_keys, self._prefix_values = [], []
        for pieces in zip(*parts, strict=True):
            keys, values = (torch.cat(each).to(self.dtype).flatten(0, 1) for each in zip(*pieces, strict=True))
            self._prefix_keys.append(keys.mT.contiguous())
            self._prefix_values.append(values.contiguous())
        return torch.cat(logits)

    def _read_padded(self, prompts: Sequence[Sequence[int]], width: int) -> tuple[DynamicCache, Tensor]:
        """Prompts padded on the right, where nothing that comes before sees it; the cache and logits (prompts, V)."""
        ids = torch.zeros(len(prompts), width, dtype=torch.int64)
        for row, prompt in enumerate(prompts):
            ids[row, : len(prompt)] = torch.tensor(prompt)
        last = [len(prompt) - 1 for prompt in prompts]
        ends = sorted(set(last))
        cache = DynamicCache(config=self._model.config)
        if any(type(layer) is not DynamicLayer for layer in cache.layers):
            raise NotImplementedError("some layers see only a part of what came before")
        found = self._model(
            ids.to(self.device),
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=torch.tensor(ends, device=self.device),
        ).logits
        return cache, found[torch.arange(len(prompts)), torch.tensor([ends.index(each) for each in last])]

    def _place(self) -> None:
        """Which row is in which place of the grid of prompts and samples; nothing to say where they are the same."""
        places = [owner * self._samples + slot for owner, slot in zip(self._owners, self._slots, strict=True)]
        self._row_places = self._place_rows = None
        if places != list(range(self._prompts * self._samples)):
            rows = [0] * (self._prompts * self._samples)
            for row, place in enumerate(places):
                rows[place] = row
            self._row_places = torch.tensor(places, device=self.device)
            self._place_rows = torch.tensor(rows, device=self.device)

    def keep(self, rows: Sequence[int]) -> None:
        """See `reward.decode.Decoder.keep`; memory moves only when there are fewer prompts, or samples of each."""
        self._positions = self._positions[torch.tensor(rows, device=self.device)]
        owners, slots = [self._owners[row] for row in rows], [self._slots[row] for row in rows]
        mine = {owner: [s for o, s in zip(owners, slots, strict=True) if o == owner] for owner in dict.fromkeys(owners)}
        samples = max(map(len, mine.values()))
        if len(mine) < self._prompts or samples < self._samples:
            self._move([*mine], [each + [0] * (samples - len(each)) for each in mine.values()])
            owners = [new for new, each in enumerate(mine.values()) for _ in each]
            slots = [new for each in mine.values() for new in range(len(each))]
        self._owners, self._slots = owners, slots
        self._place()

    def _move(self, prompts: Sequence[int], slots: Sequence[Sequence[int]]) -> None:
        """Make a grid of these prompts (B) with these of their samples (B, S), numbered as before."""
        kept, heads = torch.tensor(prompts), torch.arange(self._shape.key_heads)
        shared = kept[:, None] * len(heads) + heads
        own = (shared[:, :, None] * self._samples + torch.tensor(slots)[:, None]).flatten().to(self.device)
        shared = shared.flatten().to(self.device)
        for i in range(len(self._layers)):
            if len(prompts) < self._prompts:
                self._prefix_keys[i] = self._prefix_keys[i][shared]
                self._prefix_values[i] = self._prefix_values[i][shared]
            self._keys[i], self._values[i] = self._keys[i][own], self._values[i][own]
        self._bias = None if self._bias is None else self._bias[kept.to(self.device)]
        self._prompts, self._samples = len(prompts), len(slots[0])

    def step(self, tokens: Tensor) -> Tensor:
        """See `reward.decode.Decoder.step`."""
        hidden = self._embedding[tokens].float()
        cos, sin = (each[0] for each in self._rope(hidden, self._positions[None]))
        with torch.autocast(self.device.type, enabled=False):
            for i, layer in enumerate(self._layers):
                hidden += layer.out(self._attend(i, layer, self._normed(hidden, layer.norms[0], 0), cos, sin))
                gate, up = layer.gate_up(self._normed(hidden, layer.norms[1], 1)).chunk(2, dim=1)
                hidden += layer.down(silu(gate).mul_(up))
            normed = rms_norm(hidden, hidden.shape[1:], self._norm.weight.float(), self._norm.variance_epsilon)
            logits = self._head(normed.to(self.dtype))
        self._positions += 1
        self._column += 1
        return logits

    def _normed(self, hidden: Tensor, weight: Tensor, which: int) -> Tensor:
        return rms_norm(hidden, hidden.shape[1:], weight, self._shape.eps[which]).to(self.dtype)

    def _attend(self, i: int, layer: Layer, normed: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """(rows, d) → what all heads found, side by side (rows, H D), the new key and value added to the tails."""
        shape, prompts, samples = self._shape, self._prompts, self._samples
        heads, size, group = shape.key_heads, shape.head_size, shape.heads // shape.key_heads
        parts = layer.qkv(normed).view(len(normed), -1, size)
        turned = turn(parts[:, : shape.heads + heads], cos, sin)
        turned[:, : shape.heads].mul_(shape.scale)
        turned, value = turned.to(self.dtype), parts[:, shape.heads + heads :]
        if self._place_rows is not None:
            turned, value = turned[self._place_rows], value[self._place_rows]
        query = turned[:, : shape.heads].view(prompts, samples, heads, group, size).transpose(1, 2)
        query = query.reshape(prompts * heads, samples * group, size)
        self._keys[i][:, :, self._column] = _by_head(turned[:, shape.heads :], prompts)
        self._values[i][:, self._column] = _by_head(value, prompts)
        keys, values = self._keys[i][:, :, : self._column + 1], self._values[i][:, : self._column + 1]

        shared = torch.bmm(query, self._prefix_keys[i])
        if self._bias is not None:
            shared.view(prompts, heads * samples * group, -1).add_(self._bias[:, None])
        own = torch.bmm(query.view(-1, group, size), keys)
        width = shared.shape[2]
        logits = torch.cat((shared.view(len(own), group, width), own), dim=2)
        share = torch.softmax(logits, dim=2)
        found = torch.bmm(share[:, :, :width].reshape(shared.shape), self._prefix_values[i]).view(-1, group, size)
        found = torch.baddbmm(found, share[:, :, width:], values)
        found = found.view(prompts, heads, samples, -1).transpose(1, 2).reshape(prompts * samples, -1)
        return found if self._row_places is None else found[self._row_places]


def _by_head(parts: Tensor, prompts: int) -> Tensor:
    """(prompts · samples, heads, D) → (prompts · heads · samples, D)."""
    heads, size = parts.shape[1:]
    return parts.view(prompts, -1, heads, size).transpose(1, 2).reshape(-1, size)


def _widen(states: Tensor, length: int) -> Tensor:
    """(B, heads, L, D) with zeros after L up to a length."""
    return nn.functional.pad(states, (0, 0, 0, length - states.shape[2]))
