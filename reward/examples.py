"""From sources to what a training step reads: groups and their token ids on disk, one of them in memory at a time.

Sources are read once, row by row; the groups go to a `Shelf` beside ``--out``, are split by prompt there, and those
to train on become token ids on a second shelf. A shelf goes with the process, so a run that continues makes both anew.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from pathlib import Path

from labeler.errors import DataError
from labeler.formats import iter_groups, iter_records
from labeler.records import Demonstration, Group
from reward.config.train import TrainConfig
from reward.data import EncodedGroup, Encoder, EncodingReport
from reward.frozen import LowerLayers
from reward.labels import Labels
from reward.likelihood import prepare
from reward.progress import Progress
from reward.shelf import Shelf, join, pick
from reward.splits import Splits, split_groups

TOLD = 64
"""Progress is told after so many groups."""


def load(config: TrainConfig) -> tuple[Splits, Sequence[Demonstration]]:
    """The groups of all sources, split by prompt, and the demonstrations that come with them."""
    place = config.out.parent
    groups, demonstrations = Shelf[Group](place), Shelf[Demonstration](place)
    for source in config.data:
        for record in iter_records(source):
            if isinstance(record, Group):
                groups.append(record)
            else:
                demonstrations.append(record)
    splits = split_groups(groups, Shelf(place, iter_groups(config.valid)) if config.valid else None)
    if config.limit:
        first = pick(splits.train, range(min(config.limit, len(splits.train))))
        splits = Splits(first, splits.valid, splits.test, splits.rule)
    return splits, demonstrations


def encode(
    encoder: Encoder, groups: Sequence[Group], labels: Labels, place: Path, progress: Progress
) -> tuple[Sequence[EncodedGroup], EncodingReport]:
    """The groups that have something to learn from, as the loss reads them, and what encoding did to all.

    Args:
        encoder: of the model.
        groups: training groups.
        labels: which labels count.
        place: folder on the disk that holds the token ids.
        progress: gets a stage of as many steps as there are groups.

    Raises:
        DataError: there is no such group.
    """
    examples, report = Shelf[EncodedGroup](place), EncodingReport()
    with progress.stage("encode", total=len(groups)) as stage:
        for done, group in enumerate(groups, start=1):
            encoded, told = encoder.group(group)
            report = report + told
            if ready := prepare(encoded, labels):
                examples.append(ready)
            if done % TOLD == 0 or done == len(groups):
                stage.step(done)
    if not examples:
        raise DataError("no training group has a pair that somebody prefers strictly; give more rankings")
    return examples, report


def read_ahead(encoder: Encoder, splits: Splits, lower: LowerLayers, progress: Progress) -> None:
    """Keep what the frozen layers make of groups that nobody has ranked yet, for the run after the next labels."""
    every = join(splits.train, join(splits.valid, splits.test))
    waiting = pick(every, array("q", (place for place, group in enumerate(every) if not group.rankings)))
    if waiting:
        with progress.stage("read ahead", total=len(waiting)) as stage:
            for group in waiting:
                lower.states(encoder.group(group)[0])
                stage.step()
