"""What every insight page starts with: the project, its filters, and a sample of its tasks that is kept in memory."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import streamlit as st

from labeler.agreement import Estimate
from labeler.agreement_slices import category
from labeler.app import language, project_page
from labeler.app.session import services
from labeler.comparisons import UNKNOWN, Comparisons, comparisons
from labeler.entities import Project
from labeler.languages import figure, mark, t
from labeler.quality import Judged, skipping
from labeler.sample_filters import Choice, chosen

LIMIT = 1000
"""So many judged tasks are looked at; a project with more is sampled."""
NOTHING_TO_AGREE_ON = mark(
    "Labelers write answers in this project and judge none: there is nothing to agree on and no model to compare. How "
    "much they write is on the overview, how fast on the page Throughput."
)
INSTRUCTGPT = mark("InstructGPT: 72.6 ± 1.5 % (training labelers), 77.3 ± 1.3 % (held-out labelers).")
"""Agreement in Ouyang et al. 2022, section 3.4."""
TRAINING, HELD_OUT = mark("training labelers"), mark("held-out labelers")
UNNAMED = (mark("none"), mark("unknown model"), mark("everything"), TRAINING, HELD_OUT)
"""Names that the program gives to what has none."""
FRESH = 200
"""What was computed is kept until one part in so many of the judgments is new."""


@dataclass(frozen=True, slots=True)
class View:
    """What a page draws from.

    Attributes:
        project: which.
        key: equal for equal figures; what a page computes is kept under it.
        judged: the tasks that the filters leave, of the sample.
        table: their verdicts.
    """

    project: Project
    key: tuple[object, ...]
    judged: Judged
    table: Comparisons


def open_page(title: str) -> View | None:
    """Header, project, filters; None where there is nothing to show, which the page then says."""
    project = project_page.head(title)
    if project is None:
        return None
    if project.schema.writes:
        st.info(t(NOTHING_TO_AGREE_ON))
        return None
    database, stamp = services().store.database.url.render_as_string(), fresh(project)
    with st.spinner(t("Reading …")):
        judged, complete = sample(database, project.id, stamp)
    if not judged:
        st.write(t("Nothing has been judged yet."))
        return None
    choice = _choice(judged)
    with st.spinner(t("Counting …")):
        left, table = _filtered(database, project.id, stamp, choice)
    shown = sum(len(group.rankings) for group, _ in left)
    after = {"tasks": len(left), "rankings": shown}
    if complete:
        st.caption(
            t(
                "From all judged tasks: {tasks} tasks and {rankings} rankings after the filters. Intervals are 95 %.",
                **after,
            )
        )
    else:
        st.caption(
            t(
                "From a random sample of {sample} judged tasks: {tasks} tasks and {rankings} rankings after the "
                "filters. Intervals are 95 %.",
                sample=len(judged),
                **after,
            )
        )
    if not shown:
        st.write(t("The filters leave nothing."))
        return None
    return View(project, (database, project.id, stamp, choice), left, table)


def fresh(project: Project) -> int:
    """Changes when enough is new."""
    with services().store.frozen(project.id) as frozen:
        newest = frozen.newest_judgment()
    step = max(1, newest // FRESH)
    return newest // step * step


@st.cache_resource(max_entries=4, show_spinner=False)
def sample(database: str, project_id: int, stamp: int) -> tuple[Judged, bool]:
    """Judged tasks of a project, at most `LIMIT`; whether these are all. Kept until `fresh` changes."""
    with services().store.frozen(project_id) as frozen:
        return frozen.sample(LIMIT)


@st.cache_resource(max_entries=16, show_spinner=False)
def _filtered(database: str, project_id: int, stamp: int, choice: Choice) -> tuple[Judged, Comparisons]:
    kept = chosen(sample(database, project_id, stamp)[0], choice)
    return kept, comparisons([group for group, _ in kept], skipping(kept))


def called(name: str) -> str:
    """A category or a model as a person reads it: what has no name of its own is called so in their language."""
    return t(name) if name in UNNAMED else name


def _choice(judged: Judged) -> Choice:
    people = sorted({answer.annotator for _, answers in judged for answer in answers})
    kinds = sorted({category(group.meta) for group, _ in judged})
    models = sorted({completion.model or UNKNOWN for group, _ in judged for completion in group.completions})
    days = sorted({answer.at[:10] for _, answers in judged for answer in answers if answer.at})
    columns = st.columns(4)
    chosen_people, chosen_kinds, chosen_models = (
        tuple(columns[place].multiselect(title, options, placeholder=t(language.ANY), format_func=called))
        for place, (title, options) in enumerate(
            ((t("Labelers"), people), (t("Categories"), kinds), (t("Models"), models))
        )
    )
    picked: Any = ()
    if days:
        first, last = date.fromisoformat(days[0]), date.fromisoformat(days[-1])
        picked = columns[3].date_input(t("Days"), value=[], min_value=first, max_value=last)
    since, until = picked if len(picked) == 2 else (None, None)
    return Choice(chosen_people, chosen_kinds, chosen_models, since, until)


def percent(estimate: Estimate) -> str:
    """A share with its interval, as a sentence has it."""
    return written(estimate, 100, ".1f", " %")


def written(estimate: Estimate, scale: float = 1, form: str = ".2f", unit: str = "") -> str:
    """An estimate with its interval."""
    if estimate.value is None:
        return "–"
    value = f"{figure(estimate.value * scale, form)}{unit}"
    return value if estimate.low is None else f"{value} ({span(estimate, scale, form)})"


def span(estimate: Estimate, scale: float = 1, form: str = ".2f") -> str:
    """The interval alone."""
    if estimate.low is None or estimate.high is None:
        return "–"
    return t("{low} to {high}", low=figure(estimate.low * scale, form), high=figure(estimate.high * scale, form))
