"""``reward evaluate``: score people's groups with a reward model and say how far to trust it."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import Any

from labeler.errors import DataError
from labeler.formats import prompt_key, read
from labeler.records import Group
from reward.artifact import Scorer
from reward.config import EvaluateConfig
from reward.data import EncodedGroup
from reward.evaluate import Metrics, evaluate
from reward.progress import Progress, tell
from reward.report import History, render, verdict, write_report
from reward.splits import scored_only, split_groups

CHUNK = 16
"""Groups that are scored together, between two steps of the progress."""


@dataclass(frozen=True)
class Choice:
    """Which groups are evaluated, and what a reader must know about the choice."""

    groups: tuple[Group, ...]
    notes: tuple[str, ...] = ()


def run(config: EvaluateConfig) -> Metrics:
    """The whole command; writes metrics.json, report.html and plots/ into ``config.out``."""
    with Progress(config.progress) as progress:
        groups = read_groups(config.data)
        scorer = Scorer.from_pretrained(config.model, device=None if config.device == "auto" else config.device)
        choice = choose(groups, config.split, scorer.manifest)
        metrics, scores, notes = measure(scorer, choice, progress, seed=config.seed)
        kept, values = scored_only(choice.groups, scores)
        page, figures = render(
            metrics,
            kept,
            values,
            title=f"Evaluation of {config.model.resolve().name}",
            subtitle=[f"{len(groups)} groups from {', '.join(config.data)}; {len(kept)} of them evaluated"],
            notes=notes,
            provenance=provenance(config, scorer),
            history=history(scorer.manifest),
        )
        path = write_report(config.out, metrics, page, figures, notes=notes)
    tell(verdict(metrics), *notes, f"Open {path}")
    return metrics


def read_groups(sources: Sequence[str]) -> list[Group]:
    """The groups of all sources; an id that two sources share gets the second one's number behind it.

    Raises:
        DataError: a source cannot be read, or none has a group.
    """
    found: dict[str, Group] = {}
    for number, source in enumerate(sources, start=1):
        for group in read(source).groups:
            name = group.id if group.id not in found else f"{group.id}@{number}"
            found[name] = replace(group, id=name)
    if not found:
        raise DataError("holds demonstrations only; evaluation needs ranked groups", file=", ".join(sources))
    return list(found.values())


def choose(groups: Sequence[Group], split: str, manifest: Mapping[str, Any]) -> Choice:
    """The groups to evaluate.

    Args:
        groups: all that the data holds.
        split: ``all``; ``train``, ``valid`` or ``test`` as `reward.splits.split_groups` sees them; ``auto`` leaves out
            the prompts that the model was trained or tuned on, unless that leaves nothing.
        manifest: reward.json of the model.

    Raises:
        DataError: no group is in the split.
    """
    if split in ("train", "valid", "test"):
        part: tuple[Group, ...] = getattr(split_groups(groups), split)
        if not part:
            raise DataError(f"no group is in the split {split!r}; give other data or --split all")
        groups = part
    seen = frozenset(manifest.get("seen_prompts", ()))
    known = [group for group in groups if prompt_key(group.prompt)[: len(next(iter(seen), ""))] in seen]
    if not known:
        return Choice(tuple(groups))
    ids = {group.id for group in known}
    fresh = tuple(group for group in groups if group.id not in ids)
    if split == "auto" and any(True for group in fresh for _ in group.tallies()):
        return Choice(fresh, (f"{len(known)} groups are left out: the model was trained or tuned on their prompts.",))
    warning = f"The model was trained or tuned on the prompts of {len(known)} of these {len(groups)} groups:"
    return Choice(tuple(groups), (f"{warning} the figures are too good to expect them on new prompts.",))


def measure(
    scorer: Scorer, choice: Choice, progress: Progress, *, seed: int = 0
) -> tuple[Metrics, list[list[float]], list[str]]:
    """Score the chosen groups and judge the scores.

    Returns:
        The metrics; a raw score per completion of every group, NaN where it does not fit the context; and notes.
    """
    started = time.monotonic()
    encoded, report = scorer.encode(choice.groups)
    scores = []
    with progress.stage("evaluate", total=len(encoded)) as stage:
        for start in range(0, len(encoded), CHUNK):
            part = encoded[start : start + CHUNK]
            values = scorer.score_encoded(part)
            groups = choice.groups[start : start + CHUNK]
            scores += [spread(*row) for row in zip(groups, part, values, strict=True)]
            stage.step(start + len(part))
    seconds = time.monotonic() - started
    kept, kept_scores = scored_only(choice.groups, scores)
    metrics = evaluate(
        kept,
        kept_scores,
        temperature=scorer.calibration.temperature,
        seed=seed,
        tokens=sum(group.tokens for group in encoded),
        wall_seconds=seconds,
    )
    return metrics, scores, [*choice.notes, *report.lines()]


def spread(group: Group, encoded: EncodedGroup, values: Sequence[float]) -> list[float]:
    """One score per completion of the group, from those of the kept ones; NaN for the others."""
    known = dict(zip(encoded.kept, values, strict=True))
    return [known.get(k, math.nan) for k in range(len(group.completions))]


def provenance(config: EvaluateConfig, scorer: Scorer) -> dict[str, Any]:
    """What the table "How it was made" says."""
    base = scorer.manifest.get("base", {})
    return {
        "model": config.model,
        "base": base.get("name", "unknown") if isinstance(base, Mapping) else base,
        "data": ", ".join(config.data),
        "split": config.split,
        "temperature": f"{scorer.calibration.temperature:.4f}",
        "device": scorer.model.device,
        "versions": ", ".join(f"{name} {version(name)}" for name in ("torch", "transformers")),
    }


def history(manifest: Mapping[str, Any]) -> History:
    """The training run as reward.json tells it; empty for a model that was made elsewhere."""
    told = manifest.get("history", {})
    return History(
        steps=tuple(told.get("steps", ())),
        losses=tuple(told.get("losses", ())),
        valid=tuple((int(step), float(accuracy)) for step, accuracy in told.get("valid", ())),
    )
