"""Hedging by phrases, kinds of prompts by their meta."""

import numpy as np
import pytest

from labeler.records import Completion, Group, Message
from reward.policies.answers import Source, gather
from reward.policies.slices import by_slice, hedges, names_of


@pytest.mark.parametrize(
    ("text", "hedged"),
    [
        ("I’m not sure, but 7.", True),
        ("It\ndepends on the weather.", True),
        ("There is no evidence that stones sleep.", True),
        ("EXPERTS DISAGREE.", True),
        ("It dependsx on nothing.", False),
        ("7.", False),
        ("", False),
    ],
)
def test_an_answer_hedges_by_its_phrases(text, hedged):
    assert hedges(text) is hedged


def prompt(name, text, **meta):
    return Group(name, (Message("user", text),), (), meta=meta)


def test_slices_come_from_meta():
    assert names_of(prompt("a", "x", slice="false premise", use_case=["qa", "qa", "false premise"])) == [
        "false premise",
        "qa",
    ]
    assert names_of(prompt("a", "x", slice=None, use_case=3 * [None])) == []


def test_hedging_and_worth_by_slice():
    said = {"a": ["It depends.", "Yes.", "No."], "b": ["No.", "I don't know.", "It depends."]}
    prompts = [
        prompt("p0", "zero", slice="false premise"),
        prompt("p1", "one", slice="false premise", use_case="qa"),
        prompt("p2", "two"),
    ]
    written = {
        name: [
            Group(p.id, p.prompt, (Completion("c", text),), meta=p.meta) for p, text in zip(prompts, texts, strict=True)
        ]
        for name, texts in said.items()
    }
    answers = gather([Source("a", None), Source("b", None)], written, [])
    found = by_slice(answers, np.array([[1.0, 2.0], [3.0, np.nan], [5.0, 6.0]]))
    assert [(each.name, each.prompts) for each in found] == [("all prompts", 3), ("false premise", 2), ("qa", 1)]
    assert [rate.value for rate in found[0].hedging] == pytest.approx([1 / 3, 2 / 3])
    assert [rate.value for rate in found[1].hedging] == [0.5, 0.5]
    assert [worth.value for worth in found[1].worth] == [2.0, 2.0]
    assert [worth.value for worth in found[2].worth] == [3.0, None]
    assert by_slice(answers, None)[0].worth == ()
