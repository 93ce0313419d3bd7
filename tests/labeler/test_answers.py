"""Answers checked against what the project asks, in the store: both databases take and give back all of it."""

from __future__ import annotations

import pytest
from store_helpers import ask, group, people, ranking

from labeler.errors import DataError
from labeler.label_schema import Flag, LabelSchema, preset
from labeler.store import Project, Store

RATE = LabelSchema("rate", flags=(Flag("rude"), Flag("long")), prompt_flags=(Flag("vague"),))


def asking(store: Store, schema: LabelSchema, k: int = 3, groups: int = 3) -> Project:
    made = store.add_project("essays", schema=schema, dwell_seconds=0)
    store.import_groups(made.id, [group(number, k) for number in range(groups)])
    return made


def rated(task, **changes):
    values = {"ratings": {"c0": 1, "c1": 7, "c2": 4}, "flags": {"c1": ("long", "rude")}, "prompt_flags": ("vague",)}
    return ranking(task, **(values | changes))


def test_ratings_and_flags_are_kept_and_come_back_for_correction(store: Store):
    essays = asking(store, RATE)
    (ann,) = people(store, "ann")
    task = ask(store, essays, ann)
    judgment = store.submit(ann.id, rated(task))
    said = judgment.ranking
    assert said
    assert (said.ratings, said.flags) == ((1, 7, 4), ((), ("rude", "long"), ()))
    assert (said.prompt_flags, judgment.schema_version) == (("vague",), 1)
    back = store.undo(essays.id, ann.id)
    assert back
    assert back.draft
    assert back.draft["ratings"] == {"c0": 1, "c1": 7, "c2": 4}
    assert back.draft["flags"] == {"c0": [], "c1": ["rude", "long"], "c2": []}
    assert back.draft["prompt_flags"] == ["vague"]
    assert store.history(essays.id, ann.id)[0].summary.startswith("A > B > C · A ")


def test_asked_and_none_set_is_not_the_same_as_not_asked(store: Store):
    essays = asking(store, RATE)
    (ann,) = people(store, "ann")
    said = store.submit(ann.id, rated(ask(store, essays, ann), flags={}, prompt_flags=())).ranking
    assert said
    assert (said.flags, said.prompt_flags) == (((), (), ()), ())
    store.set_schema(essays.id, LabelSchema())
    said = store.submit(ann.id, ranking(ask(store, essays, ann))).ranking
    assert said
    assert (said.flags, said.prompt_flags, said.ratings) == (None, None, None)


@pytest.mark.parametrize(
    ("schema", "k", "changes", "field"),
    [
        (RATE, 3, {"ratings": {"c0": 1, "c1": 7}}, "ratings: 'c2' is not rated"),
        (RATE, 3, {"ratings": {"c0": 1, "c1": 7, "c2": 8}}, "ratings"),
        (RATE, 3, {"ratings": {"c0": 1, "c1": 7, "c2": 4, "x": 1}}, "ratings"),
        (RATE, 3, {"all_bad": True, "ratings": {}}, "ratings: 'c0' is not rated"),
        (RATE, 3, {"flags": {"c0": ("vague",)}}, "flags: 'vague' is no flag"),
        (RATE, 3, {"flags": {"x": ()}}, "flags: must be by completion ids"),
        (RATE, 3, {"prompt_flags": ("rude",)}, "prompt_flags: 'rude' is no flag"),
        (RATE, 3, {"ranks": {}}, "ranks: 'c0' is not ranked"),
        (RATE, 3, {"schema_version": 2}, "schema_version: is 2; the newest is 1"),
        (RATE, 3, {"guidelines_version": -1}, "guidelines_version"),
        (LabelSchema(), 3, {}, "ratings: are not asked for"),
        (preset("rate", ranking=False), 3, {"flags": {}, "prompt_flags": ()}, "ranks: are not asked for"),
        (LabelSchema(all_bad=False), 3, {"all_bad": True}, "all_bad: is not asked for"),
    ],
)
def test_what_is_not_asked_or_missing_is_refused(store: Store, schema, k, changes, field):
    essays = asking(store, schema, k)
    (ann,) = people(store, "ann")
    with pytest.raises(DataError, match=f"^{field}"):
        store.submit(ann.id, rated(ask(store, essays, ann), **changes))
    assert list(store.judgments(essays.id)) == []


def test_the_strength_of_a_preference(store: Store):
    essays = asking(store, preset("pair"), k=2)
    (ann,) = people(store, "ann")
    task = ask(store, essays, ann)
    for changes in ({}, {"ranks": {"c0": 1, "c1": 1}, "strength": 2}, {"strength": 5}):
        with pytest.raises(DataError, match=r"^strength"):
            store.submit(ann.id, ranking(task, **changes))
    strong = store.submit(ann.id, ranking(task, strength=4)).ranking
    tied = store.submit(ann.id, ranking(ask(store, essays, ann), ranks={"c0": 1, "c1": 1})).ranking
    neither = store.submit(ann.id, ranking(ask(store, essays, ann), ranks={}, all_bad=True)).ranking
    assert [said and said.strength for said in (strong, tied, neither)] == [4, None, None]


def test_of_the_best_only_the_rest_is_below_them_and_not_compared(store: Store):
    essays = asking(store, LabelSchema(top=2), k=4)
    (ann,) = people(store, "ann")
    task = ask(store, essays, ann)
    with pytest.raises(DataError, match=r"^ranks: 1 are ranked; rank the best 2"):
        store.submit(ann.id, ranking(task, ranks={"c0": 1}))
    with pytest.raises(DataError, match=r"^ranks: 3 are ranked; rank only the best 2"):
        store.submit(ann.id, ranking(task, ranks={"c0": 1, "c1": 2, "c2": 3}))
    said = store.submit(ann.id, ranking(task, ranks={"c3": 1, "c0": 2})).ranking
    assert said
    assert (said.ranks, said.top_only) == ((2, 3, 3, 1), True)
    assert (said.compare(3, 1), said.compare(2, 0), said.compare(1, 2)) == (1, -1, None)
    back = store.undo(essays.id, ann.id)
    assert back
    assert back.draft
    assert back.draft["ranks"] == {"c0": 2, "c1": None, "c2": None, "c3": 1}
    tied = store.submit(ann.id, ranking(task, ranks={"c0": 1, "c1": 2, "c2": 2})).ranking
    assert tied
    assert tied.ranks == (1, 2, 2, 3)


def test_a_judgment_knows_the_version_that_it_was_made_under(store: Store):
    essays = asking(store, LabelSchema())
    (ann,) = people(store, "ann")
    tasks = [ask(store, essays, ann)]
    after = store.set_schema(essays.id, RATE)
    store.set_guidelines(essays.id, "Be kind.")
    assert (after.schema_version, after.schema) == (2, RATE)
    assert store.set_schema(essays.id, RATE).schema_version == 2
    old = store.submit(ann.id, ranking(tasks[0], schema_version=1, guidelines_version=1))
    new = store.submit(ann.id, rated(ask(store, essays, ann)))
    assert [(item.schema_version, item.guidelines_version) for item in (old, new)] == [(1, 1), (2, 2)]
    assert store.label_schemas(essays.id) == {1: LabelSchema(), 2: RATE}


def test_groups_must_have_as_many_completions_as_the_task_needs(store: Store):
    essays = asking(store, LabelSchema(), k=3)
    with pytest.raises(DataError, match="group 'g0' has 3 completions; the task pair needs two"):
        store.set_schema(essays.id, preset("pair"))
    assert store.project("essays").schema_version == 1
    single = [group(9, 1)]
    with pytest.raises(DataError, match="group 'g9' needs at least two completions to rank"):
        store.import_groups(essays.id, single)
    project, counts = store.import_into("alone", single, schema=preset("rate", ranking=False))
    assert (project.task, counts.groups) == ("rate", 1)
