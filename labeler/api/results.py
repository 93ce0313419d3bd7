"""What came out of a project, on the wire."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from labeler.agreement import Reliability
from labeler.api.common import PageQuery, Version
from labeler.api.content import TaskInfo
from labeler.api.typed import Limit
from labeler.chat import Dialogue
from labeler.entities import AnnotatorCounts, Edit, Kind, ProjectCounts, Written
from labeler.finals import Finals
from labeler.rating_report import RatingReport
from labeler.selection import Format
from labeler.writing_report import WritingReport


@dataclass(frozen=True, slots=True)
class RankingInfo:
    """What was said of a group; lists line up with its completions.

    Attributes:
        ranks: 1 is best, equal numbers are a tie, null is not ranked.
        top_only: the worst rank holds what was left over, not compared with each other.
    """

    ranks: tuple[int | None, ...]
    ratings: tuple[int | None, ...] | None
    flags: tuple[tuple[str, ...], ...] | None
    prompt_flags: tuple[str, ...] | None
    strength: int | None
    all_bad: bool
    top_only: bool


@dataclass(frozen=True, slots=True)
class JudgmentInfo:
    """An answer as recorded.

    Attributes:
        task: id of the task.
        group: id of the group.
        origin: whether it was given here or came with an import.
        ranking: null for a skip, and for an answer or a dialogue that was written.
        edit: of the ranking's best.
        written: null for everything but an answer that was written.
        dialogue: null for everything else.
        order: ids of the completions as they were shown.
        supersedes: id of the judgment that it corrects.
        stands: no correction has replaced it.
    """

    id: int
    task: int
    group: str
    annotator: str
    origin: Literal["app", "import"]
    kind: Kind
    ranking: RankingInfo | None
    edit: Edit | None
    written: Written | None
    dialogue: Dialogue | None
    reason: str | None
    note: str | None
    seconds: float | None
    order: tuple[str, ...] | None
    at: str | None
    settings_version: int | None
    guidelines_version: int | None
    supersedes: int | None
    stands: bool


@dataclass(frozen=True, slots=True)
class TaskDetail:
    """A task with everything that stands of what was said of it.

    Attributes:
        judgments: in the order in which they were recorded, skips included.
    """

    task: TaskInfo
    judgments: tuple[JudgmentInfo, ...]


@dataclass(frozen=True, slots=True)
class JudgmentQuery(PageQuery):
    """Which judgments, in the order in which they were recorded.

    Attributes:
        standing: leave out those that were corrected.
    """

    standing: bool = True


@dataclass(frozen=True, slots=True)
class SnapshotQuery:
    """How to pack it.

    Attributes:
        archive: the kind of file.
        ranks_from_ratings: give completions that were rated but not to be ranked ranks by their ratings.
        adjudicated: where a reviewer had the last word, write only that, or it beside the labelers' rankings, or not.
    """

    archive: Literal["zip", "tar.gz"] = "zip"
    ranks_from_ratings: bool = False
    adjudicated: Finals = "only"


@dataclass(frozen=True, slots=True)
class ExportQuery:
    """Which judgments, in which format; the command ``labeler export`` says the same.

    Attributes:
        to: the format.
        ties: in formats of pairs, each tie too, in both directions and with the margin 0.
        ranks_from_ratings: see ``SnapshotQuery``.
        adjudicated: likewise; the filters are for final answers, too.
        schema_version: only judgments made under this version of the settings.
        annotator: only this person's judgments.
        since: only judgments of this day (YYYY-MM-DD) or later.
        until: only judgments of this day or earlier.
        min_overlap: only groups that so many people judged, of whom the other filters leave, or a reviewer decided.
        split: only groups of this split.
    """

    to: Format = "native"
    ties: bool = False
    ranks_from_ratings: bool = False
    adjudicated: Finals = "only"
    schema_version: Version = None
    annotator: Annotated[str | None, Limit(1, 100)] = None
    since: str | None = None
    until: str | None = None
    min_overlap: Annotated[int, Limit(0, 1000)] = 1
    split: Literal["train", "valid", "test"] | None = None


@dataclass(frozen=True, slots=True)
class Stats:
    """How a project stands and how far its annotators agree.

    Attributes:
        tasks: judged tasks that all but the counts were taken from.
        complete: whether these are all.
        marks: mean ratings and flag rates by model, and agreement on them.
        writing: how much was written, and how many rankings come with a better text.
    """

    counts: ProjectCounts
    annotators: tuple[AnnotatorCounts, ...]
    tasks: int
    complete: bool
    reliability: Reliability
    marks: RatingReport
    writing: WritingReport
