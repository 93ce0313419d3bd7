"""Completions drawn for a batch, and the same as rows and tensors that PPO computes with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from labeler.errors import DataError
from labeler.records import Completion, Group
from reward.data import EncodedGroup
from reward.sampling import Sample, prompt_seed, sample_many


@dataclass(frozen=True)
class Question:
    """A prompt with its token ids up to where the answer begins."""

    group: Group
    ids: tuple[int, ...]


@dataclass(frozen=True)
class Drawing:
    """How completions are drawn: tokens that end them (the first is written), their longest length, temperature."""

    ends: tuple[int, ...]
    max_new_tokens: int
    temperature: float


@dataclass(frozen=True)
class Rollout:
    """A prompt and what the policy wrote to it."""

    question: Question
    samples: tuple[Sample, ...]

    def encoded(self, end: int) -> EncodedGroup:
        """Token ids, each completion with the end token where the policy chose to end; an end alone is a completion."""
        tails = [each.ids + ((end,) if each.finished else ()) for each in self.samples]
        return EncodedGroup(
            self.question.group.id,
            tuple(range(len(tails))),
            np.asarray(self.question.ids, dtype=np.int32),
            tuple(np.asarray(tail, dtype=np.int32) for tail in tails),
            (),
            (),
        )

    def written(self, tokenizer: PreTrainedTokenizerBase) -> Group:
        """The completions as text."""
        texts = [tokenizer.decode(each.ids, clean_up_tokenization_spaces=False) for each in self.samples]
        completions = tuple(Completion(f"c{k}", text) for k, text in enumerate(texts))
        return replace(self.question.group, completions=completions, rankings=())


def draw(model: PreTrainedModel, questions: Sequence[Question], count: int, how: Drawing, seed: int) -> list[Rollout]:
    """``count`` completions of each question; what is drawn depends on weights, seed and prompt, rounding aside."""
    drawn = sample_many(
        model,
        [each.ids for each in questions],
        count,
        ends=how.ends,
        max_new_tokens=how.max_new_tokens,
        temperature=how.temperature,
        top_p=1.0,
        seeds=[prompt_seed(seed, each.group.id) for each in questions],
    )
    return [Rollout(each, tuple(samples)) for each, samples in zip(questions, drawn, strict=True)]


def endless(questions: Sequence[Question], seed: int, start: int = 0) -> Iterator[Question]:
    """The questions again and again from number ``start`` on, each pass in an order of its own."""
    for epoch in range(start // len(questions), 10**9):
        order = np.random.default_rng([seed, epoch]).permutation(len(questions))
        for place, index in enumerate(order):
            if epoch * len(questions) + place >= start:
                yield questions[index]


@dataclass(frozen=True, eq=False)
class Batch:
    """N completions of at most T tokens.

    Attributes:
        mask: (N, T) bool, True where there is a token.
        finished: (N,) bool, the policy ended it itself.
        scores: (N,) normalised score of the reward model.
    """

    mask: Tensor
    finished: Tensor
    scores: Tensor

    @property
    def lengths(self) -> Tensor:
        """(N,) tokens, end tokens included."""
        return self.mask.sum(dim=1)


def batch(rollouts: Sequence[Rollout], scores: Sequence[Sequence[float]], longest: int, device: torch.device) -> Batch:
    """The tensors of R rollouts with their scores, completions of one prompt side by side.

    Raises:
        DataError: a completion has no score since it does not fit the reward model's context.
    """
    for rollout, values in zip(rollouts, scores, strict=True):
        if np.isnan(values).any():
            raise DataError(
                "does not fit the reward model's context; leave it out or lower --max-new-tokens",
                field=f"prompt {rollout.question.group.id}",
            )
    samples = [each for rollout in rollouts for each in rollout.samples]
    lengths = torch.tensor([len(each.ids) + each.finished for each in samples], device=device)
    return Batch(
        mask=torch.arange(longest, device=device)[None] < lengths[:, None],
        finished=torch.tensor([each.finished for each in samples], device=device),
        scores=torch.tensor([value for values in scores for value in values], device=device),
    )
