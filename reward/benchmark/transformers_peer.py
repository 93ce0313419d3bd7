"""The other side when scoring: a stock sequence classifier that reads padded batches of about the same length."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from labeler.formats import read
from labeler.records import Group
from reward.base import load_tokenizer
from reward.benchmark.child import Measured, Trial, try_batches
from reward.benchmark.flops import Reading, is_causal, model_flops, reading_of_rows
from reward.benchmark.machine import device_name, dtype_of, forget_peak, matmul_peak, now, peak_bytes, pick_device
from reward.config.common import Device, Precision
from reward.data import render
from reward.model import head_name, load_classifier, set_label
from reward.tokenizer import prepare_tokenizer

SAMPLE = 32
"""Texts on which a batch size is tried at least."""


@dataclass(frozen=True)
class Stock:
    """What ``AutoModelForSequenceClassification`` and ``AutoTokenizer`` load, and where it runs."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    place: torch.device

    @torch.inference_mode()
    def score(self, texts: Sequence[str], batch: int) -> tuple[list[float], Reading]:
        """One score per text, and what was read for them."""
        rows = self.tokenizer(list(texts), add_special_tokens=False, verbose=False)["input_ids"]
        order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
        scores, reading = [math.nan] * len(rows), Reading()
        for start in range(0, len(order), batch):
            part = order[start : start + batch]
            padded = self.tokenizer.pad({"input_ids": [rows[i] for i in part]}, return_tensors="pt").to(self.place)
            reading += reading_of_rows(*padded["input_ids"].shape, causal=is_causal(self.model))
            logits = self.model(**padded, use_cache=False).logits[:, 0]
            for i, value in zip(part, logits.float().tolist(), strict=True):
                scores[i] = value
        return scores, reading


def load(model: str, precision: Precision, device: Device) -> Stock:
    """The reward model as any other program would load it."""
    place = pick_device(device)
    classifier = load_classifier(Path(model), dtype_of(precision), trained=True).to(place)
    tokenizer = prepare_tokenizer(load_tokenizer(Path(model)), encoder=head_name(classifier) != "score")
    set_label(classifier, tokenizer)
    return Stock(classifier, tokenizer, place)


def texts_of(stock: Stock, groups: Sequence[Group]) -> list[str]:
    """Every completion with its prompt, as it is scored."""
    return [render(stock.tokenizer, g.prompt, c.text) for g in groups for c in g.completions]


def score(*, model: str, groups: str, batch: int, precision: Precision, device: Device) -> Measured:
    """Score all completions of a group file, tokenizing included; the scores are in the details.

    Args:
        model: folder of the reward model.
        groups: group file.
        batch: texts at once.
        precision: number format of the weights.
        device: where to score.
    """
    stock, rows = load(model, precision, device), read(groups).groups
    stock.score(texts_of(stock, rows[:2]), batch)
    forget_peak(stock.place)
    started = now(stock.place)
    scores, reading = stock.score(texts_of(stock, rows), batch)
    seconds = now(stock.place) - started
    most = peak_bytes(stock.place)
    return Measured(
        seconds=seconds,
        sequences=reading.sequences,
        tokens=reading.tokens,
        flops=model_flops(stock.model, reading, backward=False),
        peak_bytes=most,
        matmul_flops=matmul_peak(dtype_of(precision), stock.place),
        threads=torch.get_num_threads(),
        device=device_name(stock.place),
        steps=0,
        details={"scores": scores},
    )


def search(
    *, model: str, groups: str, sizes: list[int], precision: Precision, device: Device, seed: int
) -> list[Trial]:
    """Try batch sizes on a random sample of the texts, each after one batch to warm up."""
    stock = load(model, precision, device)
    texts = texts_of(stock, read(groups).groups)
    order = np.random.default_rng(seed).permutation(len(texts))
    lengths = sorted(len(ids) for ids in stock.tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"])

    def measure(batch: int) -> Trial:
        sample = [texts[i] for i in order[: max(SAMPLE, batch)]]
        stock.score(sample[:batch], batch)
        started = now(stock.place)
        _, reading = stock.score(sample, batch)
        seconds = now(stock.place) - started
        whole = sum(len(part) * part[-1] for part in (lengths[i : i + batch] for i in range(0, len(lengths), batch)))
        return Trial(batch, seconds, reading.tokens, whole)

    return try_batches(sizes, measure)
