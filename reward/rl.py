"""The mathematics of PPO on texts: pure tensor functions, shapes given, formulas sourced.

A batch of N completions of at most T tokens is held as (N, T) tensors, filled from the left; ``mask`` is True where
there is a token that the policy chose, its end token included. What concerns single tokens takes any shape, mostly (P,)
for the P tokens of a row. All logarithms are natural: KL and entropy are in nats.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Reduce = Callable[[Tensor], Tensor]
"""Sums a tensor over all processes; `alone` where there is one."""


def alone(total: Tensor) -> Tensor:
    """The sum over one process."""
    return total


def token_rewards(scores: Tensor, log_ratio: Tensor, mask: Tensor, beta: float) -> Tensor:
    """(N, T) reward of each token: −β log(π/π_ref) everywhere, and the completion's score at its last token.

    Ziegler et al. 2019 (arXiv 1909.08593), section 2.2, eq. 2, with the penalty paid where it arises; InstructGPT
    (arXiv 2203.02155), section 3.5, eq. 2.

    Args:
        scores: (N,) score of each completion.
        log_ratio: (N, T) log π − log π_ref of the chosen tokens.
        mask: (N, T) bool, at least one True a row.
        beta: β, per nat.
    """
    rewards = torch.where(mask, -beta * log_ratio, 0.0)
    rewards[torch.arange(len(scores), device=scores.device), mask.sum(dim=1) - 1] += scores
    return rewards


def gae(rewards: Tensor, values: Tensor, mask: Tensor, *, gamma: float, lam: float) -> tuple[Tensor, Tensor]:
    """Generalized advantage estimates and the returns that the value function learns.

    δ_t = r_t + γ V_{t+1} − V_t and A_t = Σ_k (γλ)^k δ_{t+k}, with V = 0 after the last token; returns are A + V
    (Schulman et al. 2015, arXiv 1506.02438, eq. 11 to 16).

    Args:
        rewards: (N, T).
        values: (N, T) V of the state before each token.
        mask: (N, T) bool.
        gamma, lam: γ and λ.

    Returns:
        Twice (N, T), 0 where there is no token.
    """
    values = torch.where(mask, values, 0.0)
    following = torch.cat([values[:, 1:], torch.zeros_like(values[:, :1])], dim=1)
    delta = torch.where(mask, rewards + gamma * following - values, 0.0)
    advantages = torch.zeros_like(delta)
    running = torch.zeros_like(delta[:, 0])
    for t in range(delta.shape[1] - 1, -1, -1):
        running = delta[:, t] + gamma * lam * running
        advantages[:, t] = running
    return advantages, advantages + values


def rewards_to_go(rewards: Tensor, mask: Tensor, gamma: float) -> Tensor:
    """(N, T) discounted sum of a completion's rewards (N, T) from each token on; 0 where there is no token."""
    return gae(rewards, torch.zeros_like(rewards), mask, gamma=gamma, lam=1.0)[0]


def line_of_best_fit(values: Tensor, goals: Tensor, reduce: Reduce = alone) -> tuple[float, float]:
    """Slope and intercept of the least-squares line from values (P,) to goals (P,), both over all processes.

    The slope is held at 0 where it would be negative: values that point the wrong way are not turned round.
    """
    x, y = values.double(), goals.double()
    sums = torch.stack([x.new_tensor(len(x)), x.sum(), y.sum(), x.square().sum(), (x * y).sum()])
    count, of_x, of_y, of_xx, of_xy = reduce(sums).tolist()
    spread = of_xx - of_x * of_x / count
    slope = max(0.0, (of_xy - of_x * of_y / count) / spread) if spread > 1e-12 * max(of_xx, 1.0) else 0.0
    return slope, (of_y - slope * of_x) / count


def fit_values(
    values: Tensor, goals: Tensor, mask: Tensor, siblings: int, reduce: Reduce = alone
) -> tuple[float, float]:
    """Slope and intercept that put values on the scale of goals, as they are used with `siblings_surplus`.

    With siblings only the changes of the values within a completion count, so the slope is fitted to these: it is the
    coefficient of a control variate, near 0 where the changes tell nothing. The intercept gives both the same mean.

    Args:
        values, goals: (N, T). mask: (N, T) bool.
        siblings: completions of one prompt, which stand side by side.
    """
    if siblings == 1:
        return line_of_best_fit(values[mask], goals[mask], reduce)
    others = siblings_surplus(goals[:, 0], torch.zeros_like(goals[:, 0]), siblings)
    slope, _ = line_of_best_fit((values - values[:, :1])[mask], (goals - others[:, None])[mask], reduce)
    _, intercept = line_of_best_fit(torch.zeros_like(values[mask]), goals[mask] - slope * values[mask], reduce)
    return slope, intercept


def siblings_surplus(goals: Tensor, values: Tensor, siblings: int) -> Tensor:
    """(N,) how much more than the value of their prompt the *other* completions of it came to, on average.

    Added to the values of a completion it makes a better baseline and leaves the policy gradient unbiased, since the
    others are drawn independently of it: the leave-one-out baseline of Kool et al. 2019 ("Buy 4 REINFORCE samples, get
    a baseline for free!") as a correction of the value function. 0 where a prompt has one completion.

    Args:
        goals: (N,) sum of the rewards of each completion.
        values: (N,) value of its prompt, before the first token.
        siblings: completions of one prompt, which stand side by side.
    """
    if siblings == 1:
        return torch.zeros_like(goals)
    surplus = (goals - values).view(-1, siblings)
    return ((surplus.sum(dim=1, keepdim=True) - surplus) / (siblings - 1)).flatten()


def whiten(values: Tensor, mask: Tensor, reduce: Reduce = alone) -> Tensor:
    """(N, T) values shifted and scaled to mean 0 and variance 1 over all tokens of all processes; 0 elsewhere."""
    inside = values[mask].double()
    count, total, square = reduce(torch.stack([inside.new_tensor(len(inside)), inside.sum(), inside.square().sum()]))
    mean = total / count
    deviation = (square / count - mean.square()).clamp(min=0).sqrt()
    return torch.where(mask, (values - mean) / (deviation + 1e-8), 0.0).to(values.dtype)


def clipped_surrogate(log_probs: Tensor, old: Tensor, advantages: Tensor, clip: float) -> Tensor:
    """Loss of each token: −min(ρ A, clip(ρ, 1 − ε, 1 + ε) A), ρ = π/π_old.

    Schulman et al. 2017 (arXiv 1707.06347), eq. 7.

    Args:
        log_probs: (P,) of the chosen tokens under the policy; carries the gradient.
        old: (P,) the same when they were drawn.
        advantages: (P,).
        clip: ε.
    """
    ratio = torch.exp(log_probs - old)
    return -torch.minimum(ratio * advantages, ratio.clamp(1 - clip, 1 + clip) * advantages)


def clipped(log_probs: Tensor, old: Tensor, advantages: Tensor, clip: float) -> Tensor:
    """(P,) bool, True where the clip holds the gradient back: π moved beyond it in the direction of the advantage."""
    ratio = torch.exp(log_probs - old)
    return torch.where(advantages > 0, ratio > 1 + clip, ratio < 1 - clip) & (advantages != 0)


def clipped_value_loss(values: Tensor, old: Tensor, returns: Tensor, clip: float) -> Tensor:
    """Loss of each state: ½ max((V − R)², (V_clip − R)²), V_clip at most ε away from the value at the rollout.

    The value clipping of OpenAI's baselines (`ppo2/model.py`), which lm-human-preferences and InstructGPT inherited.

    Args:
        values: (P,) carries the gradient.
        old, returns: (P,).
        clip: ε, in units of reward.
    """
    near = old + (values - old).clamp(-clip, clip)
    return 0.5 * torch.maximum((values - returns).square(), (near - returns).square())


def kl_estimates(log_ratio: Tensor) -> tuple[Tensor, Tensor]:
    """Two unbiased estimates of KL(π‖π_ref) at each token drawn from π, both of the shape of log π − log π_ref.

    k₁ = log π − log π_ref may be negative; k₃ = r − 1 − log r with r = π_ref/π never is, and varies less near the
    reference (Schulman 2020, Approximating KL Divergence, joschu.net/blog/kl-approx.html). Summed over the tokens of a
    completion they estimate the KL of whole completions.
    """
    return log_ratio, torch.expm1(-log_ratio) + log_ratio


def entropy(log_probs: Tensor) -> Tensor:
    """(…) entropy in nats of distributions given by their log-probabilities (…, V)."""
    return -(log_probs.exp() * log_probs).sum(dim=-1)


def explained_variance(values: Tensor, returns: Tensor) -> float:
    """1 − Var(R − V) / Var(R) over states (P,); 1 is perfect, 0 no better than a constant, NaN where R is constant."""
    spread = returns.var(unbiased=False)
    return float(1 - (returns - values).var(unbiased=False) / spread) if spread > 0 else float("nan")


def adapt(beta: float, kl: float, target: float, gain: float = 0.1) -> float:
    """β after a batch: β (1 + K e), e = (KL − target)/target held within ±0.2.

    Ziegler et al. 2019 (arXiv 1909.08593), section 2.2, with their K = 0.1.

    Args:
        beta: β so far.
        kl: of the batch, nats per completion. target: where it should be.
        gain: K.
    """
    return beta * (1 + gain * max(-0.2, min(0.2, kl / target - 1)))
