"""What the store gives and takes: frozen records of people, projects, assignments and judgments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from labeler.chat import Dialogue, Offer, WrittenDialogue, as_draft
from labeler.label_schema import LabelSchema
from labeler.records import Prompt, Ranking

UserRole = Literal["labeler", "manager", "admin"]
USER_ROLES: tuple[UserRole, ...] = ("labeler", "manager", "admin")
ADJUDICATED = "adjudicated"
"""The annotator under whose name reviewers' final answers go into the data."""
Kind = Literal["rank", "write", "skip"]
"""A judgment of completions, an answer written to the prompt, or a refusal with a reason."""
EventType = Literal[
    "judgment.created",
    "judgment.corrected",
    "task.done",
    "project.finished",
    "import.finished",
    "snapshot.created",
    "training.finished",
]
EVENT_TYPES: tuple[EventType, ...] = get_args(EventType)
"""What programs elsewhere may be told of."""


@dataclass(frozen=True, slots=True)
class User:
    """An account. A labeler ranks, a manager also sees the project's pages, an admin everything.

    Attributes:
        language: of the interface, one of `labeler.languages.LANGUAGES`; None for what the browser asks for.
    """

    id: int
    name: str
    role: UserRole
    disabled: bool
    language: str | None = None


MAY_MANAGE: dict[UserRole, tuple[UserRole, ...]] = {
    "labeler": (),
    "manager": ("labeler", "manager"),
    "admin": USER_ROLES,
}
"""Accounts of which roles each role may make, invite again and close."""


@dataclass(frozen=True, slots=True)
class Project:
    """A set of tasks with its guidelines and rules.

    Attributes:
        schema: what is asked, as of `schema_version`.
        overlap: how many different people judge each task.
        dwell_seconds: a second submit sooner than this is taken for a double click and refused.
        lease_seconds: how long a task stays reserved after it was shown or its draft last changed.
        seed: decides which person starts where and sees the completions in which order.
    """

    id: int
    name: str
    schema: LabelSchema = field(default_factory=LabelSchema)
    schema_version: int = 1
    guidelines: str = ""
    guidelines_version: int = 1
    overlap: int = 1
    dwell_seconds: float = 0.4
    lease_seconds: float = 1800.0
    seed: int = 0

    @property
    def task(self) -> str:
        """What labelers do, see `labeler.label_schema.Task`."""
        return self.schema.task


@dataclass(frozen=True, slots=True)
class Shown:
    """A completion as a labeler sees it: with a letter, without its model."""

    label: str
    completion_id: str
    text: str


@dataclass(frozen=True, slots=True)
class Assignment:
    """A task given to one person.

    Attributes:
        handle: what the person's page calls the task, see `labeler.handles`.
        lease: when the reservation runs out, in seconds since 1970; None for the correction of a counted ranking,
            whose slot cannot be lost.
        completions: in the order in which this person sees them, the same after a reload.
        draft: what was last saved, in the caller's own form; for a fresh correction, `Judgment.as_draft`.
        draft_version: its version, 0 without a draft; the next save must carry a higher one.
        correction_of: the judgment that a submit will replace, None for a first answer.
        opening: of a correction, another name each time that it is opened; a draft is saved under the same.
        skip_of: the same id where that judgment was a skip, else None.
        scenario: for whoever writes a dialogue, what to play.
        offers: replies of models that this person was given for the dialogue.
    """

    task_id: int
    lease: float | None
    project: Project
    group_id: str
    prompt: Prompt
    completions: tuple[Shown, ...]
    overlap: int
    draft: dict[str, Any] | None
    draft_version: int
    correction_of: int | None
    opening: str | None
    skip_of: int | None
    handle: int
    scenario: str | None = None
    offers: tuple[Offer, ...] = ()

    @property
    def order(self) -> tuple[str, ...]:
        """The completion ids as shown, left to right."""
        return tuple(shown.completion_id for shown in self.completions)


@dataclass(frozen=True, slots=True)
class Edit:
    """A better text than all that were ranked.

    Attributes:
        of: id of the completion that it was made from, one of the best; None: written anew, since all were bad.
        text: exactly as typed.
    """

    of: str | None
    text: str


@dataclass(frozen=True, slots=True)
class Written:
    """The answer that a labeler wrote to a prompt.

    Attributes:
        text: exactly as typed.
        prompt_flags: names of flags of the prompt; None where none are asked for.
    """

    text: str
    prompt_flags: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Submission:
    """An answer on its way in.

    Attributes:
        submission_id: made once by the client for each answer; sending it again does nothing more.
        ranks: rank by completion id, 1 best, equal is a tie; every completion is ranked (or as many as the project
            asks for), unless all are bad.
        ratings: 1 to 7 by completion id, all of them where the project asks for ratings.
        flags: names of the flags that are set, by completion id.
        prompt_flags: names of the prompt's flags that are set.
        strength: for two completions, 1 negligibly to 4 significantly better.
        written: the answer to the prompt, where the project asks for one.
        edit: the best completion improved, where the project asks for that.
        reason: why it is skipped; needed for a skip.
        seconds: attention time.
        schema_version: of the schema that the person had before them; None: the newest.
        guidelines_version: likewise.
        dialogue: what was written, where the project asks for a dialogue.
    """

    submission_id: str
    task_id: int
    kind: Kind
    ranks: Mapping[str, int | None] = field(default_factory=dict)
    ratings: Mapping[str, int | None] = field(default_factory=dict)
    flags: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    prompt_flags: tuple[str, ...] = ()
    all_bad: bool = False
    strength: int | None = None
    written: str | None = None
    edit: Edit | None = None
    note: str | None = None
    reason: str | None = None
    seconds: float | None = None
    schema_version: int | None = None
    guidelines_version: int | None = None
    dialogue: WrittenDialogue | None = None


@dataclass(frozen=True, slots=True)
class Judgment:
    """An answer as recorded, for good.

    One of `ranking` (with or without an `edit`), `written`, `dialogue` and, for a skip, `reason` is there.
    """

    id: int
    task_id: int
    group_id: str
    annotator: str
    user_id: int | None
    origin: Literal["app", "import"]
    kind: Kind
    ranking: Ranking | None
    reason: str | None
    note: str | None
    seconds: float | None
    order: tuple[str, ...] | None
    at: str | None
    schema_version: int | None
    guidelines_version: int | None
    supersedes: int | None
    submission_id: str | None
    written: Written | None = None
    edit: Edit | None = None
    dialogue: Dialogue | None = None

    @property
    def prompt_flags(self) -> tuple[str, ...] | None:
        """Names of flags of the prompt; None where none were asked for."""
        said = self.ranking or self.written
        return said.prompt_flags if said else None

    def as_draft(self, completion_ids: tuple[str, ...]) -> dict[str, Any]:
        """The answer under the names of `Submission`, to go on from.

        Args:
            completion_ids: of the task, in the group's own order.
        """
        nothing = Ranking("-", (None,) * len(completion_ids))
        said = self.ranking or nothing

        def by_id(values: tuple[Any, ...] | None) -> dict[str, Any]:
            return dict(zip(completion_ids, values, strict=True)) if values else {}

        return {
            "kind": self.kind,
            "ranks": by_id(said.chosen) if self.ranking else {},
            "ratings": by_id(said.ratings),
            "flags": {name: list(flags) for name, flags in by_id(said.flags).items()},
            "prompt_flags": list(self.prompt_flags or ()),
            "all_bad": said.all_bad,
            "strength": said.strength,
            "written": self.written.text if self.written else None,
            "edit": {"of": self.edit.of, "text": self.edit.text} if self.edit else None,
            "note": self.note,
            "reason": self.reason,
            "seconds": self.seconds,
            **({"dialogue": as_draft(self.dialogue)} if self.dialogue else {}),
        }


@dataclass(frozen=True, slots=True)
class Progress:
    """How far one person is in a project.

    Attributes:
        done: tasks that they ranked.
        total: tasks that they ranked or may still get; those that they skipped or left out are in neither.
        seconds_today: attention time of today (UTC).
    """

    done: int
    total: int
    seconds_today: float


@dataclass(frozen=True, slots=True)
class HistoryItem:
    """One of a person's own standing judgments, in short."""

    judgment_id: int
    task_id: int
    at: str
    prompt_preview: str
    summary: str


@dataclass(frozen=True, slots=True)
class TaskState:
    """A task as its managers see it; ``row`` is the native row of its group, without rankings."""

    id: int
    row: dict[str, Any]
    overlap: int
    remaining: int
    priority: int


@dataclass(frozen=True, slots=True)
class ImportCounts:
    """What an import added."""

    groups: int
    judgments: int
    demonstrations: int


@dataclass(frozen=True, slots=True)
class ProjectCounts:
    """How a project stands; ``judgments`` and ``skips`` are the standing ones, ``tasks`` those of the queue."""

    tasks: int
    finished: int
    started: int
    judgments: int
    skips: int
    corrections: int
    demonstrations: int
    live_leases: int


@dataclass(frozen=True, slots=True)
class AnnotatorCounts:
    """What one annotator did; ``seconds`` sums the attention time of standing answers where it is known."""

    annotator: str
    judgments: int
    skips: int
    corrections: int
    seconds: float
