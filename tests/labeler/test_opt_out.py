"""Who says "not today" gets no sensitive task until the end of their day, and loses nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from store_helpers import ask, group, people, ranking

from labeler.errors import DataError
from labeler.label_schema import LabelSchema, schema_from, schema_row
from labeler.routes import wire
from labeler.store import Project, Store

HOUR = 3600.0


def sensitive_project(store: Store, sensitive: Sequence[object], name: str = "essays", **rules: object) -> Project:
    """One task for each entry, with that as its `meta.sensitive`."""
    made = store.add_project(name, dwell_seconds=0, **rules)  # type: ignore[arg-type]
    store.import_groups(made.id, [replace(group(n), meta={"sensitive": s}) for n, s in enumerate(sensitive)])
    return made


def test_sensitive_tasks_are_left_out_until_the_moment_named(store: Store, clock):
    essays = sensitive_project(store, [True, False, True, "true", 1])
    ann, bob = people(store, "ann", "bob")
    store.opt_out(essays.id, ann.id, clock() + HOUR)
    assert list(store.opted_out(ann.id)) == [essays.id]
    assert store.opted_out(bob.id) == {}
    assert store.progress(essays.id, ann.id).total == 3
    assert store.progress(essays.id, bob.id).total == 5
    given = set()
    for _ in range(3):
        task = ask(store, essays, ann)
        given.add(task.group_id)
        store.submit(ann.id, ranking(task))
    assert given == {"g1", "g3", "g4"}  # only what is true is sensitive
    assert store.next_task(essays.id, ann.id) is None
    assert store.progress(essays.id, ann.id).total == 3
    clock.now += HOUR
    assert store.opted_out(ann.id) == {}
    assert ask(store, essays, ann).group_id in ("g0", "g2")
    assert store.progress(essays.id, ann.id).total == 5


def test_one_can_take_them_again_before(store: Store, clock):
    essays = sensitive_project(store, [True])
    (ann,) = people(store, "ann")
    store.opt_out(essays.id, ann.id, clock() + HOUR)
    store.opt_out(essays.id, ann.id, clock() + 2 * HOUR)
    assert store.next_task(essays.id, ann.id) is None
    store.opt_out(essays.id, ann.id, None)
    assert ask(store, essays, ann).group_id == "g0"


def test_a_task_that_was_held_goes_to_others_and_its_draft_stays(store: Store, clock):
    essays = sensitive_project(store, [True])
    ann, bob = people(store, "ann", "bob")
    task = ask(store, essays, ann)
    store.save_draft(ann.id, task.task_id, {"half": "done"}, 1)
    assert store.next_task(essays.id, bob.id) is None
    store.opt_out(essays.id, ann.id, clock() + HOUR)
    assert store.next_task(essays.id, ann.id) is None
    store.opt_out(essays.id, ann.id, None)
    assert ask(store, essays, ann).draft == {"half": "done"}
    store.opt_out(essays.id, ann.id, clock() + HOUR)
    store.submit(bob.id, ranking(ask(store, essays, bob)))


def test_a_running_correction_of_a_sensitive_task_waits(store: Store, clock):
    essays = sensitive_project(store, [True, False])
    (ann,) = people(store, "ann")
    first = ask(store, essays, ann)
    while first.group_id != "g0":
        store.submit(ann.id, ranking(first))
        first = ask(store, essays, ann)
    judgment = store.submit(ann.id, ranking(first))
    opened = store.undo(essays.id, ann.id, judgment.id)
    assert opened is not None
    store.opt_out(essays.id, ann.id, clock() + HOUR)
    waiting = store.next_task(essays.id, ann.id)
    assert waiting is None or waiting.group_id != "g0"
    store.opt_out(essays.id, ann.id, None)
    assert ask(store, essays, ann).correction_of == judgment.id


def test_other_projects_are_not_concerned(store: Store, clock):
    essays, letters = sensitive_project(store, [True]), sensitive_project(store, [True], "letters")
    (ann,) = people(store, "ann")
    store.opt_out(essays.id, ann.id, clock() + HOUR)
    assert ask(store, letters, ann).group_id == "g0"


@pytest.mark.parametrize("until", [0, -5, 36 * HOUR + 1, float("inf"), float("nan"), True, "tomorrow"])
def test_the_moment_must_be_within_a_day_or_so(until: object):
    body = {"until": until if isinstance(until, bool | str) else 1000.0 + until}
    with pytest.raises(DataError, match="until: must be a moment of the next 36 hours"):
        wire.moment(body, "until", 1000.0)


def test_care_is_part_of_the_settings():
    schema = schema_from({"content_warning": "Violence.", "break_minutes": 30})
    assert (schema.content_warning, schema.break_minutes) == ("Violence.", 30)
    assert schema_from(schema_row(schema)) == schema
    assert (LabelSchema().content_warning, LabelSchema().break_minutes) == ("", None)
    for wrong, problem in (
        ({"content_warning": 3}, "content_warning: is 3; it must be a text"),
        ({"break_minutes": 0}, "break_minutes: must be 1 or more"),
        ({"content_warning": "x" * 2001}, "content_warning: must be at most 2000"),
    ):
        with pytest.raises(DataError, match=problem):
            schema_from(wrong)
