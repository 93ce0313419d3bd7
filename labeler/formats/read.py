"""Reading: a source in any format as groups and demonstrations, whole or as a stream."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, islice
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
_TICK = 1000  # rows between two reports of progress


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that was left out.

    Attributes:
        file: the file or source.
        line: its line, counted from 1 (for tables: the row).
        row_text: the row as found.
        problem: what is wrong and how to mend it, without the place.
        field: the path of the field at fault, where one is.
    """

    file: str
    line: int
    row_text: str
    problem: str
    field: str | None = None

    @property
    def reason(self) -> str:
        """The field with what is wrong in it."""
        return str(DataError(self.problem, field=self.field))


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


@dataclass(frozen=True, slots=True)
class Survey:
    """What a source holds, the bad rows of it too.

    Attributes:
        groups: as of `Imported`.
        demonstrations: likewise.
        format: likewise.
        bad: the rows that cannot be read.
        places: file and line of each group, by its id.
    """

    groups: tuple[Group, ...]
    demonstrations: tuple[Demonstration, ...]
    format: str
    bad: tuple[BadRow, ...]
    places: Mapping[str, tuple[str, int]]


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
    if skip_bad is None:
        spec, rows = _plan(source, format, columns)
        records = tuple(record for _, record in _parse(spec, rows, _stop))
        if not records:
            raise DataError("holds no groups and no demonstrations", file=str(source))
        return Imported(*_by_kind(records), spec.name)
    found = survey(source, format=format, columns=columns)
    write_bad_rows(found.bad, skip_bad)
    check_some(found, source)
    return Imported(found.groups, found.demonstrations, found.format, len(found.bad))


def survey(
    source: str | Path,
    *,
    format: str = "auto",  # noqa: A002  # the name of the flag
    columns: Mapping[str, str] | None = None,
    tick: Callable[[int], None] | None = None,
) -> Survey:
    """Everything in a source with everything that is wrong in it: no single row stops it.

    Args:
        source: as of `read`.
        format: likewise.
        columns: likewise.
        tick: called with the number of rows read, now and then.

    Raises:
        DataError: the source as a whole cannot be read.
        UsageError: there is no such format.
    """
    bad: list[BadRow] = []

    def keep(row: RawRow, error: DataError) -> None:
        bad.append(BadRow(row.file, row.line, row.text, error.problem, error.field))

    spec, rows = _plan(source, format, columns)
    records: list[Record] = []
    places: dict[str, tuple[str, int]] = {}
    for row, record in _parse(spec, rows if tick is None else _counted(rows, tick), keep):
        records.append(record)
        if isinstance(record, Group):
            places[record.id] = row.file, row.line
    groups, demonstrations = _by_kind(tuple(records))
    return Survey(groups, demonstrations, spec.name, tuple(bad), places)


def check_some(found: Survey, source: str | Path) -> None:
    """Raise `DataError` if a source gave nothing."""
    if found.groups or found.demonstrations:
        return
    if not found.bad:
        raise DataError("holds no groups and no demonstrations", file=str(source))
    first = found.bad[0]
    problem = f"{first.reason} (none of the {len(found.bad)} rows could be read as {found.format})"
    raise DataError(problem, file=first.file, line=first.line)


def columns_of(source: str | Path, *, format: str = "auto") -> tuple[str, ...]:  # noqa: A002
    """The names of the first row's fields, in its order; none where no row can be read."""
    rows = open_rows(source, format if format in CONTAINERS else None)
    first = next((row.value for row in islice(rows, _LOOK_FAR) if not isinstance(row.value, DataError)), {})
    return tuple(map(str, first))


def _counted(rows: Iterator[RawRow], tick: Callable[[int], None]) -> Iterator[RawRow]:
    for number, row in enumerate(rows, start=1):
        if number % _TICK == 0:
            tick(number)
        yield row


def _by_kind(records: tuple[Record, ...]) -> tuple[tuple[Group, ...], tuple[Demonstration, ...]]:
    groups = tuple(record for record in records if isinstance(record, Group))
    return groups, tuple(record for record in records if isinstance(record, Demonstration))


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
    return (record for _, record in _parse(spec, rows, _stop))


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


def _parse(spec: Format, rows: Iterator[RawRow], bad: _Bad) -> Iterator[tuple[RawRow, Record]]:
    """The records, each with its (first) row; each bad row, and each repeated id, goes to ``bad``, which may raise."""
    seen: dict[tuple[bool, str], int] = {}
    for row, record in _records(spec, rows, bad):
        key = isinstance(record, Group), record.id
        if key in seen:
            problem = f"{record.id!r} is already the id in line {seen[key]}; give every row its own"
            bad(row, DataError(problem, field="id"))
        else:
            seen[key] = row.line
            yield row, record


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


def write_bad_rows(bad: Sequence[BadRow], path: str | Path) -> None:
    """The bad rows as JSON Lines, replacing the file at once; no bad rows leave it empty."""
    with replacing(Path(path)) as temporary:
        lines = [dumps({"file": b.file, "line": b.line, "reason": b.reason, "row": b.row_text}) + "\n" for b in bad]
        temporary.write_bytes("".join(lines).encode())
