"""Names of tasks for a labeler's page that do not tell the order of import, and so not which tasks came as gold. Pure.

A task's id is permuted within 32 bits by four rounds of a Feistel network keyed by HMAC-SHA256 with the project's
secret (Luby and Rackoff 1988), and the project's id stands before it. Ids of the database are below all handles.
"""

from __future__ import annotations

import hmac

HALF = 16
MASK = (1 << HALF) - 1
SPACE = 1 << (2 * HALF)
"""So many tasks have handles in each project; ids of the database are below it."""
ROUNDS = 4


def _round(secret: str, turn: int, half: int) -> int:
    digest = hmac.digest(secret.encode(), f"{turn}:{half}".encode(), "sha256")
    return int.from_bytes(digest[:2])


def handle(secret: str, project_id: int, task_id: int) -> int:
    """The name of a task on the page, at least `SPACE` and a whole number to JavaScript too."""
    left, right = task_id >> HALF, task_id & MASK
    for turn in range(ROUNDS):
        left, right = right, left ^ _round(secret, turn, right)
    return SPACE * (project_id + 1) + (left << HALF | right)


def is_handle(number: int) -> bool:
    """Whether it is one, and not an id."""
    return number >= SPACE


def project_of_handle(number: int) -> int:
    """The project whose secret opens it."""
    return number // SPACE - 1


def task_of_handle(secret: str, number: int) -> int:
    """The task's id."""
    left, right = (number % SPACE) >> HALF, number & MASK
    for turn in reversed(range(ROUNDS)):
        left, right = right ^ _round(secret, turn, left), left
    return left << HALF | right
