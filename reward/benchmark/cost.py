"""``reward bench cost``: what forward and backward of one group cost as it grows, on made-up token ids.

Two curves: completions per prompt, and tokens of the prompt. Each completion is read once and the prompt once for all
of them, so both should be straight lines, the second but for attention within the prompt, which grows with its square.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from scipy.stats import linregress

from labeler.errors import DataError, UsageError
from reward.base import resolve
from reward.benchmark.flops import Reading, is_causal, model_flops, reading_of_inputs
from reward.benchmark.machine import device_name, dtype_of, matmul_peak, now
from reward.config.bench import BenchCostConfig
from reward.config.common import Precision
from reward.data import EncodedGroup, Pair
from reward.losses import LOSSES
from reward.manifest import versions
from reward.model import RewardModel, new_reward_model
from reward.plots import Curve, cost_plot
from reward.precision import pick_precision
from reward.progress import Progress
from reward.step import Batch, backward

REFERENCE = (9, 128)
"""Completions and tokens of the prompt at which the fraction of the peak is told: InstructGPT's largest K."""


@dataclass(frozen=True)
class Point:
    """Completions of a group and tokens of its prompt; then tokens read, median seconds and operations that it took."""

    completions: int
    prompt: int
    tokens: int
    seconds: float
    flops: float


@dataclass(frozen=True)
class Line:
    """A straight line through points: seconds per unit, seconds at zero, and the share of the variance it explains."""

    slope: float
    intercept: float
    r_squared: float


def fit_line(x: Sequence[float], y: Sequence[float]) -> Line:
    """Least squares."""
    found = linregress(x, y)
    return Line(float(found.slope), float(found.intercept), float(found.rvalue**2))


class Bench:
    """The model as ``reward train`` prepares it, ready to be timed.

    Raises:
        UsageError: the base takes no sequences of this length.
    """

    def __init__(self, config: BenchCostConfig, precision: Precision) -> None:
        self.config, self.precision = config, precision
        longest = max(*config.prompt_lengths, REFERENCE[1]) + config.length
        self.plain, _ = new_reward_model(resolve(config.base), seed=config.seed, max_length=longest)
        if self.plain.max_length < longest:
            raise UsageError(
                f"--prompt-lengths: with completions of {config.length} tokens the longest sequence has {longest}, but "
                f"{config.base} takes {self.plain.max_length}; ask for shorter ones"
            )
        self.accelerator = Accelerator(
            mixed_precision="bf16" if precision == "bfloat16" else "no", cpu=config.device == "cpu"
        )
        self.model = self.accelerator.prepare(self.plain)
        self.device: torch.device = self.accelerator.device

    def point(self, completions: int, prompt: int) -> Point:
        """Time this shape: once to warm up, then the median of the repeats."""
        group = made_up(self.plain, completions, prompt, self.config)
        seconds, reading = zip(*(self.once(group) for _ in range(self.config.repeats + 1)), strict=True)
        flops = model_flops(self.plain.classifier, reading[0], backward=True)
        return Point(completions, prompt, reading[0].tokens, median(seconds[1:]), flops)

    def once(self, group: EncodedGroup) -> tuple[float, Reading]:
        """Seconds for forward and backward of the group, and what was read."""
        started = now(self.device)
        budget = self.config.tokens_per_batch or group.tokens + len(group.prefix) * len(group.tails)
        inputs = [each.to(self.device) for each in self.plain.inputs([group], budget)]
        backward(self.model, Batch([group], [1.0], inputs), LOSSES["pairwise"], self.accelerator.backward)
        seconds = now(self.device) - started
        self.plain.zero_grad()
        causal = is_causal(self.plain.classifier)
        return seconds, sum((reading_of_inputs(each, causal=causal) for each in inputs), Reading())

    def matmul_peak(self) -> float:
        """Operations per second of the fastest matrix product right now."""
        return matmul_peak(dtype_of(self.precision), self.device)


def made_up(model: RewardModel, completions: int, prompt: int, config: BenchCostConfig) -> EncodedGroup:
    """A group of random token ids in which the first completion beats every other."""
    draw = np.random.default_rng(config.seed)
    vocabulary = model.classifier.config.get_text_config().vocab_size
    ids = draw.integers(0, vocabulary, size=prompt + completions * config.length).astype(np.int32)
    ids[ids == model.pad_id] = (model.pad_id + 1) % vocabulary
    whole, tails = ids[:prompt], np.split(ids[prompt:], completions)
    if not model.shares_prefix:
        whole, tails = whole[:0], [np.concatenate([whole, tail]) for tail in tails]
    pairs = tuple(Pair(0, k, 1.0) for k in range(1, completions))
    return EncodedGroup("made up", tuple(range(completions)), whole, tuple(tails), pairs, ())


def bench_cost(config: BenchCostConfig, progress: Progress) -> dict[str, Any]:
    """Measure both curves and return what the command prints as its last line.

    Raises:
        UsageError: the base takes no sequences of this length. DataError: the plot cannot be written.
    """
    precision = pick_precision(config.precision, config.device)
    by_completions = [(k, config.prompt) for k in sorted(config.completions)]
    by_prompt = [(config.prompt_completions, prompt) for prompt in sorted(config.prompt_lengths)]
    shapes = [*by_completions, *by_prompt, REFERENCE]
    points, peaks = [], []
    try:
        bench = Bench(config, precision)
        with progress.stage("cost", total=len(shapes)) as stage:
            for completions, prompt in shapes:
                points.append(bench.point(completions, prompt))
                peaks.append(bench.matmul_peak())
                stage.step(completions=completions, prompt=prompt, seconds=points[-1].seconds)
    finally:
        AcceleratorState._reset_state()  # the next run in this process may use another precision
    first, second, reference = points[: len(by_completions)], points[len(by_completions) : -1], points[-1]
    curves = (
        curve("completions per prompt", [p.completions for p in first], first),
        curve("tokens of the prompt", [p.prompt for p in second], second),
    )
    if config.out:
        save_plot(config.out, curves)
    peak = max(peaks)
    return {
        "bench": "cost",
        "by_completions": [told(p, peak) for p in first],
        "by_prompt": [told(p, peak) for p in second],
        "completions_line": asdict(fit_line(curves[0].x, curves[0].seconds)),
        "prompt_line": asdict(fit_line(curves[1].x, curves[1].seconds)),
        "reference": told(reference, peak),
        "ours_fraction_of_peak": reference.flops / reference.seconds / peak,
        "matmul_peak_flops": peak,
        "ours_reads": bench.plain.mode,
        "device": device_name(bench.device),
        "threads": torch.get_num_threads(),
        "precision": precision,
        "base": config.base,
        "versions": versions(),
    }


def told(point: Point, peak: float) -> dict[str, float]:
    """A point as it is printed, beside the machine's peak."""
    return asdict(point) | {"fraction_of_peak": point.flops / point.seconds / peak}


def curve(label: str, x: Sequence[int], points: Sequence[Point]) -> Curve:
    """Points and the line through them, to draw."""
    seconds = [p.seconds for p in points]
    line = fit_line(x, seconds)
    return Curve(label, x, seconds, line.slope, line.intercept, line.r_squared)


def save_plot(folder: Path, curves: Sequence[Curve]) -> None:
    """Write cost.png into the folder."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        cost_plot(curves).savefig(folder / "cost.png", dpi=160, metadata={"Software": None})
    except OSError as error:
        problem = f"cannot be written: {error.strerror or error}; choose another folder"
        raise DataError(problem, file=str(folder)) from error


def table(result: dict[str, Any]) -> list[str]:
    """Both curves for people, one point a line."""
    rows = [
        f"{row['completions']:11d}  {row['prompt']:6d}  {row['tokens']:6d}  {row['seconds']:7.3f}  "
        f"{row['tokens'] / row['seconds']:8.0f}  {100 * row['fraction_of_peak']:5.1f} %"
        for row in (*result["by_completions"], *result["by_prompt"])
    ]
    lines = [
        f"{1000 * result[key]['slope']:.3g} ms per {name}, R² of the straight line {result[key]['r_squared']:.4f}"
        for name, key in (("completion", "completions_line"), ("token of the prompt", "prompt_line"))
    ]
    return ["completions  prompt  tokens  seconds  tokens/s  of peak", *rows, *lines]
