"""``reward quickstart``: the whole cycle on the sample data, on two CPU cores in a few minutes.

::

    OUT/data/              the rankings and demonstrations that were used
    OUT/model/             the reward model
    OUT/evaluation/        report.html and metrics.json on the test split, whose prompts took no part in training
    OUT/candidates.jsonl   n outputs of the base model for each of some test prompts
    OUT/best_of_n.jsonl    the same, scored and ordered by the reward model
    OUT/best_of_n.html     best and worst of each prompt

Every step leaves whole files, so a run that was cut goes on after the last step that was done.
"""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from labeler.errors import DataError, UsageError
from labeler.formats import prompt_key, read, write_demonstrations, write_groups
from labeler.formats.files import replacing
from labeler.records import Group
from reward import assess, generate, rerank, train
from reward.base import resolve
from reward.config.common import DEFAULT_BASE
from reward.config.evaluate import EvaluateConfig
from reward.config.generate import GenerateConfig, RerankConfig
from reward.config.quickstart import QuickstartConfig
from reward.config.train import TrainConfig
from reward.policy import writes_text
from reward.progress import tell
from reward.report import interval_text, percent
from reward.splits import split_groups

SAMPLE_DATA = Path(__file__).parents[1] / "sample_data"

SYNTHETIC = ("The sample rankings were made by a program: this shows that the cycle works, not agreement with people.",)


@dataclass(frozen=True)
class Layout:
    """Where everything of one run lies."""

    out: Path

    @property
    def settings(self) -> Path:
        """What the run was started with, so that a later one does not mix with it."""
        return self.out / "quickstart.json"

    @property
    def data(self) -> Path:
        """Folder of groups.jsonl and demonstrations.jsonl."""
        return self.out / "data"

    @property
    def model(self) -> Path:
        """The reward model."""
        return self.out / "model"

    @property
    def evaluation(self) -> Path:
        """Folder of report.html and metrics.json."""
        return self.out / "evaluation"

    @property
    def prompts(self) -> Path:
        """Held-out prompts."""
        return self.out / "prompts.jsonl"

    @property
    def candidates(self) -> Path:
        """Outputs of the policy for them."""
        return self.out / "candidates.jsonl"

    @property
    def best(self) -> Path:
        """The outputs in the reward model's order."""
        return self.out / "best_of_n.jsonl"

    @property
    def page(self) -> Path:
        """Best and worst of each prompt to look at."""
        return self.out / "best_of_n.html"


def run(config: QuickstartConfig) -> None:
    """The whole command."""
    started = time.monotonic()
    place = Layout(config.out)
    prepare(config, place)
    base = resolve(config.base)
    policy = config.policy or (config.base if writes_text(base) else DEFAULT_BASE)
    if not place.model.exists():
        train.run(
            TrainConfig(
                data=(str(place.data),),
                out=place.model,
                base=config.base,
                seed=config.seed,
                resume=True,
                progress=config.progress,
            )
        )
    if not (place.evaluation / "metrics.json").exists():
        assess.run(
            EvaluateConfig(
                model=place.model,
                data=(str(place.data),),
                out=place.evaluation,
                split="test",
                progress=config.progress,
            )
        )
    generate.run(
        GenerateConfig(
            policy=policy,
            prompts=str(place.prompts),
            k=config.n,
            output=place.candidates,
            temperature=config.temperature,
            max_new_tokens=config.max_new_tokens,
            seed=config.seed,
            progress=config.progress,
        )
    )
    rerank.run(
        RerankConfig(
            model=place.model,
            input=str(place.candidates),
            output=place.best,
            page=place.page,
            progress=config.progress,
        )
    )
    metrics = json.loads((place.evaluation / "metrics.json").read_text(encoding="utf-8"))
    tell(*summary(config, place, policy, metrics, time.monotonic() - started))


def prepare(config: QuickstartConfig, place: Layout) -> None:
    """Write the data and the prompts of this run, or find those of the run that it continues.

    Raises:
        UsageError: the folder holds a run with other settings.
        DataError: there is no data, or it has no test split.
    """
    settings = {name: value for name, value in asdict(config).items() if name not in ("out", "progress", "debug")}
    settings["data"] = str(config.data or "sample data")
    if place.settings.exists():
        if json.loads(place.settings.read_text(encoding="utf-8")) != settings:
            raise UsageError(f"--out {config.out} holds a run with other settings; give another folder")
        return
    source = config.data or SAMPLE_DATA
    if not source.exists():
        raise DataError("the sample data is not there; give rankings with --data PATH", file=str(source))
    imported = read(source)
    chosen = choose(imported.groups, config.groups)
    held_out = unique_prompts([group for group in chosen if group.split == "test"])[: config.prompts]
    if not held_out:
        raise DataError("has no group in the test split; give data with more prompts", file=str(source))
    place.data.mkdir(parents=True, exist_ok=True)
    write_groups(chosen, place.data / "groups.jsonl")
    if imported.demonstrations:
        write_demonstrations(imported.demonstrations, place.data / "demonstrations.jsonl")
    write_groups([replace(group, completions=(), rankings=()) for group in held_out], place.prompts)
    with replacing(place.settings) as temporary:
        temporary.write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")


def choose(groups: Sequence[Group], limit: int) -> list[Group]:
    """At most ``limit`` groups to train on, half as many to test and a quarter to validate, each with its split.

    Which ones is decided by the hash of the prompt: a file is often sorted, so its first rows would be all of a kind.
    """
    splits = split_groups([group for group in groups if group.rankings])
    most = {"train": limit, "valid": max(1, limit // 4), "test": max(1, limit // 2)}
    return [
        replace(group, split=name)
        for name, count in most.items()
        for group in sorted(getattr(splits, name), key=lambda group: (prompt_key(group.prompt), group.id))[:count]
    ]


def unique_prompts(groups: Sequence[Group]) -> list[Group]:
    """The first group of each prompt."""
    return list({prompt_key(group.prompt): group for group in reversed(groups)}.values())[::-1]


def summary(
    config: QuickstartConfig, place: Layout, policy: str, metrics: Mapping[str, Any], seconds: float
) -> list[str]:
    """What was found, and what to open or try next."""
    longer = metrics["length_only_accuracy"]
    again = ["reward", "rerank", "--model", place.model, "--policy", policy, "--n", 8]
    again += ["--input", "PROMPTS.txt", "--output", config.out / "more.jsonl"]
    return [
        "",
        f"Done in {seconds / 60:.1f} minutes.",
        f"Held-out accuracy {percent(metrics['accuracy'])}"
        f" (95 % interval {interval_text(metrics['accuracy_ci95'])}, {metrics['comparisons']} pairs"
        f" of {metrics['prompts']} prompts);"
        f" always choosing the longer text: {percent(longer)}, the shorter: {percent(1 - longer)}.",
        *(SYNTHETIC if config.data is None else ()),
        "",
        f"Open    {place.evaluation / 'report.html'}    how good the reward model is",
        f"Open    {place.page}    what it picks from {config.n} outputs of {policy}",
        "Run     labeler demo    to rank outputs yourself in the browser",
        f"Run     {shlex.join(map(str, again))}",
    ]
