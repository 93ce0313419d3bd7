"""Lists of prompts on the managers' page: search, near-duplicates, and what can be done with what was found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from labeler import jobs, prompt_jobs, prompt_search
from labeler.app import tables, task_view
from labeler.app.session import services
from labeler.embedder import Embedder
from labeler.entities import Project
from labeler.errors import ProductError
from labeler.languages import figure, mark, t, tn
from labeler.prompt_map import PromptMap
from labeler.prompt_rows import PromptRow, TaskWork
from labeler.prompt_search import Floats, Ints

SHOWN = 200
"""So many prompts are listed."""
CHARACTERS = 400
"""So much of a prompt is."""
WORDS, MEANING = mark("words"), mark("meaning")
ABOUT_ASIDE = mark("Nobody gets them any more, for example what everybody skips. What was said of them stays.")
DONE = "prompts-done"
"""Key of the session under which the page keeps what it did, to say it after the next run."""


@dataclass(frozen=True, eq=False)
class Look:
    """N prompts that a page looks at.

    Attributes:
        rows: the prompts (N). lowered: their texts in lower case (N). work: how far their tasks are (N).
        place: (N) of each in the map, −1 without a vector. map: empty before there are vectors.
    """

    project: Project
    rows: Sequence[PromptRow]
    lowered: Sequence[str]
    work: Sequence[TaskWork]
    place: Ints
    map: PromptMap

    def at(self, kept: Sequence[int]) -> Look:
        """Only these."""
        return Look(
            self.project,
            [self.rows[n] for n in kept],
            [self.lowered[n] for n in kept],
            [self.work[n] for n in kept],
            self.place[np.asarray(kept, dtype=np.int64)],
            self.map,
        )

    def ids(self) -> list[str]:
        """Of the groups."""
        return [row.group_id for row in self.rows]


SECONDS_KEPT = 20
"""How far tasks are is read anew after so many seconds."""


@st.cache_resource(ttl=SECONDS_KEPT, max_entries=8, show_spinner=False)
def task_work(database: str, project_id: int) -> dict[int, TaskWork]:
    """How far every task is."""
    with services().store.frozen(project_id) as frozen:
        return frozen.task_work()


# Searching


def search(look: Look) -> None:
    """A field, what it finds, and what to do with that."""
    left, right = st.columns([3, 1])
    query = left.text_input(t("Search"), key="prompts-query", placeholder=t('words or "a phrase"'))
    ways = [WORDS, MEANING] if look.map.ids and not jobs.missing() else [WORDS]
    way = right.radio(t("By"), ways, horizontal=True, key="prompts-way", format_func=t)
    if len(ways) == 1:
        st.caption(t("By meaning needs vectors; see above."))
    if not query.strip():
        return
    try:
        found, cosine = _by_meaning(look, query) if way == MEANING else (_by_words(look, query), None)
    except ProductError as error:
        st.error(str(error))
        return
    if not found.rows:
        st.write(t("Nothing was found."))
        return
    if way == WORDS:
        st.text(tn("{count} prompt holds all of it.", "{count} prompts hold all of it.", len(found.rows)))
        listed(found, "search")
        return
    most = len(found.rows)
    count = st.slider(t("Nearest"), 1, min(most, SHOWN), min(most, 20)) if most > 1 else 1
    listed(found.at(range(count)), "search", nearness=cosine)


def _by_words(look: Look, query: str) -> Look:
    return look.at(prompt_search.by_words(look.lowered, query).tolist())


def _by_meaning(look: Look, query: str) -> tuple[Look, Floats]:
    known = np.flatnonzero(look.place >= 0)
    log = prompt_jobs.place(services().runs, look.project) / "queries.log"
    embedder = _embedder(look.map.base, tuple(sorted(map(str, look.map.recipe.items()))), look.map, str(log))
    with st.spinner(t("Searching …")):
        order, cosine = prompt_search.by_meaning(look.map.vectors[look.place[known]], embedder.ask(query))
    return look.at(known[order].tolist()), cosine


@st.cache_resource(max_entries=4, show_spinner=False)
def _embedder(base: str, recipe: tuple[str, ...], _map: PromptMap, log: str) -> Embedder:
    """One child for everybody who searches among vectors made in one way."""
    return Embedder(_map, Path(log))


# Near-duplicates


def duplicates(look: Look) -> None:
    """Sets of prompts that say nearly the same."""
    if not look.map.ids:
        st.write(t("Near-duplicates need vectors; see above."))
        return
    found = look.map
    first = [
        found.first[place] if place >= 0 else row.group_id for place, row in zip(look.place, look.rows, strict=True)
    ]
    sizes = {name: count for name, count in Counter(first).most_common() if count > 1}
    if not sizes:
        st.write(t("No prompt repeats another."))
        return
    repeats = sum(sizes.values()) - len(sizes)
    st.text(
        t(
            "{prompts} prompts repeat another one, in {sets} sets (cosine {cosine} or more).",
            prompts=repeats,
            sets=len(sizes),
            cosine=figure(prompt_jobs.DUPLICATES, ""),
        )
    )
    text = {row.group_id: row.text for row in look.rows}
    rows = [
        {
            mark("prompts"): count,
            mark("such as"): text.get(name, text[look.rows[first.index(name)].group_id])[:CHARACTERS],
        }
        for name, count in [*sizes.items()][:SHOWN]
    ]
    picked = tables.table(rows, "duplicates", on_select="rerun", selection_mode="single-row", key="duplicates")
    chosen = picked["selection"]["rows"]
    if not chosen:
        st.caption(t("Choose a row for the prompts of that set."))
        everything = [n for n, name in enumerate(first) if name in sizes and look.rows[n].group_id != name]
        what = t("All {count} that repeat another one, without the first of each set", count=len(everything))
        actions(look.at(everything), "duplicates", what=what)
        return
    name = [*sizes][chosen[0]]
    listed(look.at([n for n, other in enumerate(first) if other == name]), f"duplicates-{name}")


# What is done with a list


def listed(look: Look, key: str, *, nearness: Floats | None = None) -> None:
    """The prompts as a table whose rows can be chosen, and what can be done with those or all."""
    shown = look.at(range(min(len(look.rows), SHOWN)))
    if len(look.rows) > SHOWN:
        st.caption(
            t(
                "The first {shown} are listed; what is done to all is done to all {all}.",
                shown=SHOWN,
                all=len(look.rows),
            )
        )
    picked = tables.table(
        [row_of(shown, n, nearness) for n in range(len(shown.rows))],
        key,
        on_select="rerun",
        selection_mode="multi-row",
        key=f"list-{key}",
        column_config={"task": st.column_config.LinkColumn(display_text=t("show")), "prompt": {"width": "large"}},
    )
    chosen = [n for n in picked["selection"]["rows"] if n < len(shown.rows)]
    if chosen:
        actions(look.at(chosen), key, what=tn("The {count} chosen prompt", "The {count} chosen prompts", len(chosen)))
    else:
        actions(look, key, what=t("All {count} of these prompts; choose rows for some of them", count=len(look.rows)))


def row_of(look: Look, n: int, nearness: Floats | None = None) -> dict[str, Any]:
    """A prompt as a row of the table."""
    row, work, place = look.rows[n], look.work[n], int(look.place[n])
    near = {} if nearness is None else {mark("nearness"): round(float(nearness[n]), 3)}
    learned = {}
    if place >= 0:
        learned = {
            mark("cluster"): int(look.map.cluster[place]) + 1,
            mark("category"): look.map.categories[place] or "",
        }
    return {
        **near,
        mark("prompt"): row.text[:CHARACTERS],
        **learned,
        mark("use case"): row.category,
        mark("source"): row.source,
        mark("state"): tables.named(work.state, t(work.state)),
        mark("rankings"): work.judgments,
        mark("priority"): work.priority,
        mark("task"): task_view.link(look.project, row.task_id),
    }


def actions(look: Look, key: str, *, what: str, examples: Sequence[str] | None = None) -> None:
    """Set the priority of prompts, take their tasks out of the queue, and name their category.

    Args:
        look: the prompts. key: tells these widgets from others. what: which prompts these are, in words.
        examples: ids of those that stand for the others where a category is named; all of them where None.
    """
    st.text(what)
    left, right = st.columns(2, gap="large")
    with left, st.form(f"priority-{key}", border=False):
        priority = st.number_input(t("Priority"), 0, 100, 50, help=t("100 is handed out first, 0 is usual."))
        if st.form_submit_button(t("Set their priority")):
            _prioritize(look, int(priority))
    with left, st.container(horizontal=True):
        if st.button(t("Take them out of the queue"), key=f"aside-{key}", help=t(ABOUT_ASIDE)):
            _set_aside(look, aside=True)
        if st.button(t("Put them back"), key=f"back-{key}"):
            _set_aside(look, aside=False)
    named = look.ids() if examples is None else list(examples)
    with right, st.form(f"category-{key}", border=False):
        category = st.text_input(t("Category"), help=t("A name that the others learn from; empty takes it back."))
        if st.form_submit_button(t("Name their category")):
            prompt_jobs.name_prompts(services().runs, look.project, category.strip(), named)
            _say(_named(len(named), category.strip()))


def _named(count: int, category: str) -> str:
    if not category:
        return tn("{count} prompt is an example of nothing now.", "{count} prompts are examples of nothing now.", count)
    return tn(
        "{count} prompt is an example of {category} now.",
        "{count} prompts are examples of {category} now.",
        count,
        category=category,
    )


def _prioritize(look: Look, priority: int) -> None:
    try:
        services().store.set_priorities(look.project.id, dict.fromkeys(look.ids(), priority))
    except ProductError as error:
        st.error(str(error))
        return
    task_work.clear()
    _say(
        tn(
            "{count} task has the priority {priority} now.",
            "{count} tasks have the priority {priority} now.",
            len(look.rows),
            priority=priority,
        )
    )


def _set_aside(look: Look, *, aside: bool) -> None:
    moved = services().store.set_aside(look.project.id, look.ids(), aside=aside)
    task_work.clear()
    _say(
        tn("{count} task was taken out of the queue.", "{count} tasks were taken out of the queue.", moved)
        if aside
        else tn("{count} task is in the queue again.", "{count} tasks are in the queue again.", moved)
    )


def _say(sentence: str) -> None:
    """Draw the page anew with this on it."""
    st.session_state[DONE] = sentence
    st.rerun()
