"""Trainings on the wire."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from labeler.api.typed import Limit


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
