"""An import from its source into a project: read, checked, cleaned, stored in one transaction, and told about.

The command, the page and the REST API all do it through `bring_in`. A dry run does everything but store.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from labeler import meaning
from labeler.cleaning import Cleaned, Cleaning, clean
from labeler.entities import ImportCounts, Project
from labeler.errors import DataError, NotFoundError, ProductError, UsageError
from labeler.formats import (
    BadRow,
    Survey,
    check_some,
    columns_of,
    dumps,
    group_to_row,
    parse_group,
    survey,
    write_bad_rows,
)
from labeler.formats.files import replacing
from labeler.label_schema import LabelSchema
from labeler.personal import masked_group
from labeler.queue import PRIORITIES
from labeler.records import Group
from labeler.store import Store

SHOWN, LISTED, LOOKED = 3, 200, 200
"""So many groups are shown in a report; so many problems, groups left out and masked ones are listed there; in so many
groups a dry run looks for personal data."""
_PAGE = 500


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What is to be imported and how.

    Attributes:
        source: see `labeler.formats.read`.
        name: what the source is called in errors, where it is not what its user calls it.
        project: into which one; it is made if there is none of this name.
        format: of the source.
        columns: our name of a field → its name in the source.
        schema: what a new project asks.
        overlap: people for each task; the project's own where None.
        guidelines: become the project's newest.
        priority: of the groups that say none themselves.
        skip_bad: bad rows are left out and written here; where None, one of them stops the import.
        skip_known: what the project has already with the same content is left out.
        cleaning: what is done before it is stored.
        progress: file of JSON lines that tells how far it is, see `labeler.jobs.events`.
    """

    source: str
    project: str
    name: str | None = None
    format: str = "auto"
    columns: Mapping[str, str] = field(default_factory=dict)
    schema: LabelSchema | None = None
    overlap: int | None = None
    guidelines: str | None = None
    priority: int | None = None
    skip_bad: Path | None = None
    skip_known: bool = False
    cleaning: Cleaning = field(default_factory=Cleaning)
    progress: Path | None = None

    def __post_init__(self) -> None:
        if self.priority is not None and self.priority not in PRIORITIES:
            raise UsageError("--priority must be a whole number from 0 to 100")
        if self.skip_bad is not None and self.skip_bad.resolve() == Path(self.source).resolve():
            raise UsageError("the file for bad rows is the source itself; name another one")


@dataclass(frozen=True, slots=True)
class Report:
    """What an import did, or a dry run would do. Lists have at most `LISTED` entries, beside them stands their length.

    Attributes:
        format: that the source was in; None where it could not be told.
        columns: names of the fields of its first row.
        counts: what was added; None where nothing was or would be.
        sizes: number of groups by how many completions they have.
        first: the first groups as native rows without rankings, as they are stored.
        problems: what is wrong, each with ``line``, ``field`` and ``problem``, which says how to mend it.
        bad: how many problems there are.
        repeated: groups whose prompt was there before.
        left_out: groups left out, each with ``id``, ``reason`` and ``because``.
        reasons: how many were left out, by reason.
        masked: groups and demonstrations with personal data, each with ``id`` and ``kinds``.
        kinds: how many places were masked, by kind.
        splits: groups that got their author's split, by split.
        seen: where a dry run masks nothing: kinds of personal data in the first `LOOKED` groups, and places of each.
        dry_run: whether nothing was to be stored.
    """

    format: str | None = None
    columns: tuple[str, ...] = ()
    counts: ImportCounts | None = None
    sizes: Mapping[str, int] = field(default_factory=dict)
    first: tuple[Mapping[str, Any], ...] = ()
    problems: tuple[Mapping[str, Any], ...] = ()
    bad: int = 0
    repeated: int = 0
    left_out: tuple[Mapping[str, Any], ...] = ()
    reasons: Mapping[str, int] = field(default_factory=dict)
    masked: tuple[Mapping[str, Any], ...] = ()
    kinds: Mapping[str, int] = field(default_factory=dict)
    splits: Mapping[str, int] = field(default_factory=dict)
    seen: Mapping[str, int] = field(default_factory=dict)
    dry_run: bool = False

    def save(self, path: Path) -> None:
        """Write it as JSON, whole or not at all."""
        with replacing(path) as temporary:
            temporary.write_text(json.dumps(asdict(self), ensure_ascii=False), encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Report | None:
        """What `save` wrote; None where there is nothing."""
        try:
            row = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return cls(**{**row, "counts": ImportCounts(**row["counts"]) if row["counts"] else None})


def bring_in(store: Store, wanted: Wanted, *, dry_run: bool = False) -> Report:
    """Import, or with a dry run only say what an import would do.

    Raises:
        ProductError: it cannot be done and nothing was stored; a dry run tells what can be told as problems instead.
    """
    if not dry_run:
        return _bring_in(store, wanted, dry_run=False)
    try:
        return _bring_in(store, wanted, dry_run=True)
    except ProductError as error:
        where = {"line": error.line, "field": error.field} if isinstance(error, DataError) else {}
        said = error.problem if isinstance(error, DataError) else str(error)
        problem = {"line": None, "field": None, **where, "problem": said}
        return Report(columns=_columns(wanted), problems=(problem,), bad=1, dry_run=True)


def _bring_in(store: Store, wanted: Wanted, *, dry_run: bool) -> Report:
    told = _Told(wanted.progress)
    project = _project(store, wanted)
    found = _surveyed(wanted, told)
    groups, misfits = _fitting(found, project.schema, wanted.priority)
    bad = (*found.bad, *misfits)
    if wanted.skip_bad is not None:
        write_bad_rows(bad, wanted.skip_bad)
    elif bad and not dry_run:
        first = bad[0]
        raise DataError(first.problem, file=wanted.name or first.file, line=first.line, field=first.field)
    if not dry_run:
        check_some(replace(found, groups=groups, bad=bad), wanted.name or wanted.source)
    told("clean", 0, len(groups))
    cleaned = _clean(store, wanted, project, replace(found, groups=groups))
    told("store", 0, len(cleaned.groups))
    counts = _store(store, wanted, cleaned, dry_run=dry_run)
    return _report(wanted, found, bad, cleaned, counts, dry_run=dry_run)


def _project(store: Store, wanted: Wanted) -> Project:
    try:
        return store.project(wanted.project)
    except NotFoundError:
        return Project(0, wanted.project, wanted.schema or LabelSchema())


def _surveyed(wanted: Wanted, told: _Told) -> Survey:
    try:
        return survey(wanted.source, format=wanted.format, columns=wanted.columns, tick=lambda rows: told("read", rows))
    except DataError as error:
        raise DataError(error.problem, file=wanted.name or error.file, line=error.line, field=error.field) from error


def _fitting(found: Survey, schema: LabelSchema, priority: int | None) -> tuple[tuple[Group, ...], tuple[BadRow, ...]]:
    """The groups that the project can ask about, with their priority, and the others as bad rows."""
    fitting: list[Group] = []
    misfits: list[BadRow] = []
    for group in found.groups:
        try:
            schema.check_count(len(group.completions))
            urgent = group.meta.get("priority")
            if isinstance(urgent, int) and not isinstance(urgent, bool) and urgent not in PRIORITIES:
                raise DataError(f"is {urgent}; give a whole number from 0 to 100, or remove it", field="meta.priority")
        except DataError as error:
            file, line = found.places[group.id]
            problem = f"group {group.id!r} {error.problem}"
            misfits.append(BadRow(file, line, dumps(group_to_row(group)), problem, error.field))
            continue
        given = priority is not None and "priority" not in group.meta
        fitting.append(replace(group, meta={**group.meta, "priority": priority}) if given else group)
    return tuple(fitting), tuple(misfits)


def _clean(store: Store, wanted: Wanted, project: Project, found: Survey) -> Cleaned:
    how = wanted.cleaning
    before = tuple(_before(store, project)) if how.looks_back and project.id else ()
    cosine, progress = how.unique_meaning, wanted.progress
    same = None if cosine is None else lambda prompts: meaning.firsts(prompts, cosine, progress)
    return clean(found.groups, found.demonstrations, how, before=before, firsts=same, seed=project.seed)


def _before(store: Store, project: Project) -> Iterator[Group]:
    """What cleaning looks at of the groups that the project has."""
    after = 0
    while page := store.task_page(project.id, after=after, limit=_PAGE):
        after = page[-1].id
        for task in page:
            group = parse_group(task.row)
            yield replace(group, completions=(), meta={"author": group.meta.get("author")})


def _store(store: Store, wanted: Wanted, cleaned: Cleaned, *, dry_run: bool) -> ImportCounts:
    try:
        return store.import_into(
            wanted.project,
            cleaned.groups,
            cleaned.demonstrations,
            schema=wanted.schema,
            overlap=wanted.overlap,
            guidelines=wanted.guidelines,
            skip_known=wanted.skip_known,
            dry_run=dry_run,
        )[1]
    except DataError as error:
        raise error.at(file=wanted.name or wanted.source) from error


def _report(
    wanted: Wanted, found: Survey, bad: tuple[BadRow, ...], cleaned: Cleaned, counts: ImportCounts, *, dry_run: bool
) -> Report:
    kinds: Counter[str] = Counter()
    for one in cleaned.masked:
        kinds.update(one.kinds)
    first = [group_to_row(replace(group, rankings=())) for group in cleaned.groups[:SHOWN]]
    return Report(
        format=found.format,
        columns=_columns(wanted),
        counts=counts,
        sizes={str(k): n for k, n in sorted(Counter(len(group.completions) for group in cleaned.groups).items())},
        first=tuple(first),
        problems=tuple({"line": b.line, "field": b.field, "problem": b.problem} for b in bad[:LISTED]),
        bad=len(bad),
        repeated=cleaned.repeated,
        left_out=tuple(asdict(one) for one in cleaned.left_out[:LISTED]),
        reasons=dict(Counter(one.reason for one in cleaned.left_out)),
        masked=tuple(asdict(one) for one in cleaned.masked[:LISTED]),
        kinds=dict(kinds),
        splits=cleaned.splits,
        seen=_seen(cleaned, wanted.cleaning) if dry_run else {},
        dry_run=dry_run,
    )


def _seen(cleaned: Cleaned, how: Cleaning) -> dict[str, int]:
    if how.mask_pii:
        return {}
    kinds: Counter[str] = Counter()
    for group in cleaned.groups[:LOOKED]:
        kinds.update(masked_group(group, how.phone_region)[1])
    return dict(kinds)


def _columns(wanted: Wanted) -> tuple[str, ...]:
    try:
        return columns_of(wanted.source, format=wanted.format)
    except ProductError:
        return ()


class _Told:
    """Tells how far an import is, where somebody wants to know."""

    def __init__(self, path: Path | None) -> None:
        self._path, self._start = path, time.monotonic()

    def __call__(self, stage: str, step: int, total: int = 0) -> None:
        if self._path is None:
            return
        row = {"event": "step", "stage": stage, "step": step, "total": total}
        with self._path.open("a", encoding="utf-8") as file:
            file.write(dumps({**row, "seconds": round(time.monotonic() - self._start, 3)}) + "\n")
