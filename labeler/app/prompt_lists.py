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
from labeler.app import insight, task_view
from labeler.app.session import services
from labeler.embedder import Embedder
from labeler.entities import Project
from labeler.errors import ProductError
from labeler.prompt_map import PromptMap
from labeler.prompt_rows import PromptRow, TaskWork
from labeler.prompt_search import Floats, Ints

SHOWN = 200
"""So many prompts are listed."""
CHARACTERS = 400
"""So much of a prompt is."""
WORDS, MEANING = "words", "meaning"
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
    query = left.text_input("Search", key="prompts-query", placeholder='words or "a phrase"')
    ways = [WORDS, MEANING] if look.map.ids and not jobs.missing() else [WORDS]
    way = right.radio("By", ways, horizontal=True, key="prompts-way")
    if len(ways) == 1:
        st.caption("By meaning needs vectors; see above.")
    if not query.strip():
        return
    try:
        found, cosine = _by_meaning(look, query) if way == MEANING else (_by_words(look, query), None)
    except ProductError as error:
        st.error(str(error))
        return
    if not found.rows:
        st.write("Nothing was found.")
        return
    if way == WORDS:
        st.text(f"{len(found.rows):,} prompts hold all of it.")
        listed(found, "search")
        return
    most = len(found.rows)
    count = st.slider("Nearest", 1, min(most, SHOWN), min(most, 20)) if most > 1 else 1
    listed(found.at(range(count)), "search", nearness=cosine)


def _by_words(look: Look, query: str) -> Look:
    return look.at(prompt_search.by_words(look.lowered, query).tolist())


def _by_meaning(look: Look, query: str) -> tuple[Look, Floats]:
    known = np.flatnonzero(look.place >= 0)
    log = prompt_jobs.place(services().runs, look.project) / "queries.log"
    embedder = _embedder(look.map.base, tuple(sorted(map(str, look.map.recipe.items()))), look.map, str(log))
    with st.spinner("Searching …"):
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
        st.write("Near-duplicates need vectors; see above.")
        return
    found = look.map
    first = [
        found.first[place] if place >= 0 else row.group_id for place, row in zip(look.place, look.rows, strict=True)
    ]
    sizes = {name: count for name, count in Counter(first).most_common() if count > 1}
    if not sizes:
        st.write("No prompt repeats another.")
        return
    repeats = sum(sizes.values()) - len(sizes)
    st.text(
        f"{repeats:,} prompts repeat another one, in {len(sizes):,} sets (cosine {prompt_jobs.DUPLICATES} or more)."
    )
    text = {row.group_id: row.text for row in look.rows}
    rows = [
        {"prompts": count, "such as": text.get(name, text[look.rows[first.index(name)].group_id])[:CHARACTERS]}
        for name, count in [*sizes.items()][:SHOWN]
    ]
    picked = insight.table(rows, "duplicates", on_select="rerun", selection_mode="single-row", key="duplicates")
    chosen = picked["selection"]["rows"]
    if not chosen:
        st.caption("Choose a row for the prompts of that set.")
        everything = [n for n, name in enumerate(first) if name in sizes and look.rows[n].group_id != name]
        what = f"All {len(everything):,} that repeat another one, without the first of each set"
        actions(look.at(everything), "duplicates", what=what)
        return
    name = [*sizes][chosen[0]]
    listed(look.at([n for n, other in enumerate(first) if other == name]), f"duplicates-{name}")


# What is done with a list


def listed(look: Look, key: str, *, nearness: Floats | None = None) -> None:
    """The prompts as a table whose rows can be chosen, and what can be done with those or all."""
    shown = look.at(range(min(len(look.rows), SHOWN)))
    if len(look.rows) > SHOWN:
        st.caption(f"The first {SHOWN} are listed; what is done to all is done to all {len(look.rows):,}.")
    picked = insight.table(
        [row_of(shown, n, nearness) for n in range(len(shown.rows))],
        key,
        on_select="rerun",
        selection_mode="multi-row",
        key=f"list-{key}",
        column_config={"task": st.column_config.LinkColumn(display_text="open"), "prompt": {"width": "large"}},
    )
    chosen = [n for n in picked["selection"]["rows"] if n < len(shown.rows)]
    if chosen:
        actions(look.at(chosen), key, what=f"The {len(chosen):,} chosen prompts")
    else:
        actions(look, key, what=f"All {len(look.rows):,} of these prompts; choose rows for some of them")


def row_of(look: Look, n: int, nearness: Floats | None = None) -> dict[str, Any]:
    """A prompt as a row of the table."""
    row, work, place = look.rows[n], look.work[n], int(look.place[n])
    near = {} if nearness is None else {"nearness": round(float(nearness[n]), 3)}
    learned = {}
    if place >= 0:
        learned = {"cluster": int(look.map.cluster[place]) + 1, "category": look.map.categories[place] or ""}
    return {
        **near,
        "prompt": row.text[:CHARACTERS],
        **learned,
        "use case": row.category,
        "source": row.source,
        "state": work.state,
        "rankings": work.judgments,
        "priority": work.priority,
        "task": task_view.link(look.project, row.task_id),
    }


def actions(look: Look, key: str, *, what: str, examples: Sequence[str] | None = None) -> None:
    """Set the priority of prompts, and name their category.

    Args:
        look: the prompts. key: tells these widgets from others. what: which prompts these are, in words.
        examples: ids of those that stand for the others where a category is named; all of them where None.
    """
    st.text(what)
    left, right = st.columns(2, gap="large")
    with left, st.form(f"priority-{key}", border=False):
        priority = st.number_input("Priority", 0, 100, 50, help="100 is handed out first, 0 is usual.")
        if st.form_submit_button("Set their priority"):
            _prioritize(look, int(priority))
    named = look.ids() if examples is None else list(examples)
    with right, st.form(f"category-{key}", border=False):
        category = st.text_input("Category", help="A name that the others learn from; empty takes it back.")
        if st.form_submit_button("Name their category"):
            prompt_jobs.name_prompts(services().runs, look.project, category.strip(), named)
            _say(f"{len(named):,} prompts are examples of {category.strip() or 'nothing'} now.")


def _prioritize(look: Look, priority: int) -> None:
    try:
        services().store.set_priorities(look.project.id, dict.fromkeys(look.ids(), priority))
    except ProductError as error:
        st.error(str(error))
        return
    task_work.clear()
    _say(f"{len(look.rows):,} tasks have the priority {priority} now.")


def _say(sentence: str) -> None:
    """Draw the page anew with this on it."""
    st.session_state[DONE] = sentence
    st.rerun()
