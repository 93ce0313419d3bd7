"""The managers' page of models: who writes the better completions, and what people say of them."""

from __future__ import annotations

from typing import Any

import streamlit as st

from labeler.app import insight, ratings, tables
from labeler.app.charts import interval_row, intervals, squares
from labeler.app.insight import View, percent, written
from labeler.app.session import services
from labeler.languages import figure, mark, t
from labeler.leaderboard import Duel, Leaderboard, leaderboard
from labeler.rating_report import RatingReport, rating_report

MOST = 24
"""Models in the picture of the matrix."""


def draw() -> None:
    """The page."""
    view = insight.open_page(t("Models"))
    if view is None:
        return
    with st.spinner(t("Counting …")):
        board, marks = _figures(view.key, view)
    if not board.standings:
        st.write(t("No two models have been compared yet."))
    else:
        _board(board)
    ratings.draw(marks)


@st.cache_data(max_entries=32, show_spinner=False)
def _figures(key: tuple[object, ...], _view: View) -> tuple[Leaderboard, RatingReport]:
    schemas = services().store.label_schemas(_view.project.id)
    return leaderboard(_view.table), rating_report(_view.judged, schemas)


def _board(board: Leaderboard) -> None:
    rows = [interval_row(standing.model, standing.win_rate) for standing in board.standings]
    best = board.standings[0]
    st.altair_chart(intervals(rows, t("expected win rate")), width="stretch")
    st.markdown(t("Expected to win most:"))
    st.text(
        t(
            "{model}, {share} of comparisons, Bradley–Terry score {score}",
            model=best.model,
            share=percent(best.win_rate),
            score=written(best.score),
        )
    )
    tables.table(
        [
            {
                mark("model"): standing.model,
                mark("expected wins"): tables.share(standing.win_rate),
                mark("score"): tables.number(standing.score),
                mark("wins"): standing.wins,
                mark("ties"): standing.ties,
                mark("losses"): standing.losses,
            }
            for standing in board.standings
        ],
        "models",
    )
    st.caption(
        t(
            "Bradley–Terry with ties (Davidson 1970), over all pairs within each ranking; readiness to tie ν = {value}."
            " No interval: the model won or lost everything, its place is a guess.",
            value="–" if board.tie_parameter is None else figure(board.tie_parameter, ".2f"),
        )
    )
    st.subheader(t("Wins against each other"), anchor=False)
    names = [standing.model for standing in board.standings]
    drawn = names[:MOST]
    cells = [_cell(duel) for duel in board.duels if duel.model in drawn and duel.against in drawn]
    st.altair_chart(squares(cells, drawn, ["wins:Q", "ties:Q", "losses:Q"]), width="stretch")
    st.caption(t("Share of wins of the model on the left against that above, a tie counting half."))
    if len(names) > MOST:
        st.caption(t("The picture shows the {most} best, the table all.", most=MOST))
    tables.table([_row(duel) for duel in board.duels if names.index(duel.model) < names.index(duel.against)], "duels")


def _cell(duel: Duel) -> dict[str, Any]:
    counts = {"wins": duel.wins, "ties": duel.ties, "losses": duel.losses}
    return {"row": duel.model, "column": duel.against, "value": duel.rate.value, **counts}


def _row(duel: Duel) -> dict[str, Any]:
    counts = {"wins": duel.wins, "ties": duel.ties, "losses": duel.losses}
    return {
        mark("model"): duel.model,
        mark("against"): duel.against,
        mark("wins, ties half"): tables.share(duel.rate),
        **counts,
    }
