"""How far a reward model can be trusted: pure statistics over groups and their scores.

Everything is computed over *pairs* of completions that people compared. Where several people judged a pair the majority
decides (`labeler.records.Tally.majority`); ties are counted and left out of accuracy. Prompts, not pairs, are the
independent unit: every interval is a percentile bootstrap that resamples whole prompts (clusters), since the pairs of
one prompt share its completions and its raters.

Example:
    >>> metrics = evaluate(groups, scores)         # scores[g][k]: raw score of completion k of group g
    >>> metrics.accuracy, metrics.accuracy_ci95, metrics.length_only_accuracy
    (0.71, (0.66, 0.76), 0.52)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from labeler.errors import DataError
from labeler.records import Group
from reward.bootstrap import Floats, Interval, mean_interval, ratio_interval
from reward.calibration import (
    Bin,
    brier_score,
    expected_calibration_error,
    log_loss,
    probabilities,
    reliability_bins,
)
from reward.pairs import Pairs, collect_pairs, correctness, human_agreement


@dataclass(frozen=True)
class Slice:
    """Accuracy on a part of the data."""

    name: str
    accuracy: float
    accuracy_ci95: Interval | None
    length_only_accuracy: float
    comparisons: int
    prompts: int


@dataclass(frozen=True)
class Metrics:
    """All figures of one evaluation; `to_json` is what metrics.json holds. DESIGN section 4 fixes the first names.

    Attributes:
        accuracy: share of decided pairs that the scores put in the majority's order; equal scores count one half.
        accuracy_ci95: its 95 % interval, bootstrapped over prompts; None with a single prompt.
        judgment_accuracy: the same over every single person's strict judgment.
        comparisons: decided pairs. groups: groups with at least one compared pair. ties: pairs decided as a tie.
        length_only_accuracy: accuracy of "the longer text is better".
        length_rule: "longer" or "shorter", whichever rule is right more often on these very pairs.
        gain_over_length: accuracy minus that of the stronger rule, which a model must beat to have learned anything
            beyond length; with the interval of the difference (paired by prompt).
        human_agreement: how often two people with strict verdicts on a pair agree, i.e. what is reachable; None
            where nobody shares a pair. human_agreement_with_ties counts a tie as a third verdict.
        ece: expected calibration error of P(i over j) = σ(gap / temperature), 10 bins over [0.5, 1] (Guo et al. 2017,
            eq. 3); brier: mean squared error of that probability; log_loss: its cross entropy in nats; reliability: its
            bins. The same with _uncalibrated: at temperature 1.
        mean_reward, std_reward: over all completions, raw.
    """

    accuracy: float
    accuracy_ci95: Interval | None
    judgment_accuracy: float
    judgment_accuracy_ci95: Interval | None
    comparisons: int
    judgments: int
    groups: int
    prompts: int
    ties: int
    length_only_accuracy: float
    length_only_accuracy_ci95: Interval | None
    length_rule: str
    gain_over_length: float
    gain_over_length_ci95: Interval | None
    human_agreement: float | None
    human_agreement_ci95: Interval | None
    human_agreement_with_ties: float | None
    temperature: float
    ece: float
    brier: float
    log_loss: float
    ece_uncalibrated: float
    brier_uncalibrated: float
    log_loss_uncalibrated: float
    mean_reward: float
    std_reward: float
    reliability: tuple[Bin, ...]
    reliability_uncalibrated: tuple[Bin, ...]
    slices: Mapping[str, tuple[Slice, ...]]
    tokens_per_second: float | None = None
    wall_seconds: float | None = None

    @property
    def length_rule_accuracy(self) -> float:
        """Accuracy of the stronger of the two rules that look at length alone."""
        return max(self.length_only_accuracy, 1 - self.length_only_accuracy)

    def to_json(self) -> dict[str, Any]:
        """Plain dicts, lists and numbers."""
        return asdict(self)


def slice_labels(groups: Sequence[Group]) -> dict[str, list[str | None]]:
    """What to slice by, and each group's part: source, number of turns, and texts in ``meta`` with 2 to 20 values."""
    labels: dict[str, list[str | None]] = {
        "source": [group.source or None for group in groups],
        "turns": [str(sum(message.role == "user" for message in group.prompt)) for group in groups],
    }
    for name in sorted({name for group in groups for name in group.meta}):
        values = [group.meta.get(name) for group in groups]
        texts = [value if isinstance(value, str) else None for value in values]
        if 2 <= len(set(texts) - {None}) <= 20:
            labels[name] = texts
    return labels


def _slices(groups: Sequence[Group], pairs: Pairs, seed: int) -> dict[str, tuple[Slice, ...]]:
    """Accuracy per value of each of `slice_labels` that has at least two values among the decided pairs."""
    found: dict[str, tuple[Slice, ...]] = {}
    for name, labels in slice_labels(groups).items():
        column = np.asarray([labels[index] or "" for index in pairs.group], dtype=object)
        counts = Counter(value for value in column if value)
        if len(counts) > 1:
            found[name] = tuple(_slice(value, pairs.where(column == value), seed) for value, _ in counts.most_common())
    return found


def _slice(name: str, pairs: Pairs, seed: int) -> Slice:
    right = correctness(pairs.gap, pairs.majority)
    return Slice(
        name=name,
        accuracy=float(right.mean()),
        accuracy_ci95=mean_interval(pairs.cluster, right, seed=seed),
        length_only_accuracy=float(correctness(pairs.length_gap, pairs.majority).mean()),
        comparisons=len(pairs),
        prompts=pairs.prompts,
    )


def evaluate(
    groups: Sequence[Group],
    scores: Sequence[Sequence[float]],
    *,
    temperature: float = 1.0,
    seed: int = 0,
    tokens: int | None = None,
    wall_seconds: float | None = None,
) -> Metrics:
    """Judge raw scores by people's rankings.

    Args:
        groups: G groups with rankings.
        scores: G lists with one raw score (logit) per completion.
        temperature: from `fit_temperature` on other data; probabilities are σ(gap / temperature).
        seed: of the bootstrap.
        tokens: how many tokens the model read for these scores. wall_seconds: how long that took.

    Raises:
        DataError: no pair was decided, so that there is no accuracy to speak of.
    """
    every = collect_pairs(groups, scores)
    pairs = every.decided()
    if not len(pairs):
        raise DataError("every compared pair is a tie; accuracy needs at least one preference")
    right, long = correctness(pairs.gap, pairs.majority), correctness(pairs.length_gap, pairs.majority)
    rule = long if long.mean() >= 0.5 else 1 - long
    up = correctness(every.gap, np.ones(len(every), dtype=np.int64))
    votes, votes_right = every.wins + every.losses, every.wins * up + every.losses * (1 - up)
    calibrated, plain = (probabilities(pairs.gap, t) for t in (temperature, 1.0))
    bins, plain_bins = (reliability_bins(p, pairs.majority) for p in (calibrated, plain))
    agreement, agreement_ci95, agreement_with_ties = human_agreement(groups, seed=seed)
    flat = np.concatenate([np.asarray(values, dtype=np.float64) for values in scores])

    def interval(values: Floats) -> Interval | None:
        return mean_interval(pairs.cluster, values, seed=seed)

    return Metrics(
        accuracy=float(right.mean()),
        accuracy_ci95=interval(right),
        judgment_accuracy=float(votes_right.sum() / votes.sum()),
        judgment_accuracy_ci95=ratio_interval(every.cluster, votes_right, votes, seed=seed),
        comparisons=len(pairs),
        judgments=int(votes.sum()),
        groups=len(np.unique(every.group)),
        prompts=every.prompts,
        ties=len(every) - len(pairs),
        length_only_accuracy=float(long.mean()),
        length_only_accuracy_ci95=interval(long),
        length_rule="longer" if rule is long else "shorter",
        gain_over_length=float((right - rule).mean()),
        gain_over_length_ci95=interval(right - rule),
        human_agreement=agreement,
        human_agreement_ci95=agreement_ci95,
        human_agreement_with_ties=agreement_with_ties,
        temperature=temperature,
        ece=expected_calibration_error(bins),
        brier=brier_score(calibrated, pairs.majority),
        log_loss=log_loss(pairs.gap, pairs.majority, temperature),
        ece_uncalibrated=expected_calibration_error(plain_bins),
        brier_uncalibrated=brier_score(plain, pairs.majority),
        log_loss_uncalibrated=log_loss(pairs.gap, pairs.majority, 1.0),
        mean_reward=float(flat.mean()),
        std_reward=float(flat.std()),
        reliability=bins,
        reliability_uncalibrated=plain_bins,
        slices=_slices(groups, pairs, seed),
        tokens_per_second=tokens / wall_seconds if tokens and wall_seconds else None,
        wall_seconds=wall_seconds,
    )
