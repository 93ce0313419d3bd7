"""What people said of single completions: ratings and flags by model, and how well they agree. Pure, from judgments.

A flag counts only where it was asked: the schema that a judgment was made under says so. Judgments that came with an
import know no schema; those with flags count as asked about every flag that any of them has.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from labeler.agreement import Estimate, fleiss_kappa, krippendorff_alpha, ratio_intervals
from labeler.entities import Judgment
from labeler.label_schema import Flag, LabelSchema
from labeler.records import Group

Judged = Sequence[tuple[Group, tuple[Judgment, ...]]]
"""Each group beside its standing judgments."""
UNKNOWN = "unknown model"


@dataclass(frozen=True, slots=True)
class Mark:
    """A mean over completions, or over prompts, with a 95 % interval over tasks.

    Attributes:
        model: what wrote the completions; None for a flag of the prompt.
        what: ``rating`` (1 to 7), or the name of a flag (the share of those asked that set it).
        estimate: ``comparisons`` is how often it was asked.
    """

    model: str | None
    what: str
    estimate: Estimate


@dataclass(frozen=True, slots=True)
class MarkAgreement:
    """How well people agree on one thing, over completions that two or more were asked about.

    Attributes:
        what: ``rating``, or the name of a flag.
        completions: so many.
        equal: share of two people's answers that are the same.
        coefficient: Krippendorff's α for ordinal data of a rating, Fleiss' κ of a flag; None where nothing varies.
    """

    what: str
    completions: int
    equal: Estimate
    coefficient: float | None


@dataclass(frozen=True, slots=True)
class RatingReport:
    """Ratings and flags of a project; all empty where none were given."""

    ratings: tuple[Mark, ...]
    flags: tuple[Mark, ...]
    prompt_flags: tuple[Mark, ...]
    agreement: tuple[MarkAgreement, ...]


RATING = "rating"
Key = tuple[str | None, str]
Said = dict[tuple[int, str], dict[str, int]]
"""By completion (its place in the group) and what was asked: the answer of each annotator, flags as 0 and 1."""


def rating_report(judged: Judged, schemas: Mapping[int, LabelSchema], *, seed: int = 0) -> RatingReport:
    """Means by model and agreement; models by name, flags in the order in which projects ask them."""
    asked = _Asked(judged, schemas)
    said = [_said(judgments, asked) for _, judgments in judged]
    sums = [_sums(group, judgments, task, asked) for (group, judgments), task in zip(judged, said, strict=True)]
    order = {what: place for place, what in enumerate((RATING, *asked.flags, *asked.prompt_flags))}
    keys = sorted({key for task in sums for key in task}, key=lambda key: (key[0] or "", order[key[1]]))
    parts = np.array([[task.get(key, (0, 0)) for key in keys] for task in sums], dtype=float)
    estimates = ratio_intervals(parts.reshape(len(sums), len(keys), 2), seed=seed)
    marks = [Mark(*key, estimate) for key, estimate in zip(keys, estimates, strict=True)]
    return RatingReport(
        ratings=tuple(mark for mark in marks if mark.model and mark.what == RATING),
        flags=tuple(mark for mark in marks if mark.model and mark.what != RATING),
        prompt_flags=tuple(mark for mark in marks if mark.model is None),
        agreement=tuple(_agreements(said, (RATING, *asked.flags), seed)),
    )


class _Asked:
    """Which flags a judgment was asked about."""

    def __init__(self, judged: Judged, schemas: Mapping[int, LabelSchema]) -> None:
        imported = [j.ranking for _, items in judged for j in items if j.ranking and j.schema_version is None]
        self._flags: dict[int | None, tuple[str, ...]] = {n: _names(schema.flags) for n, schema in schemas.items()}
        self._flags[None] = _distinct(name for said in imported for names in said.flags or () for name in names)
        self._prompt: dict[int | None, tuple[str, ...]] = {n: _names(s.prompt_flags) for n, s in schemas.items()}
        self._prompt[None] = _distinct(name for said in imported for name in said.prompt_flags or ())
        self.flags = _distinct(name for names in self._flags.values() for name in names)
        self.prompt_flags = _distinct(name for names in self._prompt.values() for name in names)

    def of(self, judgment: Judgment) -> tuple[str, ...]:
        return self._flags.get(judgment.schema_version, ()) if judgment.ranking and judgment.ranking.flags else ()

    def of_prompt(self, judgment: Judgment) -> tuple[str, ...]:
        return self._prompt.get(judgment.schema_version, ()) if judgment.prompt_flags is not None else ()


def _names(flags: Iterable[Flag]) -> tuple[str, ...]:
    return tuple(flag.name for flag in flags)


def _distinct(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


def _said(judgments: Iterable[Judgment], asked: _Asked) -> Said:
    said: Said = defaultdict(dict)
    for judgment in judgments:
        ranking = judgment.ranking
        for index, rating in enumerate((ranking and ranking.ratings) or ()):
            if rating is not None:
                said[index, RATING][judgment.annotator] = rating
        for index, names in enumerate((ranking and ranking.flags) or ()):
            for flag in asked.of(judgment):
                said[index, flag][judgment.annotator] = int(flag in names)
    return said


def _sums(group: Group, judgments: Iterable[Judgment], said: Said, asked: _Asked) -> dict[Key, tuple[int, int]]:
    """Of one task: sum of the answers and their number, by model (None: of the prompt) and what was asked."""
    answers: dict[Key, list[int]] = defaultdict(list)
    for (index, what), values in said.items():
        answers[group.completions[index].model or UNKNOWN, what] += values.values()
    for judgment in judgments:
        for flag in asked.of_prompt(judgment):
            answers[None, flag].append(int(flag in (judgment.prompt_flags or ())))
    return {key: (sum(values), len(values)) for key, values in answers.items()}


def _agreements(tasks: Sequence[Said], names: Iterable[str], seed: int) -> Iterator[MarkAgreement]:
    for what in names:
        per_task = [[list(answers.values()) for (_, asked), answers in said.items() if asked == what] for said in tasks]
        units = [values for found in per_task for values in found if len(values) > 1]
        if not units:
            continue
        pairs = np.array([[_equal_pairs(found) for found in per_task]], dtype=float).reshape(-1, 1, 2)
        (equal,) = ratio_intervals(pairs, seed=seed)
        yield MarkAgreement(what, len(units), equal, _coefficient(what, units))


def _equal_pairs(units: Iterable[Sequence[int]]) -> tuple[int, int]:
    couples = [a == b for values in units for a, b in combinations(values, 2)]
    return sum(couples), len(couples)


def _coefficient(what: str, units: Sequence[Sequence[int]]) -> float | None:
    if what == RATING:
        return krippendorff_alpha(units, "ordinal")
    counts = np.array([[Counter(values)[0], Counter(values)[1]] for values in units], dtype=float)
    return fleiss_kappa(counts)


def lines(report: RatingReport) -> list[str]:
    """The report for a terminal; nothing where nothing was rated or flagged."""
    found = [f"mean rating of {mark.model}: {_number(mark.estimate)}" for mark in report.ratings]
    found += [f"{mark.what} of {mark.model}: {_percent(mark.estimate)}" for mark in report.flags]
    found += [f"prompts {mark.what}: {_percent(mark.estimate)}" for mark in report.prompt_flags]
    for item in report.agreement:
        name = "Krippendorff's α" if item.what == RATING else "κ"
        value = "–" if item.coefficient is None else f"{item.coefficient:.3f}"
        found.append(f"agreement on {item.what}: {name} {value}, equal {_percent(item.equal)}")
    return found


def _number(estimate: Estimate) -> str:
    return f"{estimate.value:.2f} (95 % interval {estimate.low:.2f} to {estimate.high:.2f}, {estimate.comparisons:,})"


def _percent(estimate: Estimate) -> str:
    return f"{estimate.value:.1%} (95 % interval {estimate.low:.1%} to {estimate.high:.1%}, {estimate.comparisons:,})"
