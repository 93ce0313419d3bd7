"""The best completion improved: checked and kept on both databases, and in the snapshot above what was ranked."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from group_strategies import texts
from hypothesis import given
from hypothesis import strategies as st
from store_helpers import ask, group, people, ranking, said

from labeler.comparisons import comparisons
from labeler.edits import free_name, with_edits
from labeler.entities import Edit, Judgment
from labeler.errors import DataError
from labeler.exporting import export
from labeler.formats import group_to_row, parse_group, read, write_groups
from labeler.label_schema import LabelSchema, preset
from labeler.quality import quality
from labeler.records import Completion, Group, Message, Ranking
from labeler.selection import Export, Selection
from labeler.snapshot import freeze, read_snapshot
from labeler.store import Project, Store
from reward.biases import position
from reward.judgments import single_judgments
from reward.splits import select_completions

MAY, MUST = LabelSchema(edit="optional"), LabelSchema(edit="required")
FIRST = Edit("c0", "Better than answer 0.")


def asking(store: Store, schema: LabelSchema, k: int = 3, groups: int = 3) -> Project:
    made = store.add_project("essays", schema=schema, dwell_seconds=0, overlap=2)
    store.import_groups(made.id, [group(number, k) for number in range(groups)])
    return made


def edited(judgments: Sequence[Judgment], k: int = 3) -> Group:
    rankings = tuple(judgment.ranking for judgment in judgments if judgment.ranking)
    return with_edits(group(1, k, rankings), judgments)


# Into the store


def test_an_edit_is_kept_with_its_ranking_and_comes_back_for_correction(store: Store):
    essays = asking(store, MAY)
    (ann,) = people(store, "ann")
    task = ask(store, essays, ann)
    answer = ranking(task, ranks={"c0": 1, "c1": 2, "c2": 2}, edit=Edit("c0", "  Better,\n\u200bexactly.\0 "))
    judgment = store.submit(ann.id, answer)
    assert judgment.edit == answer.edit
    assert judgment.ranking
    assert judgment.ranking.ranks == (1, 2, 2)
    assert store.submit(ann.id, answer) == judgment
    assert store.history(essays.id, ann.id)[0].summary.endswith("with a better text")
    (kept,) = store.judgments(essays.id)
    assert kept == judgment

    back = store.undo(essays.id, ann.id)
    assert back
    assert back.draft
    assert back.draft["edit"] == {"of": "c0", "text": "  Better,\n\u200bexactly.\0 "}
    without = store.submit(ann.id, ranking(back, ranks={"c0": 2, "c1": 1, "c2": 3}))
    (kept,) = store.judgments(essays.id)
    assert (kept.edit, kept.supersedes) == (None, judgment.id)
    assert kept == without


@pytest.mark.parametrize(
    ("schema", "changes", "says"),
    [
        (MUST, {}, "edit: is missing; improve the best completion, or skip the task"),
        (LabelSchema(), {"edit": FIRST}, "edit: is not asked for in this project"),
        (MAY, {"edit": Edit("c1", "x")}, "edit.of: must be made from one of the best"),
        (MAY, {"edit": Edit("c9", "x")}, "edit.of: must be made from one of the best"),
        (MAY, {"edit": Edit(None, "x")}, "edit.of: must be made from one of the best"),
        (MAY, {"edit": Edit("c0", " \n")}, "edit.text: is empty"),
        (MAY, {"edit": Edit("c0", "Answer 0 to 0.")}, "edit.text: is the same as 'c0'"),
        (MAY, {"edit": Edit("c0", "Answer 2 to 0.")}, "edit.text: is the same as 'c2'"),
        (MAY, {"edit": Edit("c0", "\ud800")}, "edit.text: has an unpaired surrogate"),
        (MAY, {"ranks": {}, "all_bad": True, "edit": FIRST}, "edit.of: must be made from one of the best"),
        (MUST, {"ranks": {}, "all_bad": True}, "edit: is missing"),
    ],
)
def test_what_is_no_edit_is_refused(store: Store, schema, changes, says):
    essays = asking(store, schema, groups=1)
    (ann,) = people(store, "ann")
    ranks = {"c0": 1, "c1": 2, "c2": 3}
    with pytest.raises(DataError, match=f"^{says}"):
        store.submit(ann.id, ranking(ask(store, essays, ann), **{"ranks": ranks, **changes}))
    assert list(store.judgments(essays.id)) == []


@pytest.mark.parametrize(
    ("schema", "changes"),
    [
        (MUST, {"ranks": {"c0": 1, "c1": 1, "c2": 2}, "edit": Edit("c1", "x")}),
        (MAY, {"ranks": {}, "all_bad": True, "edit": Edit(None, "x")}),
        (MAY, {"ranks": {"c1": 1}, "all_bad": True, "edit": Edit(None, "x")}),
        (MAY, {"ranks": {"c1": 1}, "all_bad": True, "edit": Edit("c1", "x")}),
        (replace(MUST, top=1), {"ranks": {"c2": 1}, "edit": Edit("c2", "x")}),
        (replace(preset("rate"), edit="required"), {"ratings": {"c0": 1, "c1": 2, "c2": 7}, "edit": FIRST}),
    ],
)
def test_any_of_the_best_can_be_improved_and_where_all_are_bad_written_anew(store: Store, schema, changes):
    essays = asking(store, schema)
    (ann,) = people(store, "ann")
    answer = ranking(ask(store, essays, ann), **{"ranks": {"c0": 1, "c1": 2, "c2": 3}, **changes})
    assert store.submit(ann.id, answer).edit == changes["edit"]


# As completions


@pytest.mark.parametrize(
    ("ranks", "options", "after", "top_only"),
    [
        ((1, 2, 3), {}, (2, 3, 4, 1), False),
        ((2, 1, 2), {}, (3, 2, 3, 1), False),
        ((1, 1, 1), {}, (2, 2, 2, 1), False),
        ((1, 2, 2), {"top_only": True}, (2, 3, 3, 1), True),
        ((None, None, None), {"all_bad": True}, (2, 2, 2, 1), True),
        ((None, 1, None), {"all_bad": True}, (None, 2, None, 1), False),
    ],
)
def test_an_edit_is_above_all_that_its_annotator_ranked(ranks, options, after, top_only):
    found = edited([said(Ranking("ann", ranks, **options), FIRST)])
    (extended,) = found.rankings
    assert (extended.ranks, extended.top_only) == (after, top_only)
    assert found.completions[-1] == Completion("edited-by-ann", FIRST.text, None)
    assert found.meta == {"edits": {"edited-by-ann": {"of": "c0", "annotator": "ann"}}}


def test_several_edits_are_several_completions_each_unranked_by_the_others():
    ann, bea, cleo = (Ranking(name, (1, 2, 3), note=name) for name in ("ann", "bea", "cleo"))
    found = edited([said(ann, FIRST, 1), said(None, None, 2), said(bea, None, 3), said(cleo, Edit("c0", "Best."), 4)])
    assert [completion.id for completion in found.completions[3:]] == ["edited-by-ann", "edited-by-cleo"]
    assert [(r.note, r.ranks) for r in found.rankings] == [
        ("ann", (2, 3, 4, 1, None)),
        ("bea", (1, 2, 3, None, None)),
        ("cleo", (2, 3, 4, None, 1)),
    ]


def test_without_edits_a_group_stays_as_it_is():
    plain = group(1, 3, (Ranking("ann", (1, 2, 3)),))
    assert with_edits(plain, [said(plain.rankings[0])]) is plain


@given(st.data())
def test_what_was_said_of_the_completions_stays_and_the_edit_beats_what_was_ranked(data: st.DataObject):
    k = data.draw(st.integers(2, 5))
    ranks = st.lists(st.none() | st.integers(1, 4), min_size=k, max_size=k).map(tuple)
    ids = [f"c{i}" for i in range(k)]
    judgments = []
    for number in range(data.draw(st.integers(1, 4))):
        given_ranks = data.draw(ranks)
        bad, order = data.draw(st.booleans()), data.draw(st.none() | st.permutations(ids).map(tuple))
        ratings = data.draw(st.none() | st.lists(st.integers(1, 7), min_size=k, max_size=k).map(tuple))
        top_only = data.draw(st.booleans())
        strength = 2 if k == 2 else None
        made = Ranking(f"ann{number}", given_ranks, strength, ratings, all_bad=bad, order=order, top_only=top_only)
        edit = data.draw(st.none() | st.builds(Edit, st.sampled_from([None, *ids]), texts))
        judgments.append(said(made, edit, number))
    found = edited(judgments, k)
    assert parse_group(json.loads(json.dumps(group_to_row(found)))) == found
    added = [judgment.annotator for judgment in judgments if judgment.edit]
    assert len(found.completions) == k + len(added)
    for judgment, after in zip(judgments, found.rankings, strict=True):
        before = judgment.ranking
        assert before
        assert all(after.compare(i, j) == before.compare(i, j) for i, j in combinations(range(k), 2))
        for place, who in enumerate(added, start=k):
            verdicts = [after.compare(place, i) for i in range(k)]
            ranked = [rank is not None for rank in before.ranks]
            expected = [1 if is_ranked or not any(ranked) else None for is_ranked in ranked]
            assert verdicts == (expected if who == before.annotator else [None] * k)


def test_names_that_are_taken_get_a_number():
    assert [free_name("a", taken) for taken in ([], ["a"], ["a", "a-2"])] == ["a", "a-2", "a-3"]


# In files


@pytest.fixture
def snapshot(store: Store, tmp_path: Path) -> Path:
    """Pairs with strengths: ann improves the better one of the first, bea only judges; all are bad in the second."""
    schema = replace(preset("pair"), edit="optional")
    pairs = asking(store, schema, k=2, groups=2)
    ann, bea = people(store, "ann", "bea")
    for person in (ann, bea):
        for _ in range(2):
            task = ask(store, pairs, person)
            best: dict[str, Any] = {"ranks": {"c0": 1, "c1": 2}, "strength": 4}
            if task.group_id == "g1":
                best = {"ranks": {}, "all_bad": True}
            if person == ann:
                best["edit"] = Edit(None if task.group_id == "g1" else "c0", f"Ann's better {task.group_id}.")
            store.submit(person.id, ranking(task, **best))
    manifest = freeze(store, pairs, tmp_path / "snap")
    assert manifest["counts"] == {"groups": 2, "rankings": 4, "edits": 2, "annotators": 2, "demonstrations": 0}
    return tmp_path / "snap"


def test_the_snapshot_has_edited_above_chosen_above_rejected(snapshot: Path, tmp_path: Path):
    first, second = read_snapshot(snapshot).groups
    assert [(r.annotator, r.ranks, r.strength) for r in first.rankings] == [
        ("ann", (2, 3, 1), 4),
        ("bea", (1, 2, None), 4),
    ]
    assert [(r.annotator, r.ranks, r.top_only) for r in second.rankings] == [
        ("ann", (2, 2, 1), True),
        ("bea", (None, None, None), False),
    ]
    assert second.meta["edits"] == {"edited-by-ann": {"of": None, "annotator": "ann"}}

    write_groups((first, second), tmp_path / "trl.jsonl", format="trl-conversational")
    rows = [json.loads(line) for line in (tmp_path / "trl.jsonl").read_text().splitlines()]
    pairs = [(row["chosen"][0]["content"], row["rejected"][0]["content"]) for row in rows]
    assert sorted(pairs) == sorted(
        [
            ("Ann's better g0.", "Answer 0 to 0."),
            ("Ann's better g0.", "Answer 1 to 0."),
            ("Answer 0 to 0.", "Answer 1 to 0."),
            ("Answer 0 to 0.", "Answer 1 to 0."),
            ("Ann's better g1.", "Answer 0 to 1."),
            ("Ann's better g1.", "Answer 1 to 1."),
        ]
    )
    write_groups((first, second), tmp_path / "openrlhf.jsonl", format="openrlhf")
    assert len((tmp_path / "openrlhf.jsonl").read_text().splitlines()) == 6


def test_an_export_of_pairs_has_them_too(store: Store, snapshot: Path, tmp_path: Path):
    pairs = store.project("essays")
    export(store, pairs, Export(to="trl", selection=Selection(annotators=("ann",))), tmp_path / "out")
    rows = [json.loads(line) for line in (tmp_path / "out" / "pairs.jsonl").read_text().splitlines()]
    said = [(row["chosen"], row["rejected"]) for row in rows if row["prompt"] == "Question 0?"]
    better, best, worse = "Ann's better g0.", "Answer 0 to 0.", "Answer 1 to 0."
    assert sorted(said) == [(better, best), (better, worse), (best, worse)]


@pytest.mark.parametrize("name", ["again.jsonl", "again.parquet", "again.csv"])
def test_edits_survive_every_native_file(snapshot: Path, tmp_path: Path, name: str):
    groups = read_snapshot(snapshot).groups
    write_groups(groups, tmp_path / name)
    assert read(tmp_path / name).groups == groups


def test_a_snapshot_with_edits_can_be_labelled_again(store: Store, snapshot: Path, tmp_path: Path):
    groups = read_snapshot(snapshot).groups
    again, counts = store.import_into("again", groups, schema=MAY, overlap=3)
    assert counts.judgments == 4
    (ann,) = [user for user in store.users() if user.name == "ann"]
    assert store.next_task(again.id, ann.id) is None  # hers came along
    cleo = store.add_user("cleo", "labeler")
    task = ask(store, again, cleo)
    assert len(task.completions) == 3
    freeze(store, again, tmp_path / "second")
    assert read_snapshot(tmp_path / "second").groups == groups


def test_reward_learns_from_edits_what_was_said_and_no_more(snapshot: Path):
    first, _ = read_snapshot(snapshot).groups
    found = single_judgments(first, range(3))
    rows = zip(found.first, found.second, found.verdict, found.person, found.strength, found.shift != 0, strict=True)
    assert [tuple(int(value) for value in row) for row in rows] == [
        (0, 1, 1, 0, 4, 1),  # the strength and the places are those of the two that were shown
        (0, 2, -1, 0, 0, 0),
        (1, 2, -1, 0, 0, 0),
        (0, 1, 1, 1, 4, 1),
    ]
    told = position([first])
    assert told.judgments == 2
    assert [r.strength for r in select_completions(first, (0, 1)).rankings] == [4, 4]
    assert [r.strength for r in select_completions(first, (0, 2)).rankings] == [None, None]


def test_an_edit_says_nothing_of_a_liking_for_the_first_place():
    completions = tuple(Completion(f"c{i}", f"text {i}") for i in range(2))
    plain = Group("g", (Message("user", "?"),), completions, (Ranking("ann", (2, 1), order=("c1", "c0")),))
    after = with_edits(plain, [said(plain.rankings[0], Edit("c1", "best"))])
    shares = [quality([(each, ())], comparisons([each])).people[0].first_on_top.value for each in (plain, after)]
    assert shares == [1.0, None]


@pytest.mark.parametrize(
    ("order", "strength", "says"),
    [
        (("c0",), None, "must hold each completion id once"),
        (("c0", "c0", "c1"), None, "must hold each completion id once"),
        (("c0", "c1", "c9"), None, "must hold each completion id once"),
        (("c0", "c1", "e"), 2, "strength is for groups of two"),
        (("c0", "c1"), 2, None),
        (None, 2, None),
    ],
)
def test_only_edits_may_be_missing_from_the_order_and_from_a_strength(order, strength, says):
    completions = tuple(Completion(name, name) for name in ("c0", "c1", "e"))
    ranking_of = Ranking("ann", (2, 3, 1), strength, order=order)
    meta = {"edits": {"e": {"of": "c0", "annotator": "ann"}}}
    if says is None:
        assert Group("g", (Message("user", "?"),), completions, (ranking_of,), meta=meta).rankings
        return
    with pytest.raises(DataError, match=says):
        Group("g", (Message("user", "?"),), completions, (ranking_of,), meta=meta)
