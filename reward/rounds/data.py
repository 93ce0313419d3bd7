"""What the cycle does with prompts, completions and people between its steps; pure functions."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np

from labeler.formats import prompt_key, split_of
from labeler.records import Group
from reward.sampling import prompt_seed
from reward.splits import select_completions

Person = TypeVar("Person")


def divide(prompts: Sequence[Group]) -> tuple[list[Group], list[Group]]:
    """(prompts to ask about, held-out prompts), each prompt once and without completions, marked with its split.

    Where no prompt names a split, the hash of the prompt decides. Validation prompts belong to the first: the reward
    model's training sets its own aside.
    """
    first: dict[str, Group] = {}
    for group in prompts:
        first.setdefault(prompt_key(group.prompt), group)
    unique = list(first.values())
    named = any(group.split is not None for group in unique)
    bare = [replace(g, completions=(), rankings=()) for g in unique]
    held_out = [g for g in bare if (g.split if named else split_of(prompt_key(g.prompt))) == "test"]
    taken = {group.id for group in held_out}
    return [replace(g, split=None) for g in bare if g.id not in taken], [replace(g, split="test") for g in held_out]


def turn(prompts: Sequence[Group], count: int, number: int, seed: int) -> list[Group]:
    """The ``count`` prompts of round ``number`` (from 1): all prompts in one random order, begun again at its end."""
    order = np.random.default_rng(seed).permutation(len(prompts))
    start = count * (number - 1)
    places = dict.fromkeys((start + i) % len(prompts) for i in range(min(count, len(prompts))))
    return [prompts[order[place]] for place in places]


def in_round(group: Group, number: int) -> Group:
    """The group under an id of its own in this round, so that a prompt may be asked about again."""
    return replace(group, id=f"round-{number}/{group.id}")


def distinct(group: Group) -> Group:
    """The group without completions that repeat the text of an earlier one."""
    first = {completion.text: k for k, completion in reversed(list(enumerate(group.completions)))}
    return select_completions(group, sorted(first.values()))


def rankable(groups: Sequence[Group]) -> list[Group]:
    """The groups with their distinct completions, where these are two at least."""
    return [each for group in groups if len((each := distinct(group)).completions) >= 2]


def by_people(groups: Sequence[Group], judges: Collection[str]) -> tuple[list[Group], list[Group]]:
    """(groups with the rankings of everybody but the judges, groups with the judges' rankings), none without any."""

    def pick(judging: bool) -> list[Group]:
        kept = (replace(g, rankings=tuple(r for r in g.rankings if (r.annotator in judges) == judging)) for g in groups)
        return [group for group in kept if group.rankings]

    return pick(False), pick(True)


def assign(group: Group, people: Sequence[Person], overlap: int, seed: int) -> list[Person]:
    """``overlap`` different people who rank a group, or all of them where they are fewer; drawn evenly."""
    generator = np.random.default_rng(prompt_seed(seed, f"people:{group.id}"))
    return [people[i] for i in sorted(generator.permutation(len(people))[:overlap])]
