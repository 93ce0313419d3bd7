"""Prompts to sample for, from whatever file they stand in; a prompt is a `Group` without completions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path

from labeler.errors import DataError
from labeler.formats import iter_groups, parse_group, read
from labeler.formats.sources import RawRow, open_rows
from labeler.records import Group, Message

PROMPT_FIELDS = frozenset({"id", "prompt", "source", "split", "meta"})


def read_prompts(source: str, *, limit: int | None = None) -> list[Group]:
    """The prompts of a source, in its order, as groups without completions and rankings.

    Args:
        source: a ``.txt`` with a prompt a line, rows of ``{"id", "prompt"}`` (the id may be missing), or anything that
            `labeler.formats.read` reads (groups, demonstrations, preference sets, ``hf:NAME``).
        limit: only the first so many.

    Raises:
        DataError: the source cannot be read, is empty, or repeats an id; names file, line and field.
    """
    found = list(_text_lines(Path(source)) if source.endswith(".txt") else _rows(source))
    if not found:
        raise DataError("holds no prompt; give a prompt a line, or rows with id and prompt", file=source)
    seen: set[str] = set()
    for group in found:
        if group.id in seen:
            raise DataError(f"two prompts have the id {group.id!r}; make them unique", file=source, field="id")
        if not group.prompt:
            raise DataError(f"of {group.id!r} is empty, a scenario is for people; give it a turn", field="prompt")
        seen.add(group.id)
    return found[:limit]


def unique_groups(sources: Sequence[str], read_one: Callable[[str], Iterable[Group]] = iter_groups) -> list[Group]:
    """The groups of all sources, whose ids are names elsewhere and so may not repeat.

    Args:
        sources: what ``--data`` names.
        read_one: how one of them is read, such as `read_prompts`.

    Raises:
        DataError: a source cannot be read, or two groups have the same id.
    """
    found: dict[str, Group] = {}
    for source in sources:
        for group in read_one(source):
            if group.id in found:
                raise DataError(f"the id {group.id!r} was there before; make the ids unique", file=source, field="id")
            found[group.id] = group
    return list(found.values())


def _text_lines(path: Path) -> Iterator[Group]:
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}; check the path", file=str(path)) from error
    except UnicodeDecodeError as error:
        raise DataError("is not UTF-8 text; save it as UTF-8", file=str(path)) from error
    for number, line in enumerate(lines, start=1):
        if line.strip():
            yield Group(f"{path.stem}-{number}", (Message("user", line),), (), source=path.name)


def _rows(source: str) -> Iterator[Group]:
    """Rows of prompts where the first row is one; else the prompts of what another format holds."""
    rows = open_rows(source)
    first = next(rows, None)
    if first is not None and not isinstance(first.value, DataError):
        fields = first.value.keys()
        if "prompt" in fields and fields <= PROMPT_FIELDS:
            return (_prompt(row) for row in chain([first], rows))
    return _from_formats(source)


def _prompt(row: RawRow) -> Group:
    try:
        if isinstance(row.value, DataError):
            raise row.value
        name = f"{Path(row.file).name.partition('.')[0]}-{row.line}"
        return replace(parse_group({"id": name, "completions": []} | dict(row.value)), completions=(), rankings=())
    except DataError as error:
        raise error.at(file=row.file, line=row.line) from error


def _from_formats(source: str) -> Iterator[Group]:
    imported = read(source)
    for group in imported.groups:
        yield replace(group, completions=(), rankings=())
    for shown in imported.demonstrations:
        yield Group(shown.id, shown.prompt, (), source=shown.source, meta=shown.meta)
