"""One judge of all policies, people or a reward model, and everything that is computed from what it said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from reward.bootstrap import Floats
from reward.policies.davidson import Strength, strengths
from reward.policies.duels import WinRate, people_tallies, score_tallies, win_rates
from reward.policies.lengths import ControlledRate, controlled
from reward.policies.measures import Estimate, means, measure_of
from reward.policies.opinions import ratings
from reward.policies.records import Answers
from reward.policies.steps import Pair, Step, duel_steps, measure_steps

Kind = Literal["people", "reward", "gold"]
REWARD, RATING = "mean reward", "mean rating"


Scores = Sequence[Sequence[Sequence[float]]]
"""``scores[c][p]`` are those of policy p's answers to prompt c, NaN where one could not be scored."""


@dataclass(frozen=True)
class Head:
    """Who judges, and what the means of this judge are.

    Attributes:
        kind: people, a reward model, or the one that no training saw.
        figure: a mean reward (in standard deviations of the reward model's training data where it knows them) or a mean
            rating from 1 to 7.
    """

    name: str
    kind: Kind
    figure: str = REWARD


@dataclass(frozen=True)
class Judge:
    """What one judge says of the policies.

    Attributes:
        head: who.
        wins: every pair that was compared, once. strengths: Bradley–Terry scores with ties, from them.
        controlled: win rates as if answers were equally long.
        means: one per policy; none where nobody rated.
        steps: each policy beside the one before it, and further pairs that were asked for.
        measure: (C, P) of rewards or ratings, from which the means are.
        tallies: (C, M, 3) of wins, ties and losses, from which everything else is.
    """

    head: Head
    wins: tuple[WinRate, ...]
    strengths: tuple[Strength, ...]
    controlled: tuple[ControlledRate, ...]
    means: tuple[Estimate, ...]
    steps: tuple[Step, ...]
    measure: Floats = field(repr=False, compare=False)
    tallies: Floats = field(repr=False, compare=False)

    @property
    def name(self) -> str:
        """Who."""
        return self.head.name

    def rate(self, policy: str, against: str) -> WinRate | None:
        """The win rate of a policy against another, None where they were not compared."""
        found = self._wins.get((policy, against))
        turned = self._wins.get((against, policy))
        return found or (turned and turned.turned())

    @cached_property
    def _wins(self) -> dict[tuple[str, str], WinRate]:
        return {(win.policy, win.against): win for win in self.wins}


def by_people(answers: Answers, length: Floats, *, more: Sequence[Pair] = (), seed: int = 0) -> Judge:
    """The judge that people are together, from their rankings and ratings."""
    head = Head("people", "people", RATING)
    return judge_of(head, people_tallies(answers), ratings(answers), answers.names, length, more=more, seed=seed)


def by_scores(
    head: Head, scores: Scores, names: Sequence[str], length: Floats, *, more: Sequence[Pair] = (), seed: int = 0
) -> Judge:
    """A judge that scores single answers; see `judge_of`."""
    return judge_of(head, score_tallies(scores), measure_of(scores), names, length, more=more, seed=seed)


def judge_of(
    head: Head,
    tallies: Floats,
    measure: Floats,
    names: Sequence[str],
    length: Floats,
    *,
    more: Sequence[Pair] = (),
    seed: int = 0,
) -> Judge:
    """Everything that follows from what one judge said.

    Args:
        head: who. tallies: (C, M, 3) of wins, ties and losses. measure: (C, P) of rewards or ratings.
        names: of the P policies. length: (C, P) mean characters of their answers.
        more: pairs of policies to tell as steps besides those from each to the next.
        seed: of the bootstrap.
    """
    found, wins = means(measure, seed=seed), win_rates(tallies, names)
    steps = measure_steps(measure, names, head.name, head.figure, more=more, seed=seed)
    return Judge(
        head,
        wins=wins,
        strengths=strengths(tallies, names, seed=seed),
        controlled=controlled(tallies, length, names),
        means=found if any(mean.prompts for mean in found) else (),
        steps=(*duel_steps(wins, names, head.name, more=more), *steps),
        measure=measure,
        tallies=tallies,
    )
