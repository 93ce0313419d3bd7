"""Sequences that are not in memory: items on disk, and views of other sequences.

Groups and their token ids are kept on a `Shelf` while a command runs, so that memory does not grow with their number::

    shelf = Shelf(folder)          one file without a name:  [ item 0 | item 1 | item 2 | … ]
    shelf.append(group)            in memory: where each item starts, 8 bytes an item
    shelf[1]                       read from there anew whenever it is asked for

The file has no name in the folder, so it is gone with the process, even a killed one, and no other program reads it: it
is the one place where pickle is at home. Items are read with ``read``, not mapped, for mapped pages count as memory of
the process.
"""

from __future__ import annotations

import errno
import pickle
import weakref
from abc import abstractmethod
from array import array
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryFile
from typing import TypeVar, overload

from labeler.errors import UsageError

T = TypeVar("T")


class Lazy(Sequence[T]):
    """A sequence that makes an item whenever it is asked for one; a slice is a list of them."""

    @abstractmethod
    def item(self, index: int) -> T:
        """The item at an index of 0 … length − 1."""

    @overload
    def __getitem__(self, place: int) -> T: ...
    @overload
    def __getitem__(self, place: slice) -> list[T]: ...
    def __getitem__(self, place: int | slice) -> T | list[T]:
        found = range(len(self))[place]
        return [self.item(index) for index in found] if isinstance(found, range) else self.item(found)


class View(Lazy[T]):
    """``length`` items, of which ``make`` makes the one at an index."""

    def __init__(self, length: int, make: Callable[[int], T]) -> None:
        self.length, self.make = length, make

    def __len__(self) -> int:
        return self.length

    def item(self, index: int) -> T:
        """The item at an index."""
        return self.make(index)


def pick(items: Sequence[T], places: Sequence[int]) -> Sequence[T]:
    """The items at these places; none is copied."""
    return View(len(places), lambda index: items[places[index]])


def join(first: Sequence[T], second: Sequence[T]) -> Sequence[T]:
    """The items of one sequence and then those of another; none is copied."""
    border = len(first)
    return View(border + len(second), lambda index: first[index] if index < border else second[index - border])


class Shelf(Lazy[T]):
    """Items in a nameless file, which goes when the shelf does.

    Args:
        folder: on the disk that is to hold them; made if it is not there.
        items: the first ones.

    Raises:
        UsageError: the folder is full or not ours to write to.
    """

    def __init__(self, folder: Path, items: Iterable[T] = ()) -> None:
        self.folder, self.ends = folder, array("q", [0])
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self.file = TemporaryFile(buffering=0, dir=folder)  # noqa: SIM115  # open as long as the shelf is there
        except OSError as error:
            raise self._refused(error) from error
        weakref.finalize(self, self.file.close)
        for item in items:
            self.append(item)

    def __len__(self) -> int:
        return len(self.ends) - 1

    def item(self, index: int) -> T:
        """The item at an index, read from the file."""
        self.file.seek(self.ends[index])
        found: T = pickle.loads(self.file.read(self.ends[index + 1] - self.ends[index]))  # noqa: S301  # our own
        return found

    def append(self, item: T) -> None:
        """Put an item behind the others."""
        row = pickle.dumps(item, pickle.HIGHEST_PROTOCOL)
        try:
            self.file.seek(self.ends[-1])
            if self.file.write(row) < len(row):
                raise OSError(errno.ENOSPC, "No space left on device")
        except OSError as error:
            raise self._refused(error) from error
        self.ends.append(self.ends[-1] + len(row))

    def _refused(self, error: OSError) -> UsageError:
        reason = error.strerror or error
        return UsageError(f"{self.folder} cannot be written: {reason}; make room there or choose another --out")
