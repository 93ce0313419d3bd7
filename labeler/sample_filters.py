"""Which of the judged tasks a manager looks at: the filters of the pages about agreement, labelers and models. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

from labeler.agreement_slices import category
from labeler.comparisons import UNKNOWN
from labeler.quality import Judged


@dataclass(frozen=True, slots=True)
class Choice:
    """What the filters say; empty: everything.

    Attributes:
        people: rankings and skips of these alone.
        categories: tasks of these kinds alone, see `labeler.agreement_slices.category`.
        models: tasks with a completion of one of these.
        since: rankings and skips of this day or later.
        until: likewise of this day or earlier.
    """

    people: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    since: date | None = None
    until: date | None = None

    def wants(self, annotator: str, at: str | None) -> bool:
        """Whether a person's answer of a moment is left; one without a moment is of no day."""
        if self.people and annotator not in self.people:
            return False
        if self.since is None and self.until is None:
            return True
        if at is None:
            return False
        day = at[:10]
        return (self.since is None or self.since.isoformat() <= day) and (
            self.until is None or day <= self.until.isoformat()
        )


def chosen(judged: Judged, choice: Choice) -> Judged:
    """The tasks of the chosen categories with a completion of a chosen model, with the chosen people's rankings."""
    found = []
    for group, answers in judged:
        models = {completion.model or UNKNOWN for completion in group.completions}
        if (choice.categories and category(group.meta) not in choice.categories) or (
            choice.models and not models & {*choice.models}
        ):
            continue
        rankings = tuple(ranking for ranking in group.rankings if choice.wants(ranking.annotator, ranking.at))
        left = tuple(answer for answer in answers if choice.wants(answer.annotator, answer.at))
        if rankings or left:
            found.append((replace(group, rankings=rankings), left))
    return tuple(found)
