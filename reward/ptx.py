"""Texts that PPO-ptx mixes in, so that the policy keeps what it knew (InstructGPT, arXiv 2203.02155, eq. 2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from labeler.errors import DataError
from labeler.formats import read
from labeler.records import Demonstration
from reward.data import EncodedGroup
from reward.policy import Policy


@dataclass(frozen=True)
class Mix:
    """Texts as token ids: of a demonstration the answer counts, of a plain document all but its first token."""

    texts: Sequence[EncodedGroup]

    def take(self, count: int, place: tuple[int, ...]) -> list[EncodedGroup]:
        """``count`` texts drawn for a place in the run; the same place gives the same ones."""
        chosen = np.random.default_rng(place).integers(len(self.texts), size=count)
        return [self.texts[index] for index in chosen]


def read_mix(source: str, policy: Policy, end: int) -> Mix:
    """Demonstrations in any format that import reads, or a ``.txt`` with a document a line.

    Args:
        source: the file.
        policy: whose tokens to use.
        end: token that closes an answer.

    Raises:
        DataError: the file cannot be read, holds nothing of the kind, or a text does not fit the policy's context.
    """
    if source.endswith(".txt"):
        try:
            lines = Path(source).read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"cannot be read: {error}; give UTF-8 text", file=source) from error
        rows = [policy.tokenizer(line, add_special_tokens=False)["input_ids"][: policy.context] for line in lines]
        texts = [_text(f"line {n}", row[:1], row[1:]) for n, row in enumerate(rows, start=1) if len(row) > 1]
    else:
        texts = [_demonstration(each, policy, end) for each in read(source).demonstrations]
    if not texts:
        raise DataError("holds no demonstration and no document; give such with --ptx-data", file=source)
    return Mix(texts)


def _demonstration(shown: Demonstration, policy: Policy, end: int) -> EncodedGroup:
    answer = [*policy.tokenizer(shown.completion, add_special_tokens=False)["input_ids"], end]
    try:
        return _text(shown.id, policy.encode(shown.prompt, len(answer)), answer)
    except DataError as error:
        raise DataError(error.problem, field=f"demonstration {shown.id}") from error


def _text(name: str, prefix: Sequence[int], tail: Sequence[int]) -> EncodedGroup:
    ids = [np.asarray(part, dtype=np.int32) for part in (prefix, tail)]
    return EncodedGroup(name, (0,), ids[0], (ids[1],), (), ())
