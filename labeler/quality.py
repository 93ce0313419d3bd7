"""How well each person labels: agreement, gold, speed, biases, consistency, reliability, and the day's course. Pure.

Shares and differences have 95 % intervals from resampling whole tasks. The right answer to a gold task stands in its
group's `meta.gold_ranks`, one rank per completion as in `ranks`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

import numpy as np

from labeler import reliability
from labeler.agreement import Estimate
from labeler.comparisons import NO_GOLD, Comparisons, Floats, Ints, Resamples
from labeler.entities import Judgment
from labeler.languages import t
from labeler.records import Group, Ranking
from labeler.statistics import median_interval, share_p_value

WORDS_PER_SECOND = 15.0
"""Nobody reads faster than this: 900 words a minute, against a mean of 238 (Brysbaert 2019)."""
NOTHING = Estimate(None, None, None, 0)
Judged = Sequence[tuple[Group, tuple[Judgment, ...]]]
"""Each group beside its standing judgments."""


@dataclass(frozen=True, slots=True)
class PersonQuality:
    """One person's work; an estimate is empty where there is nothing to take it from.

    Attributes:
        annotator: who.
        judgments, skips: standing ones.
        agreement: share of equal verdicts with the others on the same pairs.
        gold: share of right verdicts on pairs of gold tasks.
        reliability: η of the one-coin model, the chance to name the better of two; see `labeler.reliability`.
        seconds: median attention time of a ranking; ``comparisons`` counts rankings here.
        seconds_each: the same by completion.
        too_fast: share of rankings in less time than the fastest reader needs for the completions.
        first_on_top: share of rankings that have the first shown alone on top, of those with one on top.
        first_expected: what it would be by chance: the mean of 1/K.
        first_p: exact two-sided p-value of the difference; None where the order is unknown.
        longer: share of preferences that go to the longer of two.
        length_bias: that share less everybody else's on the same pairs.
        consistency: share of equal verdicts on the same two texts under the same prompt, judged in two tasks.
        ties: share of ties among verdicts.
    """

    annotator: str
    judgments: int
    skips: int
    agreement: Estimate
    gold: Estimate
    reliability: Estimate
    seconds: Estimate
    seconds_each: Estimate
    too_fast: Estimate
    first_on_top: Estimate
    first_expected: float | None
    first_p: float | None
    longer: Estimate
    length_bias: Estimate
    consistency: Estimate
    ties: Estimate


@dataclass(frozen=True, slots=True)
class HourOfWork:
    """One hour of people's days, 1 being that from their first answer of a day (UTC) on; ``annotator`` None: all."""

    annotator: str | None
    hour: int
    seconds: Estimate
    agreement: Estimate


@dataclass(frozen=True, slots=True)
class Quality:
    """Everybody's work by name, and its course over their days, everybody's first."""

    people: tuple[PersonQuality, ...]
    hours: tuple[HourOfWork, ...]


def quality(judged: Judged, table: Comparisons, *, seed: int = 0) -> Quality:
    """All measures.

    Args:
        judged: the tasks.
        table: `labeler.comparisons.comparisons` of their groups; `skipping` gives its ``others``.
        seed: of the resampling.
    """
    draws, answers = Resamples(table.tasks, seed=seed), _answers(judged, table)
    verdicts, preferences = _verdict_shares(table, draws), _preference_shares(table, draws)
    skips = Counter(judgment.annotator for _, found in judged for judgment in found if judgment.kind == "skip")
    too_fast = draws.ratios(answers.task, answers.person, *_known(answers.too_fast), len(table.people))
    first = draws.ratios(answers.task, answers.person, *_known(answers.first), len(table.people))
    consistency = _consistency(table, draws)
    trust = _reliability(table)
    people = [
        PersonQuality(
            name,
            int((answers.person == index).sum()),
            skips[name],
            verdicts[0][index],
            verdicts[1][index],
            trust[index],
            _median(answers.seconds[answers.person == index]),
            _median((answers.seconds / answers.size)[answers.person == index]),
            too_fast[index],
            first[index],
            *_chance_of_first(answers, index),
            preferences[0][index],
            preferences[1][index],
            consistency[index],
            verdicts[2][index],
        )
        for index, name in enumerate(table.people)
    ]
    return Quality(tuple(people), tuple(_hours(table, answers, draws)))


def skipping(judged: Judged) -> set[str]:
    """Everybody who skipped something."""
    return {judgment.annotator for _, found in judged for judgment in found if judgment.kind == "skip"}


@dataclass(frozen=True, slots=True)
class _Answers:
    """J rankings as columns; NaN is unknown.

    Attributes:
        task, person: (J) as in the comparisons.
        size: (J) completions.
        seconds: (J) attention time.
        too_fast: (J) 1 if too fast to have read, 0 if not.
        first: (J) 1 if the first shown is alone on top, 0 if another; NaN also where several share the top.
        hour: (J) hours since the person's first answer of that day.
    """

    task: Ints
    person: Ints
    size: Floats
    seconds: Floats
    too_fast: Floats
    first: Floats
    hour: Floats


def _answers(judged: Judged, table: Comparisons) -> _Answers:
    number = {name: index for index, name in enumerate(table.people)}
    rows: list[tuple[float, ...]] = []
    moments: list[datetime | None] = []
    for task, (group, _) in enumerate(judged):
        words = sum(len(completion.text.split()) for completion in group.completions) if group.rankings else 0
        for ranking in group.rankings:
            seconds = float("nan") if ranking.seconds is None else ranking.seconds
            fast = float("nan") if ranking.seconds is None else float(seconds < words / WORDS_PER_SECOND)
            size = len(group.completions)
            rows.append((task, number[ranking.annotator], size, seconds, fast, _first_on_top(group, ranking)))
            moments.append(datetime.fromisoformat(ranking.at) if ranking.at else None)
    columns = np.array(rows, dtype=float).reshape(-1, 6).T
    person = columns[1].astype(np.int64)
    task, (size, seconds, too_fast, first) = columns[0].astype(np.int64), columns[2:]
    return _Answers(task, person, size, seconds, too_fast, first, _hours_of_work(person, moments))


def _first_on_top(group: Group, ranking: Ranking) -> float:
    top = [place for place, rank in enumerate(ranking.ranks) if rank == 1]
    if not ranking.order or len(top) != 1 or None in ranking.ranks or len(ranking.order) < len(ranking.ranks):
        return float("nan")
    return float(group.completions[top[0]].id == ranking.order[0])


def _hours_of_work(person: Ints, moments: Sequence[datetime | None]) -> Floats:
    began: dict[tuple[int, str], datetime] = {}
    keys = [
        (int(who), moment.date().isoformat()) if moment else None for who, moment in zip(person, moments, strict=True)
    ]
    for key, moment in zip(keys, moments, strict=True):
        if key and moment:
            began[key] = min(moment, began.get(key, moment))
    found = [
        (moment - began[key]).total_seconds() // 3600 if key and moment else float("nan")
        for key, moment in zip(keys, moments, strict=True)
    ]
    return np.array(found, dtype=float)


def _known(values: Floats) -> tuple[Floats, Floats]:
    """Numerator and denominator of the mean of what is not NaN."""
    known = ~np.isnan(values)
    return np.where(known, values, 0.0), known.astype(float)


def _median(seconds: Floats) -> Estimate:
    known = seconds[~np.isnan(seconds)]
    return Estimate(*median_interval(known), len(known)) if len(known) else NOTHING


def _chance_of_first(answers: _Answers, person: int) -> tuple[float | None, float | None]:
    ours = (answers.person == person) & ~np.isnan(answers.first)
    if not ours.any():
        return None, None
    sizes = answers.size[ours].astype(int)
    return float(np.mean(1 / sizes)), share_p_value(int(answers.first[ours].sum()), sizes.tolist())


def _verdict_shares(table: Comparisons, draws: Resamples) -> tuple[list[Estimate], list[Estimate], list[Estimate]]:
    """Agreement with the others, right verdicts on gold, and ties, of each person."""
    task, gold, count = table.task[table.pair], table.gold[table.pair], len(table.people)
    equal, others = table.with_others()
    known = (gold != NO_GOLD).astype(float)
    return (
        draws.ratios(task, table.person, equal, others, count),
        draws.ratios(task, table.person, known * (gold == table.verdict), known, count),
        draws.ratios(task, table.person, (table.verdict == 0).astype(float), np.ones(len(task)), count),
    )


def _preference_shares(table: Comparisons, draws: Resamples) -> tuple[list[Estimate], list[Estimate]]:
    """How often each person prefers the longer, and how much more often than the others on the same pairs."""
    counts, longer = table.counts()[table.pair], table.longer[table.pair]
    task, count = table.task[table.pair], len(table.people)
    counted = (table.verdict != 0) & (longer != 0)
    chose = (counted & (table.verdict == longer)).astype(float)
    others = counts[:, 0] + counts[:, 2] - 1
    for_longer = np.where(longer > 0, counts[:, 2], counts[:, 0]) - chose
    beside = counted & (others > 0)
    gap = np.where(beside, chose - for_longer / np.maximum(others, 1), 0.0)
    return (
        draws.ratios(task, table.person, chose, counted.astype(float), count),
        draws.ratios(task, table.person, gap, beside.astype(float), count),
    )


def _consistency(table: Comparisons, draws: Resamples) -> list[Estimate]:
    """Equal verdicts of one person on one question in two tasks; the pair of tasks counts for the earlier one."""
    said: dict[tuple[int, int], list[tuple[int, int]]] = defaultdict(list)
    verdict = np.where(table.turned[table.pair] > 0, -table.verdict, table.verdict)
    asked = np.bincount(table.question, minlength=1)[table.question] > 1
    for row in np.flatnonzero(asked[table.pair]):
        pair = table.pair[row]
        said[int(table.person[row]), int(table.question[pair])].append((int(table.task[pair]), int(verdict[row])))
    found = [
        (task, person, first == second)
        for (person, _), answers in said.items()
        for (task, first), (_, second) in pairwise(answers)
    ]
    rows = np.array(found, dtype=np.int64).reshape(-1, 3)
    return draws.ratios(rows[:, 0], rows[:, 1], rows[:, 2].astype(float), np.ones(len(rows)), len(table.people))


def _reliability(table: Comparisons) -> list[Estimate]:
    decided = table.verdict != 0
    pair, person, side = table.pair[decided], table.person[decided], table.verdict[decided]
    ability, odds = reliability.one_coin(pair, person, side, len(table.task), len(table.people))
    low, high = reliability.intervals(pair, person, side, table.task[pair], ability=ability, odds=odds)
    given = np.bincount(person, minlength=len(table.people))
    return [
        Estimate(float(ability[i]), float(low[i]), float(high[i]), int(given[i])) if given[i] else NOTHING
        for i in range(len(table.people))
    ]


def _hours(table: Comparisons, answers: _Answers, draws: Resamples) -> Iterator[HourOfWork]:
    """Everybody's hours, then each person's, those in which anything was ranked."""
    timed = ~np.isnan(answers.hour)
    if not timed.any():
        return
    span, people = int(np.nanmax(answers.hour)) + 1, len(table.people)
    hour_of = np.full((max(table.tasks, 1), people), -1, dtype=np.int16)
    hour_of[answers.task[timed], answers.person[timed]] = answers.hour[timed]
    hour = hour_of[table.task[table.pair], table.person].astype(np.int64)
    known, (equal, others) = hour >= 0, table.with_others()
    task, hour, person = table.task[table.pair][known], hour[known], table.person[known]
    equal, others = equal[known], others[known]
    together = draws.ratios(task, hour, equal, others, span)
    alone = draws.ratios(task, person * span + hour, equal, others, span * people)
    for index, name in ((-1, None), *enumerate(table.people)):
        ours = timed & ((answers.person == index) | (name is None))
        for at in np.unique(answers.hour[ours]).astype(int):
            seconds = _median(answers.seconds[ours & (answers.hour == at)])
            yield HourOfWork(name, int(at) + 1, seconds, together[at] if name is None else alone[index * span + at])


ENOUGH = 20
"""Comparisons, or rankings, below which nothing is said against anybody."""
SURELY = 0.001
"""p-value below which a liking for the first place is said to be no chance: many people are looked at."""


def concerns(person: PersonQuality, typical: float | None) -> tuple[str, ...]:
    """What is to be looked into, in plain words, the gravest first; empty if nothing is.

    Args:
        person: whose work.
        typical: share of equal verdicts of everybody.
    """
    return tuple(words for words, found in _found(person, typical) if found)


def _found(person: PersonQuality, typical: float | None) -> Iterable[tuple[str, bool]]:
    sure = _sure(person.reliability)
    yield t("says the opposite of the others"), sure is not None and sure[1] < 0.5
    yield t("no better than a coin toss"), sure is not None and sure[0] <= 0.5 <= sure[1]
    agrees, gold = _sure(person.agreement), _sure(person.gold)
    yield t("agrees far less than the others"), agrees is not None and typical is not None and agrees[1] < typical - 0.1
    yield t("wrong on gold tasks"), gold is not None and gold[1] < 0.6
    fast = _sure(person.too_fast)
    yield t("too fast to have read"), fast is not None and fast[0] > 0.1
    yield t("likes what is shown first"), _prefers_place(person, +1)
    yield t("avoids what is shown first"), _prefers_place(person, -1)
    length = _sure(person.length_bias)
    yield t("prefers longer answers more than others do"), length is not None and length[0] > 0.1
    same, ties = _sure(person.consistency), _sure(person.ties)
    yield t("contradicts earlier answers"), same is not None and same[1] < 0.6
    yield t("mostly ties"), ties is not None and ties[0] > 0.75


def _sure(estimate: Estimate) -> tuple[float, float] | None:
    """The interval, if it rests on enough."""
    if estimate.comparisons < ENOUGH or estimate.low is None or estimate.high is None:
        return None
    return estimate.low, estimate.high


def _prefers_place(person: PersonQuality, sign: int) -> bool:
    share, expected, p = person.first_on_top.value, person.first_expected, person.first_p
    if share is None or expected is None or p is None or p >= SURELY:
        return False
    return (share - expected) * sign > 0


def verdict(person: PersonQuality, typical: float | None) -> str:
    """The concerns as one line, ``fine``, or ``too little to say``, in the language that is spoken."""
    found = concerns(person, typical)
    if found:
        return "; ".join(found)
    return (
        t("fine")
        if person.agreement.comparisons >= ENOUGH or person.gold.comparisons >= ENOUGH
        else t("too little to say")
    )
