"""What the pages add to `labeler.languages`: parts that are drawn anew in the right language, and titles of columns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import wraps
from typing import Any, ParamSpec

import streamlit as st

from labeler import languages
from labeler.languages import mark, t

Parameters = ParamSpec("Parameters")

ANY = mark("all")
"""What stands in a filter in which nothing is chosen."""
NO_PROJECT = mark("There is no project yet. Make one with: labeler import FILE --project NAME --db URL")


def fragment(run_every: float) -> Callable[[Callable[Parameters, None]], Callable[Parameters, None]]:
    """`st.fragment` in the language of the page: it is run by threads of its own, which know nothing of the page's."""

    def decorate(draw: Callable[Parameters, None]) -> Callable[Parameters, None]:
        @st.fragment(run_every=run_every)
        @wraps(draw)  # Streamlit tells fragments apart by their names
        def again(language: str, *args: Any, **options: Any) -> None:
            languages.use(language)
            draw(*args, **options)

        @wraps(draw)
        def start(*args: Parameters.args, **options: Parameters.kwargs) -> None:
            again(languages.current(), *args, **options)

        return start

    return decorate


def strong(text: str) -> None:
    """A heading below a heading, in bold."""
    st.markdown(f"**{text}**")


def _titles(rows: Sequence[Mapping[str, Any]], given: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Titles for the columns of a table, whose names in the rows (and in files made of them) are English.

    Args:
        rows: of the table; their names are marked for translation.
        given: what is configured of some columns; a title among it stays.
    """
    configured = {name: dict((given or {}).get(name, {})) for name in (rows[0] if rows else ())}
    return {name: {**column, "label": column.get("label") or t(name)} for name, column in configured.items()}


def table(rows: Sequence[Mapping[str, Any]], column_config: Mapping[str, Any] | None = None, **options: Any) -> Any:
    """A table with its titles in the page's language; `labeler.app.tables` has those that can be downloaded."""
    shown = _titles(rows, column_config)
    return st.dataframe(rows, hide_index=True, width="stretch", column_config=shown, **options)


def translated(names: Iterable[str]) -> Callable[[str], str]:
    """Show options of a widget, English names in the program, by what they are called."""
    shown = {name: t(name) for name in names}
    return lambda name: shown[name]
