"""``reward rerank``: candidates ordered by a reward model, best first (best of n).

Each line of the output is the native group in which every completion also has its ``score`` and ``rank`` (1 is best,
equal scores share a rank), and the group has ``ranking`` (completion ids, best first) and ``best``::

    {"id": "g1", "prompt": […],
     "completions": [{"id": "c0", "text": "…", "model": "m", "score": 0.8, "rank": 1}, …], "rankings": [],
     "source": "…", "meta": {}, "ranking": ["c0", "c1"], "best": {"id": "c0", "text": "…", "score": 0.8}}
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

from labeler.errors import DataError
from labeler.formats import dumps, group_to_row, iter_groups
from labeler.formats.files import replacing
from labeler.records import Group, Ranks, dense_ranks
from reward import best_of_n
from reward.artifact import Scorer
from reward.config.generate import RerankConfig
from reward.generate import open_policy, write_file
from reward.progress import Progress, tell
from reward.prompts import read_prompts

CHUNK = 16
"""Groups that are scored together, between two steps of the progress."""


class Scores(Protocol):
    """What can score groups, such as `reward.artifact.Scorer`."""

    def score_groups(self, groups: Sequence[Group], *, raw: bool = False) -> Sequence[Sequence[float]]:
        """One score per completion of each group; NaN for a completion that does not fit the context."""
        ...


@dataclass(frozen=True)
class Reranked:
    """A group whose completions were scored.

    Attributes:
        scores: one per completion, in the order of the group.
    """

    group: Group
    scores: tuple[float, ...]

    @property
    def order(self) -> tuple[int, ...]:
        """Indices of the completions, best first; equal scores keep the order of the group, unscored ones come last."""
        last = float("inf")
        keys = [last if math.isnan(score) else -score for score in self.scores]
        return tuple(sorted(range(len(keys)), key=keys.__getitem__))

    @property
    def ranks(self) -> Ranks:
        """Dense ranks, 1 best, equal scores equal; None for a completion without a score."""
        levels = sorted({score for score in self.scores if not math.isnan(score)}, reverse=True)
        place = {score: rank for rank, score in enumerate(levels, start=1)}
        return dense_ranks([place.get(score) for score in self.scores])

    def to_row(self) -> dict[str, Any]:
        """The line of the output."""
        row = group_to_row(self.group)
        values = [None if math.isnan(score) else score for score in self.scores]
        for completion, score, rank in zip(row["completions"], values, self.ranks, strict=True):
            completion |= {"score": score, "rank": rank}
        best = self.order[0]
        row["ranking"] = [self.group.completions[index].id for index in self.order]
        row["best"] = {
            "id": self.group.completions[best].id,
            "text": self.group.completions[best].text,
            "score": values[best],
        }
        return row


def rerank(scorer: Scores, groups: Sequence[Group], *, raw: bool = False) -> list[Reranked]:
    """Score the completions of every group.

    Args:
        raw: the model's own scores instead of shifted and scaled ones; the order is the same.

    Raises:
        DataError: a group has no completions, or none of them fits the model's context (names the group).
    """
    for group in groups:
        if not group.completions:
            raise DataError("has no completions to rank; sample some with --policy NAME", field=f"group {group.id}")
    found = [
        Reranked(group, tuple(scores))
        for group, scores in zip(groups, scorer.score_groups(groups, raw=raw), strict=True)
    ]
    for each in found:
        if all(math.isnan(score) for score in each.scores):
            raise DataError("none of its completions fits the model's context", field=f"group {each.group.id}")
    return found


def rerank_file(
    scorer: Scores, groups: Iterable[Group], output: Path, *, total: int, raw: bool, progress: Progress
) -> tuple[int, int]:
    """Rerank a stream of groups into a file, which appears whole or not at all.

    Returns:
        How many groups, and how many completions of them.
    """
    done = completions = 0
    output.parent.mkdir(parents=True, exist_ok=True)
    with (
        replacing(output) as temporary,
        temporary.open("w", encoding="utf-8", newline="\n") as file,
        progress.stage("rerank", total=total) as stage,
    ):
        for chunk in _chunks(groups):
            for each in rerank(scorer, chunk, raw=raw):
                file.write(dumps(each.to_row()) + "\n")
                completions += len(each.scores)
            done += len(chunk)
            stage.step(done, completions=completions)
    return done, completions


def _chunks(groups: Iterable[Group]) -> Iterator[list[Group]]:
    stream = iter(groups)
    while chunk := list(islice(stream, CHUNK)):
        yield chunk


def run(config: RerankConfig) -> int:
    """The whole command; returns the number of groups in the output."""
    with Progress(config.progress) as progress:
        source = config.input
        candidates = config.output.with_name(f"{config.output.name}.candidates.jsonl")
        if config.policy is not None:
            _sample(config, candidates, progress)
            source = str(candidates)
        started = time.monotonic()
        scorer = Scorer.from_pretrained(config.model, device=None if config.device == "auto" else config.device)
        total = sum(1 for _ in iter_groups(source))
        done, completions = rerank_file(
            scorer, iter_groups(source), config.output, total=total, raw=config.raw, progress=progress
        )
        if config.policy is not None:
            candidates.unlink()
        if config.page is not None:
            write_page(config, config.page)
        seconds = time.monotonic() - started
    tell(f"{completions} candidates of {done} groups scored in {seconds:.1f} s: {config.output}")
    return done


def write_page(config: RerankConfig, page: Path) -> None:
    """The page of the best and worst candidates, from the finished output."""
    with config.output.open(encoding="utf-8") as file:
        html = best_of_n.render(
            (json.loads(line) for line in file),
            title="Best of n",
            lines=[f"Candidates in the order of {config.model.resolve().name}; the scores are its opinion, not proof."],
        )
    with replacing(page) as temporary:
        temporary.write_text(html, encoding="utf-8")


def _sample(config: RerankConfig, candidates: Path, progress: Progress) -> None:
    """Candidates from the policy into a file beside the output; a run that was cut continues it."""
    prompts = read_prompts(config.input)
    policy = open_policy(config.policy or "", config)
    write_file(policy, prompts, config.n, config, candidates, resume=True, progress=progress)
