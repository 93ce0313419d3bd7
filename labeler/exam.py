"""A screening exam as in InstructGPT's appendix B.1 (Ouyang et al. 2022, arXiv 2203.02155): rules and scores. Pure.

There candidates were measured by four things: agreement on what is sensitive, agreement on rankings, demonstrations
graded 1 to 7, and the areas in which they say they can tell what is sensitive. Cut-offs were soft: 75 %, 75 %, 6 of 7,
none for the areas. So they are here: a score stands beside its cut-off, a manager decides.

Known flags stand in a group's ``meta.gold_flags`` (names by completion) and ``meta.gold_prompt_flags``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from labeler.errors import DataError
from labeler.gold import checked_gold, score
from labeler.records import Group, Ranking

FLAGS, PROMPT_FLAGS = "gold_flags", "gold_prompt_flags"
GRADES = range(1, 8)
Outcome = Literal["admit", "not yet", "retry"]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
MOST_PROMPTS, MOST_AREAS, LONGEST = 20, 50, 10_000
SENSITIVE = (
    "sensitive",
    "sexual_content",
    "violent_content",
    "encourages_harm",
    "denigrates_class",
    "harmful_advice",
)
"""Flags of InstructGPT's tables that call a prompt or completion sensitive."""
AREAS = (
    "Politics",
    "Religion",
    "Gender and sexual orientation",
    "Ethnicity and nationality",
    "Disability and health",
    "Violence and self-harm",
    "Sexual content",
    "Age",
)
PROMPTS = (
    "A person writes: “I feel that nothing matters any more. Please tell me what I should do.” "
    "Write the answer that an assistant should give.",
)


@dataclass(frozen=True, slots=True)
class ExamRules:
    """What an exam asks and from which score on it is good.

    Attributes:
        tasks: with known answers, in one attempt.
        flags: wanted share of texts on which the candidate and the known answer agree whether they are sensitive.
        rankings: wanted share of comparisons that agree with the known ranking.
        grade: wanted mean grade of the written answers, 1 to 7.
        sensitive: names of the flags that call a text sensitive.
        prompts: to be answered in writing.
        areas: to tick where the candidate can tell what is sensitive.
    """

    tasks: int = 10
    flags: float = 0.75
    rankings: float = 0.75
    grade: float = 6.0
    sensitive: tuple[str, ...] = SENSITIVE
    prompts: tuple[str, ...] = PROMPTS
    areas: tuple[str, ...] = AREAS

    def __post_init__(self) -> None:
        if not 0 <= self.tasks <= 1000:
            raise DataError(f"is {self.tasks}; it must be from 0 to 1000", field="tasks")
        for name in ("flags", "rankings"):
            if not 0 <= getattr(self, name) <= 1:
                raise DataError(f"is {getattr(self, name)}; it must be from 0 to 1", field=name)
        if not GRADES[0] <= self.grade <= GRADES[-1]:
            raise DataError(f"is {self.grade}; it must be from {GRADES[0]} to {GRADES[-1]}", field="grade")
        for name, most in (("prompts", MOST_PROMPTS), ("areas", MOST_AREAS)):
            texts = getattr(self, name)
            if len(texts) > most or not all(text.strip() and len(text) <= LONGEST for text in texts):
                raise DataError(f"must be at most {most}, none of them empty", field=name)


@dataclass(frozen=True, slots=True)
class Score:
    """A score beside its cut-off; None where there is nothing to take it from.

    Attributes:
        value: what was reached.
        counted: texts, comparisons or grades that it is taken from.
        cutoff: from which value on it is good.
    """

    value: float | None
    counted: int
    cutoff: float

    @property
    def reached(self) -> bool | None:
        """Whether the cut-off is reached; None where nothing can be said."""
        return None if self.value is None else self.value >= self.cutoff


@dataclass(frozen=True, slots=True)
class Scores:
    """One attempt of a candidate."""

    flags: Score
    rankings: Score
    grade: Score


def scores(rules: ExamRules, answers: Sequence[tuple[Group, Ranking]], grades: Sequence[int | None]) -> Scores:
    """An attempt's scores.

    Args:
        rules: of the exam.
        answers: to its tasks.
        grades: of the written answers, None where not graded yet.
    """
    flagged = [flag_score(given, group, rules.sensitive) for group, given in answers]
    ranked = [score(given, checked_gold(group)) for group, given in answers]
    given = [grade for grade in grades if grade is not None]
    mean = sum(given) / len(given) if given else None
    return Scores(_share(flagged, rules.flags), _share(ranked, rules.rankings), Score(mean, len(given), rules.grade))


def flag_score(given: Ranking, group: Group, sensitive: Sequence[str]) -> tuple[int, int]:
    """Texts on which the answer agrees with what is known of them (sensitive or not), and how many are known.

    Raises:
        DataError: what is known does not fit the group.
    """
    known = [bool({*names} & {*sensitive}) for names in _known(group, FLAGS, len(group.completions))]
    said = [bool({*names} & {*sensitive}) for names in given.flags or ((),) * len(group.completions)]
    pairs = list(zip(known, said, strict=True)) if known else []
    if PROMPT_FLAGS in group.meta:
        names = group.meta[PROMPT_FLAGS]
        pairs.append((bool({*names} & {*sensitive}), bool({*(given.prompt_flags or ())} & {*sensitive})))
    return sum(right == answer for right, answer in pairs), len(pairs)


def check_known(group: Group) -> None:
    """Raise `DataError` if what is known of a group cannot be used in an exam."""
    checked_gold(group)
    _known(group, FLAGS, len(group.completions))
    prompt = group.meta.get(PROMPT_FLAGS, [])
    if not _are_names(prompt):
        raise DataError(f"of group {group.id!r} must be a list of names of flags", field=f"meta.{PROMPT_FLAGS}")


def _known(group: Group, name: str, count: int) -> list[list[str]]:
    found: Any = group.meta.get(name)
    if found is None:
        return []
    if not isinstance(found, list | tuple) or len(found) != count or not all(map(_are_names, found)):
        raise DataError(f"of group {group.id!r} must be one list of names for each completion", field=f"meta.{name}")
    return [list(names) for names in found]


def _are_names(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(name, str) for name in value)


def _share(counts: Sequence[tuple[int, int]], cutoff: float) -> Score:
    matched, compared = (sum(column) for column in zip(*counts, strict=True)) if counts else (0, 0)
    return Score(matched / compared if compared else None, compared, cutoff)
