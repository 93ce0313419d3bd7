"""Settings of ``reward quickstart``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from reward.config.common import DEFAULT_BASE, Common, need


@dataclass(frozen=True, kw_only=True)
class QuickstartConfig(Common):
    """The whole cycle on the sample data: fetch the base, train, evaluate, sample, rerank; then says what to open.

    Attributes:
        out: Folder for everything that is made; run again with the same folder, it continues after the last whole step.
        base: Base of the reward model: smollm2-135m, minilm-l6, a local folder, or a name on the Hugging Face Hub.
        policy: What writes the outputs that are reranked; by default the base, or smollm2-135m for a base that cannot
            write.
        data: Rankings with a test split; by default the sample data that comes with the product.
        groups: Train on at most so many groups, to keep it short.
        prompts: Sample for so many held-out prompts.
        n: Candidates per prompt for best of n.
        temperature: Of the sampling; divides the logits.
        max_new_tokens: A candidate is cut after so many tokens.
        seed: Seed of training and sampling.
    """

    out: Path = Path("runs/quickstart")
    base: str = DEFAULT_BASE
    policy: str | None = None
    data: Path | None = None
    groups: int = 200
    prompts: int = 6
    n: int = 4
    temperature: float = 0.8
    max_new_tokens: int = 64
    seed: int = 0

    def __post_init__(self) -> None:
        for flag, value in (("groups", self.groups), ("prompts", self.prompts), ("n", self.n)):
            need(value >= 1, f"--{flag}", "at least 1", value)
        need(0 <= self.temperature < float("inf"), "--temperature", "0 or more", self.temperature)
        need(self.max_new_tokens >= 1, "--max-new-tokens", "at least 1", self.max_new_tokens)
