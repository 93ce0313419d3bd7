"""The part of the client about what is done with trained models; see `labeler.client.Client.models`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from labeler.api import typed
from labeler.api.training import CompareModels, CurrentModel, FindDisagreement, ModelRun, OrderQueue, TryModel


class Models:
    """Comparisons, tries, orderings of the queue and searches for disagreement; each is a run that goes on by itself.

    Args:
        ask: sends a request (kind of the answer, method, path, body) and returns its answer.
        send: sends a request (method, path, options).
    """

    def __init__(self, ask: Callable[..., Any], send: Callable[..., Any]) -> None:
        self._ask = ask
        self._send = send

    def make_current(self, project_id: int, training_id: str) -> None:
        """Use the model of this training from now on."""
        self._send("PUT", f"/projects/{project_id}/current-model", json=typed.to_json(CurrentModel(training_id)))

    def compare(self, project_id: int, first: str, second: str) -> ModelRun:
        """Hold the models of two trainings against each other on the same pairs."""
        return self._run("POST", project_id, "/compare", CompareModels(first, second))

    def try_prompt(self, project_id: int, prompt: str, **how: Any) -> ModelRun:
        """Let the current model order answers; ``how``: the other fields of `labeler.api.training.TryModel`."""
        return self._run("POST", project_id, "/try", TryModel(prompt, **how))

    def order_queue(self, project_id: int, how: OrderQueue | None = None) -> ModelRun:
        """Let the current model give the tasks that nobody has judged their priority."""
        return self._run("POST", project_id, "/order", how or OrderQueue())

    def find_disagreement(self, project_id: int, *, most: int = 200) -> ModelRun:
        """Find pairs on which the current model and the people disagree, among at most so many judged tasks."""
        return self._run("POST", project_id, "/disagree", FindDisagreement(most))

    def runs(self, project_id: int) -> tuple[ModelRun, ...]:
        """All of these, latest first, without what they found."""
        found: tuple[ModelRun, ...] = self._ask(tuple[ModelRun, ...], "GET", f"/projects/{project_id}/model-runs")
        return found

    def run(self, project_id: int, run_id: str) -> ModelRun:
        """How far one is, and what it found."""
        return self._run("GET", project_id, f"/{run_id}")

    def cancel(self, project_id: int, run_id: str) -> ModelRun:
        """End one that runs."""
        return self._run("POST", project_id, f"/{run_id}/cancel")

    def _run(self, method: str, project_id: int, more: str, body: Any = None) -> ModelRun:
        found: ModelRun = self._ask(ModelRun, method, f"/projects/{project_id}/model-runs{more}", body)
        return found
