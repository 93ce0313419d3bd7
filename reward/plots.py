"""The pictures of the report, each a matplotlib figure made from plain numbers."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, PercentFormatter

from reward.biases import TRAITS, Lean
from reward.bootstrap import Floats, Interval
from reward.evaluate import Metrics
from reward.folds import CrossValidation
from reward.learning_curve import LearningCurve

INK, MUTED, ACCENT, WARM = "#444b54", "#8a929c", "#2f6fb0", "#c4622d"
STYLE: Any = {
    "font.size": 10,
    "font.family": "sans-serif",
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "text.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#d9dde2",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "svg.hashsalt": "reward-labeler",
}


def _axes(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.add_subplot()


def accuracy_plot(metrics: Metrics) -> Figure:
    """Accuracy of the model beside a coin, the better length rule and another human, each with its 95 % interval."""
    rows: list[tuple[str, float, Interval | None, str]] = [
        ("reward model", metrics.accuracy, metrics.accuracy_ci95, ACCENT),
        (f"{metrics.length_rule} text wins", metrics.length_rule_accuracy, _length_interval(metrics), WARM),
        ("coin", 0.5, None, MUTED),
    ]
    if metrics.human_agreement is not None:
        rows.insert(0, ("two people agree", metrics.human_agreement, metrics.human_agreement_ci95, INK))
    with matplotlib.rc_context(STYLE):
        figure, axes = _axes(7.2, 0.5 * len(rows) + 0.9)
        for y, (_, value, interval, colour) in enumerate(reversed(rows)):
            _dot(axes, y, value, interval, colour)
        axes.set_yticks(range(len(rows)), [row[0] for row in reversed(rows)])
        axes.set_ylim(-0.5, len(rows) - 0.3)
        lowest = min(bound for _, value, interval, _ in rows for bound in (value, *(interval or ())))
        axes.set_xlim(min(0.4, lowest - 0.03), 1.02)
        axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0, symbol=" %"))
        axes.set_xlabel("preferences ordered right, with 95 % interval over prompts")
        axes.grid(visible=False, axis="y")
    return figure


def _dot(axes: Axes, y: float, value: float, interval: Interval | None, colour: str) -> None:
    """A share with its interval and its number above."""
    if interval:
        axes.plot(interval, (y, y), color=colour, linewidth=3, alpha=0.35, solid_capstyle="round")
    axes.plot(value, y, "o", color=colour, markersize=8)
    axes.annotate(f"{100 * value:.1f} %", (value, y), (0, 8), textcoords="offset points", ha="center", fontsize=9)


def _length_interval(metrics: Metrics) -> Interval | None:
    """The interval of the stronger length rule: that of "longer wins", turned round for "shorter wins"."""
    interval = metrics.length_only_accuracy_ci95
    if interval is None or metrics.length_rule == "longer":
        return interval
    return 1 - interval[1], 1 - interval[0]


def reliability_plot(metrics: Metrics) -> Figure:
    """How often the model is right at each level of its own confidence, before and after the temperature."""
    rows = ((metrics.reliability_uncalibrated, MUTED, "before"), (metrics.reliability, ACCENT, "after temperature"))
    most = max(b.pairs for bins, _, _ in rows for b in bins)
    with matplotlib.rc_context(STYLE):
        figure, axes = _axes(3.9, 3.4)
        axes.plot((0.5, 1), (0.5, 1), color=MUTED, linewidth=1, linestyle="--")
        for bins, colour, label in rows:
            x, y = [b.confidence for b in bins], [b.accuracy for b in bins]
            axes.plot(x, y, color=colour, linewidth=1, alpha=0.6)
            axes.scatter(
                x, y, [12 + 120 * b.pairs / most for b in bins], color=colour, alpha=0.8, label=label, linewidths=0
            )
        axes.set_xlim(0.48, 1.02)
        axes.set_ylim(min(0.4, min(b.accuracy for bins, _, _ in rows for b in bins) - 0.05), 1.05)
        axes.set_xlabel("confidence of the model")
        axes.set_ylabel("share right (area: pairs)")
        _shares(axes)
        legend = figure.legend(loc="outside upper center", ncols=2, frameon=False, fontsize=9)
        for handle in legend.legend_handles:
            handle.set_sizes([40])  # type: ignore[union-attr]
    return figure


def _shares(axes: Axes, *, both: bool = True) -> None:
    """Percent on the y axis, and on the x axis too if both are shares."""
    for axis in (axes.xaxis, axes.yaxis) if both else (axes.yaxis,):
        axis.set_major_formatter(PercentFormatter(1.0, decimals=0, symbol=" %"))


def leans_plot(leans: Sequence[Lean]) -> Figure:
    """How people and the model lean to each trait, with 95 % intervals; apart means bias."""
    with matplotlib.rc_context(STYLE):
        figure, axes = _axes(7.2, 0.55 * len(leans) + 1.1)
        for y, lean in enumerate(reversed(leans)):
            for value, interval, colour, up in (
                (lean.people, lean.people_ci95, INK, 0.12),
                (lean.model, lean.model_ci95, ACCENT, -0.12),
            ):
                axes.plot(interval, (y + up, y + up), color=colour, linewidth=3, alpha=0.35, solid_capstyle="round")
                axes.plot(value, y + up, "o", color=colour, markersize=7, label=None if y else _judge(colour))
        axes.axvline(0.5, color=MUTED, linewidth=1, linestyle="--")
        axes.set_yticks(range(len(leans)), [TRAITS[lean.trait][1] for lean in reversed(leans)])
        axes.set_ylim(-0.6, len(leans) - 0.4)
        bounds = [bound for lean in leans for bound in (*lean.people_ci95, *lean.model_ci95)]
        axes.set_xlim(min(0.35, *bounds) - 0.02, max(0.65, *bounds) + 0.02)
        axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0, symbol=" %"))
        axes.set_xlabel("share of choices for that text, with 95 % interval over prompts")
        axes.grid(visible=False, axis="y")
        figure.legend(loc="outside upper right", ncols=2, frameon=False, fontsize=9)
    return figure


def _judge(colour: str) -> str:
    return "people" if colour == INK else "model"


def people_plot(found: CrossValidation) -> Figure:
    """Accuracy on held-out and on training annotators' judgments, and on each fold's held-out annotators."""
    rows: list[tuple[str, float, Interval | None, str]] = [
        ("people it never learned from", found.accuracy, found.accuracy_ci95, ACCENT)
    ]
    if found.training_accuracy is not None:
        rows.append(("people it learned from", found.training_accuracy, found.training_accuracy_ci95, INK))
    with matplotlib.rc_context(STYLE):
        figure, axes = _axes(7.2, 0.5 * len(rows) + 0.9)
        top = len(rows) - 1
        for y, row in zip(range(top, -1, -1), rows, strict=True):
            _dot(axes, y, *row[1:])
        folds = [value for value in found.folds if value is not None]
        axes.plot(folds, [top - 0.28] * len(folds), "|", color=ACCENT, markersize=8, alpha=0.8)
        axes.set_yticks(range(len(rows)), [row[0] for row in reversed(rows)])
        axes.set_ylim(-0.5, len(rows) - 0.3)
        low = min(bound for _, value, interval, _ in rows for bound in (value, *(interval or ()), *folds))
        axes.set_xlim(min(0.4, low - 0.03), 1.02)
        axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0, symbol=" %"))
        axes.set_xlabel("judgments that the model shares; strokes: single folds")
        axes.grid(visible=False, axis="y")
    return figure


def curve_plot(found: LearningCurve) -> Figure:
    """Test accuracy against the number of labels (log scale), with 95 % intervals over test prompts."""
    with matplotlib.rc_context(STYLE):
        figure, axes = _axes(5.4, 3.2)
        labels, accuracy = [p.labels for p in found.points], [p.accuracy for p in found.points]
        axes.plot(labels, accuracy, "o-", color=ACCENT)
        for point in found.points:
            if point.accuracy_ci95:
                axes.plot((point.labels,) * 2, point.accuracy_ci95, color=ACCENT, linewidth=3, alpha=0.35)
        axes.axhline(0.5, color=MUTED, linewidth=1, linestyle="--")
        axes.set_xscale("log")
        axes.set_xticks(labels, [f"{label:,}" for label in labels])
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_xlabel("labels: pairs that a person decided (log scale)")
        axes.set_ylabel("accuracy on the test prompts")
        _shares(axes, both=False)
    return figure


def gap_plot(gap: Floats, right: Floats) -> Figure:
    """Histogram of the score gap towards what people preferred; left of zero the model disagrees.

    Args:
        gap: |gap| per decided pair (P).
        right: 1 right, 0.5 equal, 0 wrong (P).
    """
    signed = gap * (2 * right - 1)
    with matplotlib.rc_context(STYLE):
        figure, axes = _axes(3.9, 3.4)
        limit = float(abs(signed).max()) or 1.0
        edges = [limit * (step / 12 - 1) for step in range(25)]
        axes.hist(signed[signed < 0], bins=edges, color=WARM, label="against people")
        axes.hist(signed[signed >= 0], bins=edges, color=ACCENT, label="with people")
        axes.axvline(0, color=INK, linewidth=1)
        axes.set_xlabel("score: preferred minus other (logits)")
        axes.set_ylabel("pairs")
        axes.legend(frameon=False, loc="upper left")
    return figure


def length_plot(lengths: Sequence[int], rewards: Sequence[float]) -> Figure:
    """Reward against length of every completion, to see at a glance whether the model pays for length.

    Args:
        lengths: characters per completion (N).
        rewards: raw score per completion (N).
    """
    with matplotlib.rc_context(STYLE):
        figure, axes = _axes(3.9, 3.4)
        axes.scatter([max(length, 1) for length in lengths], rewards, s=9, color=ACCENT, alpha=0.4, linewidths=0)
        axes.set_xscale("log")
        decades = max(lengths, default=1) / max(min(lengths, default=1), 1)
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0,) if decades > 1000 else (1.0, 2.0, 5.0)))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_xlabel("characters (log scale)")
        axes.set_ylabel("raw score")
    return figure


def training_plot(steps: Sequence[int], losses: Sequence[float], valid: Sequence[tuple[int, float]]) -> Figure:
    """Training loss per step (nats), smoothed over a tenth of the run, and validation accuracy where it was taken.

    Args:
        steps: optimiser steps (S). losses: mean loss of each (S).
        valid: pairs of step and validation accuracy.
    """
    window = max(1, len(losses) // 10)
    smooth = [sum(losses[max(0, i - window + 1) : i + 1]) / min(i + 1, window) for i in range(len(losses))]
    with matplotlib.rc_context(STYLE):
        figure, axes = _axes(3.9, 3.4)
        axes.plot(steps, losses, color=ACCENT, alpha=0.25, linewidth=0.8)
        axes.plot(steps, smooth, color=ACCENT, linewidth=2, label="training loss")
        axes.axhline(math.log(2), color=MUTED, linewidth=1, linestyle="--", label="coin")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlabel("optimiser step")
        axes.set_ylabel("loss (nats per pair)")
        if valid:
            twin = axes.twinx()
            twin.plot(*zip(*valid, strict=True), "o-", color=WARM, label="validation accuracy")
            twin.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0, symbol=" %"))
            twin.set_ylim(min(0.48, *(accuracy - 0.02 for _, accuracy in valid)), 1.02)
            twin.set_ylabel("validation accuracy", color=WARM)
            twin.grid(visible=False)
            twin.spines["right"].set_visible(True)
        figure.legend(loc="outside upper center", ncols=3, frameon=False, fontsize=9, handlelength=1.4)
    return figure


@dataclass(frozen=True)
class Curve:
    """Measured seconds (N) at ``x`` (N), and the straight line through them."""

    label: str
    x: Sequence[int]
    seconds: Sequence[float]
    slope: float
    intercept: float
    r_squared: float


def cost_plot(curves: Sequence[Curve]) -> Figure:
    """Seconds for forward and backward of one group as it grows, each curve in a panel with the line fitted to it."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(3.9 * len(curves), 3.4), layout="constrained")
        for axes, curve in zip(figure.subplots(1, len(curves), squeeze=False)[0], curves, strict=True):
            ends = (0, max(curve.x))
            line = [curve.intercept + curve.slope * x for x in ends]
            axes.plot(ends, line, color=MUTED, linewidth=1, linestyle="--", label=f"line, R² {curve.r_squared:.4f}")
            axes.plot(curve.x, curve.seconds, "o", color=ACCENT, label="measured")
            axes.set_ylim(0, 1.08 * max(curve.seconds))
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            axes.set_xlabel(curve.label)
            axes.set_ylabel("forward and backward (seconds)")
            axes.legend(frameon=False, loc="upper left")
    return figure


def svg(figure: Figure) -> str:
    """The figure as an ``<svg>`` element to put into a page, text kept as text."""
    text = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "reward-labeler"}):
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None})
    whole = text.getvalue()
    return whole[whole.index("<svg") :]
