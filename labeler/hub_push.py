"""An export on the Hugging Face Hub: a data set of Parquet files, one a split, with a card that says what it is.

The token comes from the environment alone (``HF_TOKEN``), so that it stands in no command line, file or page.
"""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path
from typing import Any, Protocol

from labeler.errors import DataError, UsageError
from labeler.exporting import chosen
from labeler.formats import write_groups
from labeler.records import SPLITS
from labeler.selection import Export
from labeler.store import Project, Store

TOKEN = "HF_TOKEN"  # noqa: S105  (the name of the variable)
HUB_SPLITS = {"train": "train", "valid": "validation", "test": "test"}
PUSHABLE = ("native", "trl", "trl-conversational", "openrlhf", "parquet")
"""Formats whose rows a Parquet file holds."""
_NAME = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)


class Hub(Protocol):
    """What is used of `huggingface_hub.HfApi`."""

    def create_repo(self, repo_id: str, *, repo_type: str, private: bool, exist_ok: bool) -> Any:
        """Make a repository."""

    def upload_folder(self, *, repo_id: str, folder_path: str, repo_type: str, commit_message: str) -> Any:
        """Upload everything in a folder as one commit."""


def token() -> str | None:
    """The token of whoever runs this, if there is one."""
    return os.environ.get(TOKEN) or None


def push(
    store: Store, project: Project, wanted: Export, name: str, *, public: bool = False, hub: Hub | None = None
) -> int:
    """Upload an export as a data set; returns its number of rows.

    Args:
        store: where the judgments are.
        project: which.
        wanted: what of it; its format must be one of `PUSHABLE`.
        name: ORG/NAME of the data set, which is made if there is none.
        public: make it public; else only its owners see it. A data set that is there stays as it is.
        hub: the client.

    Raises:
        UsageError: there is no token, the name is none, or the format cannot be pushed.
        DataError: the Hub refused, or nothing is left to push.
    """
    check(wanted.to, name)
    client = hub or _client()
    with tempfile.TemporaryDirectory(prefix="labeler-push-") as folder:
        rows = write_data_set(store, project, wanted, Path(folder))
        if not rows:
            raise DataError("nothing is left by these filters, or nothing was judged yet; nothing was pushed")
        try:
            client.create_repo(name, repo_type="dataset", private=not public, exist_ok=True)
            client.upload_folder(
                repo_id=name, folder_path=folder, repo_type="dataset", commit_message=f"{rows} rows by labeler"
            )
        except Exception as error:  # the Hub's client raises many unrelated types, and each means: not pushed
            said = next(iter(str(error).splitlines()), type(error).__name__)
            raise DataError(f"the Hub refused ({said[:300]}); check name, token and network", file=name) from error
    return rows


def check(to: str, name: str) -> None:
    """Raise `UsageError` where a format cannot be pushed, or the name is none of a data set."""
    if to not in PUSHABLE:
        raise UsageError(f"{to} cannot be pushed; the formats that can are {', '.join(PUSHABLE)}")
    if not _NAME.fullmatch(name):
        raise UsageError(f"--push {name!r} must be ORG/NAME")


def required_token() -> str:
    """The token; `UsageError` where there is none."""
    found = token()
    if found is None:
        raise UsageError(f"set the environment variable {TOKEN} to a token that may write to the Hub")
    return found


def _client() -> Hub:
    found = required_token()
    from huggingface_hub import HfApi  # noqa: PLC0415  # half a second that nothing else needs

    client: Hub = HfApi(token=found)
    return client


def write_data_set(store: Store, project: Project, wanted: Export, folder: Path) -> int:
    """Write the files of a data set as the Hub has them; returns the number of rows."""
    counts: dict[str, int] = {}
    data = folder / "data"
    data.mkdir()
    for split in SPLITS:
        with store.frozen(project.id) as frozen:
            groups = (group for group in chosen(frozen, wanted) if group.split == split)
            path = data / f"{HUB_SPLITS[split]}.parquet"
            counts[split] = write_groups(groups, path, format=wanted.to, ties=wanted.ties)
        if not counts[split]:
            path.unlink()
    (folder / "README.md").write_text(_card(project, wanted, counts), encoding="utf-8")
    return sum(counts.values())


def _card(project: Project, wanted: Export, counts: dict[str, int]) -> str:
    """The card; its head tells the Hub which file is which split."""
    there = [(HUB_SPLITS[split], count) for split, count in counts.items() if count]
    files = "".join(f"  - split: {split}\n    path: data/{split}.parquet\n" for split, _ in there)
    rows = "".join(f"| {split} | {count:,} |\n" for split, count in there)
    return (
        "---\n"
        "tags:\n- preference\n- human-feedback\n"
        f"configs:\n- config_name: default\n  data_files:\n{files}"
        "---\n\n"
        f"# {project.name}\n\n"
        f"Human judgments of model outputs, collected with reward-labeler (task: {project.task}), "
        f"in the format {wanted.to}.\n\n"
        f"| split | rows |\n| --- | --- |\n{rows}"
    )
