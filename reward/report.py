"""One self-contained HTML page (and PNG plots) that says how good a reward model is and how far to trust it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import nlargest
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from scipy.stats import spearmanr

from labeler.errors import DataError
from labeler.formats.files import replacing
from labeler.records import Group
from reward import plots
from reward.benchmarks import STYLES
from reward.biases import TRAITS
from reward.bootstrap import FEW_PROMPTS, Interval
from reward.evaluate import Metrics
from reward.findings import Findings
from reward.pages import fill
from reward.pairs import collect_pairs, correctness


@dataclass(frozen=True)
class History:
    """What the trainer wrote down: optimiser steps with their losses, and validation accuracy at some of them."""

    steps: tuple[int, ...] = ()
    losses: tuple[float, ...] = ()
    valid: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True)
class _Example:
    """A pair on which model and people disagree."""

    group: str
    prompt: str
    better: str
    worse: str
    better_score: float
    worse_score: float
    votes: str

    @property
    def gap(self) -> float:
        return self.worse_score - self.better_score


def percent(value: float | None) -> str:
    """``0.7234`` as ``72.3 %``; None as a dash."""
    return "–" if value is None else f"{100 * value:.1f} %"


def points(value: float) -> str:
    """``-0.069`` as ``−6.9 points``: a difference of two shares."""
    return f"{100 * value:+.1f} points".replace("-", "−")


def interval_text(interval: Interval | None, unit: str = "%") -> str:
    """``(-0.01, 0.7)`` as ``−1.0 to 70.0 %``."""
    if interval is None:
        return "–"
    return f"{100 * interval[0]:.1f} to {100 * interval[1]:.1f} {unit}".replace("-", "−")


def better_than_length(metrics: Metrics) -> bool:
    """Whether the interval of the gain over the stronger length rule lies above zero."""
    return metrics.gain_over_length_ci95 is not None and metrics.gain_over_length_ci95[0] > 0


def verdict(metrics: Metrics) -> str:
    """One or two plain sentences: what was measured, and whether it beats the length baseline."""
    said = (
        f"The model orders {percent(metrics.accuracy)} of people's preferences right"
        f" (95 % interval {interval_text(metrics.accuracy_ci95)};"
        f" {metrics.comparisons} pairs of {metrics.prompts} prompts)."
        f" Always choosing the {metrics.length_rule} text gets {percent(metrics.length_rule_accuracy)}"
    )
    if better_than_length(metrics):
        gain = points(metrics.gain_over_length).lstrip("+")
        return f"{said}, so the model is better by {gain}, more than chance explains."
    return (
        f"{said}; the difference of {points(metrics.gain_over_length)} may be chance."
        " This model has not shown that it learned more than length."
    )


def warnings(metrics: Metrics) -> list[str]:
    """What a careful reader should know before quoting the figures."""
    found = []
    if metrics.prompts < FEW_PROMPTS:
        found.append(f"Only {metrics.prompts} prompts: the intervals are too narrow with so few independent units.")
    if metrics.human_agreement is None:
        found.append("No pair was judged by two people, so the ceiling set by human disagreement is unknown.")
    elif metrics.accuracy > metrics.human_agreement + 0.02:
        found.append(
            "Accuracy lies above the agreement of two people: it is measured against majorities, which are steadier"
            " than single people."
        )
    if metrics.ece > 0.1:
        found.append(f"Poorly calibrated (ECE {metrics.ece:.2f}): do not read its probabilities as such.")
    return found


def worst_disagreements(groups: Sequence[Group], scores: Sequence[Sequence[float]], limit: int = 5) -> list[_Example]:
    """The pairs with the largest gap against the majority, at most one per group."""
    return nlargest(limit, _disagreements(groups, scores), key=lambda example: example.gap)


def _disagreements(groups: Sequence[Group], scores: Sequence[Sequence[float]]) -> Iterator[_Example]:
    """The pair of each group whose gap is largest against the majority, where there is one."""
    for group, values in zip(groups, scores, strict=True):
        candidates = []
        for tally in group.tallies():
            if tally.majority:
                better, worse = (tally.i, tally.j) if tally.majority > 0 else (tally.j, tally.i)
                votes = sorted((tally.wins_i, tally.wins_j), reverse=True)
                candidates.append((values[worse] - values[better], better, worse, votes))
        if not candidates or max(candidates)[0] <= 0:
            continue
        _, better, worse, votes = max(candidates)
        yield _Example(
            group=group.id,
            prompt="\n\n".join(f"{m.role}: {m.content}" for m in group.prompt),
            better=group.completions[better].text,
            worse=group.completions[worse].text,
            better_score=values[better],
            worse_score=values[worse],
            votes=f"{votes[0]} to {votes[1]}",
        )


def _cards(metrics: Metrics) -> list[dict[str, str]]:
    speed = f"{metrics.tokens_per_second:,.0f} tokens/s" if metrics.tokens_per_second else ""
    return [
        {"name": "accuracy", "value": percent(metrics.accuracy), "note": interval_text(metrics.accuracy_ci95)},
        {
            "name": f"over choosing the {metrics.length_rule} text",
            "value": points(metrics.gain_over_length),
            "note": interval_text(metrics.gain_over_length_ci95, "points"),
        },
        {
            "name": "two people agree",
            "value": percent(metrics.human_agreement),
            "note": interval_text(metrics.human_agreement_ci95),
        },
        {
            "name": "calibration error",
            "value": f"{metrics.ece:.3f}",
            "note": f"{metrics.ece_uncalibrated:.3f} before temperature",
        },
        {"name": "preferences", "value": str(metrics.comparisons), "note": f"{metrics.ties} ties left out. {speed}"},
    ]


def _numbers(metrics: Metrics) -> list[tuple[str, str]]:
    rows = []
    for name, value in metrics.to_json().items():
        if name in ("slices", "reliability", "reliability_uncalibrated"):
            continue
        if isinstance(value, tuple):
            rows.append((name, f"{value[0]:.4f} … {value[1]:.4f}"))
        else:
            rows.append((name, f"{value:.4f}" if isinstance(value, float) else "–" if value is None else str(value)))
    return rows


def figures(
    metrics: Metrics,
    groups: Sequence[Group],
    scores: Sequence[Sequence[float]],
    findings: Findings,
    history: History,
) -> dict[str, Figure]:
    """All pictures of the report by name."""
    pairs = collect_pairs(groups, scores).decided()
    lengths = [len(c.text) for group in groups for c in group.completions]
    rewards = [score for values in scores for score in values]
    made = {
        "accuracy": plots.accuracy_plot(metrics),
        "reliability": plots.reliability_plot(metrics),
        "gap": plots.gap_plot(np.abs(pairs.gap), correctness(pairs.gap, pairs.majority)),
        "length": plots.length_plot(lengths, rewards),
    }
    if findings.biases and findings.biases.leans:
        made["leans"] = plots.leans_plot(findings.biases.leans)
    if findings.cross_validation:
        made["people"] = plots.people_plot(findings.cross_validation)
    if findings.learning_curve:
        made["labels"] = plots.curve_plot(findings.learning_curve)
    if history.steps:
        made["training"] = plots.training_plot(history.steps, history.losses, history.valid)
    return made


def render(
    metrics: Metrics,
    groups: Sequence[Group],
    scores: Sequence[Sequence[float]],
    *,
    title: str,
    subtitle: Sequence[str] = (),
    findings: Findings | None = None,
    notes: Sequence[str] = (),
    provenance: Mapping[str, Any] | None = None,
    history: History | None = None,
) -> tuple[str, dict[str, Figure]]:
    """The page as one string without any outside reference, and its pictures.

    Args:
        metrics: from `reward.evaluate.evaluate` on these groups and scores.
        groups: G groups. scores: G lists of raw scores.
        title: heading. subtitle: lines under it.
        findings: what else was found.
        notes: warnings besides those that the metrics give rise to, e.g. what was left out.
        provenance: names and values for the table "How it was made".
        history: the training run, if its curve is to be shown.
    """
    findings = findings or Findings()
    made = figures(metrics, groups, scores, findings, history or History())
    lengths = [len(c.text) for group in groups for c in group.completions]
    flat = [score for values in scores for score in values]
    varied = len(set(lengths)) > 1 and len(set(flat)) > 1
    page = fill(
        "report",
        title=title,
        subtitle=list(subtitle),
        metrics=metrics,
        verdict=verdict(metrics),
        better=better_than_length(metrics),
        warnings=[*notes, *warnings(metrics)],
        cards=_cards(metrics),
        figures={"training": None, "leans": None} | {name: plots.svg(figure) for name, figure in made.items()},
        verdicts=list(findings.verdicts(metrics)),
        findings=findings,
        styles=STYLES,
        traits=TRAITS,
        length_correlation=float(spearmanr(lengths, flat).statistic) if varied else 0.0,
        examples=worst_disagreements(groups, scores),
        numbers=_numbers(metrics),
        provenance=list((provenance or {}).items()),
        pct=percent,
        points=points,
        interval=interval_text,
    )
    return page, made


def write_report(
    out: Path,
    metrics: Metrics,
    page: str,
    made: Mapping[str, Figure],
    *,
    findings: Findings | None = None,
    notes: Sequence[str] = (),
) -> Path:
    """Write metrics.json (with all findings and warnings), report.html and plots/*.png; returns the path of the page.

    Raises:
        DataError: the folder cannot be written.
    """
    told = metrics.to_json() | (findings or Findings()).to_json() | {"warnings": [*notes, *warnings(metrics)]}
    figures = json.dumps(told, indent=2, allow_nan=False)
    try:
        (out / "plots").mkdir(parents=True, exist_ok=True)
        for name, figure in made.items():
            figure.savefig(out / "plots" / f"{name}.png", dpi=160, metadata={"Software": None})
        for name, text in (("report.html", page), ("metrics.json", figures + "\n")):  # whole once the last is there
            with replacing(out / name) as temporary:
                temporary.write_text(text, encoding="utf-8")
    except OSError as error:
        problem = f"cannot be written: {error.strerror or error}; choose another folder"
        raise DataError(problem, file=str(out)) from error
    return out / "report.html"
