"""Whether a policy improves on an earlier one, by every judge, and where a proxy and the gold reward part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np

from reward.bootstrap import Floats
from reward.policies.duels import WinRate
from reward.policies.measures import Estimate, difference

Outcome = Literal["better", "worse", "not shown"]
PREFERRED, FOLLOWED = "wins minus losses", "prompts followed"
Pair = tuple[str, str]
"""A policy, and the earlier one that it is put beside."""
SHARES = frozenset({PREFERRED, FOLLOWED})
"""Figures that are shares, so that their changes are told in percentage points."""


@dataclass(frozen=True)
class Step:
    """One policy beside an earlier one, by one judge.

    Attributes:
        policy, before: names.
        judge: who judges. figure: what was measured.
        change: paired difference in that figure, policy minus before.
        outcome: better or worse where the interval of the change excludes 0.
    """

    policy: str
    before: str
    judge: str
    figure: str
    change: Estimate

    @property
    def outcome(self) -> Outcome:
        """What the interval says."""
        low, high = self.change.ci95 or (-np.inf, np.inf)
        return "better" if low > 0 else "worse" if high < 0 else "not shown"


@dataclass(frozen=True)
class Parting:
    """A step on which a reward model and the gold one do not say the same."""

    policy: str
    before: str
    proxy: str
    gold: str
    proxy_change: Estimate
    gold_change: Estimate

    @property
    def verdict(self) -> str:
        """What happened, in a sentence."""
        rise, other = self.proxy_change.value or 0.0, self.gold_change.value or 0.0
        moved = f"{self.proxy} says that {self.policy} is {'better' if rise > 0 else 'worse'} than {self.before}"
        low, high = self.gold_change.ci95 or (-np.inf, np.inf)
        figures = f"({rise:+.2f}, gold {other:+.2f}, 95 % interval {low:+.2f} to {high:+.2f})".replace("-", "−")
        if low > 0 or high < 0:
            held = f"{self.gold}, which training never saw, says the opposite"
            return f"{moved}, but {held} {figures}: {'over-optimised' if rise > 0 else 'the proxy misses a gain'}."
        return f"{moved}, and {self.gold}, which training never saw, does not confirm it {figures}."


def pairs_to_tell(names: Sequence[str], more: Sequence[Pair] = ()) -> list[Pair]:
    """Each policy beside the one before it, then the others that were asked for."""
    return list(dict.fromkeys([*((policy, before) for before, policy in pairwise(names)), *more]))


def measure_steps(
    measure: Floats, names: Sequence[str], judge: str, figure: str, *, more: Sequence[Pair] = (), seed: int = 0
) -> list[Step]:
    """The steps of a measure (C, P), e.g. a mean reward."""
    found = []
    for policy, before in pairs_to_tell(names, more):
        change = difference(measure, names.index(policy), names.index(before), seed=seed)
        if change.prompts:
            found.append(Step(policy, before, judge, figure, change))
    return found


def duel_steps(wins: Sequence[WinRate], names: Sequence[str], judge: str, *, more: Sequence[Pair] = ()) -> list[Step]:
    """The steps by who was preferred: share of wins minus share of losses, which is 2·rate − 1."""
    known = {pair: rate.rate for win in wins for pair, rate in _both(win)}
    found = []
    for policy, before in pairs_to_tell(names, more):
        rate = known.get((policy, before))
        if rate is not None and rate.value is not None and rate.ci95 is not None:
            low, high = rate.ci95
            change = Estimate(2 * rate.value - 1, (2 * low - 1, 2 * high - 1), rate.prompts)
            found.append(Step(policy, before, judge, PREFERRED, change))
    return found


def _both(win: WinRate) -> tuple[tuple[Pair, WinRate], ...]:
    turned = win.turned()
    return ((win.policy, win.against), win), ((turned.policy, turned.against), turned)


def partings(steps: Sequence[Step], proxies: Sequence[str], gold: str, figure: str) -> list[Parting]:
    """Steps that a proxy shows in its figure and the gold reward does not, or the other way round.

    Args:
        steps: of all judges. proxies: names of the reward models to compare with the gold one. gold: its name.
        figure: which figure of both is meant.
    """
    known = {(step.policy, step.before, step.judge): step for step in steps if step.figure == figure}
    found = []
    for (policy, before, judge), step in known.items():
        other = known.get((policy, before, gold))
        if judge in proxies and other and step.outcome not in ("not shown", other.outcome):
            found.append(Parting(policy, before, judge, gold, step.change, other.change))
    return found
