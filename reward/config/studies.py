"""Settings of ``reward bench accuracy`` and ``reward bench labels``, which train many times."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from reward.config.common import DEFAULT_BASE, Common, Device, Precision, at_least_one, need
from reward.config.train import TrainConfig


@dataclass(frozen=True, kw_only=True)
class Repeated(Common):
    """Settings of the commands that train several times and measure every training on the same held-out prompts.

    Attributes:
        data: Rankings, as for reward train.
        out: Folder in which every training leaves its scores once it is done; the same command goes on from there.
        base: Base model: a local folder, smollm2-135m, or a name on the Hugging Face Hub.
        seeds: Train so often, with the seeds 0, 1, 2, …
        groups: Draw so many of the training groups; by default all of them.
        test_groups: Draw so many of the groups to measure on; by default all of them.
        test_share: Hold out this share of the prompts, drawn at random; by default the test split of the data.
        draw: Another number draws other prompts and groups; they are the same for every training.
        epochs: Passes over the training groups.
        lr: Peak learning rate.
        batch: Groups per optimizer step.
        tokens_per_batch: Tokens that this product reads at once, as for reward train.
        max_length: Longest sequence, as for reward train; groups with a longer one are left out, and counted.
        precision: Number format of matrix products in training; auto measures this machine.
        device: Where to train; auto takes a GPU where there is one.
    """

    data: tuple[str, ...]
    out: Path
    base: str = DEFAULT_BASE
    seeds: int = 5
    groups: int | None = None
    test_groups: int | None = None
    test_share: float | None = None
    draw: int = 0
    epochs: int = TrainConfig.epochs
    lr: float = TrainConfig.lr
    batch: int = TrainConfig.batch
    tokens_per_batch: int = TrainConfig.tokens_per_batch
    max_length: int | None = None
    precision: Precision = "auto"
    device: Device = "auto"

    def __post_init__(self) -> None:
        need(bool(self.data), "--data", "at least one path", "nothing")
        at_least_one(self, "seeds", "groups", "test_groups", "epochs", "batch", "tokens_per_batch", "max_length")
        need(self.test_share is None or 0 < self.test_share < 1, "--test-share", "between 0 and 1", self.test_share)
        need(0 < self.lr < float("inf"), "--lr", "above 0", self.lr)


@dataclass(frozen=True, kw_only=True)
class BenchAccuracyConfig(Repeated):
    """Train on the same groups here and in TRL, seed by seed, and compare the accuracy on the same held-out prompts.

    Equal on both sides: the base in float32 weights, the first weights of the head, the groups and their token ids,
    epochs, AdamW with its settings, peak learning rate, warm-up, clipping, number format, as nearly as can be the
    number of optimizer steps; and the held-out pairs, which one scorer reads in float32.

    Not equal, since TRL has it otherwise: it gets every decided pair as chosen and rejected, here the target is the
    share of the votes; it shuffles pairs, here groups are shuffled and weigh the same whatever their number of pairs;
    its cosine is one step further along; its head computes in the number format of the rest, here in float32.

    The last line of the output is JSON.

    Attributes:
        against: The peer. TRL's RewardTrainer, unmodified; it comes with the extra "bench".
        peer_batch: Pairs that the peer reads at once; gradients are accumulated up to its optimizer step.
    """

    against: Literal["trl"]
    peer_batch: int = 2

    def __post_init__(self) -> None:
        Repeated.__post_init__(self)
        at_least_one(self, "peer_batch")


@dataclass(frozen=True, kw_only=True)
class BenchLabelsConfig(Repeated):
    """Train the last layers with every way of using labels, and compare each with the defaults on held-out prompts.

    Every source of the data is a set of its own. What the lower layers make of a group is computed once and kept in the
    cache folder. A way that changes nothing on a set, such as ties where there are none, is left out there. Log losses
    are those after the temperature, fitted to a tenth of the prompts that neither train nor test. Prints a table, also
    in OUT/labels.md and OUT/labels.jsonl; the last line of the output is JSON.

    Attributes:
        train_layers: Train only the last so many layers and the head.
        only: Try only these, by their names in the table; by default all.
    """

    lr: float = 3e-4
    train_layers: int = 2
    only: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        Repeated.__post_init__(self)
        at_least_one(self, "train_layers")
