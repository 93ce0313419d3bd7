"""Dialogues that one person writes in both roles, with replies that a model offers. Pure.

A dialogue goes on from the messages of its task. Each turn of the assistant was written, or was taken from an *offer*:
the replies that a model gave to the dialogue as it stood. What was taken is told from what was taken and then changed
by comparing the texts, never by what a browser says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from labeler.errors import DataError
from labeler.label_schema import LabelSchema
from labeler.records import Message, Prompt, Ranks, Role, check_text, dense_ranks

Provenance = Literal["written", "suggestion accepted", "suggestion edited"]
MOST_TURNS = 200
LONGEST_TURN = 50_000
"""Characters."""


@dataclass(frozen=True, slots=True)
class Offer:
    """Replies of a model to a dialogue as it stood.

    Attributes:
        messages: that dialogue, up to a turn of the user.
        replies: the texts, in the order in which they were shown.
        model: what wrote them, under the project's name for it.
        parameters: how it was asked, and what the server said of itself.
    """

    id: int
    messages: Prompt
    replies: tuple[str, ...]
    model: str
    parameters: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Turn:
    """A turn on its way in.

    Attributes:
        offer: id of the offer that stood beside it, None without one.
        reply: the offer's reply that it was made from, by number from 0; None where it was written freely.
        ranks: of the offer's replies, 1 best, where they were ranked.
    """

    role: Role
    text: str
    offer: int | None = None
    reply: int | None = None
    ranks: Ranks | None = None


@dataclass(frozen=True, slots=True)
class WrittenDialogue:
    """What the page sends: the turns, and the ids of all offers that were shown."""

    turns: tuple[Turn, ...]
    shown: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Writing:
    """The turn that is being written; see `Turn`. Of the ranks some may still be missing."""

    text: str = ""
    offer: int | None = None
    reply: int | None = None
    ranks: Ranks | None = None


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A dialogue as a draft holds it; `done` says that it is marked as finished."""

    turns: tuple[Turn, ...] = ()
    shown: tuple[int, ...] = ()
    writing: Writing = field(default_factory=Writing)
    done: bool = False


@dataclass(frozen=True, slots=True)
class Dialogue:
    """A finished dialogue as recorded: the turns behind the task's own messages, and every offer that was shown."""

    turns: tuple[Turn, ...]
    offers: tuple[Offer, ...] = ()

    def provenance(self, turn: Turn) -> Provenance:
        """Where the text of a turn comes from."""
        if turn.offer is None or turn.reply is None:
            return "written"
        offer = next(offer for offer in self.offers if offer.id == turn.offer)
        return "suggestion accepted" if turn.text == offer.replies[turn.reply] else "suggestion edited"


def messages_of(start: Prompt, turns: Sequence[Turn]) -> Prompt:
    """The whole dialogue.

    Raises:
        DataError: a turn is empty or too long, or two of the same role follow each other.
    """
    if len(turns) > MOST_TURNS:
        raise DataError(f"has {len(turns)} turns; at most {MOST_TURNS} can be kept", field="dialogue")
    said = list(start)
    for index, turn in enumerate(turns):
        where = f"dialogue.turns[{index}]"
        if not turn.text.strip() or len(turn.text) > LONGEST_TURN:
            raise DataError(f"must hold 1 to {LONGEST_TURN:,} characters", field=f"{where}.text")
        check_text(turn.text, f"{where}.text")
        if turn.role != next_role(said):
            raise DataError(f"is the {turn.role}'s, but it is the turn of the {next_role(said)}", field=f"{where}.role")
        said.append(Message(turn.role, turn.text))
    return tuple(said)


def next_role(messages: Sequence[Message]) -> Role:
    """Whose turn it is: the assistant's after the user's, else the user's."""
    return "assistant" if messages and messages[-1].role == "user" else "user"


def finished(
    written: WrittenDialogue | None, start: Prompt, schema: LabelSchema, offers: Mapping[int, Offer]
) -> Dialogue:
    """A dialogue as it is recorded.

    Args:
        written: what the person sent; None where they sent no dialogue at all.
        start: the messages of the task.
        schema: what the project asks.
        offers: every offer that this person was given for this task, by id.

    Raises:
        DataError: it is no whole dialogue, refers to what was not offered, or lacks a ranking that is asked for.
    """
    if written is None:
        raise DataError("is missing; this project asks for one", field="dialogue")
    messages_of(start, written.turns)
    if not written.turns or written.turns[-1].role != "assistant":
        raise DataError("must end with a turn of the assistant", field="dialogue")
    turns = tuple(_checked(turn, f"dialogue.turns[{i}]", schema, offers) for i, turn in enumerate(written.turns))
    named = {*written.shown, *(turn.offer for turn in turns if turn.offer is not None)}
    if not named <= offers.keys():
        raise DataError("names suggestions that were not made for this task", field="dialogue.shown")
    return Dialogue(turns, tuple(offers[number] for number in sorted(named)))


def _checked(turn: Turn, where: str, schema: LabelSchema, offers: Mapping[int, Offer]) -> Turn:
    if turn.offer is None:
        if turn.reply is not None or turn.ranks is not None:
            raise DataError("names no offer that its reply or ranks belong to", field=f"{where}.offer")
        return turn
    if turn.role != "assistant" or turn.offer not in offers:
        raise DataError("names suggestions that were not made for it", field=f"{where}.offer")
    count = len(offers[turn.offer].replies)
    if turn.reply is not None and not 0 <= turn.reply < count:
        raise DataError(f"is {turn.reply}; there were {count} replies", field=f"{where}.reply")
    if not schema.replies:
        if turn.ranks is not None:
            raise DataError("are not asked for in this project", field=f"{where}.ranks")
        return turn
    if turn.ranks is None or len(turn.ranks) != count or None in turn.ranks:
        raise DataError("must rank every reply that was offered", field=f"{where}.ranks")
    return Turn(turn.role, turn.text, turn.offer, turn.reply, dense_ranks(turn.ranks))


def dialogue_row(dialogue: Dialogue) -> dict[str, Any]:
    """A dialogue as the database keeps it."""
    return asdict(dialogue)


def dialogue_of(row: Mapping[str, Any]) -> Dialogue:
    """What `dialogue_row` wrote."""
    turns = (
        Turn(**{**turn, "ranks": None if turn["ranks"] is None else tuple(turn["ranks"])}) for turn in row["turns"]
    )
    return Dialogue(tuple(turns), tuple(map(offer_of, row["offers"])))


def offer_row(offer: Offer) -> dict[str, Any]:
    """An offer as the database keeps it."""
    return asdict(offer)


def offer_of(row: Mapping[str, Any]) -> Offer:
    """What `offer_row` wrote."""
    said = tuple(Message(message["role"], message["content"]) for message in row["messages"])
    return Offer(row["id"], said, tuple(row["replies"]), row["model"], row["parameters"])


def as_draft(dialogue: Dialogue) -> dict[str, Any]:
    """A recorded dialogue as the draft of its correction."""
    return asdict(Unfinished(dialogue.turns, tuple(offer.id for offer in dialogue.offers), done=True))
