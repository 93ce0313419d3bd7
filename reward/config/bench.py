"""Settings of ``reward bench``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import arg, subcommand

from reward.config.common import DEFAULT_BASE, Common, Device, Precision, at_least_one, need
from reward.config.studies import BenchAccuracyConfig, BenchLabelsConfig
from reward.config.train import TrainConfig


@dataclass(frozen=True, kw_only=True)
class BenchTrainConfig(Common):
    """Train one epoch on the same groups here and in TRL, in turns, and compare time, memory and use of the machine.

    Timed are the steps of the epoch (forward, backward, optimizer), after a warm-up; on neither side loading and
    tokenizing. TRL gets every decided pair of each group. The last line of the output is JSON.

    Attributes:
        against: The peer. TRL's RewardTrainer, unmodified; it comes with the extra "bench".
        data: Rankings, as for reward train; the training split is used.
        base: Base model of both sides: a local folder, smollm2-135m, or a name on the Hugging Face Hub.
        groups: Draw so many of the training groups with a decided pair; by default all of them.
        repeats: Time each side so often, in turns; medians are compared.
        batch: Groups per optimizer step; the peer accumulates gradients to make as nearly as many steps.
        tokens_per_batch: Tokens that this product reads at once, as for reward train.
        max_length: Longest sequence of both sides; nothing may be longer, or the command refuses.
        precision: Number format of matrix products on both sides; auto measures this machine.
        device: Where both sides run; auto takes a GPU where there is one.
        peer_batch: Pairs that the peer reads at once; auto tries 1, 2, 4, … on a few pairs and takes the fastest.
        peer_pairs: Let the peer train on so many random pairs only, and scale its time to all pairs by their tokens.
        seed: Of the choice of groups and pairs, the head and the order.
    """

    against: Literal["trl"]
    data: tuple[str, ...]
    base: str = DEFAULT_BASE
    groups: int | None = None
    repeats: int = 3
    batch: int = TrainConfig.batch
    tokens_per_batch: int = TrainConfig.tokens_per_batch
    max_length: int | None = None
    precision: Precision = "auto"
    device: Device = "auto"
    peer_batch: int | Literal["auto"] = "auto"
    peer_pairs: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        need(bool(self.data), "--data", "at least one path", "nothing")
        at_least_one(self, "groups", "repeats", "batch", "tokens_per_batch", "max_length", "peer_batch", "peer_pairs")


@dataclass(frozen=True, kw_only=True)
class BenchScoreConfig(Common):
    """Score every completion here and with stock transformers, in turns, and compare time, memory and the scores.

    Timed is the way from text to score, tokenizing included, after a warm-up. The last line of the output is JSON.

    Attributes:
        against: The peer. AutoModelForSequenceClassification on padded batches of texts of about the same length.
        data: Groups with completions, in any format that import reads.
        model: Folder of a reward model; by default the base with an untrained head, which is as fast.
        base: Base model where no reward model is given.
        groups: Score only the first so many groups.
        repeats: Time each side so often, in turns; medians are compared.
        max_length: Longest sequence, where no reward model is given; nothing may be longer, or the command refuses.
        precision: Number format of the weights on both sides; auto measures this machine.
        device: Where both sides run; auto takes a GPU where there is one.
        peer_batch: Texts that the peer reads at once; auto tries 1, 2, 4, … on a few texts and takes the fastest.
        seed: Of the untrained head and the texts that are tried.
    """

    against: Literal["transformers"]
    data: tuple[str, ...]
    model: Path | None = None
    base: str = DEFAULT_BASE
    groups: int | None = None
    repeats: int = 3
    max_length: int | None = None
    precision: Precision = "auto"
    device: Device = "auto"
    peer_batch: int | Literal["auto"] = "auto"
    seed: int = 0

    def __post_init__(self) -> None:
        need(bool(self.data), "--data", "at least one path", "nothing")
        at_least_one(self, "groups", "repeats", "max_length", "peer_batch")


@dataclass(frozen=True, kw_only=True)
class BenchCostConfig(Common):
    """Time forward and backward of one made-up group as it grows: with its completions, and with its prompt.

    Prints a table with the straight line through each curve; the last line of the output is JSON.

    Attributes:
        base: Base model: a local folder, smollm2-135m, or a name on the Hugging Face Hub.
        completions: Numbers of completions to time, all of the same prompt.
        prompt_lengths: Lengths of the prompt to time, in tokens, with a few completions.
        prompt: Tokens of the prompt while the number of completions grows.
        prompt_completions: Completions while the prompt grows.
        length: Tokens of a completion.
        repeats: Time each shape so often after a warm-up; the median counts.
        tokens_per_batch: Tokens that the model reads at once; by default the whole group, as much memory as it takes.
        precision: Number format of matrix products; auto measures this machine.
        device: Where to run; auto takes a GPU where there is one.
        out: Folder for a plot of both curves, cost.png.
        seed: Of the token ids.
    """

    base: str = DEFAULT_BASE
    completions: tuple[int, ...] = (2, 4, 8, 16, 32, 64)
    prompt_lengths: tuple[int, ...] = (128, 256, 512, 1024, 2048, 4096)
    prompt: int = 128
    prompt_completions: int = 4
    length: int = 128
    repeats: int = 3
    tokens_per_batch: int | None = None
    precision: Precision = "auto"
    device: Device = "auto"
    out: Path | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        at_least_one(self, "prompt", "length", "repeats", "tokens_per_batch")
        need(self.prompt_completions >= 2, "--prompt-completions", "at least 2", self.prompt_completions)
        for flag, least in (("completions", 2), ("prompt_lengths", 1)):
            values = getattr(self, flag)
            name = f"--{flag.replace('_', '-')}"
            need(len(set(values)) >= 2, name, "at least two different numbers, for a line", values)
            need(min(values) >= least, name, f"at least {least} each", values)


@dataclass(frozen=True, kw_only=True)
class BenchGenerateConfig(Common):
    """Sample one prompt several times here and with stock transformers, in turns, and compare the tokens per second.

    Both write exactly as many tokens; timed is the way from token ids to token ids. Processor time, on which other
    programs have less sway, stands beside wall time. The last line of the output is JSON.

    Attributes:
        against: The peer. generate of transformers with num_return_sequences.
        policy: A local folder, smollm2-135m, or a name on the Hugging Face Hub.
        n: Samples of the prompt.
        prompt: Tokens of the prompt, which is made up.
        max_new_tokens: Tokens of each sample.
        repeats: Time each side so often, in turns; medians are compared.
        precision: Number format of the weights on both sides; with auto the peer takes the one that it is faster in.
        device: Where both sides run; auto takes a GPU where there is one.
        seed: Of the prompt and the samples.
    """

    against: Literal["transformers"]
    policy: str = DEFAULT_BASE
    n: int = 16
    prompt: int = 128
    max_new_tokens: int = 128
    repeats: int = 3
    precision: Precision = "auto"
    device: Device = "auto"
    seed: int = 0

    def __post_init__(self) -> None:
        at_least_one(self, "n", "prompt", "max_new_tokens", "repeats")


@dataclass(frozen=True, kw_only=True)
class BenchSelectConfig(Common):
    """Simulate labeling in rounds on sets whose labels are known, and count the labels that each method needs.

    A linear head over frozen features learns from single votes, drawn where several people judged a pair. Prints a
    table; the last line of the output is JSON.

    Attributes:
        data: Sets of rankings, each a study of its own.
        base: Base model of the features: a local folder, minilm-l6, smollm2-135m, or a name on the Hugging Face Hub.
        layers: Take the features after so many layers of a decoder, which is faster; by default after the last.
        seeds: Number of repetitions, each with its own test, votes and first labels.
        cache: Folder that keeps the features, which are slow to compute; they belong to data and base.
        device: Where the base model runs; auto takes a GPU where there is one.
    """

    data: tuple[str, ...]
    base: str = "minilm-l6"
    layers: int | None = None
    seeds: int = 10
    cache: Path | None = None
    device: Device = "auto"

    def __post_init__(self) -> None:
        need(bool(self.data), "--data", "at least one path", "nothing")
        need(self.seeds >= 2, "--seeds", "at least 2, for an interval", self.seeds)
        at_least_one(self, "layers")


@dataclass(frozen=True)
class BenchConfig:
    """Measure speed and accuracy, side by side with a peer or alone, and what labels and choosing them bring.

    Attributes:
        what: What to measure.
    """

    what: Annotated[
        Annotated[BenchTrainConfig, subcommand("train")]
        | Annotated[BenchScoreConfig, subcommand("score")]
        | Annotated[BenchGenerateConfig, subcommand("generate")]
        | Annotated[BenchCostConfig, subcommand("cost")]
        | Annotated[BenchSelectConfig, subcommand("select")]
        | Annotated[BenchAccuracyConfig, subcommand("accuracy")]
        | Annotated[BenchLabelsConfig, subcommand("labels")],
        arg(name=""),
    ]
