"""Which policies a run compares with which, and what each judge says of them; pure functions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from reward.config.rounds import RoundsConfig
from reward.policies.judges import REWARD
from reward.policies.measures import Estimate, complement
from reward.policies.steps import PREFERRED, Outcome, Pair, Parting, Step, partings

OPTIMISED, OTHERS, GOLD = "optimised reward model", "reward model of other annotators", "gold reward model"
SAID: Mapping[Outcome, str] = {
    "better": "{policy} is better than {before}",
    "worse": "{policy} is worse than {before}",
    "not shown": "no difference between {policy} and {before} is shown",
}


@dataclass(frozen=True)
class Opinion:
    """What one judge says of a policy beside an earlier one.

    Attributes:
        reward: paired difference in mean reward on the same prompts.
        wins: share of wins minus share of losses. preferred: share of wins, a tie being half of one.
    """

    reward: Step
    wins: Step
    preferred: Estimate

    def to_json(self) -> dict[str, Any]:
        """Figures with the verdicts that their intervals give."""
        return {
            "judge": self.reward.judge,
            "difference": _plain(self.reward.change),
            "difference_outcome": None if self.reward.change.value is None else self.reward.outcome,
            "preferred": _plain(self.preferred),
            "preferred_outcome": None if self.preferred.value is None else self.wins.outcome,
        }


@dataclass(frozen=True)
class Contest:
    """A policy beside an earlier one, by every judge."""

    policy: str
    before: str
    opinions: tuple[Opinion, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain dicts, lists and numbers."""
        return {"policy": self.policy, "before": self.before, "judges": [each.to_json() for each in self.opinions]}


def policies(config: RoundsConfig) -> tuple[str, ...]:
    """The policies that are compared, from the first to the last."""
    made = (f"{config.improve}-{number}" for number in range(1, config.rounds + 1))
    return ("base", "sft", f"best-of-{config.best_of}", *made)


def pairs(config: RoundsConfig) -> list[Pair]:
    """Each policy beside what it began from, each round's beside the round before, and these beside best of n."""
    base, tuned, best, *made = policies(config)
    rounds = [(later, earlier) for earlier, later in pairwise(made)]
    return [(tuned, base), *((each, tuned) for each in (best, *made)), *rounds, *((each, best) for each in made)]


def judges(found: Mapping[str, Any], config: RoundsConfig) -> list[dict[str, str]]:
    """A short plain name for every judge of the comparison, and the folder that it is."""
    folders = {OPTIMISED: f"round-{config.rounds}/model", OTHERS: f"round-{config.rounds}/judge"}
    models = iter((OPTIMISED, OTHERS))
    told = []
    for judge in found["judges"]:
        if judge["kind"] == "gold":
            told.append({"name": GOLD, "folder": "/".join(Path(str(config.simulate)).resolve().parts[-2:])})
        else:
            name = next(models)
            told.append({"name": name, "folder": folders[name]})
    return told


def contests(found: Mapping[str, Any], config: RoundsConfig) -> list[Contest]:
    """Every pair of policies by every judge, from what the comparison wrote."""
    names = [judge["name"] for judge in judges(found, config)]
    return [
        Contest(
            policy, before, tuple(opinion(policy, before, *each) for each in zip(names, found["judges"], strict=True))
        )
        for policy, before in pairs(config)
    ]


def opinion(policy: str, before: str, name: str, judge: Mapping[str, Any]) -> Opinion:
    """What a judge says of one pair; estimates of nothing where it says nothing."""
    changes = {step["figure"]: step for step in judge["steps"] if (step["policy"], step["before"]) == (policy, before)}
    reward = Step(policy, before, name, REWARD, _estimate(changes.get(REWARD, {}).get("change")))
    preferred = _preferred(policy, before, judge["wins"])
    wins = Step(policy, before, name, PREFERRED, _twice(preferred))
    return Opinion(reward, wins, preferred)


def sentences(told: Sequence[Contest]) -> Iterator[str]:
    """A sentence for every judge but the optimised one: which policy improved on the one that it is beside."""
    first, *others = zip(*(contest.opinions for contest in told), strict=True)
    for opinions in others or [first]:
        steps = [opinion.reward for opinion in opinions if opinion.reward.change.value is not None]
        said = (SAID[step.outcome].format(policy=step.policy, before=step.before) for step in steps)
        yield f"By the {opinions[0].reward.judge}: {'; '.join(said)}."


def parted(told: Sequence[Contest]) -> list[Parting]:
    """Where the last judge, which nothing was optimised for, does not say what another one says."""
    steps = [opinion.reward for contest in told for opinion in contest.opinions]
    steps = [Step(s.policy, s.before, f"the {s.judge}", s.figure, s.change) for s in steps]
    names = list(dict.fromkeys(step.judge for step in steps))
    return partings(steps, names[:-1], names[-1], REWARD)


def _preferred(policy: str, before: str, wins: Sequence[Mapping[str, Any]]) -> Estimate:
    for win in wins:
        if (win["policy"], win["against"]) == (policy, before):
            return _estimate(win["rate"])
        if (win["policy"], win["against"]) == (before, policy):
            return complement(_estimate(win["rate"]))
    return _estimate(None)


def _twice(share: Estimate) -> Estimate:
    """Wins minus losses from a share of wins: 2·share − 1."""
    if share.value is None or share.ci95 is None:
        return _estimate(None)
    low, high = share.ci95
    return Estimate(2 * share.value - 1, (2 * low - 1, 2 * high - 1), share.prompts)


def _estimate(told: Mapping[str, Any] | None) -> Estimate:
    if told is None or told["value"] is None:
        return Estimate(None, None, 0)
    interval = told["ci95"]
    return Estimate(told["value"], None if interval is None else (interval[0], interval[1]), told["prompts"])


def _plain(estimate: Estimate) -> dict[str, Any]:
    return {"value": estimate.value, "ci95": estimate.ci95, "prompts": estimate.prompts}
