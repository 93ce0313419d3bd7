"""Judgments for other programs: some of a project's groups in one format, as a folder.

Those of held-out raters (see `labeler.raters`) are in an export only where it names them.

``labeler snapshot`` is the record that trainings here start from: everything, native, the same bytes for the same
judgments. An export is a part of it, chosen by filters, in somebody else's format; its manifest says which part.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, replace
from itertools import chain, islice
from pathlib import Path
from typing import Any

from labeler.errors import UsageError
from labeler.folders import MANIFEST, file_facts, replacing_folder, write_manifest
from labeler.formats import FORMATS, group_rows, prompt_key, write_demonstrations, write_groups
from labeler.formats.labelstudio import labeling_config
from labeler.records import Demonstration, Group
from labeler.selection import Export, Format
from labeler.snapshot import demonstrations, prompt_splits, ranked_by_ratings, split_by_prompt
from labeler.store import Frozen, Project, Store

KIND = "labeler export"
FILES: dict[Format, str] = {
    "native": "groups.jsonl",
    "trl": "pairs.jsonl",
    "trl-conversational": "pairs.jsonl",
    "openrlhf": "pairs.jsonl",
    "hh-rlhf": "pairs.jsonl",
    "csv": "groups.csv",
    "parquet": "groups.parquet",
    "datasets": "dataset",
    "argilla": "records.json",
    "labelstudio": "tasks.json",
}
"""What the judgments are called in each format."""
DEMONSTRATIONS, LABELING_CONFIG = "demonstrations.jsonl", "labeling-config.xml"
PREVIEW_ROWS = 3


def export(store: Store, project: Project, wanted: Export, out: str | Path) -> dict[str, Any]:
    """Write the files of an export and their manifest into a folder; returns the manifest.

    Raises:
        UsageError: ``out`` holds something else than an earlier export, or nothing is left to be written.
        DataError: a group does not fit the format.
    """
    with replacing_folder(out, KIND) as folder, store.frozen(project.id) as frozen:
        tally = _Tally()
        name = FILES[wanted.to]
        rows = write_groups(tally.of(chosen(frozen, wanted)), folder / name, format=wanted.to, ties=wanted.ties)
        shown = 0
        if FORMATS[wanted.to].write_demonstration:
            shown = write_demonstrations(_demonstrations(frozen, wanted), folder / DEMONSTRATIONS, format=wanted.to)
        if not rows and not shown:
            raise UsageError("nothing is left by these filters, or nothing was judged yet; nothing was written")
        if not shown:
            (folder / DEMONSTRATIONS).unlink(missing_ok=True)
        if wanted.to == "labelstudio":
            (folder / LABELING_CONFIG).write_text(labeling_config(tally.most), encoding="utf-8")
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        manifest = {
            "kind": KIND,
            "project": project.name,
            "export": asdict(wanted),
            "counts": {
                "rows": rows,
                "groups": tally.groups,
                "rankings": tally.annotators.total(),
                "annotators": len(tally.annotators),
                "demonstrations": shown,
            },
            "files": {str(path.relative_to(folder)): file_facts(path) for path in files},
        }
        write_manifest(folder, manifest)
        return manifest


def preview(store: Store, project: Project, wanted: Export) -> list[dict[str, Any]]:
    """The first rows, as the format has them; quick also in a large project.

    A prompt that came in two splits may stand in another one here than in the export, which looks at all of them first.
    """
    rows_of = group_rows(wanted.to, ties=wanted.ties)
    with store.frozen(project.id) as frozen:
        groups = _left(frozen, wanted, {})
        return list(islice(chain.from_iterable(map(rows_of, groups)), PREVIEW_ROWS))


def data_files(folder: Path) -> list[Path]:
    """The files of an export but for its manifest."""
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.name != MANIFEST)


def chosen(frozen: Frozen, wanted: Export) -> Iterator[Group]:
    """The groups of an export with their splits, in the order of import."""
    splits, _ = prompt_splits(group for group, _ in frozen.groups())
    return _left(frozen, wanted, splits)


def _demonstrations(frozen: Frozen, wanted: Export) -> Iterator[Demonstration]:
    """The imported ones, and the written ones that the filters leave."""
    splits, _ = prompt_splits(group for group, _ in frozen.groups())
    selection, unnamed = wanted.selection, _unnamed(frozen, wanted)
    for demonstration, judgment in demonstrations(frozen, splits):
        split = demonstration.meta.get("split")
        if judgment is None or (
            judgment.annotator not in unnamed
            and selection.wants(judgment)
            and (not selection.splits or split in selection.splits)
        ):
            yield demonstration


def _left(frozen: Frozen, wanted: Export, splits: Mapping[str, str]) -> Iterator[Group]:
    finals, unnamed = frozen.finals(), _unnamed(frozen, wanted)
    for group, everybodys in frozen.groups():
        judgments = tuple(said for said in everybodys if said.annotator not in unnamed)
        key = prompt_key(group.prompt)
        split = split_by_prompt(key, splits or {key: group.split or ""}, frozen.project.seed)
        left = wanted.selection.group(replace(group, split=split), judgments, finals.get(group.id), wanted.adjudicated)
        if left is not None:
            yield ranked_by_ratings(left) if wanted.ranks_from_ratings else left


def _unnamed(frozen: Frozen, wanted: Export) -> frozenset[str]:
    """Held-out raters that the export does not ask for by name."""
    return frozenset(frozen.held_out()) - {*wanted.selection.annotators}


class _Tally:
    """What passed by on its way into a file."""

    def __init__(self) -> None:
        self.groups, self.most = 0, 0
        self.annotators: Counter[str] = Counter()

    def of(self, groups: Iterable[Group]) -> Iterator[Group]:
        for group in groups:
            self.groups += 1
            self.most = max(self.most, len(group.completions))
            self.annotators.update(ranking.annotator for ranking in group.rankings)
            yield group
