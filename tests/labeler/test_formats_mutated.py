"""One wrong value anywhere in a sound row of any format: the row is read, or refused with the field; never a crash."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from test_formats_native import FULL
from test_formats_outside import ARGILLA, PAIRS, ULTRAFEEDBACK, ranker

from labeler.errors import DataError
from labeler.formats import FORMATS
from labeler.formats.spec import Place
from labeler.records import Demonstration, Group

ITEMS = [{"id": "a", "body": "x"}, {"id": "b", "body": "y", "model": "m"}]
CHOSEN = {"type": "pairwise", "to_name": "x,y", "value": {"selected": "left"}}
TASK = {"prompt": "p", "items": ITEMS}
SOUND: list[tuple[str, dict[str, Any]]] = [
    *((name, row) for name, row, _ in PAIRS.values()),
    *(("argilla", row) for row, _ in ARGILLA.values()),
    ("ultrafeedback", ULTRAFEEDBACK),
    ("native", FULL),
    ("native", {"id": "d", "prompt": "p", "completion": "c", "annotator": "a", "source": "s", "meta": {}}),
    ("messages", {"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}]}),
    ("labelstudio", {"id": 1, "data": TASK, "annotations": [ranker({"r": ["b", "a"]}, completed_by={"id": 3})]}),
    ("labelstudio", {"id": 1, "data": {"prompt": "p", "x": "1", "y": "2"}, "annotations": [{"result": [CHOSEN]}]}),
    ("wide", {"prompt": "p", "completion_a": "x", "completion_b": "y", "winner": "a", "model_a": "m", "strength": "3"}),
    ("wide", {"prompt": "p", "completion_a": "x", "completion_b": "y", "rank_a": 1, "rank_b": "2", "all_bad": "no"}),
    ("long", {"id": "g", "prompt": "p", "completion": "x", "annotator": "a", "rank": 1, "judgment": {"note": "n"}}),
    ("long", {"prompt": "p", "completion_id": "c", "completion": "x", "score": "2", "source": "s", "meta": {}}),
    ("prompts", {"id": 3, "prompt": "p", "meta": {"x": 1}}),
]
DELETED = object()
ODD: list[Any] = [
    *(DELETED, None, True, 0, -1, 1.5, float("nan"), 10**400, "", "x", "\ud800", [], [[]], [None], ["x"], [1, 2, 3]),
    *({}, {"x": 1}, {"id": None}, [{}], [{"id": []}], [{"role": "user", "content": "x"}]),
]


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place inside a row."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inside:
        yield (*path, key)
        yield from paths(item, (*path, key))


def replaced(row: dict[str, Any], path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    changed = copy.deepcopy(row)
    place: Any = changed
    for key in path[:-1]:
        place = place[key]
    if value is DELETED:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return changed


@pytest.mark.parametrize("index", range(len(SOUND)), ids=[f"{i}-{name}" for i, (name, _) in enumerate(SOUND)])
def parse(name: str, row: dict[str, Any]) -> object:
    spec = FORMATS[name]
    if spec.merge and spec.key:
        spec.key(row)
        return spec.merge([(1, row)], Place("i", "s"))
    assert spec.parse is not None
    return spec.parse(row, Place("i", "s"))


@pytest.mark.parametrize("index", range(len(SOUND)), ids=[f"{i}-{name}" for i, (name, _) in enumerate(SOUND)])
def test_one_wrong_value(index: int) -> None:
    name, row = SOUND[index]
    assert isinstance(parse(name, row), Group | Demonstration)
    for path in paths(row):
        for value in ODD:
            changed = replaced(row, path, value)
            assert all(each.matches(changed) in (True, False) for each in FORMATS.values() if each.matches)
            try:
                assert isinstance(parse(name, changed), Group | Demonstration)
            except DataError as error:
                assert error.field, (path, value)
