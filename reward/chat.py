"""Conversations → token ids with a mask of what the policy has to write, and the loss on just these tokens.

Demonstrations and dialogues are one format here: turns that end with the assistant's. The loss is on every assistant
turn, its end token included, so that the policy learns to stop; all else is context::

    <|im_start|>user ⏎ Hi<|im_end|> ⏎ <|im_start|>assistant ⏎ Hello!<|im_end|> ⏎ <|im_start|>user …
    ································································ ██████████ ·····················

The ids before an answer are exactly those from which sampling starts (`reward.policy`). Used by ``reward sft``, and by
whatever mixes the gradients of written texts into other training (InstructGPT, arXiv 2203.02155, eq. 2, second term)::

    chats, report = encode_chats([Chat("d1", turns)], tokenizer, max_length)
    for row in pack_chats(chats, budget):
        nll = row_nll(network, row)                       # (T,), or `reward.language.LanguageModel`, which is faster
        ((nll * row.weights).sum() / loss_weight(chats)).backward()
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from labeler.errors import ModelError
from labeler.records import Message, Prompt
from reward.data import Encoder, Ids, render_turns, shorten
from reward.packing import Block

NAMED = 3
"""So many of the conversations that were left out are named."""


@dataclass(frozen=True)
class Chat:
    """A conversation whose last turn is the assistant's; ``weight`` is how much its tokens count in the loss."""

    id: str
    turns: Prompt
    weight: float = 1.0


@dataclass(frozen=True, eq=False)
class EncodedChat:
    """Token ids of a conversation, up to the end of its last answer.

    Attributes:
        id: the conversation's id.
        ids: (L,) int32.
        learn: (L,) bool, True where the policy has to write the token.
        weight: how much its tokens count in the loss.
    """

    id: str
    ids: Ids
    learn: NDArray[np.bool_]
    weight: float = 1.0

    @property
    def learned(self) -> int:
        """Tokens with loss."""
        return int(self.learn.sum())


@dataclass(frozen=True)
class ChatReport:
    """What encoding did to the conversations.

    Attributes:
        chats, answers: how many conversations were given, and assistant turns in them.
        tokens, learned: how many tokens were encoded, and how many of them have loss.
        shortened: conversations that lost their oldest part.
        lost_answers: assistant turns that went with it, or with those that were left out.
        dropped: ids of conversations that do not fit even so.
    """

    chats: int
    answers: int
    tokens: int
    learned: int
    shortened: int = 0
    lost_answers: int = 0
    dropped: tuple[str, ...] = ()

    def lines(self) -> Iterator[str]:
        """What a person should know, one sentence each; nothing if all went in whole."""
        if self.shortened:
            yield f"{self.shortened} of {self.chats} conversations were shortened from their oldest turns to fit."
        if self.dropped:
            names = ", ".join(self.dropped[:NAMED]) + (", …" if len(self.dropped) > NAMED else "")
            yield f"Left out because they do not fit: {len(self.dropped)} of {self.chats} conversations ({names})."
        if self.lost_answers:
            yield f"{self.lost_answers} of {self.answers} answers are lost by that."


@dataclass(frozen=True, eq=False)
class ChatRow:
    """Whole conversations side by side in one row of L tokens, T of them with loss; none sees another.

    Attributes:
        input_ids: (1, L) int64.
        position_ids: (1, L) int64, restarting with each conversation.
        places: (T,) int64, index of the token before each one with loss: there its logits stand.
        targets: (T,) int64, the tokens with loss.
        weights: (T,) float32, of the conversation that each one is in.
        blocks: where the conversations lie; they cover the row without gaps.
        owners: index of each of them in the batch.
    """

    input_ids: Tensor
    position_ids: Tensor
    places: Tensor
    targets: Tensor
    weights: Tensor
    blocks: tuple[Block, ...]
    owners: tuple[int, ...]

    @property
    def tokens(self) -> int:
        """Tokens that the model reads."""
        return self.input_ids.numel()

    def to(self, device: torch.device) -> ChatRow:
        """The same row on a device."""
        names = ("input_ids", "position_ids", "places", "targets", "weights")
        return replace(self, **{name: getattr(self, name).to(device) for name in names})


def encode_chats(
    chats: Sequence[Chat], tokenizer: PreTrainedTokenizerBase, max_length: int
) -> tuple[list[EncodedChat], ChatReport]:
    """Token ids of conversations, and what was left out of them.

    One that is too long loses whole turns, oldest first, then the beginning of its last user turn, then its system
    message, as prompts do for the reward model; its last answer is never cut.

    Args:
        chats: conversations.
        tokenizer: prepared by `reward.tokenizer.prepare_tokenizer`.
        max_length: tokens that a conversation may have.

    Raises:
        ModelError: the chat template refuses a conversation, or does not close an answer.
    """
    encoder = Encoder(tokenizer, max_length)
    found: list[EncodedChat] = []
    shortened = lost = 0
    dropped = []
    for chat in chats:
        turns: Prompt | None = chat.turns
        if len(encode_turns(chat.turns, encoder)[0]) > max_length:
            turns = _shortened(chat, encoder)
            shortened += turns is not None
        if turns is None:
            dropped.append(chat.id)
        else:
            found.append(EncodedChat(chat.id, *encode_turns(turns, encoder), chat.weight))
        lost += answers(chat.turns) - answers(turns or ())
    tokens, learned = sum(len(each.ids) for each in found), sum(each.learned for each in found)
    given = sum(answers(chat.turns) for chat in chats)
    return found, ChatReport(len(chats), given, tokens, learned, shortened, lost, tuple(dropped))


def answers(turns: Prompt) -> int:
    """How many turns the policy has to write: the assistant's, but for one with nothing before it."""
    return sum(turn.role == "assistant" for turn in turns[1:])


def encode_turns(turns: Prompt, encoder: Encoder) -> tuple[Ids, NDArray[np.bool_]]:
    """Token ids (L,) of a conversation up to the end of its last answer, and (L,) True where the assistant speaks.

    The rendered text is tokenized as a whole. Where a token would lie across the beginning of an answer, the text is
    cut there, since the policy is asked to continue from the cut.

    Raises:
        ModelError: as `encode_chats`.
    """
    tokenizer = encoder.tokenizer
    places = [i for i, turn in enumerate(turns) if turn.role == "assistant" and i > 0]
    text = render_turns(tokenizer, turns)
    contexts = [render_turns(tokenizer, turns[:i], reply=True) for i in places]
    if not all(text.startswith(context) for context in contexts):
        raise ModelError(
            "the chat template of the base model renders the turns before an answer differently once it is there, so "
            "its tokens cannot be told apart; give the tokenizer another template"
        )
    whole, *before = encoder.ids([text, *contexts])
    starts = [len(ids) for ids in before]
    if any(whole[:start] != ids for start, ids in zip(starts, before, strict=True)):
        borders = [0, *map(len, contexts), len(text)]
        parts = encoder.ids([text[a:b] for a, b in pairwise(borders)])
        whole = [token for part in parts for token in part]
        starts = np.cumsum([len(part) for part in parts[:-1]]).tolist()
    learn = np.zeros(len(whole), dtype=bool)
    stop = 0
    for start, context, place in zip(starts, contexts, places, strict=True):
        stop = _end(whole, start, encoder, text[len(context) :], turns[place]) + 1
        learn[start:stop] = True
    return np.asarray(whole[:stop], dtype=np.int32), learn[:stop]


def turn_end(encoder: Encoder) -> int:
    """The token with which the chat template closes an answer."""
    ids, _ = encode_turns((Message("user", "a"), Message("assistant", "b")), encoder)
    return int(ids[-1])


def _end(ids: Sequence[int], start: int, encoder: Encoder, rest: str, turn: Message) -> int:
    """Index in ``ids`` of the special token that closes the answer from ``start``, whose text ``rest`` begins with.

    Special tokens that are written in the answer itself are passed over.
    """
    special = special_ids(encoder.tokenizer)
    content = turn.content.strip()  # many templates trim
    found = rest.find(content)
    written = "" if found < 0 else rest[: found + len(content)]
    inside = sum(token in special for token in encoder.ids([written])[0])
    closing = [place for place in range(start, len(ids)) if ids[place] in special]
    if len(closing) <= inside:
        raise ModelError(
            "the chat template of the base model closes an answer with no special token, so a policy could not learn "
            "to stop; give the tokenizer a template that puts its end token there"
        )
    return closing[inside]


def special_ids(tokenizer: PreTrainedTokenizerBase) -> frozenset[int]:
    """Ids of the tokens that stand for something else than text."""
    added = {token for token, shown in tokenizer.added_tokens_decoder.items() if shown.special}
    return frozenset(added | set(tokenizer.all_special_ids))


def _shortened(chat: Chat, encoder: Encoder) -> Prompt | None:
    """The conversation with its prompt shortened so that it fits, or None."""
    prompt, answer = chat.turns[:-1], chat.turns[-1]
    shorter = shorten(encoder, prompt, lambda turns: len(encode_turns((*turns, answer), encoder)[0]))
    return None if shorter is None else (*shorter, answer)


def pack_chats(chats: Sequence[EncodedChat], budget: int) -> list[ChatRow]:
    """Rows of at most ``budget`` tokens that hold every conversation once, first fit, longest first.

    One that is longer than the budget gets a row of its own.
    """
    rows: list[list[int]] = []
    room: list[int] = []
    for index in sorted(range(len(chats)), key=lambda i: -len(chats[i].ids)):
        size = len(chats[index].ids)
        place = next((row for row, left in enumerate(room) if size <= left), None)
        if place is None:
            rows.append([])
            room.append(budget)
            place = len(rows) - 1
        rows[place].append(index)
        room[place] -= size
    return [_row(chats, row) for row in rows]


def _row(chats: Sequence[EncodedChat], owners: Sequence[int]) -> ChatRow:
    chosen = [chats[index] for index in owners]
    starts = np.cumsum([0, *(len(chat.ids) for chat in chosen)]).tolist()
    learn = np.concatenate([chat.learn for chat in chosen])
    ids = torch.from_numpy(np.concatenate([chat.ids for chat in chosen]).astype(np.int64))
    learned = torch.from_numpy(np.flatnonzero(learn))
    weights = np.repeat([chat.weight for chat in chosen], [chat.learned for chat in chosen])
    return ChatRow(
        input_ids=ids[None],
        position_ids=torch.cat([torch.arange(len(chat.ids)) for chat in chosen])[None],
        places=learned - 1,
        targets=ids[learned],
        weights=torch.from_numpy(weights.astype(np.float32)),
        blocks=tuple(Block(start, len(chat.ids), ()) for start, chat in zip(starts, chosen, strict=False)),
        owners=tuple(owners),
    )


def loss_weight(chats: Sequence[EncodedChat]) -> float:
    """Σ weight · tokens with loss: what the summed loss of a batch is divided by."""
    return sum(chat.weight * chat.learned for chat in chats)


def nll(logits: Tensor, targets: Tensor) -> Tensor:
    """−log P(target) in nats, float32 (T,), from logits (T, V) and targets (T,)."""
    return nn.functional.cross_entropy(logits.float(), targets, reduction="none")


def row_nll(network: PreTrainedModel, row: ChatRow) -> Tensor:
    """The same (T,) of a row that holds one conversation, by a stock model; logits only where there is loss."""
    logits: Tensor = network(input_ids=row.input_ids, use_cache=False, logits_to_keep=row.places).logits
    return nll(logits[0], row.targets)
