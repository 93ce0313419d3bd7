"""How good a policy is on prompts that it does not practise on: reward, distance from the start, length, entropy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from reward import rl
from reward.actors import Actors
from reward.bootstrap import Floats, Interval, mean_interval
from reward.rollouts import Drawing, Question, draw
from reward.tokens import places


@dataclass(frozen=True)
class Answer:
    """A held-out completion.

    Attributes:
        prompt: id of its prompt. number: which of the prompt's completions.
        reward: normalised score.
        kl: log π − log π_ref of the whole completion, in nats. kl3: its estimate k₃.
        entropy: mean over its tokens, in nats.
        tokens: its length, the end token included.
    """

    prompt: str
    number: int
    text: str
    reward: float
    kl: float
    kl3: float
    entropy: float
    tokens: int
    finished: bool


@dataclass(frozen=True)
class HeldOut:
    """Means over held-out completions; intervals resample prompts.

    Attributes:
        reward_sd: standard deviation of the reward over completions.
        gain: mean reward minus that of the first evaluation on the same prompts; None for the first itself.
        kl, kl3: nats per completion. entropy: nats per token. length: tokens. finished: share that ended by itself.
    """

    reward: float
    reward_ci95: Interval | None
    reward_sd: float
    gain: float | None
    gain_ci95: Interval | None
    kl: float
    kl_ci95: Interval | None
    kl3: float
    entropy: float
    length: float
    finished: float

    def to_json(self) -> dict[str, Any]:
        """The row of curves.jsonl without its position."""
        return asdict(self)


def answer(
    actors: Actors, questions: Sequence[Question], count: int, how: Drawing, *, seed: int, budget: int
) -> list[Answer]:
    """Draw, score and read ``count`` completions of every question; the same seed gives the same ones."""
    with actors.sampling() as model:
        rollouts = draw(model, questions, count, how, seed)
    written = [each.written(actors.policy.tokenizer) for each in rollouts]
    scores = actors.scores(written)
    facts = np.full((len(rollouts), count, 3), np.nan)
    ends = torch.tensor(how.ends, device=actors.policy.model.device)
    with torch.no_grad():
        reader = actors.actor.reader
        for plain in reader.rows([each.encoded(how.ends[0]) for each in rollouts], budget):
            row = reader.with_states(plain)
            at = places(row)
            own, reference, entropy = actors.compared(row, at, ends, how.temperature)
            for tail, (group, k) in enumerate(row.owners):
                here = at.tail == tail
                first, third = rl.kl_estimates((own - reference)[here])
                facts[group, k] = float(first.sum()), float(third.sum()), float(entropy[here].mean())
    return [
        Answer(
            prompt=group.id,
            number=k,
            text=group.completions[k].text,
            reward=scores[g][k],
            kl=facts[g, k, 0],
            kl3=facts[g, k, 1],
            entropy=facts[g, k, 2],
            tokens=len(sample.ids) + sample.finished,
            finished=sample.finished,
        )
        for g, (group, rollout) in enumerate(zip(written, rollouts, strict=True))
        for k, sample in enumerate(rollout.samples)
    ]


def summary(answers: Sequence[Answer], first: Sequence[Answer] | None, *, seed: int) -> HeldOut:
    """The means of an evaluation.

    Args:
        answers: completions, the same number of every prompt.
        first: those of the first evaluation in the same order, for the gain.
        seed: of the bootstrap.
    """
    prompts = np.array([each.prompt for each in answers])
    rewards = column(answers, "reward")
    kl = column(answers, "kl")
    gains = None if first is None else rewards - column(first, "reward")
    return HeldOut(
        reward=float(rewards.mean()),
        reward_ci95=mean_interval(prompts, rewards, seed=seed),
        reward_sd=float(rewards.std()),
        gain=None if gains is None else float(gains.mean()),
        gain_ci95=None if gains is None else mean_interval(prompts, gains, seed=seed),
        kl=float(kl.mean()),
        kl_ci95=mean_interval(prompts, kl, seed=seed),
        kl3=float(column(answers, "kl3").mean()),
        entropy=float(column(answers, "entropy").mean()),
        length=float(column(answers, "tokens").mean()),
        finished=float(column(answers, "finished").mean()),
    )


def column(answers: Sequence[Answer], name: str) -> Floats:
    """One field of all answers (A)."""
    return np.array([float(getattr(each, name)) for each in answers])
