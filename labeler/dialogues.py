"""Dialogues that people wrote, as what training reads. Pure.

A finished dialogue is one demonstration: its prompt is everything before the last turn of the assistant. Of replies
that were ranked each turn is a preference group: the prompt is the dialogue as it stood when the model was asked.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from labeler.chat import Dialogue, Turn, messages_of
from labeler.entities import Judgment
from labeler.records import Completion, Demonstration, Group, Prompt, Ranking


def opening(prompt: Prompt) -> Prompt:
    """A dialogue up to its first turn of the user: the turns of one dialogue share it, so that they are split alike."""
    first = next(index for index, message in enumerate(prompt) if message.role == "user")
    return prompt[: first + 1]


def demonstration(group: Group, judgment: Judgment) -> Demonstration | None:
    """A dialogue as a demonstration; ``meta.provenance`` has an entry for each turn of the assistant, in order."""
    dialogue = judgment.dialogue
    if dialogue is None:
        return None
    *before, last = messages_of(group.prompt, dialogue.turns)
    meta: dict[str, Any] = {
        "task": group.id,
        "turns": len(dialogue.turns),
        "provenance": [dialogue.provenance(turn) for turn in dialogue.turns if turn.role == "assistant"],
        "models": [_model(dialogue, turn) for turn in dialogue.turns if turn.role == "assistant"],
        "suggestions_shown": sum(len(offer.replies) for offer in dialogue.offers),
    }
    told = {"seconds": judgment.seconds, "at": judgment.at, "note": judgment.note}
    meta |= {name: value for name, value in told.items() if value is not None}
    return Demonstration(
        f"{group.id}/{judgment.annotator}", tuple(before), last.content, judgment.annotator, group.source, meta
    )


def _model(dialogue: Dialogue, turn: Turn) -> str | None:
    """What wrote the suggestion that a turn was made from."""
    if dialogue.provenance(turn) == "written":
        return None
    return next(offer.model for offer in dialogue.offers if offer.id == turn.offer)


def preferences(group: Group, judgment: Judgment) -> Iterator[Group]:
    """A group for each turn of a dialogue whose replies were ranked."""
    dialogue = judgment.dialogue
    if dialogue is None:
        return
    offers = {offer.id: offer for offer in dialogue.offers}
    for index, turn in enumerate(dialogue.turns):
        if turn.offer is None or turn.ranks is None:
            continue
        offer = offers[turn.offer]
        completions = tuple(Completion(f"r{i}", text, offer.model) for i, text in enumerate(offer.replies))
        order = tuple(completion.id for completion in completions)
        meta = {"task": group.id, "turn": index, "went_on_with": dialogue.provenance(turn)}
        yield Group(
            f"{group.id}/{judgment.annotator}/{index}",
            offer.messages,
            completions,
            (Ranking(judgment.annotator, turn.ranks, order=order, at=judgment.at),),
            group.source,
            group.split,
            meta | {"generation": dict(offer.parameters)},
        )
