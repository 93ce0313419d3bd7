"""Where rows come from: JSON Lines, JSON, CSV, TSV, Parquet, snapshot folders, and `datasets` sources.

Every source yields `RawRow`: a row that cannot be read carries its error, so that the reader may skip it; what makes
the whole source unreadable (missing, not gzip, cut off) is raised as `DataError`.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import IO, Any, NoReturn

from labeler.errors import DataError
from labeler.formats import hub
from labeler.formats.tables import decode_cells

SUFFIXES = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet")
_SNAPSHOT = ("groups", "demonstrations")
_CELL_LIMIT = 2**31 - 1  # characters; csv's default of 131,072 is shorter than a long prompt


@dataclass(frozen=True, slots=True)
class RawRow:
    """One row as it was found.

    Attributes:
        file: the file or source, as the user named it.
        line: line, for tables and JSON arrays the row, counted from 1.
        value: the row, or why it cannot be read.
        raw: its bytes where the source has lines.
        split: the split of a dataset that it was read from.
    """

    file: str
    line: int
    value: Mapping[str, Any] | DataError
    raw: bytes | None = None
    split: str | None = None

    @property
    def text(self) -> str:
        """The row as found, for the list of bad rows."""
        if self.raw is not None:
            return self.raw.decode(errors="backslashreplace").rstrip("\r\n")
        return "" if isinstance(self.value, DataError) else json.dumps(dict(self.value), default=str)


def open_rows(source: str | Path, container: str | None = None) -> Iterator[RawRow]:
    """The rows of a source, lazily.

    Args:
        source: a file, a snapshot folder, a datasets folder, or ``hf:NAME[:config][/split]``.
        container: ``csv``, ``parquet`` or ``datasets`` to read a file of any name as that.

    Raises:
        DataError: the source is missing, of an unknown kind, or cannot be opened.
    """
    if str(source).startswith("hf:"):
        return _dataset_rows(str(source), hub.load(str(source)))
    path = Path(source)
    if path.is_dir():
        return _folder_rows(path)
    if not path.exists():
        raise DataError("there is no such file or folder; check the path", file=str(source))
    return _file_rows(path, container)


def suffix_of(path: Path) -> str:
    """The suffix that says what a file holds, in lower case and without a ``.gz`` behind it."""
    name = path.name.lower().removesuffix(".gz")
    return next((suffix for suffix in SUFFIXES if name.endswith(suffix)), Path(name).suffix)


def _file_rows(path: Path, container: str | None) -> Iterator[RawRow]:
    suffix = {"csv": ".csv", "parquet": ".parquet"}.get(container or "", suffix_of(path))
    if container == "csv" and path.name.lower().removesuffix(".gz").endswith(".tsv"):
        suffix = ".tsv"
    if suffix in (".jsonl", ".ndjson"):
        return _json_lines(path)
    if suffix == ".json":
        return _json_file(path)
    if suffix in (".csv", ".tsv"):
        return _csv_rows(path, "\t" if suffix == ".tsv" else None)
    if suffix == ".parquet":
        return _parquet_rows(path)
    problem = f"has an unknown extension {suffix or '(none)'}; it must be {', '.join(SUFFIXES)}, the text ones also .gz"
    raise DataError(problem, file=str(path))


def _folder_rows(path: Path) -> Iterator[RawRow]:
    packed = ((path / f"{name}.jsonl", path / f"{name}.jsonl.gz") for name in _SNAPSHOT)
    files = [next(filter(Path.is_file, either)) for either in packed if any(map(Path.is_file, either))]
    if files:
        return chain.from_iterable(_json_lines(file, empty_ok=True) for file in files)
    if hub.is_dataset(path):
        return _dataset_rows(str(path), hub.load_folder(path))
    problem = (
        "is a folder that is no dataset: it has neither groups.jsonl nor demonstrations.jsonl (a snapshot) nor "
        "dataset_dict.json nor state.json (saved by datasets); name a file in it"
    )
    raise DataError(problem, file=str(path))


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    """The file for reading, unpacked; every failure of the system or of gzip becomes a `DataError`."""
    try:
        with gzip.open(path) if path.name.lower().endswith(".gz") else path.open("rb") as stream:
            yield stream  # type: ignore[misc]  # GzipFile reads bytes as any IO[bytes] does
    except EOFError as error:
        raise DataError("the gzip file is cut off; copy or download it again", file=str(path)) from error
    except (gzip.BadGzipFile, zlib.error) as error:
        problem = f"is not a sound gzip file ({error}); copy it again, or drop .gz from its name if it is not packed"
        raise DataError(problem, file=str(path)) from error
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror or error}; check its rights", file=str(path)) from error


def _json_lines(path: Path, *, empty_ok: bool = False) -> Iterator[RawRow]:
    file, found = str(path), empty_ok
    with _opened(path) as stream:
        for line, raw in enumerate(stream, start=1):
            if line == 1 and raw.startswith(codecs.BOM_UTF8):
                raw = raw[3:]  # noqa: PLW2901  # a mark that some editors put first, no part of the text
            if not raw.isspace() and raw:
                found = True
                yield RawRow(file, line, _object(raw), raw)
    if not found:
        _empty(file)


def _empty(file: str) -> NoReturn:
    raise DataError("is empty; it must hold at least one row", file=file)


def _no_constant(name: str) -> NoReturn:
    raise DataError(f"holds {name}, which is no JSON number; write null or a finite number")


_DECODER = json.JSONDecoder(parse_constant=_no_constant)


def _object(raw: bytes) -> Mapping[str, Any] | DataError:
    """The JSON object of a line, or what is wrong with the line."""
    try:
        value = _DECODER.decode(raw.decode())
    except UnicodeDecodeError as error:
        return _not_utf8(raw, error)
    except json.JSONDecodeError as error:
        return DataError(f"is not JSON: {error.msg} at character {error.pos + 1}; write one JSON object a line")
    except DataError as error:
        return error
    except (ValueError, RecursionError) as error:  # a number of thousands of digits; brackets nested without end
        return DataError(f"is not JSON that can be read ({error}); correct the line")
    return _checked_object(value)


def _checked_object(value: object) -> Mapping[str, Any] | DataError:
    if isinstance(value, dict):
        return value
    kind = "a list" if isinstance(value, list) else "a bare value"
    return DataError(f"is JSON but {kind}, not an object; write one row as {{…}}, or name a whole list .json")


def _not_utf8(raw: bytes, error: UnicodeDecodeError) -> DataError:
    wide = raw[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) or b"\x00" in raw[:40]
    guess = " (it looks like UTF-16)" if wide else ""
    return DataError(f"is not UTF-8 at byte {error.start + 1}{guess}; save the file as UTF-8")


def _json_file(path: Path) -> Iterator[RawRow]:
    """A file that is one JSON array (or one object); what turns out to be JSON Lines is read as that."""
    file = str(path)
    with _opened(path) as stream:
        raw = stream.read().removeprefix(codecs.BOM_UTF8)
    if not raw.strip():
        _empty(file)
    try:
        value = _DECODER.decode(raw.decode())
    except UnicodeDecodeError as error:
        raise _not_utf8(raw, error).at(file=file, line=raw[: error.start].count(b"\n") + 1) from error
    except json.JSONDecodeError as error:
        if raw.lstrip().startswith(b"{"):
            yield from _json_lines(path)
            return
        raise DataError(f"is not JSON: {error.msg}; correct it", file=file, line=error.lineno) from error
    except DataError as error:
        raise error.at(file=file) from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"is not JSON that can be read ({error}); correct it", file=file) from error
    rows = value if isinstance(value, list) else [value]
    if not rows:
        _empty(file)
    for line, row in enumerate(rows, start=1):
        yield RawRow(file, line, _checked_object(row), None if isinstance(row, dict) else json.dumps(row).encode())


def _csv_rows(path: Path, delimiter: str | None) -> Iterator[RawRow]:
    file, found = str(path), False
    csv.field_size_limit(_CELL_LIMIT)
    with _opened(path) as stream:
        lines = _text_lines(stream, file)
        first = next(lines, "")
        reader = csv.reader(chain([first], lines), delimiter=delimiter or _delimiter(first), strict=True)
        rows = _sound(reader, file)
        header = _header(next(rows, []), file)
        line = reader.line_num + 1
        for cells in rows:
            if cells:
                found = True
                yield RawRow(file, line, _table_row(header, cells), json.dumps(cells, ensure_ascii=False).encode())
            line = reader.line_num + 1
    if not found:
        _empty(file)


def _text_lines(stream: IO[bytes], file: str) -> Iterator[str]:
    for line, raw in enumerate(stream, start=1):
        try:
            yield raw.removeprefix(codecs.BOM_UTF8).decode() if line == 1 else raw.decode()
        except UnicodeDecodeError as error:
            raise _not_utf8(raw, error).at(file=file, line=line) from error


def _delimiter(header: str) -> str:
    """The comma, semicolon or tab that the header has most of."""
    return max(",;\t", key=header.count)


def _header(cells: Sequence[str], file: str) -> Sequence[str]:
    names = [cell.strip() for cell in cells]
    if not any(names):
        _empty(file)
    repeated = next((name for name in names if names.count(name) > 1), None)
    if repeated is not None:
        raise DataError(f"the column {repeated!r} is there twice; rename one", file=file, line=1, field=repeated)
    return names


def _sound(reader: Any, file: str) -> Iterator[list[str]]:
    try:
        yield from reader
    except csv.Error as error:
        problem = f"is not sound CSV: {error}; quote texts that hold quotes, commas or line breaks"
        raise DataError(problem, file=file, line=reader.line_num) from error


def _table_row(header: Sequence[str], cells: Sequence[str]) -> Mapping[str, Any] | DataError:
    if len(cells) != len(header):
        problem = f"has {len(cells)} cells where the header has {len(header)} ({', '.join(header)}); quote the texts"
        return DataError(problem)
    return decode_cells(dict(zip(header, cells, strict=True)), only_text=True)


def _parquet_rows(path: Path) -> Iterator[RawRow]:
    import pyarrow as pa  # noqa: PLC0415  # half a second that no other format needs
    import pyarrow.parquet as pq  # noqa: PLC0415

    file, line = str(path), 0
    try:
        with pq.ParquetFile(path) as table:
            rows = chain.from_iterable(batch.to_pylist() for batch in table.iter_batches(batch_size=1024))
            for line, row in enumerate(rows, start=1):
                yield RawRow(file, line, decode_cells(row))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
        problem = f"is not a sound Parquet file ({str(error).splitlines()[0]}); write or copy it again"
        raise DataError(problem, file=file) from error
    if not line:
        _empty(file)


def _dataset_rows(name: str, splits: Mapping[str, Any]) -> Iterator[RawRow]:
    line = 0
    for split, dataset in splits.items():
        file = f"{name}[{split}]" if split and len(splits) > 1 else name
        for line, row in enumerate(dataset, start=1):
            yield RawRow(file, line, decode_cells(row), split=split or None)
    if not line:
        _empty(name)
