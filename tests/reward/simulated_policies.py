"""Policies whose answers people judge at random with known chances: what an evaluation of them must find again."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from labeler.records import Completion, Group, Message, Ranking
from reward.policies.answers import Source, gather
from reward.policies.records import Answers

NAMES = ("base", "sft", "best-of-16", "ppo")
WORDS = ["water", "stone", "light", "river", "answer", "reason", "measure", "because", "although", "window"]


def davidson_chances(theta: Sequence[float], nu: float, i: int, j: int) -> np.ndarray:
    """Chances of win, tie and loss of i against j."""
    a, b = np.exp(theta[i]), np.exp(theta[j])
    weights = np.array([a, nu * np.sqrt(a * b), b])
    return weights / weights.sum()


def answer(rng: np.random.Generator, words: int) -> str:
    return " ".join(rng.choice(WORDS, size=words))


def answer_groups(
    prompts: int, *, names: Sequence[str] = NAMES, words: Sequence[int] = (10, 14, 16, 22), seed: int = 0
) -> dict[str, list[Group]]:
    """Per policy a file's groups: one answer to each prompt, lengths around ``words``."""
    rng = np.random.default_rng(seed)
    return {
        name: [
            Group(
                f"q{index}",
                (Message("user", f"Question {index}?"),),
                (Completion("c0", answer(rng, int(rng.poisson(size)) + 1), name),),
                meta={"slice": "false premise" if index % 4 == 0 else "other"},
            )
            for index in range(prompts)
        ]
        for name, size in zip(names, words, strict=True)
    }


def judged_pairs(
    written: dict[str, list[Group]], theta: Sequence[float], *, nu: float = 0.5, people: int = 2, seed: int = 1
) -> list[Group]:
    """Groups of two policies' answers, ranked, rated and flagged by so many people; better policies fail less."""
    rng = np.random.default_rng(seed)
    names = list(written)
    found = []
    for index in range(len(next(iter(written.values())))):
        for i, j in combinations(range(len(names)), 2):
            completions = tuple(
                Completion(names[p], written[names[p]][index].completions[0].text, names[p]) for p in (i, j)
            )
            rankings = []
            for person in range(people):
                outcome = rng.choice(3, p=davidson_chances(theta, nu, i, j))
                ratings = tuple(int(np.clip(round(4 + theta[p] + rng.normal()), 1, 7)) for p in (i, j))
                flags = tuple(
                    tuple(
                        flag
                        for flag, chance in (
                            ("fails_task", 0.4 - 0.1 * theta[p]),
                            ("hallucination", 0.2 - 0.05 * theta[p]),
                            ("satisfies_constraint", 0.5 + 0.15 * theta[p]),
                        )
                        if rng.random() < chance
                    )
                    for p in (i, j)
                )
                ranks = [(1, 2), (1, 1), (2, 1)][outcome]
                rankings.append(Ranking(f"labeler-{person + 1}", ranks, ratings=ratings, flags=flags))
            prompt = written[names[0]][index].prompt
            found.append(Group(f"q{index}-{i}{j}", prompt, completions, tuple(rankings)))
    return found


def simulated(prompts: int, theta: Sequence[float], *, nu: float = 0.5, people: int = 1, seed: int = 1) -> Answers:
    """Answers of `NAMES` with their judgments, lined up."""
    written = answer_groups(prompts)
    judged = judged_pairs(written, theta, nu=nu, people=people, seed=seed)
    return gather([Source(name, None) for name in NAMES], written, judged)
