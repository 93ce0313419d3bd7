"""Exports and imports that are jobs, on the wire: they go on by themselves, and may be looked at and ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from labeler.api.common import JobInfo, Version
from labeler.api.content import Imported, ImportOptions
from labeler.api.typed import Limit
from labeler.finals import Finals
from labeler.import_jobs import Step
from labeler.selection import Format

Split = Literal["train", "valid", "test"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportWanted:
    """What is to be exported; lists that are empty leave nothing out.

    Attributes:
        to: the format.
        ties: in formats of pairs, each tie too, in both directions and with the margin 0.
        ranks_from_ratings: give completions that were rated but not to be ranked ranks by their ratings.
        adjudicated: where a reviewer had the last word, write only that, or it beside the labelers' rankings, or not.
        schema_version: only judgments made under this version of the settings.
        annotators: only these people's judgments.
        since: only judgments of this day (YYYY-MM-DD) or later.
        until: only judgments of this day or earlier.
        min_overlap: only groups that so many people judged, of whom the other filters leave, or a reviewer decided.
        splits: only groups of these splits.
    """

    to: Format = "native"
    ties: bool = False
    ranks_from_ratings: bool = False
    adjudicated: Finals = "only"
    schema_version: Version = None
    annotators: Annotated[tuple[Annotated[str, Limit(1, 100)], ...], Limit(high=1000)] = ()
    since: str | None = None
    until: str | None = None
    min_overlap: Annotated[int, Limit(0, 1000)] = 1
    splits: tuple[Split, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NewExport(ExportWanted):
    """An export to be made.

    Attributes:
        push: also a data set on the Hugging Face Hub to write it to, as ORG/NAME; a new one is private. For admins,
            since the server's own token is used.
    """

    push: Annotated[str | None, Limit(1, 200)] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSnapshot:
    """A snapshot to be made.

    Attributes:
        ranks_from_ratings: see ``NewExport``.
        adjudicated: likewise.
    """

    ranks_from_ratings: bool = False
    adjudicated: Finals = "only"


@dataclass(frozen=True, slots=True)
class ExportRun:
    """An export that is made or being made.

    Attributes:
        project: name of the project.
        what: the format, or ``snapshot``.
        push: the data set on the Hub that it goes to as well.
        counts: how much is in it; null until it is done.
        file: name of the file to download; null until it is done, and where it is gone.
    """

    project: str
    what: str
    push: str | None
    job: JobInfo
    counts: dict[str, int] | None
    file: str | None


@dataclass(frozen=True, slots=True)
class NewImport:
    """What is to be imported.

    Attributes:
        place: ``hf:NAME[:CONFIG][/SPLIT]``; for admins also a path on the server.
    """

    place: Annotated[str, Limit(1, 1000)]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportChoice(ImportOptions):
    """Into which project a source goes, and how.

    Attributes:
        project: name of the project; a new one is made where there is none of the name.
        task: what a new project asks.
        columns: our name of a field and its name in the source, where it is a table.
    """

    project: Annotated[str, Limit(1, 100)]
    task: Literal["rank", "rate", "pair", "demonstrate"] | None = None
    columns: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ImportRun:
    """A source on its way in.

    Attributes:
        name: what its user calls it.
        step: what was done last: checked or stored; null before the first check.
        choice: as which it was; likewise.
        job: how far that is; likewise.
        report: what it found, or added; null until it has ended, and where it failed.
        ready: whether it may be stored as it was checked.
    """

    id: str
    name: str
    step: Step | None
    choice: dict[str, Any] | None
    job: JobInfo | None
    report: Imported | None
    ready: bool
