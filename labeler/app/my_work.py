"""A labeler's own page: their pace, and how often others say the same. Nobody else is named."""

from __future__ import annotations

from dataclasses import asdict

import altair as alt
import streamlit as st

from labeler.app import account, insight, writing
from labeler.app.charts import BLUE, chart, tip
from labeler.app.insight import percent
from labeler.app.session import current_user, services
from labeler.languages import figure, mark, t
from labeler.own_work import FEWEST, LIMIT, OwnWork, own_work

NOTHING = mark("You have not ranked anything yet.")
TOO_FEW = mark("Shown from {fewest} comparisons with others on.")


def draw() -> None:
    """The page."""
    me = current_user()
    account.draw(me)
    st.header(t("My work"), anchor=False)
    st.markdown(t("[Back to labeling](/)"))
    projects = {project.name: project for project in services().store.projects(me.id)}
    done = {name: services().store.progress(project.id, me.id).done for name, project in projects.items()}
    names = [name for name in projects if done[name]]
    if not names:
        st.write(t(NOTHING))
        return
    name = st.selectbox(t("Project"), names) if len(names) > 1 else names[0]
    database, stamp = services().store.database.url.render_as_string(), insight.fresh(projects[name])
    with st.spinner(t("Counting …")):
        mine = _own(database, projects[name].id, me.id, me.name, (done[name], stamp))
    if mine.written:
        writing.own(mine.written)
    else:
        _draw(mine)


@st.cache_data(max_entries=64, show_spinner=False)
def _own(database: str, project_id: int, user_id: int, name: str, stamp: tuple[int, int]) -> OwnWork:
    with services().store.frozen(project_id) as frozen:
        return own_work(frozen.own_work(user_id, LIMIT), name)


def _draw(mine: OwnWork) -> None:
    if not mine.rankings:
        st.write(t(NOTHING))
        return
    columns = st.columns(3)
    columns[0].metric(t("Rankings"), figure(mine.rankings))
    columns[1].metric(t("Seconds a ranking (median)"), "–" if mine.seconds is None else figure(mine.seconds, ".0f"))
    agreed = percent(mine.agreement) if mine.agreement else t(TOO_FEW, fewest=FEWEST)
    columns[2].metric(t("Others say the same"), agreed.split(" (")[0] if mine.agreement else "–")
    columns[2].caption(agreed)
    bars = chart([asdict(day) for day in mine.days]).mark_bar(color=BLUE)
    bars = bars.encode(
        x=alt.X("day:O", title=None, axis=alt.Axis(labelAngle=0, labelOverlap=True)),
        y=alt.Y("rankings:Q", title=t("rankings a day"), axis=alt.Axis(tickMinStep=1)),
        tooltip=[tip("day:O"), tip("rankings:Q")],
    )
    st.altair_chart(bars.properties(height=240), width="stretch")
    st.caption(t("From the latest {limit} of your tasks in this project.", limit=LIMIT))
