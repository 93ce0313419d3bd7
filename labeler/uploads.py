"""Files from a browser or a program, kept on disk under a harmless name, unpacked, and never larger than allowed."""

from __future__ import annotations

import gzip
import re
import shutil
import zlib
from pathlib import Path
from typing import IO

from labeler.errors import DataError
from labeler.formats.sources import SUFFIXES

UNPACKED_BYTES = 512 * 1024 * 1024
"""Of a file once it is unpacked; a packed one may hold a thousand times its size."""
BLOCK = 1024 * 1024
TEXTS = tuple(suffix for suffix in SUFFIXES if suffix != ".parquet")
ENDINGS = (*SUFFIXES, *(f"{suffix}.gz" for suffix in TEXTS))
"""How the name of a file that can be imported ends."""
LONGEST_NAME = 80


def keep(name: str, stream: IO[bytes], folder: Path, most: int = UNPACKED_BYTES) -> Path:
    """Write a file into a folder, unpacked; the path has a name of letters, digits, dots and dashes.

    The name matters: rows without an id are called by it (see `labeler.formats.spec.Place`).

    Raises:
        DataError: its name says that it cannot be imported, it is no sound gzip file, or larger than `most` bytes.
    """
    lower = name.lower()
    if not lower.endswith(ENDINGS):
        raise DataError(f"must be named {', '.join(SUFFIXES)}, the text ones also .gz", file=name)
    folder.mkdir(parents=True, exist_ok=True)
    packed = lower.endswith(".gz")
    path = folder / safe_name(name[:-3] if packed else name)
    try:
        with path.open("wb") as file:
            if packed:
                with gzip.GzipFile(fileobj=stream, mode="rb") as unpacked:
                    _copy(unpacked, file, most)
            else:
                _copy(stream, file, most)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        path.unlink(missing_ok=True)
        raise DataError("is no sound gzip file, or cut off; pack it again", file=name) from error
    except _TooLargeError:
        path.unlink(missing_ok=True)
        raise DataError(f"is larger than {most // 1024**2:,} MiB once unpacked; split it", file=name) from None
    return path


def safe_name(name: str) -> str:
    """The last part of a name, with other characters replaced and its ending kept."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", re.split(r"[\\/]", name)[-1]).lstrip(".-")
    stem, _, suffix = plain.rpartition(".")
    return f"{stem[:LONGEST_NAME] or 'file'}.{suffix.lower()}"


class _TooLargeError(Exception):
    """More was read than allowed."""


def _copy(source: IO[bytes] | gzip.GzipFile, target: IO[bytes], most: int) -> None:
    left = most
    while block := source.read(BLOCK):
        left -= len(block)
        if left < 0:
            raise _TooLargeError
        target.write(block)


def forget(folder: Path) -> None:
    """Remove a folder of uploads with everything in it."""
    shutil.rmtree(folder, ignore_errors=True)
