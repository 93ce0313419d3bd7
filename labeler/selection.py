"""What an export is to hold: which judgments, in which format. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from labeler.edits import with_edits
from labeler.entities import Judgment
from labeler.errors import UsageError
from labeler.finals import Finals, decided
from labeler.formats import group_rows
from labeler.records import SPLITS, Group

Format = Literal[
    "native", "trl", "trl-conversational", "openrlhf", "hh-rlhf", "csv", "parquet", "datasets", "argilla", "labelstudio"
]
_DAY = re.compile(r"\d{4}-\d\d-\d\d")


@dataclass(frozen=True)
class Selection:
    """Which judgments: those that all filters leave.

    Attributes:
        schema_version: made under this version of the project's settings.
        annotators: made by these people.
        since: made on this day (YYYY-MM-DD, UTC) or later.
        until: made on this day or earlier.
        min_overlap: only groups that so many people judged, of those whom the other filters leave, or on which a
            reviewer had the last word; 0 takes groups that nobody judged, too.
        splits: only groups of these splits: train, valid, test.
    """

    schema_version: int | None = None
    annotators: tuple[str, ...] = ()
    since: str | None = None
    until: str | None = None
    min_overlap: int = 1
    splits: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("since", "until"):
            if (day := getattr(self, name)) is not None and not _DAY.fullmatch(day):
                raise UsageError(f"--{name} {day!r} must be a day, as 2025-01-31")
        if self.min_overlap < 0:
            raise UsageError("--min-overlap must be 0 or more")
        for split in self.splits:
            if split not in SPLITS:
                raise UsageError(f"--splits {split!r} must be one of {', '.join(SPLITS)}")

    def group(
        self,
        group: Group,
        judgments: Iterable[Judgment],
        final: Judgment | None = None,
        finals: Finals = "ignore",
    ) -> Group | None:
        """The group with the rankings that are left, and their edits; None where it is not wanted.

        Args:
            group: with its split.
            judgments: the labelers'.
            final: the reviewer's, where there is one; the filters are for it too.
            finals: what is done with it.
        """
        if self.splits and group.split not in self.splits:
            return None
        labeled = [said for said in judgments if said.ranking and self.wants(said)]
        last = final if final and finals != "ignore" and self.wants(final) else None
        if last is None and len({said.annotator for said in labeled}) < self.min_overlap:
            return None
        left = decided(labeled, last, finals)
        rankings = tuple(said.ranking for said in left if said.ranking)
        return with_edits(replace(group, rankings=rankings), left)

    def wants(self, said: Judgment) -> bool:
        """Whether a judgment is among those chosen, of whichever group."""
        day = said.at[:10] if said.at else ""
        return (
            (self.schema_version is None or said.schema_version == self.schema_version)
            and (not self.annotators or said.annotator in self.annotators)
            and (self.since is None or day >= self.since)
            and (self.until is None or "" < day <= self.until)
        )


@dataclass(frozen=True, kw_only=True)
class Export:
    """What is exported, and how.

    Attributes:
        to: the format.
        ties: of formats of pairs: each tie too, in both directions, with the margin 0.
        ranks_from_ratings: completions that were rated but not to be ranked get ranks by their ratings.
        adjudicated: of tasks on which a reviewer had the last word, ``only`` that, as of an annotator "adjudicated"; it
            ``beside`` the labelers' rankings; or these alone (``ignore``).
        selection: which judgments.
    """

    to: Format
    ties: bool = False
    ranks_from_ratings: bool = False
    adjudicated: Finals = "only"
    selection: Selection = Selection()

    def __post_init__(self) -> None:
        group_rows(self.to, ties=self.ties)  # raises where the format has no ties
