"""Single judgments of a group as compact arrays: who said what of which pair, how strongly, and seen where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from labeler.records import Group, Ranking

Row = tuple[int, int, int | None, int, float, int, int, float]
"""One judgment: first, second, verdict, person, weight, strength, shift, choices."""


@dataclass(frozen=True, eq=False)
class Judgments:
    """J judgments, each of one person about one pair of completions.

    Attributes:
        first, second: (J,) int16, the pair, first < second, counted among the kept completions.
        verdict: (J,) int8, 1 where first was put above second, -1 where below, 0 for a tie.
        person: (J,) int16 indices into ``annotators``.
        weight: (J,) float32, positive, of the ranking.
        strength: (J,) int8, 1 (negligibly) to 4 (significantly), 0 where nobody said.
        shift: (J,) int16, how many places further on second was shown than first; 0 where that is not known.
        choices: (J,) float32, how many free choices the judgment stands for: the C(n, 2) pairs of a ranking of n
            completions follow from n - 1 choices, so each stands for 2 / n.
        annotators: ids of the people.
    """

    first: NDArray[np.int16]
    second: NDArray[np.int16]
    verdict: NDArray[np.int8]
    person: NDArray[np.int16]
    weight: NDArray[np.float32]
    strength: NDArray[np.int8]
    shift: NDArray[np.int16]
    choices: NDArray[np.float32]
    annotators: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.verdict)

    def without_ties(self) -> Judgments:
        """Those that prefer one of the two."""
        keep = self.verdict != 0
        return Judgments(
            self.first[keep],
            self.second[keep],
            self.verdict[keep],
            self.person[keep],
            self.weight[keep],
            self.strength[keep],
            self.shift[keep],
            self.choices[keep],
            self.annotators,
        )


def single_judgments(group: Group, kept: Sequence[int]) -> Judgments:
    """Everything that somebody said of a pair of the kept completions; rankings of weight 0 are left out."""
    people: dict[str, int] = {}
    rows: list[Row] = []
    for ranking in group.rankings:
        weight = 1.0 if ranking.weight is None else ranking.weight
        if weight == 0:
            continue
        places = _places(group, ranking)
        ranked = [(k, index) for k, index in enumerate(kept) if ranking.ranks[index] is not None]
        for (i, left), (j, right) in combinations(ranked, 2):
            person = people.setdefault(ranking.annotator, len(people))
            shift = places[right] - places[left] if left in places and right in places else 0
            verdict = ranking.compare(left, right)
            if verdict is None:
                continue
            strength = group.strength_of(ranking, left, right) or 0
            rows.append((i, j, verdict, person, weight, strength, shift, 2 / len(ranked)))
    return _columns(rows, tuple(people))


def _columns(rows: Sequence[Row], annotators: tuple[str, ...]) -> Judgments:
    first, second, verdict, person, weight, strength, shift, choices = zip(*rows, strict=True) if rows else [()] * 8
    return Judgments(
        np.array(first, np.int16),
        np.array(second, np.int16),
        np.array(verdict, np.int8),
        np.array(person, np.int16),
        np.array(weight, np.float32),
        np.array(strength, np.int8),
        np.array(shift, np.int16),
        np.array(choices, np.float32),
        annotators,
    )


NONE = _columns((), ())
"""No judgments, of a group that nobody has judged."""


def _places(group: Group, ranking: Ranking) -> dict[int, int]:
    """Where each completion of the group was shown, counted from the left; without those of which it is not known."""
    shown = {name: place for place, name in enumerate(ranking.order or ())}
    return {k: shown[completion.id] for k, completion in enumerate(group.completions) if completion.id in shown}
