"""Who sees what, and in which order: pure functions of seed, task and annotator.

The queue serves tasks by priority (highest first), then those already started (fewest slots left first), then from a
place on a shuffled circle that differs per annotator and turn, so that people who ask at the same moment are sent to
different tasks. All randomness is SHA-256 of the seed and the names, the same on every machine and Python version.
"""

from __future__ import annotations

from hashlib import sha256

CIRCLE = 2**31
"""Tasks stand on a circle of this many places."""
UNSTARTED = 1_000_000
"""Stage of a task that nobody has judged yet: behind every started one."""
PRIORITIES = range(101)
"""Whole numbers keep the queue's index in few runs; 0 is usual, 100 is most urgent."""


def _hash(*parts: object) -> int:
    return int.from_bytes(sha256("\0".join(map(str, parts)).encode("utf-8", "surrogatepass")).digest())


def shown_order(seed: int, task: str, annotator: str, k: int) -> tuple[int, ...]:
    """The order, left to right, in which this annotator sees the k completions of a task.

    Returns:
        A permutation of ``range(k)``: entry p is the index of the completion shown at place p.
    """
    return tuple(sorted(range(k), key=lambda index: _hash("shown", seed, task, annotator, index)))


def label(place: int) -> str:
    """The letter of the completion shown at this place: A, B, …, Z, AA, AB and so on."""
    letters = ""
    place += 1
    while place:
        place, rest = divmod(place - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters


def circle_place(seed: int, task: str) -> int:
    """Where a task stands on the circle, 0 to ``CIRCLE - 1``."""
    return _hash("place", seed, task) % CIRCLE


def circle_start(seed: int, annotator: str, turn: int) -> int:
    """Where an annotator starts to walk the circle; ``turn`` is anything that changes with each answer."""
    return _hash("start", seed, annotator, turn) % CIRCLE


def coin(share: float, *parts: object) -> bool:
    """True in this share of the cases that the parts name, each by its own and always the same draw."""
    return _hash("coin", *parts) % CIRCLE < share * CIRCLE


def stage(overlap: int, judged: int) -> int:
    """Position within one priority: slots left of a started task, `UNSTARTED` for an untouched one."""
    return max(overlap - judged, 0) if judged else UNSTARTED
