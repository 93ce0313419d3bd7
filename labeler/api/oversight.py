"""What goes over the wire of gold items, reviews and the talk about tasks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any

from labeler.api.common import Note, SubmissionId
from labeler.api.labeling import MessageInfo, ShownInfo
from labeler.api.typed import Limit
from labeler.entities import Kind
from labeler.gold import When
from labeler.review_desk import Show

Comment = Annotated[str, Limit(1, 10_000)]


@dataclass(frozen=True, slots=True)
class GoldSettings:
    """How a project uses tasks with known answers.

    Attributes:
        share: of a labeler's tasks that are such, 0 to 0.5; at 0 they are ordinary tasks.
        feedback: what a person is told after one: nothing, the right ranks each time, or only when wrong.
        threshold: who gets less than this share of comparisons right is paused, null for nobody.
        least: such tasks that a person must have answered before they can be paused.
    """

    share: float = 0.0
    feedback: When = "none"
    threshold: float | None = None
    least: Annotated[int, Limit(1, 50)] = 5


@dataclass(frozen=True, slots=True)
class ReviewQuery:
    """Which tasks to look at.

    Attributes:
        show: what they have in common; all but ``sent_back`` and ``final`` leave decided tasks out.
        after: how many of the list to leave out at its beginning.
    """

    show: Show = "disagreement"
    after: Annotated[int, Limit(0, 2**31 - 1)] = 0


@dataclass(frozen=True, slots=True)
class ReviewProject:
    """A project that one may review.

    Attributes:
        judges: whether there is something to decide: completions are judged, not texts written.
    """

    id: int
    name: str
    judges: bool


@dataclass(frozen=True, slots=True)
class EditInfo:
    """A better text, made from the completion of a letter or from none."""

    of: str | None
    text: str


@dataclass(frozen=True, slots=True)
class Said:
    """An answer by letter.

    Attributes:
        dialogue: as it was written, where the project asks for one.
    """

    ranks: dict[str, int]
    ratings: dict[str, int]
    flags: dict[str, tuple[str, ...]]
    prompt_flags: tuple[str, ...]
    strength: int | None
    all_bad: bool
    written: str | None
    edit: EditInfo | None
    dialogue: Any = None


@dataclass(frozen=True, slots=True)
class ReviewedJudgment:
    """Somebody's judgment that stands.

    Attributes:
        reason: of a skip.
        returned: the comment under which it was sent back and not corrected since.
        here: made here, so that it can be sent back; not imported.
    """

    id: int
    annotator: str
    at: str | None
    kind: Kind
    answer: Said
    reason: str | None
    note: str | None
    seconds: float | None
    returned: str | None
    here: bool


@dataclass(frozen=True, slots=True)
class FinalInfo:
    """A decision.

    Attributes:
        by: name of the reviewer.
        accepted: id of the judgment that was taken over as it is.
        instead: ids of the judgments that stood when it was decided.
    """

    id: int
    by: str
    at: str
    accepted: int | None
    instead: tuple[int, ...]
    answer: Said


@dataclass(frozen=True, slots=True)
class ReviewedTask:
    """A task as a reviewer sees it: everybody's judgments, no models.

    Attributes:
        completions: in the group's own order, A first.
        scenario: what was to be played in a dialogue.
        overlap: how many people are wanted for it.
        judgments: that stand, skips included.
        finals: decisions, the one that stands last.
    """

    task: int
    group: str
    prompt: tuple[MessageInfo, ...]
    scenario: str | None
    completions: tuple[ShownInfo, ...]
    overlap: int
    judgments: tuple[ReviewedJudgment, ...]
    finals: tuple[FinalInfo, ...]


@dataclass(frozen=True, slots=True)
class Decision:
    """A task's final answer: a judgment that stands, or one's own, by completion id or by letter.

    Attributes:
        submission_id: made once for each decision; sending it again changes nothing.
        accepted: id of the judgment that becomes final as it is.
        seen: id of the decision that stood before, null without one.
        ranks: 1 is best, equal numbers are a tie.
        ratings: from 1 to 7.
        flags: names of the flags that are set.
        prompt_flags: likewise, of the prompt.
        strength: of a preference between two, from 1 to 4.
        all_bad: no completion is acceptable.
        letters: ranks, ratings and flags are by the letters of the task as it is reviewed, not by completion id.
    """

    submission_id: SubmissionId
    accepted: int | None = None
    seen: int | None = None
    ranks: dict[str, int | None] = field(default_factory=dict)
    ratings: dict[str, int | None] = field(default_factory=dict)
    flags: dict[str, tuple[str, ...]] = field(default_factory=dict)
    prompt_flags: tuple[str, ...] = ()
    strength: int | None = None
    all_bad: bool = False
    note: Note = None
    letters: bool = False


@dataclass(frozen=True, slots=True)
class AdjudicationInfo:
    """A final answer; ranks, ratings and flags line up with the group's completions.

    Attributes:
        by: name of the reviewer.
        accepted: id of the judgment that was taken over as it is.
        instead: ids of the judgments that stood when it was decided.
        supersedes: id of the decision that it replaced.
    """

    id: int
    task: int
    group: str
    by: str
    at: str
    accepted: int | None
    instead: tuple[int, ...]
    supersedes: int | None
    ranks: tuple[int | None, ...]
    ratings: tuple[int | None, ...] | None
    flags: tuple[tuple[str, ...], ...] | None
    prompt_flags: tuple[str, ...] | None
    all_bad: bool
    strength: int | None


@dataclass(frozen=True, slots=True)
class SendBack:
    """What a labeler should look at again."""

    comment: Comment


@dataclass(frozen=True, slots=True)
class NewComment:
    """A message.

    Attributes:
        text: of it.
        labeler: in whose thread; null for one's own.
    """

    text: Comment
    labeler: str | None = None


@dataclass(frozen=True, slots=True)
class CommentInfo:
    """A message.

    Attributes:
        labeler: whose thread it is in.
        author: who wrote it; managers are ``manager`` to labelers.
    """

    id: int
    labeler: str
    author: str
    text: str
    at: str
