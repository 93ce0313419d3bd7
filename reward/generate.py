"""``reward generate``: completions of prompts from a policy, here or on a server, as groups to import or to rerank.

The output grows by one whole line a prompt. Run again, it continues: lines that are there are kept, half a line at the
end is cut off, and since every prompt has its own seed the finished file is the same as without the interruption.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from labeler.errors import DataError, UsageError
from labeler.formats import dumps, group_to_row
from labeler.records import Group
from reward.config.common import Sampling
from reward.config.generate import GenerateConfig, RerankConfig, is_url
from reward.endpoint import Endpoint
from reward.policy import Policy
from reward.progress import Progress, tell
from reward.prompts import read_prompts


def run(config: GenerateConfig) -> int:
    """The whole command; returns the number of groups in the finished output."""
    prompts = read_prompts(config.prompts, limit=config.limit)
    with Progress(config.progress) as progress:
        policy = open_policy(config.policy, config, config.name)
        write_file(policy, prompts, config.k, config, config.output, resume=config.resume, progress=progress)
    tell(f"{len(prompts)} groups with {config.k} completions each: {config.output}")
    return len(prompts)


class Writer(Protocol):
    """What writes completions: `reward.policy.Policy`, or `reward.endpoint.Endpoint`."""

    def provenance(self, sampling: Sampling) -> dict[str, Any]:
        """Everything that decides what is drawn for a prompt."""
        ...

    def write_all(self, prompts: Sequence[Group], k: int, sampling: Sampling, *, skip: int = 0) -> Iterator[Group]:
        """``k`` completions of each prompt but the first ``skip``, in the order of the prompts."""
        ...


def open_policy(policy: str, config: GenerateConfig | RerankConfig, name: str | None = None) -> Writer:
    """The policy that a command names: a server's where it is a URL, else a model that runs here."""
    return Endpoint.open(policy, config, name=name) if is_url(policy) else Policy.load(policy, config, name=name)


def write_file(
    policy: Writer,
    prompts: Sequence[Group],
    k: int,
    sampling: Sampling,
    output: Path,
    *,
    resume: bool,
    progress: Progress,
) -> None:
    """Sample for all prompts into a file, continuing what it holds already where ``resume`` says so.

    Raises:
        UsageError: the file holds something else than the beginning of this run.
        DataError: it cannot be written, or a prompt is too long.
    """
    done, size = written(output, prompts, k, policy.provenance(sampling)) if resume else (0, 0)
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with (
            output.open("r+b" if done else "wb", buffering=0) as file,
            progress.stage("generate", total=len(prompts), done=done) as stage,
        ):
            file.truncate(size)
            file.seek(size)
            tokens = 0
            for group in policy.write_all(prompts, k, sampling, skip=done):
                file.write((dumps(group_to_row(group)) + "\n").encode())  # one call a line: no half lines
                tokens += sum(count or 0 for count in group.meta["generation"]["tokens"])  # servers may not count
                stage.step(tokens=tokens)
            os.fsync(file.fileno())
    except OSError as error:
        raise DataError(
            f"cannot be written: {error.strerror or error}; name another place", file=str(output)
        ) from error


def written(output: Path, prompts: Sequence[Group], k: int, provenance: dict[str, Any]) -> tuple[int, int]:
    """How many whole groups of this very run a file begins with, and how many bytes they are.

    Raises:
        UsageError: it holds anything else, so that continuing would mix two runs.
    """
    if not output.exists():
        return 0, 0
    done = size = 0
    for line in whole_lines(output):
        different = _difference(line, prompts[done] if done < len(prompts) else None, k, provenance)
        if different:
            raise UsageError(
                f"--output {output}: line {done + 1} is from another run ({different}); "
                "give another file, or --no-resume to start over"
            )
        done, size = done + 1, size + len(line)
    return done, size


def whole_lines(path: Path) -> Iterator[bytes]:
    """The lines of a file that end with a newline."""
    with path.open("rb") as file:
        yield from (line for line in file if line.endswith(b"\n"))


def _difference(line: bytes, prompt: Group | None, k: int, provenance: dict[str, Any]) -> str | None:
    """In a few words how a written line differs from what this run would write, or None."""
    if prompt is None:
        return "there are fewer prompts"
    try:
        row = json.loads(line)
        made = row["meta"]["generation"]
        count = len(row["completions"])
    except (ValueError, KeyError, TypeError):
        return "it was not written by generate"
    if row["id"] != prompt.id or row["prompt"] != group_to_row(prompt)["prompt"]:
        return f"its prompt is {row['id']!r}, not {prompt.id!r}"
    if count != k:
        return f"it has {count} completions, not {k}"
    for name, value in provenance.items():
        if made.get(name) != value:
            return f"its {name} is {made.get(name)}, not {value}"
    return None
