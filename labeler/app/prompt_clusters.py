"""Clusters of prompts on the managers' page: their size, progress, agreement and names."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import altair as alt
import numpy as np
import streamlit as st

from labeler import jobs, prompt_jobs, prompt_search
from labeler.agreement import Estimate
from labeler.agreement_slices import mean_taus, slices
from labeler.app import insight, prompt_lists, tables
from labeler.app.charts import chart, interval_row, intervals, tip
from labeler.app.prompt_lists import CHARACTERS, Look
from labeler.app.session import services
from labeler.comparisons import Resamples, comparisons
from labeler.languages import mark, t
from labeler.prompt_search import Ints, Vectors

STATES = {mark("finished"): "#3f73d1", mark("started"): "#9dbcf0", mark("waiting"): "#b3b6b0"}
TYPICAL = 5
"""So many prompts stand for a cluster, on the page and as examples of its category."""
DRAWN = 15
"""Clusters in the pictures."""
POINTS = 1500
"""Prompts in the picture of all, drawn at random where there are more."""
NONE = mark("in no cluster")
NAME = 30
"""Characters of a prompt that a cluster is called by."""
OTHERS = mark("others")
NOTHING = Estimate(None, None, None, 0)


@dataclass(frozen=True, eq=False)
class Clusters:
    """The clusters of N prompts that have vectors.

    Attributes:
        look: the prompts. vectors: (N, d).
        members: cluster → places of its prompts, the largest first; −1, those in none, comes last.
        names: what each is called. agreed: how well people agree in it, where two judged something.
    """

    look: Look
    vectors: Vectors
    members: Mapping[int, Ints]
    names: Mapping[int, str]
    agreed: Mapping[int, Estimate]

    @property
    def largest(self) -> list[int]:
        """Those that are drawn."""
        return [number for number in self.members if number >= 0][:DRAWN]


def draw(look: Look) -> None:
    """Pictures, the table, and the chosen cluster."""
    if not look.map.ids:
        return
    known = look.at(np.flatnonzero(look.place >= 0).tolist())
    if not known.rows:
        st.write(t("None of these prompts has a vector yet; make the vectors again."))
        return
    found = _clusters(known)
    _pictures(found)
    rows = [_row(found, number) for number in found.members]
    picked = tables.table(rows, "clusters", on_select="rerun", selection_mode="single-row", key="clusters")
    chosen = picked["selection"]["rows"]
    if chosen and chosen[0] < len(rows):
        _one(found, [*found.members][chosen[0]])
    else:
        st.caption(t("Choose a row for that cluster's prompts, to set their priority or to name them."))
    _categories(known)


def _clusters(look: Look) -> Clusters:
    cluster = look.map.cluster[look.place]
    found = {int(number): np.flatnonzero(cluster == number) for number in np.unique(cluster)}
    members = dict(sorted(found.items(), key=lambda item: (item[0] < 0, -len(item[1]))))
    vectors = look.map.vectors[look.place]
    named = prompt_jobs.examples(services().runs, look.project)
    names = {number: name_of(look, vectors, number, places, named) for number, places in members.items()}
    return Clusters(look, vectors, members, names, _agreement(look, cluster))


def name_of(look: Look, vectors: Vectors, number: int, places: Ints, named: Mapping[str, str]) -> str:
    """What a cluster is called: as most of its named prompts are, else by its most typical prompt.

    Args:
        look: the prompts. vectors: (N, d). number: of the cluster. places: of its prompts.
        named: prompt → category, as managers named them.
    """
    if number < 0:
        return t(NONE)
    given = Counter(named[name] for n in places if (name := look.rows[n].group_id) in named)
    if given:
        return f"{number + 1} {given.most_common(1)[0][0]}"
    text = " ".join(look.rows[int(prompt_search.typical(vectors, places, 1)[0])].text.split())
    return f"{number + 1} {text if len(text) <= NAME else f'{text[: NAME - 1]}…'}"


def _agreement(look: Look, cluster: Ints) -> dict[int, Estimate]:
    """How well people agree within each cluster, from the sample of judged tasks that all insight pages use."""
    database, stamp = services().store.database.url.render_as_string(), insight.fresh(look.project)
    judged, _ = insight.sample(database, look.project.id, stamp)
    number = {row.group_id: str(each) for row, each in zip(look.rows, cluster.tolist(), strict=True)}
    names = tuple(number.get(group.id) for group, _ in judged)
    with st.spinner(t("Counting …")):
        return _agreed(database, look.project.id, stamp, names)


@st.cache_data(max_entries=8, show_spinner=False)
def _agreed(database: str, project_id: int, stamp: int, names: tuple[str | None, ...]) -> dict[int, Estimate]:
    groups = [group for group, _ in insight.sample(database, project_id, stamp)[0]]
    if not groups:
        return {}
    found = slices(comparisons(groups), mean_taus(groups), names, Resamples(len(groups)))
    return {int(part.name): part.agreement for part in found}


def _row(found: Clusters, number: int) -> dict[str, Any]:
    look, places = found.look, found.members[number]
    middle = int(prompt_search.typical(found.vectors, places, 1)[0])
    agreed = found.agreed.get(number, NOTHING)
    return {
        mark("cluster"): tables.named(found.names[number] if number >= 0 else None, found.names[number]),
        mark("such as"): "" if number < 0 else look.rows[middle].text[:CHARACTERS],
        mark("tasks"): len(places),
        **_by_state(look, places),
        mark("rankings"): sum(look.work[n].judgments for n in places),
        mark("equal verdicts"): tables.share(agreed),
        mark("comparisons"): agreed.comparisons,
    }


def _by_state(look: Look, places: Ints) -> dict[str, int]:
    counts = Counter(look.work[n].state for n in places)
    return {state: counts[state] for state in STATES}


# Pictures


def _pictures(found: Clusters) -> None:
    left, right = st.columns(2, gap="large")
    with left:
        _sizes(found)
    with right:
        rows = [interval_row(found.names[n], found.agreed[n]) for n in found.largest if n in found.agreed]
        if rows:
            st.altair_chart(intervals(rows, t("equal verdicts of two people"), domain=(0, 1)), width="stretch")
        else:
            st.write(t("No prompt of these has been judged by two people yet."))
    _all_prompts(found)
    if len(found.members) > len(found.largest):
        st.caption(t("The pictures show the {drawn} largest clusters, the table all.", drawn=len(found.largest)))


def _sizes(found: Clusters) -> None:
    rows = [
        {"cluster": found.names[number], "state": t(state), "tasks": count, "order": order}
        for number in found.largest
        for order, (state, count) in enumerate(_by_state(found.look, found.members[number]).items())
    ]
    names = [found.names[number] for number in found.largest]
    bars = (
        chart(rows)
        .mark_bar()
        .encode(
            x=alt.X("tasks:Q", title=t("tasks"), axis=alt.Axis(tickMinStep=1)),
            y=alt.Y("cluster:N", sort=names, title=None, axis=alt.Axis(labelLimit=180, labelOverlap=False)),
            color=alt.Color(
                "state:N",
                title=None,
                scale=alt.Scale(domain=[t(state) for state in STATES], range=list(STATES.values())),
                legend=alt.Legend(orient="top", columns=2),
            ),
            order="order:Q",
            tooltip=[tip("cluster:N"), tip("state:N"), tip("tasks:Q")],
        )
    )
    st.altair_chart(bars.properties(height=130 + 28 * len(names)), width="stretch")


def _all_prompts(found: Clusters) -> None:
    """Every prompt as a point; what lies close together says something alike, as far as two directions can tell."""
    if len(found.vectors) < 3:
        return
    shown = np.random.default_rng(0).permutation(len(found.vectors))[:POINTS]
    largest = {number: found.names[number] for number in found.largest}
    cluster = found.look.map.cluster[found.look.place]
    rows = [
        {
            "x": float(x),
            "y": float(y),
            "cluster": largest.get(int(cluster[n]), t(OTHERS)),
            "prompt": found.look.rows[n].text[:120],
        }
        for n, (x, y) in zip(shown.tolist(), prompt_search.plane(found.vectors[shown]), strict=True)
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
                sort=[*largest.values(), t(OTHERS)],
                scale=alt.Scale(scheme="tableau20"),
                legend=alt.Legend(orient="bottom", columns=2, labelLimit=160),
            ),
            tooltip=[tip("prompt:N"), tip("cluster:N")],
        )
    )
    st.altair_chart(points.properties(height=380), width="stretch")
    st.caption(
        t("Each point is a prompt; close points say something alike, as far as two directions of many can tell.")
    )


# One cluster, and categories


def _one(found: Clusters, number: int) -> None:
    places = found.members[number]
    order = prompt_search.typical(found.vectors, places, len(places))
    inside = found.look.at(order.tolist())
    key = f"cluster-{number}"
    st.subheader(t("Cluster {name}", name=found.names[number]) if number >= 0 else t("In no cluster"), anchor=False)
    if number >= 0:
        st.caption(t("Its most typical prompts"))
        for row in inside.rows[:TYPICAL]:
            st.code(row.text[:CHARACTERS], language=None, wrap_lines=True)
    prompt_lists.actions(
        inside,
        key,
        what=t("All {count} prompts of the cluster; a category is given to the most typical ones", count=len(places)),
        examples=inside.ids()[:TYPICAL],
    )
    with st.expander(t("All of its prompts")):
        prompt_lists.listed(inside, f"{key}-all")


def _categories(look: Look) -> None:
    """What was named, and what was learned of it."""
    named = prompt_jobs.examples(services().runs, look.project)
    learned = Counter(look.map.categories[place] for place in look.place)
    if not named and not any(learned):
        return
    st.subheader(t("Categories"), anchor=False)
    given = Counter(named.values())
    sure: dict[str, list[float]] = defaultdict(list)
    for place in look.place:
        if (category := look.map.categories[place]) and (chance := look.map.sure[place]) is not None:
            sure[category].append(chance)
    rows = [
        {
            mark("category"): name,
            mark("examples"): given[name],
            mark("prompts"): learned[name],
            mark("mean probability"): round(float(np.mean(sure[name])), 2) if sure[name] else None,
        }
        for name in sorted({*given, *filter(None, learned)})
    ]
    tables.table(rows, "categories")
    if not prompt_jobs.can_learn(named):
        st.caption(t("Name two prompts or more of each of two categories or more; the others can then be learned."))
        return
    if said := _verdict(look):
        st.text(said)
    if st.button(t("Learn the categories of all prompts"), disabled=bool(jobs.missing())):
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
