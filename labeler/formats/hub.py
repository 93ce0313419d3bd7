"""The `datasets` library at arm's length: folders that it saved, and sets by name from the Hugging Face Hub."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from labeler.errors import DataError

_SPLITS = frozenset({"train", "validation", "valid", "test", "dev", "eval"})


def is_dataset(path: Path) -> bool:
    """Whether a folder was written by ``save_to_disk``."""
    return (path / "dataset_dict.json").is_file() or (path / "state.json").is_file()


def load_folder(path: Path) -> Mapping[str, Any]:
    """The splits of a folder written by ``save_to_disk``; a single set is under the empty name.

    Raises:
        DataError: the folder is damaged.
    """
    import datasets  # noqa: PLC0415  # two seconds that no other format needs

    try:
        return _by_split(datasets.load_from_disk(str(path)))
    except (OSError, ValueError, KeyError, TypeError) as error:
        problem = f"is a damaged dataset folder ({_first_line(error)}); save it again with save_to_disk"
        raise DataError(problem, file=str(path)) from error


def load(source: str) -> Mapping[str, Any]:
    """The splits of ``hf:NAME[:config][/split]``, from the cache or the Hub.

    Raises:
        DataError: there is no such set, or the Hub cannot be reached.
    """
    import datasets  # noqa: PLC0415  # two seconds that no other format needs

    name, config, split = parse_name(source)
    try:
        found = datasets.load_dataset(name, config, split=split)
    except Exception as error:  # the Hub's client raises many unrelated types, and each means: not loaded
        problem = (
            f"cannot be loaded ({_first_line(error)}); check the name (hf:NAME[:config][/split]) and the network, "
            "or save the set to a folder with save_to_disk and name that"
        )
        raise DataError(problem, file=source) from error
    return _by_split(found, split)


def parse_name(source: str) -> tuple[str, str | None, str | None]:
    """Name, configuration and split of a source: ``hf:org/set:config/train`` is ("org/set", "config", "train").

    Without a configuration, a third part is the split; so is a second one that has a split's usual name.
    """
    name, colon, tail = source.removeprefix("hf:").partition(":")
    config, _, split = tail.partition("/")
    if not colon:
        parts = name.split("/")
        if len(parts) > 2 or (len(parts) == 2 and parts[1].partition("[")[0] in _SPLITS):
            name, split = "/".join(parts[:-1]), parts[-1]
    if not name:
        raise DataError("names no dataset; write hf:NAME[:config][/split]", file=source)
    return name, config or None, split or None


def _by_split(found: Any, split: str | None = None) -> Mapping[str, Any]:
    return dict(found) if isinstance(found, Mapping) else {(split or "").partition("[")[0]: found}


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)[:200]
