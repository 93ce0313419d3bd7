"""A labeler's own page: their pace, and how often others say the same. Nobody else is named."""

from __future__ import annotations

from collections import Counter

import altair as alt
import streamlit as st

from labeler.agreement import Estimate
from labeler.app import account, insight, writing
from labeler.app.charts import BLUE, chart, tip
from labeler.app.insight import percent, written
from labeler.app.session import current_user, services
from labeler.comparisons import comparisons
from labeler.languages import figure, mark, t
from labeler.quality import PersonQuality, quality
from labeler.writing_report import Writer, writing_report

LIMIT = 1000
"""So many of a person's latest tasks are looked at."""
NOTHING = mark("You have not ranked anything yet.")
FEWEST = 20
"""Comparisons with others from which on agreement is shown: of one or two tasks it would tell what others said."""


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
        written, ranked, days = _own(database, projects[name].id, me.id, me.name, (done[name], stamp))
    if written:
        writing.own(written)
    else:
        _draw(ranked, days)


@st.cache_data(max_entries=64, show_spinner=False)
def _own(
    database: str, project_id: int, user_id: int, name: str, stamp: tuple[int, int]
) -> tuple[Writer | None, PersonQuality | None, dict[str, int]]:
    """What one person wrote, the measures of what they ranked, and their rankings by day."""
    with services().store.frozen(project_id) as frozen:
        judged = frozen.own_work(user_id, LIMIT)
    groups = [group for group, _ in judged]
    rankings = [ranking for group in groups for ranking in group.rankings if ranking.annotator == name]
    days = Counter(ranking.at[:10] for ranking in rankings if ranking.at)
    people = quality(judged, comparisons(groups)).people
    ranked = next((person for person in people if person.annotator == name), None)
    return (
        next((person for person in writing_report(judged).people if person.annotator == name), None),
        ranked,
        dict(days),
    )


def _draw(mine: PersonQuality | None, days: dict[str, int]) -> None:
    if not mine:
        st.write(t(NOTHING))
        return
    columns = st.columns(3)
    columns[0].metric(t("Rankings"), figure(mine.judgments))
    columns[1].metric(t("Seconds a ranking (median)"), written(Estimate(mine.seconds.value, None, None, 0), 1, ".0f"))
    enough = mine.agreement.comparisons >= FEWEST
    columns[2].metric(t("Others say the same"), percent(mine.agreement).split(" (")[0] if enough else "–")
    columns[2].caption(
        percent(mine.agreement) if enough else t("Shown from {fewest} comparisons with others on.", fewest=FEWEST)
    )
    bars = chart([{"day": day, "rankings": count} for day, count in sorted(days.items())]).mark_bar(color=BLUE)
    bars = bars.encode(
        x=alt.X("day:O", title=None, axis=alt.Axis(labelAngle=0, labelOverlap=True)),
        y=alt.Y("rankings:Q", title=t("rankings a day"), axis=alt.Axis(tickMinStep=1)),
        tooltip=[tip("day:O"), tip("rankings:Q")],
    )
    st.altair_chart(bars.properties(height=240), width="stretch")
    st.caption(t("From the latest {limit} of your tasks in this project.", limit=LIMIT))
