"""The mathematics of PPO against loops, closed forms, finite differences and simulation, all written independently."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import stats

from reward import rl


def ragged(seed: int = 0, n: int = 5, t: int = 7) -> tuple[torch.Tensor, np.random.Generator]:
    """A mask of completions with 1 to t tokens, and the generator that drew it."""
    rng = np.random.default_rng(seed)
    lengths = np.concatenate([[1, t], rng.integers(1, t + 1, n - 2)])
    return torch.from_numpy(np.arange(t)[None] < lengths[:, None]), rng


def tensor(rng: np.random.Generator, *shape: int) -> torch.Tensor:
    return torch.from_numpy(rng.normal(size=shape))


def test_rewards_charge_every_token_and_pay_the_last() -> None:
    mask, rng = ragged()
    scores, log_ratio = tensor(rng, 5), tensor(rng, 5, 7)
    found = rl.token_rewards(scores, log_ratio, mask, beta=0.3)
    for i in range(5):
        length = int(mask[i].sum())
        for t in range(7):
            expected = (
                0.0 if t >= length else -0.3 * float(log_ratio[i, t]) + (float(scores[i]) if t == length - 1 else 0)
            )
            assert found[i, t] == pytest.approx(expected)
    whole = scores - 0.3 * (log_ratio * mask).sum(1)
    torch.testing.assert_close(found.sum(1), whole)  # InstructGPT's objective of the completion as a whole


@pytest.mark.parametrize(("gamma", "lam"), [(1.0, 0.95), (0.9, 0.5), (1.0, 1.0), (0.97, 0.0)])
def test_advantages_are_the_sums_of_the_paper(gamma: float, lam: float) -> None:
    mask, rng = ragged()
    rewards, values = tensor(rng, 5, 7) * mask, tensor(rng, 5, 7)
    advantages, returns = rl.gae(rewards, values, mask, gamma=gamma, lam=lam)
    for i in range(5):
        length = int(mask[i].sum())
        r, v = rewards[i, :length].numpy(), np.append(values[i, :length].numpy(), 0.0)
        for t in range(length):
            steps = range(1, length - t + 1)
            # A^(k) = −V(s_t) + r_t + … + γ^(k−1) r_(t+k−1) + γ^k V(s_(t+k)), eq. 11 to 15 of the paper
            several = [-v[t] + sum(gamma**j * r[t + j] for j in range(k)) + gamma**k * v[t + k] for k in steps]
            weights = np.array([lam ** (k - 1) * (1 - lam) for k in steps])
            weights[-1] = lam ** (length - t - 1)  # all estimates beyond the end are the last one
            assert advantages[i, t] == pytest.approx(float(np.dot(weights, several)))
            assert returns[i, t] == pytest.approx(float(advantages[i, t] + v[t]))
        assert not advantages[i, length:].any()
        assert not returns[i, length:].any()


def test_values_behind_the_end_do_not_matter() -> None:
    mask, rng = ragged()
    rewards, values = tensor(rng, 5, 7) * mask, tensor(rng, 5, 7)
    expected = rl.gae(rewards, values, mask, gamma=0.9, lam=0.8)
    found = rl.gae(rewards, values.masked_fill(~mask, math.nan), mask, gamma=0.9, lam=0.8)
    torch.testing.assert_close(found, expected)


def test_rewards_to_go_are_discounted_sums() -> None:
    mask, rng = ragged()
    rewards = tensor(rng, 5, 7) * mask
    found = rl.rewards_to_go(rewards, mask, gamma=0.9)
    for i in range(5):
        for t in range(7):
            expected = sum(0.9 ** (k - t) * float(rewards[i, k]) for k in range(t, 7)) if mask[i, t] else 0.0
            assert found[i, t] == pytest.approx(expected)


def test_the_line_of_best_fit_is_that_of_scipy_over_all_processes() -> None:
    rng = np.random.default_rng(0)
    values = tensor(rng, 40)
    goals = 0.3 * values - 2 + tensor(rng, 40)
    expected = stats.linregress(values.numpy(), goals.numpy())
    assert rl.line_of_best_fit(values, goals) == pytest.approx((expected.slope, expected.intercept))
    sums: list[torch.Tensor] = []
    for part in (slice(0, 15), slice(15, 40)):
        rl.line_of_best_fit(values[part], goals[part], lambda own: sums.append(own) or own)
    assert rl.line_of_best_fit(values[:15], goals[:15], lambda _: sums[0] + sums[1]) == pytest.approx(
        (expected.slope, expected.intercept)
    )


@pytest.mark.parametrize("values", [torch.arange(10.0), torch.full((10,), 3.0)], ids=["opposite", "constant"])
def test_values_that_tell_nothing_right_become_the_mean(values: torch.Tensor) -> None:
    assert rl.line_of_best_fit(values, -torch.arange(10.0)) == pytest.approx((0.0, -4.5))


def test_values_beside_siblings_are_fitted_to_what_changes_within_a_completion() -> None:
    rng = np.random.default_rng(0)
    mask = torch.arange(6)[None] < torch.tensor(rng.integers(2, 7, size=40))[:, None]
    prompts = tensor(rng, 10, 1).repeat(1, 4).view(40, 1)
    inside = tensor(rng, 40, 6)
    inside[:, 0] = 0
    goals = (3 * prompts + tensor(rng, 40, 1)).expand(40, 6)
    slope, intercept = rl.fit_values(prompts + inside, goals, mask, siblings=4)
    others = np.array([np.delete(goals[i - i % 4 : i - i % 4 + 4, 0].numpy(), i % 4).mean() for i in range(40)])
    surprise = np.broadcast_to(goals.numpy() - others[:, None], (40, 6))
    expected = stats.linregress(inside[mask].numpy(), surprise[mask.numpy()])
    assert slope == pytest.approx(max(0.0, expected.slope))
    assert slope < 0.3  # although prompts alone would have given 3
    assert rl.line_of_best_fit((prompts + inside)[mask], goals[mask])[0] > 0.5
    assert float((slope * (prompts + inside) + intercept)[mask].mean()) == pytest.approx(float(goals[mask].mean()))


def test_siblings_surplus_leaves_the_completion_itself_out() -> None:
    goals, values = tensor(np.random.default_rng(0), 6), torch.tensor([1.0, 1, 1, 5, 5, 5])
    found = rl.siblings_surplus(goals, values, 3)
    for i, others in enumerate([(1, 2), (0, 2), (0, 1), (4, 5), (3, 5), (3, 4)]):
        assert found[i] == pytest.approx(float(np.mean([goals[j] - values[j] for j in others])))
    assert not rl.siblings_surplus(goals, values, 1).any()


def test_siblings_make_a_better_baseline_where_values_know_nothing_of_the_prompt() -> None:
    rng = np.random.default_rng(0)
    goals = (tensor(rng, 500, 1) + 0.5 * tensor(rng, 500, 4)).flatten()  # prompts differ more than completions do
    blind = torch.zeros(2000)
    left = (goals - rl.siblings_surplus(goals, blind, 4)).var()
    assert float(left) == pytest.approx(0.25 * 4 / 3, rel=0.1)  # σ² (1 + 1/(n − 1)), the prompt's own part is gone
    assert float(goals.var()) > 3 * float(left)


def test_whitening_over_tokens_and_over_processes() -> None:
    mask, rng = ragged()
    values = 3 + 2 * tensor(rng, 5, 7)
    found = rl.whiten(values, mask)
    np.testing.assert_allclose(found[mask].numpy(), stats.zscore(values[mask].numpy()), rtol=1e-6)
    assert not found[~mask].any()
    sums: list[torch.Tensor] = []
    for part in (slice(0, 2), slice(2, 5)):
        rl.whiten(values[part], mask[part], lambda own: sums.append(own) or own)
    parts = [rl.whiten(values[p], mask[p], lambda _: sums[0] + sums[1]) for p in (slice(0, 2), slice(2, 5))]
    torch.testing.assert_close(torch.cat(parts), found)


def test_the_surrogate_is_that_of_the_paper_by_cases() -> None:
    ratio, clip = np.array([0.5, 0.9, 1.0, 1.1, 1.5] * 2), 0.2
    advantages = np.array([2.0] * 5 + [-3.0] * 5)
    old = torch.full((10,), -1.5, dtype=torch.float64)
    now = (old + torch.from_numpy(np.log(ratio))).requires_grad_()
    losses = rl.clipped_surrogate(now, old, torch.from_numpy(advantages), clip)
    by_cases = [
        -min(r, 1 + clip) * a if a > 0 else -max(r, 1 - clip) * a for r, a in zip(ratio, advantages, strict=True)
    ]
    np.testing.assert_allclose(losses.detach().numpy(), by_cases)
    (gradient,) = torch.autograd.grad(losses.sum(), now)
    held = [r > 1 + clip if a > 0 else r < 1 - clip for r, a in zip(ratio, advantages, strict=True)]
    assert (
        [g == 0 for g in gradient.tolist()] == held == rl.clipped(now, old, torch.from_numpy(advantages), clip).tolist()
    )
    assert torch.autograd.gradcheck(lambda x: rl.clipped_surrogate(x, old, torch.from_numpy(advantages), clip), now)


def test_the_first_step_is_the_policy_gradient() -> None:
    """At π = π_old the gradient is that of −A log π, whatever the clip."""
    _, rng = ragged()
    logits = tensor(rng, 6, 4).requires_grad_()
    actions, advantages = torch.tensor([0, 1, 2, 3, 0, 1]), tensor(rng, 6)
    now = logits.log_softmax(-1)[torch.arange(6), actions]
    (found,) = torch.autograd.grad(
        rl.clipped_surrogate(now, now.detach(), advantages, 0.2).sum(), logits, retain_graph=True
    )
    expected = (logits.softmax(-1) - torch.nn.functional.one_hot(actions, 4)) * advantages[:, None]
    torch.testing.assert_close(found, expected)


def test_the_value_loss_takes_the_worse_of_two() -> None:
    values = torch.tensor([0.0, 0.5, 2.0, 2.0], dtype=torch.float64, requires_grad=True)
    old = torch.tensor([0.0, 0.0, 0.0, 3.0], dtype=torch.float64)
    returns = torch.tensor([1.0, 1.0, 1.0, 0.0], dtype=torch.float64)
    losses = rl.clipped_value_loss(values, old, returns, clip=0.2)
    near = [0.0, 0.2, 0.2, 2.8]
    expected = [
        0.5 * max((v - r) ** 2, (c - r) ** 2) for v, c, r in zip([0, 0.5, 2, 2], near, [1, 1, 1, 0], strict=True)
    ]
    np.testing.assert_allclose(losses.detach().numpy(), expected)
    (gradient,) = torch.autograd.grad(losses.sum(), values)
    np.testing.assert_allclose(gradient.numpy(), [-1.0, 0.0, 1.0, 0.0])  # no pull where the clipped value is the worse


def test_both_kl_estimates_have_the_exact_mean_and_k3_less_variance() -> None:
    rng = np.random.default_rng(1)
    p, q = rng.dirichlet(np.full(6, 5.0)), rng.dirichlet(np.full(6, 5.0))
    log_ratio = torch.from_numpy(np.log(p) - np.log(q))
    first, third = (each.numpy() for each in rl.kl_estimates(log_ratio))
    exact = stats.entropy(p, q)
    assert np.dot(p, first) == pytest.approx(exact)
    assert np.dot(p, third) == pytest.approx(exact)
    assert (third >= 0).all()
    assert np.dot(p, third**2) < np.dot(p, first**2)


def test_entropy_is_scipys() -> None:
    logits = torch.from_numpy(np.random.default_rng(0).normal(size=(3, 2, 9)) * 4)
    np.testing.assert_allclose(
        rl.entropy(logits.log_softmax(-1)).numpy(), stats.entropy(logits.softmax(-1).numpy(), axis=-1)
    )


def test_explained_variance() -> None:
    returns = torch.tensor([1.0, 2.0, 3.0, 4.0])
    assert rl.explained_variance(returns + 5, returns) == pytest.approx(1)  # an offset is no variance
    assert rl.explained_variance(torch.zeros(4), returns) == pytest.approx(0)
    assert rl.explained_variance(-returns, returns) == pytest.approx(-3)
    assert math.isnan(rl.explained_variance(returns, torch.ones(4)))


@pytest.mark.parametrize(("kl", "factor"), [(6.0, 1.0), (6.6, 1.01), (60.0, 1.02), (0.0, 0.98), (5.4, 0.99)])
def test_beta_moves_by_at_most_two_percent_towards_the_target(kl: float, factor: float) -> None:
    assert rl.adapt(0.1, kl, target=6.0) == pytest.approx(0.1 * factor)


def test_beta_settles_where_the_kl_is_the_target() -> None:
    """A policy whose KL is 2/β, as in a Gaussian with linear reward up to scale, ends at the target."""
    beta = 0.02
    for _ in range(2000):
        beta = rl.adapt(beta, kl=2 / beta, target=8.0)
    assert beta == pytest.approx(0.25, rel=1e-3)
