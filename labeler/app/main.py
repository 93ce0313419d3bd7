"""Streamlit runs this file for every page: it decides which pages there are for this person."""

from __future__ import annotations

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from labeler.app import (
    agreement,
    exam,
    exports,
    gold,
    imports,
    label,
    labelers,
    models,
    my_work,
    overview,
    people,
    prompts,
    review,
    screening,
    settings,
    throughput,
    tokens,
    training,
    webhooks,
)
from labeler.app.session import current_user
from labeler.languages import t
from labeler.routes.assets import FOLDER
from labeler.routes.guard import MANAGERS

STYLE = """<style>
[data-testid=stSliderThumbValue] p { color: CanvasText }
[data-testid=stElementToolbarButton]:has([aria-label="Download as CSV"]) { display: none }
</style>"""
"""The dark theme's accent is dark enough to bear white text; as the text above a slider it would be too dark.
Streamlit's own download of a table has its cells as the page's language writes them: `labeler.app.tables` has ours."""


def main() -> None:
    """Draw the page that was asked for."""
    manager = current_user().role in MANAGERS
    st.set_page_config(page_title=t("Label"), page_icon=str(FOLDER / "icon.svg"), layout="wide")
    reviewer = manager or review.may_review()
    own = [st.Page(label.draw, title=t("Label"), url_path="label", default=True)]
    if not reviewer or exam.taking():
        own.append(st.Page(exam.draw, title=t("Exam"), url_path="exam"))
    mine = st.Page(my_work.draw, title=t("My work"), url_path="mine")
    reviews = [st.Page(review.draw, title=t("Review"), url_path="review")] if reviewer else []
    yours = st.Page(tokens.draw, title=t("Account"), url_path="account")
    pages = _managers(own, mine, reviews, yours) if manager else [*own, mine, *reviews, yours]
    st.html(STYLE)
    st.navigation(pages, position="top" if reviewer else "hidden").run()


def _managers(
    own: list[StreamlitPage], mine: StreamlitPage, reviews: list[StreamlitPage], yours: StreamlitPage
) -> dict[str, list[StreamlitPage]]:
    """A few pages stand in the bar, the rest in menus: all fit at 1024 pixels in every language, none behind "more"."""
    return {
        "": [
            *own,
            st.Page(overview.draw, title=t("Overview"), url_path="overview"),
            st.Page(training.draw, title=t("Train & try"), url_path="train"),
        ],
        t("Insight"): [
            st.Page(agreement.draw, title=t("Agreement"), url_path="agreement"),
            st.Page(labelers.draw, title=t("Labelers"), url_path="labelers"),
            st.Page(models.draw, title=t("Models"), url_path="models"),
            st.Page(throughput.draw, title=t("Throughput"), url_path="throughput"),
            mine,
        ],
        t("Data"): [
            st.Page(prompts.draw, title=t("Prompts"), url_path="prompts"),
            st.Page(imports.draw, title=t("Import"), url_path="import"),
            st.Page(exports.draw, title=t("Export"), url_path="export"),
        ],
        t("Quality"): [
            *reviews,
            st.Page(gold.draw, title=t("Gold"), url_path="gold"),
            st.Page(screening.draw, title=t("Screening"), url_path="screening"),
        ],
        t("Administration"): [
            st.Page(settings.draw, title=t("Project settings"), url_path="settings"),
            st.Page(people.draw, title=t("People"), url_path="people"),
            st.Page(webhooks.draw, title=t("Webhooks"), url_path="webhooks"),
            yours,
        ],
    }


main()
