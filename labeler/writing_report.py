"""How much people write: answers to prompts, and better texts than the best completion. Pure, from judgments."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from labeler.entities import Judgment
from labeler.records import Group

Judged = Sequence[tuple[Group, tuple[Judgment, ...]]]
"""Each group beside its standing judgments."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Of some numbers the median, and the borders of the lowest and the highest tenth."""

    median: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Writer:
    """One person's answers.

    Attributes:
        annotator: who.
        answers: how many stand.
        words: in one answer.
        seconds: attention time of one answer, None where it is never known.
    """

    annotator: str
    answers: int
    words: Spread
    seconds: Spread | None


@dataclass(frozen=True, slots=True)
class Edits:
    """Rankings that come with a better text than the best.

    Attributes:
        rankings: how many rankings there are.
        edited: how many of these come with one.
        anew: how many of those were written anew, since all were bad.
        words_added: words more than the completion that it was made from; None where every one was written anew.
    """

    rankings: int
    edited: int
    anew: int
    words_added: Spread | None


@dataclass(frozen=True, slots=True)
class WritingReport:
    """What was written in a project; without answers or edits the figures of these are None.

    Attributes:
        answers: how many answers to prompts stand.
        words, characters: in one answer.
        people: by name.
        edits: of rankings.
    """

    answers: int
    words: Spread | None
    characters: Spread | None
    people: tuple[Writer, ...]
    edits: Edits | None


def words_of(text: str) -> int:
    """How many words: runs of characters between blanks."""
    return len(text.split())


def writing_report(judged: Judged) -> WritingReport:
    """All figures of a project."""
    written = [judgment for _, judgments in judged for judgment in judgments if judgment.written]
    texts = [judgment.written.text for judgment in written if judgment.written]
    names = sorted({judgment.annotator for judgment in written})
    people = (_writer(name, [judgment for judgment in written if judgment.annotator == name]) for name in names)
    return WritingReport(
        len(texts), _spread(map(words_of, texts)), _spread(map(len, texts)), tuple(people), _edits(judged)
    )


def _spread(values: Iterable[float]) -> Spread | None:
    found = np.array([*values], dtype=float)
    if not len(found):
        return None
    low, median, high = np.quantile(found, (0.1, 0.5, 0.9))
    return Spread(float(median), float(low), float(high))


def _writer(name: str, answers: Sequence[Judgment]) -> Writer:
    words = _spread(words_of(judgment.written.text) for judgment in answers if judgment.written)
    seconds = _spread(judgment.seconds for judgment in answers if judgment.seconds is not None)
    return Writer(name, len(answers), words or Spread(0, 0, 0), seconds)


def _edits(judged: Judged) -> Edits | None:
    found = [(group, judgment.edit) for group, judgments in judged for judgment in judgments if judgment.edit]
    if not found:
        return None
    rankings = sum(judgment.ranking is not None for _, judgments in judged for judgment in judgments)
    texts = {(id(group), completion.id): completion.text for group, _ in found for completion in group.completions}
    added = [words_of(edit.text) - words_of(texts[id(group), edit.of]) for group, edit in found if edit.of]
    return Edits(rankings, len(found), sum(edit.of is None for _, edit in found), _spread(added))


def lines(report: WritingReport) -> list[str]:
    """The report for a terminal; nothing where nothing was written."""
    found = []
    if report.words and report.characters:
        found.append(
            f"written answers: {report.answers:,}, {told(report.words)} words, {told(report.characters)} characters"
        )
        found += [
            f"words of {person.annotator}: {told(person.words)}, {person.answers:,} answers" for person in report.people
        ]
    if report.edits:
        edits = report.edits
        found.append(
            f"better texts than the best: {edits.edited:,} of {edits.rankings:,} rankings, {edits.anew:,} written anew"
        )
    if report.edits and report.edits.words_added:
        found.append(f"words that an edit adds: {told(report.edits.words_added)}")
    return found


def told(spread: Spread) -> str:
    """A spread in words."""
    return f"median {spread.median:,.0f} (a tenth below {spread.low:,.0f}, a tenth above {spread.high:,.0f})"
