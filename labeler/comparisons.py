"""All verdicts of a project as columns of numbers, so that statistics over many tasks are sums of arrays. Pure.

A *pair* is two completions of one task that somebody compared; a row of `person` and `verdict` is what one person said
of a pair. Where a person has two rankings of one task, the last counts, as in `labeler.agreement`.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from labeler.agreement import Estimate
from labeler.errors import DataError
from labeler.formats import prompt_key
from labeler.records import Group, Ranking, dense_ranks

GOLD = "gold_ranks"
"""The key of a group's `meta` that holds the right ranking: one rank per completion, as in `ranks`."""
UNKNOWN = "unknown model"
NO_GOLD = 2
SAMPLES = 500
HELD = 2**22
"""So many counts of a bootstrap are in memory at a time (32 MiB)."""
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Comparisons:
    """T tasks, A people, M models, U pairs, N verdicts.

    Attributes:
        people, models: names, sorted.
        tasks: T, those without any verdict included.
        task: (U) of each pair.
        models_of: (U, 2) what wrote its two completions.
        longer: (U) 1 if the first has more characters, -1 if fewer, 0 if as many.
        gold: (U) the right verdict, `NO_GOLD` where the task has none.
        question: (U) equal for pairs of the same two texts under the same prompt.
        turned: (U) whether the two stand the other way round than in other pairs of this question.
        pair: (N) place of the pair.
        person: (N) who said it.
        verdict: (N) 1 first better, 0 tie, -1 second better.
    """

    people: tuple[str, ...]
    models: tuple[str, ...]
    tasks: int
    task: Ints
    models_of: Ints
    longer: Ints
    gold: Ints
    question: Ints
    turned: Ints
    pair: Ints
    person: Ints
    verdict: Ints

    def counts(self) -> Floats:
        """(U, 3) how many people said -1, 0 and 1 of each pair."""
        flat = np.bincount(3 * self.pair + self.verdict + 1, minlength=3 * len(self.task))
        return flat.reshape(-1, 3).astype(float)

    def with_others(self) -> tuple[Floats, Floats]:
        """(N) and (N): of each verdict, how many others said the same, and how many others there are."""
        counts = self.counts()
        return counts[self.pair, self.verdict + 1] - 1, counts[self.pair].sum(axis=1) - 1


def comparisons(groups: Sequence[Group], others: Iterable[str] = ()) -> Comparisons:
    """The columns of groups with their rankings.

    Args:
        groups: the tasks.
        others: names to stand among the people although they ranked nothing.

    Raises:
        DataError: the gold ranks of a group do not fit it.
    """
    people = sorted({ranking.annotator for group in groups for ranking in group.rankings} | {*others})
    models = sorted({completion.model or UNKNOWN for group in groups for completion in group.completions})
    number, place = ({name: index for index, name in enumerate(names)} for names in (people, models))
    questions: dict[tuple[str, str, str], int] = {}
    pairs, verdicts = array("q"), array("q")
    count = 0
    for task, group in enumerate(groups):
        said = [(number[ranking.annotator], ranking) for ranking in _standing(group)]
        if not said:
            continue
        gold, prompt = gold_of(group), prompt_key(group.prompt)
        for i, j in combinations(range(len(group.completions)), 2):
            found = [(person, verdict) for person, r in said if (verdict := r.compare(i, j)) is not None]
            if not found:
                continue
            first, second = group.completions[i], group.completions[j]
            right = gold.compare(i, j) if gold else None
            low, high = sorted((first.text, second.text))
            question = questions.setdefault((prompt, low, high), len(questions))
            sizes = len(first.text), len(second.text)
            pairs.extend((task, place[first.model or UNKNOWN], place[second.model or UNKNOWN]))
            pairs.extend(((sizes[0] > sizes[1]) - (sizes[0] < sizes[1]), NO_GOLD if right is None else right))
            pairs.extend((question, first.text > second.text))
            for person, verdict in found:
                verdicts.extend((count, person, verdict))
            count += 1
    table = np.array(pairs, dtype=np.int64).reshape(-1, 7)
    rows = np.array(verdicts, dtype=np.int64).reshape(-1, 3)
    columns = (table[:, 0], table[:, 1:3], table[:, 3], table[:, 4], table[:, 5], table[:, 6])
    return Comparisons(tuple(people), tuple(models), len(groups), *columns, *rows.T)


def _standing(group: Group) -> Iterable[Ranking]:
    return {ranking.annotator: ranking for ranking in group.rankings}.values()


def gold_of(group: Group) -> Ranking | None:
    """The right ranking of a group, from its `meta`; None where it has none."""
    ranks = group.meta.get(GOLD)
    if ranks is None:
        return None
    whole = isinstance(ranks, list | tuple) and all(rank is None or type(rank) is int for rank in ranks)
    if not whole or len(ranks) != len(group.completions):
        raise DataError(
            f"of group {group.id!r} must be a list of one whole number or null per completion", field=f"meta.{GOLD}"
        )
    return Ranking("gold", dense_ranks(tuple(ranks)))


class Resamples:
    """Draws of whole tasks with replacement, the same for every statistic: comparisons of one task hang together.

    Args:
        tasks: T.
        seed: of the draws.
        samples: R, how many.
    """

    def __init__(self, tasks: int, *, seed: int = 0, samples: int = SAMPLES) -> None:
        self.tasks, self.seed, self.samples = tasks, seed, samples
        self._kept: Floats | None = None

    def sums(self, task: Ints, column: Ints, values: Floats, columns: int) -> Floats:
        """(R, columns) sums of the values by column over the tasks of each draw.

        Args:
            task: (N) task of each value.
            column: (N) where it is added.
            values: (N).
            columns: how many.
        """
        table = sparse.csr_array((values, (column, task)), shape=(columns, max(self.tasks, 1)))
        return np.concatenate([(table @ drawn).T for drawn in self._draws()])

    def _draws(self) -> Iterator[Floats]:
        """(T, ≤ R) how often each task is in each draw; kept where they are few, else made anew some at a time."""
        if self._kept is not None:
            yield self._kept
            return
        tasks = max(self.tasks, 1)
        rng, at_once = np.random.default_rng(self.seed), max(1, HELD // tasks)
        for begin in range(0, self.samples, at_once):
            size = min(at_once, self.samples - begin)
            drawn = rng.multinomial(self.tasks, np.full(tasks, 1 / tasks), size=size).T.astype(float)
            if size == self.samples:
                self._kept = drawn
            yield drawn

    def ratios(self, task: Ints, column: Ints, numerator: Floats, denominator: Floats, columns: int) -> list[Estimate]:
        """Σ numerator / Σ denominator of each column, with percentile intervals; empty columns count nothing."""
        both = np.concatenate([numerator, denominator])
        twice = np.concatenate([column, column + columns])
        drawn = self.sums(np.concatenate([task, task]), twice, both, 2 * columns)
        totals = np.bincount(twice, both, 2 * columns).astype(np.float64)
        return estimates(drawn[:, :columns], drawn[:, columns:], totals[:columns], totals[columns:])


def estimates(tops: Floats, bottoms: Floats, top: Floats, bottom: Floats) -> list[Estimate]:
    """Ratios with the middle 95 % of their resampled values, those left out in which nothing was counted.

    Args:
        tops, bottoms: (R, C) resampled sums.
        top, bottom: (C) the real ones.
    """
    counted = bottoms > 0
    ordered = np.sort(np.where(counted, tops / np.where(counted, bottoms, 1.0), np.nan), axis=0)  # NaN comes last
    last = np.maximum(counted.sum(axis=0) - 1, 0)
    low, high = (_between(ordered, share * last) for share in (0.025, 0.975))
    return [
        Estimate(float(top[c] / bottom[c]), float(low[c]), float(high[c]), round(float(bottom[c])))
        if bottom[c] > 0 and counted[:, c].any()
        else Estimate(None, None, None, 0)
        for c in range(len(top))
    ]


def _between(ordered: Floats, place: Floats) -> Floats:
    """(C) values of the columns of (R, C) at a place between two rows."""
    below, column = np.floor(place).astype(int), np.arange(ordered.shape[1])
    first, second = ordered[below, column], ordered[np.ceil(place).astype(int), column]
    return np.asarray(first + (place - below) * (second - first))
