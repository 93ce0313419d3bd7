"""What goes over the wire, in both directions, said here once for the server, its page and the client.

Counts and statistics travel as the records that the rest of the program has for them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, Generic, Literal, TypeVar

from labeler.agreement import Reliability
from labeler.api.typed import Limit
from labeler.chat import Dialogue, Turn, Unfinished, WrittenDialogue
from labeler.endpoint_settings import LONGEST_WAIT, MOST_REPLIES, MOST_TOKENS
from labeler.entities import AnnotatorCounts, Kind, Progress, ProjectCounts, UserRole
from labeler.label_schema import Task as TaskKind
from labeler.rating_report import RatingReport
from labeler.selection import Format

T = TypeVar("T")
Name = Annotated[str, Limit(1, 100)]
Note = Annotated[str | None, Limit(high=10_000)]
SubmissionId = Annotated[str, Limit(1, 200)]
Seconds = Annotated[float, Limit(low=0)]
Overlap = Annotated[int, Limit(1, 1000)]
Version = Annotated[int | None, Limit(low=1)]


# Everywhere


@dataclass(frozen=True, slots=True)
class Problem:
    """An error, as RFC 9457 has it.

    Attributes:
        type: always ``about:blank``; the status says what kind it is.
        title: the status in words.
        status: the status code.
        detail: what is wrong and what to do, as one sentence.
        field: path of the field that is at fault, where one is.
        line: line of an import that is at fault, where one is.
    """

    title: str
    status: int
    detail: str
    type: str = "about:blank"
    field: str | None = None
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some of a list.

    Attributes:
        items: in the list's order.
        next: the cursor of the page after this one, null on the last.
    """

    items: tuple[T, ...]
    next: str | None


@dataclass(frozen=True, slots=True)
class PageQuery:
    """Which part of a list.

    Attributes:
        cursor: what the page before gave as ``next``.
        limit: at most so many.
    """

    cursor: Annotated[str | None, Limit(high=40)] = None
    limit: Annotated[int, Limit(1, 500)] = 100


# People


@dataclass(frozen=True, slots=True)
class Me:
    """Whose token it is.

    Attributes:
        projects: names of the projects that they are restricted to; empty for every project.
    """

    id: int
    name: str
    role: UserRole
    projects: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Person:
    """An account.

    Attributes:
        projects: names of the projects that they are restricted to; empty for every project.
    """

    id: int
    name: str
    role: UserRole
    disabled: bool
    projects: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NewPerson:
    """An account to be made.

    Attributes:
        name: what they sign in with and appear as in the data; a pseudonym is enough.
        projects: names of projects; none for all of one's own.
        email: where the server knows an OpenID provider, this address, verified there, lets them in too.
    """

    name: Name
    role: UserRole = "labeler"
    projects: Annotated[tuple[str, ...], Limit(high=1000)] = ()
    email: Annotated[str | None, Limit(3, 254)] = None


@dataclass(frozen=True, slots=True)
class Invitation:
    """A way in for somebody, good once and for seven days.

    Attributes:
        path: to open in a browser, behind the address of the server; it is not shown again.
    """

    user: Person
    path: str


# Projects


@dataclass(frozen=True, slots=True)
class FlagSetting:
    """A question answered with yes or no; a name of InstructGPT's tables brings its text, question and key along.

    Attributes:
        name: what it is called in the data.
        text: what stands on its button.
        about: the whole question.
        key: the letter that sets it.
    """

    name: str
    text: str | None = None
    about: str | None = None
    key: str | None = None


@dataclass(frozen=True, slots=True)
class EndpointSetting:
    """A server with OpenAI's chat completions, which writes suggestions.

    Attributes:
        url: up to and with ``/v1``.
        model: what the server calls the model.
        number: suggestions at a time.
        max_tokens: of a suggestion.
        timeout: seconds to wait for them.
    """

    url: Annotated[str, Limit(1, 2000)]
    model: Annotated[str, Limit(1, 300)]
    number: Annotated[int, Limit(1, MOST_REPLIES)] = 3
    temperature: Annotated[float, Limit(0, 2)] = 1.0
    max_tokens: Annotated[int, Limit(1, MOST_TOKENS)] = 512
    timeout: Annotated[float, Limit(1, int(LONGEST_WAIT))] = 60.0


@dataclass(frozen=True, slots=True)
class Settings:
    """What is asked about one task. What a request leaves out, or null, is as usual for the task.

    Attributes:
        ranking: whether a ranking follows the ratings; always so for the other tasks.
        top: rank only the best so many, null for all.
        strength: of two completions, how much better the one is, from 1 to 4.
        all_bad: may say that no completion is acceptable.
        flags: of each completion.
        prompt_flags: of the prompt.
        suggest: in a chat, what writes suggestions; null for none, and for those who only label.
        replies: in a chat, how many replies each of the assistant's turns offers to be ranked, null for none.
    """

    task: TaskKind = "rank"
    ranking: bool | None = None
    top: Annotated[int | None, Limit(low=1)] = None
    strength: bool | None = None
    all_bad: bool | None = None
    flags: tuple[FlagSetting, ...] | None = None
    prompt_flags: tuple[FlagSetting, ...] | None = None
    suggest: EndpointSetting | None = None
    replies: Annotated[int | None, Limit(2, MOST_REPLIES)] = None


@dataclass(frozen=True, slots=True)
class ProjectInfo:
    """A project.

    Attributes:
        settings: what is asked, as of `settings_version`.
        overlap: how many different people judge each task.
        dwell_seconds: a second submit sooner than this is taken for a double click and refused.
        lease_seconds: how long a task stays reserved after it was given out or its draft last changed.
    """

    id: int
    name: str
    settings: Settings
    settings_version: int
    guidelines: str
    guidelines_version: int
    overlap: int
    dwell_seconds: float
    lease_seconds: float


@dataclass(frozen=True, slots=True)
class NewProject:
    """A project to be made; see ``ProjectInfo``."""

    name: Name
    settings: Settings = field(default_factory=Settings)
    guidelines: Annotated[str, Limit(high=200_000)] = ""
    overlap: Overlap = 1
    dwell_seconds: Annotated[float, Limit(0, 60)] = 0.4
    lease_seconds: Annotated[float, Limit(1, 604_800)] = 1800.0


@dataclass(frozen=True, slots=True)
class Rules:
    """How a project is worked off from now on; see ``ProjectInfo``. What is left out, or null, stays as it is.

    Attributes:
        overlap: for every task, those that are done among them; answers are never lost.
    """

    overlap: Overlap | None = None
    dwell_seconds: Annotated[float | None, Limit(0, 60)] = None
    lease_seconds: Annotated[float | None, Limit(1, 604_800)] = None


@dataclass(frozen=True, slots=True)
class Guidelines:
    """A new version of a project's guidelines, in Markdown."""

    text: Annotated[str, Limit(high=200_000)]


@dataclass(frozen=True, slots=True)
class ImportQuery:
    """How to read, clean and store what is sent; the command ``labeler import`` says the same.

    Attributes:
        format: name of the format; ``auto`` looks at the first rows.
        overlap: how many different people judge each task; the project's own where nothing is said.
        priority: urgency of the groups that have none in ``meta.priority``.
        skip_bad: leave bad rows out instead of importing nothing; they are in ``problems``.
        skip_known: leave out what the project has already with the same id and content.
        dry_run: store nothing, only say what would be done.
        unique: leave out groups whose prompt was there before.
        unique_prefix: leave out groups whose prompt begins with the same so many characters as an earlier one.
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
    dry_run: bool = False
    unique: bool = False
    unique_prefix: Annotated[int | None, Limit(low=1)] = None
    per_author: Annotated[int | None, Limit(low=1)] = None
    split_by_author: bool = False
    mask_pii: bool = False
    phone_region: Annotated[str, Limit(2, 2)] = "US"


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
class Imported:
    """What an import added, or a dry run would add; lists have at most 200 entries.

    Attributes:
        format: the format that it was in; null where a dry run could not tell.
        bad: how many rows cannot be imported.
        problems: the first of them.
        repeated: groups whose prompt was there before.
        left_out: groups that cleaning left out.
        reasons: how many, by reason.
        masked: how many places were masked, by kind.
        splits: how many groups got their author's split, by split.
        dry_run: nothing was stored.
    """

    format: str | None
    groups: int
    judgments: int
    demonstrations: int
    bad: int
    problems: tuple[ImportProblem, ...]
    repeated: int
    left_out: tuple[LeftOutInfo, ...]
    reasons: dict[str, int]
    masked: dict[str, int]
    splits: dict[str, int]
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
class Priorities:
    """How urgent tasks are: from 0 (usual) to 100 (first) by the id of the group."""

    priorities: Annotated[dict[str, Annotated[int, Limit(0, 100)]], Limit(1, 10_000)]


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
        ranking: null for a skip and for a dialogue.
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
class JudgmentQuery:
    """Which judgments, in the order in which they were recorded.

    Attributes:
        cursor: what the page before gave as ``next``.
        limit: at most so many.
        standing: leave out those that were corrected.
    """

    cursor: Annotated[str | None, Limit(high=40)] = None
    limit: Annotated[int, Limit(1, 500)] = 100
    standing: bool = True


@dataclass(frozen=True, slots=True)
class SnapshotQuery:
    """How to pack it.

    Attributes:
        archive: the kind of file.
        ranks_from_ratings: give completions that were rated but not to be ranked ranks by their ratings.
    """

    archive: Literal["zip", "tar.gz"] = "zip"
    ranks_from_ratings: bool = False


@dataclass(frozen=True, slots=True)
class ExportQuery:
    """Which judgments, in which format; the command ``labeler export`` says the same.

    Attributes:
        to: the format.
        ties: in formats of pairs, each tie too, in both directions and with the margin 0.
        ranks_from_ratings: see ``SnapshotQuery``.
        schema_version: only judgments made under this version of the settings.
        annotator: only this person's judgments.
        since: only judgments of this day (YYYY-MM-DD) or later.
        until: only judgments of this day or earlier.
        min_overlap: only groups that so many people judged, of whom the other filters leave.
        split: only groups of this split.
    """

    to: Format = "native"
    ties: bool = False
    ranks_from_ratings: bool = False
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
        marks: mean ratings and flag rates by model, and agreement on them.
    """

    counts: ProjectCounts
    annotators: tuple[AnnotatorCounts, ...]
    reliability: Reliability
    marks: RatingReport


# Labeling


@dataclass(frozen=True, slots=True)
class MessageInfo:
    """A turn of the prompt."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class ShownInfo:
    """A completion under the letter that this person sees it with."""

    label: str
    text: str


@dataclass(frozen=True, slots=True)
class Draft:
    """An unfinished answer, by letter; see ``Answer``.

    Attributes:
        trail: letters in the order in which they were ranked.
        tie: whether the next letter ties with the one before.
        reason: of a skip.
        dialogue: what is written so far, where the project asks for a dialogue.
    """

    ranks: dict[str, int | None] = field(default_factory=dict)
    ratings: dict[str, int | None] = field(default_factory=dict)
    flags: dict[str, tuple[str, ...]] = field(default_factory=dict)
    prompt_flags: tuple[str, ...] = ()
    strength: int | None = None
    trail: tuple[str, ...] = ()
    tie: bool = False
    all_bad: bool = False
    note: Note = None
    reason: Note = None
    seconds: Seconds = 0.0
    dialogue: Unfinished | None = None


@dataclass(frozen=True, slots=True)
class OfferInfo:
    """Replies that a model gave for the next turn of the assistant, and its id to refer to."""

    id: int
    replies: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AskForReplies:
    """The dialogue so far, behind the task's own messages; it ends with a turn of the user."""

    turns: tuple[Turn, ...]


@dataclass(frozen=True, slots=True)
class TaskToDo:
    """A task given to one person.

    Attributes:
        completions: in the order of this person.
        draft: what was last saved.
        draft_version: of it, 0 without one; the next draft carries a higher one.
        correction: id of the judgment that the answer will replace, null for a first answer.
        scenario: what to play in a dialogue.
        offers: suggestions that were made for this dialogue.
    """

    id: int
    prompt: tuple[MessageInfo, ...]
    completions: tuple[ShownInfo, ...]
    draft: Draft | None
    draft_version: int
    correction: int | None
    schema_version: int
    guidelines_version: int
    scenario: str | None
    offers: tuple[OfferInfo, ...]


@dataclass(frozen=True, slots=True)
class Next:
    """What to do now.

    Attributes:
        task: null when nothing is left for this person.
    """

    task: TaskToDo | None
    progress: Progress


@dataclass(frozen=True, slots=True)
class SaveDraft:
    """A draft to keep.

    Attributes:
        version: counts up; one that is not higher than the kept one is ignored.
        correction: id of the judgment that is being corrected, null for a first answer.
    """

    draft: Draft
    version: Annotated[int, Limit(1, 2**31 - 1)]
    correction: int | None = None


@dataclass(frozen=True, slots=True)
class Kept:
    """The version of the draft that is kept now; null where it came too late and nothing was kept."""

    version: int | None


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer by letter: all that the project asks for.

    Attributes:
        submission_id: made once for each answer; sending it again records nothing more and returns the same.
        ranks: 1 is best, equal numbers are a tie.
        ratings: from 1 to 7.
        flags: names of the flags that are set.
        prompt_flags: likewise, of the prompt.
        strength: of a preference between two, from 1 (negligibly) to 4 (significantly).
        all_bad: no completion is acceptable.
        seconds: attention time.
        schema_version: of the settings under which the answer was made; null for the newest.
        guidelines_version: likewise.
        dialogue: the whole of it, where the project asks for one.
    """

    submission_id: SubmissionId
    ranks: dict[str, int | None] = field(default_factory=dict)
    ratings: dict[str, int | None] = field(default_factory=dict)
    flags: dict[str, tuple[str, ...]] = field(default_factory=dict)
    prompt_flags: tuple[str, ...] = ()
    strength: int | None = None
    all_bad: bool = False
    note: Note = None
    seconds: Seconds = 0.0
    schema_version: Version = None
    guidelines_version: Version = None
    dialogue: WrittenDialogue | None = None


@dataclass(frozen=True, slots=True)
class Skip:
    """A refusal to answer.

    Attributes:
        submission_id: see ``Answer``.
        reason: why.
        seconds: attention time.
    """

    submission_id: SubmissionId
    reason: Annotated[str, Limit(1, 10_000)]
    note: Note = None
    seconds: Seconds = 0.0


@dataclass(frozen=True, slots=True)
class Recorded:
    """An answer that is in the database for good.

    Attributes:
        judgment: its id.
        supersedes: id of the judgment that it replaced.
    """

    judgment: int
    task: int
    kind: Kind
    at: str | None
    supersedes: int | None


@dataclass(frozen=True, slots=True)
class Undo:
    """Which judgment of one's own to bring back for correction; null for the last one."""

    judgment: int | None = None


@dataclass(frozen=True, slots=True)
class OwnJudgment:
    """One of one's own standing judgments, in short."""

    judgment: int
    task: int
    at: str
    prompt: str
    summary: str


# Training


@dataclass(frozen=True, slots=True)
class NewTraining:
    """A reward model to be trained on a project's judgments as they are now.

    Attributes:
        base: ``smollm2-135m``, ``minilm-l6``, a folder of the server, or a name on the Hub.
    """

    base: Annotated[str, Limit(1, 300)] = "smollm2-135m"
    epochs: Annotated[int, Limit(1, 20)] = 1


@dataclass(frozen=True, slots=True)
class Training:
    """A training.

    Attributes:
        judgments: how many the project had when it was started.
        message: why it failed.
        stage: what it is doing.
        step: of `total` in this stage.
        metrics: what the evaluation found, null until then.
    """

    id: str
    project: str
    base: str
    judgments: int
    state: Literal["running", "done", "failed", "cancelled"]
    message: str
    stage: str | None
    step: int
    total: int
    metrics: dict[str, Any] | None
