"""``reward bench labels``: what each way of using people's judgments does to accuracy and log loss on other prompts.

The trainings are those of ``reward train --train-layers``: the lower layers read every group once, for all of them, and
a training takes seconds. Each way is one change from the defaults. It is compared with the defaults pair by pair and
seed by seed, with an interval for other prompts and other seeds (`reward.crossed`).

Every training leaves its scores under OUT, and is not run again by the same command.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from labeler.errors import UsageError
from labeler.formats import read
from labeler.formats.files import replacing
from labeler.records import Group
from reward.base import identity, resolve
from reward.benchmark.held_out import Difference, choose_parts, difference, fitting, outcome
from reward.benchmark.learn import Kept, Learned, Parts, student
from reward.config.common import Precision
from reward.config.studies import BenchLabelsConfig
from reward.config.train import TrainConfig
from reward.manifest import versions
from reward.precision import pick_precision
from reward.progress import Progress

DEFAULT = "default"


@dataclass(frozen=True)
class Way:
    """A way of using labels: what it changes from the defaults, and which groups make it differ from them."""

    name: str
    changes: dict[str, Any]
    differs: Callable[[Group], bool] = lambda group: True

    def fits(self, groups: Sequence[Group]) -> bool:
        """Whether it can make a difference on these groups."""
        return any(self.differs(group) for group in groups)


def has_ties(group: Group) -> bool:
    """Somebody saw no difference between two completions."""
    return any(tally.ties for tally in group.tallies())


def has_dissent(group: Group) -> bool:
    """People disagree on a pair."""
    return any(tally.wins_i and tally.wins_j for tally in group.tallies())


def has_many(group: Group) -> bool:
    """Somebody ranked more than two completions."""
    return any(sum(rank is not None for rank in ranking.ranks) > 2 for ranking in group.rankings)


def has_several_people(group: Group) -> bool:
    """Several people judged the group."""
    return len({ranking.annotator for ranking in group.rankings}) > 1


def has_strength(group: Group) -> bool:
    """Somebody said how strongly one is preferred."""
    return any(ranking.strength is not None for ranking in group.rankings)


def has_order(group: Group) -> bool:
    """It is known what was shown where."""
    return any(ranking.order is not None for ranking in group.rankings)


WAYS = (
    Way(DEFAULT, {}),
    Way("ties rao-kupper", {"ties": "rao-kupper"}, has_ties),
    Way("ties davidson", {"ties": "davidson"}, has_ties),
    Way("targets majority", {"targets": "majority"}, has_dissent),
    Way("label-smoothing 0.1", {"label_smoothing": 0.1}),
    Way("loss plackett-luce", {"loss": "plackett-luce"}, has_many),
    Way("centre 0.01", {"centre": 0.01}),
    Way("annotator-model crowd-bt", {"annotator_model": "crowd-bt"}, has_several_people),
    Way("strength margin", {"strength": "margin"}, has_strength),
    Way("strength weight", {"strength": "weight"}, has_strength),
    Way("position-bias", {"position_bias": True}, has_order),
    Way("epochs 2", {"epochs": 2}),
    Way("epochs 3", {"epochs": 3}),
    Way("batch 4", {"batch": 4}),
    Way("batch 16", {"batch": 16}),
)


@dataclass(frozen=True)
class Row:
    """A way on a set: accuracy and log loss over pairs and seeds, and their differences from those of the defaults."""

    data: str
    way: str
    accuracy: float
    log_loss: float
    accuracy_difference: Difference | None
    log_loss_difference: Difference | None
    temperature: float
    seeds: int
    groups: int
    pairs: int
    prompts: int


def bench_labels(config: BenchLabelsConfig, progress: Progress) -> list[Row]:
    """Run the study and write its table and its lines.

    Raises:
        UsageError: an unknown way, or two sources of the same name. DataError: nothing to train on or to measure on.
    """
    ways = chosen(config.only)
    names = [Path(source).name.split(".")[0] for source in config.data]
    if len(set(names)) < len(names):
        raise UsageError(f"--data: two sources have the same name, {', '.join(names)}; give them one at a time")
    rows = [
        row
        for name, source in zip(names, config.data, strict=True)
        for row in study(config, name, source, ways, progress)
    ]
    config.out.mkdir(parents=True, exist_ok=True)
    with replacing(config.out / "labels.md") as temporary:
        temporary.write_text("\n".join(table(rows)) + "\n", encoding="utf-8")
    with replacing(config.out / "labels.jsonl") as temporary:
        temporary.write_text("".join(json.dumps(asdict(row)) + "\n" for row in rows), encoding="utf-8")
    return rows


def report(config: BenchLabelsConfig, rows: Sequence[Row]) -> dict[str, Any]:
    """Everything that was found, for the last line of the output."""
    told = ("base", "train_layers", "lr", "epochs", "batch", "draw", "test_share")
    return {
        "bench": "labels",
        "rows": [asdict(row) for row in rows],
        **{name: getattr(config, name) for name in told},
        "versions": versions(),
    }


def chosen(only: Sequence[str]) -> list[Way]:
    """The ways of these names, and the defaults; all for no names.

    Raises:
        UsageError: there is no such way.
    """
    unknown = set(only) - {way.name for way in WAYS}
    if unknown:
        known = ", ".join(repr(way.name) for way in WAYS)
        raise UsageError(f"--only {sorted(unknown)[0]!r}: there is no such way; choose from {known}")
    return [way for way in WAYS if not only or way.name in (DEFAULT, *only)]


def study(config: BenchLabelsConfig, name: str, source: str, ways: Sequence[Way], progress: Progress) -> list[Row]:
    """Every way that can differ on one set, seed by seed, so that a run that was cut has whole seeds."""
    base, precision = resolve(config.base), pick_precision(config.precision, config.device)
    groups = read(source).groups
    with student(settings_of(config, precision), base) as learner:
        short = fitting(groups, learner.scorer.encoder)
        progress.say(f"{name}: {len(groups) - len(short)} of {len(groups)} groups are left out as too long.")
        parts = choose_parts(short, config)
        made_of = {"base": identity(config.base, base).to_json(), "data": parts.sha256}
        useful = [way for way in ways if way.fits(parts.train)]
        found: dict[str, list[Learned]] = {way.name: [] for way in useful}

        def train(way: Way, seed: int) -> Learned:
            settings = settings_of(config, precision, seed=seed, **way.changes)
            kept = Kept(config.out / name, way.name, compared_settings(settings) | made_of)
            return kept.get(seed, lambda: learner.learn(settings, parts))

        with progress.stage(name, total=len(useful) * config.seeds) as stage:
            for seed in range(config.seeds):
                for way in useful:
                    found[way.name].append(train(way, seed))
                    accuracy = float(outcome(parts.test, found[way.name][-1:]).right.mean())
                    stage.step(way=way.name, seed=seed, accuracy=accuracy)
    return compare(name, parts, found)


def settings_of(config: BenchLabelsConfig, precision: Precision, **changes: Any) -> TrainConfig:
    """Settings of a training, with what a way changes."""
    names = ("data", "out", "base", "epochs", "lr", "batch", "tokens_per_batch", "max_length", "train_layers", "device")
    fields = {name: getattr(config, name) for name in names}
    return TrainConfig(**fields | {"precision": precision} | changes)


def compared_settings(config: TrainConfig) -> dict[str, Any]:
    """What of the settings decides the result; data and base are told by their content."""
    return {name: value for name, value in asdict(config).items() if name not in ("data", "out", "base", "progress")}


def compare(name: str, parts: Parts, found: dict[str, list[Learned]]) -> list[Row]:
    """A row per way, beside the defaults."""
    default = outcome(parts.test, found[DEFAULT])
    rows = []
    for way, trainings in found.items():
        own = outcome(parts.test, trainings)
        rows.append(
            Row(
                data=name,
                way=way,
                accuracy=float(own.right.mean()),
                log_loss=float(own.loss.mean()),
                accuracy_difference=None if way == DEFAULT else difference(own.cluster, own.right, default.right),
                log_loss_difference=None if way == DEFAULT else difference(own.cluster, own.loss, default.loss),
                temperature=float(np.mean([learned.temperature for learned in trainings])),
                seeds=len(trainings),
                groups=len(parts.train),
                pairs=own.right.shape[1],
                prompts=len(np.unique(own.cluster)),
            )
        )
    return rows


def table(rows: Sequence[Row]) -> list[str]:
    """The rows in Markdown: accuracy in percent, log loss in nats, differences with their 95 % intervals."""
    head = "| data | way | accuracy, % | against the default | log loss | against the default |"
    lines = [head, "| --- | --- | --- | --- | --- | --- |"]
    for row in rows:
        trainings = f"{row.seeds} seeds" if row.seeds > 1 else "1 seed"
        what = f"{row.data}: {row.groups} groups, {row.pairs} pairs of {row.prompts} prompts, {trainings}"
        gaps = in_words(row.accuracy_difference, 100, 1), in_words(row.log_loss_difference, 1, 3)
        cells = (f"{100 * row.accuracy:.1f}", gaps[0], f"{row.log_loss:.3f}", gaps[1])
        lines.append(f"| {what if row.way == DEFAULT else ''} | {row.way} | {' | '.join(cells)} |")
    return lines


def in_words(gap: Difference | None, factor: float, digits: int) -> str:
    """A difference and its interval, in bold where the interval leaves out 0."""
    if gap is None:
        return ""
    if gap.ci95 is None:
        return f"{factor * gap.mean:+.{digits}f}".replace("-", "−")
    low, high = gap.ci95
    said = f"{factor * gap.mean:+.{digits}f} ({factor * low:+.{digits}f} to {factor * high:+.{digits}f})"
    return (f"**{said}**" if low > 0 or high < 0 else said).replace("-", "−")
