"""A prompt read once gives the scores and gradients of separate sequences, for real model classes, in float32."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from builders import AWKWARD, group
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_models import CAUSAL, FAMILIES

from reward import attention
from reward.data import EncodedGroup, Encoder
from reward.losses import LOSSES
from reward.model import Mode, RewardModel, new_reward_model
from reward.packing import Block, dense_mask, pack, pad
from reward.step import Batch, backward

Base = Callable[[str], Path]


def encoded_group(prefix: int, tails: list[int]) -> EncodedGroup:
    ids = np.arange(5, 5 + prefix + sum(tails), dtype=np.int32)
    bounds = np.cumsum([prefix, *tails])
    parts = tuple(ids[a:b] for a, b in pairwise(bounds))
    return EncodedGroup("g", tuple(range(len(tails))), ids[:prefix], parts, (), ())


def load(base: Base, family: str, mode: Mode | None = None) -> tuple[RewardModel, list[EncodedGroup]]:
    model, tokenizer = new_reward_model(base(family), seed=0)
    if mode is not None:
        model.mode = mode
        model.classifier.set_attn_implementation(attention.NAME if mode == "blocks" else "sdpa")
    groups, report = Encoder(tokenizer, model.max_length, model.shares_prefix).groups(AWKWARD)
    assert not report.dropped
    return model, groups


def one_at_a_time(model: RewardModel, groups: list[EncodedGroup]) -> tuple[list[torch.Tensor], dict[str, torch.Tensor]]:
    """Oracle: the stock classifier on each whole sequence alone, and the loss written out from its definition."""
    model.classifier.set_attn_implementation("eager")
    model.zero_grad()
    total = torch.zeros(())
    scores = []
    for one in groups:
        rows = [torch.from_numpy(one.sequence(k).astype(np.int64))[None] for k in range(len(one.kept))]
        values = torch.cat([model.classifier(input_ids=row).logits[:, 0] for row in rows])
        terms = [
            -p.share * torch.log(torch.sigmoid(values[p.i] - values[p.j]))
            - (1 - p.share) * torch.log(torch.sigmoid(values[p.j] - values[p.i]))
            for p in one.pairs
        ]
        total = total + sum(terms) / len(terms)
        scores.append(values.detach())
    (total / len(groups)).backward()
    return scores, {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


def check(model: RewardModel, groups: list[EncodedGroup], budget: int, mode: Mode) -> None:
    scores, gradients = one_at_a_time(model, groups)
    model.classifier.set_attn_implementation(attention.NAME if mode == "blocks" else "sdpa")
    model.zero_grad()
    batch = Batch(groups, [1 / len(groups)] * len(groups), model.inputs(groups, budget))
    with torch.no_grad():
        for inputs in batch.inputs:
            for (g, k), score in zip(inputs.owners, model(inputs), strict=True):
                torch.testing.assert_close(score, scores[g][k], rtol=1e-5, atol=1e-5)
    losses = backward(model, batch, LOSSES["pairwise"])
    assert torch.isfinite(losses).all()
    found = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    assert found.keys() == gradients.keys()
    for name, gradient in gradients.items():
        torch.testing.assert_close(found[name], gradient, rtol=1e-5, atol=1e-5, msg=lambda m, n=name: f"{n}: {m}")


@pytest.mark.parametrize("budget", [10_000, 60], ids=["one row", "groups cut over rows"])
@pytest.mark.parametrize("mode", ["blocks", "dense"])
@pytest.mark.parametrize("family", CAUSAL)
def test_packed_rows_equal_separate_sequences(tiny_base: Base, family: str, mode: Mode, budget: int) -> None:
    model, groups = load(tiny_base, family, mode)
    inputs = model.inputs(groups, budget)
    assert len(inputs) == 1 if budget == 10_000 else len(inputs) > 5
    check(model, groups, budget, mode)


@pytest.mark.parametrize("budget", [10_000, 60])
def test_an_encoder_reads_each_sequence_once_padded(tiny_base: Base, budget: int) -> None:
    model, groups = load(tiny_base, "bert")
    assert model.mode == "padded"
    assert all(len(g.prefix) == 0 for g in groups)
    check(model, groups, budget, "padded")


@pytest.mark.parametrize("family", FAMILIES)
def test_the_best_mode_that_is_exact_is_chosen(tiny_base: Base, family: str) -> None:
    model, _ = load(tiny_base, family)
    assert model.mode == ("padded" if family == "bert" else "blocks")


def test_a_model_that_blocks_do_not_fit_takes_the_dense_mask(tiny_base: Base, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attention, "UNSUPPORTED", ("scaling_that_every_model_has", "position_ids"))
    monkeypatch.setattr(attention, "shared_prefix_attention", _refuse)
    model, groups = load(tiny_base, "llama")
    assert model.mode == "dense"
    check(model, groups, 10_000, "dense")


def _refuse(*args: object, **kwargs: object) -> None:
    raise NotImplementedError


def test_a_sliding_window_shorter_than_the_sequences_is_read_padded(tiny_base: Base) -> None:
    model, _ = load(tiny_base, "qwen2")
    model.classifier.config.sliding_window, model.classifier.config.use_sliding_window = 16, True
    assert RewardModel(model.classifier, 0, max_length=512).mode == "padded"
    assert RewardModel(model.classifier, 0, max_length=16).mode != "padded"


def test_dense_mask_by_hand() -> None:
    row = pack([encoded_group(2, [1, 2]), encoded_group(1, [1])], 100)[0]
    assert row.blocks == (Block(0, 2, (1, 2)), Block(5, 1, (1,)))
    assert row.position_ids.tolist() == [[0, 1, 2, 2, 3, 0, 1]]
    assert row.ends.tolist() == [2, 4, 6]
    assert dense_mask(row)[0, 0].int().tolist() == [
        [1, 0, 0, 0, 0, 0, 0],
        [1, 1, 0, 0, 0, 0, 0],
        [1, 1, 1, 0, 0, 0, 0],
        [1, 1, 0, 1, 0, 0, 0],
        [1, 1, 0, 1, 1, 0, 0],
        [0, 0, 0, 0, 0, 1, 0],
        [0, 0, 0, 0, 0, 1, 1],
    ]


sizes = st.tuples(st.integers(0, 30), st.lists(st.integers(1, 20), max_size=6))


@given(st.lists(sizes, max_size=8), st.integers(1, 80))
@settings(max_examples=150, deadline=None)
def test_every_completion_is_in_one_place_and_rows_keep_the_budget(
    shapes: list[tuple[int, list[int]]], budget: int
) -> None:
    groups = [encoded_group(prefix, tails) for prefix, tails in shapes]
    wanted = sorted((g, k) for g, one in enumerate(groups) for k in range(len(one.tails)))
    for inputs in (pack(groups, budget), pad(groups, budget, pad_id=0)):
        assert sorted(owner for each in inputs for owner in each.owners) == wanted
        assert all(each.tokens <= budget or len(each.owners) == 1 for each in inputs)
    for row in pack(groups, budget):
        for end, (g, k) in zip(row.ends.tolist(), row.owners, strict=True):
            assert row.input_ids[0, end] == groups[g].tails[k][-1]
            assert row.position_ids[0, end] == len(groups[g].sequence(k)) - 1


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_block_attention_gradients_by_finite_differences(dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attention, "CHUNK", 3)
    blocks = (Block(0, 4, (2, 5)), Block(11, 1, (3,)))
    generator = torch.Generator().manual_seed(0)
    tensors = [torch.randn(1, 2, 15, 8, dtype=dtype, generator=generator, requires_grad=True) for _ in range(3)]

    def attend(*qkv: torch.Tensor) -> torch.Tensor:
        return attention._BlockAttention.apply(*qkv, blocks, 0.3)

    if dtype == torch.float64:
        assert torch.autograd.gradcheck(attend, tensors, eps=1e-6, atol=1e-6)
    row = pack([encoded_group(4, [2, 5]), encoded_group(1, [3])], 100)[0]
    expected = torch.nn.functional.scaled_dot_product_attention(*tensors, attn_mask=dense_mask(row), scale=0.3)
    torch.testing.assert_close(attend(*tensors), expected)


def test_bfloat16_attention_stays_close_to_float32() -> None:
    blocks = (Block(0, 40, (30, 50)),)
    generator = torch.Generator().manual_seed(0)
    tensors = [torch.randn(1, 2, 120, 16, generator=generator, requires_grad=True) for _ in range(3)]
    halves = [t.detach().bfloat16().requires_grad_() for t in tensors]
    weight = torch.randn(1, 2, 120, 16, generator=generator)
    for qkv in (tensors, halves):
        (attention._BlockAttention.apply(*qkv, blocks, None).float() * weight).sum().backward()
    for exact, half in zip(tensors, halves, strict=True):
        assert (half.grad.float() - exact.grad).norm() / exact.grad.norm() < 0.02


def test_the_answer_of_one_group_does_not_depend_on_its_company(tiny_base: Base) -> None:
    model, groups = load(tiny_base, "llama")
    with torch.no_grad():
        alone = model(model.inputs(groups[:1], 10_000)[0])
        together = model(model.inputs(groups, 10_000)[0])
        owners = model.inputs(groups, 10_000)[0].owners
    mine = torch.stack([together[owners.index((0, k))] for k in range(4)])
    torch.testing.assert_close(mine, alone, rtol=1e-5, atol=1e-5)


def test_a_group_without_completions_takes_no_place() -> None:
    assert pack([encoded_group(3, [])], 10) == []
    assert group("none", "p", []).completions == ()
