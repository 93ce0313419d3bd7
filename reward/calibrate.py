"""After training: where scores lie, what their gaps mean, and how well they agree with people on held-out prompts."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from itertools import count
from statistics import fmean, pstdev

import numpy as np

from labeler.records import Demonstration, Group
from reward import checkpoint
from reward.artifact import BUDGET, Calibration, Scorer
from reward.bootstrap import Floats
from reward.calibration import fit_temperature, fit_tie_threshold, temperature_interval
from reward.evaluate import Metrics
from reward.features import score_and_features
from reward.measure import Reading, judge, score_all
from reward.pairs import collect_pairs
from reward.progress import Progress
from reward.shelf import pick
from reward.splits import Splits, as_groups, scored_only, select_completions
from reward.uncertainty import choose_prior, training_information

OFFSET_GROUPS = 64
"""At most so many groups (or demonstrations) decide the mean and the standard deviation of the scores."""
PRIOR_GROUPS = 512
"""At most so many validation groups decide the prior of the uncertainty, since their features are kept until then."""
PRIOR_PAIRS = 4096
"""Of their pairs every n-th decides it, so that there are at most so many: enough to choose one number."""


def centre(scorer: Scorer, demonstrations: Sequence[Demonstration], groups: Sequence[Group]) -> str:
    """Set the scorer's offset: the mean raw score of demonstrations, or without them of the completions of the groups.

    The standard deviation is that of the completions. The same pass gives the features from which the scorer's
    uncertainty is estimated. Returns what the mean is of, in words.
    """
    part = groups[:OFFSET_GROUPS]
    encoded, _ = scorer.encode(part)
    scores, features = score_and_features(scorer.model, encoded, BUDGET)
    kept = [select_completions(group, one.kept) for group, one in zip(part, encoded, strict=True)]
    scorer.uncertainty = training_information(kept, scores, features, total=len(groups))
    completions = [score for values in scores for score in values]
    centre_of = raw_scores(scorer, as_groups(demonstrations[:OFFSET_GROUPS])) or completions
    scorer.mean, scorer.std = fmean(centre_of), pstdev(completions) or 1.0
    return "demonstrations" if demonstrations else "training completions"


def raw_scores(scorer: Scorer, groups: Sequence[Group]) -> list[float]:
    """Raw scores of the completions of some groups."""
    encoded, _ = scorer.encode(groups)
    return [score for scores in scorer.score_encoded(encoded) for score in scores]


def finish(scorer: Scorer, splits: Splits, state: checkpoint.State, progress: Progress) -> dict[str, Metrics]:
    """Calibrate on the validation groups, then measure on validation and test, in float32."""
    found = {}
    for name, groups in (("valid", compared(splits.valid)), ("test", compared(splits.test))):
        if not groups:
            continue
        reading = score_all(scorer, groups, progress, digest=_of_the_first(PRIOR_GROUPS) if name == "valid" else None)
        if name == "valid":
            calibrate(scorer, groups, reading)
        metrics = judge(scorer, groups, reading)
        if name == "valid":
            state.valid.append((state.step, metrics.accuracy, metrics.log_loss))
        for note in reading.report.lines():
            progress.say(f"{name}: {note}")
        found[name] = metrics
    return found


def calibrate(scorer: Scorer, groups: Sequence[Group], reading: Reading) -> None:
    """Fit temperature, tie threshold and the prior of the uncertainty to what the model says of validation groups."""
    kept, scores = scored_only(groups, reading.scores)
    scorer.calibration = Calibration(
        fit_temperature(kept, scores), fit_tie_threshold(kept, scores), temperature_interval(kept, scores)
    )
    pairs = collect_pairs(kept, scores).decided()
    pairs = pairs.where(pairs.group < PRIOR_GROUPS)
    pairs = pairs.where(np.arange(len(pairs)) % -(-len(pairs) // PRIOR_PAIRS) == 0) if len(pairs) else pairs
    if scorer.uncertainty and len(pairs):
        scorer.uncertainty = choose_prior(scorer.uncertainty, pairs, reading.features)


def _of_the_first(groups: int) -> Callable[[Floats], Floats]:
    """Keeps the features of so many groups and none of those that come later."""
    number = count()
    return lambda features: features if next(number) < groups else features[:0].copy()  # a view would keep them all


def compared(groups: Sequence[Group]) -> Sequence[Group]:
    """The groups in which somebody compared something; none if no pair of them all was decided."""
    places, decided = array("q"), False
    for place, group in enumerate(groups):
        majorities = [tally.majority for tally in group.tallies()]
        decided = decided or any(majorities)
        if majorities:
            places.append(place)
    return pick(groups, places if decided else ())
