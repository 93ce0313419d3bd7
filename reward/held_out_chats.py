"""How a policy in training does on what it does not learn: the loss of held-out answers, and answers of its own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean, stdev

import torch
from transformers import PreTrainedTokenizerBase

from labeler.records import Completion, Group
from reward.artifact import Scorer
from reward.chat import EncodedChat, loss_weight
from reward.config.common import Sampling
from reward.data import render_turns
from reward.language import LanguageModel
from reward.policy import Policy
from reward.sft_state import Answer


@dataclass(frozen=True)
class HeldOut:
    """What every epoch is measured on.

    Attributes:
        valid, test: conversations whose loss is taken.
        prompts: prompts to answer.
        scorer: the reward model that scores the answers.
    """

    valid: Sequence[EncodedChat]
    test: Sequence[EncodedChat]
    prompts: Sequence[Group]
    scorer: Scorer | None


@torch.no_grad()
def mean_loss(model: LanguageModel, chats: Sequence[EncodedChat], budget: int) -> float | None:
    """Mean −log P of a token of the answers, in nats, weighted as in training; None of nothing."""
    if not chats:
        return None
    total = 0.0
    for row in model.rows(chats, budget):
        there = row.to(model.device)
        total += float((model(there) * there.weights).sum())
    return total / loss_weight(chats)


def pick_prompts(groups: Sequence[Group], tokenizer: PreTrainedTokenizerBase, room: int, most: int) -> list[Group]:
    """The first ``most`` prompts of at most ``room`` tokens, the beginning of the answer included."""
    texts = [render_turns(tokenizer, group.prompt, reply=True) for group in groups]
    lengths = [len(tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]) for text in texts]
    return [group for group, length in zip(groups, lengths, strict=True) if length <= room][:most]


def write_answers(policy: Policy, prompts: Sequence[Group], sampling: Sampling) -> list[Answer]:
    """One answer to each prompt; the same seed each time, so that policies are compared on the same draws."""
    found = []
    for prompt in prompts:
        group = policy.write(prompt, 1, sampling)
        made = group.meta["generation"]
        found.append(Answer(group.completions[0].text, made["finished"][0], made["tokens"][0]))
    return found


def score_answers(scorer: Scorer, prompts: Sequence[Group], answers: Sequence[Answer]) -> list[Answer]:
    """The answers with their rewards."""
    groups = [
        replace(prompt, completions=(Completion("answer", answer.text),), rankings=())
        for prompt, answer in zip(prompts, answers, strict=True)
    ]
    scores = scorer.score_groups(groups)
    return [
        replace(answer, reward=None if math.isnan(score) else score)
        for answer, (score,) in zip(answers, scores, strict=True)
    ]


def mean_reward(answers: Sequence[Answer]) -> tuple[float | None, float | None]:
    """Mean of the rewards and its standard error over prompts; None where there are too few for one."""
    rewards = [answer.reward for answer in answers if answer.reward is not None]
    error = stdev(rewards) / math.sqrt(len(rewards)) if len(rewards) > 1 else None
    return (fmean(rewards) if rewards else None), error
