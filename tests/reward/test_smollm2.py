"""The embedded default itself, once: its tokenizer gives text back, and packed reading gives its scores."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from builders import AWKWARD

from reward import base
from reward.data import Encoder, render
from reward.model import new_reward_model

pytestmark = pytest.mark.model

TEXTS = (
    "two  spaces, a\ttab\n\nand lines",
    "1234567 and 3.14",
    "ünïcödé 日本語 🙂 \u200d",
    " around ",
    "don't  . , ! <b>&amp;",
    "",
)


@pytest.fixture(scope="module")
def folder() -> Path:
    if not (base.cache_folder() / "smollm2-135m-0.1.2").is_dir() and os.environ.get("REWARD_OFFLINE"):
        pytest.skip("the embedded base is not in the cache and REWARD_OFFLINE is set")
    return base.resolve("smollm2-135m")


def test_its_tokenizer_and_template(folder: Path) -> None:
    tokenizer = base.load_tokenizer(folder)
    for text in TEXTS:
        assert tokenizer.decode(tokenizer(text, add_special_tokens=False)["input_ids"]) == text
    assert (tokenizer.pad_token_id, tokenizer.eos_token) == (0, "<|im_end|>")
    text = render(tokenizer, AWKWARD[0].prompt, " kept ")
    assert text.endswith("<|im_start|>user\nName a prime.<|im_end|>\n<|im_start|>assistant\n kept <|im_end|>\n")


def test_packed_scores_equal_separate_ones(folder: Path) -> None:
    model, tokenizer = new_reward_model(folder, seed=0)
    assert model.mode == "fused"
    encoded, _ = Encoder(tokenizer, model.max_length).groups(AWKWARD[:2])
    with torch.inference_mode():
        (inputs,) = model.inputs(encoded, 4096)
        for (g, k), score in zip(inputs.owners, model(inputs).tolist(), strict=True):
            alone = model.classifier(input_ids=torch.tensor([encoded[g].sequence(k).tolist()])).logits.item()
            assert score == pytest.approx(alone, abs=1e-4)
