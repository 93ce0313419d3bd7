"""Loss and gradients of packed conversations against transformers with labels, dropout, and random weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from test_chat import dialogue
from tiny_models import CAUSAL, byte_tokenizer
from torch import nn
from transformers import AutoModelForCausalLM, GPT2Config, GPT2LMHeadModel

from labeler.errors import ModelError
from reward.chat import Chat, EncodedChat, encode_chats, loss_weight
from reward.language import LanguageModel, new_language_model, residual_branches
from reward.lora import adapt_language_model, plain_copy

Base = Callable[[str], Path]
TURNS = (
    dialogue("Name a prime.", "7"),
    dialogue("Hi", "Hello!", "Why?", "Because it is so."),
    dialogue("Öffne die Tür 🚪", "", "again", "ja", system="Be brief."),
)


def some_chats(weights: tuple[float, ...] = (1.0, 1.0, 1.0)) -> list[EncodedChat]:
    chats = [Chat(f"c{i}", turns, weight) for i, (turns, weight) in enumerate(zip(TURNS, weights, strict=True))]
    return encode_chats(chats, byte_tokenizer(), 512)[0]


def with_labels(network: nn.Module, chats: list[EncodedChat]) -> torch.Tensor:
    """The stock loss of a padded batch."""
    width = max(len(chat.ids) for chat in chats)
    ids, labels = torch.zeros(len(chats), width, dtype=torch.int64), torch.full((len(chats), width), -100)
    mask = torch.zeros(len(chats), width, dtype=torch.int64)
    for row, chat in enumerate(chats):
        known = torch.from_numpy(chat.ids).long()
        ids[row, : len(known)], mask[row, : len(known)] = known, 1
        labels[row, : len(known)] = known.masked_fill(~torch.from_numpy(chat.learn), -100)
    return network(input_ids=ids, attention_mask=mask, labels=labels).loss


def packed_loss(model: LanguageModel, chats: list[EncodedChat], budget: int) -> torch.Tensor:
    rows = model.rows(chats, budget)
    return torch.stack([(model(row) * row.weights).sum() for row in rows]).sum() / loss_weight(chats)


@pytest.mark.parametrize("family", CAUSAL)
@pytest.mark.parametrize("budget", [10**6, 90])
def test_loss_and_gradients_are_those_of_transformers(tiny_base: Base, family: str, budget: int) -> None:
    model, _ = new_language_model(tiny_base(family))
    expected_mode = {"llama": "fused", "qwen2": "fused", "neox": "tiles", "gpt2": "tiles"}
    assert model.mode == expected_mode[family]
    stock = plain_copy(model, None, torch.float32)
    chats = some_chats()
    expected, found = with_labels(stock, chats), packed_loss(model, chats, budget)
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)
    expected.backward()
    found.backward()
    theirs = dict(stock.named_parameters())
    for name, ours in model.network.named_parameters():
        assert torch.allclose(ours.grad, theirs[name].grad, rtol=1e-5, atol=1e-5), name


@pytest.mark.parametrize("mode", ["padded", "dense", "tiles", "fused"])
def test_every_way_of_reading_gives_the_same(tiny_base: Base, mode: str) -> None:
    model, _ = new_language_model(tiny_base("llama"))
    chats = some_chats((1.0, 2.0, 0.5))
    alone = torch.stack([with_labels(model.network, [chat]) * loss_weight([chat]) for chat in chats])
    model.use(mode)
    assert len(model.rows(chats, 10**6)) == (3 if mode == "padded" else 1)
    assert packed_loss(model, chats, 10**6).item() == pytest.approx(alone.sum().item() / loss_weight(chats), rel=1e-5)


def test_a_new_token_begins_as_the_mean_of_the_others(tiny_base: Base, tmp_path: Path) -> None:
    known = AutoModelForCausalLM.from_pretrained(tiny_base("llama"))
    known.save_pretrained(tmp_path)
    tokenizer = byte_tokenizer()
    tokenizer.pad_token = tokenizer.eos_token
    tokenizer.add_special_tokens({"additional_special_tokens": ["<extra>"]})
    tokenizer.save_pretrained(tmp_path)
    model, ready = new_language_model(tmp_path)
    assert model.network.vocab_size == len(ready) > known.vocab_size
    for new, old in (
        (model.network.get_input_embeddings(), known.get_input_embeddings()),
        (model.network.get_output_embeddings(), known.get_output_embeddings()),
    ):
        assert torch.equal(new.weight[: known.vocab_size], old.weight)
        assert torch.allclose(new.weight[known.vocab_size :], old.weight.mean(dim=0).expand(len(ready) - 261, -1))


def test_a_sliding_window_is_read_alone(tiny_base: Base) -> None:
    model, _ = new_language_model(tiny_base("llama"))
    model.network.config.sliding_window = 16
    with model.stock():
        pass
    assert model.mode == "padded"


def test_dropout_is_that_of_gpt(tiny_base: Base) -> None:
    """GPT-2 drops at the same places by itself; the same seed draws the same there."""
    torch.manual_seed(0)
    sizes = {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 512, "vocab_size": 261, "initializer_range": 0.2}
    stock = GPT2LMHeadModel(GPT2Config(**sizes, resid_pdrop=0.3, embd_pdrop=0.0, attn_pdrop=0.0))
    model = LanguageModel(stock, 512, dropout=0.3)
    ids = torch.arange(5, 40)[None]
    hooked = residual_branches(stock)
    assert len(hooked) == 4
    model.dropout.handles[0].remove()  # the embeddings: GPT-2 drops after adding positions, we before
    stock.set_attn_implementation("sdpa")
    with model.dropout.dropping(seed=3), torch.no_grad():
        found = stock(ids).logits
    model.dropout.remove()
    stock.train()
    with torch.no_grad():
        torch.manual_seed(3)
        expected = stock(ids).logits
        torch.manual_seed(4)
        other = stock(ids).logits
    assert torch.allclose(found, expected, atol=1e-5)
    assert not torch.allclose(found, other, atol=1e-2)


def test_dropout_depends_on_its_seed_alone_and_ends(tiny_base: Base) -> None:
    model, _ = new_language_model(tiny_base("llama"), dropout=0.2)
    assert model.mode == "tiles"
    (row,) = model.rows(some_chats(), 10**6)
    with torch.no_grad():
        plain = model(row)
        before = torch.random.get_rng_state()
        drawn = []
        for seed in (1, 1, 2):
            with model.dropout.dropping(seed):
                drawn.append(model(row))
        assert torch.equal(before, torch.random.get_rng_state())
        assert torch.equal(drawn[0], drawn[1])
        assert not torch.allclose(drawn[0], drawn[2])
        assert not torch.allclose(drawn[0], plain)
        assert torch.equal(model(row), plain)


def test_random_weights_have_the_architecture_and_its_own_first_distribution(tiny_base: Base) -> None:
    base, _ = new_language_model(tiny_base("llama"))
    first, _ = new_language_model(tiny_base("llama"), scratch_seed=1)
    again, _ = new_language_model(tiny_base("llama"), scratch_seed=1)
    other, _ = new_language_model(tiny_base("llama"), scratch_seed=2)
    assert first.network.config.to_dict() == base.network.config.to_dict()
    weights = [dict(model.network.named_parameters()) for model in (base, first, again, other)]
    assert {n: p.shape for n, p in weights[0].items()} == {n: p.shape for n, p in weights[1].items()}
    assert all(torch.equal(weights[1][name], weights[2][name]) for name in weights[1])
    matrix = "model.layers.0.mlp.up_proj.weight"
    assert not torch.equal(weights[1][matrix], weights[0][matrix])
    assert not torch.equal(weights[1][matrix], weights[3][matrix])
    assert weights[1][matrix].std().item() == pytest.approx(0.2, rel=0.1)  # initializer_range of the configuration


def test_generation_ends_where_the_template_closes_a_turn(tiny_base: Base, tmp_path: Path) -> None:
    """As with Gemma: the turn's end is a special token that is not the tokenizer's end token."""
    AutoModelForCausalLM.from_pretrained(tiny_base("llama")).save_pretrained(tmp_path)
    tokenizer = byte_tokenizer(
        "{% for m in messages %}{{ m['role'] + ':' + m['content'] + '<sep>' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ 'assistant:' }}{% endif %}"
    )
    tokenizer.save_pretrained(tmp_path)
    model, _ = new_language_model(tmp_path)
    assert model.network.generation_config.eos_token_id == [4, 2]
    assert model.network.generation_config.pad_token_id == 0


def test_adapters_learn_alone_and_are_merged_into_a_plain_copy(tiny_base: Base) -> None:
    model, _ = new_language_model(tiny_base("llama"), dropout=0.0)
    (row,) = model.rows(some_chats(), 10**6)
    with torch.no_grad():
        before = model(row)
    adapters = adapt_language_model(model, rank=2, seed=0)
    learning = [name for name, p in model.named_parameters() if p.requires_grad]
    assert learning
    assert all("lora_" in name for name in learning)
    assert not any("lm_head" in name for name in learning)
    with torch.no_grad():
        assert torch.allclose(model(row), before, atol=1e-6)  # adapters begin at zero
        for name, p in model.named_parameters():
            if "lora_B" in name:
                p.normal_(generator=torch.Generator().manual_seed(len(name)))
        changed = model(row)
        assert not torch.allclose(changed, before, atol=1e-2)
        copied = plain_copy(model, adapters, torch.float32)
        assert {n for n, _ in copied.named_parameters()} == {
            n for n, _ in AutoModelForCausalLM.from_pretrained(tiny_base("llama")).named_parameters()
        }
        assert torch.allclose(LanguageModel(copied, 512)(row), changed, atol=1e-4)
        assert torch.equal(model(row), changed)  # the copy left the original alone


def test_a_network_without_known_layers_refuses_dropout() -> None:
    with pytest.raises(ModelError, match="--dropout"):
        residual_branches(nn.Sequential(nn.Linear(2, 2)))
