"""P(judgments | scores): everything between the scores of a group and its loss, with the parameters that this needs.

Each of these may be there or not, as `Labels` says: a probability of ties, a pull of the place on the screen, the
reliability of each annotator. A group's loss is the mean over its compared pairs of the weighted mean over the pair's
judgments of −log P(verdict), so every group weighs the same (InstructGPT's 1 / C(K, 2)), however many people judged it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from reward.consensus import GRID, LOG_PRIOR
from reward.data import EncodedGroup, Pair
from reward.judgments import Judgments
from reward.labels import Labels, Strength, Ties
from reward.losses import LOSSES, bradley_terry, centring_loss, crowd_bt, davidson, rao_kupper

MARGINS: dict[Strength, tuple[float, ...]] = {
    "margin": (0, 0, 1 / 3, 2 / 3, 1),
    "margin-large": (0, 0, 1, 2, 3),
}
"""Margin by strength (0: not said; 1 negligibly … 4 significantly), Llama 2 (Touvron et al. 2023, arXiv 2307.09288,
table 27)."""
STRENGTH_WEIGHTS = (1.0, 0.4, 0.8, 1.2, 1.6)
"""Weight by strength, in proportion to it; the mean of the four levels counts like a judgment without strength."""


class Likelihood(nn.Module):
    """The loss of a group from its scores, with the parameters that are learned beside the reward model.

    Args:
        labels: which labels are used and how.
        annotators: ids of the A people whose reliability is learned.
        tie_share: share of ties among the judgments; sets where the tie parameter starts.

    Attributes:
        log_tie: scalar, logarithm of Rao & Kupper's θ or Davidson's ν.
        position: scalar b; a completion that is shown n places further left gains n · b.
        evidence: (A, G) log likelihood of what each person said for every reliability in `reward.consensus.GRID`.
        seen: (A, G + 1) the same of the judgments since the last update, and how many free choices they are.
    """

    evidence: Tensor
    seen: Tensor
    grid: Tensor
    log_prior: Tensor

    def __init__(self, labels: Labels, annotators: Sequence[str] = (), tie_share: float = 0.0) -> None:
        super().__init__()
        self.labels = labels
        self.people = {name: index for index, name in enumerate(annotators)}
        if labels.ties != "drop":
            self.log_tie = nn.Parameter(torch.tensor(math.log(tie_start(labels.ties, tie_share))))
        if labels.position_bias:
            self.position = nn.Parameter(torch.tensor(0.0))
        if labels.annotator_model != "none":
            self.register_buffer("evidence", torch.zeros(len(annotators), len(GRID)))
            self.register_buffer("seen", torch.zeros(len(annotators), len(GRID) + 1), persistent=False)
            self.register_buffer("grid", torch.tensor(GRID, dtype=torch.float32), persistent=False)
            self.register_buffer("log_prior", torch.tensor(LOG_PRIOR, dtype=torch.float32), persistent=False)

    def forward(self, scores: Tensor, group: EncodedGroup) -> Tensor:
        """Scalar loss of a group that `prepare` made ready, from its scores (K,); in training it notes what it saw."""
        judged = group.judgments if self.labels.single else None
        value = LOSSES[self.labels.loss](scores, group) if judged is None else self._judgments(scores, judged)
        if self.labels.centre:
            pairs = {(p.i, p.j) for p in group.pairs} if judged is None else _pairs(judged)
            first, second = torch.tensor(sorted(pairs), device=scores.device).T
            value = value + self.labels.centre * centring_loss(scores, first, second)
        return value

    def log_probabilities(self, gap: Tensor) -> Tensor:
        """(3, J) log P of first wins, tie, second wins for gaps (J,), said by somebody reliable."""
        if self.labels.ties == "rao-kupper":
            return rao_kupper(gap, self.log_tie.exp())
        if self.labels.ties == "davidson":
            return davidson(gap, self.log_tie.exp())
        return bradley_terry(gap)

    def reliability(self) -> Tensor:
        """(A,) η of each person: the mean of its posterior (see `reward.consensus`)."""
        return torch.softmax(self.evidence + self.log_prior, dim=1) @ self.grid

    def _judgments(self, scores: Tensor, judged: Judgments) -> Tensor:
        """Mean over pairs of the weighted mean of −log P of the J judgments of each."""
        device = scores.device
        first, second, verdict = (
            torch.from_numpy(each).to(device, torch.int64) for each in (judged.first, judged.second, judged.verdict)
        )
        gap = scores[first] - scores[second]
        if self.labels.position_bias:
            gap = gap + self.position * torch.from_numpy(judged.shift).to(device)
        strength = torch.from_numpy(judged.strength).to(device, torch.int64)
        if self.labels.strength in MARGINS:
            gap = gap - verdict * gap.new_tensor(MARGINS[self.labels.strength])[strength]
        outcomes = self.log_probabilities(gap)
        said = outcomes.gather(0, (1 - verdict)[None])[0]
        if self.labels.annotator_model != "none" or self.labels.label_smoothing:
            opposite = outcomes.gather(0, (1 + verdict)[None])[0]
            said = self._doubt(said, opposite, judged)
        weight = torch.from_numpy(judged.weight).to(device)
        _, pair = torch.unique(first * len(scores) + second, return_inverse=True)
        count = int(pair.max()) + 1
        share = weight / weight.new_zeros(count).index_add(0, pair, weight)[pair] / count
        if self.labels.strength == "weight":
            share = share * share.new_tensor(STRENGTH_WEIGHTS)[strength]
        return -(share * said).sum()

    def _doubt(self, said: Tensor, opposite: Tensor, judged: Judgments) -> Tensor:
        """(J,) log P when a judgment may be the wrong way around; notes what that tells of each person."""
        if self.labels.annotator_model == "none":
            return torch.lerp(said, opposite, self.labels.label_smoothing)
        people = torch.tensor([self.people[name] for name in judged.annotators], device=said.device)
        person = people[torch.from_numpy(judged.person).to(said.device, torch.int64)]
        eta = self.reliability()[person]
        if self.training:
            with torch.no_grad():
                choices = torch.from_numpy(free_choices(judged)).to(said.device)[:, None]
                told = crowd_bt(said[:, None], opposite[:, None], self.grid) * choices
                self.seen.index_add_(0, person, torch.cat([told, choices], dim=1).to(self.seen.dtype))
        return crowd_bt(said, opposite, eta)


def tie_start(ties: Ties, share: float) -> float:
    """Where the tie parameter starts: the value at which equal completions tie as often as people called ties.

    With equal scores P(tie) is tanh(θ/2) after Rao & Kupper and ν / (2 + ν) after Davidson. A share under 1 % or over
    90 % counts as that.
    """
    share = min(max(share, 0.01), 0.9)
    return 2 * math.atanh(share) if ties == "rao-kupper" else 2 * share / (1 - share)


def free_choices(judged: Judgments) -> NDArray[np.float32]:
    """(J,) how much each judgment tells of its person's reliability: weight and free choices; a tie tells nothing."""
    counts: NDArray[np.float32] = judged.weight * judged.choices * (judged.verdict != 0)
    return counts


def prepare(group: EncodedGroup, labels: Labels) -> EncodedGroup | None:
    """The group with the labels that the loss will read; None where it has none."""
    if labels.single:
        judged = group.judgments.without_ties() if labels.ties == "drop" else group.judgments
        return replace(group, judgments=judged) if len(judged) else None
    pairs = [p for p in group.pairs if labels.targets == "share" or p.share != 0.5]
    pairs = [target(p, labels) for p in pairs]
    return replace(group, pairs=tuple(pairs)) if pairs else None


def target(pair: Pair, labels: Labels) -> Pair:
    """The pair with the share of votes that the loss aims at: s(1 − ε) + (1 − s)ε, s rounded for the majority."""
    share = pair.share if labels.targets == "share" else float(pair.share > 0.5)
    if labels.label_smoothing:
        share += labels.label_smoothing * (1 - 2 * share)
    return replace(pair, share=share)


def _pairs(judged: Judgments) -> set[tuple[int, int]]:
    return set(zip(judged.first.tolist(), judged.second.tolist(), strict=True))
