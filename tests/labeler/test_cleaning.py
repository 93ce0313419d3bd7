"""Cleaning of an import: what is left out, in which order, against counts made by hand."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence

import pytest

from labeler.cleaning import Cleaning, LeftOut, clean, start_of
from labeler.errors import UsageError
from labeler.formats import split_of
from labeler.records import Completion, Demonstration, Group, Message, Prompt


def group(name: str, text: str, author: str | None = None, split: str | None = None, system: str = "") -> Group:
    turns = ((Message("system", system),) if system else ()) + (Message("user", text),)
    meta = {} if author is None else {"author": author}
    return Group(name, turns, (Completion("a", "x"), Completion("b", "y")), split=split, meta=meta)


def names(groups: Sequence[Group]) -> list[str]:
    return [one.id for one in groups]


def test_without_a_choice_nothing_is_done_but_repeats_are_counted():
    groups = (group("a", "Why?"), group("b", "Why?"), group("c", "How?"))
    done = clean(groups, (), Cleaning())
    assert done.groups == groups
    assert done.repeated == 1
    assert (done.left_out, done.masked, done.splits) == ((), (), {})


def test_a_prompt_that_was_there_before_is_left_out():
    groups = [group("a", "Why?"), group("b", "  Why?\n"), group("c", "Why ?"), group("d", "How?")]
    done = clean(groups, (), Cleaning(unique=True), before=[group("old", "How?")])
    assert names(done.groups) == ["a", "c"]
    assert done.left_out == (LeftOut("b", "repeated", "a"), LeftOut("d", "repeated", "old"))


def test_a_long_common_start_is_a_repeat_and_a_system_message_is_none():
    few_shot = "Translate to French. Cheese: fromage. Bread: pain. Water: eau. "
    groups = [
        group("a", few_shot + "Milk:"),
        group("b", few_shot + "Sugar:"),
        group("c", "Translate to French."),  # shorter than the start, so it must be equal
        group("d", "Translate to  French."),
        group("e", "One.", system=few_shot * 3),
        group("f", "Two.", system=few_shot * 3),
    ]
    done = clean(groups, (), Cleaning(unique_prefix=50))
    assert names(done.groups) == ["a", "c", "e", "f"]
    assert [(one.id, one.reason, one.because) for one in done.left_out] == [
        ("d", "repeated", "c"),
        ("b", "same start", "a"),
    ]


@pytest.mark.parametrize("length", [1, 5, 12])
def test_common_starts_are_those_that_a_comparison_of_all_pairs_finds(length: int):
    draw = random.Random(length)
    texts = ["".join(draw.choices("ab", k=draw.randint(1, 14))) for _ in range(60)]
    groups = [group(str(place), text) for place, text in enumerate(texts)]
    kept: list[int] = []
    for place, text in enumerate(texts):  # written anew: one by one against all that are kept
        same = (
            text == texts[k] or (len(text) >= length <= len(texts[k]) and text[:length] == texts[k][:length])
            for k in kept
        )
        if not any(same):
            kept.append(place)
    assert names(clean(groups, (), Cleaning(unique_prefix=length)).groups) == [str(place) for place in kept]


def test_prompts_that_mean_the_same_are_asked_for_once_with_what_was_there_before():
    asked: list[Sequence[Prompt]] = []

    def firsts(prompts: Sequence[Prompt]) -> list[int]:
        asked.append(prompts)
        return [0, 1, 0, 1, 4]

    groups = [group("a", "A"), group("b", "B"), group("c", "C"), group("d", "D")]
    done = clean(groups, (), Cleaning(unique_meaning=0.9), before=[group("old", "O")], firsts=firsts)
    assert [prompt[0].content for prompt in asked[0]] == ["O", "A", "B", "C", "D"]
    assert names(done.groups) == ["a", "d"]
    assert done.left_out == (LeftOut("b", "same meaning", "old"), LeftOut("c", "same meaning", "a"))


def test_an_author_has_so_many_prompts_also_over_imports():
    groups = [group(f"{who}{n}", f"{who} {n}", who) for n in range(5) for who in ("x", "y")] + [group("z", "?")]
    before = [group(f"old{n}", f"old {n}", "x") for n in range(2)]
    done = clean(groups, (), Cleaning(per_author=3), before=before)
    assert Counter(one.meta.get("author") for one in done.groups) == {"x": 1, "y": 3, None: 1}
    assert names(done.groups)[0] == "x0"
    assert {one.because for one in done.left_out} == {"x", "y"}


def test_an_author_is_in_one_split_and_about_a_tenth_of_them_in_each_held_out_one():
    groups = [group(f"g{n}", f"Prompt {n}", f"author {n % 1000}") for n in range(3000)]
    done = clean(groups, (), Cleaning(split_by_author=True), seed=3)
    found: dict[str, set[str | None]] = {}
    for one in done.groups:
        found.setdefault(str(one.meta["author"]), set()).add(one.split)
    assert all(len(splits) == 1 for splits in found.values())
    shares = Counter(next(iter(splits)) for splits in found.values())
    assert 70 <= shares["test"] <= 130  # binomial, 1000 draws at 0.1: five deviations are 47
    assert 70 <= shares["valid"] <= 130
    assert done.splits == {split: 3 * count for split, count in shares.items()}
    assert clean(groups, (), Cleaning(split_by_author=True), seed=3).groups == done.groups


def test_the_most_held_out_split_of_an_author_holds():
    groups = [group("a", "A", "x", "train"), group("b", "B", "x"), group("c", "C", "y"), group("d", "D", "", None)]
    before = [group("old", "O", "x", "test"), group("older", "P", "y", "valid")]
    done = clean(groups, (), Cleaning(split_by_author=True), before=before)
    assert [one.split for one in done.groups] == ["train", "test", "valid", None]
    assert done.splits == {"test": 1, "valid": 1}
    assert split_of("x") in ("train", "valid", "test")


def test_masking_comes_first_so_that_what_differs_in_it_alone_is_a_repeat():
    groups = [group("a", "Write to a@example.com"), group("b", "Write to b@example.com")]
    written = [Demonstration("d", (Message("user", "?"),), "b@example.com")]
    done = clean(groups, written, Cleaning(mask_pii=True, unique=True))
    assert names(done.groups) == ["a"]
    assert [(one.id, one.kinds) for one in done.masked] == [("a", {"EMAIL": 1}), ("d", {"EMAIL": 1})]
    assert done.demonstrations[0].completion == "[EMAIL_1]"


def test_the_start_of_a_prompt_is_that_of_its_turns_together():
    turns = (Message("system", "S"), Message("user", "Hi  there"), Message("assistant", "Yes"), Message("user", "Go"))
    assert start_of(turns, 12) == "Hi there Yes"
    assert start_of(turns, 16) is None


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"unique_prefix": 0}, "--unique-prefix"),
        ({"per_author": 0}, "--per-author"),
        ({"unique_meaning": 1.5}, "--unique-m"),
    ],
)
def test_what_makes_no_sense_is_refused(wrong: dict[str, object], says: str):
    with pytest.raises(UsageError, match=says):
        Cleaning(**wrong)  # type: ignore[arg-type]
