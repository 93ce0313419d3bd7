"""Dialogues as values: whose turn it is, what makes one whole, and where its texts come from."""

from __future__ import annotations

import json

import pytest

from labeler.chat import (
    Dialogue,
    Offer,
    Turn,
    WrittenDialogue,
    dialogue_of,
    dialogue_row,
    finished,
    messages_of,
    next_role,
)
from labeler.endpoint_settings import Endpoint
from labeler.errors import DataError
from labeler.label_schema import LabelSchema, preset, schema_from, schema_row
from labeler.records import Group, Message

SYSTEM, ASK = Message("system", "Be brief."), Message("user", "Why?")
ENDPOINT = Endpoint("http://127.0.0.1:9/v1", "secret")
CHAT = LabelSchema("chat", all_bad=False, suggest=ENDPOINT)
RANKS = LabelSchema("chat", all_bad=False, suggest=ENDPOINT, replies=3)
OFFERS = {7: Offer(7, (ASK,), ("a", "b", "c"), "secret")}


def turns(*texts: str, first: str = "user") -> tuple[Turn, ...]:
    roles = ("user", "assistant") if first == "user" else ("assistant", "user")
    return tuple(Turn(roles[i % 2], text) for i, text in enumerate(texts))


def test_the_roles_take_turns_from_wherever_the_task_begins():
    assert next_role(()) == next_role((SYSTEM,)) == "user"
    assert next_role((SYSTEM, ASK)) == "assistant"
    assert next_role((ASK, Message("assistant", "So."))) == "user"
    said = messages_of((SYSTEM,), turns("Hello", "Hi"))
    assert said == (SYSTEM, Message("user", "Hello"), Message("assistant", "Hi"))
    with pytest.raises(DataError, match=r"turns\[0\].role: is the user's, but it is the turn of the assistant"):
        messages_of((ASK,), turns("Hello"))
    with pytest.raises(DataError, match=r"turns\[1\].text: must hold 1 to"):
        messages_of((), turns("Hello", " \n"))
    with pytest.raises(DataError, match="at most 200"):
        messages_of((), turns(*["x"] * 201))


def test_what_was_taken_is_told_from_what_was_changed_by_the_texts():
    assistant = [Turn("assistant", text, 7, reply) for text, reply in (("b", 1), ("b!", 1), ("own", None))]
    dialogue = Dialogue(tuple(assistant), tuple(OFFERS.values()))
    found = [dialogue.provenance(turn) for turn in assistant]
    assert found == ["suggestion accepted", "suggestion edited", "written"]


def test_a_dialogue_is_recorded_with_every_offer_that_was_shown_and_reads_back():
    others = OFFERS | {9: Offer(9, (ASK,), ("d",), "secret", {"n": 1}), 11: Offer(11, (ASK,), ("e",), "secret")}
    sent = WrittenDialogue((Turn("assistant", "b", 7, 1),), shown=(9,))
    dialogue = finished(sent, (ASK,), CHAT, others)
    assert [offer.id for offer in dialogue.offers] == [7, 9]  # 11 came too late to be shown
    assert dialogue_of(json.loads(json.dumps(dialogue_row(dialogue)))) == dialogue


@pytest.mark.parametrize(
    ("schema", "sent", "says"),
    [
        (CHAT, None, "dialogue: is missing"),
        (CHAT, WrittenDialogue(()), "must end with a turn of the assistant"),
        (CHAT, WrittenDialogue(turns("So.", "And?", first="assistant")), "must end with a turn of the assistant"),
        (CHAT, WrittenDialogue((Turn("assistant", "x", 8),)), r"turns\[0\].offer: names suggestions that were not"),
        (CHAT, WrittenDialogue((Turn("assistant", "x", 7, 3),)), r"reply: is 3; there were 3"),
        (CHAT, WrittenDialogue((Turn("assistant", "x", None, 1),)), "names no offer"),
        (CHAT, WrittenDialogue((Turn("assistant", "x", 7, 1, (1, 2, 3)),)), "are not asked for"),
        (CHAT, WrittenDialogue((Turn("assistant", "x"),), (5,)), "shown: names suggestions"),
        (RANKS, WrittenDialogue((Turn("assistant", "x", 7, 1),)), "must rank every reply"),
        (RANKS, WrittenDialogue((Turn("assistant", "x", 7, 1, (1, None, 2)),)), "must rank every reply"),
        (RANKS, WrittenDialogue((Turn("assistant", "x", 7, 1, (1, 2)),)), "must rank every reply"),
    ],
)
def test_what_is_no_whole_dialogue_is_refused(schema, sent, says):
    with pytest.raises(DataError, match=says):
        finished(sent, (ASK,), schema, OFFERS)


def test_an_offer_cannot_stand_beside_a_turn_of_the_user():
    sent = WrittenDialogue((Turn("user", "x", 7), Turn("assistant", "y")))
    with pytest.raises(DataError, match=r"turns\[0\].offer"):
        finished(sent, (), CHAT, OFFERS)


def test_ranks_are_kept_dense_and_a_turn_without_an_offer_needs_none():
    sent = WrittenDialogue((Turn("assistant", "x", 7, 1, (5, 2, 2)), Turn("user", "?"), Turn("assistant", "own")))
    assert [turn.ranks for turn in finished(sent, (ASK,), RANKS, OFFERS).turns] == [(2, 1, 1), None, None]


def test_the_settings_of_a_chat_read_back_and_wrong_ones_are_named():
    settings = {"task": "chat", "replies": 4, "suggest": {"url": "https://h/v1/", "model": "m", "temperature": 1}}
    schema = schema_from(settings)
    assert schema.suggest == Endpoint("https://h/v1", "m")
    assert (schema.offered, schema_from({"task": "chat"}).offered, CHAT.offered) == (4, 0, 3)
    assert schema_from(schema_row(schema)) == schema
    assert preset("chat").all_bad is False


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"replies": 3}, "replies: needs a model"),
        ({"replies": 1, "suggest": {"url": "http://h", "model": "m"}}, "replies: is 1; it must be 2 to 9"),
        ({"flags": ["hallucination"]}, "flags: is not asked in a chat"),
        ({"top": 2}, "top: "),
        ({"task": "rank", "suggest": {"url": "http://h", "model": "m"}}, "suggest: goes with the task chat"),
        ({"suggest": "http://h"}, "suggest: must be an object"),
        ({"suggest": {"url": "http://h"}}, "suggest.model: is missing"),
        ({"suggest": {"url": "http://h", "model": " "}}, "suggest.model: must name"),
        ({"suggest": {"url": "http://h", "model": "m", "key": "sk"}}, "suggest.key: is no setting"),
        ({"suggest": {"url": "file:///etc/passwd", "model": "m"}}, "suggest.url: .* must begin with http"),
        ({"suggest": {"url": "http://me:pw@h/v1", "model": "m"}}, "suggest.url: must hold no password"),
        ({"suggest": {"url": "http://h/v1?x=1", "model": "m"}}, "suggest.url: must hold no password, question mark"),
        ({"suggest": {"url": "http://h:x", "model": "m"}}, "suggest.url: .* is no address"),
        ({"suggest": {"url": "http://h", "model": "m", "number": 10}}, "suggest.number: is 10; it must be 1 to 9"),
        ({"suggest": {"url": "http://h", "model": "m", "number": 2.5}}, "suggest.number: is 2.5; it must be a whole"),
        ({"suggest": {"url": "http://h", "model": "m", "timeout": 0}}, "suggest.timeout: is 0; it must be 1 to 300"),
    ],
)
def test_wrong_settings_are_named(settings, says):
    with pytest.raises(DataError, match=says):
        schema_from({"task": "chat", **settings})


def test_a_prompt_may_be_empty_only_where_a_scenario_stands_in_its_place():
    assert Group("g", (), (), meta={"scenario": "Play a customer."}).prompt == ()
    with pytest.raises(DataError, match="the prompt is empty"):
        Group("g", (), ())
    with pytest.raises(DataError, match="has 1 completions; a chat goes on"):
        CHAT.check_count(1)
    CHAT.check_count(0)
