"""Simulated annotators, for tests and for trying the whole cycle without people.

Each one has the taste of a gold reward model, a liking or dislike for length of their own, and makes mistakes: they
rank by utility plus Gumbel noise, so that of two completions the one with the higher utility wins with probability
σ((u_i − u_j) / noise) and a whole ranking follows the Plackett–Luce model (Yellott 1977, "The relationship between
Luce's choice axiom, Thurstone's theory of comparative judgment, and the double exponential distribution").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from labeler.records import Group, Ranking
from reward.sampling import prompt_seed

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Annotator:
    """A simulated person.

    Attributes:
        name: their id in the data.
        length_taste: utility added per unit of log length above the other completions' mean.
        noise: scale of the Gumbel noise, in the gold model's normalised scores; 0 makes no mistakes.
    """

    name: str
    length_taste: float
    noise: float


def annotators(count: int, noise: float, spread: float, seed: int) -> tuple[Annotator, ...]:
    """``labeler-1`` to ``labeler-count`` whose length tastes are normal with mean 0 and deviation ``spread``."""
    tastes = np.random.default_rng(seed).normal(0, spread, size=count)
    return tuple(Annotator(f"labeler-{i}", float(taste), noise) for i, taste in enumerate(tastes, start=1))


def utilities(person: Annotator, gold: Sequence[float], lengths: Sequence[int]) -> Floats:
    """What each of K completions is worth to a person.

    Args:
        person: who judges.
        gold: K scores of the gold model, normalised.
        lengths: K lengths in characters.
    """
    logs = np.log1p(np.asarray(lengths, dtype=np.float64))
    found: Floats = np.asarray(gold, dtype=np.float64) + person.length_taste * (logs - logs.mean())
    return found


def rank(person: Annotator, worth: Floats, generator: np.random.Generator) -> tuple[int, ...]:
    """A person's ranks (1 is best, no ties) of K completions of which ``worth`` (K,) are the utilities."""
    noisy = worth + person.noise * generator.gumbel(size=len(worth))
    ranks = np.empty(len(worth), dtype=int)
    ranks[np.argsort(-noisy, kind="stable")] = np.arange(1, len(worth) + 1)
    return tuple(ranks.tolist())


def label(group: Group, gold: Sequence[float], people: Sequence[Annotator], seed: int) -> Group:
    """The group with one ranking by each person; the same seed gives the same ones, whatever was labelled before.

    Args:
        group: a group of K completions.
        gold: K scores of the gold model, normalised.
        people: who judge.
        seed: another seed draws other mistakes.
    """
    lengths = [len(completion.text) for completion in group.completions]
    rankings = []
    for person in people:
        generator = np.random.default_rng(prompt_seed(seed, f"{person.name}:{group.id}"))
        rankings.append(Ranking(person.name, rank(person, utilities(person, gold, lengths), generator)))
    return replace(group, rankings=tuple(rankings))
