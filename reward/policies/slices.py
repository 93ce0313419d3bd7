"""Kinds of prompts looked at one by one, and how often answers hedge.

A prompt is in the slices that its ``meta`` names under ``slice``, ``slices`` or ``use_case`` (a text or a list), as
"false premise". On prompts with a false premise, and where nobody can know, a good answer doubts; elsewhere doubt is
padding (Ouyang et al. 2022, section 4.3, saw their models hedge too much).

An answer *hedges* if it holds one of the phrases of `HEDGES`, in any case, as whole words. That is all that is looked
at: it knows English only, misses doubt in other words, counts quoted phrases, and does not know whether doubt was due.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from labeler.records import Group
from reward.bootstrap import Floats
from reward.policies.measures import Estimate, means, measure_of, rate_of
from reward.policies.records import Answers

FIELDS = ("slice", "slices", "use_case")
HEDGES = (
    "i'm not sure",
    "i am not sure",
    "i don't know",
    "i do not know",
    "i can't say",
    "i cannot say",
    "it depends",
    "it is hard to say",
    "it's hard to say",
    "it is unclear",
    "it's unclear",
    "there is no single",
    "there is no one",
    "there is no evidence",
    "there's no evidence",
    "as far as i know",
    "to my knowledge",
    "it is possible that",
    "it's possible that",
    "it may be that",
    "it might be that",
    "some people believe",
    "some believe",
    "experts disagree",
    "generally speaking",
    "not necessarily",
    "may or may not",
    "might or might not",
)
"""Phrases by which an answer holds back; straight apostrophes stand for curly ones too."""
_HEDGE = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, HEDGES))})(?!\w)")


@dataclass(frozen=True)
class Slice:
    """One kind of prompt: how many there are, and per policy how often it hedges, what it is worth to the judge.

    Attributes:
        hedging: share of answers that hedge. worth: mean of the measure that was given; empty without one.
    """

    name: str
    prompts: int
    hedging: tuple[Estimate, ...]
    worth: tuple[Estimate, ...]


def hedges(text: str) -> bool:
    """Whether an answer holds a hedging phrase."""
    return _HEDGE.search(" ".join(text.casefold().replace("’", "'").split())) is not None


def names_of(prompt: Group) -> list[str]:
    """The slices that a prompt is in."""
    found: list[str] = []
    for field in FIELDS:
        told = prompt.meta.get(field)
        found += [told] if isinstance(told, str) else [each for each in told or () if isinstance(each, str)]
    return list(dict.fromkeys(found))


def by_slice(answers: Answers, worth: Floats | None, *, seed: int = 0) -> tuple[Slice, ...]:
    """All prompts together, then every slice, the largest first.

    Args:
        answers: of all policies. worth: a measure (C, P), such as a judge's mean rewards; None without a judge.
    """
    members: dict[str, list[int]] = {}
    for place, prompt in enumerate(answers.prompts):
        for name in names_of(prompt):
            members.setdefault(name, []).append(place)
    ordered = sorted(members.items(), key=lambda item: -len(item[1]))
    everything = ("all prompts", list(range(len(answers.prompts))))
    return tuple(_slice(name, places, answers, worth, seed) for name, places in (everything, *ordered))


def _slice(name: str, places: Sequence[int], answers: Answers, worth: Floats | None, seed: int) -> Slice:
    texts = [answers.texts[place] for place in places]
    counts = np.array([[len(policy) for policy in row] for row in texts], dtype=np.float64)
    shares = measure_of([[[float(hedges(text)) for text in policy] for policy in row] for row in texts])
    hits = np.nan_to_num(shares) * counts
    return Slice(
        name,
        len(places),
        tuple(rate_of(hits[:, p], counts[:, p]) for p in range(len(answers.names))),
        () if worth is None else means(worth[list(places)], seed=seed),
    )
