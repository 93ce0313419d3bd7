"""``reward evaluate``: score people's groups with a reward model and say how far to trust it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from labeler.errors import DataError
from labeler.formats import iter_groups, prompt_key
from labeler.records import Group
from reward.artifact import Scorer
from reward.benchmarks import FORMATS, score_benchmark
from reward.biases import find_biases
from reward.compare import Comparison, compare_models
from reward.config.evaluate import EvaluateConfig
from reward.evaluate import Metrics
from reward.findings import Findings
from reward.measure import Choice, Reading, judge, score_all
from reward.progress import Progress, tell
from reward.refit import cross_validate, draw_curve, refit_of, settings_in_words
from reward.report import History, render, verdict, write_report
from reward.shelf import Shelf, pick
from reward.splits import scored_only, split_groups
from reward.uncertainty_check import UncertaintyCheck, check_uncertainty


def run(config: EvaluateConfig) -> Metrics:
    """The whole command; writes metrics.json, report.html and plots/ into ``config.out``."""
    with Progress(config.progress) as progress:
        form = FORMATS[config.benchmark] if config.benchmark else "auto"
        groups = read_groups(config.data, form, place=config.out.parent)
        scorer = load(config.model, config)
        other = load(config.against, config) if config.against else None
        manifests = [model.manifest for model in (scorer, other) if model]
        choice = choose(groups, "all" if config.benchmark else config.split, *manifests)
        uncertainty = scorer.uncertainty
        reading = score_all(scorer, choice.groups, progress, digest=uncertainty.covariance if uncertainty else None)
        metrics = judge(scorer, choice.groups, reading, seed=config.seed)
        kept, values = scored_only(choice.groups, reading.scores)
        findings = Findings(
            biases=find_biases(kept, values, temperature=metrics.temperature, seed=config.seed),
            temperature_ci95=scorer.calibration.temperature_ci95,
            uncertainty=check(scorer, kept, values, reading, config.seed),
            against=compare(config, choice, reading, other, progress) if other else None,
            benchmark=score_benchmark(config.benchmark, choice.groups, reading.scores, seed=config.seed)
            if config.benchmark
            else None,
        )
        findings = with_refits(findings, config, groups, scorer, progress)
        notes = [*choice.notes, *reading.report.lines()]
        page, figures = render(
            metrics,
            kept,
            values,
            title=f"Evaluation of {config.model.resolve().name}",
            subtitle=[f"{len(groups)} groups from {', '.join(config.data)}; {len(kept)} of them evaluated"],
            findings=findings,
            notes=notes,
            provenance=provenance(config, scorer),
            history=history(scorer.manifest),
        )
        path = write_report(config.out, metrics, page, figures, findings=findings, notes=notes)
    tell(verdict(metrics), *(f"{found.about}: {found.text}" for found in findings.verdicts(metrics)))
    tell(*notes, f"Open {path}")
    return metrics


def load(folder: Path, config: EvaluateConfig) -> Scorer:
    """A reward model on the device that was asked for."""
    return Scorer.from_pretrained(folder, device=None if config.device == "auto" else config.device)


def read_groups(sources: Sequence[str], name: str = "auto", *, place: Path) -> Sequence[Group]:
    """The groups of all sources; an id that two sources share gets the second one's number behind it.

    Args:
        sources: what ``--data`` names.
        name: of the format.
        place: folder on the disk that holds them meanwhile.

    Raises:
        DataError: a source cannot be read, or none has a group.
    """
    found, seen = Shelf[Group](place), set[str]()
    for number, source in enumerate(sources, start=1):
        for group in iter_groups(source, format=name):
            key = group.id if group.id not in seen else f"{group.id}@{number}"
            seen.add(key)
            found.append(replace(group, id=key))
    if not found:
        raise DataError("holds demonstrations only; evaluation needs ranked groups", file=", ".join(sources))
    return found


def choose(groups: Sequence[Group], split: str, *manifests: Mapping[str, Any]) -> Choice:
    """The groups to evaluate.

    Args:
        groups: all that the data holds.
        split: ``all``; ``train``, ``valid`` or ``test`` as `reward.splits.split_groups` sees them; ``auto`` leaves out
            the prompts that a model was trained or tuned on, unless that leaves nothing.
        manifests: reward.json of each model.

    Raises:
        DataError: no group is in the split.
    """
    if split in ("train", "valid", "test"):
        part: Sequence[Group] = getattr(split_groups(groups), split)
        if not part:
            raise DataError(f"no group is in the split {split!r}; give other data or --split all")
        groups = part
    seen = frozenset(key for manifest in manifests for key in manifest.get("seen_prompts", ()))
    known = [prompt_key(group.prompt)[: len(next(iter(seen), ""))] in seen for group in groups]
    if not any(known):
        return Choice(groups)
    fresh = pick(groups, [place for place, old in enumerate(known) if not old])
    who = "the model was" if len(manifests) < 2 else "one of the models was"
    if split == "auto" and any(True for group in fresh for _ in group.tallies()):
        return Choice(fresh, (f"{sum(known)} groups are left out: {who} trained or tuned on their prompts.",))
    warning = (
        f"{who[0].upper()}{who[1:]} trained or tuned on the prompts of {sum(known)} of these {len(groups)} groups:"
    )
    return Choice(groups, (f"{warning} the figures are too good to expect them on new prompts.",))


def check(
    scorer: Scorer, kept: Sequence[Group], values: Sequence[Sequence[float]], reading: Reading, seed: int
) -> UncertaintyCheck | None:
    """Whether the scorer's uncertainty is worth anything on these groups; None where it has none."""
    if scorer.uncertainty is None:
        return None
    temperature = scorer.calibration.temperature
    return check_uncertainty(kept, values, reading.features, scorer.uncertainty, temperature=temperature, seed=seed)


def compare(config: EvaluateConfig, choice: Choice, reading: Reading, other: Scorer, progress: Progress) -> Comparison:
    """Both models on what both can read."""
    theirs = score_all(other, choice.groups, progress, stage="evaluate the other model").scores
    gone = [np.isnan(a) | np.isnan(b) for a, b in zip(reading.scores, theirs, strict=True)]
    ours, others = (
        scored_only(choice.groups, [np.where(g, np.nan, row).tolist() for g, row in zip(gone, rows, strict=True)])
        for rows in (reading.scores, theirs)
    )
    names = tuple(path.resolve().name for path in (config.model, config.against or config.model))
    if names[0] == names[1]:
        names = (str(config.model), str(config.against))
    return compare_models(*ours, others[1], names=(names[0], names[1]), seed=config.seed)


def with_refits(
    findings: Findings, config: EvaluateConfig, groups: Sequence[Group], scorer: Scorer, progress: Progress
) -> Findings:
    """The findings with cross-validation and learning curve where they are asked for."""
    if not config.cross_validate and not config.learning_curve:
        return findings
    refit = refit_of(config, scorer.manifest, progress)
    return replace(
        findings,
        cross_validation=cross_validate(config, groups, refit) if config.cross_validate else None,
        learning_curve=draw_curve(config, groups, refit) if config.learning_curve else None,
        refit_settings=settings_in_words(refit),
    )


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
