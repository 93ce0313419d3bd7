"""Items on disk come back as they were, and views of them copy nothing."""

from __future__ import annotations

import gc
from pathlib import Path

import numpy as np
import pytest
from builders import AWKWARD, ranked_groups
from tiny_models import byte_tokenizer

from labeler.errors import UsageError
from reward.data import EncodedGroup, Encoder
from reward.shelf import Shelf, View, join, pick


def plain(group: EncodedGroup) -> dict[str, object]:
    """Everything in an encoded group, number formats included, comparable by ==."""
    judged = {
        name: (each.dtype.str, each.tolist()) if isinstance(each, np.ndarray) else each
        for name, each in vars(group.judgments).items()
    }
    ids = [(each.dtype.str, each.tolist()) for each in (group.prefix, *group.tails)]
    return vars(group) | {"judgments": judged, "prefix": ids[0], "tails": ids[1:]}


def test_groups_and_token_ids_come_back_as_they_were(tmp_path: Path) -> None:
    groups = [*ranked_groups(6), *AWKWARD]
    encoded, _ = Encoder(byte_tokenizer(), 512).groups(groups)
    assert [*Shelf(tmp_path, groups)] == groups
    shelf = Shelf(tmp_path, encoded)
    order = [4, 0, 10, 4, -1]
    assert [plain(shelf[i]) for i in order] == [plain(encoded[i]) for i in order]
    assert shelf[0].prefix.flags.writeable  # torch warns of arrays that are not


def test_items_can_be_added_between_reads(tmp_path: Path) -> None:
    shelf = Shelf[str](tmp_path / "new" / "folder")
    assert not shelf
    for text in ("a", "", "ü" * 10_000):
        shelf.append(text)
        assert shelf[-1] == text
    assert shelf[:2] == ["a", ""]
    assert shelf[5:] == []
    with pytest.raises(IndexError):
        shelf[3]


def test_nothing_of_a_shelf_is_seen_or_left_on_the_disk(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, range(100))
    assert [*tmp_path.iterdir()] == []
    file = shelf.file
    assert not file.closed
    del shelf
    gc.collect()
    assert file.closed


def test_a_place_that_cannot_hold_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(UsageError, match=r"file cannot be written: .* --out"):
        Shelf[int](tmp_path / "file")

    class Full:
        def seek(self, _: int) -> None: ...
        def write(self, row: bytes) -> int:
            return len(row) - 1

    shelf = Shelf(tmp_path, [1])
    with monkeypatch.context() as patch:
        patch.setattr(shelf, "file", Full())
        with pytest.raises(UsageError, match="No space left on device; make room there"):
            shelf.append(2)
    assert [*shelf] == [1]


def test_views_make_only_what_is_asked_for() -> None:
    made: list[int] = []
    squares = View(10, lambda n: made.append(n) or n * n)
    some = pick(join(squares, [100, 121]), [11, 3, 10])
    assert (len(some), made) == (3, [])
    assert some[1] == 9
    assert made == [3]
    assert [*some] == [121, 9, 100]
    assert squares[7:] == [49, 64, 81]
