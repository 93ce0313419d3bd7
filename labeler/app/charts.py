"""Charts from plain rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from labeler.agreement import Estimate
from labeler.languages import mark, t

BLUE = "#4d82e0"
INK, WHITE = "#1b1c1a", "white"
TITLES = {
    "name": mark("name"),
    "value": mark("value"),
    "low": mark("low"),
    "high": mark("high"),
    "counted": mark("counted"),
    "asked": mark("asked"),
    "who": mark("who"),
    "median": mark("median"),
    "answers": mark("answers"),
    "model": mark("model"),
    "flag": mark("flag"),
    "row": mark("model"),
    "column": mark("against"),
    "wins": mark("wins"),
    "ties": mark("ties"),
    "losses": mark("losses"),
    "day": mark("day"),
    "hour": mark("hour"),
    "labeler": mark("labeler"),
    "annotator": mark("annotator"),
    "rankings": mark("rankings"),
    "judgments": mark("judgments"),
    "comparisons": mark("comparisons"),
    "project": mark("project"),
    "state": mark("state"),
    "tasks": mark("tasks"),
    "cluster": mark("cluster"),
    "prompt": mark("prompt"),
    "step": mark("step"),
    "measure": mark("measure"),
}
"""What the fields of rows are called where the pointer rests on a mark."""


def chart(rows: Sequence[dict[str, Any]]) -> alt.Chart:
    """A chart over rows that travel with it."""
    return alt.Chart(alt.Data(values=list(rows)))  # type: ignore[no-untyped-call]


def tip(field: str, form: str | None = None) -> alt.Tooltip:
    """A line of what is shown where the pointer rests on a mark: ``value:Q``."""
    name, _, _ = field.partition(":")
    title = t(TITLES[name])
    return alt.Tooltip(field, title=title) if form is None else alt.Tooltip(field, title=title, format=form)


def interval_row(name: str, estimate: Estimate) -> dict[str, Any]:
    """A row of `intervals`."""
    return {
        "name": name,
        "value": estimate.value,
        "low": estimate.low,
        "high": estimate.high,
        "counted": estimate.comparisons,
    }


def intervals(
    rows: Sequence[dict[str, Any]],
    title: str,
    *,
    form: str = ".0%",
    domain: tuple[float, float] | None = None,
    marks: Mapping[str, float] | None = None,
) -> Any:
    """A point with its 95 % interval for each row, from the top down.

    Args:
        rows: as of `interval_row`.
        title: of the axis.
        form: of the axis' numbers.
        domain: ends of the axis; those of the data where None.
        marks: values to compare with, by name, as dashed lines.
    """
    names = [row["name"] for row in rows]
    scale = alt.Scale(domain=list(domain)) if domain else alt.Scale(zero=False)
    x = alt.X("low:Q", title=title, axis=alt.Axis(format=form, tickCount=8), scale=scale)
    y = alt.Y("name:N", title=None, sort=names, axis=alt.Axis(labelLimit=180, labelOverlap=False))
    tips = [tip("name:N"), *(tip(f"{name}:Q", ".3f") for name in ("value", "low", "high")), tip("counted:Q")]
    base = chart(rows)
    layers = [
        base.mark_rule(color=BLUE, strokeWidth=2).encode(x=x, x2="high:Q", y=y),
        base.mark_point(color=BLUE, filled=True, size=60, opacity=1).encode(x="value:Q", y=y, tooltip=tips),
    ]
    if marks:
        colors = alt.Color("mark:N", title=None, legend=alt.Legend(orient="top", columns=1, labelLimit=260))
        lines = chart([{"mark": name, "value": value} for name, value in marks.items()])
        layers.insert(0, lines.mark_rule(strokeDash=[4, 3]).encode(x="value:Q", color=colors))
    return alt.layer(*layers).properties(height=70 + 24 * len(rows) + (50 if marks else 0))


def band(rows: Sequence[dict[str, Any]], x: str, title: str, form: str) -> Any:
    """A line of the rows' values with their intervals around it."""
    base = chart(rows).encode(
        x=alt.X(f"{x}:O", title=None if x == "name" else t(x), axis=alt.Axis(labelAngle=0, labelOverlap=True))
    )
    axis = alt.Y("low:Q", title=title, axis=alt.Axis(format=form), scale=alt.Scale(zero=False))
    tips = [tip("name:N"), *(tip(f"{name}:Q", ".3f") for name in ("value", "low", "high")), tip("counted:Q")]
    return alt.layer(
        base.mark_rule(color=BLUE, strokeWidth=2, opacity=0.5).encode(y=axis, y2="high:Q"),
        base.mark_line(color=BLUE, point=True).encode(y="value:Q", tooltip=tips),
    ).properties(height=260)


def squares(rows: Sequence[dict[str, Any]], names: Sequence[str], tips: Sequence[str]) -> Any:
    """A matrix of shares: rows with ``row``, ``column`` and ``value`` (0 to 1), bluer for more, redder for less."""
    base = chart(rows).encode(
        x=alt.X("column:N", title=None, sort=list(names), axis=alt.Axis(orient="top", labelAngle=-45, labelLimit=120)),
        y=alt.Y("row:N", title=None, sort=list(names), axis=alt.Axis(labelLimit=160, labelOverlap=False)),
        tooltip=[tip("row:N"), tip("column:N"), tip("value:Q", ".1%"), *map(tip, tips)],
    )
    shade = alt.Color(
        "value:Q",
        legend=None,
        scale=alt.Scale(domain=[0, 0.5, 1], range=["#c2553d", "#e8e6df", "#3f73d1"], interpolate="rgb"),
    )
    layers = [base.mark_rect().encode(color=shade)]
    if len(names) <= 12:
        ink = alt.condition("abs(datum.value - 0.5) > 0.3", alt.value(WHITE), alt.value(INK))
        layers.append(base.mark_text(fontSize=11).encode(text=alt.Text("value:Q", format=".0%"), color=ink))
    return alt.layer(*layers).properties(height=150 + max(12, min(28, 560 // max(len(names), 1))) * len(names))
