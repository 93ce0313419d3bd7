"""Checks of constraints on answers made by hand, both ways, and the accuracies of the paper."""

import json

import numpy as np
import pytest

from labeler.errors import DataError
from labeler.records import Completion, Group, Message
from reward.policies import texts
from reward.policies.answers import Source, gather
from reward.policies.constraints import check_answers, loosely, loosened, read_constraints, strictly
from reward.policies.instructions import CHECKS, Instruction

FEWER, LEAST = "less than", "at least"
CASES = [
    ("keywords:existence", {"keywords": ["river", "Stone"]}, ["A RIVER of stones."], ["A river.", "stone"]),
    (
        "keywords:frequency",
        {"keyword": "tea", "frequency": 2, "relation": LEAST},
        ["Tea, then tea.", "teatea", "tea TEA tea"],
        ["Tea once.", "coffee"],
    ),
    (
        "keywords:frequency",
        {"keyword": "a.b", "frequency": 1, "relation": FEWER},
        ["axb is no match: the dot is a dot"],
        ["a.b"],
    ),
    ("keywords:forbidden_words", {"forbidden_words": ["cat", "c++"]}, ["category", "c+"], ["A Cat!", "I like c++."]),
    (
        "keywords:letter_frequency",
        {"letter": "e", "let_frequency": 3, "let_relation": LEAST},
        ["Eleven elves"],
        ["one egg?"],
    ),
    (
        "keywords:letter_frequency",
        {"letter": "#", "let_frequency": 1, "let_relation": FEWER},
        ["none"],
        ["# heading"],
    ),
    (
        "language:response_language",
        {"language": "de"},
        ["Der Hund läuft heute schnell durch den großen Garten.", "42"],
        ["The dog is running quickly through the big garden today."],
    ),
    (
        "length_constraints:number_sentences",
        {"num_sentences": 3, "relation": LEAST},
        ["One. Two! Three?", 'He said "yes." Then she left. Good.'],
        ["One. Two.", "Dr. Smith paid 3.50 for it. Fine.", "It works e.g. here. Good."],
    ),
    (
        "length_constraints:number_sentences",
        {"num_sentences": 2, "relation": FEWER},
        ["Mr. J. Doe came at 5 p.m. today.", "Wait… what"],
        ["One. Two."],
    ),
    (
        "length_constraints:number_paragraphs",
        {"num_paragraphs": 2},
        ["one\n***\ntwo", "***\none\n***\ntwo\n***"],
        ["one", "one\n***\n***\ntwo", "one\n\ntwo", "a\n***\nb\n***\nc"],
    ),
    ("length_constraints:number_words", {"num_words": 3, "relation": LEAST}, ["one two three"], ["one two", "—"]),
    ("length_constraints:number_words", {"num_words": 3, "relation": FEWER}, ["one, two"], ["don't go"]),
    (
        "length_constraints:nth_paragraph_first_word",
        {"num_paragraphs": 2, "nth_paragraph": 2, "first_word": "weeks"},
        ["First.\n\nWeeks, then months.", 'First.\n\n\n\n"Weeks" later'],
        ["Weeks.\n\nFirst.", "One.\n\nWeeks.\n\nThree.", "Weeks", "One.\n\nWeekss"],
    ),
    (
        "detectable_content:number_placeholders",
        {"num_placeholders": 2},
        ["Dear [name], come to [place]."],
        ["Dear [name]."],
    ),
    (
        "detectable_content:postscript",
        {"postscript_marker": "P.S."},
        ["Bye.\nP.S. Call me.", "Bye. p. s. call"],
        ["Bye.", "PS call"],
    ),
    ("detectable_content:postscript", {"postscript_marker": "P.P.S"}, ["P.P.S well", "P. P. S"], ["P.S. well"]),
    (
        "detectable_format:number_bullet_lists",
        {"num_bullets": 2},
        ["* one\n* two", "List:\n- one\n  - two\n**bold**"],
        ["* one", "- a\n- b\n- c", "1. one\n2. two"],
    ),
    (
        "detectable_format:constrained_response",
        {},
        ["My answer is no.", "Well: My answer is maybe."],
        ["No.", "my answer"],
    ),
    (
        "detectable_format:number_highlighted_sections",
        {"num_highlights": 2},
        ["*one* and *two*", "**one** and *two*"],
        ["*one*", "**one**", "* one\n* two", "** **  *x*"],
    ),
    (
        "detectable_format:multiple_sections",
        {"section_spliter": "PART", "num_sections": 2},
        ["PART 1\na\nPART 2\nb", "PART1 PART2 PART3"],
        ["PART 1", "Part 1 Part 2", "PART one PART two"],
    ),
    ("detectable_format:json_format", {}, ['{"a": 1}', "```json\n[1, 2]\n```", "```\n{}\n```"], ["{a: 1}", "So: {}"]),
    ("detectable_format:title", {}, ["<<Ode to rain>>\nIt rains."], ["<Ode>", "<< >>", "<<Ode\n>>"]),
    (
        "combination:two_responses",
        {},
        ["yes ****** no", "******\na\n******\nb"],
        ["yes", "a ****** a", "a******b******c"],
    ),
    ("combination:repeat_prompt", {"prompt_to_repeat": "Why is it so?"}, ["why is it so? Because."], ["Because."]),
    (
        "startend:end_checker",
        {"end_phrase": "That is all."},
        ["Yes. that is all. ", '"That is all."'],
        ["That is all. Bye"],
    ),
    ("startend:quotation", {}, ['"Hello there."', ' "a" and "b" '], ['Hello "there"', '"', "'x'"]),
    (
        "change_case:capital_word_frequency",
        {"capital_frequency": 2, "capital_relation": LEAST},
        ["NOW or NEVER", "I am A man"],
        ["NOW-OR-NEVER", "Now Or Never"],
    ),
    (
        "change_case:english_capital",
        {},
        ["THIS IS WHAT THE WEATHER IS LIKE TODAY."],
        ["This is it.", "DAS WETTER IST HEUTE SEHR SCHÖN UND WARM."],
    ),
    (
        "change_case:english_lowercase",
        {},
        ["this is what the weather is like today."],
        ["This is it.", "das wetter ist heute sehr schön und warm."],
    ),
    ("punctuation:no_comma", {}, ["a; b"], ["a, b"]),
]


@pytest.mark.parametrize(
    ("name", "arguments", "followed", "broken"), CASES, ids=[f"{c[0]}-{i}" for i, c in enumerate(CASES)]
)
def test_constraints_are_told_both_ways(name, arguments, followed, broken):
    instruction = Instruction(name, arguments)
    for answer in followed:
        assert instruction.followed(answer), answer
    for answer in [*broken, "", "  \n"]:
        assert not instruction.followed(answer), answer


def test_every_constraint_of_the_paper_has_cases():
    assert {case[0] for case in CASES} == CHECKS.keys()
    assert len(CHECKS) == 25


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("No mark at the end", 1),
        ("A heading\n\nA sentence.", 1),
        ("She (or he?) left. Then…", 3),
        ("你好。再见！", 2),
        ("Prices rose by 3.5 percent. See fig. 2 for it.", 2),
        ("Is it? Yes! No.", 3),
        ("This is what I. Then more.", 2),
    ],
)
def test_sentences_are_counted_by_their_marks(text, count):
    assert len(texts.sentences(text)) == count


def test_loose_forgives_first_line_last_line_and_asterisks():
    end = Instruction("startend:end_checker", {"end_phrase": "the end"})
    answer = "Sure!\nIt was night. **The end**\nHope this helps."
    assert not strictly(end, answer)
    assert loosely(end, answer)
    assert not loosely(end, "Sure!\nThe end\nReally.\nHope this helps.")
    assert len(set(loosened("*a*\n*b*\n*c*"))) == 8
    assert next(iter(loosened("alone"))) == "alone"
    assert not loosely(Instruction("punctuation:no_comma", {}), "a, b")  # nothing is left without its only line


def rows(*more):
    plain = [
        {
            "key": 1,
            "prompt": "List two.",
            "instruction_id_list": ["detectable_format:number_bullet_lists", "punctuation:no_comma"],
            "kwargs": [{"num_bullets": 2.0, "num_words": None}, {}],
        },
        {"key": 2, "prompt": "Shout.", "instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}]},
        {"key": 3, "prompt": "Nobody answers.", "instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}]},
    ]
    return "".join(json.dumps(row) + "\n" for row in [*plain, *more])


def test_accuracy_by_prompt_and_by_instruction(tmp_path):
    (tmp_path / "c.jsonl").write_text(rows(), "utf-8")
    constrained = read_constraints(tmp_path / "c.jsonl")
    said = {"a": ["* x, w\n* y, z", "no"], "b": ["* x\n* y", "Well, sure:\nno"]}
    written = {
        name: [
            Group(f"q{i}", (Message("user", prompt),), (Completion("c", answer),))
            for i, (prompt, answer) in enumerate(zip(["List two.", "Shout."], answers, strict=True))
        ]
        for name, answers in said.items()
    }
    answers = gather([Source("a", None), Source("b", None)], written, [])
    rates, measure = check_answers(constrained, answers)
    assert (rates.prompts, rates.unanswered) == (2, 1)
    assert [rate.value for rate in rates.prompt_strict] == [0.5, 0.5]
    assert [rate.value for rate in rates.instruction_strict] == pytest.approx([2 / 3, 2 / 3])
    assert [rate.value for rate in rates.prompt_loose] == [0.5, 1.0]
    assert [rate.value for rate in rates.instruction_loose] == pytest.approx([2 / 3, 1.0])
    assert measure.tolist() == [[0.0, 1.0], [1.0, 0.0]]
    assert [rate.value for rate in rates.by_kind["detectable_format"]] == [1.0, 1.0]
    assert [rate.value for rate in rates.by_kind["punctuation"]] == [0.5, 0.5]


def test_several_answers_are_averaged(tmp_path):
    (tmp_path / "c.jsonl").write_text(rows(), "utf-8")
    texts_of = {"a": ("no", "yes, no"), "b": ("no",)}
    written = {
        name: [Group("q", (Message("user", "Shout."),), tuple(Completion(str(k), t) for k, t in enumerate(said)))]
        for name, said in texts_of.items()
    }
    answers = gather([Source("a", None), Source("b", None)], written, [])
    rates, measure = check_answers(read_constraints(tmp_path / "c.jsonl"), answers)
    assert [rate.value for rate in rates.prompt_strict] == [0.5, 1.0]
    assert np.array_equal(measure, [[0.5, 1.0]])


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (
            {"instruction_id_list": ["keywords:rhyme"]},
            r"c\.jsonl:4: instruction_id_list\[0\]: .*'keywords:rhyme' is unknown",
        ),
        ({"instruction_id_list": ["keywords:existence"]}, "needs the argument keywords, a list of texts, not None"),
        ({"kwargs": [{"num_bullets": 3}]}, "does not take the argument num_bullets"),
        ({"kwargs": []}, "kwargs: must be a list with one object"),
        ({"instruction_id_list": []}, "instruction_id_list"),
        ({"prompt": None}, "prompt: must be a text"),
        (
            {
                "instruction_id_list": ["length_constraints:number_words"],
                "kwargs": [{"num_words": 5, "relation": "at most"}],
            },
            "needs the argument relation",
        ),
        (
            {
                "instruction_id_list": ["length_constraints:number_words"],
                "kwargs": [{"num_words": 5.5, "relation": LEAST}],
            },
            "num_words, a whole number",
        ),
    ],
)
def test_a_bad_row_is_named(tmp_path, change, match):
    row = {"key": 9, "prompt": "x", "instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}]} | change
    (tmp_path / "c.jsonl").write_text(rows(row), "utf-8")
    with pytest.raises(DataError, match=match):
        read_constraints(tmp_path / "c.jsonl")
