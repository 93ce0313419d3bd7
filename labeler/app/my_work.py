"""A labeler's own page: their pace, and how often others say the same. Nobody else is named."""

from __future__ import annotations

from collections import Counter

import altair as alt
import streamlit as st

from labeler.agreement import Estimate
from labeler.app import account
from labeler.app.charts import BLUE, chart
from labeler.app.insight import percent, written
from labeler.app.session import current_user, services
from labeler.comparisons import comparisons
from labeler.entities import Project, User
from labeler.quality import Judged, quality

LIMIT = 1000
"""So many of a person's latest tasks are looked at."""
FEWEST = 20
"""Comparisons with others from which on agreement is shown: of one or two tasks it would tell what others said."""


def draw() -> None:
    """The page."""
    me = current_user()
    account.draw(me)
    st.header("My work", anchor=False)
    st.markdown("[Back to labeling](/)")
    found = {project.name: _own(me, project) for project in services().store.projects(me.id)}
    found = {name: judged for name, judged in found.items() if judged}
    if not found:
        st.write("You have not ranked anything yet.")
        return
    names = list(found)
    _draw(me, found[st.selectbox("Project", names) if len(names) > 1 else names[0]])


def _own(me: User, project: Project) -> Judged:
    with services().store.frozen(project.id) as frozen:
        return frozen.own_work(me.id, LIMIT)


def _draw(me: User, judged: Judged) -> None:
    rankings = [r for group, _ in judged for r in group.rankings if r.annotator == me.name]
    groups = [group for group, _ in judged]
    mine = next((each for each in quality(judged, comparisons(groups)).people if each.annotator == me.name), None)
    days = Counter(ranking.at[:10] for ranking in rankings if ranking.at)
    if not mine:
        st.write("You have not ranked anything yet.")
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
