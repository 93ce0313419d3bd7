"""Where a reward model and the people part: pairs of completions that most people decided and the model turns round.

Pure.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from math import isfinite

from labeler.formats import prompt_key
from labeler.records import Completion, Group


@dataclass(frozen=True, slots=True)
class Verdict:
    """A pair that most people decided, and what the model says of it.

    Attributes:
        group: whose prompt and completions it is.
        preferred, other: by most people.
        votes: of how many. against: how many preferred the other one. ties: how many neither.
        margin: by how much the model scores the other one above the preferred one; below 0 it agrees with the people.
        learned: the model was trained or tuned on this prompt.
    """

    group: Group
    preferred: Completion
    other: Completion
    votes: int
    against: int
    ties: int
    margin: float
    learned: bool


def verdicts(groups: Sequence[Group], scores: Sequence[Sequence[float]], seen: Collection[str]) -> list[Verdict]:
    """Every decided pair that the model could score, the largest margins against the people first.

    Args:
        groups: with rankings. scores: one per completion of each group, NaN without one.
        seen: beginnings of the keys (`prompt_key`) of the prompts that the model learned from, all equally long.
    """
    length = len(next(iter(seen), ""))
    found = []
    for group, values in zip(groups, scores, strict=True):
        learned = prompt_key(group.prompt)[:length] in seen
        for tally in group.tallies():
            if not tally.majority or not (isfinite(values[tally.i]) and isfinite(values[tally.j])):
                continue
            places = (tally.i, tally.j) if tally.majority > 0 else (tally.j, tally.i)
            votes = sorted((tally.wins_i, tally.wins_j))
            better, worse = (group.completions[place] for place in places)
            margin = values[places[1]] - values[places[0]]
            found.append(Verdict(group, better, worse, votes[1], votes[0], tally.ties, margin, learned))
    return sorted(found, key=lambda verdict: -verdict.margin)
