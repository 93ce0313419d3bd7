"""Prompts and the progress of tasks as the database tells them; on both databases."""

from __future__ import annotations

from dataclasses import replace

import pytest
from store_helpers import ask, group, people, project, ranking, skip

from labeler.errors import NotFoundError
from labeler.exam_desk import ExamDesk
from labeler.gold import GoldRules
from labeler.gold_desk import GoldDesk
from labeler.prompt_rows import PromptRow
from labeler.records import Message, Ranking
from labeler.store import Store


def test_prompts_come_with_what_filters_need(store: Store):
    made = store.add_project("essays")
    turns = (Message("system", "Be brief."), Message("user", "Why?\n\x00"))
    store.import_groups(
        made.id,
        [
            replace(group(0), meta={"use_case": "chat", "other": [1]}),
            replace(group(1), prompt=turns, source="", meta={"use_case": None}),
            replace(group(2), meta={"use_case": 7}),
        ],
    )
    with store.frozen(made.id) as frozen:
        rows, stamp = frozen.prompts(), frozen.prompts_stamp()
    ids = [row.task_id for row in rows]
    assert rows == [
        PromptRow(ids[0], "g0", "Question 0?", "chat", "test"),
        PromptRow(ids[1], "g1", "system: Be brief.\nuser: Why?\n\x00", "none", "none"),
        PromptRow(ids[2], "g2", "Question 2?", "7", "test"),
    ]
    assert stamp == (3, sum(ids))
    other = store.add_project("empty")
    with store.frozen(other.id) as frozen:
        assert (frozen.prompts(), frozen.prompts_stamp(), frozen.task_work()) == ([], (0, 0), {})


def test_work_counts_standing_rankings(store: Store):
    made = project(store, groups=3, overlap=2)
    ann, bob = people(store, "ann", "bob")
    first = ask(store, made, ann)
    store.submit(ann.id, ranking(first))
    store.undo(made.id, ann.id)
    store.submit(ann.id, ranking(ask(store, made, ann)))  # a correction: still one ranking
    second = ask(store, made, ann)
    store.submit(ann.id, skip(second))
    while (task := ask(store, made, bob)).task_id != first.task_id:
        store.submit(bob.id, skip(task))
    store.submit(bob.id, ranking(task))
    with store.frozen(made.id) as frozen:
        work = frozen.task_work()
    assert len(work) == 3
    assert (work[first.task_id].state, work[first.task_id].judgments) == ("finished", 2)
    assert (work[second.task_id].state, work[second.task_id].judgments) == ("waiting", 0)
    store.set_priorities(made.id, {first.group_id: 70})
    with store.frozen(made.id) as frozen:
        assert frozen.task_work()[first.task_id].priority == 70


def test_a_task_that_somebody_judged_is_started(store: Store):
    made = store.add_project("essays", overlap=3)
    store.import_groups(made.id, [replace(group(0), rankings=(Ranking("x", (1, 2, 3)),))])
    with store.frozen(made.id) as frozen:
        (work,) = frozen.task_work().values()
    assert (work.state, work.judgments, work.overlap, work.remaining) == ("started", 1, 3, 2)


def test_gold_items_and_tasks_of_an_exam_are_no_prompts_to_be_labelled(store: Store):
    made = project(store, groups=1)
    known = [replace(group(number), meta={"gold_ranks": [1, 2, 3]}) for number in (7, 8)]
    store.import_groups(made.id, known)
    with store.frozen(made.id) as frozen:
        before = frozen.prompts_stamp()
        assert [row.group_id for row in frozen.prompts()] == ["g0", "g7", "g8"]
    GoldDesk(store).set_rules(made.id, GoldRules(share=0.2))
    ExamDesk(store).add_tasks(made.id, 1)
    with store.frozen(made.id) as frozen:
        assert [row.group_id for row in frozen.prompts()] == ["g0"]
        assert [work.state for work in frozen.task_work().values()] == ["waiting"]
        assert frozen.prompts_stamp() != before


def test_one_task_with_its_judgments_and_no_other_projects(store: Store):
    made, other = project(store, groups=2), store.add_project("other")
    (ann,) = people(store, "ann")
    task = ask(store, made, ann)
    store.submit(ann.id, ranking(task))
    with store.frozen(made.id) as frozen:
        found, judgments = frozen.task(task.task_id)
        assert found.id == task.group_id
        assert [judgment.annotator for judgment in judgments] == ["ann"]
        ids = frozen.task_ids()
        assert sorted(ids) == ["g0", "g1"]
        assert [each.id for each in frozen.tasks([ids["g1"]])] == ["g1"]
        with pytest.raises(NotFoundError):
            frozen.task(10_000)
    with store.frozen(other.id) as frozen, pytest.raises(NotFoundError):
        frozen.task(task.task_id)
