"""Rows as other projects write them, each read by detection and by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from format_helpers import HI, NINE, QUESTION, SEVEN, one, save, says

from labeler.errors import DataError
from labeler.formats import read
from labeler.records import Demonstration, Message

PAIRS: dict[str, tuple[str, dict[str, Any], tuple[Any, Any, Any]]] = {
    "trl standard": (
        "trl",
        {"prompt": "The sky is", "chosen": " blue.", "rejected": " green."},
        ([("user", "The sky is")], [" blue.", " green."], [(1, 2)]),
    ),
    "trl standard, implicit prompt": (
        "trl",
        {"chosen": "The sky is blue.", "rejected": "The sky is green."},
        ([("user", "The sky is")], [" blue.", " green."], [(1, 2)]),
    ),
    "trl conversational": (
        "trl",
        {"prompt": [QUESTION], "chosen": [SEVEN], "rejected": [NINE]},
        ([("user", "Name a prime.")], ["7", "9"], [(1, 2)]),
    ),
    "trl conversational, implicit prompt": (
        "trl",
        {"chosen": [HI, NINE, QUESTION, SEVEN], "rejected": [HI, NINE, QUESTION, NINE]},
        ([("user", "Hi"), ("assistant", "9"), ("user", "Name a prime.")], ["7", "9"], [(1, 2)]),
    ),
    "ultrafeedback_binarized: a prompt string and whole conversations": (
        "trl",
        {"prompt": "Name a prime.", "prompt_id": "ab12", "chosen": [QUESTION, SEVEN], "rejected": [QUESTION, NINE]},
        ([("user", "Name a prime.")], ["7", "9"], [(1, 2)]),
    ),
    "a prompt string and conversations with a system message": (
        "trl",
        {
            "prompt": "Name a prime.",
            "chosen": [{"role": "system", "content": "Be brief."}, QUESTION, SEVEN],
            "rejected": [{"role": "system", "content": "Be brief."}, QUESTION, NINE],
        },
        ([("system", "Be brief."), ("user", "Name a prime.")], ["7", "9"], [(1, 2)]),
    ),
    "openrlhf input": (
        "openrlhf",
        {"input": "Name a prime.", "chosen": "7", "rejected": "9"},
        ([("user", "Name a prime.")], ["7", "9"], [(1, 2)]),
    ),
    "openrlhf context and input": (
        "openrlhf",
        {"context": [HI, SEVEN], "input": "Name a prime.", "chosen": [SEVEN], "rejected": [NINE]},
        ([("user", "Hi"), ("assistant", "7"), ("user", "Name a prime.")], ["7", "9"], [(1, 2)]),
    ),
    "openrlhf context_messages": (
        "openrlhf",
        {"context_messages": [QUESTION], "chosen": "7", "rejected": "9"},
        ([("user", "Name a prime.")], ["7", "9"], [(1, 2)]),
    ),
    "hh-rlhf": (
        "hh-rlhf",
        {
            "chosen": "\n\nHuman: Hi\n\nAssistant: Yes?\n\nHuman: Name a prime.\n\nAssistant: 7 ",
            "rejected": "\n\nHuman: Hi\n\nAssistant: Yes?\n\nHuman: Name a prime.\n\nAssistant:",
        },
        ([("user", "Hi"), ("assistant", "Yes?"), ("user", "Name a prime.")], ["7 ", ""], [(1, 2)]),
    ),
    "hh-rlhf, the same answer twice": (
        "hh-rlhf",
        {"chosen": "\n\nHuman: Hi\n\nAssistant: a", "rejected": "\n\nHuman: Hi\n\nAssistant: a"},
        ([("user", "Hi")], ["a", "a"], [(1, 2)]),
    ),
    "hh-rlhf with the prompt apart": (
        "hh-rlhf",
        {"prompt": "\n\nHuman: Hi\n\nAssistant:", "chosen": " Hello.", "rejected": " Go."},
        ([("user", "Hi")], ["Hello.", "Go."], [(1, 2)]),
    ),
    "rewardbench 1": (
        "rewardbench",
        {
            "prompt": "Name a prime.",
            "chosen": "7",
            "chosen_model": "GPT-4",
            "rejected": "9",
            "rejected_model": "Alpaca",
            "subset": "alpacaeval-easy",
            "id": 3,
        },
        ([("user", "Name a prime.")], ["7", "9"], [(1, 2)]),
    ),
    "rewardbench 2": (
        "rewardbench",
        {
            "id": "41",
            "prompt": "Name a prime.",
            "chosen": ["7"],
            "rejected": ["9", "8", "6"],
            "num_correct": 1,
            "total_completions": 4,
            "models": ["m1", "m2", "m3", "m4"],
            "subset": "Math",
        },
        ([("user", "Name a prime.")], ["7", "9", "8", "6"], [(1, 2, 2, 2)]),
    ),
    "rewardbench 2, several right answers": (
        "rewardbench",
        {"id": "x", "prompt": "Name a prime.", "chosen": ["7", "5"], "rejected": ["9"], "subset": "Ties"},
        ([("user", "Name a prime.")], ["7", "5", "9"], [(1, 1, 2)]),
    ),
}


@pytest.mark.parametrize("name", PAIRS)
def test_pairs(tmp_path: Path, name: str) -> None:
    expect, row, meaning = PAIRS[name]
    assert says(one(tmp_path, row, expect=expect)) == meaning
    assert says(one(tmp_path, row, as_format=expect)) == meaning


def test_margin_and_leftover_fields_are_kept(tmp_path: Path) -> None:
    row = {"prompt": "p", "chosen": "a", "rejected": "b", "margin": 2.5, "score_chosen": 9, "topic": None}
    group = one(tmp_path, {**row, "annotator": "ann", "source": "web", "split": "validation"}, expect="trl")
    assert group.meta == {"margin": 2.5, "score_chosen": 9}
    assert (group.rankings[0].annotator, group.source, group.split) == ("ann", "web", "valid")


def test_rewardbench_models_and_ids(tmp_path: Path) -> None:
    first = one(tmp_path, PAIRS["rewardbench 1"][1], expect="rewardbench")
    assert first.id == "alpacaeval-easy-3"
    assert [c.model for c in first.completions] == ["GPT-4", "Alpaca"]
    assert first.meta == {"subset": "alpacaeval-easy"}
    second = one(tmp_path, PAIRS["rewardbench 2"][1], expect="rewardbench")
    assert [c.model for c in second.completions] == ["m1", "m2", "m3", "m4"]


def test_rows_of_one_prompt_stay_apart_and_ids_come_from_the_place(tmp_path: Path) -> None:
    row = {"prompt": "p", "chosen": "a", "rejected": "b"}
    path = save(tmp_path / "pairs.v1.jsonl", row, {**row, "id": 17}, row)
    first, again = read(path), read(path)
    assert [group.id for group in first.groups] == ["pairs-1", "17", "pairs-3"]
    assert {group.source for group in first.groups} == {"pairs.v1.jsonl"}
    assert first == again


def test_demonstrations(tmp_path: Path) -> None:
    system = {"role": "system", "content": "Be brief."}
    chat = read(save(tmp_path / "chat.jsonl", {"messages": [system, QUESTION, SEVEN], "topic": "math"}))
    assert chat.format == "messages"
    expected = (Message("system", "Be brief."), Message("user", "Name a prime."))
    assert chat.demonstrations == (Demonstration("chat-1", expected, "7", None, "chat.jsonl", {"topic": "math"}),)
    plain = read(save(tmp_path / "plain.jsonl", {"prompt": "Name a prime.", "completion": "7"}))
    assert plain.format == "trl"
    assert plain.demonstrations[0].prompt == expected[1:]
    turns = read(save(tmp_path / "turns.jsonl", {"prompt": [QUESTION], "completion": [SEVEN]}))
    assert (turns.demonstrations[0].prompt, turns.demonstrations[0].completion) == (expected[1:], "7")


ULTRAFEEDBACK = {
    "source": "evol_instruct",
    "instruction": "Name a prime.",
    "models": ["alpaca-7b", "gpt-4", "llama-2-7b", "mpt"],
    "completions": [
        {"model": "alpaca-7b", "principle": "honesty", "response": "9", "overall_score": 3.5, "critique": "wrong"},
        {"model": "gpt-4", "principle": "honesty", "response": "7", "overall_score": 9, "fine-grained_score": 5.0},
        {"model": "llama-2-7b", "principle": "honesty", "response": "8", "overall_score": 3.5},
        {"model": "mpt", "principle": "honesty", "response": "", "overall_score": None},
    ],
    "correct_answers": ["None"],
}


def test_ultrafeedback(tmp_path: Path) -> None:
    group = one(tmp_path, ULTRAFEEDBACK, expect="ultrafeedback")
    assert says(group) == ([("user", "Name a prime.")], ["9", "7", "8", ""], [(2, 1, 2, None)])
    assert [c.model for c in group.completions] == ["alpaca-7b", "gpt-4", "llama-2-7b", "mpt"]
    assert group.source == "evol_instruct"
    assert group.meta == {"correct_answers": ["None"], "scores": [3.5, 9.0, 3.5, None]}


@pytest.mark.parametrize(
    ("row", "ranks"),
    [
        (
            {"prompt": "p", "answers": [{"answer": "a", "model": "m", "rank": 2}, {"answer": "b", "rank": 1.0}]},
            [(2, 1)],
        ),
        ({"prompt": "p", "responses": ["a", "b"], "scores": [0.1, 0.1]}, [(1, 1)]),
        ({"question": "p", "responses": [{"text": "a", "score": 1}, {"text": "b"}]}, [(1, None)]),
        ({"prompt": "p", "completions": ["a", "b"]}, []),
    ],
)
def test_scored_lists(tmp_path: Path, row: dict[str, Any], ranks: list[Any]) -> None:
    assert says(one(tmp_path, row, expect="ultrafeedback")) == ([("user", "p")], ["a", "b"], ranks)


def test_prompts_alone(tmp_path: Path) -> None:
    group = one(tmp_path, {"id": 4, "prompt": [QUESTION], "topic": "t", "meta": {"id": "x"}}, expect="prompts")
    assert (group.id, says(group), group.meta) == (
        "4",
        ([("user", "Name a prime.")], [], []),
        {"topic": "t", "id": "x"},
    )


FIELDS = {"prompt": "Name a prime.", "response-1": "9", "response-2": "7", "response-3": "8"}
ARGILLA: dict[str, tuple[dict[str, Any], list[tuple[str, tuple[int | None, ...]]]]] = {
    "version 2": (
        {
            "id": "r1",
            "fields": FIELDS,
            "metadata": {"topic": "math"},
            "suggestions": {"preference": {"value": ["response-1"], "score": None, "agent": None}},
            "responses": {
                "preference": [
                    {"value": ["response-2", "response-3", "response-1"], "user_id": "5e1f"},
                    {"value": ["response-2", "response-1"], "user_id": "77aa"},
                ],
                "comment": [{"value": "I like number 2", "user_id": "5e1f"}, {"value": "none", "user_id": "77aa"}],
            },
            "vectors": {},
            "_server_id": "0f",
        },
        [("5e1f", (3, 1, 2)), ("77aa", (2, 1, None))],
    ),
    "version 1, with ties, drafts left out": (
        {
            "external_id": "r1",
            "fields": FIELDS,
            "metadata": {"topic": "math"},
            "responses": [
                {
                    "user_id": "u1",
                    "status": "submitted",
                    "values": {
                        "ranking": {
                            "value": [
                                {"rank": 1, "value": "Response 2"},
                                {"rank": 2, "value": "Response 1"},
                                {"rank": 2, "value": "Response 3"},
                            ]
                        }
                    },
                },
                {
                    "user_id": "u2",
                    "status": "draft",
                    "values": {"ranking": {"value": [{"rank": 1, "value": "Response 1"}]}},
                },
            ],
        },
        [("u1", (2, 1, 2))],
    ),
    "flat": (
        {
            "id": "r1",
            "status": "completed",
            "_server_id": "0f",
            **FIELDS,
            "topic.suggestion": None,
            "preference.responses": [["response_3", "response_2", "response_1"], ["response_1"]],
            "preference.responses.users": ["u1", "u2"],
            "preference.responses.status": ["submitted", "discarded"],
        },
        [("u1", (3, 2, 1))],
    ),
}


@pytest.mark.parametrize("name", ARGILLA)
def test_argilla_rankings(tmp_path: Path, name: str) -> None:
    row, judged = ARGILLA[name]
    group = one(tmp_path, row, expect="argilla")
    assert group.id == "r1"
    assert says(group)[:2] == ([("user", "Name a prime.")], ["9", "7", "8"])
    assert [(r.annotator, r.ranks) for r in group.rankings] == judged
    assert group.meta == ({} if name == "flat" else {"topic": "math"})


@pytest.mark.parametrize(("choice", "ranks"), [("response_b", (2, 1)), ("Response A", (1, 2)), ("tie", (1, 1))])
def test_argilla_choices(tmp_path: Path, choice: str, ranks: tuple[int, int]) -> None:
    row = {
        "fields": {"system": "Be brief.", "prompt": "p", "response_a": "x", "response_b": "y"},
        "responses": {
            "better": [{"value": choice, "user_id": "u"}],
            "comment": [{"value": "none", "user_id": "u"}, {"value": "I take 2", "user_id": "u"}],
        },
    }
    group = one(tmp_path, row, expect="argilla")
    assert says(group) == ([("system", "Be brief."), ("user", "p")], ["x", "y"], [ranks])


def test_argilla_without_judgments(tmp_path: Path) -> None:
    row = {"fields": {"prompt": "p", "a": "x", "b": "y"}, "responses": {}}
    assert says(one(tmp_path, row, expect="argilla")) == ([("user", "p")], ["x", "y"], [])
    with pytest.raises(DataError, match="responses: no ranking of, or choice between, a, b among the questions topic"):
        one(tmp_path, {**row, "responses": {"topic": [{"value": "math", "user_id": "u"}]}}, expect="argilla")


def ranker(value: Any, **more: Any) -> dict[str, Any]:
    return {"result": [{"type": "ranker", "from_name": "rank", "to_name": "r", "value": {"ranker": value}}], **more}


def test_labelstudio_ranker(tmp_path: Path) -> None:
    items = [{"id": "llm_1", "title": "One", "body": "9"}, {"id": "llm_2", "body": "7"}, {"id": "llm_3", "html": "8"}]
    task = {
        "id": 12,
        "data": {"prompt": "Name a prime.", "items": items, "topic": "math"},
        "annotations": [
            ranker({"rank": ["llm_2", "llm_3", "llm_1"]}, completed_by={"id": 3, "email": "a@b.c"}, lead_time=8.25),
            ranker(["llm_2", "llm_1"], completed_by=4),
            ranker({"rank_2": ["llm_1", "llm_3"], "rank_1": ["llm_2"], "_": []}, completed_by=5),
            ranker({"rank": ["llm_1"]}, completed_by=6, was_cancelled=True),
            {"completed_by": 7, "result": [{"type": "textarea", "value": {"text": ["fine"]}}]},
        ],
        "predictions": [],
    }
    path = tmp_path / "export.json"
    path.write_text(json.dumps([task], indent=1))
    found = read(path)
    (group,) = found.groups
    assert (found.format, group.id, group.meta) == ("labelstudio", "12", {"topic": "math"})
    assert says(group)[:2] == ([("user", "Name a prime.")], ["9", "7", "8"])
    assert [(r.annotator, r.ranks, r.seconds) for r in group.rankings] == [
        ("3", (3, 1, 2), 8.25),
        ("4", (2, 1, None), None),
        ("5", (2, 1, 2), None),
    ]
    task["annotations"] = [ranker({"good": ["llm_1"], "bad": ["llm_2"]})]
    path.write_text(json.dumps([task]))
    with pytest.raises(DataError, match=r"export\.json:1: .*ranker: the buckets good, bad have no order; end their"):
        read(path)


@pytest.mark.parametrize("to_name", ["answer1,answer2", "t1,t2"])
def test_labelstudio_pairwise(tmp_path: Path, to_name: str) -> None:
    def chose(side: str | None, person: int) -> dict[str, Any]:
        result = {"type": "pairwise", "from_name": "pw", "to_name": to_name, "value": {"selected": side}}
        return {"completed_by": person, "result": [result]}

    data = {"prompt": "Name a prime.", "answer1": "7", "answer2": "9"}
    row = {"id": 7, "data": data, "annotations": [chose("left", 1), chose("right", 2), chose(None, 3)]}
    group = one(tmp_path, row, expect="labelstudio")
    assert says(group) == ([("user", "Name a prime.")], ["7", "9"], [(1, 2), (2, 1)])


def test_columns_reach_into_the_records_of_tools(tmp_path: Path) -> None:
    row = {"id": 7, "data": {"ask": "p", "x": "a", "y": "b"}, "annotations": []}
    assert says(one(tmp_path, row, expect="labelstudio", columns={"prompt": "ask"})) == (
        [("user", "p")],
        ["a", "b"],
        [],
    )
