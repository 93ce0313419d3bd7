"""What the cycle does with prompts, completions and people between its steps; pure functions."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from labeler.formats import prompt_key, split_of
from labeler.records import Group
from reward.sampling import prompt_seed
from reward.splits import opening_key, select_completions

Person = TypeVar("Person")
WATCHED = 10
"""One prompt in so many is watched."""


@dataclass(frozen=True)
class Prompts:
    """Prompts for different ends, no prompt in two of them.

    Attributes:
        asked: to write for, to ask people about and to practise on.
        watched: a tenth, on which a policy is watched while it learns.
        held_out: on which policies are compared at the end.
        left_out: would be held out, but demonstrations show how to answer them.
    """

    asked: tuple[Group, ...]
    watched: tuple[Group, ...]
    held_out: tuple[Group, ...]
    left_out: tuple[Group, ...]


def divide(prompts: Sequence[Group], shown: Collection[str] = ()) -> Prompts:
    """Each prompt once, without completions and split, for one end.

    Held out are those of the split test or, where no prompt names a split, those for which the hash of the prompt says
    so. What is watched is a matter of the hash, too.

    Args:
        prompts: all of them.
        shown: `opening_key` of the demonstrations that the first policy learns from or is chosen by.
    """
    first: dict[str, Group] = {}
    for group in prompts:
        first.setdefault(prompt_key(group.prompt), group)
    named = any(group.split is not None for group in first.values())
    held_out = {key for key, group in first.items() if (group.split if named else split_of(key)) == "test"}
    left_out = {key for key in held_out if opening_key(first[key].prompt) in shown}
    others = sorted(first.keys() - held_out)
    watched = set(others[: -(-len(others) // WATCHED)])

    def pick(keys: Collection[str]) -> tuple[Group, ...]:
        return tuple(replace(g, completions=(), rankings=(), split=None) for key, g in first.items() if key in keys)

    return Prompts(
        pick(first.keys() - held_out - watched), pick(watched), pick(held_out - left_out), pick(held_out & left_out)
    )


def turn(prompts: Sequence[Group], start: int, count: int, seed: int) -> list[Group]:
    """``count`` prompts after the first ``start``: all prompts in one random order, begun again at its end."""
    order = np.random.default_rng(seed).permutation(len(prompts))
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


def without(groups: Sequence[Group], held_out: Sequence[Group]) -> list[Group]:
    """The groups whose prompts are not held out; a project may hold more than the rounds put into it."""
    keys = {prompt_key(group.prompt) for group in held_out}
    return [group for group in groups if prompt_key(group.prompt) not in keys]


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
