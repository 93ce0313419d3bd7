"""Settings of ``reward evaluate``."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Literal

from reward.config.common import Common, Device, need


@dataclass(frozen=True, kw_only=True)
class EvaluateConfig(Common):
    """Compare a reward model with people's rankings: metrics.json, report.html and plots.

    Attributes:
        model: Folder of the reward model.
        data: Rankings to judge it by: snapshot folders, group files (also .gz) or any format that import reads.
        out: Folder for metrics.json, report.html and plots/.
        split: Which groups to use: auto leaves out the prompts that the model was trained or tuned on, unless nothing
            else is there; all takes every group; train, valid and test are the splits as training makes them.
        against: Folder of a second reward model; both are compared on the same pairs.
        benchmark: The data are rows of this published benchmark; score them as its paper does, on all rows.
        cross_validate: annotators trains anew, with the settings of --model, on some people's rankings and measures
            agreement with the others, on prompts that were not trained on either.
        folds: How many times; every annotator is left out once. 5 unless given.
        learning_curve: Train anew on these shares of the training prompts, such as 0.125 0.25 0.5 1, and measure each.
        seed: Seed of the bootstrap behind the intervals, and of who is in which fold.
        device: Where models run; auto takes a GPU where there is one.
    """

    model: Path
    data: tuple[str, ...]
    out: Path
    split: Literal["auto", "all", "train", "valid", "test"] = "auto"
    against: Path | None = None
    benchmark: Literal["rewardbench2", "rm-bench"] | None = None
    cross_validate: Literal["annotators"] | None = None
    folds: int | None = None
    learning_curve: tuple[float, ...] = ()
    seed: int = 0
    device: Device = "auto"

    def __post_init__(self) -> None:
        need(bool(self.data), "--data", "at least one path", "nothing")
        need(self.folds is None or self.folds >= 2, "--folds", "at least 2", self.folds)
        if self.cross_validate is None:
            need(self.folds is None, "--folds", "together with --cross-validate annotators", "alone")
        shares = self.learning_curve
        need(all(0 < share <= 1 for share in shares), "--learning-curve", "shares above 0 and up to 1", shares)
        rises = all(a < b for a, b in pairwise(shares)) and len(shares) != 1
        need(rises, "--learning-curve", "at least two shares, in rising order", shares)
        if self.benchmark is not None:
            retrains = self.cross_validate is not None or bool(shares)
            need(
                not retrains,
                "--benchmark",
                "without --cross-validate and --learning-curve, which train on --data",
                "with",
            )
            need(
                self.split in ("auto", "all"), "--split", "left out with --benchmark, which takes all rows", self.split
            )
