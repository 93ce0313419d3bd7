"""Gold items: tasks with known answers, hidden among the others. Pure.

The right answer stands in the group's `meta.gold_ranks` (one rank per completion), why it is right in `meta.gold_note`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Literal, get_args

from labeler.comparisons import gold_of
from labeler.errors import DataError
from labeler.records import Group, Ranking, Ranks

NOTE = "gold_note"
"""The key of a group's `meta` that says why the right ranking is right."""
When = Literal["none", "each", "wrong"]
WHEN: tuple[When, ...] = get_args(When)
MOST = 0.5
"""The largest share of gold items: beyond it people would mostly do again what is known."""
WINDOW = 50
"""So many of a person's latest gold items decide whether they are paused."""


@dataclass(frozen=True, slots=True)
class GoldRules:
    """How a project uses its gold items.

    Attributes:
        share: of a labeler's tasks that are drawn from the gold items, 0 to `MOST`. At 0 they are in the queue as
            ordinary tasks.
        feedback: what a person is told after a gold item: ``none``; ``each``: the right ranks; ``wrong``: the same, but
            only where they said otherwise.
        threshold: who gets less than this share of comparisons right is paused; None: nobody.
        least: gold items that a person must have answered before they can be paused.
    """

    share: float = 0.0
    feedback: When = "none"
    threshold: float | None = None
    least: int = 5

    def __post_init__(self) -> None:
        if not 0 <= self.share <= MOST:
            raise DataError(f"is {self.share}; it must be from 0 to {MOST}", field="share")
        if self.feedback not in WHEN:
            raise DataError(f"is {self.feedback!r}; it must be one of {', '.join(WHEN)}", field="feedback")
        if self.threshold is not None and not 0 <= self.threshold <= 1:
            raise DataError(f"is {self.threshold}; it must be from 0 to 1, or null", field="threshold")
        if not 1 <= self.least <= WINDOW:
            raise DataError(f"is {self.least}; it must be from 1 to {WINDOW}", field="least")


@dataclass(frozen=True, slots=True)
class Feedback:
    """What a person is told of their answer to a gold item; ranks by completion id."""

    right: Mapping[str, int | None]
    given: Mapping[str, int | None]
    correct: bool
    note: str | None


def checked_gold(group: Group) -> Ranking:
    """The right ranking of a gold item.

    Raises:
        DataError: it has none, its ranks do not fit it, or they compare nothing.
    """
    right = gold_of(group)
    if right is None or sum(rank is not None for rank in right.ranks) < 2:
        raise DataError(f"of group {group.id!r} must rank at least two completions", field="meta.gold_ranks")
    return right


def score(given: Ranking, right: Ranking) -> tuple[int, int]:
    """How many of the comparisons that the right ranking makes the given one makes alike, and how many there are.

    What was left unranked agrees with nothing; where only the best were asked for, the rest is not counted.
    """
    said = given.by_ratings()
    pairs = [
        (verdict, said.compare(i, j))
        for i, j in combinations(range(len(right.ranks)), 2)
        if (verdict := right.compare(i, j)) is not None and not (said.top_only and said.compare(i, j) is None)
    ]
    return sum(wanted == answer for wanted, answer in pairs), len(pairs)


def feedback(rules: GoldRules, group: Group, given: Ranking) -> Feedback | None:
    """What is told of an answer to a gold item; None where the rules say nothing is."""
    right = checked_gold(group)
    matched, compared = score(given, right)
    correct = matched == compared
    if rules.feedback == "none" or (rules.feedback == "wrong" and correct):
        return None
    return Feedback(_by_id(group, right.ranks), _by_id(group, given.by_ratings().chosen), correct, note_of(group))


def _by_id(group: Group, ranks: Ranks) -> dict[str, int | None]:
    return {completion.id: rank for completion, rank in zip(group.completions, ranks, strict=True)}


def note_of(group: Group) -> str | None:
    """Why the right ranking is right, where somebody wrote it."""
    value = group.meta.get(NOTE)
    return value if isinstance(value, str) and value.strip() else None


def falls_short(rules: GoldRules, scores: list[tuple[int, int]]) -> float | None:
    """The share of right comparisons, where it is over enough items and below the threshold; else None."""
    matched, compared = (sum(column) for column in zip(*scores, strict=True)) if scores else (0, 0)
    if rules.threshold is None or len(scores) < rules.least or not compared:
        return None
    accuracy = matched / compared
    return accuracy if accuracy < rules.threshold else None
