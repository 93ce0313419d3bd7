"""What else than quality moves the model, and people: length, formatting, and the place in the list.

A trait of a text (its log length, a list, a heading) *leans* a judge by the slope β of a logistic regression of the
judge's choice on the difference x of the trait within a pair, without intercept since the order of a pair means
nothing:  P(first chosen) = σ(β x). The slope is told as σ(β x₀), the share of choices that go to the text with more of
the trait when it differs by x₀: twice the length, or having a list where the other has none.

People are regressed by their majority's choice, the model by its calibrated probability σ(gap / temperature). Its hard
choice would not do: where people put the longer text first six times in ten, the best guess is the longer text ten
times in ten, and that is no bias. A model that knows nothing but what people like has the same slope as people, so the
*difference* of the two shares is the bias.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.special import expit

from labeler.records import Group
from reward.bootstrap import (
    Floats,
    Interval,
    Ints,
    grid_minimum,
    losses_on_grid,
    mean_interval,
    percentiles,
    resampled_sums,
)
from reward.calibration import probabilities
from reward.pairs import Pairs, clusters_of, collect_pairs, correctness

MATCHED = 0.1
"""Lengths match where they differ by less than this share of the longer one."""
FEWEST_PROMPTS = 10
"""With pairs of fewer prompts no verdict is given."""
SLOPES = np.linspace(-12, 12, 481)
"""Where slopes are looked for; at ±12 a text twice as long is chosen 9,998 times in 10,000."""
FORMATS = {
    "lists": (re.compile(r"^[ \t]*(?:[-*+•]|\d+[.)])[ \t]+\S", re.MULTILINE), 2),
    "headings": (re.compile(r"^#{1,6}[ \t]+\S", re.MULTILINE), 1),
    "bold": (re.compile(r"\*\*[^\s*][^*\n]*\*\*|__[^\s_][^_\n]*__"), 1),
    "code": (re.compile(r"^[ \t]*```|`[^`\n]+`", re.MULTILINE), 1),
}
"""Marks of Markdown that count as formatting, and how many of them a text must have: a list has two items."""
TRAITS = {
    "length": ("longer texts", "one text is twice as long as the other"),
    "lists": ("lists", "only one text has a list"),
    "headings": ("headings", "only one text has headings"),
    "bold": ("bold type", "only one text has bold type"),
    "code": ("code marks", "only one text has code marks"),
}
"""Trait → what a judge may favour, and when that shows, in words."""


@dataclass(frozen=True)
class Matched:
    """Accuracy on the decided pairs whose lengths differ by less than `MATCHED` of the longer; None without any."""

    accuracy: float | None
    accuracy_ci95: Interval | None
    comparisons: int
    prompts: int
    verdict: str
    rule: str = f"|length_i − length_j| < {MATCHED:g} · max(length_i, length_j), in characters"


@dataclass(frozen=True)
class Lean:
    """How people and the model lean to a trait, and the difference.

    Attributes:
        trait: "length", or a name of `FORMATS`.
        people, model: share of choices for the text with more of it; 0.5 is indifference.
        difference: model − people, with its interval over prompts.
        comparisons: decided pairs in which the trait differs, of so many prompts.
        verdict: the same in a sentence.
    """

    trait: str
    people: float
    people_ci95: Interval
    model: float
    model_ci95: Interval
    difference: float
    difference_ci95: Interval
    comparisons: int
    prompts: int
    verdict: str


@dataclass(frozen=True)
class Position:
    """How often people preferred what they were shown earlier; a model sees no order, so this is theirs alone.

    Attributes:
        earlier: share of the strict preferences between two outputs that went to the one further to the left or top.
        judgments: such preferences in rankings that recorded their order, of so many prompts.
    """

    earlier: float | None
    earlier_ci95: Interval | None
    judgments: int
    prompts: int
    verdict: str


@dataclass(frozen=True)
class Biases:
    """Everything of this module for one model and one data set; ``leans`` has the traits that differ in enough pairs.

    ``scarce`` names the traits that differ in pairs of fewer than `FEWEST_PROMPTS` prompts, with the number of pairs.
    """

    length_matched: Matched
    leans: tuple[Lean, ...]
    scarce: tuple[tuple[str, int], ...]
    position: Position


def find_biases(
    groups: Sequence[Group], scores: Sequence[Sequence[float]], *, temperature: float, seed: int = 0
) -> Biases:
    """All of it.

    Args:
        groups: G groups with rankings. scores: G lists with one raw score per completion.
        temperature: probabilities are σ(gap / temperature).
        seed: of the bootstrap.
    """
    pairs = collect_pairs(groups, scores).decided()
    leans, scarce = [], []
    for name, x, reference in traits(groups, pairs):
        differs = x != 0
        part = pairs.where(differs)
        if part.prompts < FEWEST_PROMPTS:
            scarce.append((name, len(part)))
        else:
            leans.append(lean(name, part, x[differs], reference, temperature=temperature, seed=seed))
    return Biases(length_matched(pairs, seed), tuple(leans), tuple(scarce), position(groups, seed))


def length_matched(pairs: Pairs, seed: int = 0) -> Matched:
    """Accuracy where length cannot help."""
    near = np.abs(pairs.length_gap) < MATCHED * np.maximum(pairs.length_i, pairs.length_j)
    part = pairs.where(near)
    if not len(part):
        return Matched(None, None, 0, 0, "No two compared texts are about equally long.")
    right = correctness(part.gap, part.majority)
    accuracy, interval = float(right.mean()), mean_interval(part.cluster, right, seed=seed)
    told = f"Between texts of about the same length the model is right in {100 * accuracy:.1f} %"
    beats = interval is not None and interval[0] > 0.5
    end = "more than a coin, so it does not live on length alone." if beats else "not shown to be more than a coin."
    return Matched(accuracy, interval, len(part), part.prompts, f"{told} of {len(part)} pairs: {end}")


def traits(groups: Sequence[Group], pairs: Pairs) -> list[tuple[str, Floats, float]]:
    """(name, difference of the trait within each of P pairs, the difference that shares are told for)."""
    found = [("length", np.log1p(pairs.length_i) - np.log1p(pairs.length_j), math.log(2))]
    for name, (pattern, least) in FORMATS.items():
        has = [[len(pattern.findall(c.text)) >= least for c in group.completions] for group in groups]
        rows = zip(pairs.group.tolist(), pairs.i.tolist(), pairs.j.tolist(), strict=True)
        x = np.asarray([has[g][i] - has[g][j] for g, i, j in rows], dtype=np.float64)
        found.append((name, x, 1.0))
    return found


def lean(name: str, pairs: Pairs, x: Floats, reference: float, *, temperature: float, seed: int = 0) -> Lean:
    """How people and the model lean to a trait that differs by x (P) in the P decided pairs."""
    judges = ((pairs.majority > 0).astype(np.float64), probabilities(pairs.gap, temperature))
    (people, people_draws), (model, model_draws) = (
        leaning(pairs.cluster, x, choice, reference, seed=seed) for choice in judges
    )
    interval = percentiles(model_draws - people_draws)
    return Lean(
        trait=name,
        people=people,
        people_ci95=percentiles(people_draws),
        model=model,
        model_ci95=percentiles(model_draws),
        difference=model - people,
        difference_ci95=interval,
        comparisons=len(pairs),
        prompts=pairs.prompts,
        verdict=lean_verdict(name, people, model, interval),
    )


def leaning(cluster: Ints, x: Floats, choice: Floats, reference: float, *, seed: int) -> tuple[float, Floats]:
    """σ(β · reference) for the logistic slope β of a choice on x, and its draws over resampled clusters.

    Args:
        cluster: prompt of each pair (P). x: difference of the trait (P). choice: share chosen of the first text (P).
        reference: difference that the slope is told for.
        seed: the same seed draws the same prompts, so that two judges are compared on the same resamples.
    """
    losses = losses_on_grid(cluster, lambda slope: np.logaddexp(0.0, slope * x) - choice * slope * x, SLOPES)
    sums = np.vstack([losses.sum(axis=0), resampled_sums(losses, seed=seed)])
    shares = expit(grid_minimum(sums, SLOPES) * reference)
    return float(shares[0]), shares[1:]


def lean_verdict(name: str, people: float, model: float, interval: Interval) -> str:
    """Whether the model leans to a trait more than people do, in a sentence."""
    favoured, where = TRAITS[name]
    low, high = (100 * bound for bound in interval)
    span = f"difference {low:+.0f} to {high:+.0f} points".replace("-", "−")
    shares = f"Where {where}, people choose it in {100 * people:.0f} %, the model in {100 * model:.0f} % ({span})."
    if low > 0:
        return f"Bias: the model favours {favoured} more than people do. {shares}"
    if high < 0:
        return f"Bias: the model favours {favoured} less than people do. {shares}"
    return f"No bias for or against {favoured} beyond people's own was found. {shares}"


def position(groups: Sequence[Group], seed: int = 0) -> Position:
    """How often people put the earlier shown of two outputs first."""
    clusters = clusters_of(groups)
    where: list[int] = []
    earlier: list[float] = []
    for cluster, group in zip(clusters.tolist(), groups, strict=True):
        for ranking in group.rankings:
            if ranking.order is None:
                continue
            place = {name: index for index, name in enumerate(ranking.order)}
            shown = {k: place[c.id] for k, c in enumerate(group.completions) if c.id in place}  # all but later edits
            for i, j in combinations(shown, 2):
                if verdict := ranking.compare(i, j):
                    where.append(cluster)
                    earlier.append(float((shown[i] < shown[j]) == (verdict > 0)))
    if not earlier:
        told = "The order in which outputs were shown was not recorded, so people's position bias is unknown."
        return Position(None, None, 0, 0, told)
    cluster_of, first = np.asarray(where, dtype=np.int64), np.asarray(earlier)
    share, interval = float(first.mean()), mean_interval(cluster_of, first, seed=seed)
    prompts = len(np.unique(cluster_of))
    return Position(share, interval, len(first), prompts, position_verdict(share, interval, prompts))


def position_verdict(share: float, interval: Interval | None, prompts: int) -> str:
    """Whether people prefer what comes first, in a sentence."""
    told = f"People preferred the earlier shown of two outputs in {100 * share:.1f} % of their choices"
    whose = "This is a bias of people, not of the model, which sees no order."
    if interval is None or prompts < FEWEST_PROMPTS:
        return f"{told}; {prompts} prompts are too few to tell whether that is chance."
    low, high = (100 * bound for bound in interval)
    span = f"95 % interval {low:.1f} to {high:.1f} %"
    if low > 50 or high < 50:
        return f"{told} ({span}): where an output stands sways them. {whose}"
    return f"{told} ({span}), which may be chance."
