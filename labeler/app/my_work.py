"""A labeler's own page: their pace, and how often others say the same. Nobody else is named."""

from __future__ import annotations

from collections import Counter

import altair as alt
import streamlit as st

from labeler.agreement import Estimate
from labeler.app import account, insight
from labeler.app.charts import BLUE, chart
from labeler.app.insight import percent, written
from labeler.app.session import current_user, services
from labeler.comparisons import comparisons
from labeler.quality import PersonQuality, quality

LIMIT = 1000
"""So many of a person's latest tasks are looked at."""
NOTHING = "You have not ranked anything yet."
FEWEST = 20
"""Comparisons with others from which on agreement is shown: of one or two tasks it would tell what others said."""


def draw() -> None:
    """The page."""
    me = current_user()
    account.draw(me)
    st.header("My work", anchor=False)
    st.markdown("[Back to labeling](/)")
    projects = {project.name: project for project in services().store.projects(me.id)}
    done = {name: services().store.progress(project.id, me.id).done for name, project in projects.items()}
    names = [name for name in projects if done[name]]
    if not names:
        st.write(NOTHING)
        return
    name = st.selectbox("Project", names) if len(names) > 1 else names[0]
    database, stamp = services().store.database.url.render_as_string(), insight.fresh(projects[name])
    _draw(*_own(database, projects[name].id, me.id, me.name, (done[name], stamp)))


@st.cache_data(max_entries=64, show_spinner="Counting …")
def _own(
    database: str, project_id: int, user_id: int, name: str, stamp: tuple[int, int]
) -> tuple[PersonQuality | None, dict[str, int]]:
    """One person's measures, and their rankings by day."""
    with services().store.frozen(project_id) as frozen:
        judged = frozen.own_work(user_id, LIMIT)
    groups = [group for group, _ in judged]
    rankings = [ranking for group in groups for ranking in group.rankings if ranking.annotator == name]
    days = Counter(ranking.at[:10] for ranking in rankings if ranking.at)
    people = quality(judged, comparisons(groups)).people
    return next((person for person in people if person.annotator == name), None), dict(days)


def _draw(mine: PersonQuality | None, days: dict[str, int]) -> None:
    if not mine:
        st.write(NOTHING)
        return
    columns = st.columns(3)
    columns[0].metric("Rankings", f"{mine.judgments:,}")
    columns[1].metric("Seconds a ranking (median)", written(Estimate(mine.seconds.value, None, None, 0), 1, ".0f"))
    enough = mine.agreement.comparisons >= FEWEST
    columns[2].metric("Others say the same", percent(mine.agreement).split(" (")[0] if enough else "–")
    columns[2].caption(percent(mine.agreement) if enough else f"Shown from {FEWEST} comparisons with others on.")
    bars = chart([{"day": day, "rankings": count} for day, count in sorted(days.items())]).mark_bar(color=BLUE)
    bars = bars.encode(
        x=alt.X("day:O", title=None, axis=alt.Axis(labelAngle=0, labelOverlap=True)),
        y=alt.Y("rankings:Q", title="rankings a day", axis=alt.Axis(tickMinStep=1)),
        tooltip=["day:O", "rankings:Q"],
    )
    st.altair_chart(bars.properties(height=240), width="stretch")
    st.caption(f"From your latest {LIMIT:,} tasks of this project.")
