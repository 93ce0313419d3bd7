"""Reading: a source in any format as groups and demonstrations, whole or as a stream."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any

from labeler.errors import DataError, UsageError
from labeler.formats.fields import Row
from labeler.formats.files import replacing
from labeler.formats.keys import dumps
from labeler.formats.registry import CONTAINERS, detect, find
from labeler.formats.sources import RawRow, open_rows
from labeler.formats.spec import Format, Place, Record
from labeler.records import Demonstration, Group

_Bad = Callable[[RawRow, DataError], None]
_LOOK = 20  # rows that decide the format
_LOOK_FAR = 1000  # rows within which they must be found


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that was left out.

    Attributes:
        file: the file or source.
        line: its line, counted from 1 (for tables: the row).
        row_text: the row as found.
        reason: what is wrong and how to mend it, without the place.
    """

    file: str
    line: int
    row_text: str
    reason: str


@dataclass(frozen=True, slots=True)
class Imported:
    """What a source held.

    Attributes:
        groups: its groups, in the order of the source.
        demonstrations: its demonstrations, likewise.
        format: name of the format that it was in.
        skipped: number of bad rows left out (0 without ``skip_bad``).
    """

    groups: tuple[Group, ...]
    demonstrations: tuple[Demonstration, ...]
    format: str
    skipped: int = 0


def read(
    source: str | Path,
    *,
    format: str = "auto",  # noqa: A002  # the name of the flag
    columns: Mapping[str, str] | None = None,
    skip_bad: str | Path | None = None,
) -> Imported:
    """Everything in a source.

    Args:
        source: a file (.jsonl, .json, .csv, .tsv, each also .gz, .parquet), a snapshot folder, a folder saved by
            `datasets`, or ``hf:NAME[:config][/split]``.
        format: a name of `FORMATS`, or ``auto``: detected from the first rows.
        columns: our name of a field → its name in the source, e.g. ``{"prompt": "question"}``.
        skip_bad: leave bad rows out and write them here, one JSON object ``{"file", "line", "reason", "row"}`` a line.

    Raises:
        DataError: without ``skip_bad`` for the first bad row; always where the source as a whole cannot be read or
            no row of it can.
        UsageError: there is no such format, or ``skip_bad`` is the source itself.
    """
    if skip_bad is not None and Path(skip_bad).resolve() == Path(source).resolve():
        raise UsageError("the file for bad rows is the source itself; name another one")
    bad: list[BadRow] = []

    def keep(row: RawRow, error: DataError) -> None:
        bad.append(BadRow(row.file, row.line, row.text, str(DataError(error.problem, field=error.field))))

    spec, rows = _plan(source, format, columns)
    records = list(_parse(spec, rows, _stop if skip_bad is None else keep))
    if skip_bad is not None:
        _write_bad(bad, Path(skip_bad))
    if bad and not records:
        first = bad[0]
        problem = f"{first.reason} (none of the {len(bad)} rows could be read as {spec.name})"
        raise DataError(problem, file=first.file, line=first.line)
    if not records:
        raise DataError("holds no groups and no demonstrations", file=str(source))
    groups = tuple(record for record in records if isinstance(record, Group))
    demonstrations = tuple(record for record in records if isinstance(record, Demonstration))
    return Imported(groups, demonstrations, spec.name, len(bad))


def iter_records(
    source: str | Path,
    *,
    format: str = "auto",  # noqa: A002  # the name of the flag
    columns: Mapping[str, str] | None = None,
) -> Iterator[Record]:
    """The groups and demonstrations of a source one by one; of formats with one a row, only the ids stay in memory.

    Arguments and errors are those of `read`; a bad row raises when it is reached.
    """
    spec, rows = _plan(source, format, columns)
    return _parse(spec, rows, _stop)


def iter_groups(
    source: str | Path,
    *,
    format: str = "auto",  # noqa: A002  # the name of the flag
    columns: Mapping[str, str] | None = None,
) -> Iterator[Group]:
    """The groups of a source one by one, as `iter_records` reads them; demonstrations are passed over."""
    records = iter_records(source, format=format, columns=columns)
    return (record for record in records if isinstance(record, Group))


def _stop(row: RawRow, error: DataError) -> None:
    raise error.at(file=row.file, line=row.line) from error


def _plan(source: str | Path, name: str, columns: Mapping[str, str] | None) -> tuple[Format, Iterator[RawRow]]:
    """The format, by name or from the first rows, and all rows with their columns renamed."""
    if name != "auto":
        find(name)
    rows = open_rows(source, name if name in CONTAINERS else None)
    if columns:
        rows = (_renamed(row, columns) for row in rows)
    if name != "auto" and name not in CONTAINERS:
        return find(name), rows
    looked: list[RawRow] = []
    sound: list[Mapping[str, Any]] = []
    for row in rows:
        looked.append(row)
        if not isinstance(row.value, DataError):
            sound.append(row.value)
        if len(sound) == _LOOK or len(looked) == _LOOK_FAR:
            break
    if not looked:
        raise DataError("is empty; it must hold at least one row", file=str(source))
    first = looked[0]
    if not sound and isinstance(first.value, DataError):
        raise first.value.at(file=first.file, line=first.line)
    return detect(sound, first.file, first.line), chain(looked, rows)


def _renamed(row: RawRow, columns: Mapping[str, str]) -> RawRow:
    """The row with its columns under our names, also inside the ``fields`` or ``data`` of a labelling tool's record."""
    if isinstance(row.value, DataError):
        return row
    value = dict(row.value)
    inner = next((key for key in ("fields", "data") if isinstance(value.get(key), Mapping)), None)
    for ours, theirs in columns.items():
        if theirs in value:
            value[ours] = value.pop(theirs)
        elif inner and theirs in value[inner]:
            value[inner] = {(ours if name == theirs else name): item for name, item in value[inner].items()}
        else:
            there = ", ".join(map(str, value[inner] if inner else value))
            error = DataError(f"there is no column {theirs!r}; the columns are: {there}", field=ours)
            return RawRow(row.file, row.line, error, row.raw, row.split)
    return RawRow(row.file, row.line, value, row.raw, row.split)


def _parse(spec: Format, rows: Iterator[RawRow], bad: _Bad) -> Iterator[Record]:
    """The records of rows; each bad row, and each repeated id, goes to ``bad``, which may raise."""
    seen: dict[tuple[bool, str], int] = {}
    for row, record in _records(spec, rows, bad):
        key = isinstance(record, Group), record.id
        if key in seen:
            problem = f"{record.id!r} is already the id in line {seen[key]}; give every row its own"
            bad(row, DataError(problem, field="id"))
        else:
            seen[key] = row.line
            yield record


def _records(spec: Format, rows: Iterator[RawRow], bad: _Bad) -> Iterator[tuple[RawRow, Record]]:
    if spec.merge and spec.key:
        return _merged(spec.key, spec.merge, rows, bad)
    if spec.parse:
        return _single(spec.parse, rows, bad)
    raise UsageError(f"{spec.name} says how a file is stored, not what its rows mean; use auto")


def _single(
    parse: Callable[[Row, Place], Record], rows: Iterator[RawRow], bad: _Bad
) -> Iterator[tuple[RawRow, Record]]:
    for row in rows:
        try:
            if isinstance(row.value, DataError):
                raise row.value
            record = parse(row.value, _place(row))
        except DataError as error:
            bad(row, error)
        else:
            yield row, record


def _merged(
    key: Callable[[Row], str],
    merge: Callable[[Sequence[tuple[int, Row]], Place], Group],
    rows: Iterator[RawRow],
    bad: _Bad,
) -> Iterator[tuple[RawRow, Record]]:
    """Formats in which several rows make a group: they need not stand together, so all rows are read first."""
    groups: dict[str, list[tuple[RawRow, Row]]] = {}
    for row in rows:
        try:
            if isinstance(row.value, DataError):
                raise row.value
            groups.setdefault(key(row.value), []).append((row, row.value))
        except DataError as error:
            bad(row, error)
    for members in groups.values():
        first = members[0][0]
        try:
            record = merge([(row.line, value) for row, value in members], _place(first))
        except DataError as error:
            for row, _ in members:
                bad(row, error)
        else:
            yield first, record


def _place(row: RawRow) -> Place:
    """What a row without an id or source is called."""
    stem, source = _names(row.file)
    return Place(f"{stem}-{row.line}", source, row.split)


@lru_cache(maxsize=64)
def _names(file: str) -> tuple[str, str]:
    """The first part of a row's id, and its source, from the file that it is in."""
    if file.startswith("hf:"):
        return file.removeprefix("hf:").replace("/", "-"), file
    name = Path(file).name
    return name.partition(".")[0], name


def _write_bad(bad: list[BadRow], path: Path) -> None:
    """The bad rows as JSON Lines, replacing the file at once; no bad rows leave it empty."""
    with replacing(path) as temporary:
        lines = [dumps({"file": b.file, "line": b.line, "reason": b.reason, "row": b.row_text}) + "\n" for b in bad]
        temporary.write_bytes("".join(lines).encode())
