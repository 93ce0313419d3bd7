"""Reward models read the answers: a score for each, every prompt read once for all policies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from labeler.records import Completion, Group
from reward.artifact import Scorer
from reward.measure import score_all
from reward.policies.records import Answers
from reward.progress import Progress


def score_answers(
    folder: Path, answers: Answers, progress: Progress, *, name: str, device: str = "auto"
) -> tuple[list[list[list[float]]], list[str]]:
    """Scores of all answers by one reward model, as shifted and scaled by what it knows of its training data.

    Returns:
        ``scores[c][p]``, those of policy p's answers to prompt c, NaN where one does not fit the context; and notes.
    """
    scorer = Scorer.from_pretrained(folder, device=None if device == "auto" else device)
    groups = as_groups(answers)
    reading = score_all(scorer, groups, progress, stage=f"score by {name}")
    rows = []
    for texts, values in zip(answers.texts, reading.scores, strict=True):
        normalised = iter([scorer.normalise(value) for value in values])
        rows.append([[next(normalised) for _ in policy] for policy in texts])
    return rows, [f"{name}: {line}" for line in reading.report.lines()]


def as_groups(answers: Answers) -> list[Group]:
    """Each prompt with all answers of all policies, in the order of the policies; the model is the policy's name."""
    return [
        replace(prompt, completions=_completions(answers.names, texts))
        for prompt, texts in zip(answers.prompts, answers.texts, strict=True)
    ]


def _completions(names: Sequence[str], texts: Sequence[Sequence[str]]) -> tuple[Completion, ...]:
    return tuple(
        Completion(f"{name}-{number}", text, name)
        for name, answers in zip(names, texts, strict=True)
        for number, text in enumerate(answers)
    )
