"""Operations against a hand count and against torch's own counter; what one input is said to hold; the machine."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from builders import AWKWARD
from torch.utils.flop_counter import FlopCounterMode

from reward.artifact import Scorer
from reward.benchmark.flops import Meter, Reading, model_flops, reading_of_rows, trained_layers, trained_matrix_weights
from reward.benchmark.machine import forget_peak, matmul_peak, peak_bytes
from reward.model import load_classifier, new_reward_model

Base = Callable[[str], Path]
CPU = torch.device("cpu")


def test_operations_of_a_llama_by_hand(tiny_base: Base) -> None:
    model = load_classifier(tiny_base("llama"))
    attention = 32 * 32 * 2 + 32 * 16 * 2  # query and output; key and value of two heads of eight
    assert trained_matrix_weights(model) == 2 * (attention + 3 * 32 * 48)
    forward = 2 * 15360 * 10 + 4 * 2 * 32 * 55  # ten tokens, of which one sees itself, two …
    assert model_flops(model, reading_of_rows(1, 10, causal=True), backward=False) == forward
    assert model_flops(model, reading_of_rows(1, 10, causal=True), backward=True) == 3 * forward


@pytest.mark.parametrize("family", ["llama", "qwen2", "gpt2", "neox"])
def test_operations_are_those_that_torch_counts(tiny_base: Base, family: str) -> None:
    model = load_classifier(tiny_base(family))
    model.set_attn_implementation("eager")  # whose products with the whole square torch can see
    rows, width = 3, 24
    ids = torch.randint(5, 200, (rows, width), generator=torch.Generator().manual_seed(0))
    head = 2 * 32 * rows * width  # read at every token by the stock classifier, not counted by us
    rotary = 2 * 4 * width if family in ("llama", "qwen2", "neox") else 0  # angles, as a product of no weights
    square = reading_of_rows(rows, width, causal=False)
    with FlopCounterMode(display=False) as counter:
        loss = model(input_ids=ids).logits.sum()
    assert counter.get_total_flops() == pytest.approx(model_flops(model, square, backward=False) + head, abs=3 * rotary)
    with FlopCounterMode(display=False) as counter:
        loss.backward()
    gradients = model_flops(model, square, backward=True) - model_flops(model, square, backward=False)
    assert counter.get_total_flops() == pytest.approx(gradients + 2 * head, abs=3 * rotary)


def test_frozen_layers_do_not_count(tiny_base: Base) -> None:
    model = load_classifier(tiny_base("llama"))
    reading = reading_of_rows(2, 16, causal=True)
    whole = model_flops(model, reading, backward=True)
    model.model.layers[0].requires_grad_(False)
    assert trained_layers(model) == 1
    assert model_flops(model, reading, backward=True) == whole / 2


@pytest.mark.parametrize("family", ["llama", "bert"])
def test_the_meter_counts_what_the_model_is_given(tiny_base: Base, family: str) -> None:
    model, tokenizer = new_reward_model(tiny_base(family), seed=0)
    scorer = Scorer(model, tokenizer)
    encoded, _ = scorer.encode(AWKWARD)
    meter = Meter(model, gradients_only=False)
    for inputs in model.inputs(encoded, 10**6):
        model(inputs)
    found = meter.detach()
    assert found.sequences == sum(len(g.completions) for g in AWKWARD)
    if family == "llama":
        seen = 0
        for group in encoded:  # a token of a tail sees the prefix, and of its own tail what is not after it
            seen += sum(place + 1 for place in range(len(group.prefix)))
            seen += sum(len(group.prefix) + place + 1 for tail in group.tails for place in range(len(tail)))
        assert (found.tokens, found.visible) == (sum(g.tokens for g in encoded), seen)
    else:
        assert found.visible >= sum(len(g.sequence(k)) ** 2 for g in encoded for k in g.kept)
    model(model.inputs(encoded[:1], 10**6)[0])
    assert meter.reading == found


def test_passes_without_a_graph_are_left_out_of_training(tiny_base: Base) -> None:
    model, tokenizer = new_reward_model(tiny_base("llama"), seed=0)
    encoded, _ = Scorer(model, tokenizer).encode(AWKWARD[:1])
    meter = Meter(model, gradients_only=True)
    with torch.no_grad():
        model(model.inputs(encoded, 10**6)[0])
    assert meter.detach() == Reading()


def test_the_matrix_peak_is_of_this_machine() -> None:
    assert 1e8 < matmul_peak(torch.float32, CPU) < 1e15


def test_peak_memory_is_that_of_this_process_since_it_was_forgotten() -> None:
    code = (
        "import torch; from reward.benchmark.machine import *; cpu = torch.device('cpu')\n"
        "big = torch.ones(64 << 20); before = peak_bytes(cpu); del big\n"
        "forget_peak(cpu); print(before, peak_bytes(cpu))"
    )
    ballast = torch.ones(256 << 20)  # a gibibyte here, which getrusage of a child would report as its own
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    before, after = map(int, done.stdout.split())
    del ballast
    assert 256 << 20 < before < 1 << 30
    if Path("/proc/self/clear_refs").exists():
        assert after < before - (200 << 20)
    forget_peak(CPU)
    assert peak_bytes(CPU) > 0
