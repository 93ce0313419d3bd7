"""Settings of ``reward select``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from reward.config.common import Common, Device, at_least_one, need

Method = Literal["random", "margin", "disagreement", "fisher", "fisher-diverse", "variance"]
METHODS: tuple[Method, ...] = get_args(Method)


@dataclass(frozen=True, kw_only=True)
class SelectConfig(Common):
    """Choose what people should judge next, so that few judgments teach the reward model much.

    Groups that nobody has ranked are the pool. The output is a group file with meta.select and meta.priority, for
    labeler import or labeler prioritize.

    Attributes:
        model: Folder of the reward model as it is now.
        data: Groups: snapshot folders, group files (also .gz) or any format that import reads.
        budget: How many groups, or pairs with --unit pair, people will be asked to judge.
        output: File for the chosen groups, the most urgent first.
        method: variance takes what makes the model surest about the whole pool, fisher what is most informative
            together (D-optimal design on the last layer), fisher-diverse also spreads that over different prompts,
            disagreement takes where heads drawn from the posterior differ, margin where scores are closest, random none
            of these, which serves a model that is hardly better than chance best. What each is worth is in
            reward/STUDY.md.
        random: Share of the budget that is drawn at random whatever the method, and marked so, which keeps an unbiased
            estimate of accuracy possible.
        unit: group asks for a ranking of all completions of a prompt; pair for single comparisons within groups.
        embedder: Model whose embeddings tell similar prompts, for fisher-diverse.
        seed: Of the random choices.
        device: Where models run; auto takes a GPU where there is one.
    """

    model: Path
    data: tuple[str, ...]
    budget: int
    output: Path
    method: Method = "fisher-diverse"
    random: float = 0.2
    unit: Literal["group", "pair"] = "group"
    embedder: str = "minilm-l6"
    seed: int = 0
    device: Device = "auto"

    def __post_init__(self) -> None:
        need(bool(self.data), "--data", "at least one path", "nothing")
        at_least_one(self, "budget")
        need(0 <= self.random <= 1, "--random", "from 0 to 1", self.random)
