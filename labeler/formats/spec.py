"""What a format is: a name, how to recognise its rows, how to read one, how to write a record."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from labeler.formats import fields
from labeler.formats.fields import Row
from labeler.records import SPLITS, Completion, Demonstration, Group, Prompt, Ranking, dense_ranks

Record = Group | Demonstration
ANONYMOUS = "dataset"
"""The annotator of a judgment whose source does not say who made it."""
_SPLIT_NAMES = {name: name for name in SPLITS} | {"validation": "valid", "dev": "valid", "eval": "valid"}


@dataclass(frozen=True, slots=True)
class Place:
    """What a row that says nothing of itself is called.

    Attributes:
        id: id for a row without one, from the file's name and the line: the same file gives the same ids.
        source: where it came from, the file's name or the dataset's.
        split: the split it was read from, or None.
    """

    id: str
    source: str
    split: str | None = None


@dataclass(frozen=True, slots=True)
class Format:
    """One outside format.

    Attributes:
        name: what ``--format`` takes.
        summary: its row in a few words, for help and errors.
        matches: whether a row is meant as one of this format, sound or not; None: never detected by its rows.
        parse: a row as a record; raises `DataError` with the field.
        key: where several rows make one group, the value that they share; then ``parse`` takes them as ``merge``.
        merge: the rows of one group with their lines, in file order, as that group.
        write: the rows of a group; None where it makes no sense.
        ties: whether ``write`` takes ``ties=True`` for pairs of equals.
        write_demonstration: the row of a demonstration, likewise.
    """

    name: str
    summary: str
    matches: Callable[[Row], bool] | None = None
    parse: Callable[[Row, Place], Record] | None = None
    key: Callable[[Row], str] | None = None
    merge: Callable[[Sequence[tuple[int, Row]], Place], Group] | None = None
    write: Callable[..., Iterator[dict[str, Any]]] | None = None
    ties: bool = False
    write_demonstration: Callable[[Demonstration], dict[str, Any]] | None = None


def own_id(row: Row, place: Place) -> str:
    """The row's ``id`` as text (numbers are common), or the one made from its place."""
    value = row.get("id")
    if value is None or value == "":
        return place.id
    return value if isinstance(value, str) else str(fields.whole(value, "id", "a string"))


def own_split(row: Row, place: Place) -> str | None:
    """The row's ``split`` in our names, else that of the place; a name that says nothing to us is left alone."""
    name = row.get("split")
    return split_name(name if isinstance(name, str) else None) or split_name(place.split)


def split_name(name: str | None) -> str | None:
    """A dataset's split in our words (``validation`` is ``valid``), or None."""
    return _SPLIT_NAMES.get(name) if name else None


def completions(texts: Sequence[str], models: Sequence[str | None] | None = None) -> tuple[Completion, ...]:
    """Completions with the ids c0, c1, …: an id never tells which one was preferred."""
    models = models or [None] * len(texts)
    return tuple(Completion(f"c{i}", text, model) for i, (text, model) in enumerate(zip(texts, models, strict=True)))


def build_group(
    row: Row,
    place: Place,
    *,
    prompt: Prompt,
    answers: tuple[Completion, ...],
    rankings: tuple[Ranking, ...],
    used: frozenset[str],
) -> Group:
    """A group from what a format found in a row; fields that it did not use are kept under ``meta``."""
    source = fields.optional_text(row, "source") or place.source
    meta = fields.rest(row, used | {"id", "prompt", "source", "split", "annotator"})
    if isinstance(meta.get("meta"), Mapping):
        meta = {**meta, **meta["meta"]}
        del meta["meta"]
    return Group(own_id(row, place), prompt, answers, rankings, source, own_split(row, place), meta)


def annotator(row: Row) -> str:
    """Who judged, where the row says so."""
    return fields.optional_text(row, "annotator") or ANONYMOUS


def person(value: object) -> str:
    """A person's id; of a nested user only the id, so that no e-mail address or name is taken over."""
    if isinstance(value, Mapping):
        value = value.get("id")
    return ANONYMOUS if value is None or value == "" else str(value)


def ranks_of_scores(scores: Sequence[float | None]) -> tuple[int | None, ...]:
    """Scores, higher is better, as dense ranks: equal scores tie, a missing score is not ranked."""
    levels = sorted({score for score in scores if score is not None}, reverse=True)
    place = {score: rank for rank, score in enumerate(levels, start=1)}
    return dense_ranks([None if score is None else place[score] for score in scores])
