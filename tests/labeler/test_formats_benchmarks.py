"""Rows of benchmarks go round: what is read is written again as it was."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from format_helpers import one, save, says

from labeler.errors import DataError
from labeler.formats import read, write_groups
from labeler.records import Completion, Group, Message, Ranking

REWARDBENCH2: dict[str, Any] = {
    "id": "tied:3",
    "prompt": "Name a color.",
    "chosen": ["Red", "Blue", "Red"],
    "rejected": ["Seven", ""],
    "num_correct": 3,
    "num_incorrect": 2,
    "total_completions": 5,
    "models": ["m1", "m2", "m1", "m3", "m4"],
    "subset": "Ties",
    "additional_metadata": {"category": "colors"},
}
RM_BENCH: dict[str, Any] = {
    "id": "chat/12",
    "prompt": "Why is the sky blue?",
    "chosen": ["Scattering.", "Because of scattering.", "**Because** of scattering."],
    "rejected": ["The sea.", "Because of the sea.", "**Because** of the sea."],
    "domain": "chat",
}


@pytest.mark.parametrize(("name", "row"), [("rewardbench", REWARDBENCH2), ("rm-bench", RM_BENCH)])
def test_a_row_goes_round(tmp_path: Path, name: str, row: dict[str, Any]) -> None:
    first = one(tmp_path, row, expect=name)
    assert write_groups([first], tmp_path / "again.jsonl", format=name) == 1
    assert json.loads((tmp_path / "again.jsonl").read_text()) == row
    (second,) = read(tmp_path / "again.jsonl").groups
    assert (second.id, second.completions, second.rankings, second.meta) == (
        first.id, first.completions, first.rankings, first.meta,
    )  # fmt: skip


def test_styles_keep_their_order_and_the_domain_is_kept(tmp_path: Path) -> None:
    group = one(tmp_path, RM_BENCH, expect="rm-bench")
    assert says(group) == (
        [("user", "Why is the sky blue?")],
        RM_BENCH["chosen"] + RM_BENCH["rejected"],
        [(1, 1, 1, 2, 2, 2)],
    )
    assert (group.id, group.meta) == ("chat/12", {"domain": "chat"})


def test_a_json_list_of_rows_is_read_too(tmp_path: Path) -> None:
    path = tmp_path / "chat_filtered.json"
    path.write_text(json.dumps([RM_BENCH, {**RM_BENCH, "id": "chat/13"}]))
    assert read(path).format == "rm-bench"
    assert len(read(path).groups) == 2


def test_an_rm_bench_row_with_another_number_of_answers_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r":1: rejected: has 2 answers; RM-Bench has one for each of its 3 styles"):
        read(save(tmp_path / "x.jsonl", {**RM_BENCH, "rejected": ["a", "b"]}), format="rm-bench")


@pytest.mark.parametrize("name", ["rewardbench", "rm-bench"])
def test_a_group_that_is_no_benchmark_row_is_not_written(tmp_path: Path, name: str) -> None:
    completions = tuple(Completion(f"c{i}", "x") for i in range(3))
    ranked = Group("g", (Message("user", "p"),), completions, (Ranking("ann", (1, 2, 3)),))
    with pytest.raises(DataError, match="group g: needs one ranking with every answer at rank 1 or 2"):
        write_groups([ranked], tmp_path / "x.jsonl", format=name)
