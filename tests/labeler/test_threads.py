"""Talk about tasks: who sees what, and what is unread."""

from __future__ import annotations

import pytest
from store_helpers import ask, people, project, ranking

from labeler.errors import DataError, PermissionDeniedError
from labeler.review_desk import ReviewDesk
from labeler.store import Store
from labeler.threads import Threads


def two_labelers(store: Store):
    essays = project(store, groups=1, overlap=3)
    ann, bob, cy = people(store, "ann", "bob", "cy")
    boss = store.add_user("boss", "manager")
    task = ask(store, essays, ann).task_id
    store.submit(ann.id, ranking(ask(store, essays, ann)))
    ask(store, essays, bob)  # holds it, has not answered yet
    return essays, task, ann, bob, cy, boss


def texts(store: Store, task: int, user) -> list[tuple[str, str, str]]:
    return [(item.labeler, item.author, item.text) for item in Threads(store).read(task, user.id)]


def test_labelers_see_their_own_thread_and_no_names_of_managers(store: Store):
    _, task, ann, bob, cy, boss = two_labelers(store)
    threads = Threads(store)
    threads.post(task, ann.id, "Is B \0 right?")
    threads.post(task, bob.id, "What is this?")
    threads.post(task, boss.id, "Yes.", "ann")
    assert texts(store, task, ann) == [("ann", "ann", "Is B \0 right?"), ("ann", "manager", "Yes.")]
    assert texts(store, task, bob) == [("bob", "bob", "What is this?")]
    assert texts(store, task, boss) == [
        ("ann", "ann", "Is B \0 right?"),
        ("ann", "boss", "Yes."),
        ("bob", "bob", "What is this?"),
    ]
    for attempt in (lambda: threads.read(task, cy.id), lambda: threads.post(task, cy.id, "hm")):
        with pytest.raises(PermissionDeniedError, match="do not judge"):
            attempt()
    with pytest.raises(PermissionDeniedError, match="own thread"):
        threads.post(task, ann.id, "psst", "bob")
    with pytest.raises(PermissionDeniedError, match="'cy' does not judge"):
        threads.post(task, boss.id, "hello", "cy")
    with pytest.raises(DataError, match="characters"):
        threads.post(task, ann.id, " \n")


def test_unread_until_it_is_read(store: Store):
    essays, task, ann, bob, _, boss = two_labelers(store)
    threads = Threads(store)

    def unread(user) -> list[tuple[str, int]]:
        return [(item.labeler, item.count) for item in threads.unread(essays.id, user.id)]

    threads.post(task, ann.id, "one")
    threads.post(task, ann.id, "two")
    threads.post(task, bob.id, "three")
    assert sorted(unread(boss)) == [("ann", 2), ("bob", 1)]
    assert unread(ann) == unread(bob) == []
    threads.read(task, boss.id)
    assert unread(boss) == []
    threads.post(task, boss.id, "answer", "ann")
    assert unread(ann) == [("ann", 1)]
    assert threads.unread(essays.id, ann.id)[0].preview == "Question 0?"
    assert unread(bob) == []
    threads.read(task, ann.id)
    assert unread(ann) == []
    other = store.add_project("other")
    assert threads.unread(other.id, boss.id) == ()


def test_a_reviewer_joins_every_thread(store: Store):
    essays, task, ann, bob, _, _ = two_labelers(store)
    Threads(store).post(task, ann.id, "hm")
    ReviewDesk(store).set_reviewer(essays.id, "bob", may=True)
    assert texts(store, task, bob) == [("ann", "ann", "hm")]
    Threads(store).post(task, bob.id, "I see.", "ann")
    assert texts(store, task, ann)[-1] == ("ann", "manager", "I see.")
