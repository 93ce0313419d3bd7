"""Settings of ``reward ppo`` and ``reward overopt``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from reward.config.common import Common, Device, Precision, at_least_one, local_policy, need


@dataclass(frozen=True, kw_only=True)
class PpoConfig(Common):
    """Improve a policy against a reward model by PPO; the result is a plain causal language model folder.

    Numbers marked C.4 are InstructGPT's (arXiv 2203.02155, appendix C.4). Others differ because the defaults here are
    meant for a model of 135M parameters and two CPU cores.

    Attributes:
        policy: The policy to start from, normally made by reward sft: a folder, smollm2-135m, or a name on the Hub. It
            is also the reference of the KL penalty.
        reward: Folder of the reward model. Its mean and std normalise the reward.
        prompts: Prompts to practise on: group files, rows of id and prompt, or a .txt with a prompt a line. Those
            marked with the split test are never used.
        out: Folder for the policy, ppo.json, curves.jsonl, samples.jsonl and report.html. While it runs, checkpoints
            lie beside it.
        valid: Held-out prompts for the evaluation; by default those marked valid, or a tenth by hash.
        episodes: Completions to learn from in all. C.4 has 256,000.
        minutes: Stop after so many minutes, however many episodes that were.
        batch: Completions per iteration. C.4 has 512, which would take a quarter of an hour each on two cores.
        minibatch: Completions per optimizer step. C.4 has 64.
        samples_per_prompt: Completions of one prompt in a batch; the prompt is then read once for all of them, and each
            of them is measured against the others.
        inner_epochs: Passes over a batch (C.4).
        max_new_tokens: A completion is cut after so many tokens; short ones are what makes this feasible on a CPU.
        temperature: Of the rollouts (C.4).
        lr: Peak learning rate of the policy; constant after ten iterations of warm-up from a tenth of it (C.4).
            InstructGPT names no rate of its policies: it tried 2.55e-6 to 2.55e-5, and without other texts mixed in
            all above 8.05e-6 diverged (E.9), with ten times as large models in 500 iterations. Short runs need more.
        value_lr: The same for the value function. C.4 has 9e-6 for its models of 1.3B and 6B.
        train_layers: Train only the last so many layers of policy and value function. What the layers below make of a
            batch is computed once for policy, reference and all passes, and the frozen weights are held once.
        lora: Train adapters of this rank instead of the weights. Policy and reference then share one backbone, and so
            do value function and reward model; all four share it where the reward model was trained from this policy
            by adapters, which is tried. With --train-layers those layers alone change, each model for itself.
        kl_coef: β, weight of the KL penalty per token against the reference (C.4).
        kl_target: Nats per completion that β is adapted to reach (Ziegler et al. 2019, section 2.2); else β is fixed.
        max_kl: Stop when a batch is so many nats per completion away from the reference; 0 never.
        missing_eos_penalty: Taken from the score, in its standard deviations, of a completion that did not end.
        clip: Of the probability ratio (C.4).
        value_clip: The value function may move so far from the rollout's in one batch, in units of the score.
        gamma: Discount; none in C.4.
        lam: λ of the generalized advantage estimate (lm-human-preferences, whose code this recipe comes from).
        grad_clip: Largest norm of the gradient, of policy and value function each.
        ptx_data: Demonstrations or a .txt with a document a line, mixed in to keep what the policy knew (PPO-ptx).
        ptx_coef: Weight of their gradient (C.4).
        ptx_batch: Such examples per optimizer step. C.4 has eight per episode, more than the rest of the step costs.
        ema: Decay per iteration of the moving average of the policy's weights (C.4), less in the first iterations.
        save: Save the moving average, as InstructGPT did, or the last weights.
        evaluate_every: Evaluate on held-out prompts after so many iterations, and at start and end.
        evaluate_prompts: Held-out prompts to evaluate on, at most.
        evaluate_samples: Completions per held-out prompt.
        checkpoint_every: Save the state after so many iterations.
        tokens_per_batch: Tokens that a model reads at once; bounds memory, changes no result.
        seed: Of prompts, completions and minibatches.
        precision: Number format of matrix products and of sampling; auto measures this machine.
        device: Where to run; auto takes a GPU where there is one.
        resume: Continue an unfinished run of the same settings after its last checkpoint; none there starts from anew.
        overwrite: Replace what stands in --out, and forget an unfinished run.
    """

    policy: str
    reward: Path
    prompts: str
    out: Path
    valid: str | None = None
    episodes: int = 4096
    minutes: float | None = None
    batch: int = 64
    minibatch: int = 32
    samples_per_prompt: int = 4
    inner_epochs: int = 1
    max_new_tokens: int = 48
    temperature: float = 1.0
    lr: float = 3e-5
    value_lr: float = 3e-5
    train_layers: int | None = None
    lora: int | None = None
    kl_coef: float = 0.02
    kl_target: float | None = None
    max_kl: float = 0.0
    missing_eos_penalty: float = 0.0
    clip: float = 0.2
    value_clip: float = 0.2
    gamma: float = 1.0
    lam: float = 0.95
    grad_clip: float = 1.0
    ptx_data: str | None = None
    ptx_coef: float = 27.8
    ptx_batch: int = 4
    ema: float = 0.992
    save: Literal["ema", "last"] = "ema"
    evaluate_every: int = 10
    evaluate_prompts: int = 32
    evaluate_samples: int = 4
    checkpoint_every: int = 10
    tokens_per_batch: int = 2048
    seed: int = 0
    precision: Precision = "auto"
    device: Device = "auto"
    resume: bool = False
    overwrite: bool = False

    def __post_init__(self) -> None:
        local_policy(self.policy)
        at_least_one(
            self, "episodes", "batch", "minibatch", "samples_per_prompt", "inner_epochs", "max_new_tokens", "lora"
        )
        at_least_one(self, "train_layers", "ptx_batch", "evaluate_every", "evaluate_prompts", "evaluate_samples")
        at_least_one(self, "checkpoint_every", "tokens_per_batch")
        for flag in ("lr", "value_lr", "temperature", "clip", "value_clip", "grad_clip", "minutes", "kl_target"):
            value = getattr(self, flag)
            need(value is None or 0 < value < float("inf"), f"--{flag.replace('_', '-')}", "above 0", value)
        for flag in ("kl_coef", "max_kl", "missing_eos_penalty", "ptx_coef"):
            need(
                0 <= getattr(self, flag) < float("inf"), f"--{flag.replace('_', '-')}", "0 or more", getattr(self, flag)
            )
        for flag in ("gamma", "lam"):
            need(0 <= getattr(self, flag) <= 1, f"--{flag}", "between 0 and 1", getattr(self, flag))
        need(0 <= self.ema < 1, "--ema", "at least 0 and below 1", self.ema)
        whole = self.batch % self.minibatch == 0 and self.minibatch % self.samples_per_prompt == 0
        need(
            whole, "--batch", "a multiple of --minibatch, and that one of --samples-per-prompt",
            f"{self.batch}, {self.minibatch} and {self.samples_per_prompt}",
        )  # fmt: skip
        need(not (self.resume and self.overwrite), "--resume", "without --overwrite, which starts from anew", "with it")


@dataclass(frozen=True, kw_only=True)
class OveroptConfig(Common):
    """Set PPO beside best of n, by the reward model that both optimised (proxy) and by one that neither saw (gold).

    Draws completions of the held-out prompts from the policy that PPO started from, and scores them and PPO's held-out
    samples with both reward models. Warns where the gold reward no longer follows the proxy.

    Attributes:
        run: Folder that reward ppo wrote.
        gold: Folder of a reward model that training never saw, best trained on other people's labels.
        out: Folder for overopt.json, report.html, gain.svg and the completions.
        n: Completions per prompt to draw from the start; best of 1, 2, 3, … up to so many is estimated from them.
        seed: Of these completions and the intervals.
        precision: Number format of the policy's weights; auto takes bfloat16 where this machine computes faster in it.
        device: Where models run; auto takes a GPU where there is one.
    """

    run: Path
    gold: Path
    out: Path
    n: int = 16
    seed: int = 0
    precision: Precision = "auto"
    device: Device = "auto"

    def __post_init__(self) -> None:
        need(self.n >= 2, "--n", "at least 2", self.n)
