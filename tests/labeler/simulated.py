"""Groups of simulated people who rank simulated models."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from labeler.records import Completion, Group, Message, Ranking

Person = Callable[[np.random.Generator, int], int]
"""Says 1, 0 or -1 of a pair whose first is better (1), equal (0) or worse (-1)."""


def honest(reliability: float) -> Person:
    return lambda rng, truth: truth if rng.random() < reliability else -truth


def pairs(people: dict[str, Person], tasks: int, per_task: int, seed: int) -> list[Group]:
    """Pairs of which one side is better, each judged by some of the people."""
    rng = np.random.default_rng(seed)
    names, groups = list(people), []
    for task in range(tasks):
        truth = 1 if rng.random() < 0.5 else -1
        who = rng.choice(len(names), size=min(per_task, len(names)), replace=False)
        said = {names[w]: people[names[w]](rng, truth) for w in sorted(who)}
        groups.append(pair(f"g{task}", said, truth))
    return groups


def pair(name: str, said: dict[str, int], truth: int, **meta: object) -> Group:
    rankings = tuple(Ranking(annotator, ranks(verdict)) for annotator, verdict in said.items())
    texts = (f"{name} a", f"{name} b")
    completions = tuple(Completion(f"c{i}", text, f"m{i}") for i, text in enumerate(texts))
    return Group(name, (Message("user", name),), completions, rankings, meta={"gold_ranks": list(ranks(truth)), **meta})


def ranks(verdict: int) -> tuple[int, int]:
    return {1: (1, 2), 0: (1, 1), -1: (2, 1)}[verdict]


def duels(theta: Sequence[float], nu: float, tasks: int, seed: int) -> list[Group]:
    """Each task a pair of models drawn at random, judged once as Davidson's model says."""
    rng = np.random.default_rng(seed)
    groups = []
    for task in range(tasks):
        i, j = rng.choice(len(theta), size=2, replace=False)
        weights = np.exp([theta[i], (theta[i] + theta[j]) / 2 + np.log(nu), theta[j]])
        verdict = int(rng.choice([1, 0, -1], p=weights / weights.sum()))
        completions = (Completion("c0", "x", f"m{i}"), Completion("c1", "y", f"m{j}"))
        said = (Ranking("ann", ranks(verdict)),)
        groups.append(Group(f"g{task}", (Message("user", "?"),), completions, said))
    return groups
