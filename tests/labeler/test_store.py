"""Projects, people, import, drafts, submits: what one person after another may rely on."""

from __future__ import annotations

from dataclasses import replace

import pytest
import sqlalchemy as sa
from sqlalchemy import exc
from store_helpers import ask, group, people, project, ranking, skip

from labeler import schema
from labeler.entities import ImportCounts
from labeler.errors import (
    ConflictError,
    DataError,
    NotFoundError,
    PermissionDeniedError,
    StoreError,
    UsageError,
)
from labeler.records import Demonstration, Message, Ranking
from labeler.store import Store


def test_a_missing_database_names_the_command(tmp_path):
    path = tmp_path / "no.db"
    with pytest.raises(StoreError, match=r"labeler init --db sqlite:///"):
        Store.open(f"sqlite:///{path}")
    assert not path.exists()


def test_an_outdated_schema_names_the_command(store: Store, database_url: str):
    with store.database.write() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '0000'"))
    with pytest.raises(StoreError, match=r"the schema is 0000.*labeler init"):
        Store.open(database_url)


@pytest.mark.parametrize("url", ["nonsense", "mysql://host/db", "sqlite://", "sqlite:///:memory:"])
def test_other_databases_are_refused(url: str):
    with pytest.raises(StoreError, match=r"sqlite:///file\.db or postgresql://"):
        Store.create(url)


def test_a_server_that_is_not_there_is_one_sentence_without_the_password():
    with pytest.raises(StoreError, match="refused") as raised:
        Store.open("postgresql://ann:secret@127.0.0.1:1/none")
    assert "secret" not in str(raised.value)


def test_create_keeps_what_is_there(store: Store, database_url: str):
    project(store)
    again = Store.create(database_url)
    assert [p.name for p in again.projects()] == ["essays"]
    again.close()


def test_users_and_projects(store: Store):
    first = project(store)
    store.add_project("poems")
    ann = store.add_user("ann", "labeler", ["essays"])
    bob = store.add_user("bob", "manager")
    assert store.users() == (ann, bob)
    assert store.memberships(ann.id) == ("essays",)
    assert store.projects(ann.id) == (first,)
    assert [p.name for p in store.projects(bob.id)] == ["essays", "poems"]
    with pytest.raises(ConflictError, match="'ann' already"):
        store.add_user("ann", "labeler")
    with pytest.raises(NotFoundError, match="no project 'prose'; there is essays, poems"):
        store.add_user("cy", "labeler", ["prose"])
    assert store.users() == (ann, bob)
    with pytest.raises(UsageError, match="printable"):
        store.add_user(" ann", "labeler")
    with pytest.raises(ConflictError, match="'essays' already"):
        store.add_project("essays")
    with pytest.raises(UsageError, match="overlap must be 1"):
        store.add_project("none", overlap=0)


def test_guidelines_are_versioned_and_judgments_remember_theirs(store: Store):
    essays = project(store)
    (ann,) = people(store, "ann")
    before = store.submit(ann.id, ranking(ask(store, essays, ann)))
    assert store.set_guidelines(essays.id, "Be kind.").guidelines_version == 2
    assert store.set_guidelines(essays.id, "Be kind.").guidelines_version == 2  # the same text is no new version
    after = store.submit(ann.id, ranking(ask(store, essays, ann)))
    assert (before.guidelines_version, after.guidelines_version) == (1, 2)
    assert store.guideline_versions(essays.id) == {1: "", 2: "Be kind."}


def test_groups_come_out_as_they_went_in(store: Store):
    essays = store.add_project("essays", overlap=3)
    full = Ranking(
        "old", (2, 1, None), ratings=(7, None, 1), flags=(("rude",), (), ()), all_bad=True, note="hm\0m", seconds=2.5,
        order=("c1", "c0", "c2"), at="2025-01-31T12:00:00Z", weight=0.5,
    )  # fmt: skip
    pair = Ranking("old", (1, 1), strength=2, weight=0.0)
    groups = [group(0, 3, (full, Ranking("older", (1, 2, 3)))), group(1, 2, (pair,), split="test"), group(2, 9)]
    shown = Demonstration("d0", (Message("user", "Write."),), "Written.\0", "ann", "us", {"n": [1, None]})
    counts = store.import_groups(essays.id, groups, [shown])
    assert (counts.groups, counts.judgments, counts.demonstrations) == (3, 3, 1)
    assert list(store.groups(essays.id)) == groups
    assert list(store.demonstrations(essays.id)) == [shown]


def test_what_people_write_may_hold_a_nul_and_must_have_a_utf8_form(store: Store):
    essays = project(store)
    (ann,) = people(store, "ann")
    task = ask(store, essays, ann)
    store.save_draft(ann.id, task.task_id, {"note": "a\0b"}, 1)
    assert ask(store, essays, ann).draft == {"note": "a\0b"}
    for refused in (
        lambda: store.save_draft(ann.id, task.task_id, {"note": "\ud800"}, 2),
        lambda: store.submit(ann.id, ranking(task, note="\ud800")),
        lambda: store.submit(ann.id, skip(task, "\ud800")),
        lambda: store.submit(ann.id, ranking(task, submission_id="s\0")),
        lambda: store.set_guidelines(essays.id, "Be\0kind."),
        lambda: store.add_project("b", guidelines="\ud800"),
    ):
        with pytest.raises(DataError, match=r"NUL|unpaired surrogate") as caught:
            refused()
        assert caught.value.field
    assert store.submit(ann.id, ranking(task, note="a\0b")).note == "a\0b"
    assert [judgment.note for judgment in store.judgments(essays.id)] == ["a\0b"]


def test_an_import_may_leave_out_what_is_there_with_the_same_content(store: Store):
    shown = Demonstration("d", (Message("user", "Write."),), "Written.")
    ranked = replace(group(1), rankings=(Ranking("labeler-9", (1, 2, 3)),))
    store.import_into("essays", [ranked], [shown])
    essays, counts = store.import_into("essays", [ranked, group(2)], [shown], skip_known=True)
    assert counts == ImportCounts(groups=1, judgments=0, demonstrations=0)
    assert store.import_into("essays", [ranked], [shown], skip_known=True)[1] == ImportCounts(0, 0, 0)
    assert [judgment.annotator for judgment in store.judgments(essays.id)] == ["labeler-9"]
    other = replace(group(2), prompt=(Message("user", "Something else?"),))
    with pytest.raises(ConflictError, match="another 'g2'"):
        store.import_into("essays", [group(3), other], skip_known=True)
    with pytest.raises(ConflictError, match="another 'd'"):
        store.import_into("essays", [], [replace(shown, completion="Different.")], skip_known=True)
    assert store.counts(essays.id).tasks == 2


def test_an_import_is_all_or_nothing(store: Store):
    essays = project(store, groups=2)
    many = [group(number) for number in range(100, 1300)]
    with pytest.raises(ConflictError, match="'g1' already; nothing was imported"):
        store.import_groups(essays.id, [*many, group(1)])
    with pytest.raises(DataError, match="'g7' occurs twice"):
        store.import_groups(essays.id, [group(7), group(7)])
    with pytest.raises(DataError, match="at least two completions"):
        store.import_groups(essays.id, [*many, group(8, k=1)])
    shown = Demonstration("d", (Message("user", "Write."),), "Written.")
    with pytest.raises(DataError, match="'d' occurs twice"):
        store.import_groups(essays.id, many, [shown, shown])
    assert store.counts(essays.id).tasks == 2
    assert list(store.demonstrations(essays.id)) == []


def test_imported_rankings_use_up_slots_and_keep_their_annotator_away(store: Store):
    essays = store.add_project("essays", overlap=2, dwell_seconds=0)
    done = (Ranking("x", (1, 2, 3)), Ranking("y", (1, 2, 3)))
    store.import_groups(essays.id, [group(0, rankings=done), group(1, rankings=(Ranking("ann", (1, 1, 2)),))])
    ann, bob = people(store, "ann", "bob")
    assert store.next_task(essays.id, ann.id) is None
    assert ask(store, essays, bob).group_id == "g1"
    assert store.counts(essays.id).finished == 1


def test_judgments_cannot_be_changed_or_deleted(store: Store):
    essays = project(store)
    (ann,) = people(store, "ann")
    judgment = store.submit(ann.id, ranking(ask(store, essays, ann)))
    statements = [
        "UPDATE judgments SET seconds = 1",
        "DELETE FROM judgments",
    ]
    if not store.database.sqlite:
        statements.append("TRUNCATE judgments CASCADE")
    else:
        statements.append(f"REPLACE INTO judgments SELECT * FROM judgments WHERE id = {judgment.id}")
    for statement in statements:
        with pytest.raises((exc.DatabaseError, StoreError), match="append-only"), store.database.write() as connection:
            connection.execute(sa.text(statement))
    assert list(store.judgments(essays.id)) == [judgment]


def test_the_database_itself_refuses_a_second_first_answer(store: Store):
    essays = project(store)
    (ann,) = people(store, "ann")
    judgment = store.submit(ann.id, ranking(ask(store, essays, ann)))
    columns = [c.name for c in schema.judgments.columns if c.name not in ("id", "submission_id")]
    names = ", ".join(columns)
    with pytest.raises(exc.IntegrityError), store.database.write() as connection:
        connection.execute(sa.text(f"INSERT INTO judgments ({names}) SELECT {names} FROM judgments"))
    assert list(store.judgments(essays.id)) == [judgment]


def test_a_task_is_blind_shuffled_and_stable(store: Store):
    essays = project(store, groups=30, overlap=2, k=4)
    ann, bob = people(store, "ann", "bob")
    task = ask(store, essays, ann)
    assert [shown.label for shown in task.completions] == ["A", "B", "C", "D"]
    assert sorted(task.order) == ["c0", "c1", "c2", "c3"]
    assert "model-" not in repr(task)
    assert ask(store, essays, ann).order == task.order
    orders = set()
    for _ in range(30):
        orders.add(ask(store, essays, bob).order)
        store.submit(bob.id, ranking(ask(store, essays, bob)))
    assert len(orders) > 5
    assert store.submit(ann.id, ranking(task)).order == task.order


def test_drafts_survive_and_versions_only_grow(store: Store, clock):
    essays = project(store)
    (ann,) = people(store, "ann")
    task = ask(store, essays, ann)
    assert (task.draft, task.draft_version) == (None, 0)
    store.save_draft(ann.id, task.task_id, {"ranks": {"c0": 1}}, 2)
    store.save_draft(ann.id, task.task_id, {"ranks": {}}, 1)
    store.save_draft(ann.id, task.task_id, {"ranks": {}}, 2)
    again = ask(store, essays, ann)
    assert (again.task_id, again.draft, again.draft_version) == (task.task_id, {"ranks": {"c0": 1}}, 2)
    clock.now += 1000
    store.save_draft(ann.id, task.task_id, {"ranks": {}}, 3)
    assert ask(store, essays, ann).lease == clock.now + essays.lease_seconds
    store.submit(ann.id, ranking(task))
    store.save_draft(ann.id, task.task_id, {"late": True}, 4)
    assert ask(store, essays, ann).task_id != task.task_id


def test_a_draft_needs_a_task_that_was_given(store: Store):
    essays = project(store)
    ann, bob = people(store, "ann", "bob")
    task = ask(store, essays, ann)
    with pytest.raises(PermissionDeniedError, match="was not given to bob"):
        store.save_draft(bob.id, task.task_id, {}, 1)
    with pytest.raises(PermissionDeniedError, match="was not given to bob"):
        store.submit(bob.id, ranking(task))
    with pytest.raises(NotFoundError, match="no task 999"):
        store.save_draft(bob.id, 999, {}, 1)


def test_a_submission_counts_once(store: Store):
    essays = project(store, dwell_seconds=10)
    (ann,) = people(store, "ann")
    task = ask(store, essays, ann)
    answer = ranking(task, seconds=3.5, note="close")
    judgment = store.submit(ann.id, answer)
    assert store.submit(ann.id, answer) == judgment  # also within the dwell time
    with pytest.raises(ConflictError, match="used before with another answer"):
        store.submit(ann.id, replace(answer, note="far"))
    with pytest.raises(ConflictError, match="answered this task already"):
        store.submit(ann.id, replace(answer, submission_id="other"))
    assert list(store.judgments(essays.id)) == [judgment]


def test_a_double_click_does_not_land_on_the_next_task(store: Store, clock):
    essays = project(store, dwell_seconds=0.4)
    (ann,) = people(store, "ann")
    store.submit(ann.id, ranking(ask(store, essays, ann)))
    following = ask(store, essays, ann)
    clock.now += 0.3
    with pytest.raises(ConflictError, match="double click"):
        store.submit(ann.id, ranking(following))
    clock.now += 0.2
    store.submit(ann.id, ranking(following))


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"ranks": {"c0": 1, "c1": 2}}, "ranks"),
        ({"ranks": {"c0": 1, "c1": 2, "c2": None}}, "ranks"),
        ({"ranks": {"c0": 1, "c1": 2, "c2": 3, "x": 4}}, "ranks"),
        ({"ranks": {"x": 4}, "all_bad": True}, "ranks"),
        ({"ranks": {"c0": 1, "c1": 2, "c2": 2.5}}, "ranks"),
        ({"strength": 2}, "strength"),
        ({"seconds": -1.0}, "seconds"),
        ({"seconds": float("nan")}, "seconds"),
        ({"kind": "skip"}, "reason"),
        ({"kind": "skip", "reason": " "}, "reason"),
        ({"kind": "rate"}, "kind"),
        ({"submission_id": ""}, "submission_id"),
    ],
)
def test_an_answer_that_does_not_fit_is_refused(store: Store, changes: dict[str, object], field: str):
    essays = project(store)
    (ann,) = people(store, "ann")
    task = ask(store, essays, ann)
    with pytest.raises(DataError, match=field):
        store.submit(ann.id, ranking(task, **changes))
    assert list(store.judgments(essays.id)) == []
    assert ask(store, essays, ann).task_id == task.task_id


def test_ranks_are_stored_dense_in_the_groups_order(store: Store):
    essays = project(store)
    (ann,) = people(store, "ann")
    answer = ranking(ask(store, essays, ann), ranks={"c2": 3, "c0": 10, "c1": 3}, all_bad=True)
    judgment = store.submit(ann.id, answer)
    assert judgment.ranking is not None
    assert (judgment.ranking.ranks, judgment.ranking.all_bad) == ((2, 1, 1), True)
    second = store.submit(ann.id, ranking(ask(store, essays, ann), ranks={}, all_bad=True))
    assert second.ranking is not None
    assert second.ranking.ranks == (None, None, None)


def test_only_members_that_are_not_disabled(store: Store):
    essays = project(store)
    store.add_project("poems")
    ann = store.add_user("ann", "labeler", ["poems"])
    for call in (store.next_task, store.progress, store.history, store.undo):
        with pytest.raises(PermissionDeniedError, match="does not belong to the project 'essays'"):
            call(essays.id, ann.id)
    with pytest.raises(NotFoundError, match="no user 77"):
        store.next_task(essays.id, 77)
    with pytest.raises(NotFoundError, match="no project 77"):
        store.next_task(77, ann.id)


def test_counts(store: Store):
    essays = project(store, groups=4, overlap=2)
    ann, bob = people(store, "ann", "bob")
    for user in (ann, bob):
        store.submit(user.id, ranking(ask(store, essays, user), seconds=2.0))
    store.submit(ann.id, skip(ask(store, essays, ann)))
    store.undo(essays.id, bob.id)
    store.submit(bob.id, ranking(ask(store, essays, bob), seconds=5.0))
    ask(store, essays, ann)
    counts = store.counts(essays.id)
    assert (counts.tasks, counts.finished, counts.started) == (4, 1, 0)
    assert (counts.judgments, counts.skips, counts.corrections, counts.live_leases) == (2, 1, 1, 1)
    rows = {row.annotator: row for row in store.annotator_counts(essays.id)}
    assert (rows["ann"].judgments, rows["ann"].skips, rows["ann"].corrections, rows["ann"].seconds) == (1, 1, 0, 2.0)
    assert (rows["bob"].judgments, rows["bob"].skips, rows["bob"].corrections, rows["bob"].seconds) == (1, 0, 1, 5.0)


def test_commits_on_sqlite_survive_a_power_cut(tmp_path):
    """As SQLite documents it: a commit is on the disk only with synchronous=FULL (2) in write-ahead mode."""
    store = Store.create(f"sqlite:///{tmp_path / 'labeler.db'}")
    with store.database.read() as connection:
        found = [
            connection.execute(sa.text(f"PRAGMA {name}")).scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        ]
    assert found == ["wal", 2, 1]
    store.close()
