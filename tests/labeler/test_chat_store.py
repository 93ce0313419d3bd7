"""Dialogues in the database: offers and their limits, judgments, corrections, and what a snapshot makes of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from store_helpers import ask, check_counters, group, people, ranking

from labeler.chat import Offer, Turn, WrittenDialogue
from labeler.endpoint_settings import Endpoint
from labeler.errors import DataError, PermissionDeniedError
from labeler.formats import read, split_of
from labeler.formats.keys import prompt_key
from labeler.label_schema import LabelSchema
from labeler.offers import MOST_A_MINUTE, TooManyError
from labeler.records import Group, Message
from labeler.review_desk import ReviewDesk
from labeler.snapshot import freeze, read_snapshot
from labeler.store import Assignment, Project, Store, Submission
from labeler.threads import Threads

SYSTEM, ASK = Message("system", "Be brief."), Message("user", "Why?")
ENDPOINT = Endpoint("http://127.0.0.1:9/v1", "secret", timeout=30)
HELLO = (Turn("user", "Hello"),)


def chat(store: Store, *groups: Group, overlap: int = 1, replies: int | None = None) -> Project:
    schema = LabelSchema("chat", all_bad=False, suggest=ENDPOINT, replies=replies)
    made = store.add_project("talks", schema=schema, overlap=overlap, dwell_seconds=0)
    begun = groups or (Group("d1", (SYSTEM,), (), source="mine", meta={"scenario": "Play a customer."}),)
    store.import_groups(made.id, begun)
    return store.project("talks")


def offer(store: Store, user_id: int, task: Assignment, turns: tuple[Turn, ...], *texts: str) -> Offer:
    request = store.begin_offer(user_id, task.task_id, turns)
    assert request.endpoint == ENDPOINT
    made = Offer(request.offer_id, request.messages, texts or ("a", "b", "c"), "secret", {"n": 3})
    store.end_offer(made.id, made)
    return made


def submission(task: Assignment, name: str, *turns: Turn, shown: tuple[int, ...] = ()) -> Submission:
    return Submission(name, task.task_id, "rank", seconds=9.5, dialogue=WrittenDialogue(turns, shown))


def test_a_task_comes_with_its_scenario_and_the_offers_that_were_made(store: Store):
    (ann, bob), project = people(store, "ann", "bob"), chat(store, overlap=2)
    task = ask(store, project, ann)
    assert (task.scenario, task.prompt, task.completions, task.offers) == ("Play a customer.", (SYSTEM,), (), ())
    made = offer(store, ann.id, task, HELLO)
    assert made.messages == (SYSTEM, Message("user", "Hello"))
    assert ask(store, project, ann).offers == (made,)
    assert ask(store, project, bob).offers == ()


def test_reviewers_read_dialogues_and_give_them_no_final_answer(store: Store):
    (ann,), boss = people(store, "ann"), store.add_user("boss", "manager")
    project = chat(store, Group("d1", (), (), meta={"scenario": "Play a customer."}))
    task = ask(store, project, ann)
    made = offer(store, ann.id, task, HELLO)
    judgment = store.submit(ann.id, submission(task, "s1", *HELLO, Turn("assistant", "b", made.id, 1)))
    Threads(store).post(task.task_id, ann.id, "Is this one?")
    (unread,), desk = Threads(store).unread(project.id, boss.id), ReviewDesk(store)
    (listed,) = desk.listing(project.id, boss.id, "commented").tasks
    assert unread.preview == listed.preview == "Play a customer."
    assert desk.task(task.task_id, boss.id).judgments == (judgment,)
    own = Submission("own", task.task_id, "rank")
    for said, accepted in ((own, None), (None, judgment.id)):
        with pytest.raises(DataError, match="no final answer"):
            desk.decide(boss.id, said, task_id=task.task_id, submission_id="d", accepted=accepted, seen=None)
    assert desk.one_more(task.task_id, boss.id) == 2
    check_counters(store, project)


def test_a_dialogue_is_recorded_with_the_offers_and_can_be_corrected(store: Store):
    (ann,), project = people(store, "ann"), chat(store)
    task = ask(store, project, ann)
    made, late = offer(store, ann.id, task, HELLO), offer(store, ann.id, task, HELLO, "x")
    said = (*HELLO, Turn("assistant", "b!", made.id, 1))
    judgment = store.submit(ann.id, submission(task, "s1", *said))
    assert store.submit(ann.id, submission(task, "s1", *said)) == judgment
    assert (judgment.ranking, judgment.kind) == (None, "rank")
    assert judgment.dialogue
    assert (judgment.dialogue.turns, judgment.dialogue.offers) == (said, (made,))  # the late one was never shown
    assert late.id not in {each.id for each in judgment.dialogue.offers}
    assert store.progress(project.id, ann.id).done == 1
    assert store.history(project.id, ann.id)[0].summary == "a dialogue of 2 turns"

    again = store.undo(project.id, ann.id)
    assert again
    assert again.draft
    kept = again.draft["dialogue"]
    assert [turn["text"] for turn in kept["turns"]] == ["Hello", "b!"]
    assert (kept["shown"], kept["done"]) == ([made.id], True)
    corrected = store.submit(ann.id, submission(task, "s2", *HELLO, Turn("assistant", "own")))
    assert corrected.supersedes == judgment.id
    assert store.counts(project.id).corrections == 1


def test_a_dialogue_without_a_prompt_begins_with_what_is_written(store: Store):
    (ann,) = people(store, "ann")
    project = chat(store, Group("d1", (), (), meta={"scenario": "You lost a parcel."}))
    task = ask(store, project, ann)
    store.submit(ann.id, submission(task, "s1", *HELLO, Turn("assistant", "Hi")))
    assert store.history(project.id, ann.id)[0].prompt_preview == "You lost a parcel."


def test_what_does_not_fit_is_refused_and_nothing_is_recorded(store: Store):
    (ann, bob), project = people(store, "ann", "bob"), chat(store)
    task = ask(store, project, ann)
    made = offer(store, ann.id, task, HELLO)
    with pytest.raises(DataError, match="dialogue: is missing"):
        store.submit(ann.id, Submission("s1", task.task_id, "rank"))
    with pytest.raises(DataError, match="must end with a turn of the assistant"):
        store.submit(ann.id, submission(task, "s2", *HELLO))
    with pytest.raises(DataError, match="turns: must end with a turn of the user"):
        store.begin_offer(ann.id, task.task_id, ())
    with pytest.raises(PermissionDeniedError, match="was not given to bob"):
        store.begin_offer(bob.id, task.task_id, HELLO)
    assert list(store.judgments(project.id)) == []

    ranks = store.add_project("ranks")
    with pytest.raises(DataError, match="completions"):
        store.import_groups(ranks.id, [Group("g", (ASK,), ())])
    other = people(store, "cid")[0]
    store.import_groups(project.id, [Group("d2", (), (), meta={"scenario": "Another."})])
    foreign = ask(store, project, other)
    with pytest.raises(DataError, match="names suggestions that were not made"):
        store.submit(other.id, submission(foreign, "s3", *HELLO, Turn("assistant", "a", made.id, 0)))


def test_a_dialogue_is_refused_where_a_ranking_is_asked(store: Store):
    (ann,) = people(store, "ann")
    made = store.add_project("ranks", dwell_seconds=0)
    store.import_groups(made.id, [group(1)])
    task = ask(store, made, ann)
    with pytest.raises(DataError, match="dialogue: is not asked for"):
        store.submit(ann.id, ranking(task, dialogue=WrittenDialogue(HELLO)))


def test_requests_are_one_at_a_time_and_few_a_minute(store: Store, clock):
    (ann, bob), project = people(store, "ann", "bob"), chat(store, overlap=2)
    task = ask(store, project, ann)
    first = store.begin_offer(ann.id, task.task_id, HELLO)
    with pytest.raises(TooManyError, match="still being written"):
        store.begin_offer(ann.id, task.task_id, HELLO)
    store.end_offer(first.offer_id, None)
    assert ask(store, project, ann).offers == ()  # it failed: nothing was offered
    for _ in range(MOST_A_MINUTE - 1):
        offer(store, ann.id, task, HELLO)
    with pytest.raises(TooManyError, match=f"{MOST_A_MINUTE} times within a minute"):
        store.begin_offer(ann.id, task.task_id, HELLO)
    offer(store, bob.id, ask(store, project, bob), HELLO)  # others are not concerned
    clock.now += 61
    offer(store, ann.id, task, HELLO)


def test_a_request_that_was_lost_with_its_server_does_not_block_for_ever(store: Store, clock):
    (ann,), project = people(store, "ann"), chat(store)
    task = ask(store, project, ann)
    store.begin_offer(ann.id, task.task_id, HELLO)
    clock.now += 41  # the wait of 30 seconds, and some
    offer(store, ann.id, task, HELLO)


def test_a_snapshot_has_each_dialogue_as_a_demonstration_and_each_ranked_turn_as_a_group(store: Store, tmp_path: Path):
    (ann, bob), project = people(store, "ann", "bob"), chat(store, overlap=2, replies=3)
    task = ask(store, project, ann)
    first = offer(store, ann.id, task, HELLO)
    then = (*HELLO, Turn("assistant", "b", first.id, 1, (2, 1, 2)), Turn("user", "And?"))
    second = offer(store, ann.id, task, then, "d", "e", "f")
    said = (*then, Turn("assistant", "f, more or less", second.id, 2, (3, 2, 1)))
    store.submit(ann.id, submission(task, "s1", *said))
    task = ask(store, project, bob)
    store.submit(bob.id, submission(task, "s2", *HELLO, Turn("assistant", "Mine.")))

    manifest = freeze(store, project, tmp_path / "snapshot")
    found = read_snapshot(tmp_path / "snapshot")
    assert manifest["counts"] == manifest["counts"] | {"groups": 2, "rankings": 2, "demonstrations": 2}
    assert manifest["excluded"]["groups_without_ranking"] == 0

    hello = (SYSTEM, Message("user", "Hello"))
    one, two = found.groups
    assert (one.id, one.prompt) == ("d1/ann/1", hello)
    assert [(c.id, c.text, c.model) for c in one.completions] == [(f"r{i}", t, "secret") for i, t in enumerate("abc")]
    (ranking,) = one.rankings
    assert (ranking.annotator, ranking.ranks, ranking.order) == ("ann", (2, 1, 2), ("r0", "r1", "r2"))
    assert one.meta["went_on_with"] == "suggestion accepted"
    assert (two.id, two.prompt[-1], two.rankings[0].ranks) == ("d1/ann/3", Message("user", "And?"), (3, 2, 1))
    assert one.split == two.split == split_of(prompt_key(hello), seed=project.seed)

    ann_demo, bob_demo = found.demonstrations
    assert (ann_demo.id, ann_demo.completion, ann_demo.annotator) == ("d1/ann", "f, more or less", "ann")
    assert [message.content for message in ann_demo.prompt] == ["Be brief.", "Hello", "b", "And?"]
    assert ann_demo.meta["provenance"] == ["suggestion accepted", "suggestion edited"]
    assert ann_demo.meta["models"] == ["secret", "secret"]
    assert (bob_demo.meta["provenance"], bob_demo.meta["models"]) == (["written"], [None])
    assert bob_demo.meta["seconds"] == 9.5


def test_suggestions_that_were_shown_and_not_used_are_kept_with_the_judgment(store: Store):
    (ann,), project = people(store, "ann"), chat(store)
    task = ask(store, project, ann)
    made = offer(store, ann.id, task, HELLO)
    store.submit(ann.id, submission(task, "s1", *HELLO, Turn("assistant", "own", made.id), shown=(made.id,)))
    (judgment,) = store.judgments(project.id)
    assert judgment.dialogue
    assert judgment.dialogue.offers == (made,)
    assert judgment.dialogue.provenance(judgment.dialogue.turns[1]) == "written"


def test_a_skipped_dialogue_goes_to_somebody_else(store: Store):
    (ann, bob), project = people(store, "ann", "bob"), chat(store)
    task = ask(store, project, ann)
    store.submit(ann.id, Submission("s1", task.task_id, "skip", reason="not my subject"))
    assert store.next_task(project.id, ann.id) is None
    assert ask(store, project, bob).task_id == task.task_id


def test_starts_of_dialogues_are_read_from_files(tmp_path: Path):
    rows = [
        {"id": "a", "scenario": "Play a customer.", "system": "You sell shoes."},
        {"id": "b", "system": "Be brief.", "prompt": "Why is the sky blue?"},
        {"id": "c", "prompt": [{"role": "user", "content": "Hello"}]},
        {"scenario": "Ask for a poem."},
    ]
    path = tmp_path / "starts.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = read(path)
    assert found.format == "prompts"
    begun = [([(m.role, m.content) for m in group.prompt], group.meta.get("scenario")) for group in found.groups]
    assert begun == [
        ([("system", "You sell shoes.")], "Play a customer."),
        ([("system", "Be brief."), ("user", "Why is the sky blue?")], None),
        ([("user", "Hello")], None),
        ([], "Ask for a poem."),
    ]
    path.write_text(json.dumps({"system": "x", "prompt": [{"role": "system", "content": "y"}]}) + "\n")
    with pytest.raises(DataError, match="system: is there beside a system message"):
        read(path)
