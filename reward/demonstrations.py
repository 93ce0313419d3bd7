"""Demonstrations and dialogues from files, as conversations to learn from, split so that no prompt is in two splits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from labeler.errors import DataError
from labeler.formats import read
from labeler.records import Group, Message
from reward.chat import Chat
from reward.splits import Splits, as_groups, opening_key, split_groups

WEIGHT = "weight"
"""Where a conversation's weight stands in the meta of its group."""


def read_splits(sources: Sequence[str], weights: Sequence[float] | None = None, valid: str | None = None) -> Splits:
    """The demonstrations of all sources as groups of one answer, split by how they open.

    Args:
        sources: anything that `labeler.formats.read` reads.
        weights: of each source's tokens in the loss; by default 1.
        valid: a source of its own for validation.

    Raises:
        DataError: a source cannot be read or holds no demonstration, or a prompt is in two splits.
    """
    weighted = zip(sources, weights or (1.0,) * len(sources), strict=True)
    groups = [replace(group, meta={WEIGHT: weight}) for source, weight in weighted for group in demonstrations(source)]
    return split_groups(groups, None if valid is None else demonstrations(valid), opening_key)


def demonstrations(source: str) -> list[Group]:
    """The demonstrations of a source.

    Raises:
        DataError: it holds none.
    """
    found = as_groups(read(source).demonstrations)
    if not found:
        raise DataError("holds rankings but no demonstrations; give rows of prompt and completion", file=source)
    return found


def to_chat(group: Group) -> Chat:
    """The conversation of a demonstration's group."""
    answer = Message("assistant", group.completions[0].text)
    return Chat(group.id, (*group.prompt, answer), group.meta.get(WEIGHT, 1.0))
