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
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import expit

from labeler.errors import DataError
from labeler.formats import prompt_key
from labeler.records import Group

Floats = NDArray[np.float64]
Interval = tuple[float, float]
RESAMPLES = 2000
BINS = 10
FEW_PROMPTS = 30
"""Below this many prompts a percentile bootstrap is too narrow, and the report says so."""


@dataclass(frozen=True)
class Pairs:
    """Every compared pair of some groups as aligned arrays, all of length P (pairs).

    Attributes:
        cluster: index of the prompt that the pair belongs to, 0 … prompts − 1.
        group: index of its group.
        gap: raw score of completion i minus that of completion j.
        length_gap: characters of completion i minus those of completion j.
        majority: 1 if people put i above j, −1 below, 0 tie.
        wins: people who put i above j; losses: people who put it below; tied: people who saw no difference.
    """

    cluster: NDArray[np.int64]
    group: NDArray[np.int64]
    gap: Floats
    length_gap: Floats
    majority: NDArray[np.int64]
    wins: Floats
    losses: Floats
    tied: Floats

    def decided(self) -> Pairs:
        """Only the pairs with a winner."""
        return self.where(self.majority != 0)

    def where(self, keep: NDArray[np.bool_]) -> Pairs:
        """Only the pairs for which ``keep`` (P booleans) is true."""
        return Pairs(**{name: values[keep] for name, values in vars(self).items()})

    def __len__(self) -> int:
        return len(self.gap)


@dataclass(frozen=True)
class Bin:
    """One bar of the reliability plot: of ``pairs`` with mean ``confidence`` a share of ``accuracy`` is right."""

    confidence: float
    accuracy: float
    pairs: int


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
            eq. 3); brier: mean squared error of that probability; log_loss: its cross entropy in nats.
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
    mean_reward: float
    std_reward: float
    reliability: tuple[Bin, ...]
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


def collect_pairs(groups: Sequence[Group], scores: Sequence[Sequence[float]]) -> Pairs:
    """Line up scores with what people said.

    Args:
        groups: G groups.
        scores: G lists with one raw score per completion.

    Raises:
        DataError: nobody compared anything, or a score is not finite (names the group).
    """
    clusters: dict[str, int] = {}
    rows: list[tuple[float, ...]] = []
    for index, (group, values) in enumerate(zip(groups, scores, strict=True)):
        if len(values) != len(group.completions) or not np.all(np.isfinite(values)):
            raise DataError("needs one finite score per completion", field=f"group {group.id}")
        cluster = clusters.setdefault(prompt_key(group.prompt), len(clusters))
        lengths = [len(completion.text) for completion in group.completions]
        rows.extend(
            (
                cluster,
                index,
                values[t.i] - values[t.j],
                lengths[t.i] - lengths[t.j],
                t.majority,
                t.wins_i,
                t.wins_j,
                t.ties,
            )
            for t in group.tallies()
        )
    if not rows:
        raise DataError("no pair of completions was compared by anybody; evaluation needs rankings")
    table = np.asarray(rows, dtype=np.float64)
    whole = table.astype(np.int64)
    return Pairs(
        cluster=whole[:, 0],
        group=whole[:, 1],
        gap=table[:, 2],
        length_gap=table[:, 3],
        majority=whole[:, 4],
        wins=table[:, 5],
        losses=table[:, 6],
        tied=table[:, 7],
    )


def correctness(gap: Floats, truth: NDArray[np.int64]) -> Floats:
    """1 where the gap (P) has the sign of the truth (P of ±1), 0 where the other, 0.5 where the gap is zero."""
    return np.where(gap == 0, 0.5, (np.sign(gap) == truth).astype(np.float64))


def ratio_interval(
    cluster: NDArray[np.int64], numerator: Floats, denominator: Floats, *, seed: int, resamples: int = RESAMPLES
) -> Interval | None:
    """95 % percentile bootstrap of Σ numerator / Σ denominator over resampled clusters.

    Args:
        cluster: cluster of each item (P).
        numerator, denominator: per item (P).

    Returns:
        The interval, or None with fewer than two clusters. Resamples in which the denominator vanishes are left out.
    """
    names, index = np.unique(cluster, return_inverse=True)
    n = len(names)
    if n < 2:
        return None
    top = np.bincount(index, weights=numerator, minlength=n)
    bottom = np.bincount(index, weights=denominator, minlength=n)
    rng = np.random.default_rng(seed)
    draws = rng.multinomial(n, np.full(n, 1 / n), size=resamples)
    tops, bottoms = draws @ top, draws @ bottom
    low, high = np.percentile(tops[bottoms > 0] / bottoms[bottoms > 0], [2.5, 97.5])
    return float(low), float(high)


def reliability_bins(probability: Floats, truth: NDArray[np.int64], bins: int = BINS) -> tuple[Bin, ...]:
    """Confidence against accuracy in equal-width bins over [0.5, 1].

    Args:
        probability: P(i over j) per decided pair (P).
        truth: ±1 (P).
    """
    confidence = np.maximum(probability, 1 - probability)
    right = correctness(probability - 0.5, truth)
    place = np.minimum(((confidence - 0.5) * 2 * bins).astype(int), bins - 1)
    return tuple(
        Bin(float(confidence[inside].mean()), float(right[inside].mean()), int(inside.sum()))
        for inside in (place == b for b in range(bins))
        if inside.any()
    )


def expected_calibration_error(bins: Sequence[Bin]) -> float:
    """Σ_b n_b / N · |accuracy_b − confidence_b| (Guo et al. 2017, arXiv 1706.04599, eq. 3)."""
    total = sum(b.pairs for b in bins)
    return sum(b.pairs * abs(b.accuracy - b.confidence) for b in bins) / total


def log_loss(gap: Floats, truth: NDArray[np.int64], temperature: float) -> float:
    """Mean −log σ(truth · gap / temperature) in nats, stable for any gap."""
    return float(np.logaddexp(0.0, -truth * gap / temperature).mean())


def fit_temperature(groups: Sequence[Group], scores: Sequence[Sequence[float]]) -> float:
    """The temperature that minimises the log loss of the decided pairs (Guo et al. 2017, section 4.2).

    Fit it on validation data only. It is bounded to [0.01, 100], so perfectly separated pairs do not run away.
    """
    pairs = collect_pairs(groups, scores).decided()
    if not len(pairs):
        return 1.0
    best = minimize_scalar(
        lambda log_t: log_loss(pairs.gap, pairs.majority, float(np.exp(log_t))),
        bounds=(np.log(0.01), np.log(100.0)),
        method="bounded",
    )
    return float(np.exp(best.x))


def fit_tie_threshold(groups: Sequence[Group], scores: Sequence[Sequence[float]]) -> float:
    """The gap under which to call a tie, so that the model calls as many ties as people did on these groups."""
    pairs = collect_pairs(groups, scores)
    return float(np.quantile(np.abs(pairs.gap), float((pairs.majority == 0).mean())))


def human_agreement(groups: Sequence[Group], *, seed: int = 0) -> tuple[float | None, Interval | None, float | None]:
    """How often two people agree on a pair: strict verdicts only, its interval over prompts, and with ties as verdicts.

    Per pair with w wins, l losses and t ties, C(w,2) + C(l,2) of the (w + l choose 2) couples of strict judges agree.
    """
    scores = [[0.0] * len(group.completions) for group in groups]
    pairs = collect_pairs(groups, scores)
    same = (pairs.wins * (pairs.wins - 1) + pairs.losses * (pairs.losses - 1)) / 2
    strict = pairs.wins + pairs.losses
    couples = strict * (strict - 1) / 2
    everybody = strict + pairs.tied
    all_couples = everybody * (everybody - 1) / 2
    with_ties = (
        float((same + pairs.tied * (pairs.tied - 1) / 2).sum() / all_couples.sum()) if all_couples.sum() else None
    )
    if not couples.sum():
        return None, None, with_ties
    return float(same.sum() / couples.sum()), ratio_interval(pairs.cluster, same, couples, seed=seed), with_ties


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
        accuracy_ci95=ratio_interval(pairs.cluster, right, np.ones(len(pairs)), seed=seed),
        length_only_accuracy=float(correctness(pairs.length_gap, pairs.majority).mean()),
        comparisons=len(pairs),
        prompts=len(np.unique(pairs.cluster)),
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
    one = np.ones(len(pairs))
    right, long = correctness(pairs.gap, pairs.majority), correctness(pairs.length_gap, pairs.majority)
    rule = long if long.mean() >= 0.5 else 1 - long
    up = correctness(every.gap, np.ones(len(every), dtype=np.int64))
    votes, votes_right = every.wins + every.losses, every.wins * up + every.losses * (1 - up)
    bins = reliability_bins(expit(pairs.gap / temperature), pairs.majority)
    agreement, agreement_ci95, agreement_with_ties = human_agreement(groups, seed=seed)
    flat = np.concatenate([np.asarray(values, dtype=np.float64) for values in scores])

    def interval(top: Floats, bottom: Floats = one, cluster: NDArray[np.int64] = pairs.cluster) -> Interval | None:
        return ratio_interval(cluster, top, bottom, seed=seed)

    def brier(t: float) -> float:
        return float(((expit(pairs.majority * pairs.gap / t) - 1) ** 2).mean())

    return Metrics(
        accuracy=float(right.mean()),
        accuracy_ci95=interval(right),
        judgment_accuracy=float(votes_right.sum() / votes.sum()),
        judgment_accuracy_ci95=interval(votes_right, votes, every.cluster),
        comparisons=len(pairs),
        judgments=int(votes.sum()),
        groups=len(np.unique(every.group)),
        prompts=len(np.unique(every.cluster)),
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
        brier=brier(temperature),
        log_loss=log_loss(pairs.gap, pairs.majority, temperature),
        ece_uncalibrated=expected_calibration_error(reliability_bins(expit(pairs.gap), pairs.majority)),
        brier_uncalibrated=brier(1.0),
        mean_reward=float(flat.mean()),
        std_reward=float(flat.std()),
        reliability=bins,
        slices=_slices(groups, pairs, seed),
        tokens_per_second=tokens / wall_seconds if tokens and wall_seconds else None,
        wall_seconds=wall_seconds,
    )
