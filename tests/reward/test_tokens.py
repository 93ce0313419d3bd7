"""Completions read token by token in packed rows: what separate sequences through stock models give."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import special, stats
from transformers import AutoModelForCausalLM

from reward.data import EncodedGroup
from reward.frozen import Cut
from reward.tokens import Reader, log_probs_and_entropy, places, token_log_probs

Base = Callable[[str], Path]
ENDS = torch.tensor([2, 0])


def groups(seed: int = 0) -> list[EncodedGroup]:
    """Two prompts with completions of different lengths, some of which end; one is an end token alone."""
    rng = np.random.default_rng(seed)

    def ids(size: int) -> np.ndarray:
        return rng.integers(3, 200, size).astype(np.int32)

    tails = [(ids(5), np.append(ids(3), np.int32(2)), np.array([2], np.int32)), (ids(1), ids(7))]
    return [EncodedGroup(f"g{i}", tuple(range(len(t))), ids(6 + i), t, (), ()) for i, t in enumerate(tails)]


def stock(folder: Path) -> torch.nn.Module:
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


def by_hand(model: torch.nn.Module, group: EncodedGroup, k: int, temperature: float) -> tuple[torch.Tensor, np.ndarray]:
    """Log-probabilities of the tail's tokens from the stock model on the whole sequence, and entropies by scipy."""
    ids = torch.from_numpy(group.sequence(k).astype(np.int64))
    logits = model(ids[None], use_cache=False).logits[0] / temperature
    start = len(group.prefix)
    probability = logits.softmax(-1)[start - 1 : -1]
    chosen = [p[ENDS].sum() if int(t) in ENDS else p[t] for p, t in zip(probability, ids[start:], strict=True)]
    return torch.stack(chosen).log(), stats.entropy(probability.detach().numpy(), axis=-1)


@pytest.mark.parametrize("temperature", [1.0, 0.7])
@pytest.mark.parametrize("family", ["llama", "qwen2", "gpt2", "neox"])
def test_log_probs_and_their_gradients_are_those_of_separate_sequences(
    tiny_base: Base, family: str, temperature: float
) -> None:
    plain, model = stock(tiny_base(family)), stock(tiny_base(family))
    reader = Reader(model, 100)
    assert reader.mode == ("fused" if family in ("llama", "qwen2") else "tiles")
    seen = 0
    for row in reader.rows(groups(), budget=30):
        at = places(row)
        states = reader.states(row, at.read_at)
        found = token_log_probs(model.get_output_embeddings(), states, at.ids, ENDS, temperature)
        same, entropy = log_probs_and_entropy(model.get_output_embeddings(), states, at.ids, ENDS, temperature)
        torch.testing.assert_close(same, found.detach())
        (found * (1 + at.step)).sum().backward()
        for tail, (g, k) in enumerate(row.owners):
            expected, spread = by_hand(plain, groups()[g], k, temperature)
            torch.testing.assert_close(found[at.tail == tail], expected, rtol=1e-4, atol=1e-4)
            np.testing.assert_allclose(entropy[at.tail == tail].numpy(), spread, rtol=1e-4)
            (expected * torch.arange(1, len(expected) + 1)).sum().backward()
            seen += 1
    assert seen == 5
    gradients = dict(plain.named_parameters())
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(
            parameter.grad, gradients[name].grad, rtol=1e-3, atol=1e-4, msg=lambda m, n=name: n + m
        )


@pytest.mark.parametrize("learns", [True, False])
def test_long_rows_are_worked_off_in_pieces(learns: bool) -> None:
    torch.manual_seed(0)
    head, states = torch.nn.Linear(8, 40, bias=False), torch.randn(600, 8, requires_grad=True)
    ids = torch.randint(3, 40, (600,))
    head.weight.requires_grad_(learns)
    found = token_log_probs(head, states, ids, ENDS)
    expected = special.log_softmax((states @ head.weight.T).detach().numpy(), axis=-1)[np.arange(600), ids]
    np.testing.assert_allclose(found.detach().numpy(), expected, rtol=1e-5, atol=1e-5)
    (gradient,) = torch.autograd.grad(found.sum(), states)
    logits = states @ head.weight.T
    pull = torch.nn.functional.one_hot(ids, 40) - logits.softmax(-1)
    torch.testing.assert_close(gradient, (pull @ head.weight).detach())


@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_a_frozen_head_gives_the_gradient_of_one_that_learns(temperature: float) -> None:
    torch.manual_seed(0)
    head, states = torch.nn.Linear(8, 40, bias=False), torch.randn(300, 8, requires_grad=True)
    ids, weights = torch.randint(0, 40, (300,)), torch.randn(300)
    ids[:20] = ENDS[torch.arange(20) % len(ENDS)]
    found, gradients = [], []
    for learns in (True, False):
        head.weight.requires_grad_(learns)
        log_probs = token_log_probs(head, states, ids, ENDS, temperature)
        gradients += torch.autograd.grad((weights * log_probs.exp()).sum(), states)
        found.append(log_probs.detach())
    torch.testing.assert_close(found[1], found[0])
    torch.testing.assert_close(gradients[1], gradients[0])


def test_a_model_that_cannot_share_the_prompt_reads_every_sequence(tiny_base: Base) -> None:
    model = stock(tiny_base("llama"))
    model.config.sliding_window = 8
    reader = Reader(model, 100)
    assert reader.mode == "padded"
    rows = reader.rows(groups(), budget=30)
    assert [row.owners for row in rows] == [((g, k),) for g, each in enumerate(groups()) for k in each.kept]
    plain = stock(tiny_base("llama"))
    for row in rows:
        at = places(row)
        found = token_log_probs(model.get_output_embeddings(), reader.states(row, at.read_at), at.ids, ENDS)
        expected, _ = by_hand(plain, groups()[row.owners[0][0]], row.owners[0][1], 1.0)
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_lower_layers_read_once_give_the_same_states(tiny_base: Base, family: str) -> None:
    model, plain = stock(tiny_base(family)), stock(tiny_base(family))
    reader, whole = Reader(model, 100, Cut(model, 1)), Reader(plain, 100)
    for row in reader.rows(groups(), 1000):
        with_states = reader.with_states(row)
        assert with_states.states is not None
        read_at = places(row).read_at
        expected = whole.states(replace(row), read_at)
        torch.testing.assert_close(reader.states(with_states, read_at), expected, rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(reader.states(row, read_at), expected, rtol=1e-5, atol=1e-5)
