"""Trainings on the wire."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from labeler.api.common import JobInfo
from labeler.api.typed import Limit
from labeler.model_results import DisagreementInfo, PlacedTask, RankedAnswer

RunKind = Literal["compare", "try", "order", "disagree"]
"""What is done with trained models, as `labeler.model_jobs` names it."""


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
        held_out: what it found on the rankings of held-out raters, null until then and where there are none.
        current: its model is the one that tries, orderings and comparisons use.
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
    held_out: dict[str, Any] | None
    current: bool


@dataclass(frozen=True, slots=True)
class CurrentModel:
    """The training whose model is used from now on."""

    training: str


@dataclass(frozen=True, slots=True)
class CompareModels:
    """Two trainings whose models are held against each other on pairs that neither learned from."""

    first: str
    second: str


@dataclass(frozen=True, slots=True)
class TryModel:
    """Answers to a prompt that the current model puts in order: those of a policy, or those that are sent.

    Attributes:
        policy: what writes the answers where none are sent: a folder of the server, or a model's name.
        n: how many it writes.
        answers: to be put in order instead.
    """

    prompt: Annotated[str, Limit(1, 8000)]
    policy: Annotated[str, Limit(1, 300)] = "smollm2-135m"
    n: Annotated[int, Limit(2, 64)] = 4
    answers: Annotated[tuple[Annotated[str, Limit(1, 60_000)], ...], Limit(high=64)] = ()


@dataclass(frozen=True, slots=True)
class OrderQueue:
    """How the current model orders the tasks that nobody has judged; those it looked at get a new priority.

    Attributes:
        most: at most so many, drawn at random, are looked at.
        method: see `reward select`.
    """

    most: Annotated[int, Limit(2, 100_000)] = 500
    method: Literal["fisher-diverse", "fisher", "variance", "disagreement", "margin", "random"] = "fisher-diverse"


@dataclass(frozen=True, slots=True)
class FindDisagreement:
    """Judged tasks that the current model scores.

    Attributes:
        most: at most so many, a random sample where there are more.
    """

    most: Annotated[int, Limit(1, 1000)] = 200


@dataclass(frozen=True, slots=True)
class ModelRun:
    """Something that is done with a trained model.

    Attributes:
        about: what it was started with.
        comparison: what a comparison found; null until then, and for other kinds.
        answers: of a try, the best first; likewise.
        order: the tasks of an ordering, the first to be handed out first; likewise.
        disagreement: pairs that people decided, those first where the model is most against them; likewise.
    """

    kind: RunKind
    about: dict[str, Any]
    job: JobInfo
    comparison: dict[str, Any] | None = None
    answers: tuple[RankedAnswer, ...] | None = None
    order: tuple[PlacedTask, ...] | None = None
    disagreement: tuple[DisagreementInfo, ...] | None = None
