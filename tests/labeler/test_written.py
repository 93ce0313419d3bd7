"""Answers that labelers write to prompts: into the store on both databases, out as demonstrations to train on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from store_helpers import ask, group, people, ranking, skip, wrote

from labeler.edits import LONGEST
from labeler.errors import ConflictError, DataError
from labeler.exporting import export
from labeler.formats import read
from labeler.label_schema import Flag, LabelSchema, preset
from labeler.records import Demonstration, Group, Message, Ranking
from labeler.selection import Export, Selection
from labeler.snapshot import freeze, read_snapshot
from labeler.store import Project, Store
from reward.demonstrations import read_splits, to_chat

WRITE = LabelSchema("demonstrate", ranking=False, all_bad=False, prompt_flags=(Flag("vague"),))
EXACT = "  Two\tspaces, \r\n\u202ereversed\u202c, z\u200bero, NUL \0, 👩\u200d👧 and a blank line\n\n \n"


def prompts(store: Store, count: int = 3, schema: LabelSchema = WRITE, **rules: float) -> Project:
    made = store.add_project("answers", schema=schema, **{"dwell_seconds": 0, **rules})  # type: ignore[arg-type]
    store.import_groups(made.id, [group(number, 0) for number in range(count)])
    return made


def test_what_is_written_is_kept_exactly_and_comes_back_for_correction(store: Store):
    answers = prompts(store)
    (ann,) = people(store, "ann")
    task = ask(store, answers, ann)
    assert task.completions == ()
    judgment = store.submit(ann.id, wrote(task, EXACT, prompt_flags=("vague",), note="hard", seconds=61.5))
    assert judgment.written
    assert (judgment.kind, judgment.written.text, judgment.written.prompt_flags) == ("write", EXACT, ("vague",))
    assert (judgment.ranking, judgment.edit, judgment.note, judgment.seconds) == (None, None, "hard", 61.5)
    (kept,) = store.judgments(answers.id)
    assert kept == judgment
    (item,) = store.history(answers.id, ann.id)
    assert item.summary.startswith("11 words: Two spaces, ")
    assert store.progress(answers.id, ann.id).done == 1

    back = store.undo(answers.id, ann.id)
    assert back
    assert back.draft
    assert (back.draft["written"], back.draft["prompt_flags"], back.draft["note"]) == (EXACT, ["vague"], "hard")
    corrected = store.submit(ann.id, wrote(back, "Better."))
    assert corrected.supersedes == judgment.id
    assert [j.written and j.written.text for j in store.judgments(answers.id)] == ["Better."]


def test_an_answer_counts_once_however_often_it_is_sent(store: Store):
    answers = prompts(store)
    (ann,) = people(store, "ann")
    answer = wrote(ask(store, answers, ann))
    assert store.submit(ann.id, answer) == store.submit(ann.id, answer)
    with pytest.raises(ConflictError, match="was used before with another answer"):
        store.submit(ann.id, wrote(ask(store, answers, ann), submission_id=answer.submission_id))
    assert store.counts(answers.id).judgments == 1


def test_a_second_answer_within_the_dwell_time_is_a_double_click(store: Store):
    answers = prompts(store, dwell_seconds=2.0)
    (ann,) = people(store, "ann")
    store.submit(ann.id, wrote(ask(store, answers, ann)))
    with pytest.raises(ConflictError, match="double click"):
        store.submit(ann.id, wrote(ask(store, answers, ann)))


def test_overlap_is_that_many_answers_and_a_skip_is_none(store: Store):
    answers = prompts(store, 1, overlap=2)
    ann, bea, cleo, dan = people(store, "ann", "bea", "cleo", "dan")
    store.submit(ann.id, skip(ask(store, answers, ann)))
    store.submit(bea.id, wrote(ask(store, answers, bea)))
    assert store.next_task(answers.id, bea.id) is None
    store.submit(cleo.id, wrote(ask(store, answers, cleo)))
    assert store.next_task(answers.id, dan.id) is None
    counts = store.counts(answers.id)
    assert (counts.finished, counts.judgments, counts.skips) == (1, 2, 1)
    assert [(p.annotator, p.judgments, p.skips) for p in store.annotator_counts(answers.id)] == [
        ("ann", 0, 1),
        ("bea", 1, 0),
        ("cleo", 1, 0),
    ]


def test_a_written_answer_corrected_to_a_skip_frees_its_slot(store: Store):
    answers = prompts(store, 1)
    ann, bea = people(store, "ann", "bea")
    store.submit(ann.id, wrote(ask(store, answers, ann)))
    assert store.next_task(answers.id, bea.id) is None
    back = store.undo(answers.id, ann.id)
    assert back
    assert store.next_task(answers.id, ann.id) == back  # its slot is kept: no lease is needed
    store.submit(ann.id, skip(back))
    assert ask(store, answers, bea).task_id == back.task_id


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"written": None}, "written: is empty; write it first"),
        ({"written": " \n\t"}, "written: is empty"),
        ({"written": "x" * (LONGEST + 1)}, "written: has 50,001 characters; shorten it to 50,000"),
        ({"written": "\ud800"}, "written: has an unpaired surrogate"),
        ({"kind": "rank"}, "kind: the kind is 'rank'; it must be write or skip"),
        ({"prompt_flags": ("rude",)}, "prompt_flags: 'rude' is no flag"),
        ({"ratings": {"c0": 7}}, "ranks: are of completions"),
    ],
)
def test_what_is_no_answer_is_refused(store: Store, changes, says):
    answers = prompts(store)
    (ann,) = people(store, "ann")
    with pytest.raises(DataError, match=f"^{says}"):
        store.submit(ann.id, wrote(ask(store, answers, ann), **changes))
    assert list(store.judgments(answers.id)) == []


def test_a_ranking_is_no_place_for_an_answer(store: Store):
    essays = store.add_project("essays", dwell_seconds=0)
    store.import_groups(essays.id, [group(1)])
    (ann,) = people(store, "ann")
    task = ask(store, essays, ann)
    for changes, says in (
        ({"written": "x"}, "^written: is not asked for"),
        ({"kind": "write"}, "^kind: .* rank or skip"),
    ):
        with pytest.raises(DataError, match=says):
            store.submit(ann.id, ranking(task, **changes))


def test_only_prompts_alone_can_be_answered(store: Store):
    answers = prompts(store)
    with pytest.raises(DataError, match=r"group 'g9' has 3 completions; the task demonstrate needs prompts alone"):
        store.import_groups(answers.id, [group(9)])
    with pytest.raises(DataError, match=r"^rankings: of group 'g9' rank nothing"):
        store.import_groups(answers.id, [group(9, 0, (Ranking("x", ()),))])
    with pytest.raises(DataError, match=r"group 'g0' needs at least two completions to rank .*task demonstrate"):
        store.set_schema(answers.id, LabelSchema())
    essays = store.add_project("essays")
    store.import_groups(essays.id, [group(1)])
    with pytest.raises(DataError, match=r"group 'g1' has 3 completions"):
        store.set_schema(essays.id, preset("demonstrate"))


@pytest.mark.parametrize(
    "rows",
    [
        [{"id": "a", "prompt": "Why?"}, {"id": "b", "prompt": [{"role": "user", "content": "How?"}]}],
        [{"id": "a", "prompt": "Why?", "completions": []}, {"id": "b", "prompt": "How?", "completions": []}],
    ],
)
def test_prompts_come_from_rows_with_or_without_empty_completions(store: Store, tmp_path: Path, rows):
    path = tmp_path / "prompts.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    store.import_into("answers", read(path).groups, schema=preset("demonstrate"))
    (ann,) = people(store, "ann")
    task = ask(store, store.project("answers"), ann)
    assert task.prompt[0].content in ("Why?", "How?")


@pytest.fixture
def answered(store: Store) -> Project:
    """Two prompts, the first of a given split and written to by two people, beside an imported demonstration."""
    made = store.add_project("answers", schema=WRITE, dwell_seconds=0, overlap=2)
    asked = [
        Group("g0", (Message("system", "Be brief."), Message("user", "Why?")), (), source="mail", split="valid"),
        Group("g1", (Message("user", "How?"),), (), meta={"use_case": "chat"}),
    ]
    came = Demonstration("g1-ann", (Message("user", "Other?"),), "Yes.", "x")
    store.import_groups(made.id, asked, [came])
    ann, bea = people(store, "ann", "bea")
    for person, text in ((ann, "Ann's {}."), (bea, "Bea's {}.")):
        for _ in range(2):
            task = ask(store, made, person)
            if person == ann or task.group_id == "g0":
                flags = ("vague",) if task.group_id == "g1" else ()
                store.submit(person.id, wrote(task, text.format(task.group_id), prompt_flags=flags, seconds=5.0))
            else:
                store.submit(person.id, skip(task))
    return made


def test_the_snapshot_has_them_as_demonstrations(store: Store, answered: Project, tmp_path: Path):
    manifest = freeze(store, answered, tmp_path / "snap")
    rows = [json.loads(line) for line in (tmp_path / "snap" / "demonstrations.jsonl").read_text().splitlines()]
    assert [row["id"] for row in rows] == ["g1-ann", "g0-ann", "g0-bea", "g1-ann-2"]
    at = "2025-06-15T15:06:40Z"
    assert rows[1] == {
        "id": "g0-ann",
        "prompt": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why?"}],
        "completion": "Ann's g0.",
        "annotator": "ann",
        "source": "mail",
        "meta": {"group": "g0", "seconds": 5.0, "at": at, "prompt_flags": [], "split": "valid"},
    }
    assert rows[3]["meta"] == {"use_case": "chat", "group": "g1", "seconds": 5.0, "at": at, "prompt_flags": ["vague"]}
    counts = {"groups": 0, "rankings": 0, "edits": 0, "annotators": 2, "demonstrations": 4}
    assert manifest["counts"] == counts
    assert manifest["excluded"] == {"skipped_judgments": 1, "corrected_judgments": 0, "groups_without_ranking": 0}
    assert [(item["task"], item["demonstrations"]) for item in manifest["label_schemas"]] == [("demonstrate", 3)]
    before = (tmp_path / "snap" / "demonstrations.jsonl").read_bytes()
    freeze(store, answered, tmp_path / "again")
    assert (tmp_path / "again" / "demonstrations.jsonl").read_bytes() == before
    assert len(read_snapshot(tmp_path / "snap").demonstrations) == 4


def test_reward_sft_reads_them_with_their_split(store: Store, answered: Project, tmp_path: Path):
    freeze(store, answered, tmp_path / "snap")
    splits = read_splits([str(tmp_path / "snap")])
    assert {g.id for g in splits.valid} >= {"g0-ann", "g0-bea"}
    chats = {chat.id: chat.turns for chat in map(to_chat, (*splits.train, *splits.valid, *splits.test))}
    assert [(m.role, m.content) for m in chats["g0-bea"]] == [
        ("system", "Be brief."),
        ("user", "Why?"),
        ("assistant", "Bea's g0."),
    ]


def test_an_export_has_those_that_its_filters_leave(store: Store, answered: Project, tmp_path: Path):
    wanted = Export(to="trl-conversational", selection=Selection(annotators=("bea",)))
    manifest = export(store, answered, wanted, tmp_path / "out")
    rows = [json.loads(line) for line in (tmp_path / "out" / "demonstrations.jsonl").read_text().splitlines()]
    assert [row["completion"][0]["content"] for row in rows] == ["Yes.", "Bea's g0."]
    assert manifest["counts"]["demonstrations"] == 2


def test_only_the_answer_that_stands_is_in_the_snapshot(store: Store, tmp_path: Path):
    answers = prompts(store, 1)
    (ann,) = people(store, "ann")
    store.submit(ann.id, wrote(ask(store, answers, ann), "First."))
    back = store.undo(answers.id, ann.id)
    assert back
    store.submit(ann.id, wrote(back, EXACT))
    manifest = freeze(store, answers, tmp_path / "snap")
    (found,) = read_snapshot(tmp_path / "snap").demonstrations
    assert (found.id, found.completion) == ("g0-ann", EXACT)
    assert manifest["excluded"]["corrected_judgments"] == 1
