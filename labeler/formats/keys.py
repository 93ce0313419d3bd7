"""Pure helpers that every reader and writer of groups shares: one JSON line, a prompt's key, a split by prompt."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Mapping
from typing import Any, Literal

from labeler.errors import DataError, UsageError
from labeler.records import Prompt

Split = Literal["train", "valid", "test"]


def dumps(row: Mapping[str, Any]) -> str:
    """One JSON line without its newline: UTF-8 text as it is, keys in the order of the mapping.

    Raises:
        DataError: a value has no JSON form (NaN, infinity, an unpaired surrogate, an object).
    """
    try:
        line = json.dumps(row, ensure_ascii=False, allow_nan=False)
        if not line.isascii():
            line.encode()
    except (ValueError, TypeError) as error:  # UnicodeEncodeError is a ValueError
        raise DataError(f"the row with id {row.get('id')!r} cannot be written as JSON ({error}); repair it") from error
    return line


def prompt_key(prompt: Prompt) -> str:
    """SHA-256 (hex) of a prompt for splitting: prompts that differ only in spacing or Unicode composition share it.

    Near-identical prompts must fall on the same side of a split, or the test set leaks. Roles and turn borders count.
    """
    turns = [[message.role, " ".join(unicodedata.normalize("NFC", message.content).split())] for message in prompt]
    text = json.dumps(turns)  # ASCII escapes: defined for every Python string
    return hashlib.sha256(text.encode()).hexdigest()


def split_of(key: str, *, seed: int = 0, valid: float = 0.1, test: float = 0.1) -> Split:
    """The split of a prompt, from its key and the seed alone: adding data never moves a prompt to another split.

    Args:
        key: what `prompt_key` returned.
        seed: another seed draws another split.
        valid: expected share of prompts for validation, 0 to 1.
        test: expected share of prompts for the test, 0 to 1.

    Raises:
        UsageError: a share is negative or they leave nothing for training.
    """
    if valid < 0 or test < 0 or valid + test >= 1:
        raise UsageError(f"valid={valid} and test={test} must not be negative and must leave a share for training")
    draw = int.from_bytes(hashlib.sha256(f"{seed}:{key}".encode()).digest()[:8], "big") / 2**64
    if draw < test:
        return "test"
    return "valid" if draw < test + valid else "train"
