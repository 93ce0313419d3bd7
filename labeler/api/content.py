"""What goes into a project, on the wire."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from labeler.api.common import Overlap
from labeler.api.typed import Limit


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportOptions:
    """How to read and clean what is imported; the command ``labeler import`` says the same.

    Attributes:
        format: name of the format; ``auto`` looks at the first rows.
        overlap: how many different people judge each task; the project's own where nothing is said.
        priority: urgency of the groups that have none in ``meta.priority``.
        skip_bad: leave bad rows out instead of importing nothing; they are in ``problems``.
        skip_known: leave out what the project has already with the same id and content.
        unique: leave out groups whose prompt was there before.
        unique_prefix: leave out groups whose prompt begins with the same so many characters as an earlier one.
        unique_meaning: leave out groups whose prompt means the same as an earlier one: vectors of them have at least
            this cosine (0.95 is strict). Making the vectors takes its time, so only an import that is checked and
            stored as a job does it.
        per_author: leave out groups beyond so many of one ``meta.author``.
        split_by_author: put all groups of an author into one split.
        mask_pii: mask e-mail addresses, telephone and card numbers, IBANs, IP addresses and US social security numbers.
        phone_region: the country, by two letters, whose telephone numbers may lack their country code.
    """

    format: str = "auto"
    overlap: Overlap | None = None
    priority: Annotated[int | None, Limit(0, 100)] = None
    skip_bad: bool = False
    skip_known: bool = False
    unique: bool = False
    unique_prefix: Annotated[int | None, Limit(low=1)] = None
    unique_meaning: Annotated[float | None, Limit(0, 1)] = None
    per_author: Annotated[int | None, Limit(low=1)] = None
    split_by_author: bool = False
    mask_pii: bool = False
    phone_region: Annotated[str, Limit(2, 2)] = "US"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportQuery(ImportOptions):
    """How to read, clean and store what is sent.

    Attributes:
        dry_run: store nothing, only say what would be done.
    """

    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class ImportProblem:
    """A row that cannot be imported.

    Attributes:
        line: where it is.
        field: path of the field that is at fault.
        problem: what is wrong and how to mend it.
    """

    line: int | None
    field: str | None
    problem: str


@dataclass(frozen=True, slots=True)
class LeftOutInfo:
    """A group that cleaning left out.

    Attributes:
        reason: repeated, same start, same meaning, or enough of the author.
        because: id of the earlier group, or the author.
    """

    id: str
    reason: str
    because: str


@dataclass(frozen=True, slots=True)
class MaskedInfo:
    """A group or demonstration with personal data.

    Attributes:
        kinds: how many places, by kind.
    """

    id: str
    kinds: dict[str, int]


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import added, or a dry run would add; lists have at most 200 entries.

    Attributes:
        format: the format that it was in; null where a dry run could not tell.
        columns: names of the fields of its first row.
        sizes: how many groups, by the number of their completions.
        first: the first groups as they are stored, as rows of the native format without rankings.
        bad: how many rows cannot be imported.
        problems: the first of them.
        repeated: groups whose prompt was there before.
        left_out: groups that cleaning left out.
        reasons: how many, by reason.
        masked: how many places were masked, by kind.
        masked_in: where.
        splits: how many groups got their author's split, by split.
        personal: what a dry run that masks nothing saw of personal data in the first 200 groups: places, by kind.
        dry_run: nothing was stored.
    """

    format: str | None
    columns: tuple[str, ...]
    groups: int
    judgments: int
    demonstrations: int
    sizes: dict[str, int]
    first: tuple[dict[str, Any], ...]
    bad: int
    problems: tuple[ImportProblem, ...]
    repeated: int
    left_out: tuple[LeftOutInfo, ...]
    reasons: dict[str, int]
    masked: dict[str, int]
    masked_in: tuple[MaskedInfo, ...]
    splits: dict[str, int]
    personal: dict[str, int]
    dry_run: bool


@dataclass(frozen=True, slots=True)
class TaskInfo:
    """A task as its managers see it.

    Attributes:
        group: prompt and completions with their models, as a row of the native format without rankings.
        remaining: how many people are still wanted for it.
        priority: from 0 (usual) to 100 (first).
    """

    id: int
    group: dict[str, Any]
    overlap: int
    remaining: int
    priority: int


@dataclass(frozen=True, slots=True)
class SetAside:
    """Tasks that leave the queue, or come back to it.

    Attributes:
        groups: ids of their groups; what is no task of the queue, or was not set aside, stays where it is.
        aside: whether they leave.
    """

    groups: Annotated[tuple[str, ...], Limit(1, 10_000)]
    aside: bool


@dataclass(frozen=True, slots=True)
class Moved:
    """How many tasks moved."""

    tasks: int


@dataclass(frozen=True, slots=True)
class Priorities:
    """How urgent tasks are: from 0 (usual) to 100 (first) by the id of the group."""

    priorities: Annotated[dict[str, Annotated[int, Limit(0, 100)]], Limit(1, 10_000)]
