"""Freeze a project's judgments into files for training, and read them back checked.

A snapshot is a folder: ``groups.jsonl`` (each judged group with everybody's standing rankings and its split),
``demonstrations.jsonl`` and ``manifest.json`` (what is in there, with the SHA-256 of each file). It holds no time of
its own making: the same judgments give the same bytes. Annotators appear under their account names.

Where a project has held-out raters (see `labeler.raters`), their rankings are in ``held_out.jsonl``, as the labelers
gave them, and nothing of theirs is in the other files: a training on the folder never sees them, and ``reward evaluate
--data held_out.jsonl`` tells how well a model agrees with people that it did not learn from.

Demonstrations are those that were imported, then those that labelers wrote, one for each standing answer: its id is the
group's and the annotator's, its meta the group's with ``group``, ``seconds``, ``at``, ``prompt_flags`` and ``note``
where there are any, and the ``split`` where the group came with one.

Where labelers improve the best completion, each standing edit is one more completion of its group (see
`labeler.edits.with_edits`), and who wrote it has it above all else::

    before  completions c0 c1 c2      ann ranks 1 2 2, edits c0      bea ranks 2 1 3, edits nothing
    after   … edited-by-ann           ann ranks 2 3 3 1              bea ranks 2 1 3 null
    meta    "edits": {"edited-by-ann": {"of": "c0", "annotator": "ann"}}

Of tied best ones the edit was made from one and stands above all. Where all were bad and nothing was ranked, ``of`` is
null, and the ranks are 1 for the text written anew and 2 for the rest, ``top_only``; a partial ranking moves down as it
is. Edits of several annotators are several completions, each unranked by the others. A correction takes its edit along:
only that of the standing judgment is there. ``order`` has what was shown, and so no edit of that judgment.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Any

from labeler import dialogues, events
from labeler.edits import free_name, with_edits
from labeler.entities import Judgment
from labeler.errors import DataError
from labeler.finals import Finals, decided
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
from labeler.records import SPLITS, Demonstration, Group
from labeler.store import Frozen, Project, Store

SCHEMA = 1
KIND = "labeler snapshot"
GROUPS, DEMONSTRATIONS, HELD_OUT = "groups.jsonl", "demonstrations.jsonl", "held_out.jsonl"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A snapshot as read back."""

    manifest: Mapping[str, Any]
    groups: tuple[Group, ...]
    demonstrations: tuple[Demonstration, ...]


def freeze(
    store: Store,
    project: Project,
    out: str | Path,
    *,
    ranks_from_ratings: bool = False,
    adjudicated: Finals = "only",
) -> dict[str, Any]:
    """Write a project's snapshot, as of one moment; returns its manifest.

    A group keeps the split that it was imported with; the others are split by prompt (`labeler.formats.split_of`). A
    prompt that occurs in several groups is in one split only: the most held-out one that any of them came with.

    Args:
        store: where the judgments are.
        project: which.
        out: a folder that is missing, empty or an earlier snapshot, which is replaced in one step.
        ranks_from_ratings: rank by their ratings the completions that somebody rated and was not asked to rank.
        adjudicated: of tasks on which a reviewer had the last word, write ``only`` that, under the annotator
            `labeler.entities.ADJUDICATED`; write it ``beside`` the labelers' rankings; or ``ignore`` it.

    Raises:
        UsageError: ``out`` is anything else.
    """
    with replacing_folder(out, KIND) as folder, store.frozen(project.id) as frozen:
        manifest = _write(frozen, folder, ranks_from_ratings, adjudicated)
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


def _write(frozen: Frozen, folder: Path, ranks_from_ratings: bool, adjudicated: Finals) -> dict[str, Any]:
    excluded: Counter[str] = Counter(skipped_judgments=0, corrected_judgments=0, groups_without_ranking=0)
    finally_said: Counter[str] = Counter(groups=0, rankings_left_out=0)
    finals = {} if adjudicated == "ignore" else frozen.finals()
    splits, moved = prompt_splits(group for group, _ in frozen.groups())
    held = frozenset(frozen.held_out())
    tally = _Tally()
    others = (_said_by(*entry, lambda name: name not in held) for entry in frozen.groups())
    final = (_decided(*entry, finals.get(entry[0].id), adjudicated, finally_said) for entry in others)
    judged = _judged(frozen, final, splits, tally, excluded)
    kept = map(ranked_by_ratings, judged) if ranks_from_ratings else judged
    _write_rows(folder / GROUPS, map(group_to_row, kept))
    shown = tally.of(entry for entry in demonstrations(frozen, splits) if not (entry[1] and entry[1].annotator in held))
    written = _write_rows(folder / DEMONSTRATIONS, map(demonstration_to_row, shown))
    apart = _write_held_out(frozen, folder, held, splits, ranks_from_ratings) if held else {}
    excluded["corrected_judgments"] = frozen.counts().corrections
    project = frozen.project
    manifest = {
        "kind": KIND,
        "schema": SCHEMA,
        "project": {"name": project.name, "task": project.task, "overlap": project.overlap, "seed": project.seed},
        "guidelines": [{"version": n, "text": text} for n, text in frozen.guideline_versions().items()],
        "label_schemas": [
            {"version": n, **schema_row(schema), "rankings": tally.versions[n], "demonstrations": tally.written[n]}
            for n, schema in frozen.label_schemas().items()
        ],
        "counts": {
            "groups": tally.groups.total(),
            "rankings": tally.annotators.total(),
            "edits": tally.edits,
            "annotators": len(tally.annotators.keys() | tally.writers),
            "demonstrations": written,
        },
        "splits": {name: {"groups": tally.groups[name], "prompts": len(tally.prompts[name])} for name in SPLITS},
        "ranks_from_ratings": ranks_from_ratings,
        "adjudicated": {"setting": adjudicated, **finally_said},
        "groups_moved_to_keep_prompts_in_one_split": moved,
        "excluded": dict(excluded),
        **apart,
        "files": {name: file_facts(folder / name) for name in (GROUPS, DEMONSTRATIONS, *((HELD_OUT,) if held else ()))},
    }
    write_manifest(folder, manifest)
    return manifest


def _write_held_out(
    frozen: Frozen, folder: Path, held: frozenset[str], splits: Mapping[str, str], ranks_from_ratings: bool
) -> dict[str, Any]:
    """Write the rankings of held-out raters, without any final answers; what the manifest says of them."""
    tally = _Tally()
    theirs = (_said_by(*entry, held.__contains__) for entry in frozen.groups())
    judged = _judged(frozen, theirs, splits, tally, Counter())
    _write_rows(folder / HELD_OUT, map(group_to_row, map(ranked_by_ratings, judged) if ranks_from_ratings else judged))
    counts = {"groups": tally.groups.total(), "rankings": tally.annotators.total()}
    return {"held_out": {"annotators": sorted(held), **counts}}


def _said_by(
    group: Group, judgments: tuple[Judgment, ...], wanted: Callable[[str], bool]
) -> tuple[Group, tuple[Judgment, ...]]:
    """The group with what some annotators said of it."""
    rankings = tuple(ranking for ranking in group.rankings if wanted(ranking.annotator))
    return replace(group, rankings=rankings), tuple(said for said in judgments if wanted(said.annotator))


@dataclass(slots=True)
class _Tally:
    """What went into the files.

    Attributes:
        groups, prompts: by split.
        annotators: rankings by annotator.
        versions: rankings by the version of what was asked.
        written: demonstrations likewise.
        writers: who wrote a demonstration.
        edits: how many.
    """

    groups: Counter[str] = field(default_factory=Counter)
    annotators: Counter[str] = field(default_factory=Counter)
    versions: Counter[int] = field(default_factory=Counter)
    written: Counter[int] = field(default_factory=Counter)
    prompts: dict[str, set[str]] = field(default_factory=lambda: {name: set() for name in SPLITS})
    writers: set[str] = field(default_factory=set)
    edits: int = 0

    def of(self, shown: Iterable[tuple[Demonstration, Judgment | None]]) -> Iterator[Demonstration]:
        """Demonstrations on their way into the file."""
        for demonstration, judgment in shown:
            if judgment:
                self.writers.add(judgment.annotator)
                self.written[judgment.schema_version or 0] += 1
            yield demonstration

    def count(self, group: Group, key: str) -> None:
        """Add a group, whose split is known and whose prompt has this key."""
        self.groups[str(group.split)] += 1
        self.prompts[str(group.split)].add(key)
        self.annotators.update(ranking.annotator for ranking in group.rankings)


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


def _decided(
    group: Group,
    judgments: tuple[Judgment, ...],
    final: Judgment | None,
    adjudicated: Finals,
    finally_said: Counter[str],
) -> tuple[Group, tuple[Judgment, ...]]:
    """The group with a reviewer's final answer instead of the labelers' rankings, or beside them."""
    if final is None:
        return group, judgments
    kept = decided(judgments, final, adjudicated)
    finally_said["groups"] += 1
    finally_said["rankings_left_out"] += len(judgments) + 1 - len(kept)
    return replace(group, rankings=tuple(said.ranking for said in kept if said.ranking)), kept


def _judged(
    frozen: Frozen,
    final: Iterable[tuple[Group, tuple[Judgment, ...]]],
    splits: Mapping[str, str],
    tally: _Tally,
    excluded: Counter[str],
) -> Iterator[Group]:
    for group, judgments in final:
        excluded["skipped_judgments"] += sum(judgment.kind == "skip" for judgment in judgments)
        for ranked in chain.from_iterable(dialogues.preferences(group, judgment) for judgment in judgments):
            key = prompt_key(dialogues.opening(ranked.prompt))
            split = splits.get(key) or ranked.split or split_by_prompt(key, splits, frozen.project.seed)
            tally.count(replace(ranked, split=split), prompt_key(ranked.prompt))
            yield replace(ranked, split=split)
        if any(judgment.dialogue for judgment in judgments) and not group.rankings:
            continue
        if not group.rankings:
            excluded["groups_without_ranking"] += bool(group.completions)
            continue
        key = prompt_key(group.prompt)
        split = split_by_prompt(key, splits, frozen.project.seed)
        tally.count(replace(group, split=split), key)
        tally.versions.update(item.schema_version for item in judgments if item.ranking and item.schema_version)
        tally.edits += sum(judgment.edit is not None for judgment in judgments)
        yield replace(with_edits(group, judgments), split=split)


def demonstrations(frozen: Frozen, splits: Mapping[str, str]) -> Iterator[tuple[Demonstration, Judgment | None]]:
    """The imported ones, then answers and dialogues that labelers wrote, each with its judgment.

    Args:
        frozen: the project.
        splits: of prompts, as of `prompt_splits`.
    """
    taken = set()
    for demonstration in frozen.demonstrations():
        taken.add(demonstration.id)
        yield demonstration, None
    if not any(schema.writes or schema.task == "chat" for schema in frozen.label_schemas().values()):
        return
    for group, judgments in frozen.groups():
        for judgment in judgments:
            if judgment.written:
                name = free_name(f"{group.id}-{judgment.annotator}", taken)
                taken.add(name)
                meta = {**group.meta, **_facts(group, judgment, splits.get(prompt_key(group.prompt)))}
                text = judgment.written.text
                yield Demonstration(name, group.prompt, text, judgment.annotator, group.source, meta), judgment
            dialogue = dialogues.demonstration(group, judgment)
            if dialogue:
                yield dialogue, judgment


def _facts(group: Group, judgment: Judgment, split: str | None) -> dict[str, Any]:
    """What else is known of a written answer; what is not known is left out."""
    values = {
        "group": group.id,
        "seconds": judgment.seconds,
        "at": judgment.at,
        "prompt_flags": None if judgment.prompt_flags is None else list(judgment.prompt_flags),
        "note": judgment.note,
        "split": split,
    }
    return {name: value for name, value in values.items() if value is not None}


def ranked_by_ratings(group: Group) -> Group:
    """The group with ranks in place of missing ones: the higher rated the better, equal ratings tied."""
    return replace(group, rankings=tuple(ranking.by_ratings() for ranking in group.rankings))


def _write_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> int:
    return write_text(path, (f"{dumps(row)}\n" for row in rows))


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8", newline="\n") as file:
        for line in file:
            yield json.loads(line)
