"""The screening exam: scores, what a candidate gets, grades and decisions."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sklearn.metrics import accuracy_score
from store_helpers import ask, group, people, project, ranking

from labeler.errors import ConflictError, DataError, NotFoundError, UsageError
from labeler.exam import SENSITIVE, ExamRules, flag_score, scores
from labeler.exam_desk import ExamDesk
from labeler.gold import GoldRules
from labeler.gold_desk import GoldDesk
from labeler.label_schema import Flag, LabelSchema
from labeler.records import Group, Ranking
from labeler.snapshot import freeze
from labeler.store import Store

RIGHT = {"c0": 1, "c1": 2, "c2": 3}


def known(number: int, flags: tuple[tuple[str, ...], ...] = ((), ("violent_content",), ("off",))) -> Group:
    meta = {"gold_ranks": [1, 2, 3], "gold_flags": [list(names) for names in flags], "gold_prompt_flags": []}
    return replace(group(number), meta=meta)


def said(ranks: tuple[int, ...], flags: tuple[tuple[str, ...], ...], prompt: tuple[str, ...] = ()) -> Ranking:
    return Ranking("x", ranks, flags=flags, prompt_flags=prompt)


def test_agreement_on_flags_is_over_texts_that_are_sensitive_or_not():
    right = [False, True, False, False]
    for flags, prompt, answered in (
        (((), ("violent_content",), ("off",)), (), [False, True, False, False]),
        (((), ("sexual_content", "off"), ()), (), [False, True, False, False]),  # which flag does not matter
        ((("harmful_advice",), (), ()), ("sensitive",), [True, False, False, True]),
    ):
        agreed, compared = flag_score(said((1, 2, 3), flags, prompt), known(1), SENSITIVE)
        assert compared == 4
        assert agreed / compared == accuracy_score(right, answered)
    assert flag_score(said((1, 2, 3), ((), (), ())), group(1), SENSITIVE) == (0, 0)


def test_scores_stand_beside_the_papers_cut_offs():
    none = ((), ("violent_content",), ())
    answers = [(known(1), said((1, 2, 3), none)), (known(2), said((2, 1, 3), ((), (), ())))]
    found = scores(ExamRules(), answers, [7, None, 4])
    assert (found.flags.value, found.flags.counted, found.flags.cutoff) == (7 / 8, 8, 0.75)
    assert (found.rankings.value, found.rankings.counted, found.rankings.cutoff) == (5 / 6, 6, 0.75)
    assert (found.grade.value, found.grade.counted, found.grade.cutoff) == (5.5, 2, 6.0)
    assert [found.flags.reached, found.grade.reached] == [True, False]
    empty = scores(ExamRules(), [], [None])
    assert [empty.flags.reached, empty.rankings.value, empty.grade.value] == [None, None, None]


@pytest.mark.parametrize(
    ("values", "field"),
    [({"tasks": -1}, "tasks"), ({"flags": 1.5}, "flags"), ({"grade": 8.0}, "grade"), ({"prompts": ("",)}, "prompts")],
)
def test_rules_out_of_range_are_refused(values: dict[str, object], field: str):
    with pytest.raises(DataError) as refused:
        ExamRules(**values)  # type: ignore[arg-type]
    assert refused.value.field == field


def screened(store: Store, exam_tasks: int = 4, of_each: int = 2):
    flags = (Flag("violent_content"), Flag("off"))
    essays = store.add_project(
        "essays", schema=LabelSchema(flags=flags, prompt_flags=(Flag("sensitive"),)), dwell_seconds=0
    )
    store.import_groups(essays.id, [group(number) for number in range(3)])
    store.import_groups(essays.id, [known(100 + number) for number in range(exam_tasks)])
    (ann,), boss = people(store, "ann"), store.add_user("boss", "manager")
    desk = ExamDesk(store)
    desk.set_rules(essays.id, ExamRules(tasks=of_each, prompts=("Write.", "Write more."), areas=("Politics",)))
    assert desk.add_tasks(essays.id, 100) == exam_tasks
    desk.add_candidate(essays.id, "ann")
    return essays, ann, boss, desk


def take(store: Store, essays, user, flags: dict[str, tuple[str, ...]]) -> list[str]:
    seen = []
    while task := store.next_task(essays.id, user.id):
        store.submit(user.id, ranking(task, ranks=RIGHT, flags=flags))
        seen.append(task.group_id)
    return seen


def test_a_candidate_gets_only_the_exam_until_a_manager_admits_them(store: Store, clock):
    essays, ann, boss, desk = screened(store)
    assert store.progress(essays.id, ann.id).total == 2
    seen = take(store, essays, ann, {"c1": ("violent_content",)})
    assert len(seen) == 2
    assert {int(name[1:]) >= 100 for name in seen} == {True}
    assert GoldDesk(store).standing(essays.id, ann.id).screened
    assert (store.progress(essays.id, ann.id).done, store.progress(essays.id, ann.id).total) == (2, 2)
    (candidate,) = desk.results(essays.id)
    assert (candidate.answered, candidate.coming, candidate.attempt) == (2, 0, 1)
    assert (candidate.scores.flags.value, candidate.scores.rankings.value) == (1.0, 1.0)
    assert candidate.state == "screening"  # whatever the scores: a manager decides
    desk.decide(essays.id, "ann", "not yet", "slow", boss.id)
    assert store.next_task(essays.id, ann.id) is None
    clock.now += 5
    desk.decide(essays.id, "ann", "admit", "", boss.id)
    assert int(ask(store, essays, ann).group_id[1:]) < 100
    (candidate,) = desk.results(essays.id)
    assert [(item.outcome, item.by, item.note) for item in candidate.decisions] == [
        ("not yet", "boss", "slow"),
        ("admit", "boss", ""),
    ]
    assert candidate.decisions[0].scores["rankings"]["value"] == 1.0


def test_another_attempt_has_other_tasks_and_its_own_scores(store: Store, clock):
    essays, ann, boss, desk = screened(store)
    first = take(store, essays, ann, {})
    desk.write(essays.id, ann.id, 0, "one")
    desk.grade(essays.id, "ann", 0, 3, boss.id)
    assert desk.results(essays.id)[0].scores.flags.value == 0.75
    clock.now += 5
    desk.decide(essays.id, "ann", "retry", "", boss.id)
    assert store.progress(essays.id, ann.id).done == 0
    second = take(store, essays, ann, {"c1": ("violent_content",)})
    assert len(first) == len(second) == 2
    assert not {*first} & {*second}
    (candidate,) = desk.results(essays.id)
    assert (candidate.attempt, candidate.scores.flags.value, candidate.scores.grade.value) == (2, 1.0, None)
    clock.now += 5
    desk.decide(essays.id, "ann", "retry", "", boss.id)
    assert take(store, essays, ann, {}) == []  # no task is left that they have not seen


def test_the_written_part_is_kept_graded_and_blind_to_the_candidate(store: Store):
    essays, ann, boss, desk = screened(store)
    desk.write(essays.id, ann.id, 1, "a \0 b")
    desk.tick(essays.id, ann.id, ["Politics"])
    desk.grade(essays.id, "ann", 1, 6, boss.id)
    (sheet,) = desk.sheets(ann.id)
    assert [(item.prompt, item.text, item.grade) for item in sheet.written] == [
        ("Write.", "", None),
        ("Write more.", "a \0 b", None),
    ]
    assert (sheet.ticked, sheet.coming) == (("Politics",), 2)
    assert desk.results(essays.id)[0].written[1].grade == 6
    desk.write(essays.id, ann.id, 1, "better")
    assert desk.results(essays.id)[0].written[1].grade is None  # what was graded is not there any more
    for attempt in (
        lambda: desk.grade(essays.id, "ann", 0, 5, boss.id),
        lambda: desk.write(essays.id, ann.id, 2, "x"),
        lambda: desk.write(essays.id, boss.id, 0, "x"),
    ):
        with pytest.raises(NotFoundError):
            attempt()
    for wrong in (lambda: desk.grade(essays.id, "ann", 1, 8, boss.id), lambda: desk.tick(essays.id, ann.id, ["x"])):
        with pytest.raises(DataError):
            wrong()
    assert desk.sheets(boss.id) == ()


def test_exam_tasks_are_no_training_data(store: Store, tmp_path):
    essays, ann, _, _ = screened(store)
    take(store, essays, ann, {})
    manifest = freeze(store, essays, tmp_path / "snapshot")
    assert manifest["counts"]["groups"] == 0
    assert not list(store.judgments(essays.id))
    assert store.counts(essays.id).tasks == 3


def test_only_unjudged_tasks_with_known_answers_become_exam_tasks(store: Store):
    essays = project(store, groups=2, overlap=2)
    (ann,), desk = people(store, "ann"), ExamDesk(store)
    with pytest.raises(UsageError, match="known answers"):
        desk.add_tasks(essays.id, 1)
    store.import_groups(essays.id, [known(100), known(101)])
    store.set_priorities(essays.id, {"g100": 9})
    store.submit(ann.id, ranking(ask(store, essays, ann)))
    GoldDesk(store).set_rules(essays.id, GoldRules(0.2))
    assert desk.add_tasks(essays.id, 5) == 1
    assert desk.pool(essays.id) == 1
    bad = replace(group(102), meta={"gold_ranks": [1, 2, 3], "gold_flags": ["off"]})
    store.import_groups(essays.id, [bad])
    with pytest.raises(DataError, match="g102"):
        desk.add_tasks(essays.id, 5)


def test_who_can_be_a_candidate(store: Store):
    essays, _, _, desk = screened(store)
    with pytest.raises(ConflictError, match="already"):
        desk.add_candidate(essays.id, "ann")
    with pytest.raises(UsageError, match="only labelers"):
        desk.add_candidate(essays.id, "boss")
    other = store.add_project("other")
    with pytest.raises(UsageError, match="no exam yet"):
        desk.add_candidate(other.id, "ann")
    with pytest.raises(NotFoundError):
        desk.decide(other.id, "ann", "admit", "", 1)
    assert desk.results(other.id) == ()
