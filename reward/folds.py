"""Does the model agree with people it never learned from: the pure parts of cross-validation over annotators.

Cross-validation over annotators follows InstructGPT (Ouyang et al. 2022, arXiv 2203.02155, section 4.1 and appendix
E.2), which trains on four fifths of its labelers and predicts the rest. Here the prompts are divided too, since a model
that has seen the very outputs would look better than it is. In fold f of k

- the annotators of part f are held out, and the prompts of part f;
- training uses the rankings that the other annotators made of the other prompts;
- measured are the held-out annotators' judgments of the held-out prompts and, to compare, the training annotators'
  judgments of the same held-out prompts.

Every annotator and every prompt is held out once. With fewer prompts than folds the prompts cannot be divided: then
only annotators are held out, the training annotators have no judgment that the model has not seen, and both are said.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from labeler.errors import DataError
from labeler.formats import prompt_key
from labeler.records import Group
from reward.bootstrap import Floats, Interval, draws, percentiles
from reward.pairs import strict_judgments


@dataclass(frozen=True)
class Fold:
    """One round of cross-validation: groups with only the rankings that are trained on or measured.

    Attributes:
        train: groups with the training annotators' rankings, of the training prompts where prompts are divided.
        measured: the held-out prompts with everybody's rankings; without divided prompts all groups, with those of the
            held-out annotators.
        annotators: who is held out.
    """

    train: tuple[Group, ...]
    measured: tuple[Group, ...]
    annotators: frozenset[str]


@dataclass(frozen=True)
class Judgment:
    """One strict preference of one person, and whether the model shares it (1, 0, or ½ for equal scores)."""

    prompt: str
    annotator: str
    right: float
    held_out: bool


@dataclass(frozen=True)
class CrossValidation:
    """Agreement with annotators whose rankings were not trained on.

    Attributes:
        accuracy: share of held-out annotators' strict judgments that the model shares; its interval resamples prompts
            and annotators, each by itself (pigeonhole bootstrap, Owen 2007, Annals of Applied Statistics 1:2).
        training_accuracy: the same for the training annotators on the same prompts; None where prompts are not divided.
        difference: accuracy − training_accuracy, with its interval.
        folds: accuracy of each fold on its held-out annotators' judgments; None where there were none.
        judgments, annotators, prompts: of the held-out.
        training_judgments: judgments behind training_accuracy.
        divided_prompts: whether prompts were held out too.
        method: what was done, in words.
    """

    accuracy: float
    accuracy_ci95: Interval | None
    training_accuracy: float | None
    training_accuracy_ci95: Interval | None
    difference: float | None
    difference_ci95: Interval | None
    folds: tuple[float | None, ...]
    judgments: int
    training_judgments: int
    annotators: int
    prompts: int
    divided_prompts: bool
    method: str

    @property
    def verdict(self) -> str:
        """Whether the model carries over to other people, in a sentence."""
        span = _span(self.accuracy_ci95)
        told = (
            f"On judgments of people it never learned from the model is right in {100 * self.accuracy:.1f} %{span}"
            f" ({self.judgments} judgments of {self.annotators} people)"
        )
        if self.difference is None or self.difference_ci95 is None or self.training_accuracy is None:
            return f"{told}. The prompts were seen in training, so this is too good to expect on new ones."
        low, high = (100 * bound for bound in self.difference_ci95)
        gap = f"{100 * self.difference:+.1f} points, 95 % interval {low:+.1f} to {high:+.1f}".replace("-", "−")
        known = f"on people it learned from, {100 * self.training_accuracy:.1f} % on the same prompts ({gap})"
        if high < 0:
            return f"{told}; {known}. It knows its own annotators better than other people."
        return f"{told}; {known}. It is not shown to be worse for people it has not learned from."


def deal(names: Mapping[str, int], folds: int, *, seed: int) -> dict[str, int]:
    """Name → part, 0 … folds − 1, of about equal weight: by falling weight, each to the lightest part so far.

    Args:
        names: name → weight, such as how many judgments a person made.
        folds: number of parts.
        seed: of the order of equal weights.
    """
    ordered = sorted(names)
    shuffled = [ordered[i] for i in np.random.default_rng(seed).permutation(len(ordered))]
    load = [0] * folds
    parts = {}
    for name in sorted(shuffled, key=lambda name: -names[name]):
        lightest = min(range(folds), key=lambda part: load[part])
        parts[name] = lightest
        load[lightest] += names[name]
    return parts


def make_folds(groups: Sequence[Group], folds: int, *, seed: int = 0) -> tuple[list[Fold], bool]:
    """The rounds of cross-validation over annotators, and whether prompts are divided too.

    Raises:
        DataError: fewer annotators than folds, or a fold has nothing to train on or to measure.
    """
    strict = strict_judgments(groups)
    people = Counter(annotator for _, annotator in strict)
    if len(people) < folds:
        problem = (
            f"the rankings are by {len(people)} annotators, fewer than {folds} folds; give --folds {len(people)}"
            if len(people) > 1
            else "the rankings are all by one annotator, so none can be held out"
        )
        raise DataError(problem)
    prompts = Counter(prompt for prompt, _ in strict)
    divided = len(prompts) >= folds
    person_part = deal(people, folds, seed=seed)
    prompt_part = deal(prompts, folds, seed=seed)
    made = []
    for fold in range(folds):
        out = frozenset(name for name, part in person_part.items() if part == fold)
        others = people.keys() - out
        if divided:
            inside = [g for g in groups if prompt_part.get(prompt_key(g.prompt)) == fold]
            outside = [g for g in groups if prompt_part.get(prompt_key(g.prompt)) != fold]
            train, measured = only(outside, others), only(inside, people.keys())
        else:
            train, measured = only(groups, others), only(groups, out)
        if not strict_judgments(train):
            raise DataError(f"fold {fold + 1} of {folds} has nothing to train on; give fewer folds or more rankings")
        made.append(Fold(train, measured, out))
    if not any(person in fold.annotators for fold in made for _, person in strict_judgments(fold.measured)):
        raise DataError("no held-out annotator judged a held-out prompt; give fewer folds or more rankings")
    return made, divided


def only(groups: Sequence[Group], annotators: AbstractSet[str]) -> tuple[Group, ...]:
    """The groups with only the rankings of these annotators, all in the training split."""
    cut = (
        replace(g, rankings=tuple(r for r in g.rankings if r.annotator in annotators), split="train") for g in groups
    )
    return tuple(group for group in cut if group.rankings)


def judge_judgments(
    groups: Sequence[Group], scores: Sequence[Sequence[float]], held_out: AbstractSet[str]
) -> list[Judgment]:
    """Every strict preference of every person, and whether the scores share it.

    Args:
        groups: G groups. scores: G lists with one raw score per completion.
        held_out: the people who were held out.
    """
    found = []
    for group, values in zip(groups, scores, strict=True):
        key = prompt_key(group.prompt)
        for ranking in group.rankings:
            for i, j in combinations(range(len(values)), 2):
                if verdict := ranking.compare(i, j):
                    gap = values[i] - values[j]
                    right = 0.5 if gap == 0 else float((gap > 0) == (verdict > 0))
                    found.append(Judgment(key, ranking.annotator, right, ranking.annotator in held_out))
    return found


def summarise(folds: Sequence[Sequence[Judgment]], *, divided: bool, people: int, seed: int = 0) -> CrossValidation:
    """The figures from the judgments of each fold.

    Args:
        folds: per fold, the held-out and the training annotators' judgments of what was measured.
        divided: whether prompts were held out too.
        people: annotators in all.
        seed: of the bootstrap.
    """
    every = [judgment for fold in folds for judgment in fold]
    held, known = ([j for j in every if j.held_out is wanted] for wanted in (True, False))
    shares, known_shares = _shares(every, held, seed), _shares(every, known, seed)
    accuracy = float(np.mean([j.right for j in held]))
    training = float(np.mean([j.right for j in known])) if known else None
    per_fold = [[j.right for j in fold if j.held_out] for fold in folds]
    return CrossValidation(
        accuracy=accuracy,
        accuracy_ci95=_percentiles(shares),
        training_accuracy=training,
        training_accuracy_ci95=_percentiles(known_shares) if known else None,
        difference=None if training is None else accuracy - training,
        difference_ci95=_percentiles(shares - known_shares) if known else None,
        folds=tuple(float(np.mean(rights)) if rights else None for rights in per_fold),
        judgments=len(held),
        training_judgments=len(known),
        annotators=len({j.annotator for j in held}),
        prompts=len({j.prompt for j in held}),
        divided_prompts=divided,
        method=method(len(folds), people, divided),
    )


def method(folds: int, people: int, divided: bool) -> str:
    """What was done, in words."""
    start = f"{people} annotators were dealt into {folds} folds of about equally many judgments. Each of {folds} models"
    if divided:
        return (
            f"{start} was trained without the rankings of one fold's annotators and without one fold's prompts, and"
            " measured on what these annotators said of these prompts: neither the person nor the prompt was seen."
        )
    return (
        f"{start} was trained without the rankings of one fold's annotators and measured on these. There are fewer"
        " prompts than folds, so prompts were not held out: the model has seen the same outputs ranked by others."
    )


def _shares(every: Sequence[Judgment], part: Sequence[Judgment], seed: int) -> Floats:
    """(R,) accuracy of the part's judgments in resamples of the prompts and, apart, of the annotators of all."""
    prompts = {name: number for number, name in enumerate(sorted({j.prompt for j in every}))}
    people = {name: number for number, name in enumerate(sorted({j.annotator for j in every}))}
    prompt = np.asarray([prompts[j.prompt] for j in part], dtype=np.int64)
    person = np.asarray([people[j.annotator] for j in part], dtype=np.int64)
    right = np.asarray([j.right for j in part])
    prompt_draws, person_draws = draws(len(prompts), seed=seed), draws(len(people), seed=seed + 1)
    shares = np.full(len(prompt_draws), np.nan)
    for number, (one, other) in enumerate(zip(prompt_draws, person_draws, strict=True)):
        weight = one[prompt] * other[person]
        if total := weight.sum():
            shares[number] = (weight * right).sum() / total
    return shares


def _percentiles(samples: Floats) -> Interval | None:
    finite = samples[np.isfinite(samples)]
    return percentiles(finite) if len(finite) > 1 else None


def _span(interval: Interval | None) -> str:
    return "" if interval is None else f", 95 % interval {100 * interval[0]:.1f} to {100 * interval[1]:.1f} %"
