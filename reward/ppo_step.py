"""One batch of PPO: how it is laid out in rows, what the models say of it, and the gradients of a minibatch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from accelerate import Accelerator
from torch import Tensor

from labeler.errors import TrainingError
from reward import rl
from reward.actors import Actors
from reward.config.ppo import PpoConfig
from reward.data import EncodedGroup
from reward.packing import PackedRow
from reward.ppo_state import Row, State
from reward.ptx import Mix
from reward.rollouts import Batch, Drawing, Question, Rollout
from reward.tokens import Places, places, token_log_probs

TOLD = ("policy_loss", "value_loss", "clip_fraction", "moved", "ptx_loss", "gradient_norm", "value_gradient_norm")
"""What `descend` tells of a minibatch; ``moved`` is the KL between the policies of rollout and now, nats per token."""


@dataclass(frozen=True)
class Run:
    """What every step of a run needs.

    Attributes:
        practice, held_out: prompts to learn from, and to evaluate on.
        how: how completions are drawn.
        mix: texts of PPO-ptx.
    """

    config: PpoConfig
    actors: Actors
    practice: Sequence[Question]
    held_out: Sequence[Question]
    how: Drawing
    mix: Mix | None
    accelerator: Accelerator

    @property
    def ends(self) -> Tensor:
        """(E,) tokens that end a completion."""
        return torch.tensor(self.how.ends, device=self.accelerator.device)

    def total(self, values: Tensor) -> Tensor:
        """The sum over all processes."""
        summed: Tensor = self.accelerator.reduce(values, "sum")
        return summed


@dataclass(frozen=True, eq=False)
class Page:
    """A row of completions as policy and value function read it, and where its P tokens lie in the batch's tensors.

    Attributes:
        row, value_row: the same tokens; apart only where the frozen layers of the two models differ.
        at: the tokens.
        index: (P,) which of the batch's N completions each belongs to; its place within it is ``at.step``.
    """

    row: PackedRow
    value_row: PackedRow
    at: Places
    index: Tensor

    def pick(self, values: Tensor) -> Tensor:
        """(P,) what a tensor (N, T) of the batch says of the row's tokens."""
        return values[self.index, self.at.step]


@dataclass(frozen=True, eq=False)
class Reading:
    """What the models said of a batch when it was drawn: each (N, T) float32, 0 where there is no token."""

    log_probs: Tensor
    reference: Tensor
    values: Tensor
    entropy: Tensor


@dataclass(frozen=True, eq=False)
class Lesson:
    """What is to be learned from a batch: its reading, whitened advantages and returns (N, T)."""

    read: Reading
    advantages: Tensor
    returns: Tensor


def lay_out(run: Run, rollouts: Sequence[Rollout]) -> list[list[Page]]:
    """The rows of each minibatch of this process; completions of one prompt stay together."""
    encoded = [each.encoded(run.how.ends[0]) for each in rollouts]
    parts = run.config.batch // run.config.minibatch
    return [_pages(run, encoded, range(part, len(encoded), parts)) for part in range(parts)]


def _pages(run: Run, encoded: Sequence[EncodedGroup], inside: Sequence[int]) -> list[Page]:
    """The rows of the groups with these numbers."""
    policy, critic = run.actors.actor.reader, run.actors.critic.reader
    packer = critic if critic.mode == "padded" else policy  # whoever reads packed rows reads single sequences too
    pages = []
    for row in packer.rows([encoded[number] for number in inside], run.config.tokens_per_batch) if inside else ():
        at = places(row)
        numbers = [inside[group] * run.config.samples_per_prompt + k for group, k in row.owners]
        index = torch.tensor(numbers, device=at.tail.device)[at.tail]
        own = policy.with_states(row)
        pages.append(Page(own, own if run.actors.same_states else critic.with_states(row), at, index))
    return pages


def read_batch(run: Run, drawn: Batch, pages: Sequence[Page]) -> Reading:
    """Policy, reference and value function at every token, without gradients."""
    actors, ends, temperature = run.actors, run.ends, run.how.temperature
    found = torch.zeros(4, *drawn.mask.shape, device=drawn.mask.device)
    for page in pages:
        own, reference, entropy = actors.compared(page.row, page.at, ends, temperature)
        values = actors.values(page.value_row, page.at)
        found[:, page.index, page.at.step] = torch.stack([own, reference, values, entropy])
    return Reading(*found)


def teach(run: Run, drawn: Batch, read: Reading, beta: float, *, first: bool) -> Lesson:
    """What is to be learned from a batch with the penalty β.

    The reward model was only ever asked about whole completions. What it says of half a completion lies on no scale,
    and as a baseline is worse than none: there its values vary twice as much as the rewards, and tell nothing of them
    (reward/STUDY.md). So the value function that starts from it is fitted to the rewards of the ``first`` batch by a
    line, and in every batch it is corrected by the other completions of the prompt. Where there are others, it is left
    to say how a completion differs from what its prompt promised, and the line is fitted to that.
    """
    config, mask = run.config, drawn.mask
    paid = drawn.scores - config.missing_eos_penalty * ~drawn.finished
    rewards = rl.token_rewards(paid, read.log_probs - read.reference, mask, beta)
    to_go = rl.rewards_to_go(rewards, mask, config.gamma)
    if first:
        slope, intercept = rl.fit_values(read.values, to_go, mask, config.samples_per_prompt, run.total)
        run.actors.rescale_values(slope, intercept)
        read = replace(read, values=torch.where(mask, slope * read.values + intercept, 0.0))
    surplus = rl.siblings_surplus(to_go[:, 0], read.values[:, 0], config.samples_per_prompt)
    values = read.values + surplus[:, None]
    advantages, returns = rl.gae(rewards, values, mask, gamma=config.gamma, lam=config.lam)
    return Lesson(read, rl.whiten(advantages, mask, run.total), returns)


def descend(
    run: Run, pages: Sequence[Page], lesson: Lesson, texts: Sequence[EncodedGroup], optimizer: torch.optim.Optimizer
) -> Tensor:
    """One optimizer step on a minibatch and perhaps texts of PPO-ptx; returns `TOLD` (7,) over all processes.

    Raises:
        TrainingError: the gradient is no longer finite.
    """
    config, actors, accelerator = run.config, run.actors, run.accelerator
    sums = torch.zeros(5, dtype=torch.float64, device=accelerator.device)
    tokens = run.total(sums.new_tensor(sum(len(page.index) for page in pages)))
    for page in pages:
        old, advantages = page.pick(lesson.read.log_probs), page.pick(lesson.advantages)
        with accelerator.autocast():
            now = actors.log_probs(actors.actor, page.row, page.at, run.ends, run.how.temperature)
        losses = rl.clipped_surrogate(now, old, advantages, config.clip)
        accelerator.backward(losses.sum() / tokens)
        with accelerator.autocast():
            values = actors.values(page.value_row, page.at)
        errors = rl.clipped_value_loss(
            values, page.pick(lesson.read.values), page.pick(lesson.returns), config.value_clip
        )
        accelerator.backward(errors.sum() / tokens)
        with torch.no_grad():
            _, moved = rl.kl_estimates(old - now)
            held = rl.clipped(now, old, advantages, config.clip)
            sums[:4] += torch.stack([each.sum(dtype=torch.float64) for each in (losses, errors, held, moved)])
    sums[4] = tokens * language_model_loss(run, texts)
    told = run.total(sums) / tokens
    actors.gather()
    norms = [_clip(run, parameters["params"]) for parameters in optimizer.param_groups]
    optimizer.step()
    actors.spread()
    optimizer.zero_grad()
    return torch.cat([told, told.new_tensor(norms)])


def language_model_loss(run: Run, texts: Sequence[EncodedGroup]) -> float:
    """Add the gradient of γ times the mean negative log-likelihood of texts (PPO-ptx, InstructGPT, eq. 2).

    Returns:
        This process's share of the mean, in nats per token, without γ.
    """
    mine = texts[run.accelerator.process_index :: run.accelerator.num_processes]
    tokens = sum(len(tail) for text in texts for tail in text.tails)
    reader, loss = run.actors.actor.reader, 0.0
    for plain in reader.rows(mine, run.config.tokens_per_batch) if mine else ():
        with run.accelerator.autocast():
            row = reader.with_states(plain)
            at = places(row)
            states = run.actors.actor.states(row, at.read_at)
            log_probs = token_log_probs(run.actors.actor.head, states, at.ids, run.ends[:1])
        part = -log_probs.sum() / tokens
        run.accelerator.backward(run.config.ptx_coef * part)
        loss += float(part.detach())
    return loss


def measure(run: Run, drawn: Batch, lesson: Lesson, state: State) -> Row:
    """A batch's row of the curves: means over all processes, KL per completion, entropy per token."""
    read, mask = lesson.read, drawn.mask
    first, third = rl.kl_estimates(read.log_probs - read.reference)
    inside = mask.sum()
    sums = torch.stack(
        [
            each.sum(dtype=torch.float64)
            for each in (drawn.scores, drawn.finished, drawn.lengths, first[mask], third[mask], read.entropy[mask])
        ]
    )
    count = float(run.total(inside.new_tensor(len(mask)).double()))
    reward, finished, length, kl, kl3, entropy = run.total(sums).tolist()
    return {
        "kind": "batch",
        "iteration": state.iteration + 1,
        "reward": reward / count,
        "kl": kl / count,
        "kl3": kl3 / count,
        "entropy": entropy / length,
        "length": length / count,
        "finished": finished / count,
        "explained_variance": rl.explained_variance(read.values[mask], lesson.returns[mask]),
        "beta": state.beta,
    }


def _clip(run: Run, parameters: Sequence[torch.nn.Parameter]) -> float:
    """Sum the gradients of all processes and shorten them to the largest norm; returns the norm before."""
    with_gradient = [p for p in parameters if p.requires_grad]
    if run.accelerator.num_processes > 1:
        for parameter in with_gradient:
            gradient = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
            parameter.grad = run.total(gradient)
    norm = float(torch.nn.utils.clip_grad_norm_(with_gradient, run.config.grad_clip))
    if not math.isfinite(norm):
        raise TrainingError("the gradient is no longer finite; lower --lr or try --precision float32")
    return norm
