"""What was judged is what is scored: rendering, shortening, comparisons and splits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from builders import group
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_models import CHATML, byte_tokenizer

from labeler.errors import DataError, ModelError
from labeler.formats import prompt_key, split_of
from labeler.records import Group, Message, Ranking
from reward.data import Encoder, render
from reward.splits import scored_only, select_completions, split_groups
from reward.tokenizer import prepare_tokenizer

TOKENIZER = byte_tokenizer()
TALK = (
    Message("system", "Be brief."),
    Message("user", "first " * 10),
    Message("assistant", "reply " * 10),
    Message("user", "second " * 10),
    Message("assistant", "again " * 10),
    Message("user", "the last question, " + "0123456789" * 6),
)


def text_of(encoder: Encoder, one: Group, k: int = 0) -> str:
    encoded, _ = encoder.group(one)
    return encoder.tokenizer.decode(encoded.sequence(k).tolist())


texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=40)


@given(texts, texts)
@settings(max_examples=200, deadline=None)
def test_nothing_is_stripped_and_tokens_give_the_text_back(prompt: str, completion: str) -> None:
    one = group("g", prompt, [completion, completion + "!"], (1, 2))
    encoder = Encoder(TOKENIZER, 2048)
    expected = f"<bos>user\n{prompt}<eos>\n<bos>assistant\n{completion}<eos>\n"
    assert render(TOKENIZER, one.prompt, completion) == expected
    assert text_of(encoder, one) == expected


@given(st.lists(texts, min_size=1, max_size=5))
@settings(max_examples=100, deadline=None)
def test_the_prefix_is_common_to_all_and_every_tail_has_a_token(completions: list[str]) -> None:
    encoded, _ = Encoder(TOKENIZER, 2048).group(group("g", "p", completions))
    for k, completion in enumerate(completions):
        ids = TOKENIZER(render(TOKENIZER, (Message("user", "p"),), completion), add_special_tokens=False)["input_ids"]
        assert encoded.sequence(k).tolist() == ids
        assert len(encoded.tails[k]) >= 1


def test_the_oldest_turns_go_first_and_the_system_message_stays() -> None:
    one = Group("g", TALK, group("g", "", ["answer"]).completions)
    whole = text_of(Encoder(TOKENIZER, 2048), one)
    size = len(TOKENIZER(whole, add_special_tokens=False)["input_ids"])

    shorter = text_of(Encoder(TOKENIZER, size - 1), one)
    assert "first" not in shorter
    assert "reply" not in shorter
    assert all(part in shorter for part in ("Be brief.", "second", "again", "the last question", "answer"))

    last_only = text_of(Encoder(TOKENIZER, 180), one)
    assert "again" not in last_only
    assert "Be brief." in last_only
    assert "the last question" in last_only

    cut = text_of(Encoder(TOKENIZER, 100), one)
    assert "Be brief." in cut
    assert "the last question" not in cut
    assert cut.endswith("456789<eos>\n<bos>assistant\nanswer<eos>\n")


def test_the_system_message_goes_last() -> None:
    prompt = (Message("system", "S" * 80), Message("user", "abcdefgh"))
    one = Group("g", prompt, group("g", "", ["answer"]).completions)
    assert text_of(Encoder(TOKENIZER, 60), one) == "<bos>user\nabcdefgh<eos>\n<bos>assistant\nanswer<eos>\n"


def test_what_does_not_fit_is_dropped_counted_and_named_never_cut() -> None:
    one = group("g", "why? " * 30, ["short", "long " * 40, "middle " * 5], (1, 2, 3))
    encoded, report = Encoder(TOKENIZER, 120).group(one)
    assert encoded.kept == (0, 2)
    assert report.dropped == ("g/c1",)
    assert report.lost_pairs == 2
    assert report.shortened == 2
    assert [(p.i, p.j, p.share) for p in encoded.pairs] == [(0, 1, 1.0)]
    for k, text in zip((0, 1), ("short", "middle " * 5), strict=True):
        assert TOKENIZER.decode(encoded.sequence(k).tolist()).endswith(f"<bos>assistant\n{text}<eos>\n")
    assert any("1 completions do not fit" in line for line in report.lines())


def test_a_completion_is_shortened_alike_alone_and_in_company() -> None:
    encoder = Encoder(TOKENIZER, 120)
    both = encoder.group(group("g", "why? " * 40, ["short", "a longer answer " * 3]))[0]
    alone = encoder.group(group("g", "why? " * 40, ["short"]))[0]
    assert both.sequence(0).tolist() == alone.sequence(0).tolist()


def test_long_prompts_of_similar_answers_still_share_their_start() -> None:
    encoded, report = Encoder(TOKENIZER, 200).group(group("g", "0123456789" * 60, ["alpha", "beta", "gamma"]))
    assert report.shortened == 3
    assert len(encoded.prefix) > 150


def test_a_template_that_trims_is_told() -> None:
    trimming = byte_tokenizer(CHATML.replace("m['content']", "m['content'] | trim"))
    _, report = Encoder(trimming, 2048).group(group("g", "p", [" spaced ", "not"]))
    assert report.altered == 1
    assert any("chat template" in line for line in report.lines())


def test_a_conversation_that_the_template_refuses_is_an_error_for_people() -> None:
    refusing = byte_tokenizer("{{ raise_exception('System role not supported') }}")
    with pytest.raises(ModelError, match=r"refuses a conversation of user, assistant: System role not supported"):
        render(refusing, (Message("user", "p"),), "c")


def test_a_base_without_template_or_pad_gets_its_own() -> None:
    bare = byte_tokenizer(None)
    bare.pad_token = "<eos>"
    prepare_tokenizer(bare, encoder=False)
    assert bare.pad_token not in (bare.eos_token, None)
    prompt = (Message("user", "Hi"),)
    assert render(bare, prompt, "yo") == "<bos>user: Hi<eos>\nassistant: yo<eos>\n"
    encoder = byte_tokenizer(None, encoder=True)
    prepare_tokenizer(encoder, encoder=True)
    assert render(encoder, prompt, "yo") == "<cls>user: Hi<sep>assistant: yo<sep>"
    with pytest.raises(ModelError, match="cls_token"):
        prepare_tokenizer(byte_tokenizer(None), encoder=True)


def test_a_tokenizer_without_any_pad_candidate_gets_a_new_token(tiny_base: Callable[[str], Path]) -> None:
    bare = byte_tokenizer(None)
    bare.pad_token = None
    bare.add_special_tokens({"eos_token": "<pad>"})  # the only candidate is taken
    before = len(bare)
    prepare_tokenizer(bare, encoder=False)
    assert bare.pad_token == "<|pad|>"
    assert len(bare) == before + 1


def many(count: int = 60) -> list[Group]:
    return [group(f"g{i}", f"prompt {i % (count // 2)}", ["a", "b"], (1, 2)) for i in range(count)]


def test_splits_are_by_prompt_and_stand_still_when_data_is_added() -> None:
    small, large = split_groups(many()[:40]), split_groups(many())
    assert large.rule == "hash"
    for name in ("train", "valid", "test"):
        part, whole = getattr(small, name), getattr(large, name)
        assert {g.id for g in part} <= {g.id for g in whole}
        assert all(split_of(prompt_key(g.prompt)) == name for g in whole)
    prompts = [{prompt_key(g.prompt) for g in part} for part in (large.train, large.valid, large.test)]
    assert not (prompts[0] & prompts[1] or prompts[0] & prompts[2] or prompts[1] & prompts[2])


def test_a_split_in_the_data_decides_and_takes_its_prompt_along() -> None:
    groups = [group("a", "p", ["x", "y"], split="test"), group("b", "p", ["z", "w"]), *many()]
    splits = split_groups(groups)
    assert {"a", "b"} <= {g.id for g in splits.test}
    assert splits.rule == "mixed"


def test_a_prompt_in_two_splits_is_refused_and_named() -> None:
    groups = [
        group("a", "What  is it?", ["x", "y"], split="train"),
        group("b", "What is it?", ["z", "w"], split="test"),
    ]
    with pytest.raises(DataError, match=r"'What is it\?' \(group 'a' in train, 'b' in test\)"):
        split_groups(groups)
    with pytest.raises(DataError, match="'v'"):
        split_groups(many(), [group("v", "prompt 3", ["x", "y"])])


def test_an_explicit_validation_set_leaves_all_else_to_training() -> None:
    splits = split_groups(many(), [group("v", "new", ["x", "y"])])
    assert (len(splits.train), [g.id for g in splits.valid], [*splits.test], splits.rule) == (60, ["v"], [], "given")


def test_nothing_to_train_on_is_an_error() -> None:
    with pytest.raises(DataError, match="no group is left for training"):
        split_groups([group("a", "p", ["x", "y"], split="test")])


def test_completions_without_a_score_leave_with_all_that_was_said_of_them() -> None:
    ranking = Ranking("p", (1, 3, 2), ratings=(7, 1, 4), flags=(("a",), (), ("b",)), order=("c2", "c1", "c0"))
    one = Group("g", (Message("user", "p"),), group("g", "p", ["x", "y", "z"]).completions, (ranking,))
    (kept,), scores = scored_only([one], [[0.5, float("nan"), 0.25]])
    assert scores == [[0.5, 0.25]]
    assert [c.id for c in kept.completions] == ["c0", "c2"]
    assert kept.rankings == (Ranking("p", (1, 2), ratings=(7, 4), flags=(("a",), ("b",)), order=("c2", "c0")),)
    pair = group("h", "p", ["x", "y"], (1, 2))
    assert select_completions(pair, [0]).rankings[0].ranks == (1,)
