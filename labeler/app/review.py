"""The review page: one component that talks to the review API."""

from __future__ import annotations

import streamlit as st

from labeler import languages
from labeler.app import account
from labeler.app.session import current_user, services
from labeler.review_desk import ReviewDesk
from labeler.routes.assets import FOLDER, assets_in

LOADER = """
export default function ({ parentElement, data }) {
  const screen = parentElement.appendChild(document.createElement("div"));
  const started = import(new URL(data.module, location.origin)).then(({ mount }) => mount(screen));
  return () => started.then((stop) => stop()).then(() => screen.remove());
}
"""


def may_review() -> bool:
    """Whether there is a project for this person to review."""
    return bool(ReviewDesk(services().store).projects(current_user()))


def draw() -> None:
    """Mount the page; the navigation stays above it."""
    account.draw(current_user())
    css = "".join((FOLDER / name).read_text(encoding="utf-8") for name in ("board.css", "review.css"))
    component = st.components.v2.component("labeler_review", css=css, js=LOADER, isolate_styles=False)
    component(key="review", data={"module": f"{assets_in(languages.current())}/review.js"})
