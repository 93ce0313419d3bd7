"""The pictures of the report on policies, each a matplotlib figure made from plain numbers."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from reward.bootstrap import Interval
from reward.plots import ACCENT, INK, MUTED, STYLE, WARM
from reward.policies.judges import Judge
from reward.policies.measures import Estimate

COLOURS = (MUTED, ACCENT, "#3b8f5e", WARM, "#8a5bb0", "#a3912b")
"""One per policy, in their order; from the seventh on they come again."""
MODELS = (ACCENT, "#3b8f5e", "#8a5bb0", "#a3912b")
"""One per reward model; people are drawn in ink, the gold reward model in its own colour."""
MANY = 16
"""With more policies figures are drawn without their numbers, and names in small type."""
BALANCE = LinearSegmentedColormap.from_list("balance", [WARM, "#ffffff", ACCENT])


def matrix_plot(judge: Judge, names: Sequence[str]) -> Figure:
    """How often each policy (row) is preferred to each other (column), with the 95 % interval under it.

    Many policies are drawn from the strongest to the weakest and without numbers, which nobody could read.
    """
    many = len(names) > MANY
    if many:
        score = {strength.policy: strength.score for strength in judge.strengths}
        names = sorted(names, key=lambda name: -score.get(name, -np.inf))
    size = len(names)
    with matplotlib.rc_context(STYLE):
        across = (0.17 * size + 3, 0.15 * size + 3) if many else (1.15 * size + 1.5, 0.8 * size + 0.8)
        figure = Figure(figsize=across, layout="constrained")
        axes = figure.add_subplot()
        shares = np.full((size, size), np.nan)
        for row, policy in enumerate(names):
            for column, other in enumerate(names):
                found = judge.rate(policy, other) if row != column else None
                if found is not None and found.rate.value is not None:
                    shares[row, column] = found.rate.value
                    if not many:
                        _numbers(axes, row, column, found.rate)
        axes.imshow(shares, cmap=BALANCE, vmin=0, vmax=1, aspect="auto")
        small: dict[str, Any] = {"fontsize": 7} if many else {}
        axes.set_xticks(range(size), names, rotation=90 if many else 0, **small)
        axes.set_yticks(range(size), names, **small)
        axes.xaxis.tick_top()
        axes.tick_params(length=0)
        axes.grid(visible=False)
        for spine in axes.spines.values():
            spine.set_visible(False)
    return figure


def _numbers(axes: Axes, row: int, column: int, rate: Estimate) -> None:
    """A share in its cell, with the interval under it."""
    share, (low, high) = rate.value or 0.0, rate.ci95 or (0.0, 1.0)
    ink = "white" if abs(share - 0.5) > 0.33 else INK
    axes.text(column, row - 0.12, f"{100 * share:.0f} %", ha="center", va="center", color=ink)
    axes.text(column, row + 0.22, f"{100 * low:.0f}–{100 * high:.0f}", ha="center", va="center", color=ink, fontsize=8)


def _of_policies(names: Sequence[str]) -> Figure:
    """A figure with the policies from left to right."""
    size = (0.16 * len(names) + 2, 4.4) if len(names) > MANY else (6.4, 3.2)
    return Figure(figsize=size, layout="constrained")


def scores_plot(judges: Sequence[Judge], names: Sequence[str]) -> Figure:
    """Bradley–Terry scores of all policies, a colour for each judge."""
    colours = judge_colours(judges)
    with matplotlib.rc_context(STYLE):
        figure = _of_policies(names)
        axes = figure.add_subplot()
        axes.axhline(0, color=MUTED, linewidth=1, linestyle="--")
        for number, judge in enumerate(judges):
            known = {strength.policy: strength for strength in judge.strengths}
            found = [(place, known[name]) for place, name in enumerate(names) if name in known]
            points = [(place, each.score, each.score_ci95) for place, each in found]
            _line(axes, points, (number - (len(judges) - 1) / 2) * 0.09, judge.name, colours[judge.name])
        _policies(axes, names, "score (nats; 0 is their mean)")
        figure.legend(loc="outside upper center", ncols=4, frameon=False, fontsize=9)
    return figure


def means_plot(judges: Sequence[Judge], names: Sequence[str], label: str) -> Figure:
    """Mean rewards, or mean ratings, of all policies, a colour for each judge."""
    colours = judge_colours(judges)
    with matplotlib.rc_context(STYLE):
        figure = _of_policies(names)
        axes = figure.add_subplot()
        for number, judge in enumerate(judges):
            points = [
                (place, mean.value, mean.ci95) for place, mean in enumerate(judge.means) if mean.value is not None
            ]
            _line(axes, points, (number - (len(judges) - 1) / 2) * 0.09, judge.name, colours[judge.name])
        _policies(axes, names, label)
        if len(judges) > 1:
            figure.legend(loc="outside upper center", ncols=4, frameon=False, fontsize=9)
    return figure


def judge_colours(judges: Sequence[Judge]) -> dict[str, str]:
    """The colour of every judge, the same in all pictures."""
    models = cycle(MODELS)
    fixed = {"people": INK, "gold": WARM}
    return {judge.name: fixed.get(judge.head.kind) or next(models) for judge in judges}


def _line(
    axes: Axes, points: Sequence[tuple[int, float, Interval | None]], aside: float, label: str, colour: str
) -> None:
    """One judge's points with their intervals, set aside a little from those of the others."""
    places = [place + aside for place, _, _ in points]
    form, size = ("o", 3) if len(points) > MANY else ("o-", 6)  # many are no steps from one to the next
    axes.plot(places, [value for _, value, _ in points], form, color=colour, linewidth=1, markersize=size, label=label)
    for place, (_, _, interval) in zip(places, points, strict=True):
        if interval:
            axes.plot((place, place), interval, color=colour, linewidth=3, alpha=0.35, solid_capstyle="round")


def _policies(axes: Axes, names: Sequence[str], label: str) -> None:
    many: dict[str, Any] = {"rotation": 90, "fontsize": 7} if len(names) > MANY else {}
    axes.set_xticks(range(len(names)), names, **many)
    axes.set_xlim(-0.5, len(names) - 0.5)
    axes.set_ylabel(label)
    axes.grid(visible=False, axis="x")


def rates_plot(rows: Sequence[tuple[str, Sequence[Estimate]]], names: Sequence[str], label: str) -> Figure | None:
    """Shares with 95 % intervals, a row for each figure and a colour for each policy; None for more than `MANY`."""
    if len(names) > MANY:
        return None
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(8.4, (0.08 * len(names) + 0.16) * len(rows) + 1.0), layout="constrained")
        axes = figure.add_subplot()
        for row, (_, rates) in enumerate(rows):
            for number, rate in enumerate(rates):
                if rate.value is None:
                    continue
                y = row + (number - (len(names) - 1) / 2) * 0.7 / len(names)
                colour = COLOURS[number % len(COLOURS)]
                axes.plot(rate.ci95 or (), (y, y) if rate.ci95 else (), color=colour, linewidth=2, alpha=0.35)
                axes.plot(rate.value, y, "o", color=colour, markersize=4, label=None if row else names[number])
        axes.set_yticks(range(len(rows)), [_broken(about) for about, _ in rows], fontsize=9)
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.set_xlim(left=min(-0.005, axes.get_xlim()[0]))
        axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0, symbol=" %"))
        axes.set_xlabel(f"{label}, with 95 % interval over prompts")
        axes.grid(visible=False, axis="y")
        figure.legend(loc="outside upper center", ncols=6, frameon=False, fontsize=9)
    return figure


def _broken(text: str, width: int = 44) -> str:
    """The text in two lines where it is long."""
    if len(text) <= width:
        return text
    cut = text.rfind(" ", 0, width)
    return f"{text[:cut]}\n{text[cut + 1 :]}"
