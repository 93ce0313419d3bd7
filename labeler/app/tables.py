"""Tables: on the page in its language, in the file that their button downloads in one form for programs."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from labeler.agreement import Estimate
from labeler.app import insight, language
from labeler.languages import t

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Cell:
    """A value that a person and a program read differently; any other value is the same for both.

    Attributes:
        shown: what stands on the page.
        filed: what the file has instead, by what is put behind the name of the column; nothing leaves the column out.
    """

    shown: Any
    filed: Mapping[str, Any]


def named(name: object, shown: str) -> Cell:
    """What the program calls something, and what a person does."""
    return Cell(shown, {"": name})


def share(estimate: Estimate) -> Cell:
    """A share: in per cent with its interval; in the file from 0 to 1, in three columns."""
    return estimated(estimate, insight.percent(estimate))


def number(estimate: Estimate) -> Cell:
    """A figure with its interval; in the file in three columns."""
    return estimated(estimate, insight.written(estimate))


def estimated(estimate: Estimate, shown: object) -> Cell:
    """An estimate that the page shows like this; in the file it is itself and the ends of its interval."""
    return Cell(shown, {"": estimate.value, ", low": estimate.low, ", high": estimate.high})


def table(
    rows: Sequence[Row], name: str, column_config: Mapping[str, Any] | None = None, *, height: int = 460, **options: Any
) -> Any:
    """A table with a button that downloads it as a file; returns what a selection in it says.

    Args:
        rows: with the same names of columns in each, which are marked for translation.
        name: of the file, and of the button among others.
        column_config: of some columns.
        height: the most that it takes, in pixels.
        options: of `st.dataframe`.
    """
    shown = [{title: cell.shown if isinstance(cell, Cell) else cell for title, cell in row.items()} for row in rows]
    found = language.table(shown, column_config, height=min(38 + 35 * len(rows), height), **options)
    about = t("For programs: in every language English names, plain numbers, and shares from 0 to 1.")
    st.download_button(
        t("Download CSV"), csv_of(rows), f"{name}.csv", "text/csv", key=f"csv-{name}", help=about, on_click="ignore"
    )
    return found


def csv_of(rows: Iterable[Row]) -> str:
    """Rows as CSV; a text that a spreadsheet would take for a formula gets an apostrophe before it."""
    out = io.StringIO()
    filed = [_filed(row) for row in rows]
    writer = csv.DictWriter(out, list(filed[0]) if filed else [])
    writer.writeheader()
    writer.writerows(filed)
    return out.getvalue()


def _filed(row: Row) -> dict[str, Any]:
    cells = {title: cell.filed if isinstance(cell, Cell) else {"": cell} for title, cell in row.items()}
    return {f"{title}{end}": _safe(value) for title, filed in cells.items() for end, value in filed.items()}


def _safe(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value
