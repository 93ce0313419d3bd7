"""The labeling page: one component that talks to the labeling API, without a Streamlit run while ranking."""

from __future__ import annotations

import streamlit as st

from labeler import languages
from labeler.app import review
from labeler.app.session import current_user
from labeler.routes.assets import FOLDER, assets_in
from labeler.routes.guard import MANAGERS

STYLES = ("board.css", "chat.css")
LOADER = """
export default function ({ parentElement, data }) {
  const screen = parentElement.appendChild(document.createElement("div"));
  const started = import(new URL(data.module, location.origin)).then(({ mount }) => mount(screen, data));
  return () => started.then((stop) => stop()).then(() => screen.remove());
}
"""


def draw() -> None:
    """Mount the board; managers and reviewers keep the navigation above it."""
    bare = current_user().role not in MANAGERS and not review.may_review()
    css = "".join((FOLDER / name).read_text(encoding="utf-8") for name in STYLES)
    board = st.components.v2.component("labeler_board", css=css, js=LOADER, isolate_styles=False)
    board(key="board", data={"module": f"{assets_in(languages.current())}/board.js", "bare": bare})
