"""Freeze a project's judgments into files for training, and read them back checked.

A snapshot is a folder: ``groups.jsonl`` (each judged group with everybody's standing rankings and its split),
``demonstrations.jsonl`` and ``manifest.json`` (what is in there, with the SHA-256 of each file). It holds no time of
its own making: the same judgments give the same bytes. Annotators appear under their account names.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

from labeler import dialogues, events
from labeler.errors import DataError
from labeler.folders import digest, file_facts, read_manifest, replacing_folder, write_manifest, write_text
from labeler.formats import (
    demonstration_to_row,
    dumps,
    group_to_row,
    parse_demonstration,
    parse_group,
    prompt_key,
    split_of,
)
from labeler.label_schema import schema_row
from labeler.records import SPLITS, Demonstration, Group, Ranking
from labeler.store import Frozen, Project, Store

SCHEMA = 1
KIND = "labeler snapshot"
GROUPS, DEMONSTRATIONS = "groups.jsonl", "demonstrations.jsonl"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A snapshot as read back."""

    manifest: Mapping[str, Any]
    groups: tuple[Group, ...]
    demonstrations: tuple[Demonstration, ...]


def freeze(store: Store, project: Project, out: str | Path, *, ranks_from_ratings: bool = False) -> dict[str, Any]:
    """Write a project's snapshot, as of one moment; returns its manifest.

    A group keeps the split that it was imported with; the others are split by prompt (`labeler.formats.split_of`). A
    prompt that occurs in several groups is in one split only: the most held-out one that any of them came with.

    Args:
        store: where the judgments are.
        project: which.
        out: a folder that is missing, empty or an earlier snapshot, which is replaced in one step.
        ranks_from_ratings: rank by their ratings the completions that somebody rated and was not asked to rank.

    Raises:
        UsageError: ``out`` is anything else.
    """
    with replacing_folder(out, KIND) as folder, store.frozen(project.id) as frozen:
        manifest = _write(frozen, folder, ranks_from_ratings)
    with store.database.write() as connection:
        events.snapshot_taken(connection, project, manifest, store.clock())
    return manifest


def read_snapshot(folder: str | Path) -> Snapshot:
    """Read a snapshot.

    Raises:
        DataError: it is no snapshot, of a later version, or a file was changed; names the file.
    """
    place = Path(folder)
    manifest = read_manifest(place, KIND)
    if manifest.get("schema") != SCHEMA:
        raise DataError(f"has the schema {manifest.get('schema')!r}; this version reads {SCHEMA}", file=str(place))
    for name, facts in manifest["files"].items():
        path = place / name
        if not path.is_file():
            raise DataError("is missing; take the snapshot again", file=str(path))
        if digest(path) != facts["sha256"]:
            raise DataError("was changed since the snapshot was taken; take it again", file=str(path))
    groups = tuple(parse_group(row) for row in _rows(place / GROUPS))
    return Snapshot(manifest, groups, tuple(parse_demonstration(row) for row in _rows(place / DEMONSTRATIONS)))


def _write(frozen: Frozen, folder: Path, ranks_from_ratings: bool) -> dict[str, Any]:
    excluded: Counter[str] = Counter(skipped_judgments=0, corrected_judgments=0, groups_without_ranking=0)
    splits, moved = prompt_splits(group for group, _ in frozen.groups())
    tally = _Tally(Counter(), Counter(), Counter(), {name: set() for name in SPLITS})
    judged = _judged(frozen, splits, tally, excluded)
    kept = map(ranked_by_ratings, judged) if ranks_from_ratings else judged
    _write_rows(folder / GROUPS, map(group_to_row, kept))
    shown = _write_rows(folder / DEMONSTRATIONS, map(demonstration_to_row, _demonstrations(frozen)))
    excluded["corrected_judgments"] = frozen.counts().corrections
    project = frozen.project
    manifest = {
        "kind": KIND,
        "schema": SCHEMA,
        "project": {"name": project.name, "task": project.task, "overlap": project.overlap, "seed": project.seed},
        "guidelines": [{"version": n, "text": text} for n, text in frozen.guideline_versions().items()],
        "label_schemas": [
            {"version": n, **schema_row(schema), "rankings": tally.versions[n]}
            for n, schema in frozen.label_schemas().items()
        ],
        "counts": {
            "groups": tally.groups.total(),
            "rankings": tally.annotators.total(),
            "annotators": len(tally.annotators),
            "demonstrations": shown,
        },
        "splits": {name: {"groups": tally.groups[name], "prompts": len(tally.prompts[name])} for name in SPLITS},
        "ranks_from_ratings": ranks_from_ratings,
        "groups_moved_to_keep_prompts_in_one_split": moved,
        "excluded": dict(excluded),
        "files": {name: file_facts(folder / name) for name in (GROUPS, DEMONSTRATIONS)},
    }
    write_manifest(folder, manifest)
    return manifest


@dataclass(frozen=True, slots=True)
class _Tally:
    """What went into the file: groups by split, rankings by annotator and by schema version, prompts by split."""

    groups: Counter[str]
    annotators: Counter[str]
    versions: Counter[int]
    prompts: dict[str, set[str]]

    def count(self, group: Group, key: str) -> None:
        """Add a group, whose split is known and whose prompt has this key."""
        self.groups[str(group.split)] += 1
        self.prompts[str(group.split)].add(key)
        self.annotators.update(ranking.annotator for ranking in group.rankings)


def _demonstrations(frozen: Frozen) -> Iterator[Demonstration]:
    """Those that were imported, then the dialogues that people wrote."""
    yield from frozen.demonstrations()
    for group, judgments in frozen.groups():
        found = (dialogues.demonstration(group, judgment) for judgment in judgments)
        yield from (each for each in found if each is not None)


def prompt_splits(groups: Iterable[Group]) -> tuple[dict[str, str], int]:
    """The split that each prompt came with, and how many groups must leave their own for it."""
    found: dict[str, str] = {}
    own: Counter[tuple[str, str]] = Counter()
    for group in groups:
        if group.split:
            key = prompt_key(group.prompt)
            found[key] = max(group.split, found.get(key, group.split), key=SPLITS.index)
            own[key, group.split] += 1
    return found, sum(count for (key, split), count in own.items() if found[key] != split)


def split_by_prompt(key: str, splits: Mapping[str, str], seed: int) -> str:
    """The split of a prompt, by its `labeler.formats.prompt_key`, where `prompt_splits` found some."""
    return splits.get(key) or split_of(key, seed=seed)


def _judged(frozen: Frozen, splits: Mapping[str, str], tally: _Tally, excluded: Counter[str]) -> Iterator[Group]:
    for group, judgments in frozen.groups():
        excluded["skipped_judgments"] += sum(judgment.kind == "skip" for judgment in judgments)
        for ranked in chain.from_iterable(dialogues.preferences(group, judgment) for judgment in judgments):
            key = prompt_key(dialogues.opening(ranked.prompt))
            split = splits.get(key) or ranked.split or split_by_prompt(key, splits, frozen.project.seed)
            tally.count(replace(ranked, split=split), prompt_key(ranked.prompt))
            yield replace(ranked, split=split)
        if any(judgment.dialogue for judgment in judgments) and not group.rankings:
            continue
        if not group.rankings:
            excluded["groups_without_ranking"] += 1
            continue
        key = prompt_key(group.prompt)
        split = split_by_prompt(key, splits, frozen.project.seed)
        tally.count(replace(group, split=split), key)
        tally.versions.update(item.schema_version for item in judgments if item.ranking and item.schema_version)
        yield replace(group, split=split)


def ranked_by_ratings(group: Group) -> Group:
    """The group with ranks in place of missing ones: the higher rated the better, equal ratings tied."""
    return replace(group, rankings=tuple(map(_by_ratings, group.rankings)))


def _by_ratings(ranking: Ranking) -> Ranking:
    if ranking.ratings is None or ranking.all_bad or ranking.last is not None:
        return ranking
    return replace(ranking, ranks=tuple(None if rating is None else -rating for rating in ranking.ratings))


def _write_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> int:
    return write_text(path, (f"{dumps(row)}\n" for row in rows))


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8", newline="\n") as file:
        for line in file:
            yield json.loads(line)
