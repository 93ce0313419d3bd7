"""``reward bench``: speed and accuracy beside a peer or alone, and what choosing labels saves; the end is JSON."""

from __future__ import annotations

import json
from typing import Any

from reward.benchmark import accuracy, label_study
from reward.benchmark.cost import bench_cost, table
from reward.benchmark.generating import bench_generate
from reward.benchmark.scoring import bench_score
from reward.benchmark.selection import bench_select
from reward.benchmark.selection import table as selection_table
from reward.benchmark.training import bench_train
from reward.config.bench import (
    BenchConfig,
    BenchCostConfig,
    BenchGenerateConfig,
    BenchScoreConfig,
    BenchSelectConfig,
    BenchTrainConfig,
)
from reward.config.studies import BenchAccuracyConfig, BenchLabelsConfig
from reward.progress import Progress, tell

Speed = BenchTrainConfig | BenchScoreConfig | BenchGenerateConfig | BenchCostConfig
Study = BenchSelectConfig | BenchAccuracyConfig | BenchLabelsConfig


def run(config: BenchConfig) -> None:
    """The command ``reward bench``."""
    with Progress(config.what.progress) as progress:
        result, lines = measure(config.what, progress)
    tell(*lines, json.dumps(result, ensure_ascii=False))


def measure(config: Speed | Study, progress: Progress) -> tuple[dict[str, Any], list[str]]:
    """What was found, as JSON has it and as lines for people."""
    if isinstance(config, BenchCostConfig):
        result = bench_cost(config, progress)
        return result, table(result)
    if isinstance(config, BenchGenerateConfig):
        result = bench_generate(config, progress)
        return result, [sampling_verdict(result)]
    if isinstance(config, BenchSelectConfig):
        result = bench_select(config, progress)
        return result, selection_table(result)
    if isinstance(config, BenchAccuracyConfig):
        result = accuracy.bench_accuracy(config, progress)
        return result, accuracy.in_words(result)
    if isinstance(config, BenchLabelsConfig):
        rows = label_study.bench_labels(config, progress)
        return label_study.report(config, rows), label_study.table(rows)
    result = bench_train(config, progress) if isinstance(config, BenchTrainConfig) else bench_score(config, progress)
    return result, verdict(result)


def verdict(result: dict[str, Any]) -> list[str]:
    """A comparison in two sentences."""
    guessed = f", scaled up from {result['peer_pairs_run']} pairs" if result.get("peer_extrapolated") else ""
    return [
        f"{result['groups']} groups: {result['ours_seconds']:.2f} s here, {result['peer_seconds']:.2f} s with "
        f"{result['against']}{guessed}: {result['ratio']:.1f} times as long for {result['token_ratio']:.1f} times the "
        "tokens.",
        f"Peak memory {result['ours_peak_bytes'] / 2**20:.0f} MiB here, {result['peer_peak_bytes'] / 2**20:.0f} MiB "
        f"there; {100 * result['ours_fraction_of_peak']:.1f} % and {100 * result['peer_fraction_of_peak']:.1f} % of "
        f"the {result['matmul_peak_flops'] / 1e9:.0f} GFLOP/s of a matrix product in {result['precision']}.",
    ]


def sampling_verdict(result: dict[str, Any]) -> str:
    """A comparison of sampling in one sentence."""
    return (
        f"{result['samples']} samples of a prompt: {result['ours_tokens_per_second']:.0f} tokens/s here, "
        f"{result['peer_tokens_per_second']:.0f} with {result['against']}, {result['ratio']:.1f} times as many; by "
        f"processor time {result['processor_ratio']:.1f} times."
    )
