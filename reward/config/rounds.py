"""Settings of ``reward rounds``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from reward.config.common import DEFAULT_BASE, Common, Device, Precision, at_least_one, need
from reward.config.ppo import PpoConfig
from reward.config.select import Method, SelectConfig


@dataclass(frozen=True, kw_only=True)
class RoundsConfig(Common):
    """The whole cycle, round after round: sample, select, label, train, evaluate, improve the policy.

    Supervised fine-tuning on demonstrations comes first. In each round the newest policy writes completions, the ones
    most worth asking go into a labeling project, people rank them there (or simulated annotators do), a reward model
    is trained on all rankings so far, and a better policy is made with it. At the end all policies answer held-out
    prompts, and a reward model trained on other annotators' rankings compares them. Run again with the same --out after
    a kill, it goes on where it was.

    Attributes:
        out: Folder for everything; ledger.jsonl in it says what each part was made from.
        demonstrations: Prompts with ideal answers, for supervised fine-tuning; by default the sample data.
        prompts: Prompts to write for, in any format that generate reads; those of the split test (or without splits,
            a tenth) are held out for the comparison of policies. By default the prompts of the sample data.
        base: Base of policy and reward model: a local folder, smollm2-135m, or a name on the Hugging Face Hub.
        rounds: How many rounds.
        ask: Prompts to have ranked in each round.
        k: Completions of a prompt that are ranked.
        method: How the completions to ask about are selected from the second round on, as for reward select.
        improve: How the policy is improved: ppo against the reward model, or best-of-n, which fine-tunes on the best of
            n own answers.
        best_of: The n of best-of-n.
        max_new_tokens: A completion is cut after so many tokens.
        db: Labeling database; by default labels.db in --out.
        project: Labeling project in it; it is made if there is none of this name.
        overlap: How many people rank each prompt.
        judges: Annotators whose rankings train only the reward model that compares the policies at the end.
        simulate: Let simulated annotators rank instead of people. They share the taste of this reward model, each likes
            or dislikes length in their own way, and they make mistakes. The second half of them are the judges.
        annotators: How many are simulated.
        noise: Their mistakes: with a difference of 1 in the (normalised) reward, one is right with probability
            σ(1 / noise).
        length_taste: Standard deviation, over annotators, of what a unit of log length is worth to them.
        poll: Seconds between two looks at whether people are done.
        train_layers: Train only the last so many layers of the reward models, as for reward train.
        sft_epochs: Passes over the demonstrations.
        ppo_episodes: Completions that PPO learns from in each round; it starts from the fine-tuned policy each time.
        ppo_batch: Completions per iteration of PPO, learned from in two steps.
        ppo_samples_per_prompt: Completions of one prompt among them, which are held against each other.
        ppo_lr: Peak learning rate of PPO, for policy and value function.
        ppo_train_layers: PPO trains only the last so many layers; all where the policy has no more.
        ppo_lora: PPO trains adapters of this rank instead of the weights.
        lr: Peak learning rate of the reward models.
        seed: Of everything random.
        precision: Number format of matrix products in training; auto measures this machine once for the whole run.
        device: Where models run; auto takes a GPU where there is one.
    """

    out: Path
    demonstrations: tuple[str, ...] = ()
    prompts: str | None = None
    base: str = DEFAULT_BASE
    rounds: int = 2
    ask: int = 60
    k: int = 4
    method: Method = SelectConfig.method
    improve: Literal["ppo", "best-of-n"] = "ppo"
    best_of: int = 16
    max_new_tokens: int = 48
    db: str | None = None
    project: str = "rounds"
    overlap: int = 1
    judges: tuple[str, ...] = ()
    simulate: Path | None = None
    annotators: int = 4
    noise: float = 0.5
    length_taste: float = 0.2
    poll: float = 30.0
    train_layers: int | None = None
    sft_epochs: int = 3
    ppo_episodes: int = 1024
    ppo_batch: int = PpoConfig.batch
    ppo_samples_per_prompt: int = 8
    ppo_lr: float = 2e-3
    ppo_train_layers: int | None = 6
    ppo_lora: int | None = 4
    lr: float = 2e-5
    seed: int = 0
    precision: Precision = "auto"
    device: Device = "auto"

    def __post_init__(self) -> None:
        at_least_one(self, "rounds", "ask", "best_of", "max_new_tokens", "overlap", "train_layers")
        at_least_one(self, "sft_epochs", "ppo_episodes", "ppo_batch", "ppo_samples_per_prompt")
        at_least_one(self, "ppo_train_layers", "ppo_lora")
        need(self.k >= 2, "--k", "at least 2, to have something to rank", self.k)
        need(self.poll > 0, "--poll", "above 0", self.poll)
        need(self.lr > 0, "--lr", "above 0", self.lr)
        need(self.ppo_lr > 0, "--ppo-lr", "above 0", self.ppo_lr)
        need(0 <= self.noise < float("inf"), "--noise", "0 or more", self.noise)
        need(0 <= self.length_taste < float("inf"), "--length-taste", "0 or more", self.length_taste)
        if self.simulate is not None:
            need(self.annotators >= 2, "--annotators", "at least 2, one of them a judge", self.annotators)
            need(not self.judges, "--judges", "left out with --simulate, which names its own", self.judges)
