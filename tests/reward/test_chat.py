"""What is learned of a conversation, token by token, against transformers' own mask; and the loss on it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny_models import CHATML, SPECIAL, build, byte_tokenizer
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from labeler.errors import ModelError
from labeler.records import Message, Prompt
from reward.chat import Chat, encode_chats, encode_turns, loss_weight, pack_chats, row_nll, turn_end
from reward.data import Encoder, render_turns
from reward.tokenizer import DECODER_TEMPLATE

EOS = SPECIAL.index("<eos>")
MARKED = (
    "{% for m in messages %}{% if m['role'] == 'assistant' %}{{ '<bos>assistant\n' }}"
    "{% generation %}{{ m['content'] + '<eos>' }}{% endgeneration %}{{ '\n' }}"
    "{% else %}{{ '<bos>' + m['role'] + '\n' + m['content'] + '<eos>\n' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<bos>assistant\n' }}{% endif %}"
)
"""The chat template of the tiny models, with the answers marked as transformers wants them for its mask."""


def dialogue(*texts: str, system: str | None = None) -> Prompt:
    """User and assistant in turns."""
    turns = [Message("user" if i % 2 == 0 else "assistant", text) for i, text in enumerate(texts)]
    return tuple(turns if system is None else [Message("system", system), *turns])


def encoder(template: str = CHATML, max_length: int = 512) -> Encoder:
    return Encoder(byte_tokenizer(template), max_length)


texts = st.text(st.characters(codec="utf-8"), max_size=12) | st.sampled_from(["<eos>", "a<eos>b", "\n", "<bos>", " x "])


@given(turns=st.lists(st.tuples(texts, texts), min_size=1, max_size=3), system=st.none() | texts)
def test_the_mask_is_that_of_transformers(turns: list[tuple[str, str]], system: str | None) -> None:
    whole = dialogue(*(text for pair in turns for text in pair), system=system)
    tokenizer = byte_tokenizer(MARKED)
    theirs = tokenizer.apply_chat_template(
        [{"role": m.role, "content": m.content} for m in whole],
        return_dict=True,
        return_assistant_tokens_mask=True,
    )
    ids, learn = encode_turns(whole, encoder())
    assert ids.tolist() == theirs["input_ids"][: len(ids)]
    assert learn.tolist() == [bool(each) for each in theirs["assistant_masks"]][: len(ids)]
    assert not any(theirs["assistant_masks"][len(ids) :])
    assert ids[-1] == EOS
    assert learn[-1]


def test_tokens_before_an_answer_are_those_that_sampling_starts_from() -> None:
    """A template that ends in a space would else put it into the first token of the answer."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=SPECIAL, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(["assistant: Hello user: Hello there"] * 9, trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", bos_token="<bos>", eos_token="<eos>")
    fast.chat_template = DECODER_TEMPLATE
    turns = dialogue("Hello", "Hello there", "Hello", "there")
    joined = fast(render_turns(fast, turns), add_special_tokens=False)["input_ids"]
    asked = fast(render_turns(fast, turns[:1], reply=True), add_special_tokens=False)["input_ids"]
    assert joined[: len(asked)] != asked  # the case that is meant
    ids, learn = encode_turns(turns, Encoder(fast, 512))
    first = int(np.flatnonzero(learn)[0])
    assert ids[:first].tolist() == asked
    assert fast.decode(ids) == render_turns(fast, turns).rstrip("\n")
    assert fast.decode(ids[learn]) == "Hello there<eos>there<eos>"


def test_an_opening_by_the_assistant_is_context() -> None:
    turns = (Message("assistant", "Welcome"), Message("user", "Hi"), Message("assistant", "Yes?"))
    ids, learn = encode_turns(turns, encoder())
    tokenizer = encoder().tokenizer
    assert tokenizer.decode(ids[learn]) == "Yes?<eos>"
    assert "Welcome" in tokenizer.decode(ids)


def test_a_template_that_trims_still_ends_at_its_own_end_token() -> None:
    trimming = encoder(CHATML.replace("m['content']", "m['content'] | trim"))
    ids, learn = encode_turns(dialogue("Hi", "  a<eos>b \n"), trimming)
    assert trimming.tokenizer.decode(ids[learn]) == "a<eos>b<eos>"


def test_templates_that_teach_no_end_or_rewrite_turns_are_refused() -> None:
    endless = "{% for m in messages %}{{ m['role'] + ': ' + m['content'] + '\n' }}{% endfor %}"
    with pytest.raises(ModelError, match="no special token"):
        encode_turns(dialogue("Hi", "Ho"), encoder(endless + "{% if add_generation_prompt %}assistant: {% endif %}"))
    counting = "{{ messages | length }}" + CHATML
    with pytest.raises(ModelError, match="differently"):
        encode_turns(dialogue("Hi", "Ho"), encoder(counting))
    assert turn_end(encoder()) == EOS


def test_what_does_not_fit_loses_its_oldest_turns_and_is_counted() -> None:
    chats = [
        Chat("fits", dialogue("Hi", "Ho")),
        Chat("long", dialogue("x" * 60, "old answer", "new question", "new answer", system="S")),
        Chat("never", dialogue("Hi", "y" * 200)),
    ]
    tokenizer = byte_tokenizer()
    found, report = encode_chats(chats, tokenizer, 80)
    assert [each.id for each in found] == ["fits", "long"]
    decoded = tokenizer.decode(found[1].ids)
    assert decoded == "<bos>system\nS<eos>\n<bos>user\nnew question<eos>\n<bos>assistant\nnew answer<eos>"
    assert all(len(each.ids) <= 80 for each in found)
    assert (report.chats, report.answers, report.shortened, report.lost_answers) == (3, 4, 1, 2)
    assert report.dropped == ("never",)
    assert report.learned == sum(each.learned for each in found) == len("Ho") + len("new answer") + 2
    said = " ".join(report.lines())
    assert "1 of 3" in said
    assert "never" in said
    assert "2 of 4" in said
    assert not list(encode_chats(chats[:1], tokenizer, 80)[1].lines())


@pytest.mark.parametrize("budget", [1, 60, 10**6])
def test_rows_hold_every_conversation_once(budget: int) -> None:
    chats = [Chat(f"c{i}", dialogue("q" * i, "a" * (9 - i)), weight=1.0 + i) for i in range(8)]
    encoded, _ = encode_chats(chats, byte_tokenizer(), 512)
    rows = pack_chats(encoded, budget)
    assert sorted(owner for row in rows for owner in row.owners) == list(range(8))
    assert all(row.tokens <= budget or len(row.owners) == 1 for row in rows)
    for row in rows:
        ids = row.input_ids[0]
        assert torch.equal(ids[row.places + 1], row.targets)
        for block, owner in zip(row.blocks, row.owners, strict=True):
            assert ids[block.start : block.end].tolist() == encoded[owner].ids.tolist()
            assert row.position_ids[0, block.start : block.end].tolist() == list(range(block.prefix))
            inside = (row.places >= block.start) & (row.places < block.end)
            assert set(row.weights[inside].tolist()) == {encoded[owner].weight}
            assert int(inside.sum()) == encoded[owner].learned
    assert sum(float(row.weights.sum()) for row in rows) == pytest.approx(loss_weight(encoded))


def test_the_loss_is_that_of_transformers_with_labels(tiny_base: Callable[[str], Path]) -> None:
    network = build("llama")
    (chat,), _ = encode_chats([Chat("c", dialogue("Hi", "Ho", "Why?", "So."))], byte_tokenizer(), 512)
    ids = torch.from_numpy(chat.ids.astype(np.int64))[None]
    labels = ids.masked_fill(~torch.from_numpy(chat.learn)[None], -100)
    expected = network(input_ids=ids, labels=labels).loss
    (row,) = pack_chats([chat], 512)
    found = (row_nll(network, row) * row.weights).sum() / loss_weight([chat])
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)
    ours, theirs = (torch.autograd.grad(each, list(network.parameters())) for each in (found, expected))
    assert all(torch.allclose(a, b, rtol=1e-5, atol=1e-6) for a, b in zip(ours, theirs, strict=True))
