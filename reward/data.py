"""Groups → token ids: the only place that renders a prompt and a completion to text.

What people judged is what is scored. `render` puts the whole conversation through the tokenizer's chat template,
nothing is stripped, and the text is tokenized without adding special tokens, so that any other program that tokenizes
the same text gets the same ids. What does not fit the context is shortened by one rule (`fit`) that looks only at the
prompt and this one completion, never at the others of its group, so a score does not depend on company.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from itertools import combinations
from operator import add

import numpy as np
from jinja2 import TemplateError
from numpy.typing import NDArray
from transformers import PreTrainedTokenizerBase

from labeler.errors import ModelError
from labeler.records import Group, Message, Prompt
from reward.judgments import NONE, Judgments, single_judgments

Ids = NDArray[np.int32]

STEPS = 16
"""A prompt that is too long loses tokens in steps of max_length / STEPS: completions of about the same length then lose
the same ones and still share their prompt."""


@dataclass(frozen=True)
class Pair:
    """``share`` (0 to 1) of the votes put completion ``i`` above ``j``; ties are left out."""

    i: int
    j: int
    share: float


@dataclass(frozen=True)
class RankedList:
    """One person's ranking: ``ranks`` (1 best, ties equal, None not ranked) of the kept completions, and its weight."""

    ranks: tuple[int | None, ...]
    weight: float


@dataclass(frozen=True, eq=False)
class EncodedGroup:
    """Token ids of one group, and what people said of it.

    Attributes:
        id: the group's id.
        kept: indices of the completions that fit (K of them); everything below counts in this order.
        prefix: the longest common start of the K sequences, short enough that every tail has at least one token.
        tails: what follows the prefix, one array per kept completion.
        pairs: compared pairs of kept completions.
        rankings: every person's ranking of the kept completions.
        judgments: what each person said of each pair of kept completions, ties included.
    """

    id: str
    kept: tuple[int, ...]
    prefix: Ids
    tails: tuple[Ids, ...]
    pairs: tuple[Pair, ...]
    rankings: tuple[RankedList, ...]
    judgments: Judgments = NONE

    @property
    def tokens(self) -> int:
        """Tokens when the prefix is held once."""
        return len(self.prefix) + sum(len(tail) for tail in self.tails)

    def sequence(self, k: int) -> Ids:
        """The whole sequence of kept completion k."""
        return np.concatenate([self.prefix, self.tails[k]])


@dataclass(frozen=True)
class EncodingReport:
    """What encoding did to the data.

    Attributes:
        groups, completions: how many were encoded, and of how many completions.
        shortened: completions whose prompt lost its oldest part.
        dropped: "group id / completion id" of completions that do not fit even so; their pairs are gone with them.
        altered: completions that the chat template changed, e.g. by trimming spaces.
        lost_pairs: compared pairs that are gone.
    """

    groups: int = 0
    completions: int = 0
    shortened: int = 0
    dropped: tuple[str, ...] = ()
    altered: int = 0
    lost_pairs: int = 0

    def __add__(self, other: EncodingReport) -> EncodingReport:
        """The report of what both are about."""
        return EncodingReport(**{name: value + getattr(other, name) for name, value in vars(self).items()})

    def lines(self) -> Iterator[str]:
        """What a person should know, one sentence each; nothing if all went in whole."""
        if self.shortened:
            yield f"{self.shortened} of {self.completions} prompts were shortened from their oldest part to fit."
        if self.dropped:
            names = ", ".join(self.dropped[:3]) + (", …" if len(self.dropped) > 3 else "")
            yield f"{len(self.dropped)} completions do not fit and are left out with {self.lost_pairs} pairs: {names}."
        if self.altered:
            yield f"{self.altered} completions are changed by the base model's chat template (it trims or rewrites)."


@dataclass(frozen=True)
class Encoder:
    """How text becomes token ids for one model.

    Args:
        tokenizer: prepared by `reward.tokenizer.prepare_tokenizer`.
        max_length: tokens that a prompt and a completion may have together.
        share_prefix: False for bidirectional models, which cannot share the prompt between completions.
    """

    tokenizer: PreTrainedTokenizerBase
    max_length: int
    share_prefix: bool = True

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text; no special token is added, those written in the text count."""
        rows: list[list[int]] = self.tokenizer(
            list(texts), add_special_tokens=False, padding=False, truncation=False, verbose=False
        )["input_ids"]
        return rows

    def group(self, group: Group) -> tuple[EncodedGroup, EncodingReport]:
        """The token ids of a group, with what was left out."""
        texts = [render(self.tokenizer, group.prompt, c.text) for c in group.completions]
        fitted: dict[int, list[int]] = {}
        shortened = 0
        for k, ids in enumerate(self.ids(texts) if texts else []):
            found: list[int] | None = ids
            if len(ids) > self.max_length:
                found = fit(self, group.prompt, group.completions[k].text)
                shortened += found is not None
            if found is not None:
                fitted[k] = found
        kept = tuple(fitted)
        rows = [np.asarray(ids, dtype=np.int32) for ids in fitted.values()]
        size = common_prefix(rows) if self.share_prefix else 0
        prefix = rows[0][:size] if rows else np.zeros(0, dtype=np.int32)
        pairs = tuple(compared_pairs(group, kept))
        tails = tuple(row[size:] for row in rows)
        rankings = tuple(ranked_lists(group, kept))
        encoded = EncodedGroup(group.id, kept, prefix, tails, pairs, rankings, single_judgments(group, kept))
        lost = len(list(compared_pairs(group, range(len(texts))))) - len(pairs)
        gone = tuple(f"{group.id}/{c.id}" for k, c in enumerate(group.completions) if k not in fitted)
        altered = sum(c.text not in text for c, text in zip(group.completions, texts, strict=True))
        return encoded, EncodingReport(1, len(texts), shortened, gone, altered, lost)

    def groups(self, groups: Sequence[Group]) -> tuple[list[EncodedGroup], EncodingReport]:
        """The token ids of many groups, with one report for all."""
        done = [self.group(group) for group in groups]
        return [encoded for encoded, _ in done], reduce(add, (report for _, report in done), EncodingReport())


def render(tokenizer: PreTrainedTokenizerBase, prompt: Prompt, completion: str) -> str:
    """The text that is scored: the conversation with the completion as its last turn, through the chat template.

    Raises:
        ModelError: the template refuses this conversation (e.g. a system message that its model does not know).
    """
    return render_turns(tokenizer, (*prompt, Message("assistant", completion)))


def render_turns(tokenizer: PreTrainedTokenizerBase, turns: Prompt, *, reply: bool = False) -> str:
    """A conversation through the chat template; with ``reply`` up to where the assistant's next turn begins.

    Raises:
        ModelError: the template refuses it.
    """
    messages = [{"role": m.role, "content": m.content} for m in turns]
    try:
        text: str = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=reply)
    except (TemplateError, ValueError) as error:
        told = ", ".join(m.role for m in turns)
        raise ModelError(
            f"the chat template of the base model refuses a conversation of {told}: {error}; choose another base or "
            "leave out such prompts"
        ) from error
    return text


def fit(encoder: Encoder, prompt: Prompt, completion: str) -> list[int] | None:
    """Token ids of a pair that is too long, with the prompt shortened from its oldest part; None if it cannot fit.

    First whole turns go, oldest first, up to the last user turn; then that turn loses its oldest tokens; the system
    message goes last. The completion is never touched.
    """
    shorter = shorten(
        encoder, prompt, lambda turns: len(encoder.ids([render(encoder.tokenizer, turns, completion)])[0])
    )
    return None if shorter is None else encoder.ids([render(encoder.tokenizer, shorter, completion)])[0]


def shorten(encoder: Encoder, prompt: Prompt, measure: Callable[[Prompt], int]) -> Prompt | None:
    """The longest shortened version of a prompt that ``measure`` puts at ``max_length`` tokens or fewer, or None."""
    for candidates in shortenings(encoder, prompt):
        low, high, best = 0, len(candidates) - 1, None
        while low <= high:  # the candidates get shorter: find the first that fits
            middle = (low + high) // 2
            if measure(candidates[middle]) <= encoder.max_length:
                high, best = middle - 1, candidates[middle]
            else:
                low = middle + 1
        if best is not None:
            return best
    return None


def shortenings(encoder: Encoder, prompt: Prompt) -> Iterator[list[Prompt]]:
    """Ever shorter versions of a prompt: with its system message, then (where it has one) without."""
    system = tuple(m for m in prompt[:1] if m.role == "system")
    turns = prompt[len(system) :]
    users = [i for i, m in enumerate(turns) if m.role == "user"]
    shorter = [turns[i:] for i in users[1:]]
    if users:
        last = turns[users[-1]]
        rest = turns[users[-1] + 1 :]
        shorter += [(replace(last, content=text), *rest) for text in _cuts(encoder, last)]
    yield [system + candidate for candidate in shorter]
    if system and turns:
        yield [turns, *shorter]


def _cuts(encoder: Encoder, message: Message) -> Iterator[str]:
    """The message without its oldest tokens, a step more each time; about one step is always left."""
    step = max(1, encoder.max_length // STEPS)
    offsets = encoder.tokenizer(
        message.content, add_special_tokens=False, return_offsets_mapping=True, truncation=False, verbose=False
    )["offset_mapping"]
    for cut in range(step, len(offsets), step):
        yield message.content[offsets[cut][0] :]


def common_prefix(rows: Sequence[Ids]) -> int:
    """Length of the longest common start of all rows that leaves each row at least one token."""
    if not rows:
        return 0
    size = max(0, min(len(row) for row in rows) - 1)
    for row in rows[1:]:
        differs = np.flatnonzero(rows[0][:size] != row[:size])
        size = int(differs[0]) if len(differs) else size
    return size


def compared_pairs(group: Group, kept: Sequence[int]) -> Iterator[Pair]:
    """Pairs of kept completions with at least one strict vote; votes count by the weight of their ranking."""
    for i, j in combinations(range(len(kept)), 2):
        votes = [(r.compare(kept[i], kept[j]), 1.0 if r.weight is None else r.weight) for r in group.rankings]
        wins = sum(weight for verdict, weight in votes if verdict == 1)
        losses = sum(weight for verdict, weight in votes if verdict == -1)
        if wins + losses > 0:
            yield Pair(i, j, wins / (wins + losses))


def ranked_lists(group: Group, kept: Sequence[int]) -> Iterator[RankedList]:
    """Every ranking that prefers anything among the kept completions."""
    for ranking in group.rankings:
        weight = 1.0 if ranking.weight is None else ranking.weight
        ranks = tuple(ranking.ranks[k] for k in kept)
        if weight > 0 and len({rank for rank in ranks if rank is not None}) > 1:
            yield RankedList(ranks, weight)
