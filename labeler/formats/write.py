"""Writing groups and demonstrations, in any format that makes sense for them, whole or not at all."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, Any, TypeVar

from labeler.errors import DataError, UsageError
from labeler.formats.files import replacing
from labeler.formats.keys import dumps
from labeler.formats.registry import CONTAINERS, FORMATS, find
from labeler.formats.sources import suffix_of
from labeler.records import Demonstration, Group

Rows = Iterator[dict[str, Any]]
_T = TypeVar("_T")


def write_groups(
    groups: Iterable[Group],
    path: str | Path,
    *,
    format: str = "native",  # noqa: A002  # the name of the flag
    ties: bool = False,
) -> int:
    """Write groups to a file or folder, replacing it at once; a failure leaves what was there.

    Args:
        groups: may be a stream; native JSON Lines are written with flat memory.
        path: its suffix says how the rows are stored (.jsonl, .json, .csv, .tsv, each also .gz, .parquet); with the
            formats ``csv``, ``parquet`` and ``datasets`` any name will do. Native rows in a .csv are the long table.
        format: a name of `FORMATS`. The pairwise formats (trl, trl-conversational, openrlhf, hh-rlhf) get one row for
            each strict preference that each annotator stated: ties and unranked completions give none, and two people
            who agree give two rows. They get a ``margin`` where every row has one: the imported one, or Llama 2's for
            the stated strength. All but hh-rlhf say who the ``annotator`` was.
        ties: trl, trl-conversational and openrlhf get each tie too, once in each direction and with the margin 0: a
            trainer of pairs then learns equal scores. The column ``tie`` says which rows these are.

    Returns:
        Number of rows written.

    Raises:
        UsageError: the format is unknown or cannot hold groups, or the suffix is unknown.
        DataError: a group does not fit the format, or the place cannot be written to.
    """
    path = Path(path)
    container = _container(path, find(format).name)
    rows_of = group_rows("long" if format == "native" and container in (".csv", ".tsv") else format, ties=ties)
    return _write(groups, path, container, rows_of, is_native=format in ("native", "parquet", "datasets"))


def group_rows(name: str, *, ties: bool = False) -> Callable[[Group], Rows]:
    """What turns a group into rows of a format.

    Raises:
        UsageError: the format is unknown, cannot hold groups, or cannot hold ties that are asked for.
    """
    spec = find(name)
    if spec.write is None:
        able = ", ".join(name for name, each in FORMATS.items() if each.write)
        raise UsageError(f"groups cannot be written as {name}; the formats for them are {able}")
    if ties and not spec.ties:
        able = ", ".join(name for name, each in FORMATS.items() if each.ties)
        raise UsageError(f"{name} has no rows for ties; the formats that have are {able}")
    return partial(spec.write, ties=True) if ties else spec.write


def write_demonstrations(
    demonstrations: Iterable[Demonstration],
    path: str | Path,
    *,
    format: str = "native",  # noqa: A002
) -> int:
    """Write demonstrations to a file, replacing it at once.

    Args:
        demonstrations: may be a stream.
        path: its suffix says how the rows are stored, as for `write_groups`.
        format: ``native``, ``messages``, ``trl`` (prompt and completion as strings) or ``trl-conversational``.

    Returns:
        Number of rows written.

    Raises:
        UsageError: the format cannot hold demonstrations, or the suffix is unknown.
        DataError: a demonstration does not fit the format, or the place cannot be written to.
    """
    spec, path = find(format), Path(path)
    write = spec.write_demonstration
    if write is None:
        able = ", ".join(name for name, each in FORMATS.items() if each.write_demonstration)
        raise UsageError(f"demonstrations cannot be written as {format}; the formats for them are {able}")
    return _write(demonstrations, path, _container(path, format), lambda each: iter([write(each)]))


def _container(path: Path, name: str) -> str:
    suffix = suffix_of(path)
    if name in CONTAINERS:
        return ".tsv" if name == "csv" and suffix == ".tsv" else f".{name}"
    if suffix not in (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet"):
        raise UsageError(f"{path} has the unknown extension {suffix or '(none)'}; end it in .jsonl, .csv or .parquet")
    return suffix


def _write(
    records: Iterable[_T],
    path: Path,
    container: str,
    rows_of: Callable[[_T], Rows],
    *,
    is_native: bool = False,
) -> int:
    rows: Rows | list[dict[str, Any]] = (row for record in records for row in rows_of(record))
    if not is_native:
        rows = _even(list(rows))
    with replacing(path) as temporary, _encodable(path):
        if container == ".parquet":
            return _write_parquet(list(rows), temporary, is_native)
        if container == ".datasets":
            return _write_dataset(list(rows), temporary)
        with _packed(temporary, path) as stream:
            if container in (".csv", ".tsv"):
                return _write_csv(list(rows), stream, "\t" if container == ".tsv" else ",")
            return _write_json(rows, stream, is_array=container == ".json")


@contextmanager
def _encodable(path: Path) -> Iterator[None]:
    try:
        yield
    except UnicodeEncodeError as error:
        raise DataError(f"a text has no UTF-8 form ({error.reason}); repair it", file=str(path)) from error


def _even(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows without a margin unless all have one: a trainer would stumble over a missing value."""
    if all("margin" in row for row in rows):
        return rows
    return [{name: value for name, value in row.items() if name != "margin"} for row in rows]


@contextmanager
def _packed(temporary: Path, path: Path) -> Iterator[IO[bytes]]:
    """The file to write to; packed with no name or time inside, so that equal rows give equal bytes."""
    with temporary.open("wb") as raw:
        if not path.name.lower().endswith(".gz"):
            yield raw
            return
        with gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as stream:
            yield stream  # type: ignore[misc]  # GzipFile writes bytes as any IO[bytes] does


def _write_json(rows: Iterable[dict[str, Any]], stream: IO[bytes], *, is_array: bool) -> int:
    count = 0
    for count, row in enumerate(rows, start=1):
        lead = ("[\n" if count == 1 else ",\n") if is_array else ""
        stream.write(f"{lead}{dumps(row)}{'' if is_array else chr(10)}".encode())
    if is_array:
        stream.write(b"\n]\n" if count else b"[]\n")
    return count


def _write_csv(rows: list[dict[str, Any]], stream: IO[bytes], delimiter: str) -> int:
    text = io.TextIOWrapper(stream, encoding="utf-8", newline="")
    writer = csv.writer(text, delimiter=delimiter, quoting=csv.QUOTE_MINIMAL)
    names = list(dict.fromkeys(name for row in rows for name in row))
    writer.writerow(names)
    writer.writerows([_cell(row.get(name)) for name in names] for row in rows)
    text.detach()
    return len(rows)


def _cell(value: Any) -> Any:
    """A cell: nested values as JSON."""
    return value if value is None or isinstance(value, str | int | float) else json.dumps(value, ensure_ascii=False)


def _native_schema() -> Any:
    """The Arrow schema of native groups; ``meta``, which has no fixed fields, is JSON text."""
    import pyarrow as pa  # noqa: PLC0415  # half a second that no other format needs

    text, number, whole = pa.string(), pa.float64(), pa.int64()
    turn = pa.struct({"role": text, "content": text})
    completion = pa.struct({"id": text, "text": text, "model": text})
    judgment = {"annotator": text, "ranks": pa.list_(whole), "strength": whole, "ratings": pa.list_(whole)}
    judgment |= {"flags": pa.list_(pa.list_(text)), "all_bad": pa.bool_(), "note": text, "seconds": number}
    judgment |= {"order": pa.list_(text), "at": text, "weight": number}
    judgment |= {"prompt_flags": pa.list_(text), "top_only": pa.bool_()}
    columns = {"id": text, "prompt": pa.list_(turn), "completions": pa.list_(completion)}
    return pa.schema(columns | {"rankings": pa.list_(pa.struct(judgment)), "source": text, "split": text, "meta": text})


def _native_table(rows: list[dict[str, Any]]) -> Any:
    import pyarrow as pa  # noqa: PLC0415

    return pa.Table.from_pylist([{**row, "meta": dumps(row["meta"])} for row in rows], schema=_native_schema())


def _write_parquet(rows: list[dict[str, Any]], path: Path, is_native: bool) -> int:
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.parquet as pq  # noqa: PLC0415

    pq.write_table(_native_table(rows) if is_native else pa.Table.from_pylist(rows), path)
    return len(rows)


def _write_dataset(rows: list[dict[str, Any]], path: Path) -> int:
    import datasets  # noqa: PLC0415  # two seconds that no other format needs

    shown = datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    try:
        features = datasets.Features.from_arrow_schema(_native_schema())
        plain = [{"split": None, **row, "meta": dumps(row["meta"])} for row in rows]
        datasets.Dataset.from_list(plain, features=features).save_to_disk(str(path))
    finally:
        if not shown:
            datasets.enable_progress_bars()
    return len(rows)
