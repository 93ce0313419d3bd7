"""Review: what is listed, what a reviewer decides, what becomes of it in the snapshot, and who may."""

from __future__ import annotations

from dataclasses import replace

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from store_helpers import ask, group, people, project, ranking, skip

from labeler.agreement import disagreement, reliability
from labeler.entities import ADJUDICATED, Edit, Submission
from labeler.errors import ConflictError, DataError, NotFoundError, PermissionDeniedError, UsageError
from labeler.exam_desk import ExamDesk
from labeler.exporting import chosen
from labeler.gold import GoldRules
from labeler.gold_desk import GoldDesk
from labeler.label_schema import Flag, LabelSchema, preset
from labeler.records import Group, Ranking
from labeler.review_desk import ReviewDesk
from labeler.selection import Export, Selection
from labeler.snapshot import freeze, read_snapshot
from labeler.store import Store

ABC = {"c0": 1, "c1": 2, "c2": 3}
CBA = {"c0": 3, "c1": 2, "c2": 1}
BAC = {"c0": 2, "c1": 1, "c2": 3}


def judge(store: Store, essays, user, answers: dict[str, dict[str, int] | str], **more: object) -> dict[str, int]:
    """A person's answers by group; a string is the reason for a skip."""
    found = {}
    while task := store.next_task(essays.id, user.id):
        said = answers.get(task.group_id, ABC)
        made = skip(task, said) if isinstance(said, str) else ranking(task, ranks=said, **more)
        found[task.group_id] = store.submit(user.id, made).id
    return found


def reviewed(store: Store, groups: int = 3):
    essays = project(store, groups=groups, overlap=2)
    ann, bob = people(store, "ann", "bob")
    boss = store.add_user("boss", "manager")
    return essays, ann, bob, boss


def names(store: Store, essays, user, show: str = "disagreement") -> list[str]:
    with store.frozen(essays.id) as frozen:
        tasks = {answers[0].task_id: one.id for one, answers in frozen.groups() if answers}
    return [tasks[item.task_id] for item in ReviewDesk(store).listing(essays.id, user.id, show).tasks]  # type: ignore[arg-type]


def task_of(store: Store, essays, name: str) -> int:
    return next(task.id for task in store.task_page(essays.id, after=0, limit=100) if task.row["id"] == name)


def own_answer(task_id: int, ranks: dict[str, int]) -> Submission:
    return Submission("own", task_id, "rank", ranks=ranks)


@pytest.mark.parametrize(
    ("rankings", "expected"),
    [
        ([(1, 2, 3), (1, 2, 3)], 0.0),
        ([(1, 2, 3), (3, 2, 1)], 1.0),
        ([(1, 2, 3), (2, 1, 3)], 1 / 3),
        ([(1, 1, 2), (1, 2, 2)], 2 / 3),  # a tie differs from a preference
        ([(1, 2, 3), (1, 2, 3), (3, 2, 1)], 2 / 3),
        ([(1, 2, 3)], None),
    ],
)
def test_disagreement_is_the_share_of_differing_comparisons(rankings: list[tuple[int, ...]], expected: float | None):
    made = replace(group(1), rankings=tuple(Ranking(f"p{i}", ranks) for i, ranks in enumerate(rankings)))
    assert disagreement(made) == (expected if expected is None else pytest.approx(expected))


def test_the_list_has_most_disagreement_first_and_keeps_up(store: Store):
    essays, ann, bob, boss = reviewed(store, 4)
    judge(store, essays, ann, {"g3": "unclear"})
    assert names(store, essays, boss) == []
    judge(store, essays, bob, {"g1": CBA, "g2": BAC, "g3": CBA})
    assert names(store, essays, boss) == ["g1", "g2", "g0"]
    assert names(store, essays, boss, "skipped") == ["g3"]
    listing = ReviewDesk(store).listing(essays.id, boss.id, "disagreement")
    assert [item.disagreement for item in listing.tasks] == [1.0, pytest.approx(1 / 3), 0.0]
    assert (listing.behind, listing.more) == (0, False)
    store.undo(essays.id, bob.id)
    corrected = ask(store, essays, bob)
    store.submit(bob.id, ranking(corrected, ranks=ABC))
    again = {
        item.task_id: item.disagreement for item in ReviewDesk(store).listing(essays.id, boss.id, "disagreement").tasks
    }
    assert again.get(corrected.task_id) in (0.0, None)


def test_the_list_catches_up_in_steps(store: Store, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("labeler.review_desk.AT_ONCE", 2)
    monkeypatch.setattr("labeler.review_desk.PATIENCE_SECONDS", -1)
    monkeypatch.setattr("labeler.review_desk.LOOK_BACK", 0)
    essays, ann, bob, boss = reviewed(store, 3)
    judge(store, essays, ann, {})
    judge(store, essays, bob, {})
    behind = [ReviewDesk(store).listing(essays.id, boss.id, "disagreement").behind for _ in range(4)]
    assert behind == [4, 2, 0, 0]
    assert len(ReviewDesk(store).listing(essays.id, boss.id, "disagreement").tasks) == 3


def test_filters_find_flags_notes_and_all_bad(store: Store):
    schema = LabelSchema("rank", flags=(Flag("odd"),), prompt_flags=(Flag("unsure"),))
    essays = store.add_project("rated", schema=schema, dwell_seconds=0)
    store.import_groups(essays.id, [group(number) for number in range(5)])
    (ann,), boss = people(store, "ann"), store.add_user("boss", "manager")
    extra = {
        "g1": {"flags": {"c0": ("odd",)}},
        "g2": {"prompt_flags": ("unsure",)},
        "g3": {"all_bad": True},
        "g4": {"note": "hm"},
    }
    while task := store.next_task(essays.id, ann.id):
        store.submit(ann.id, ranking(task, **extra.get(task.group_id, {})))
    assert sorted(names(store, essays, boss, "flagged")) == ["g1", "g2"]
    assert names(store, essays, boss, "all_bad") == ["g3"]
    assert names(store, essays, boss, "commented") == ["g4"]
    with pytest.raises(DataError, match="must be one of"):
        names(store, essays, boss, "everything")


def test_a_reviewer_accepts_a_judgment_or_writes_their_own(store: Store, clock):
    essays, ann, bob, boss = reviewed(store)
    first = judge(store, essays, ann, {"g0": ABC})
    second = judge(store, essays, bob, {"g0": CBA})
    desk, task_id = ReviewDesk(store), task_of(store, essays, "g0")
    desk.decide(boss.id, None, task_id=task_id, submission_id="d1", accepted=second["g0"], seen=None)
    desk.decide(boss.id, None, task_id=task_id, submission_id="d1", accepted=second["g0"], seen=None)  # sent twice
    (final,) = desk.task(task_id, boss.id).finals
    assert (final.by, final.accepted, final.instead) == ("boss", second["g0"], (first["g0"], second["g0"]))
    assert (final.ranking.ranks, final.ranking.annotator) == ((3, 2, 1), ADJUDICATED)
    with pytest.raises(ConflictError, match="somebody else decided"):
        desk.decide(boss.id, own_answer(task_id, BAC), task_id=task_id, submission_id="d2", accepted=None, seen=None)
    clock.now += 60
    desk.decide(boss.id, own_answer(task_id, BAC), task_id=task_id, submission_id="d3", accepted=None, seen=final.id)
    before, now = desk.task(task_id, boss.id).finals
    assert (before.id, now.supersedes, now.ranking.ranks, now.accepted) == (final.id, final.id, (2, 1, 3), None)
    assert now.at > before.at
    assert [item.id for item in desk.decisions(essays.id, after=0, limit=10)] == [now.id]
    assert names(store, essays, boss, "final") == ["g0"]
    assert "g0" not in names(store, essays, boss)


def test_what_a_decision_must_say(store: Store):
    essays, ann, _, boss = reviewed(store)
    given = judge(store, essays, ann, {"g0": "unclear"})
    desk, task_id = ReviewDesk(store), task_of(store, essays, "g0")
    decide = {"task_id": task_id, "submission_id": "d", "seen": None}
    with pytest.raises(NotFoundError, match="ranks nothing"):
        desk.decide(boss.id, None, accepted=given["g0"], **decide)
    with pytest.raises(NotFoundError):
        desk.decide(boss.id, None, accepted=given["g1"], **decide)
    with pytest.raises(DataError, match="rank every completion"):
        desk.decide(boss.id, own_answer(task_id, {"c0": 1}), accepted=None, **decide)
    with pytest.raises(DataError, match="which judgment to accept"):
        desk.decide(boss.id, None, accepted=None, **decide)
    assert desk.task(task_id, boss.id).finals == ()


def test_decisions_are_append_only_and_no_labelers_judgments(store: Store):
    essays, ann, bob, boss = reviewed(store)
    judge(store, essays, ann, {})
    judge(store, essays, bob, {"g0": CBA})
    task_id = task_of(store, essays, "g0")
    before = reliability(store.groups(essays.id)), store.counts(essays.id), store.annotator_counts(essays.id)
    judgments = list(store.judgments(essays.id))
    desk = ReviewDesk(store)
    desk.decide(boss.id, own_answer(task_id, ABC), task_id=task_id, submission_id="d", accepted=None, seen=None)
    after = reliability(store.groups(essays.id)), store.counts(essays.id), store.annotator_counts(essays.id)
    assert after == before
    assert list(store.judgments(essays.id)) == judgments
    assert len(store.judgment_page(essays.id, after=0, limit=100, standing=False)) == 6
    with pytest.raises(DBAPIError, match="append-only"), store.database.write() as connection:
        connection.execute(sa.text("DELETE FROM judgments WHERE kind = 'adjudicate'"))
    with pytest.raises(UsageError, match="reviewers' final answers"):
        store.add_user(ADJUDICATED, "labeler")


def test_a_labeling_manager_may_also_decide(store: Store):
    essays, _, _, boss = reviewed(store)
    given = judge(store, essays, boss, {"g0": CBA})
    task_id = task_of(store, essays, "g0")
    ReviewDesk(store).decide(boss.id, None, task_id=task_id, submission_id="d", accepted=given["g0"], seen=None)
    assert store.next_task(essays.id, boss.id) is None


def test_the_snapshot_has_decisions_only_beside_or_not(store: Store, tmp_path):
    essays, ann, bob, boss = reviewed(store)
    judge(store, essays, ann, {"g2": "unclear"})
    judge(store, essays, bob, {"g0": CBA, "g2": "unclear"})
    desk = ReviewDesk(store)
    for name, ranks in (("g0", BAC), ("g2", CBA)):
        task_id = task_of(store, essays, name)
        desk.decide(boss.id, own_answer(task_id, ranks), task_id=task_id, submission_id=name, accepted=None, seen=None)
    found = {}
    for setting in ("only", "beside", "ignore"):
        manifest = freeze(store, essays, tmp_path / setting, adjudicated=setting)  # type: ignore[arg-type]
        snapshot = read_snapshot(tmp_path / setting)
        said = {one.id: [(r.annotator, r.ranks) for r in one.rankings] for one in snapshot.groups}
        found[setting] = said, manifest["adjudicated"]
    both = [("ann", (1, 2, 3)), ("bob", (3, 2, 1))]
    last = [("ann", (1, 2, 3)), ("bob", (1, 2, 3))]
    final = (ADJUDICATED, (2, 1, 3))
    said, manifest = found["only"]
    assert said == {"g0": [final], "g1": last, "g2": [(ADJUDICATED, (3, 2, 1))]}
    assert manifest == {"setting": "only", "groups": 2, "rankings_left_out": 2}
    assert found["beside"][0] == {"g0": [*both, final], "g1": last, "g2": [(ADJUDICATED, (3, 2, 1))]}
    assert found["ignore"] == ({"g0": both, "g1": last}, {"setting": "ignore", "groups": 0, "rankings_left_out": 0})


def test_an_export_has_decisions_as_the_snapshot_does_and_filters_them(store: Store, tmp_path):
    essays, ann, bob, boss = reviewed(store)
    judge(store, essays, ann, {"g2": "unclear"})
    judge(store, essays, bob, {"g0": CBA, "g2": "unclear"})
    desk = ReviewDesk(store)
    for name in ("g0", "g2"):
        task_id = task_of(store, essays, name)
        desk.decide(boss.id, own_answer(task_id, BAC), task_id=task_id, submission_id=name, accepted=None, seen=None)

    def exported(finals: str, **selection: object) -> dict[str, str]:
        wanted = Export(to="native", adjudicated=finals, selection=Selection(**selection))  # type: ignore[arg-type]
        with store.frozen(essays.id) as frozen:
            return {one.id: " ".join(r.annotator for r in one.rankings) for one in chosen(frozen, wanted)}

    for setting in ("only", "beside", "ignore"):
        freeze(store, essays, tmp_path / setting, adjudicated=setting)  # type: ignore[arg-type]
        groups = read_snapshot(tmp_path / setting).groups
        assert exported(setting) == {one.id: " ".join(r.annotator for r in one.rankings) for one in groups}
    assert exported("only", min_overlap=2) == {"g0": ADJUDICATED, "g1": "ann bob", "g2": ADJUDICATED}
    assert exported("only", min_overlap=3) == {"g0": ADJUDICATED, "g2": ADJUDICATED}
    assert exported("beside", min_overlap=3) == {"g0": f"ann bob {ADJUDICATED}", "g2": ADJUDICATED}
    assert exported("ignore", min_overlap=2) == {"g0": "ann bob", "g1": "ann bob"}
    assert exported("only", annotators=("ann",)) == {"g0": "ann", "g1": "ann"}  # a decision is nothing that she said
    assert exported("only", annotators=(ADJUDICATED,)) == {"g0": ADJUDICATED, "g2": ADJUDICATED}
    assert exported("only", until="2001-01-01") == {}


def test_an_edit_goes_along_with_the_judgment_that_is_accepted(store: Store, tmp_path):
    essays = store.add_project("edited", schema=LabelSchema(edit="required"), overlap=2, dwell_seconds=0)
    store.import_groups(essays.id, [group(0)])
    (ann, bob), boss = people(store, "ann", "bob"), store.add_user("boss", "manager")
    given = {}
    for user in (ann, bob):
        task = ask(store, essays, user)
        edit = Edit("c0", f"Better, says {user.name}.")
        given[user.name] = store.submit(user.id, ranking(task, ranks=ABC, edit=edit)).id
    desk, task_id = ReviewDesk(store), task_of(store, essays, "g0")
    decide = {"task_id": task_id, "seen": None}
    desk.decide(boss.id, None, accepted=given["ann"], submission_id="d1", **decide)
    (final,) = desk.task(task_id, boss.id).finals
    assert final.edit == Edit("c0", "Better, says ann.")

    def texts(setting: str) -> list[list[str]]:
        freeze(store, essays, tmp_path / setting, adjudicated=setting)  # type: ignore[arg-type]
        (one,) = read_snapshot(tmp_path / setting).groups
        return [_best_first(one, said) for said in one.rankings]

    own = [f"Answer {i} to 0." for i in range(3)]
    anns, bobs = ["Better, says ann.", *own], ["Better, says bob.", *own]
    assert texts("only") == [anns]
    assert texts("beside") == [anns, bobs, own]  # the same text is there once, above all for who wrote it
    assert texts("ignore") == [anns, bobs]
    again = {"task_id": task_id, "seen": final.id, "submission_id": "d2", "accepted": None}
    desk.decide(boss.id, own_answer(task_id, CBA), **again)  # a reviewer's own answer needs no edit
    assert texts("only") == [own[::-1]]


def _best_first(one: Group, said: Ranking) -> list[str]:
    """The texts that somebody ranked."""
    ranked = {rank: text.text for rank, text in zip(said.ranks, one.completions, strict=True) if rank}
    return [ranked[rank] for rank in sorted(ranked)]


def test_what_people_write_is_listed_and_has_no_final_answer(store: Store):
    poems = store.add_project("poems", schema=preset("demonstrate"), dwell_seconds=0)
    store.import_groups(poems.id, [group(number, 0) for number in range(2)])
    (ann,), boss = people(store, "ann"), store.add_user("boss", "manager")
    for _ in range(2):
        task = ask(store, poems, ann)
        said = Submission(f"w{task.task_id}", task.task_id, "write", written="So be it.", note="hm")
        judgment = store.submit(ann.id, said)
    desk = ReviewDesk(store)
    assert names(store, poems, boss, "judged") == ["g0", "g1"]
    assert names(store, poems, boss) == []
    listed = desk.listing(poems.id, boss.id, "commented").tasks
    assert [(item.judgments, item.disagreement) for item in listed] == [(1, None), (1, None)]
    with pytest.raises(DataError, match="send it back"):
        desk.decide(boss.id, None, task_id=judgment.task_id, submission_id="d", accepted=judgment.id, seen=None)
    desk.send_back(judgment.id, boss.id, "Longer, please.")
    assert desk.returned(poems.id, ann.id) == {judgment.id: "Longer, please."}
    with pytest.raises(UsageError, match="people write in this project"):
        GoldDesk(store).set_rules(poems.id, GoldRules(0.1))
    with pytest.raises(UsageError, match="people write in this project"):
        ExamDesk(store).add_tasks(poems.id, 1)


def test_a_judgment_is_sent_back_until_it_is_corrected(store: Store):
    essays, ann, bob, boss = reviewed(store)
    given = judge(store, essays, ann, {})
    desk = ReviewDesk(store)
    desk.send_back(given["g1"], boss.id, "Read the prompt.")
    desk.send_back(given["g1"], boss.id, "Read the prompt again.")
    assert desk.returned(essays.id, ann.id) == {given["g1"]: "Read the prompt again."}
    assert desk.returned(essays.id, bob.id) == {}
    assert desk.task(task_of(store, essays, "g1"), boss.id).returned == {given["g1"]: "Read the prompt again."}
    assert names(store, essays, boss, "sent_back") == ["g1"]
    back = store.undo(essays.id, ann.id, given["g1"])
    assert back
    store.submit(ann.id, ranking(back, ranks=CBA))
    assert desk.returned(essays.id, ann.id) == {}
    assert names(store, essays, boss, "sent_back") == []
    with pytest.raises(ConflictError, match="corrected meanwhile"):
        desk.send_back(given["g1"], boss.id, "again")
    with pytest.raises(DataError, match="characters"):
        desk.send_back(given["g0"], boss.id, "  ")


def test_an_imported_judgment_cannot_be_sent_back(store: Store):
    essays = project(store, groups=0)
    store.import_groups(essays.id, [group(1, rankings=(Ranking("elsewhere", (1, 2, 3)),))])
    boss = store.add_user("boss", "manager")
    (judgment,) = store.judgments(essays.id)
    with pytest.raises(ConflictError, match="not made here"):
        ReviewDesk(store).send_back(judgment.id, boss.id, "hm")


def test_one_more_opinion_puts_the_task_back_into_the_queue(store: Store):
    essays, ann, bob, boss = reviewed(store, 1)
    (cy,) = people(store, "cy")
    for user in (ann, bob):
        judge(store, essays, user, {})
    assert store.next_task(essays.id, cy.id) is None
    assert ReviewDesk(store).one_more(task_of(store, essays, "g0"), boss.id) == 3
    assert ask(store, essays, cy).group_id == "g0"
    assert store.next_task(essays.id, ann.id) is None


def test_only_managers_and_given_reviewers_review(store: Store):
    essays, ann, bob, _ = reviewed(store)
    judgments = judge(store, essays, ann, {})
    desk, task_id = ReviewDesk(store), task_of(store, essays, "g0")
    other = store.add_project("other")
    foreign = store.add_user("foreign", "manager", ["other"])
    attempts = (
        lambda user: desk.listing(essays.id, user.id, "disagreement"),
        lambda user: desk.task(task_id, user.id),
        lambda user: desk.decide(
            user.id, None, task_id=task_id, submission_id="d", accepted=judgments["g0"], seen=None
        ),
        lambda user: desk.send_back(judgments["g0"], user.id, "hm"),
        lambda user: desk.one_more(task_id, user.id),
    )
    for attempt in attempts:
        for user in (bob, foreign):
            with pytest.raises(PermissionDeniedError):
                attempt(user)
    desk.set_reviewer(essays.id, "bob", may=True)
    assert desk.reviewers(essays.id) == ("bob",)
    assert [item.name for item in desk.projects(bob)] == ["essays"]
    for attempt in attempts:
        attempt(bob)
    with pytest.raises(PermissionDeniedError):
        desk.listing(other.id, bob.id, "disagreement")
    desk.set_reviewer(essays.id, "bob", may=False)
    assert desk.projects(bob) == ()
