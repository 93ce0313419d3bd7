"""Losses that turn people's rankings into gradients: pure tensor functions, shapes given, formulas sourced."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import softplus

from reward.data import EncodedGroup

LossName = Literal["pairwise", "plackett-luce"]


def pairwise_loss(scores: Tensor, first: Tensor, second: Tensor, share: Tensor) -> Tensor:
    """Mean over the P compared pairs of one group of −[s log σ(Δ) + (1 − s) log σ(−Δ)], Δ = r_first − r_second.

    With s = 1 this is InstructGPT's loss with its weight 1 / C(K, 2) (Ouyang et al. 2022, arXiv 2203.02155, section
    3.5, eq. 1), so every group weighs the same whatever its K. Where several people judged a pair, s is the share of
    them that put ``first`` above, which gives the gradient of the mean of their losses. softplus(x) = log(1 + eˣ) is
    linear for large x, so no gap overflows.

    Args:
        scores: (K,) raw scores of a group.
        first: (P,) int64 indices into scores.
        second: (P,) int64 indices into scores.
        share: (P,) between 0 and 1.

    Returns:
        Scalar, in nats per pair.
    """
    gap = scores[first] - scores[second]
    return (share * softplus(-gap) + (1 - share) * softplus(gap)).mean()


def plackett_luce_loss(scores: Tensor, ranks: Tensor, weights: Tensor) -> Tensor:
    """Mean negative log likelihood of A people's rankings as choices of the best of what is left, one after another.

    P(ranking) = ∏ over places of exp(r_i) / Σ_{j not placed yet} exp(r_j) (Luce 1959, Individual Choice Behavior;
    Plackett 1975, The Analysis of Permutations). Tied completions are each chosen from their own place and below
    (Breslow 1974, Covariance Analysis of Censored Survival Data). The choices of a ranking are averaged, so that with
    K = 2 this is `pairwise_loss`.

    Args:
        scores: (K,) raw scores of a group.
        ranks: (A, K) int64, 1 best, ties equal, 0 not ranked; each row prefers something.
        weights: (A,) positive, how much each ranking counts.

    Returns:
        Scalar, in nats per choice.
    """
    ranked = ranks > 0
    remaining = ranked[:, None, :] & (ranks[:, None, :] >= ranks[:, :, None])  # (A, chosen, alternatives)
    masked = torch.where(remaining, scores, -torch.inf)
    choice = ranked & (ranks < ranks.amax(dim=1, keepdim=True))  # who is last was not chosen over anybody
    total = torch.logsumexp(torch.where(choice[..., None], masked, scores), dim=2)  # no row of −inf only
    loss = torch.where(choice, total - scores, 0.0).sum(dim=1) / choice.sum(dim=1)
    return (loss * weights).sum() / weights.sum()


def _pairwise(scores: Tensor, group: EncodedGroup) -> Tensor:
    first, second, share = zip(*((p.i, p.j, p.share) for p in group.pairs), strict=True)
    device = scores.device
    return pairwise_loss(
        scores,
        torch.tensor(first, device=device),
        torch.tensor(second, device=device),
        torch.tensor(share, device=device, dtype=scores.dtype),
    )


def _plackett_luce(scores: Tensor, group: EncodedGroup) -> Tensor:
    ranks = torch.tensor([[rank or 0 for rank in r.ranks] for r in group.rankings], device=scores.device)
    weights = torch.tensor([r.weight for r in group.rankings], device=scores.device, dtype=scores.dtype)
    return plackett_luce_loss(scores, ranks, weights)


LOSSES: dict[LossName, Callable[[Tensor, EncodedGroup], Tensor]] = {
    "pairwise": _pairwise,
    "plackett-luce": _plackett_luce,
}
"""Name → loss of one group from its scores (K,) in the order of ``group.kept``; the group must have pairs."""
