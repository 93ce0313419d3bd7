"""The tables of the report: figures as texts in rows and columns, whatever they are figures of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from matplotlib.figure import Figure

from reward.policies.measures import Estimate

Unit = Literal["share", "number", "points"]
Cell = tuple[str, str]
"""A figure and, below it in small type, its interval."""


@dataclass(frozen=True)
class Row:
    """A name, perhaps what it means, and its cells."""

    name: str
    cells: tuple[Cell, ...]
    about: str = ""


@dataclass(frozen=True)
class Table:
    """A section of the report: a heading, perhaps a picture with its caption, a table, a note under it.

    Attributes:
        key: name of the section's anchor and of the picture's file. first: heading of the column of names.
    """

    key: str
    title: str
    first: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    note: str = ""
    plot: Figure | None = None
    caption: str = ""

    @property
    def wide(self) -> bool:
        """Whether the picture takes the whole width of the page."""
        return self.plot is not None and self.plot.get_figwidth() > 7


def figure_text(value: float | None, unit: Unit) -> str:
    """``0.7234`` as ``72.3 %`` or ``0.72``, a difference of shares as ``+3.1 points``; None as a dash."""
    if value is None:
        return "–"
    text = {
        "share": f"{100 * value:.1f} %",
        "number": f"{round(value, 2) + 0.0:.2f}",
        "points": f"{100 * value:+.1f} points",
    }[unit]
    return text.replace("-", "−")


def interval_text(estimate: Estimate, unit: Unit) -> str:
    """``55.0 to 67.1``; empty where there is no interval."""
    if estimate.ci95 is None:
        return ""
    scale, digits = (1, 2) if unit == "number" else (100, 1)
    low, high = (f"{scale * bound:.{digits}f}" for bound in estimate.ci95)
    return f"{low} to {high}".replace("-", "−")


def cell(estimate: Estimate, unit: Unit) -> Cell:
    """A figure with its interval."""
    return figure_text(estimate.value, unit), interval_text(estimate, unit)


def rate_rows(rows: Sequence[tuple[str, str, Sequence[Estimate]]]) -> tuple[Row, ...]:
    """Rows (name, what it means, one share a column) as texts."""
    return tuple(Row(name, tuple(cell(rate, "share") for rate in rates), about) for name, about, rates in rows)
