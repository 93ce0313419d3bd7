"""Both ways of going on from prompts against a full pass of the model, and what is drawn against its probabilities."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from peft import LoraConfig, get_peft_model
from scipy import stats
from tiny_models import CAUSAL, VOCABULARY, build

from reward.decode import StockDecoder, choose_decoder
from reward.decode_shared import SharedDecoder
from reward.sampling import Share, batches, invert, pick, sample, sample_many

SETTINGS = {"ends": [2], "max_new_tokens": 40, "temperature": 0.9, "top_p": 1.0}
PROMPTS = ([5, 80, 90, 17, 33, 60, 61], [9], [44, 45, 46], [7, 7, 120, 8])


def model_of(family="llama", seed=0):
    with torch.random.fork_rng():
        return build(family, seed).eval()


def with_adapters(model):
    """Adapters that do something: PEFT begins with ones that do nothing."""
    with warnings.catch_warnings(action="ignore"):  # PEFT asks for what transformers calls by a newer name
        adapted = get_peft_model(model, LoraConfig(r=2, target_modules=["q_proj", "v_proj", "down_proj"]))
    with torch.no_grad(), torch.random.fork_rng():
        torch.manual_seed(5)
        for name, weights in adapted.named_parameters():
            if "lora_B" in name:
                weights.normal_(0, 0.2)
    return adapted.eval()


def full_pass(model, sequences):
    with torch.no_grad():
        return torch.stack([model(torch.tensor([ids])).logits[0, -1] for ids in sequences])


@pytest.mark.parametrize("copies", [(2, 1, 3, 1), (1, 1, 1, 1), (3, 3, 3, 3)])
@pytest.mark.parametrize(
    ("kind", "family"), [(SharedDecoder, "llama"), (SharedDecoder, "qwen2"), *[(StockDecoder, f) for f in CAUSAL]]
)
def test_every_step_has_the_logits_of_a_full_pass(kind, family, copies):
    model = model_of(family)
    decoder = kind(model)
    generator = torch.Generator().manual_seed(3)
    rows = [list(prompt) for prompt, count in zip(PROMPTS, copies, strict=True) for _ in range(count)]
    with torch.no_grad():
        logits = decoder.prefill(PROMPTS, copies, 12)
        for step in range(12):
            torch.testing.assert_close(logits, full_pass(model, rows), atol=1e-4, rtol=1e-4)
            if step in (2, 5, 6) and len(rows) > 1:
                left = [row for row in range(len(rows)) if row != (step * 5) % len(rows)]
                decoder.keep(left)
                rows = [rows[row] for row in left]
            tokens = torch.randint(5, VOCABULARY, (len(rows),), generator=generator)
            rows = [[*ids, token] for ids, token in zip(rows, tokens.tolist(), strict=True)]
            logits = decoder.step(tokens)


@pytest.mark.parametrize(
    ("family", "kind"), [("llama", SharedDecoder), ("qwen2", SharedDecoder), ("gpt2", StockDecoder)]
)
def test_the_fast_way_is_taken_where_it_is_known(family, kind):
    assert type(choose_decoder(model_of(family), PROMPTS[0])) is kind


def test_a_model_that_only_looks_like_llama_is_read_by_itself():
    model = model_of()
    model.model.layers[1].self_attn.register_forward_hook(lambda _, __, out: (out[0] * 0.5, *out[1:]))
    assert type(choose_decoder(model, PROMPTS[0])) is StockDecoder


@pytest.mark.parametrize("state", ["active", "merged", "disabled"])
def test_adapters_are_part_of_the_weights(state):
    model = with_adapters(model_of())
    bare = full_pass(model_of(), [PROMPTS[0]])
    if state == "merged":
        model.merge_adapter()
    elif state == "disabled":
        model.base_model.disable_adapter_layers()
    decoder = SharedDecoder(model)
    with torch.no_grad():
        decoder.prefill([PROMPTS[0][:-1]], [2], 1)
        found = decoder.step(torch.tensor([PROMPTS[0][-1]] * 2))[:1]
    torch.testing.assert_close(found, full_pass(model, [PROMPTS[0]]), atol=1e-4, rtol=1e-4)
    assert torch.allclose(found, bare, atol=1e-3) == (state == "disabled")
    assert type(choose_decoder(model, PROMPTS[0])) is SharedDecoder


def test_weights_are_taken_as_they_are_at_the_call():
    model, trained = model_of(), model_of(seed=1)
    before = sample_many(model, PROMPTS, 2, **SETTINGS, seeds=range(4))
    model.load_state_dict(trained.state_dict())
    after = sample_many(model, PROMPTS, 2, **SETTINGS, seeds=range(4))
    assert after == sample_many(trained, PROMPTS, 2, **SETTINGS, seeds=range(4)) != before


def test_under_autocast_its_number_format_is_taken():
    model = model_of()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        decoder = choose_decoder(model, PROMPTS[0])
        assert type(decoder) is SharedDecoder
        assert decoder.dtype == torch.bfloat16
        assert len(sample(model, PROMPTS[0], 3, **SETTINGS, seed=0)) == 3


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_company_does_not_change_what_is_drawn(family):
    model = model_of(family)
    together = sample_many(model, PROMPTS, 5, **SETTINGS, seeds=[3, 1, 4, 1])
    assert together == [sample(model, p, 5, **SETTINGS, seed=s) for p, s in zip(PROMPTS, [3, 1, 4, 1], strict=True)]
    assert together == sample_many(model, PROMPTS[::-1], 5, **SETTINGS, seeds=[1, 4, 1, 3])[::-1]
    lengths = [len(each.ids) for drawn in together for each in drawn]
    assert min(lengths) < max(lengths) <= 40  # some left early
    assert sample_many(model, [], 5, **SETTINGS, seeds=[]) == []


@pytest.mark.parametrize("top_p", [1.0, 0.8])
def test_next_tokens_come_as_often_as_the_model_says(top_p):
    """Two tokens in a row, the second given the first, against softmax of a full pass, cut to the nucleus by hand."""
    model, count = model_of(), 6000
    settings = SETTINGS | {"max_new_tokens": 2, "ends": [], "temperature": 0.9, "top_p": top_p}
    drawn = [each.ids for each in sample(model, PROMPTS[0], count, **settings, seed=8)]
    likeliest = np.bincount([first for first, _ in drawn]).argmax()
    for prefix, tokens in (([], [a for a, _ in drawn]), ([likeliest], [b for a, b in drawn if a == likeliest])):
        logits = full_pass(model, [[*PROMPTS[0], *prefix]])[0].double().numpy() / 0.9
        expected = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
        order = np.argsort(-expected)
        outside = order[1:][np.cumsum(expected[order])[:-1] >= top_p]
        expected[outside] = 0
        expected *= len(tokens) / expected.sum()
        found = np.bincount(tokens, minlength=VOCABULARY)
        assert found[expected == 0].sum() == 0
        often = expected >= 5
        pooled = [[*values[often], values[~often].sum()] for values in (found, expected)]
        assert often.sum() > 5
        assert stats.chisquare(*(values if expected[~often].sum() else values[:-1] for values in pooled)).pvalue > 0.01


def test_inverting_takes_the_column_whose_interval_holds_the_number():
    weights = torch.zeros(1, 1000)
    weights[0, [3, 255, 256, 999]] = torch.tensor([1.0, 2.0, 3.0, 4.0])
    numbers = [0.0, 0.0999, 0.1, 0.2999, 0.3001, 0.5999, 0.6001, 1 - 1e-16]
    drawn = invert(weights.expand(8, -1), torch.tensor(numbers, dtype=torch.float64))
    assert drawn.tolist() == [3, 3, 255, 255, 256, 256, 999, 999]


def test_a_flat_nucleus_beyond_the_first_candidates_is_whole():
    drawn = pick(
        torch.zeros(4000, 3000), torch.linspace(0, 1, 4001, dtype=torch.float64)[:-1], temperature=1, top_p=0.5
    )
    assert np.bincount(drawn, minlength=3000).max() <= 3
    assert len(set(drawn.tolist())) == pytest.approx(1500, abs=1)


def test_batches_hold_prompts_of_like_length_within_their_limits():
    made = batches([10, 500, 12, 11, 490], 3, 100, rows=7)
    assert [[share.prompt for share in batch] for batch in made] == [[1, 4], [2, 3], [0]]
    assert batches([5], 10, 3, rows=4) == [[Share(0, range(4))], [Share(0, range(4, 8))], [Share(0, range(8, 10))]]
    apart = batches([5, 6, 5], 2, 9, rows=99, mixed=False)
    assert [[share.prompt for share in batch] for batch in apart] == [[1], [0, 2]]
    heavy = batches([20000] * 4, 1, 10000, rows=99)
    assert [len(batch) for batch in heavy] == [2, 2]
