"""Gold items, exams and reviewers beside counters that are kept and imports that are staged."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from random import Random

import pytest
from store_helpers import ask, check_counters, group, people, project, ranking, skip, table
from test_staging import watch

from labeler.errors import ConflictError, NotFoundError
from labeler.exam import ExamRules
from labeler.exam_desk import ExamDesk
from labeler.gold import GoldRules
from labeler.gold_desk import GoldDesk
from labeler.records import Group, Ranking
from labeler.review_desk import ReviewDesk
from labeler.store import Store, Submission

ABC = {"c0": 1, "c1": 2, "c2": 3}
TOLD = (Ranking("x", (1, 2, 3)), Ranking("y", (3, 2, 1)))


def gold(number: int, rankings: tuple[Ranking, ...] = ()) -> Group:
    return replace(group(number, rankings=rankings), meta={"gold_ranks": [1, 2, 3]})


def test_counters_follow_gold_exams_and_reviewers(store: Store, clock):
    essays = project(store, groups=6, overlap=2)
    store.import_groups(essays.id, [gold(100 + n) for n in range(6)])
    store.import_groups(essays.id, [gold(200, TOLD), gold(201, TOLD[:1])])
    users, boss, random = people(store, "ann", "bob", "cy"), store.add_user("boss", "manager"), Random(0)
    desk = ReviewDesk(store)
    ExamDesk(store).set_rules(essays.id, ExamRules(tasks=2))

    def label():
        user = random.choice(users)
        if random.random() < 0.3:
            store.undo(essays.id, user.id)
        task = store.next_task(essays.id, user.id)
        if task is not None:
            store.submit(user.id, skip(task) if random.random() < 0.3 else ranking(task, seconds=random.random()))

    def decide():
        row = random.choice(store.task_page(essays.id, after=0, limit=100))
        finals = desk.task(row.id, boss.id).finals
        number = f"d{random.random()}"
        seen = finals[-1].id if finals else None
        said = Submission(number, row.id, "rank", ranks=ABC)
        desk.decide(boss.id, said, task_id=row.id, submission_id=number, accepted=None, seen=seen)

    actions = {
        label: 8,
        decide: 2,
        lambda: desk.one_more(random.choice(table(store, "tasks")).id, boss.id): 1,
        lambda: GoldDesk(store).set_rules(essays.id, GoldRules(random.choice((0.0, 0.5)))): 1,
    }
    for step in range(60):
        with suppress(ConflictError):
            random.choices(list(actions), list(actions.values()))[0]()
        if step == 30:
            assert ExamDesk(store).add_tasks(essays.id, 1) == 1
        clock.now += random.choice((1.0, 3000.0))
        if step % 5 == 0:
            check_counters(store, essays)
    GoldDesk(store).set_rules(essays.id, GoldRules())
    check_counters(store, essays)
    counts = store.counts(essays.id)
    assert counts.tasks == 13
    assert {row.kind for row in table(store, "judgments")} == {"rank", "skip", "adjudicate"}


def test_gold_goes_out_and_back_while_people_label(store: Store):
    essays = project(store, groups=60, overlap=3)
    store.import_groups(essays.id, [gold(100 + n) for n in range(20)])
    users = people(store, *(f"p{i}" for i in range(4)))
    done = threading.Event()

    def work(user):
        while not done.is_set() and (task := store.next_task(essays.id, user.id)):
            with suppress(ConflictError):  # the gold item that they held came back to a queue that has it finished
                store.submit(user.id, ranking(task))

    with ThreadPoolExecutor(len(users)) as pool:
        at_work = [pool.submit(work, user) for user in users]
        for turn in range(10):
            GoldDesk(store).set_rules(essays.id, GoldRules(0.3 if turn % 2 else 0.0))
        GoldDesk(store).set_rules(essays.id, GoldRules())
        done.set()
        for each in at_work:
            each.result()
    check_counters(store, essays)
    assert store.counts(essays.id).tasks == 80


def test_staged_gold_is_drawn_by_nobody(store: Store, monkeypatch: pytest.MonkeyPatch):
    essays = project(store, groups=1)
    store.import_groups(essays.id, [gold(100)])
    GoldDesk(store).set_rules(essays.id, GoldRules(0.5))
    (ann,) = people(store, "ann")
    while task := store.next_task(essays.id, ann.id):
        store.submit(ann.id, ranking(task))
    looked = []

    def look():
        staged = {row.group_id: (row.pool, row.remaining, row.id) for row in table(store, "tasks")}
        assert staged["g101"][:2] == ("gold", 0)
        assert staged["g2"][:2] == ("queue", 1)
        assert store.next_task(essays.id, ann.id) is None
        assert store.counts(essays.id).tasks == 1
        with pytest.raises(NotFoundError, match="there is no task"):
            ReviewDesk(store).task(staged["g101"][2], ann.id)
        assert len(GoldDesk(store).report(essays.id).items) == 1
        looked.append(True)

    watch(store, monkeypatch, look)
    store.import_groups(essays.id, [gold(101, TOLD[:1]), group(2)])
    assert looked
    assert (store.counts(essays.id).tasks, store.counts(essays.id).judgments) == (2, len(table(store, "judgments")))
    assert len(GoldDesk(store).report(essays.id).items) == 2
    check_counters(store, essays)


@pytest.mark.parametrize("shares", [(0.0, 0.5), (0.5, 0.0)])
def test_an_import_refuses_rules_that_changed_meanwhile(
    store: Store, monkeypatch: pytest.MonkeyPatch, shares: tuple[float, float]
):
    essays = project(store, groups=1)
    store.import_groups(essays.id, [gold(100)])
    GoldDesk(store).set_rules(essays.id, GoldRules(shares[0]))
    watch(store, monkeypatch, lambda: GoldDesk(store).set_rules(essays.id, GoldRules(shares[1])))
    with pytest.raises(ConflictError, match="changed it; nothing was imported"):
        store.import_groups(essays.id, [gold(101)])
    assert len(table(store, "tasks")) == 2
    check_counters(store, essays)


def test_the_review_list_waits_for_what_is_staged(store: Store, monkeypatch: pytest.MonkeyPatch):
    """Judgments of an import have their turn when it is published, also behind those made while it ran."""
    monkeypatch.setattr("labeler.review_desk.LOOK_BACK", 0)
    essays = project(store, groups=3)
    (ann,), boss = people(store, "ann"), store.add_user("boss", "manager")
    store.submit(ann.id, ranking(ask(store, essays, ann)))
    seen = []

    def look():
        store.submit(ann.id, ranking(ask(store, essays, ann)))
        listing = ReviewDesk(store).listing(essays.id, boss.id, "disagreement")
        seen.append((listing.tasks, listing.behind))

    watch(store, monkeypatch, look)
    store.import_groups(essays.id, [group(50 + n, rankings=TOLD) for n in range(5)])
    assert seen == [((), 1)]
    listing = ReviewDesk(store).listing(essays.id, boss.id, "disagreement")
    assert (len(listing.tasks), listing.behind) == (5, 0)
    assert {item.disagreement for item in listing.tasks} == {1.0}


def test_an_import_that_died_leaves_the_review_list_free(store: Store, monkeypatch: pytest.MonkeyPatch):
    """What the list looked at must not hold on to tasks that are swept away."""
    essays = project(store, groups=1)
    boss = store.add_user("boss", "manager")

    def look():
        assert ReviewDesk(store).listing(essays.id, boss.id, "disagreement").tasks == ()
        raise KeyboardInterrupt

    watch(store, monkeypatch, look)
    with pytest.raises(KeyboardInterrupt):
        store.import_groups(essays.id, [group(50 + n, rankings=TOLD) for n in range(5)])
    assert (len(table(store, "tasks")), table(store, "judgments")) == (1, [])
