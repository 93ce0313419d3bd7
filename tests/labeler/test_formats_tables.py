"""Tables with one group a row or one completion a row, Parquet, and sources of the datasets library."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from format_helpers import NINE, QUESTION, SEVEN, says

from labeler.errors import DataError
from labeler.formats import read, write_groups
from labeler.records import Completion, Group, Message, Ranking


def table(path: Path, *rows: list[Any], delimiter: str = ",") -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file, delimiter=delimiter).writerows(rows)
    return path


@pytest.mark.parametrize(
    ("winner", "ranks", "all_bad"),
    [("a", (1, 2), False), ("model_b", (2, 1), False), ("Tie", (1, 1), False), ("tie (bothbad)", (1, 1), True)],
)
def test_a_wide_table(tmp_path: Path, winner: str, ranks: tuple[int, int], all_bad: bool) -> None:
    header = ["question", "completion_a", "completion_b", "model_a", "model_b", "winner", "annotator", "topic"]
    path = table(tmp_path / "t.csv", header, ["Name a\nprime.", "7", "9", "m1", "", winner, "ann", "math"])
    found = read(path)
    (group,) = found.groups
    assert (found.format, group.id) == ("wide", "t-2")
    assert says(group) == ([("user", "Name a\nprime.")], ["7", "9"], [ranks])
    assert ([c.model for c in group.completions], group.meta) == (["m1", None], {"topic": "math"})
    assert (group.rankings[0].annotator, group.rankings[0].all_bad) == ("ann", all_bad)


def test_a_wide_table_of_three_with_ranks_and_other_names(tmp_path: Path) -> None:
    header = ["ask", "x", "y", "answer_c", "rank_a", "rank_b", "rank_c"]
    path = table(tmp_path / "t.tsv", header, ["p", "1", "2", "3", "20", "", "10"], delimiter="\t")
    found = read(path, columns={"prompt": "ask", "answer_a": "x", "answer_b": "y"})
    texts = {
        c.text: rank for c, rank in zip(found.groups[0].completions, found.groups[0].rankings[0].ranks, strict=True)
    }
    assert texts == {"1": 2, "2": None, "3": 1}


def test_a_long_table(tmp_path: Path) -> None:
    header = ["id", "prompt", "completion", "model", "annotator", "rank", "strength"]
    rows = [
        ["g1", "p", "7", "m1", "ann", "1", "3"],
        ["g2", "q", "x", "m1", "ann", "", ""],
        ["g1", "p", "9", "m2", "ann", "2.0", "3"],
        ["g1", "p", "9", "m2", "bob", "1", ""],
        ["g1", "p", "7", "m1", "bob", "1", ""],
    ]
    first, second = read(table(tmp_path / "t.csv", header, *rows, delimiter=";")).groups
    assert says(first) == ([("user", "p")], ["7", "9"], [(1, 2), (1, 1)])
    assert [(r.annotator, r.strength) for r in first.rankings] == [("ann", 3), ("bob", None)]
    assert says(second) == ([("user", "q")], ["x"], [(None,)])


def test_a_long_table_by_prompt_with_scores(tmp_path: Path) -> None:
    rows = [["p", "a", "0.5"], ["q", "b", "1"], ["p", "c", "0.75"], ["p", "d", ""]]
    found = read(table(tmp_path / "t.csv", ["prompt", "response", "score"], *rows))
    assert found.format == "long"
    assert [group.id for group in found.groups] == ["t-2", "t-3"]
    assert says(found.groups[0]) == ([("user", "p")], ["a", "c", "d"], [(2, 1, None)])


def test_long_cells(tmp_path: Path) -> None:
    long = "x" * 300_000  # more than csv takes by default
    found = read(table(tmp_path / "t.csv", ["prompt", "chosen", "rejected"], [long, "a", "b"]))
    assert found.groups[0].prompt[0].content == long


def test_a_semicolon_table_with_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "excel.csv"
    path.write_bytes("\ufeffprompt;chosen;rejected\r\nÜ, p;a;b\r\n\r\n".encode())
    assert says(read(path).groups[0]) == ([("user", "Ü, p")], ["a", "b"], [(1, 2)])


def test_parquet_from_elsewhere(tmp_path: Path) -> None:
    rows = [{"prompt": [QUESTION], "chosen": [SEVEN], "rejected": [NINE], "score": float("nan"), "margin": None}]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "part-0")
    found = read(tmp_path / "part-0", format="parquet")
    assert (found.format, says(found.groups[0])) == ("trl", ([("user", "Name a prime.")], ["7", "9"], [(1, 2)]))
    assert found.groups[0].meta == {}


# --- datasets


def test_datasets_folders(tmp_path: Path) -> None:
    datasets.disable_progress_bars()
    rows = {"prompt": ["p", "q"], "chosen": ["a", "c"], "rejected": ["b", "d"]}
    one = datasets.Dataset.from_dict(rows)
    one.save_to_disk(tmp_path / "one")
    datasets.DatasetDict({"train": one, "validation": one}).save_to_disk(tmp_path / "both")
    assert [(g.id, g.split) for g in read(tmp_path / "one").groups] == [("one-1", None), ("one-2", None)]
    both = read(tmp_path / "both").groups
    assert [g.split for g in both] == ["train", "train", "valid", "valid"]
    assert len({g.id for g in both}) == 4
    assert [g.split for g in read(tmp_path / "both" / "validation").groups] == [None, None]


def test_groups_survive_a_datasets_folder(tmp_path: Path) -> None:
    ranking = Ranking(
        "ann", (1, None), 2, (1, None), ((), ("a",)), True, "n", 1.5, ("y", "x"), "2025-01-31T12:00:00Z", 2.0
    )
    full = Group(
        "g",
        (Message("user", "p"),),
        (Completion("x", "1", "m"), Completion("y", "2")),
        (ranking,),
        "s",
        "test",
        {"a": [1]},
    )
    bare = Group("h", full.prompt, full.completions)
    assert write_groups([full, bare], tmp_path / "set", format="datasets") == 2
    assert read(tmp_path / "set").groups == (full, bare)
    with pytest.raises(DataError, match="cannot be written: Directory not empty; name another place"):
        write_groups([bare], tmp_path / "set", format="datasets")
    assert read(tmp_path / "set").groups == (full, bare)


@pytest.mark.parametrize(
    ("source", "asked"),
    [
        ("hf:org/set", ("org/set", None, None)),
        ("hf:org/set/train_prefs", ("org/set", None, "train_prefs")),
        ("hf:imdb/test", ("imdb", None, "test")),
        ("hf:org/set:en/train[:100]", ("org/set", "en", "train[:100]")),
        ("hf:set:en", ("set", "en", None)),
    ],
)
def test_a_set_by_name(monkeypatch: pytest.MonkeyPatch, source: str, asked: tuple[str, str | None, str | None]) -> None:
    def load(name: str, config: str | None, *, split: str | None) -> Any:
        assert (name, config, split) == asked
        found = datasets.Dataset.from_dict({"prompt": ["p"], "chosen": ["a"], "rejected": ["b"]})
        return found if split else datasets.DatasetDict({"train": found})

    monkeypatch.setattr(datasets, "load_dataset", load)
    (group,) = read(source).groups
    assert group.source == source
    assert group.split == (None if asked[2] == "train_prefs" else "test" if asked[2] == "test" else "train")
