r"""Chosen against rejected: TRL, OpenRLHF and HH-RLHF transcripts (RewardBench: see `benchmarks`).

A real row of each::

    {"prompt": "The sky is", "chosen": " blue.", "rejected": " green.", "margin": 1.0}                  TRL standard
    {"prompt": [{"role": "user", "content": "Hi"}], "chosen": [{"role": "assistant", …}], "rejected": […]}  TRL chat
    {"input": [{"role": "user", …}], "chosen": "Yes.", "rejected": "No."}                               OpenRLHF
    {"chosen": "\n\nHuman: Hi\n\nAssistant: Hello!", "rejected": "\n\nHuman: Hi\n\nAssistant: Go."}     HH-RLHF

Every row becomes its own group, also where two rows share the prompt. Texts are never stripped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from labeler.errors import DataError
from labeler.formats import fields
from labeler.formats.fields import Row
from labeler.formats.native import prompt_rows
from labeler.formats.spec import Place, Record, annotator, build_group, completions, own_id
from labeler.records import Demonstration, Group, Message, Prompt, Ranking, Role, check_text

_PAIR = frozenset({"chosen", "rejected"})
_OPENRLHF_PROMPTS = ("context_messages", "context", "input")
_TURN = re.compile(r"\n\n(Human|Assistant):")
_SPEAKERS: dict[str, Role] = {"Human": "user", "Assistant": "assistant"}
_MARGINS = {1: 0.0, 2: 1 / 3, 3: 2 / 3, 4: 1.0}  # Llama 2 (arXiv 2307.09288), table 27, "margin small"


def is_pair(row: Row) -> bool:
    """A TRL preference row, or its prompt-completion row."""
    return "chosen" in row or "rejected" in row or ("prompt" in row and "completion" in row)


def is_openrlhf(row: Row) -> bool:
    """A pair whose prompt stands under ``input`` or ``context``."""
    return row.keys() >= _PAIR and "prompt" not in row and any(name in row for name in _OPENRLHF_PROMPTS)


def is_transcript(row: Row) -> bool:
    """A pair of HH-RLHF transcripts, or an HH-RLHF prompt with two answers."""
    texts = (row.get("chosen"), row.get("rejected"), row.get("prompt"))
    return "chosen" in row and any(isinstance(text, str) and _TURN.match(text) for text in texts)


def parse_trl(row: Row, place: Place) -> Record:
    """A TRL row: standard or conversational, its prompt explicit or implicit; without a pair, a demonstration."""
    if not _PAIR & row.keys() and "completion" in row:
        return _prompt_completion(row, place)
    return _pair(row, place, row.get("prompt"), frozenset())


def parse_openrlhf(row: Row, place: Place) -> Group:
    """An OpenRLHF row; ``context`` messages followed by an ``input`` string make one conversation."""
    named = [name for name in _OPENRLHF_PROMPTS if row.get(name) is not None]
    parts = [fields.prompt(row[name], name) for name in named]
    if len([name for name in named if isinstance(row[name], str)]) > 1:
        problem = f"both {' and '.join(named)} are strings; say which one is the prompt, e.g. prompt={named[-1]}"
        raise DataError(problem, field=named[0])
    prompt = [{"role": m.role, "content": m.content} for part in parts for m in part] or row.get("prompt")
    return _pair(row, place, prompt, frozenset(named))


def _pair(row: Row, place: Place, prompt: object, used: frozenset[str]) -> Group:
    chosen, rejected = fields.required(row, "chosen"), fields.required(row, "rejected")
    if isinstance(chosen, str) and isinstance(rejected, str):
        check_text(chosen, "chosen")
        check_text(rejected, "rejected")
        turns, better, worse = _standard(prompt, chosen, rejected)
    elif isinstance(chosen, str) or isinstance(rejected, str):
        raise DataError("one side is a string, the other is not; give both in the same form", field="rejected")
    else:
        turns, better, worse = _chat(prompt, fields.messages(chosen, "chosen"), fields.messages(rejected, "rejected"))
    return judged(row, place, turns, better=[better], worse=[worse], used=used)


def judged(
    row: Row,
    place: Place,
    prompt: Prompt,
    *,
    better: list[str],
    worse: list[str],
    used: frozenset[str] = frozenset(),
    models: list[str | None] | None = None,
) -> Group:
    """A group whose one ranking puts every better answer (rank 1) above every worse one (rank 2)."""
    tied = row.get("tie") is True
    ranking = Ranking(annotator(row), (1,) * len(better) + (1 if tied else 2,) * len(worse))
    if row.get("margin") is not None:
        row = {**row, "margin": fields.cell_number(row["margin"], "margin")}
    return build_group(
        row,
        place,
        prompt=prompt,
        answers=completions(better + worse, models),
        rankings=(ranking,),
        used=used | _PAIR | {"tie"},
    )


def _standard(prompt: object, chosen: str, rejected: str) -> tuple[Prompt, str, str]:
    """Two strings; an implicit prompt is what they share at the start, cut before a space as TRL cuts it."""
    if prompt is not None:
        return fields.prompt(prompt), chosen, rejected
    letters = enumerate(zip(chosen, rejected, strict=False))
    shared = next((i for i, (a, b) in letters if a != b), min(len(chosen), len(rejected)))
    if shared and chosen[shared - 1] == " ":
        shared -= 1
    if not shared:
        problem = "there is no prompt, and chosen and rejected share no beginning; add a prompt field"
        raise DataError(problem, field="prompt")
    return fields.prompt(chosen[:shared]), chosen[shared:], rejected[shared:]


def _chat(prompt: object, chosen: Prompt, rejected: Prompt) -> tuple[Prompt, str, str]:
    """Two conversations that share all but the last, assistant, turn; the prompt may be given or be in both."""
    explicit = () if prompt is None else fields.prompt(prompt)
    longer = min(len(chosen), len(rejected)) > len(explicit)
    if longer and chosen[: len(explicit)] == explicit == rejected[: len(explicit)]:
        chosen, rejected = chosen[len(explicit) :], rejected[len(explicit) :]
    elif chosen[:-1] and chosen[:-1] == rejected[:-1] and chosen[-2] == explicit[-1]:
        explicit = ()  # the conversations hold the prompt and a system message before it
    return (*explicit, *_shared(chosen, rejected)), chosen[-1].content, rejected[-1].content


def _shared(chosen: Prompt, rejected: Prompt) -> Prompt:
    """The turns before the two answers."""
    for turns, name in ((chosen, "chosen"), (rejected, "rejected")):
        if not turns or turns[-1].role != "assistant":
            raise DataError("must end with an assistant message, the answer that was judged", field=name)
    if chosen[:-1] != rejected[:-1]:
        problem = "differs from chosen before the last answer; the two must share every earlier turn"
        raise DataError(problem, field="rejected")
    return chosen[:-1]


def _prompt_completion(row: Row, place: Place) -> Demonstration:
    """TRL's prompt-completion row."""
    if "label" in row:
        problem = "marks good and bad answers one by one, which is no demonstration; keep the good rows without label"
        raise DataError(problem, field="label")
    prompt, answer = fields.prompt(fields.required(row, "prompt")), row["completion"]
    if not isinstance(answer, str):
        turns = fields.messages(answer, "completion")
        prompt, answer = (*prompt, *turns[:-1]), _last_answer(turns, "completion")
    return _demonstration(row, place, prompt, answer, frozenset({"completion"}))


def parse_messages(row: Row, place: Place) -> Demonstration:
    """A chat row: everything before the last assistant message is the prompt."""
    turns = fields.messages(fields.required(row, "messages"), "messages")
    answer = _last_answer(turns, "messages")
    return _demonstration(row, place, turns[:-1], answer, frozenset({"messages"}))


def _last_answer(turns: Prompt, where: str) -> str:
    if not turns or turns[-1].role != "assistant":
        raise DataError("must end with an assistant message, the demonstrated answer", field=where)
    return turns[-1].content


def _demonstration(row: Row, place: Place, prompt: Prompt, answer: str, used: frozenset[str]) -> Demonstration:
    source = fields.optional_text(row, "source") or place.source
    meta = fields.rest(row, used | {"id", "prompt", "source", "annotator"})
    return Demonstration(own_id(row, place), prompt, answer, fields.optional_text(row, "annotator"), source, meta)


def parse_transcripts(row: Row, place: Place) -> Group:
    """An HH-RLHF row: the dialogue that both transcripts share is the prompt."""
    before = fields.optional_text(row, "prompt") or ""
    chosen, rejected = (_turns(before + fields.text(row, name), name) for name in ("chosen", "rejected"))
    better, worse = [chosen[-1].content], [rejected[-1].content]
    return judged(row, place, _shared(chosen, rejected), better=better, worse=worse)


def _turns(text: str, where: str) -> Prompt:
    r"""The turns of a transcript; the one space after ``Human:`` or ``Assistant:`` is part of the marker."""
    before, *parts = _TURN.split(text)
    if before or not parts:
        problem = r'must begin with "\n\nHuman:" and have turns "\n\nHuman: …" and "\n\nAssistant: …"'
        raise DataError(problem, field=where)
    pairs = zip(parts[::2], parts[1::2], strict=True)
    return tuple(Message(_SPEAKERS[who], said.removeprefix(" ")) for who, said in pairs)


def judged_pairs(group: Group) -> Iterator[tuple[Ranking, str, str]]:
    """Each strict preference that anybody stated: the ranking, the text put above, the text put below."""
    return ((pair.ranking, pair.chosen, pair.rejected) for pair in _pairs(group, ties=False))


@dataclass(frozen=True, slots=True)
class _Pair:
    """A preference, or one direction of a tie; with its strength where somebody said that of these two."""

    ranking: Ranking
    strength: int | None
    chosen: str
    rejected: str
    tie: bool


def _pairs(group: Group, *, ties: bool) -> Iterator[_Pair]:
    """Each strict preference; with ties also each tie, once in each direction."""
    texts = [completion.text for completion in group.completions]
    for ranking in group.rankings:
        for i, j in combinations(range(len(texts)), 2):
            verdict = ranking.compare(i, j)
            if verdict is None or (verdict == 0 and not ties):
                continue
            above, below = (i, j) if verdict >= 0 else (j, i)
            strength = group.strength_of(ranking, i, j)
            yield _Pair(ranking, strength, texts[above], texts[below], verdict == 0)
            if verdict == 0:
                yield _Pair(ranking, strength, texts[below], texts[above], True)


def _told(row: dict[str, Any], group: Group, pair: _Pair, *, ties: bool) -> dict[str, Any]:
    """The row with who said it, whether it is a tie where ties are told, and its margin.

    The margin is the one that came with a pair, or the one that Llama 2 gives its stated strength; of a tie it is 0.
    """
    row = {**row, "annotator": pair.ranking.annotator, **({"tie": pair.tie} if ties else {})}
    margin = group.meta.get("margin") if len(group.completions) == 2 else None
    if margin is None and pair.strength is not None:
        margin = _MARGINS[pair.strength]
    if pair.tie:
        margin = 0.0
    return row if margin is None else {**row, "margin": margin}


def write_trl(group: Group, *, ties: bool = False) -> Iterator[dict[str, Any]]:
    """TRL standard rows: prompt, chosen and rejected as strings."""
    for pair in _pairs(group, ties=ties):
        row = {"prompt": plain_prompt(group.prompt, group.id), "chosen": pair.chosen, "rejected": pair.rejected}
        yield _told(row, group, pair, ties=ties)


def plain_prompt(prompt: Prompt, owner: str) -> str:
    """A prompt as the one string of a standard format.

    Raises:
        DataError: it is more than one user message, so a string would lose who said what.
    """
    if len(prompt) > 1 or prompt[0].role != "user":
        problem = f"the prompt of {owner!r} is a conversation; write trl-conversational, which keeps its turns"
        raise DataError(problem, field="prompt")
    return prompt[0].content


def _answer(text: str) -> list[dict[str, str]]:
    return [{"role": "assistant", "content": text}]


def write_trl_chat(group: Group, *, ties: bool = False) -> Iterator[dict[str, Any]]:
    """TRL conversational rows with the prompt in a field of its own."""
    for pair in _pairs(group, ties=ties):
        row = {"prompt": prompt_rows(group.prompt), "chosen": _answer(pair.chosen), "rejected": _answer(pair.rejected)}
        yield _told(row, group, pair, ties=ties)


def write_openrlhf(group: Group, *, ties: bool = False) -> Iterator[dict[str, Any]]:
    """OpenRLHF rows as its published sets have them: two whole conversations, no prompt key needed."""
    before = prompt_rows(group.prompt)
    for pair in _pairs(group, ties=ties):
        row = {"chosen": before + _answer(pair.chosen), "rejected": before + _answer(pair.rejected)}
        yield _told(row, group, pair, ties=ties)


def write_transcripts(group: Group) -> Iterator[dict[str, Any]]:
    """HH-RLHF rows."""
    for _, chosen, rejected in judged_pairs(group):
        yield {"chosen": _transcript(group, chosen), "rejected": _transcript(group, rejected)}


def _transcript(group: Group, answer: str) -> str:
    speakers = {"user": "Human", "assistant": "Assistant"}
    turns = (*group.prompt, Message("assistant", answer))
    for turn in turns:
        if turn.role not in speakers or _TURN.search(turn.content):
            problem = (
                f"group {group.id!r} has a system message or a turn marker inside a text; write trl-conversational"
            )
            raise DataError(problem, field="prompt")
    return "".join(f"\n\n{speakers[turn.role]}: {turn.content}" for turn in turns)


def write_messages(demonstration: Demonstration) -> dict[str, Any]:
    """A chat row."""
    return {"messages": prompt_rows(demonstration.prompt) + _answer(demonstration.completion)}


def write_prompt_completion(demonstration: Demonstration) -> dict[str, Any]:
    """TRL's standard prompt-completion row."""
    return {"prompt": plain_prompt(demonstration.prompt, demonstration.id), "completion": demonstration.completion}


def write_prompt_completion_chat(demonstration: Demonstration) -> dict[str, Any]:
    """TRL's conversational prompt-completion row."""
    return {"prompt": prompt_rows(demonstration.prompt), "completion": _answer(demonstration.completion)}
