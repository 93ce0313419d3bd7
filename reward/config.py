"""Every command's settings: one frozen dataclass each, checked when it is built; the command line is made from them.

The text under ``Attributes:`` is the help of the flag, so nothing is said twice. No torch in here: ``reward --help``
must be fast.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import arg, subcommand

from labeler.errors import UsageError
from reward.labels import Labels

Device = Literal["auto", "cpu", "cuda", "mps"]
Precision = Literal["auto", "float32", "bfloat16"]
DEFAULT_BASE = "smollm2-135m"


def need(condition: bool, flag: str, rule: str, value: object) -> None:
    """Raise `UsageError` naming the flag and its rule unless the condition holds."""
    if not condition:
        raise UsageError(f"{flag} must be {rule}, not {value}")


@dataclass(frozen=True, kw_only=True)
class Common:
    """Settings of every command.

    Attributes:
        progress: Append progress to this file as JSON lines, for programs that watch.
        debug: Show the Python traceback of an error.
    """

    progress: Path | None = None
    debug: bool = False


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How completions are drawn from a policy.

    Attributes:
        temperature: Divides the logits before sampling; 0 takes the most likely token.
        top_p: Sample from the likeliest tokens that together have this probability (nucleus sampling).
        max_new_tokens: A completion is cut after so many tokens.
        seed: Another seed draws other completions; the same seed draws the same ones.
        precision: Number format of the policy's weights; auto takes bfloat16 where this machine computes faster in it.
        device: Where models run; auto takes a GPU where there is one.
    """

    temperature: float = 1.0
    top_p: float = 1.0
    max_new_tokens: int = 256
    seed: int = 0
    precision: Precision = "auto"
    device: Device = "auto"

    def __post_init__(self) -> None:
        need(0 <= self.temperature < float("inf"), "--temperature", "0 or more", self.temperature)
        need(0 < self.top_p <= 1, "--top-p", "above 0 and at most 1", self.top_p)
        need(self.max_new_tokens >= 1, "--max-new-tokens", "at least 1", self.max_new_tokens)


@dataclass(frozen=True, kw_only=True)
class TrainConfig(Labels, Common):
    """Train a reward model on rankings; the result is a folder that transformers, TRL, OpenRLHF and vLLM load.

    Attributes:
        data: Rankings: snapshot folders, group files (also .gz) or any format that import reads.
        out: Folder for the reward model. While training runs, its checkpoints lie beside it.
        base: Base model: a local folder, smollm2-135m, minilm-l6, or a name on the Hugging Face Hub.
        valid: Validate on these rankings; by default a tenth of the prompts is set aside, and a tenth for the test.
        epochs: Passes over the training groups.
        lr: Peak learning rate; it warms up, then falls along a cosine to a tenth.
        seed: Seed of the head's first weights and of the order of the groups.
        train_layers: Train only the last so many layers and the head. What the layers below make of a group is computed
            once and kept in the cache folder, also for groups that have no rankings yet; a later run is quick then. The
            run's own figures are measured on what was kept, in its number format.
        lora: Train adapters of this rank on all linear layers, and the head; they are merged into the saved weights.
        batch: Groups per optimizer step.
        tokens_per_batch: Tokens that the model reads at once; bounds memory, changes no result. A larger group is cut.
        checkpoint_activations: Keep one activation per layer and compute the others again in the backward pass, which
            takes longer and far less memory.
        max_length: Tokens of prompt and completion together; by default 2048 or what the base can take.
        warmup: Share of the steps in which the learning rate rises.
        weight_decay: Decoupled weight decay of matrices (AdamW).
        clip: Largest norm of the gradient.
        limit: Train on only the first so many groups.
        precision: Number format of matrix products; weights, head and loss stay float32. auto measures this machine.
        device: Where to train; auto takes a GPU where there is one.
        evaluate_every: Validate after so many steps; 0 only at the end of an epoch.
        checkpoint_every: Save the state after so many steps, and at the end of an epoch; 0 only there.
        resume: Continue an unfinished run of the same settings after its last checkpoint; none there starts from anew.
        overwrite: Replace what stands in --out, and forget an unfinished run.
    """

    data: tuple[str, ...]
    out: Path
    base: str = DEFAULT_BASE
    valid: str | None = None
    epochs: int = 1
    lr: float = 2e-5
    seed: int = 0
    train_layers: int | None = None
    lora: int | None = None
    batch: int = 8
    tokens_per_batch: int = 2048
    checkpoint_activations: bool = False
    max_length: int | None = None
    warmup: float = 0.1
    weight_decay: float = 0.01
    clip: float = 1.0
    limit: int | None = None
    precision: Precision = "auto"
    device: Device = "auto"
    evaluate_every: int = 0
    checkpoint_every: int = 20
    resume: bool = False
    overwrite: bool = False

    def __post_init__(self) -> None:
        Labels.__post_init__(self)
        need(bool(self.data), "--data", "at least one path", "nothing")
        for flag in ("epochs", "batch", "tokens_per_batch", "max_length", "limit", "train_layers", "lora"):
            value = getattr(self, flag)
            need(value is None or value >= 1, f"--{flag.replace('_', '-')}", "at least 1", value)
        for flag in ("lr", "clip"):
            need(0 < getattr(self, flag) < float("inf"), f"--{flag}", "above 0", getattr(self, flag))
        for flag in ("weight_decay", "evaluate_every", "checkpoint_every"):
            need(getattr(self, flag) >= 0, f"--{flag.replace('_', '-')}", "0 or more", getattr(self, flag))
        need(0 <= self.warmup < 1, "--warmup", "at least 0 and below 1", self.warmup)
        need(not (self.lora and self.train_layers), "--lora", "given without --train-layers", "given with it")
        need(not (self.resume and self.overwrite), "--resume", "without --overwrite, which starts from anew", "with it")


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


@dataclass(frozen=True, kw_only=True)
class GenerateConfig(Sampling, Common):
    """Sample completions of prompts from a policy, as groups to import or to rerank.

    Attributes:
        policy: What writes the completions: a local folder, smollm2-135m, or a name on the Hugging Face Hub.
        prompts: Group files, rows of id and prompt, any format that import reads, or a .txt with a prompt a line.
        k: Completions per prompt.
        output: File for the groups, one a line.
        name: What the completions give as their model; by default the name of the policy.
        limit: Take only the first so many prompts.
        resume: Continue an output that was cut; --no-resume starts over. Either way the finished file is the same.
    """

    policy: str
    prompts: str
    k: Annotated[int, arg(aliases=("--n",))] = 4
    output: Path
    name: str | None = None
    limit: int | None = None
    resume: bool = True

    def __post_init__(self) -> None:
        Sampling.__post_init__(self)
        need(self.k >= 1, "--k", "at least 1", self.k)
        need(self.limit is None or self.limit >= 1, "--limit", "at least 1", self.limit)
        need(self.output.suffix != ".gz", "--output", "a plain file, since it is continued line by line", self.output)
        local_policy(self.policy)


@dataclass(frozen=True, kw_only=True)
class RerankConfig(Sampling, Common):
    """Order candidates by a reward model (best of n), candidates from a file or sampled from a policy.

    Attributes:
        model: Folder of the reward model.
        input: Groups with candidates; with --policy also rows of id and prompt, or a .txt with a prompt a line.
        output: File for the groups with score, rank, ranking and best, one a line.
        policy: Sample the candidates of every prompt from this policy; those of the input are left aside.
        n: Candidates per prompt to sample from the policy.
        raw: Give the model's own scores; by default they are shifted and scaled so that 0 is its training mean.
        page: Also write an HTML page here that shows the best and the worst candidate of each prompt.
    """

    model: Path
    input: str
    output: Path
    policy: str | None = None
    n: int = 4
    raw: bool = False
    page: Path | None = None

    def __post_init__(self) -> None:
        Sampling.__post_init__(self)
        need(self.n >= 1, "--n", "at least 1", self.n)
        if self.policy is not None:
            local_policy(self.policy)


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


@dataclass(frozen=True)
class BenchConfig:
    """Measure speed, side by side with a peer in one run or alone as groups grow.

    Attributes:
        what: What to measure.
    """

    what: Annotated[
        Annotated[BenchTrainConfig, subcommand("train")]
        | Annotated[BenchScoreConfig, subcommand("score")]
        | Annotated[BenchCostConfig, subcommand("cost")],
        arg(name=""),
    ]


def at_least_one(config: object, *fields: str) -> None:
    """Raise `UsageError` for a field that is a number under 1."""
    for field in fields:
        value = getattr(config, field)
        need(not isinstance(value, int) or value >= 1, f"--{field.replace('_', '-')}", "at least 1", value)


def local_policy(name: str) -> None:
    """Raise `UsageError` for a policy behind a URL, which cannot be sampled yet."""
    if name.startswith(("http://", "https://")):
        raise UsageError(
            f"--policy {name}: completions come from local policies only; "
            "give a folder, smollm2-135m or a name on the Hub"
        )
