"""Losses that turn people's rankings into gradients: pure tensor functions, shapes given, formulas sourced."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid, softplus

from reward.data import EncodedGroup
from reward.labels import LossName


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


def bradley_terry(gap: Tensor) -> Tensor:
    """Log P of a win, of a tie (impossible, −∞) and of a loss: σ(Δ), 0, σ(−Δ) (Bradley & Terry 1952).

    Args:
        gap: (J,) Δ = r_first − r_second.

    Returns:
        (3, J): rows are first wins, tie, second wins.
    """
    return torch.stack([logsigmoid(gap), torch.full_like(gap, -torch.inf), logsigmoid(-gap)])


def rao_kupper(gap: Tensor, threshold: Tensor) -> Tensor:
    """Log P of a win, of a tie and of a loss where gaps under a threshold θ are not noticed.

    P(win) = σ(Δ − θ), P(loss) = σ(−Δ − θ) (Rao & Kupper 1967, Ties in Paired-Comparison Experiments, eq. 2.1 with
    their θ as exp θ here); what is left, P(tie) = (1 − e^(−2θ)) σ(θ − Δ) σ(θ + Δ), is written without a difference of
    near-equal numbers.

    Args:
        gap: (J,) Δ = r_first − r_second.
        threshold: scalar θ > 0.

    Returns:
        (3, J): rows are first wins, tie, second wins.
    """
    tie = torch.log(-torch.expm1(-2 * threshold)) + logsigmoid(threshold - gap) + logsigmoid(threshold + gap)
    return torch.stack([logsigmoid(gap - threshold), tie, logsigmoid(-gap - threshold)])


def davidson(gap: Tensor, prevalence: Tensor) -> Tensor:
    """Log P of a win, of a tie and of a loss in proportion to π_first, ν √(π_first π_second) and π_second, π = eʳ.

    Davidson 1970, On Extending the Bradley–Terry Model to Accommodate Ties, eq. 2.3.

    Args:
        gap: (J,) Δ = r_first − r_second.
        prevalence: scalar ν > 0; equal completions tie with probability ν / (2 + ν).

    Returns:
        (3, J): rows are first wins, tie, second wins.
    """
    return torch.log_softmax(torch.stack([gap / 2, torch.log(prevalence).expand_as(gap), -gap / 2]), dim=0)


def crowd_bt(said: Tensor, opposite: Tensor, reliability: Tensor) -> Tensor:
    """Log P of judgments of people who now and then, or mostly, say the opposite of what they should.

    P = η P(verdict) + (1 − η) P(opposite verdict) (Chen et al. 2013, Pairwise Ranking Aggregation in a Crowdsourced
    Setting, eq. 4). η = 1 is Bradley–Terry, ½ tells nothing, 0 is always wrong.

    Args:
        said: (J,) log P of what was said, were the person reliable.
        opposite: (J,) log P of the opposite; of a tie that is the tie itself.
        reliability: (J,) η strictly between 0 and 1, of the person behind each judgment.
    """
    return torch.logaddexp(torch.log(reliability) + said, torch.log1p(-reliability) + opposite)


def centring_loss(scores: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """Mean over pairs of (r_i + r_j)², which pulls scores to lie around 0 (Eisenstein et al. 2023, arXiv 2312.09244).

    Only differences of scores enter the other losses; this settles the rest. TRL's ``center_rewards_coefficient``
    multiplies the same term.

    Args:
        scores: (K,) raw scores of a group.
        first, second: (P,) int64 indices of the pairs.
    """
    return (scores[first] + scores[second]).square().mean()


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
