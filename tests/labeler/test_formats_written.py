"""What the pairwise and chat writers keep, and that other libraries read it."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import datasets
import pytest
from format_helpers import NINE, QUESTION, SEVEN
from group_strategies import demonstrations, groups, plain_prompts, prompts, several
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from labeler.errors import DataError
from labeler.formats import FORMATS, read, write_demonstrations, write_groups
from labeler.records import Completion, Demonstration, Group, Message, Ranking

same_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=30)


def test_trl_files_are_what_datasets_reads(tmp_path: Path) -> None:
    datasets.disable_progress_bars()
    ranking = Ranking("ann", (2, 1, 1), seconds=2.0)
    answers = tuple(Completion(f"c{i}", text) for i, text in enumerate(["9", "7", "5"]))
    group = Group("g", (Message("user", "Name a prime."),), answers, (ranking, Ranking("bob", (None, 1, None))))
    assert write_groups([group], tmp_path / "trl.jsonl", format="trl") == 2
    assert write_groups([group], tmp_path / "chat.parquet", format="trl-conversational") == 2
    plain = datasets.load_dataset(
        "json", data_files=str(tmp_path / "trl.jsonl"), cache_dir=str(tmp_path / "c"), split="train"
    )
    assert plain.to_list() == [
        {"prompt": "Name a prime.", "chosen": "7", "rejected": "9", "annotator": "ann"},
        {"prompt": "Name a prime.", "chosen": "5", "rejected": "9", "annotator": "ann"},
    ]
    chat = datasets.load_dataset(
        "parquet", data_files=str(tmp_path / "chat.parquet"), cache_dir=str(tmp_path / "c"), split="train"
    )
    assert chat[0] == {"prompt": [QUESTION], "chosen": [SEVEN], "rejected": [NINE], "annotator": "ann"}


def stated(groups: list[Group]) -> list[tuple[str, str]]:
    """Every strict preference, from the ranks alone."""
    pairs = []
    for group in groups:
        texts = [c.text for c in group.completions]
        for ranking in group.rankings:
            for i, j in combinations(range(len(texts)), 2):
                a, b = ranking.ranks[i], ranking.ranks[j]
                if a is not None and b is not None and a != b:
                    pairs.append((texts[i], texts[j]) if a < b else (texts[j], texts[i]))
    return pairs


@pytest.mark.parametrize(
    ("name", "form", "read_as"),
    [
        ("x.jsonl", "trl", "trl"),
        ("x.csv", "trl", "trl"),
        ("x.jsonl", "trl-conversational", "trl-conversational"),
        ("x.csv", "trl-conversational", "trl-conversational"),
        ("x.json.gz", "openrlhf", "openrlhf"),
        ("x.jsonl", "hh-rlhf", "hh-rlhf"),
    ],
)
@given(data=st.data())
@settings(same_folder)
def test_every_stated_preference_survives(
    tmp_path: Path, name: str, form: str, read_as: str, data: st.DataObject
) -> None:
    prompt = plain_prompts() if form == "trl" else prompts(system=form != "hh-rlhf")
    written = data.draw(several(groups(prompt)))
    if (name, form) == ("x.csv", "trl"):  # in a CSV cell, a text that is a conversation's JSON reads as one
        assume("role" not in str([(group.prompt, group.completions) for group in written]).replace("(role=", ""))
    pairs = stated(written)
    assert write_groups(written, tmp_path / name, format=form) == len(pairs)
    assume(pairs)
    found = read(tmp_path / name, format=read_as).groups
    assert [(g.completions[0].text, g.completions[1].text) for g in found] == pairs
    by_pair = [group.prompt for group in written for _ in stated([group])]
    assert [g.prompt for g in found] == by_pair


@given(written=st.lists(demonstrations, min_size=1, max_size=3))
@settings(same_folder)
def test_demonstrations_survive_chat_files(tmp_path: Path, written: list[Demonstration]) -> None:
    for form in ("messages", "trl-conversational"):
        write_demonstrations(written, tmp_path / "d.jsonl", format=form)
        found = read(tmp_path / "d.jsonl", format=form).demonstrations
        assert [(d.prompt, d.completion) for d in found] == [(d.prompt, d.completion) for d in written]


@pytest.mark.parametrize(("strength", "margin"), [(1, 0.0), (2, 1 / 3), (3, 2 / 3), (4, 1.0)])
def test_margins_are_those_of_llama_2(tmp_path: Path, strength: int, margin: float) -> None:
    pair = (Completion("a", "7"), Completion("b", "9"))
    stated = Group("g", (Message("user", "p"),), pair, (Ranking("ann", (2, 1), strength=strength),))
    imported = Group("h", stated.prompt, pair, (Ranking("ann", (1, 2)),), meta={"margin": 2.5})
    silent = Group("i", stated.prompt, pair, (Ranking("ann", (1, 2)),))
    write_groups([stated, imported], tmp_path / "m.jsonl", format="trl")
    assert [group.meta["margin"] for group in read(tmp_path / "m.jsonl").groups] == [pytest.approx(margin), 2.5]
    write_groups([stated, silent], tmp_path / "m.jsonl", format="trl")  # one row without: no row has one
    assert "margin" not in (tmp_path / "m.jsonl").read_text()


def test_what_a_format_cannot_hold_is_refused(tmp_path: Path) -> None:
    pair = (Completion("a", "7"), Completion("b", "9"))
    chat = Group("g", (Message("system", "s"), Message("user", "p")), pair, (Ranking("ann", (1, 2)),))
    with pytest.raises(DataError, match="prompt of 'g' is a conversation; write trl-conversational"):
        write_groups([chat], tmp_path / "x.jsonl", format="trl")
    with pytest.raises(DataError, match="'g' has a system message or a turn marker"):
        write_groups([chat], tmp_path / "x.jsonl", format="hh-rlhf")
    assert list(tmp_path.iterdir()) == []


def test_every_format_is_described() -> None:
    assert all(name == each.name and each.summary for name, each in FORMATS.items())
