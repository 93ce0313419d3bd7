"""A prompt is in one split only, however it is written, and the error names the first that are in two."""

from dataclasses import replace

import pytest
from builders import group

from labeler.errors import DataError
from reward.splits import split_groups


def made(count, split=None, start=0):
    return [group(f"{split}{i}", f"prompt {i}", ["a", "b"], (1, 2), split=split) for i in range(start, start + count)]


def test_a_validation_file_that_shares_prompts_with_training_is_refused():
    with pytest.raises(DataError) as caught:
        split_groups(made(6), [replace(g, id=f"v{g.id}") for g in made(5, start=1)])
    said = str(caught.value)
    assert said.startswith("5 prompts are in two splits")
    assert all(f"'prompt {i}'" in said for i in (1, 2, 3))
    assert "'prompt 4'" not in said
    assert "and 2 more" in said


def test_spacing_and_unicode_form_do_not_hide_a_shared_prompt():
    train, test = (
        group("a", "Café  near\nme?", ["a", "b"], (1, 2)),
        group("b", "Cafe\u0301 near me?", ["a", "b"], (1, 2)),
    )
    with pytest.raises(DataError, match=r"1 prompt is in two splits.*'a' in train, 'b' in test"):
        split_groups([replace(train, split="train"), replace(test, split="test")])


def test_a_group_without_a_split_follows_the_others_of_its_prompt():
    marked = made(3, split="test")
    unmarked = [replace(g, id=f"x{g.id}", split=None) for g in marked]
    found = split_groups([*marked, *unmarked, *made(2, split="train", start=10)])
    assert (len(found.train), len(found.test)) == (2, 6)
    assert found.rule == "mixed"
