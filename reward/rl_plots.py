"""The pictures of a PPO run and of over-optimisation, each a matplotlib figure made from plain numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from reward.plots import ACCENT, INK, MUTED, STYLE, WARM

Row = dict[str, Any]


@dataclass(frozen=True)
class Panel:
    """One curve of the report.

    Attributes:
        name: field of the rows. label: of the axis. held_out: whether evaluations have it too. caption: what it means.
    """

    name: str
    label: str
    held_out: bool
    caption: str


PANELS = (
    Panel("reward", "reward (SD of the reward model)", True, "Mean normalised score, before any penalty."),
    Panel("kl", "KL (nats per completion)", True, "Distance from the policy that PPO started from."),
    Panel(
        "entropy", "entropy (nats per token)", True, "Falls as the policy commits itself; towards 0 it has collapsed."
    ),
    Panel("length", "tokens", True, "Length of the completions, the end token included."),
    Panel("finished", "share that ended", True, "Completions that the policy ended itself."),
    Panel("clip_fraction", "share of tokens", False, "Tokens whose gradient the clip held back."),
    Panel("value_loss", "value loss", False, "Half the squared error of the value function, clipped."),
    Panel("explained_variance", "explained variance", False, "Of the returns by the value function; 1 is perfect."),
)


def panel(which: Panel, batches: Sequence[Row], evaluations: Sequence[Row]) -> Figure:
    """One curve over iterations: batches pale with their running mean, held-out evaluations with 95 % intervals.

    Args:
        which: the panel.
        batches, evaluations: rows of the curves, in order.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(3.9, 2.7), layout="constrained")
        axes = figure.add_subplot()
        x, y = [row["iteration"] for row in batches], [row[which.name] for row in batches]
        axes.plot(x, y, color=MUTED, alpha=0.45, linewidth=0.8)
        axes.plot(x, running_mean(y), color=INK, linewidth=1.4, label="practice")
        if which.held_out:
            x = [row["iteration"] for row in evaluations]
            axes.plot(x, [row[which.name] for row in evaluations], "o-", color=ACCENT, markersize=4, label="held out")
            for row in evaluations:
                if interval := row.get(f"{which.name}_ci95"):
                    axes.plot((row["iteration"],) * 2, interval, color=ACCENT, linewidth=3, alpha=0.3)
            axes.legend(frameon=False, fontsize=9)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlabel("iteration")
        axes.set_ylabel(which.label)
    return figure


def running_mean(values: Sequence[float]) -> list[float]:
    """Each value averaged with those before it, over a tenth of the run."""
    window = max(1, len(values) // 10)
    return [sum(values[max(0, i - window + 1) : i + 1]) / min(i + 1, window) for i in range(len(values))]


@dataclass(frozen=True)
class Trace:
    """Points of one way to leave the reference: distance √KL (N), gain (N), intervals (N), and a fitted curve."""

    label: str
    distance: Sequence[float]
    gain: Sequence[float]
    intervals: Sequence[tuple[float, float] | None]
    fitted: tuple[Sequence[float], Sequence[float]] | None
    gold: bool
    dashed: bool


def gain_plot(traces: Sequence[Trace]) -> Figure:
    """Gain over the reference against √KL, proxy and gold, best of n and PPO on one pair of axes."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(7.6, 4.2), layout="constrained")
        axes = figure.add_subplot()
        axes.axhline(0, color=MUTED, linewidth=1, linestyle="--")
        for trace in traces:
            colour, mark = (WARM if trace.gold else ACCENT), ("s" if trace.dashed else "o")
            face = "white" if trace.dashed else colour
            axes.plot(
                trace.distance, trace.gain, mark, color=colour, markerfacecolor=face, markersize=5, label=trace.label
            )
            for x, interval in zip(trace.distance, trace.intervals, strict=True):
                if interval:
                    axes.plot((x, x), interval, color=colour, linewidth=2.5, alpha=0.25)
            if trace.fitted:
                axes.plot(*trace.fitted, color=colour, linewidth=1.2, linestyle="--" if trace.dashed else "-")
        axes.set_xlabel("distance from the reference, √KL (√nats per completion)")
        axes.set_ylabel("gain (SD of the reference's reward)")
        axes.legend(frameon=False, fontsize=9)
    return figure
