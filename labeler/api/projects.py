"""Projects and their settings on the wire."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from labeler.api.common import Name, Overlap
from labeler.api.typed import Limit
from labeler.endpoint_settings import LONGEST_WAIT, MOST_REPLIES, MOST_TOKENS
from labeler.label_schema import Editing
from labeler.label_schema import Task as TaskKind


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
class AskModel:
    """Which model is asked once.

    Attributes:
        suggest: settings to try before they are saved; those of the project where nothing is said.
    """

    suggest: EndpointSetting | None = None


@dataclass(frozen=True, slots=True)
class ModelAnswer:
    """What a model said to "Say hello in five words."."""

    text: str


@dataclass(frozen=True, slots=True)
class Settings:
    """What is asked about one task. What a request leaves out, or null, is as usual for the task.

    Attributes:
        ranking: whether completions are ranked; only ``rate`` and ``demonstrate`` go without.
        top: rank only the best so many, null for all.
        strength: of two completions, how much better the one is, from 1 to 4.
        all_bad: may say that no completion is acceptable.
        edit: whether the best completion may or must be improved after the ranking, null for neither.
        flags: of each completion.
        prompt_flags: of the prompt.
        suggest: in a chat, what writes suggestions; null for none, and for those who only label.
        replies: in a chat, how many replies each of the assistant's turns offers to be ranked, null for none.
        content_warning: shown before the first task of a sitting, with the choice to leave out the tasks whose
            ``meta.sensitive`` is true.
        break_minutes: of attention after which a break is suggested, null for never.
    """

    task: TaskKind = "rank"
    ranking: bool | None = None
    top: Annotated[int | None, Limit(low=1)] = None
    strength: bool | None = None
    all_bad: bool | None = None
    edit: Editing | None = None
    flags: tuple[FlagSetting, ...] | None = None
    prompt_flags: tuple[FlagSetting, ...] | None = None
    suggest: EndpointSetting | None = None
    replies: Annotated[int | None, Limit(2, MOST_REPLIES)] = None
    content_warning: str | None = None
    break_minutes: Annotated[int | None, Limit(low=1)] = None


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
