"""Clusters of prompts on the managers' page: their size, progress, agreement and names."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import numpy as np
import streamlit as st

from labeler import jobs, prompt_jobs, prompt_search
from labeler.agreement import Estimate
from labeler.agreement_slices import mean_taus, slices
from labeler.app import insight, prompt_lists
from labeler.app.charts import chart, interval_row, intervals
from labeler.app.prompt_lists import CHARACTERS, Look
from labeler.app.session import services
from labeler.comparisons import Resamples, comparisons
from labeler.prompt_search import Ints

STATES = {"finished": "#3f73d1", "started": "#9dbcf0", "waiting": "#b3b6b0"}
TYPICAL = 5
"""So many prompts stand for a cluster, on the page and as examples of its category."""
DRAWN = 15
"""Clusters in the pictures."""
POINTS = 1500
"""Prompts in the picture of all, drawn at random where there are more."""
NONE = "in no cluster"
MOST = 0.5
"""A cluster is called by the category that more than this share of its prompts has."""
NOTHING = Estimate(None, None, None, 0)


def draw(look: Look) -> None:
    """Pictures, the table, and the chosen cluster."""
    if not look.map.ids:
        return
    known = look.at(np.flatnonzero(look.place >= 0).tolist())
    if not known.rows:
        st.write("None of these prompts has a vector yet; make the vectors again.")
        return
    members = _members(known)
    names = {number: name_of(known, number, places) for number, places in members.items()}
    agreed = _agreement(known, members)
    _pictures(known, members, names, agreed)
    rows = [_row(known, number, members[number], names[number], agreed.get(number, NOTHING)) for number in members]
    picked = insight.table(rows, "clusters", on_select="rerun", selection_mode="single-row", key="clusters")
    chosen = picked["selection"]["rows"]
    if chosen and chosen[0] < len(members):
        _one(known, [*members][chosen[0]], members, names)
    else:
        st.caption("Choose a row for that cluster's prompts, to set their priority or to name them.")
    _categories(known)


def _members(look: Look) -> dict[int, Ints]:
    """Cluster → places of its prompts, the largest first; −1 for those in none comes last."""
    cluster = look.map.cluster[look.place]
    found = {int(number): np.flatnonzero(cluster == number) for number in np.unique(cluster)}
    return dict(sorted(found.items(), key=lambda item: (item[0] < 0, -len(item[1]))))


def name_of(look: Look, number: int, places: Ints) -> str:
    """What a cluster is called: by the category of most of its prompts, with its number."""
    if number < 0:
        return NONE
    counts = Counter(look.map.categories[look.place[n]] for n in places)
    category, count = counts.most_common(1)[0]
    known = category if category and count > MOST * len(places) else None
    return f"{number + 1} {known}" if known else str(number + 1)


def _vectors_of(look: Look) -> prompt_search.Vectors:
    return look.map.vectors[look.place]


def _agreement(look: Look, members: Mapping[int, Ints]) -> dict[int, Estimate]:
    """How well people agree within each cluster, from the sample of judged tasks that all insight pages use."""
    database, stamp = services().store.database.url.render_as_string(), insight.fresh(look.project)
    cluster = {look.rows[n].group_id: number for number, places in members.items() for n in places.tolist()}
    return _agreed(database, look.project.id, stamp, tuple(sorted(cluster.items())))


@st.cache_data(max_entries=8, show_spinner="Counting …")
def _agreed(database: str, project_id: int, stamp: int, cluster: tuple[tuple[str, int], ...]) -> dict[int, Estimate]:
    judged, _ = insight.sample(database, project_id, stamp)
    groups = [group for group, _ in judged]
    number = dict(cluster)
    names = [str(number[group.id]) if group.id in number else None for group in groups]
    found = slices(comparisons(groups), mean_taus(groups), names, Resamples(len(groups)))
    return {int(part.name): part.agreement for part in found}


def _row(look: Look, number: int, places: Ints, name: str, agreed: Estimate) -> dict[str, Any]:
    states = Counter(look.work[n].state for n in places)
    middle = prompt_search.typical(_vectors_of(look), places, 1)[0]
    return {
        "cluster": name,
        "such as": "" if number < 0 else look.rows[int(middle)].text[:CHARACTERS],
        "tasks": len(places),
        **{state: states[state] for state in STATES},
        "rankings": sum(look.work[n].judgments for n in places),
        "equal verdicts": insight.percent(agreed),
        "comparisons": agreed.comparisons,
    }


# Pictures


def _pictures(
    look: Look, members: Mapping[int, Ints], names: Mapping[int, str], agreed: Mapping[int, Estimate]
) -> None:
    largest = [number for number in members if number >= 0][:DRAWN]
    left, right = st.columns(2, gap="large")
    with left:
        _sizes(look, {number: members[number] for number in largest}, names)
    with right:
        rows = [interval_row(names[n], agreed[n]) for n in largest if n in agreed]
        if rows:
            st.altair_chart(intervals(rows, "equal verdicts of two people", domain=(0, 1)), width="stretch")
        else:
            st.write("No prompt of these has been judged by two people yet.")
    _all_prompts(look, members, names, largest)
    if len(members) > len(largest):
        st.caption(f"The pictures show the {len(largest)} largest clusters, the table all.")


def _sizes(look: Look, members: Mapping[int, Ints], names: Mapping[int, str]) -> None:
    rows = [
        {"cluster": names[number], "state": state, "tasks": count, "order": order}
        for number, places in members.items()
        for order, (state, count) in enumerate(_by_state(look, places).items())
    ]
    bars = (
        chart(rows)
        .mark_bar()
        .encode(
            x=alt.X("tasks:Q", title="tasks", axis=alt.Axis(tickMinStep=1)),
            y=alt.Y("cluster:N", sort=[names[n] for n in members], axis=alt.Axis(labelLimit=180, labelOverlap=False)),
            color=alt.Color(
                "state:N",
                title=None,
                scale=alt.Scale(domain=list(STATES), range=list(STATES.values())),
                legend=alt.Legend(orient="top"),
            ),
            order="order:Q",
            tooltip=["cluster:N", "state:N", "tasks:Q"],
        )
    )
    st.altair_chart(bars.properties(height=90 + 24 * len(members)), width="stretch")


def _by_state(look: Look, places: Ints) -> dict[str, int]:
    counts = Counter(look.work[n].state for n in places)
    return {state: counts[state] for state in STATES}


def _all_prompts(look: Look, members: Mapping[int, Ints], names: Mapping[int, str], largest: Sequence[int]) -> None:
    """Every prompt as a point; what lies close together says something alike, as far as two directions can tell."""
    vectors = _vectors_of(look)
    if len(vectors) < 3:
        return
    shown = np.random.default_rng(0).permutation(len(vectors))[:POINTS]
    place = prompt_search.plane(vectors[shown])
    number = {n: names[each] if each in largest else "others" for each, places in members.items() for n in places}
    rows = [
        {"x": float(x), "y": float(y), "cluster": number[n], "prompt": look.rows[n].text[:120]}
        for n, (x, y) in zip(shown.tolist(), place, strict=True)
    ]
    bare = alt.Axis(labels=False, ticks=False, domain=False, grid=False, title=None)
    points = (
        chart(rows)
        .mark_circle(size=45, opacity=0.7)
        .encode(
            x=alt.X("x:Q", axis=bare, scale=alt.Scale(zero=False)),
            y=alt.Y("y:Q", axis=bare, scale=alt.Scale(zero=False)),
            color=alt.Color(
                "cluster:N",
                sort=[*(names[n] for n in largest), "others"],
                scale=alt.Scale(scheme="tableau20"),
                legend=alt.Legend(orient="bottom", columns=8, labelLimit=140),
            ),
            tooltip=["prompt:N", "cluster:N"],
        )
    )
    st.altair_chart(points.properties(height=380), width="stretch")
    st.caption("Each point is a prompt; close points say something alike, as far as two directions of many can tell.")


# One cluster, and categories


def _one(look: Look, number: int, members: Mapping[int, Ints], names: Mapping[int, str]) -> None:
    places = members[number]
    key = f"cluster-{number}"
    order = prompt_search.typical(_vectors_of(look), places, len(places))
    inside = look.at(order.tolist())
    st.subheader(f"Cluster {names[number]}" if number >= 0 else "In no cluster", anchor=False)
    if number >= 0:
        st.caption("Its most typical prompts")
        for row in inside.rows[:TYPICAL]:
            st.code(row.text[:CHARACTERS], language=None, wrap_lines=True)
    typical = inside.ids()[:TYPICAL]
    prompt_lists.actions(
        inside, key, what="All prompts of the cluster; a category is given to the typical ones", examples=typical
    )
    with st.expander("All of its prompts"):
        prompt_lists.listed(inside, f"{key}-all")


def _categories(look: Look) -> None:
    """What was named, and what was learned of it."""
    named = prompt_jobs.examples(services().runs, look.project)
    learned = Counter(look.map.categories[place] for place in look.place)
    if not named and not any(learned):
        return
    st.subheader("Categories", anchor=False)
    given = Counter(named.values())
    sure: dict[str, list[float]] = defaultdict(list)
    for place in look.place:
        if (category := look.map.categories[place]) and (chance := look.map.sure[place]) is not None:
            sure[category].append(chance)
    rows = [
        {
            "category": name,
            "examples": given[name],
            "prompts": learned[name],
            "mean probability": round(float(np.mean(sure[name])), 2) if sure[name] else None,
        }
        for name in sorted({*given, *filter(None, learned)})
    ]
    insight.table(rows, "categories")
    if not prompt_jobs.can_learn(named):
        st.caption("Name two prompts or more of each of two categories or more; the others can then be learned.")
        return
    if said := _verdict(look):
        st.text(said)
    if st.button("Learn the categories of all prompts", disabled=bool(jobs.missing())):
        count = len({*look.map.cluster.tolist()} - {-1})
        prompt_jobs.start(services().store, services().runs, look.project, clusters=max(2, count), base=look.map.base)
        st.rerun()


def _verdict(look: Look) -> str:
    """What the last run said of how good the learned categories are."""
    runs = prompt_jobs.all_runs(services().runs, look.project)
    try:
        said = (runs[0].folder / "log.txt").read_text(encoding="utf-8", errors="replace") if runs else ""
    except OSError:
        return ""
    return next((line for line in said.splitlines() if line.startswith("Labels: ")), "")
