"""Folders that are written whole or not at all, with a manifest that says what they are."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

from labeler.errors import DataError, UsageError

MANIFEST = "manifest.json"


@contextmanager
def replacing_folder(out: str | Path, kind: str) -> Iterator[Path]:
    """A folder to write to; it takes the place of ``out`` when the block ends without an error.

    Args:
        out: a folder that is missing, empty or an earlier one of this kind.
        kind: what the manifest calls it, as ``labeler snapshot``.

    Raises:
        UsageError: ``out`` is anything else.
    """
    target = Path(out).absolute()
    _check_replaceable(target, kind)
    target.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        yield folder
        folder.chmod(0o755)  # mkdtemp keeps it to its owner
        _swap(folder, target)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _check_replaceable(target: Path, kind: str) -> None:
    if not target.exists() and not target.is_symlink():
        return
    if target.is_symlink() or not target.is_dir():
        raise UsageError(f"--out {target} is not a folder; name another")
    if any(target.iterdir()):
        try:
            read_manifest(target, kind)
        except DataError:
            what = kind.rpartition(" ")[2]
            raise UsageError(f"--out {target} holds something that is no {what}; name an empty folder") from None


def read_manifest(folder: Path, kind: str) -> dict[str, Any]:
    """The manifest of a folder.

    Raises:
        DataError: it has none of this kind.
    """
    path, what = folder / MANIFEST, kind.rpartition(" ")[2]
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(f"is missing; this is no {what}", file=str(path)) from None
    except ValueError as error:
        raise DataError(f"is not JSON; take the {what} again", file=str(path)) from error
    if not isinstance(manifest, dict) or manifest.get("kind") != kind:
        raise DataError(f"is not the manifest of a {what}", file=str(path))
    return manifest


def write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    """Write it into the folder."""
    write_text(folder / MANIFEST, [json.dumps(manifest, ensure_ascii=False, indent=2) + "\n"])


def write_text(path: Path, lines: Iterable[str]) -> int:
    """Write lines to the disk; returns their number."""
    count = 0
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for line in lines:
            file.write(line)
            count += 1
        file.flush()
        os.fsync(file.fileno())
    return count


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    found = sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            found.update(block)
    return found.hexdigest()


def file_facts(path: Path) -> dict[str, Any]:
    """What a manifest says of a file."""
    return {"sha256": digest(path), "bytes": path.stat().st_size}


def _swap(folder: Path, target: Path) -> None:
    """Put the finished folder in the place of an earlier one."""
    if not target.exists():
        folder.rename(target)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{target.name}-old-", dir=target.parent))
    target.rename(old / "before")
    folder.rename(target)
    shutil.rmtree(old)
