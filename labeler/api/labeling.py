"""A labeler's work on the wire."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from labeler.api.common import LongText, Note, Seconds, SubmissionId, Version
from labeler.api.typed import Limit
from labeler.chat import Turn, Unfinished, WrittenDialogue
from labeler.entities import Kind, Progress


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
class BetterText:
    """One of the best completions improved, or a better one where all are bad.

    Attributes:
        of: letter of the completion that it was made from, null where it was written anew.
    """

    of: str | None
    text: LongText


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
    written: LongText | None = None
    edit: BetterText | None = None
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
        opening: of a correction, another name each time that it is opened; its drafts are saved under the same.
    """

    id: int
    prompt: tuple[MessageInfo, ...]
    completions: tuple[ShownInfo, ...]
    draft: Draft | None
    draft_version: int
    correction: int | None
    opening: str | None
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
        opening: as given with the task, so that a draft that was long on its way does not end up in a later opening.
    """

    draft: Draft
    version: Annotated[int, Limit(1, 2**31 - 1)]
    correction: int | None = None
    opening: str | None = None


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
        written: the answer to the prompt, where the project asks for that and has no completions.
        edit: a better text than the best, where the project asks for one.
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
    written: LongText | None = None
    edit: BetterText | None = None
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


@dataclass(frozen=True, slots=True)
class ReturnedInfo:
    """One of one's own judgments that a reviewer asks to look at again; bring it back with ``undo``.

    Attributes:
        comment: what they say about it.
    """

    judgment: int
    comment: str


@dataclass(frozen=True, slots=True)
class UnreadInfo:
    """A talk about a task with messages that one has not read.

    Attributes:
        labeler: whose thread it is.
        preview: the beginning of the prompt.
        count: how many messages are new.
    """

    task: int
    labeler: str
    preview: str
    count: int


@dataclass(frozen=True, slots=True)
class Notices:
    """What waits for a person in a project.

    Attributes:
        again: judgments to look at again, the oldest first.
        unread: talk with something new, the latest first.
    """

    again: tuple[ReturnedInfo, ...]
    unread: tuple[UnreadInfo, ...]


@dataclass(frozen=True, slots=True)
class OptOut:
    """Whether one is given the tasks of a project whose ``meta.sensitive`` is true.

    Attributes:
        until: the moment until which one is not, as ``2026-01-31T18:00:00Z`` and at most 36 hours ahead; null where
            one is given them.
    """

    until: Annotated[str | None, Limit(high=40)] = None
