"""Leases, overlap, order of the queue, corrections, progress and history."""

from __future__ import annotations

import pytest
from store_helpers import ask, check_counters, group, people, project, ranking, skip

from labeler.errors import ConflictError, DataError, NotFoundError, UsageError
from labeler.store import Store


def test_two_people_never_hold_the_same_slot(store: Store):
    essays = project(store, groups=2, overlap=1)
    ann, bob, cy = people(store, "ann", "bob", "cy")
    assert ask(store, essays, ann).task_id != ask(store, essays, bob).task_id
    assert store.next_task(essays.id, cy.id) is None


def test_overlap_is_that_many_different_people(store: Store):
    essays = project(store, groups=1, overlap=2)
    ann, bob, cy = people(store, "ann", "bob", "cy")
    store.submit(ann.id, ranking(ask(store, essays, ann)))
    assert store.next_task(essays.id, ann.id) is None
    store.submit(bob.id, ranking(ask(store, essays, bob)))
    assert store.next_task(essays.id, cy.id) is None
    assert [len(g.rankings) for g in store.groups(essays.id)] == [2]


def test_an_expired_lease_is_offered_again(store: Store, clock):
    essays = project(store, groups=1)
    ann, bob = people(store, "ann", "bob")
    task = ask(store, essays, ann)
    clock.now += essays.lease_seconds - 1
    assert store.next_task(essays.id, bob.id) is None
    clock.now += 1
    assert ask(store, essays, bob).task_id == task.task_id
    assert store.next_task(essays.id, ann.id) is None


def test_coming_back_after_expiry_with_the_slot_free(store: Store, clock):
    essays = project(store, groups=10)
    (ann,) = people(store, "ann")
    task = ask(store, essays, ann)
    store.save_draft(ann.id, task.task_id, {"ranks": {"c0": 1}}, 1)
    clock.now += 10 * essays.lease_seconds
    again = ask(store, essays, ann)
    assert (again.task_id, again.draft) == (task.task_id, {"ranks": {"c0": 1}})
    clock.now += 10 * essays.lease_seconds
    store.submit(ann.id, ranking(task))


def test_coming_back_after_expiry_with_the_slot_taken_keeps_the_draft(store: Store, clock):
    essays = project(store, groups=1)
    ann, bob = people(store, "ann", "bob")
    task = ask(store, essays, ann)
    store.save_draft(ann.id, task.task_id, {"half": "done"}, 1)
    clock.now += essays.lease_seconds
    ask(store, essays, bob)
    answer = ranking(task)
    with pytest.raises(ConflictError, match="others took it; the draft is kept"):
        store.submit(ann.id, answer)
    store.save_draft(ann.id, task.task_id, {"more": "done"}, 2)  # kept, but takes no slot from bob
    assert store.next_task(essays.id, ann.id) is None
    clock.now += essays.lease_seconds  # bob left too
    assert ask(store, essays, ann).draft == {"more": "done"}
    store.submit(ann.id, answer)


def test_priority_then_started_then_the_rest(store: Store):
    essays = project(store, groups=6, overlap=3)
    ann, bob, cy = people(store, "ann", "bob", "cy")
    store.set_priorities(essays.id, {"g4": 100, "g2": 7})
    assert ask(store, essays, ann).group_id == "g4"
    store.submit(ann.id, ranking(ask(store, essays, ann)))
    assert ask(store, essays, ann).group_id == "g2"
    store.submit(ann.id, ranking(ask(store, essays, ann)))
    first = ask(store, essays, ann).group_id
    store.submit(ann.id, ranking(ask(store, essays, ann)))
    order = []
    for user in (bob, bob, bob, cy, cy, cy):
        order.append(ask(store, essays, user).group_id)
        store.submit(user.id, ranking(ask(store, essays, user)))
    assert order == ["g4", "g2", first] * 2
    with pytest.raises(UsageError, match="from 0 to 100"):
        store.set_priorities(essays.id, {"g1": 101})
    with pytest.raises(NotFoundError, match="no group 'x'"):
        store.set_priorities(essays.id, {"g1": 5, "x": 1})


def test_fewest_slots_left_come_first(store: Store):
    essays = store.add_project("essays", dwell_seconds=0)
    store.import_groups(essays.id, [group(0)], overlap=4)
    store.import_groups(essays.id, [group(1)], overlap=2)
    ann, bob = people(store, "ann", "bob")
    for _ in range(2):
        store.submit(ann.id, ranking(ask(store, essays, ann)))
    assert ask(store, essays, bob).group_id == "g1"


def test_people_spread_out(store: Store):
    """Asking at the same moment, they are sent to different tasks though each would still have a slot."""
    essays = project(store, groups=200, overlap=5)
    tasks = {ask(store, essays, user).task_id for user in people(store, *(f"p{i}" for i in range(10)))}
    assert len(tasks) >= 8


def test_a_long_run_of_own_answers_does_not_hide_the_rest(store: Store, clock, monkeypatch: pytest.MonkeyPatch):
    """With looks of one task a run, the one task that ann has not answered is found among 24 that she has."""
    monkeypatch.setattr("labeler.claims.FIRST_LOOK", 1)
    monkeypatch.setattr("labeler.claims.LONG_LOOK", 1)
    essays = project(store, groups=25, overlap=2)
    ann, bob, cy = people(store, "ann", "bob", "cy")
    store.set_priorities(essays.id, {"g0": 1})
    held = [ask(store, essays, user) for user in (bob, cy)]
    while task := store.next_task(essays.id, ann.id):
        store.submit(ann.id, ranking(task))
    assert store.counts(essays.id).started == 24
    store.submit(bob.id, ranking(held[0]))
    store.set_priorities(essays.id, {"g0": 0})
    clock.now += essays.lease_seconds  # cy left
    assert ask(store, essays, ann).group_id == "g0"


def test_a_skip_is_not_shown_again_and_takes_no_slot(store: Store):
    essays = project(store, groups=1)
    ann, bob = people(store, "ann", "bob")
    judgment = store.submit(ann.id, skip(ask(store, essays, ann), "unreadable"))
    assert (judgment.kind, judgment.reason, judgment.ranking) == ("skip", "unreadable", None)
    assert store.next_task(essays.id, ann.id) is None
    store.submit(bob.id, ranking(ask(store, essays, bob)))


def test_a_correction_replaces_the_judgment_only_when_submitted(store: Store):
    essays = project(store, groups=3)
    (ann,) = people(store, "ann")
    first = ask(store, essays, ann)
    judgment = store.submit(ann.id, ranking(first, note="hm", seconds=4.0))
    ask(store, essays, ann)
    correction = store.undo(essays.id, ann.id)
    assert correction is not None
    assert (correction.task_id, correction.correction_of, correction.skip_of) == (first.task_id, judgment.id, None)
    assert correction.draft == {
        "kind": "rank",
        "ranks": {shown.completion_id: place for place, shown in enumerate(first.completions, 1)},
        "ratings": {},
        "flags": {},
        "prompt_flags": [],
        "written": None,
        "edit": None,
        "all_bad": False,
        "strength": None,
        "note": "hm",
        "reason": None,
        "seconds": 4.0,
    }
    assert list(store.judgments(essays.id)) == [judgment]
    assert ask(store, essays, ann) == correction  # survives a reload, and comes first
    assert store.save_draft(ann.id, first.task_id, {"ranks": {}}, 2, correction_of=judgment.id) == 2
    assert ask(store, essays, ann).correction_of == judgment.id
    assert store.undo(essays.id, ann.id, judgment.id).draft == {"ranks": {}}  # type: ignore[union-attr]
    corrected = store.submit(ann.id, ranking(first, ranks={"c0": 1, "c1": 1, "c2": 1}))
    assert corrected.supersedes == judgment.id
    assert list(store.judgments(essays.id)) == [corrected]
    assert ask(store, essays, ann).correction_of is None


def test_a_save_that_was_long_on_its_way_does_not_end_up_in_the_correction(store: Store):
    essays = project(store, groups=1)
    (ann,) = people(store, "ann")
    first = ask(store, essays, ann)
    judgment = store.submit(ann.id, ranking(first))
    correction = store.undo(essays.id, ann.id)
    assert correction is not None
    assert store.save_draft(ann.id, first.task_id, {"late": True}, 10**9) is None
    assert ask(store, essays, ann).draft == correction.draft
    corrected = store.submit(ann.id, ranking(first))
    again = store.undo(essays.id, ann.id)
    assert again is not None
    assert store.save_draft(ann.id, first.task_id, {"late": True}, 10**9, correction_of=judgment.id) is None
    assert ask(store, essays, ann).draft == again.draft
    assert store.save_draft(ann.id, first.task_id, {}, 2, correction_of=corrected.id) == 2
    assert store.save_draft(ann.id, first.task_id, {"older": True}, 1, correction_of=corrected.id) == 2


def test_a_save_for_a_cancelled_correction_does_not_end_up_in_the_next_opening(store: Store):
    essays = project(store, groups=1)
    (ann,) = people(store, "ann")
    judgment = store.submit(ann.id, ranking(ask(store, essays, ann)))
    opened = store.undo(essays.id, ann.id)
    assert opened is not None
    assert opened.opening
    same = {"correction_of": judgment.id, "opening": opened.opening}
    assert store.save_draft(ann.id, opened.task_id, {"first": True}, 2, **same) == 2
    assert ask(store, essays, ann).opening == opened.opening  # stays the same over saves and reloads
    store.cancel_correction(ann.id, opened.task_id)
    again = store.undo(essays.id, ann.id, judgment.id)
    assert again is not None
    assert store.save_draft(ann.id, opened.task_id, {"late": True}, 10**9, **same) is None
    assert ask(store, essays, ann) == again
    same = {"correction_of": judgment.id, "opening": again.opening}
    assert store.save_draft(ann.id, opened.task_id, {"second": True}, 2, **same) == 2


def test_undo_twice_goes_back_twice(store: Store):
    essays = project(store, groups=3)
    (ann,) = people(store, "ann")
    judgments = [store.submit(ann.id, ranking(ask(store, essays, ann))) for _ in range(2)]
    opened = [store.undo(essays.id, ann.id) for _ in range(3)]
    assert [task and task.correction_of for task in opened] == [judgments[1].id, judgments[0].id, None]


def test_cancelling_a_correction(store: Store):
    essays = project(store, groups=2)
    (ann,) = people(store, "ann")
    judgment = store.submit(ann.id, ranking(ask(store, essays, ann)))
    waiting = ask(store, essays, ann)
    correction = store.undo(essays.id, ann.id)
    assert correction is not None
    store.cancel_correction(ann.id, correction.task_id)
    assert ask(store, essays, ann).task_id == waiting.task_id
    assert list(store.judgments(essays.id)) == [judgment]
    with pytest.raises(NotFoundError, match="no running correction"):
        store.cancel_correction(ann.id, correction.task_id)


def test_only_own_standing_judgments_can_be_corrected(store: Store):
    essays = project(store, groups=1, overlap=2)
    ann, bob = people(store, "ann", "bob")
    judgment = store.submit(ann.id, ranking(ask(store, essays, ann)))
    assert store.undo(essays.id, bob.id) is None
    with pytest.raises(NotFoundError, match="not a standing judgment of bob"):
        store.undo(essays.id, bob.id, judgment.id)
    store.undo(essays.id, ann.id)
    store.submit(ann.id, ranking(ask(store, essays, ann)))
    with pytest.raises(NotFoundError, match="not a standing judgment of ann"):
        store.undo(essays.id, ann.id, judgment.id)


def test_a_skip_can_be_taken_back_while_somebody_is_wanted(store: Store):
    essays = project(store, groups=1)
    ann, bob = people(store, "ann", "bob")
    skipped = store.submit(ann.id, skip(ask(store, essays, ann)))
    back = store.undo(essays.id, ann.id)
    assert back is not None
    assert (back.correction_of, back.skip_of) == (skipped.id, skipped.id)
    assert store.next_task(essays.id, bob.id) is None  # the slot is ann's again
    store.submit(ann.id, ranking(back))
    assert store.counts(essays.id).finished == 1


def test_a_skip_stays_when_others_finished_the_task(store: Store, clock):
    essays = project(store, groups=1)
    ann, bob = people(store, "ann", "bob")
    store.submit(ann.id, skip(ask(store, essays, ann)))
    back = store.undo(essays.id, ann.id)
    assert back is not None
    clock.now += essays.lease_seconds
    store.submit(bob.id, ranking(ask(store, essays, bob)))
    with pytest.raises(ConflictError, match="others took it"):
        store.submit(ann.id, ranking(back))
    assert store.next_task(essays.id, ann.id) is None  # the correction that cannot be submitted is not in the way
    store.cancel_correction(ann.id, back.task_id)
    with pytest.raises(ConflictError, match="it stays skipped"):
        store.undo(essays.id, ann.id)


def test_a_ranking_corrected_to_a_skip_frees_its_slot(store: Store):
    essays = project(store, groups=1)
    ann, bob = people(store, "ann", "bob")
    store.submit(ann.id, ranking(ask(store, essays, ann)))
    back = store.undo(essays.id, ann.id)
    assert back is not None
    store.submit(ann.id, skip(back))
    assert store.next_task(essays.id, ann.id) is None
    assert ask(store, essays, bob).task_id == back.task_id


def test_progress_counts_what_one_may_still_get(store: Store, clock):
    essays = project(store, groups=4)
    ann, bob = people(store, "ann", "bob")

    def progress(user):
        p = store.progress(essays.id, user.id)
        return p.done, p.total, p.seconds_today

    assert progress(ann) == (0, 4, 0.0)
    store.submit(ann.id, ranking(ask(store, essays, ann), seconds=2.5))
    store.submit(ann.id, skip(ask(store, essays, ann)))
    assert progress(ann) == (1, 3, 2.5)
    assert progress(bob) == (0, 3, 0.0)
    store.submit(bob.id, ranking(ask(store, essays, bob)))
    store.undo(essays.id, ann.id)
    store.undo(essays.id, ann.id)
    store.submit(ann.id, ranking(ask(store, essays, ann), seconds=4.0))  # corrects the first, its seconds included
    assert progress(ann)[2] == 4.0
    clock.now += 86400
    assert progress(ann)[2] == 0.0


def test_history_is_short_and_ones_own(store: Store):
    essays = project(store, groups=3, overlap=2)
    ann, bob = people(store, "ann", "bob")
    task = ask(store, essays, ann)
    letters = {shown.label: shown.completion_id for shown in task.completions}
    ranks = {letters["B"]: 1, letters["A"]: 2, letters["C"]: 2}
    judgment = store.submit(ann.id, ranking(task, ranks=ranks, all_bad=True))
    store.submit(ann.id, skip(ask(store, essays, ann), "too long"))
    store.submit(bob.id, ranking(ask(store, essays, bob)))
    items = store.history(essays.id, ann.id)
    assert [item.summary for item in items] == ["skipped: too long", "B > A = C (all bad)"]
    number = task.group_id.removeprefix("g")
    assert (items[1].judgment_id, items[1].task_id) == (judgment.id, task.task_id)
    assert (items[1].prompt_preview, items[1].at) == (f"Question {number}?", "2025-06-15T15:06:40Z")
    assert len(store.history(essays.id, ann.id, limit=1)) == 1


def test_an_answer_and_the_next_task_at_once(store: Store):
    essays = project(store, groups=2)
    (ann,) = people(store, "ann")
    first = ask(store, essays, ann)
    judgment, following = store.submit_and_next(ann.id, ranking(first), essays.id)
    assert judgment.task_id == first.task_id
    assert following is not None
    assert following.task_id != first.task_id
    assert ask(store, essays, ann).task_id == following.task_id
    with pytest.raises(DataError, match="reason"):
        store.submit_and_next(ann.id, skip(following, " "), essays.id)
    judgment, following = store.submit_and_next(ann.id, skip(following), essays.id)
    assert (judgment.kind, following) == ("skip", None)
    with pytest.raises(ConflictError, match="answered this task already"):
        store.submit_and_next(ann.id, ranking(first), essays.id)


def test_what_everybody_skips_can_be_taken_out_of_the_queue_and_put_back(store: Store):
    made = project(store, 2)
    ann, bob = people(store, "ann", "bob")
    first = ask(store, made, ann)
    store.submit(ann.id, skip(first))
    assert store.set_aside(made.id, [first.group_id, "nothing"], aside=True) == 1
    assert store.set_aside(made.id, [first.group_id], aside=True) == 0
    check_counters(store, made)
    other = ask(store, made, bob)
    assert other.group_id != first.group_id
    store.submit(bob.id, ranking(other))
    assert store.next_task(made.id, bob.id) is None
    assert (store.counts(made.id).tasks, store.counts(made.id).finished) == (1, 1)
    with store.frozen(made.id) as frozen:
        assert frozen.task_work()[first.task_id].state == "aside"
        assert frozen.slots_left() == 0
    store.set_rules(made.id, overlap=2)
    assert ask(store, made, ann).group_id == other.group_id  # more people are wanted for what is in the queue alone
    assert store.set_aside(made.id, [first.group_id], aside=False) == 1
    check_counters(store, made)
    assert ask(store, made, bob).group_id == first.group_id


def test_who_holds_a_task_that_is_set_aside_may_still_answer(store: Store):
    made = project(store, 1)
    (ann,) = people(store, "ann")
    task = ask(store, made, ann)
    store.set_aside(made.id, [task.group_id], aside=True)
    store.submit(ann.id, ranking(task))
    check_counters(store, made)
    assert len(list(store.judgments(made.id))) == 1
