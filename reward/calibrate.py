"""After training: where scores lie, what their gaps mean, and how well they agree with people on held-out prompts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean, pstdev

from labeler.records import Demonstration, Group
from reward import checkpoint
from reward.artifact import Calibration, Scorer
from reward.assess import Choice, measure
from reward.evaluate import Metrics, evaluate, fit_temperature, fit_tie_threshold
from reward.progress import Progress
from reward.splits import Splits, as_groups, scored_only

OFFSET_GROUPS = 64
"""At most so many groups (or demonstrations) decide the mean and the standard deviation of the scores."""


def centre(scorer: Scorer, demonstrations: Sequence[Demonstration], groups: Sequence[Group]) -> str:
    """Set the scorer's offset: the mean raw score of demonstrations, or without them of the completions of the groups.

    The standard deviation is that of the completions. Returns what the mean is of, in words.
    """
    completions = raw_scores(scorer, groups)
    centre_of = raw_scores(scorer, as_groups(demonstrations)) or completions
    scorer.mean, scorer.std = fmean(centre_of), pstdev(completions) or 1.0
    return "demonstrations" if demonstrations else "training completions"


def raw_scores(scorer: Scorer, groups: Sequence[Group]) -> list[float]:
    """Raw scores of the completions of at most `OFFSET_GROUPS` groups."""
    encoded, _ = scorer.encode(groups[:OFFSET_GROUPS])
    return [score for scores in scorer.score_encoded(encoded) for score in scores]


def finish(scorer: Scorer, splits: Splits, state: checkpoint.State, progress: Progress) -> dict[str, Metrics]:
    """Calibrate on the validation groups, then measure on validation and test, in float32."""
    found = {}
    for name, groups in (("valid", compared(splits.valid)), ("test", compared(splits.test))):
        if not groups:
            continue
        metrics, scores, notes = measure(scorer, Choice(groups), progress)
        if name == "valid":
            kept = scored_only(groups, scores)
            scorer.calibration = Calibration(fit_temperature(*kept), fit_tie_threshold(*kept))
            metrics = replace(
                evaluate(*kept, temperature=scorer.calibration.temperature),
                tokens_per_second=metrics.tokens_per_second,
                wall_seconds=metrics.wall_seconds,
            )
            state.valid.append((state.step, metrics.accuracy, metrics.log_loss))
        for note in notes:
            progress.say(f"{name}: {note}")
        found[name] = metrics
    return found


def compared(groups: Sequence[Group]) -> tuple[Group, ...]:
    """The groups in which somebody compared something; none if no pair of them all was decided."""
    found = tuple(group for group in groups if any(True for _ in group.tallies()))
    return found if any(tally.majority for group in found for tally in group.tallies()) else ()
