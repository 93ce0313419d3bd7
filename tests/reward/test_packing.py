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

from reward import attention, fused
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
        model.use(mode)
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
    model.use(mode)
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
@pytest.mark.parametrize(
    ("family", "mode"),
    [("llama", "fused"), ("qwen2", "fused"), *((family, mode) for family in CAUSAL for mode in ("tiles", "dense"))],
)
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
    best = {"llama": "fused", "qwen2": "fused", "bert": "padded"}
    assert model.mode == best.get(family, "tiles")


def test_a_layer_that_only_looks_alike_is_found_out(tiny_base: Base, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fused, "turn", lambda heads, cos, sin: heads.to(cos.dtype))
    model, groups = load(tiny_base, "llama")
    assert model.mode == "tiles"
    check(model, groups, 10_000, "tiles")


def test_a_model_that_tiles_do_not_fit_takes_the_dense_mask(tiny_base: Base, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attention, "UNSUPPORTED", ("scaling_that_every_model_has", "position_ids"))
    monkeypatch.setattr(attention, "shared_prefix_attention", _refuse)
    monkeypatch.setattr(fused, "fuse", _refuse)
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


def random(*shape: int, dtype: torch.dtype = torch.float32, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, dtype=dtype, generator=torch.Generator().manual_seed(seed)).requires_grad_()


@given(
    sizes=st.lists(st.tuples(st.integers(0, 9), st.lists(st.integers(1, 9), min_size=1, max_size=4)), min_size=1),
    rows=st.integers(1, 12),
)
@settings(max_examples=40, deadline=None)
def test_tiles_see_what_the_dense_mask_shows(sizes: list[tuple[int, list[int]]], rows: int) -> None:
    packed = pack([encoded_group(*size) for size in sizes], 10_000)[0]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(attention, "ROWS", rows)
        tiling = attention.tile(packed.blocks)
    shown = dense_mask(packed)[0, 0].long()
    assert torch.equal(seen_by(tiling, packed.tokens, packed.tokens), shown)
    asked = torch.arange(packed.tokens)[packed.tokens % 3 :: 3]
    last = attention.ask(tiling, asked).last
    assert last is not None
    assert torch.equal(seen_by(last, len(asked), packed.tokens), shown[asked])


def seen_by(tiling: attention.Tiling, queries: int, keys: int) -> torch.Tensor:
    """(queries, keys) how often each query is told to see each key."""
    seen = torch.zeros(queries, keys, dtype=torch.int64)
    for tile in tiling.tiles:
        seen[tile.rows, tile.seen] += 1
        seen[tile.rows, tile.own] += tile.visible()
    return seen


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("heads", [1, 3])
def test_tiled_attention_and_its_gradients(dtype: torch.dtype, heads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attention, "ROWS", 3)
    row = pack([encoded_group(4, [2, 5]), encoded_group(1, [3])], 100)[0]
    tiling = attention.tile(row.blocks)
    tensors = [
        random(2, 15, heads, 8, dtype=dtype),
        random(2, 15, 8, dtype=dtype),
        random(2, 15, 8, dtype=dtype, seed=1),
    ]

    def attend(*qkv: torch.Tensor) -> torch.Tensor:
        return attention._TiledAttention.apply(*qkv, tiling)

    if dtype == torch.float64:
        assert torch.autograd.gradcheck(attend, tensors, eps=1e-6, atol=1e-6)
    query, key, value = (
        tensors[0].permute(0, 2, 1, 3).flatten(0, 1),
        *(t.repeat_interleave(heads, 0) for t in tensors[1:]),
    )
    expected = torch.nn.functional.scaled_dot_product_attention(
        query, key, value, attn_mask=dense_mask(row)[0], scale=1.0
    )
    torch.testing.assert_close(attend(*tensors).permute(0, 2, 1, 3).flatten(0, 1), expected)


def relative(found: torch.Tensor, exact: torch.Tensor) -> float:
    return float((found.float() - exact.float()).norm() / exact.float().norm())


def test_bfloat16_attention_stays_close_to_float32() -> None:
    tiling = attention.tile((Block(0, 40, (30, 50)),))
    exact = [random(2, 120, 1, 16), random(2, 120, 16), random(2, 120, 16, seed=1)]
    halves = [t.detach().bfloat16().requires_grad_() for t in exact]
    weight = random(2, 120, 1, 16, seed=2).detach()
    for qkv in (exact, halves):
        (attention._TiledAttention.apply(*qkv, tiling).float() * weight).sum().backward()
    for wide, half in zip(exact, halves, strict=True):
        assert relative(half.grad, wide.grad) < 0.02


@pytest.mark.parametrize("asked", [None, (2, 4, 8)])
def test_fused_layers_by_finite_differences(
    tiny_base: Base, monkeypatch: pytest.MonkeyPatch, asked: tuple[int, ...] | None
) -> None:
    monkeypatch.setattr(fused, "ROWS", 4)
    model, _ = load(tiny_base, "qwen2", "fused")
    classifier = model.classifier.double()
    backbone, layer = classifier.model, classifier.model.layers[0 if asked is None else -1]
    row = pack([encoded_group(3, [2, 4])], 100)[0]
    tiling = attention.tile(row.blocks)
    if asked:
        tiling = attention.ask(tiling, torch.tensor(asked))
    hidden = random(1, 9, 32, dtype=torch.float64)
    turned = backbone.rotary_emb(hidden, row.position_ids)
    norms = [layer.input_layernorm.weight, layer.post_attention_layernorm.weight]

    def run(inputs: torch.Tensor, *_: torch.Tensor) -> torch.Tensor:
        return layer(inputs, tiling=tiling, position_embeddings=turned)

    assert torch.autograd.gradcheck(run, (hidden, *norms), eps=1e-6, atol=1e-6)
    for name, matrix in layer.named_parameters():
        if "norm" in name:
            continue
        (slope,) = torch.autograd.grad((run(hidden) ** 2).sum(), matrix)
        step = random(*matrix.shape, dtype=torch.float64, seed=3).detach() * 1e-6
        ends = []
        with torch.no_grad():
            for way in (1, -2, 1):  # up, down, and back; in place, as an optimizer does it
                matrix.add_(step, alpha=way)
                ends.append((run(hidden) ** 2).sum())
        torch.testing.assert_close((slope * step).sum(), (ends[0] - ends[1]) / 2, rtol=1e-5, atol=1e-9, msg=name)


def test_fused_layers_in_bfloat16_are_as_close_as_stock_ones(tiny_base: Base) -> None:
    errors = {}
    for mode in ("fused", "dense"):
        model, groups = load(tiny_base, "llama", mode)
        gradients = []
        for precise in (True, False):
            model.zero_grad()
            batch = Batch(groups, [1.0] * len(groups), model.inputs(groups, 10_000))
            with torch.autocast("cpu", torch.bfloat16, enabled=not precise):
                backward(model, batch, LOSSES["pairwise"])
            gradients.append(torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None]))
        errors[mode] = relative(gradients[1], gradients[0])
    assert errors["fused"] < 1.3 * errors["dense"] < 0.2


@pytest.mark.parametrize("kind", [{"fused": True}, {"foreach": True}, {"foreach": False, "fused": False}], ids=str)
def test_fused_layers_notice_the_step_of_an_optimizer(tiny_base: Base, kind: dict[str, bool]) -> None:
    model, groups = load(tiny_base, "llama", "fused")
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1, **kind)
    inputs = model.inputs(groups, 10_000)[0]
    before = model(inputs)
    before.sum().backward()
    optimizer.step()
    with torch.no_grad():
        after = model(inputs)
        model.use("tiles")
        torch.testing.assert_close(after, model(inputs), rtol=1e-5, atol=1e-5)
    assert not torch.allclose(before, after)


def test_fused_layers_notice_new_weights_and_leave_frozen_ones_alone(tiny_base: Base) -> None:
    model, groups = load(tiny_base, "llama", "fused")
    inputs = model.inputs(groups, 10_000)[0]
    layer = model.classifier.model.layers[0]
    layer.mlp.up_proj.weight.requires_grad_(False)
    before = model(inputs)
    before.sum().backward()
    assert layer.mlp.up_proj.weight.grad is None and layer.mlp.gate_proj.weight.grad is not None
    with torch.no_grad():
        layer.mlp.up_proj.weight *= 1.5
        model.use("tiles")
        expected = model(inputs)
        model.use("fused")
        torch.testing.assert_close(model(inputs), expected, rtol=1e-5, atol=1e-5)
    assert not torch.allclose(before, expected)


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
