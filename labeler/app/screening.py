"""The managers' page of the screening exam: its rules and tasks, who takes it, their scores, and the decision."""

from __future__ import annotations

from collections.abc import Callable
from typing import get_args

import streamlit as st

from labeler.app import project_page, tables
from labeler.app.session import require_manager, services
from labeler.entities import Project, User
from labeler.errors import ProductError
from labeler.exam import GRADES, ExamRules, Outcome, Score
from labeler.exam_desk import Candidate, ExamDesk, Written
from labeler.languages import figure, mark, t, tn

ABOUT = mark(
    "As in InstructGPT's appendix B.1: agreement on what is sensitive, agreement on rankings, written answers graded "
    "1 to 7, and areas that people say they know. Cut-offs are soft: a score stands beside its cut-off, you decide."
)
BUTTONS: dict[Outcome, str] = {"admit": mark("Admit"), "not yet": mark("Not yet"), "retry": mark("Let them try again")}
OUTCOMES: dict[str, str] = {"admit": mark("admit"), "not yet": mark("not yet"), "retry": mark("retry")}
STATES = {"screening": mark("taking the exam"), mark("admitted"): mark("admitted"), "refused": mark("not yet admitted")}
SAVED, FAILED = "screening-saved", "screening-failed"


def draw() -> None:
    """The page."""
    project = project_page.head(t("Screening"))
    if project is None:
        return
    st.caption(t(ABOUT))
    if saved := st.session_state.pop(SAVED, None):
        st.success(saved)
    if failed := st.session_state.pop(FAILED, None):
        st.error(failed)
    desk = ExamDesk(services().store)
    rules = desk.rules(project.id)
    _results(project, desk)
    left, right = st.columns(2, gap="large")
    with left:
        _rules(project, desk, rules)
    with right:
        _tasks(project, desk)
        if rules is not None:
            _add(project, desk)


def _done(sentence: str) -> None:
    st.session_state[SAVED] = sentence
    st.rerun()


def _rules(project: Project, desk: ExamDesk, rules: ExamRules | None) -> None:
    now = rules or ExamRules()
    key = f"{project.id}-{hash(now)}"
    with st.form(f"exam-rules-{key}"):
        st.subheader(t("The exam"), anchor=False)
        tasks = st.number_input(t("Tasks in an attempt"), 0, 1000, now.tasks, key=f"tasks-{key}")
        flags = st.slider(
            t("Agreement on what is sensitive"), 0, 100, round(100 * now.flags), format="%d %%", key=f"flags-{key}"
        )
        rankings = st.slider(
            t("Agreement on rankings"), 0, 100, round(100 * now.rankings), format="%d %%", key=f"rankings-{key}"
        )
        grade = st.slider(t("Grade of the written answers"), 1.0, 7.0, now.grade, 0.5, key=f"grade-{key}")
        sensitive = st.text_input(t("Flags that call a text sensitive"), ", ".join(now.sensitive), key=f"names-{key}")
        prompts = st.text_area(t("Written questions, one a line"), "\n".join(now.prompts), key=f"prompts-{key}")
        areas = st.text_area(t("Areas, one a line"), "\n".join(now.areas), height=180, key=f"areas-{key}")
        if st.form_submit_button(t("Save the exam"), type="primary"):
            try:
                asked = ExamRules(
                    tasks=int(tasks),
                    flags=flags / 100,
                    rankings=rankings / 100,
                    grade=float(grade),
                    sensitive=_entries(sensitive, ","),
                    prompts=_entries(prompts, "\n"),
                    areas=_entries(areas, "\n"),
                )
                desk.set_rules(project.id, asked)
            except ProductError as error:
                st.error(str(error))
            else:
                _done(t("Saved."))


def _entries(text: str, between: str) -> tuple[str, ...]:
    return tuple(filter(None, (item.strip() for item in text.split(between))))


def _tasks(project: Project, desk: ExamDesk) -> None:
    pool = desk.pool(project.id)
    with st.form(f"exam-tasks-{project.id}-{pool}"):
        st.subheader(t("Tasks with known answers"), anchor=False)
        st.text(t("{pool} are kept for exams. A second attempt needs others than the first.", pool=pool))
        count = st.number_input(t("Take more, that nobody has judged"), 1, 1000, 10, key=f"more-{project.id}-{pool}")
        if st.form_submit_button(t("Take them")):
            try:
                taken = desk.add_tasks(project.id, int(count))
            except ProductError as error:
                st.error(str(error))
            else:
                _done(tn("{count} more task is kept for exams.", "{count} more tasks are kept for exams.", taken))


def _add(project: Project, desk: ExamDesk) -> None:
    store = services().store
    known = {candidate.name for candidate in desk.results(project.id)}
    people = [
        user.name
        for user in store.users()
        if user.role == "labeler"
        and not user.disabled
        and user.name not in known
        and project.name in (store.memberships(user.id) or (project.name,))
    ]
    with st.form(f"exam-add-{project.id}", clear_on_submit=True):
        st.subheader(t("Screen somebody"), anchor=False)
        name = st.selectbox(t("Labeler"), people, index=None, placeholder=t("Choose a person"))
        if st.form_submit_button(t("Let them take the exam")) and name:
            try:
                desk.add_candidate(project.id, name)
            except ProductError as error:
                st.error(str(error))
            else:
                _done(t("{name} gets only the exam from now on, until you admit them.", name=name))


def _results(project: Project, desk: ExamDesk) -> None:
    found = desk.results(project.id)
    if not found:
        return
    tables.table([_row(candidate) for candidate in found], "candidates")
    names = [candidate.name for candidate in found]
    chosen = st.selectbox(t("Candidate"), names, key=f"candidate-{project.id}") if len(names) > 1 else names[0]
    _one(project, next(candidate for candidate in found if candidate.name == chosen))


def _row(candidate: Candidate) -> dict[str, object]:
    return {
        mark("candidate"): candidate.name,
        mark("state"): tables.named(candidate.state, t(STATES[candidate.state])),
        mark("attempt"): candidate.attempt,
        mark("tasks"): _answered(candidate),
        mark("sensitive"): _scored(candidate.scores.flags, _percent),
        mark("rankings"): _scored(candidate.scores.rankings, _percent),
        mark("written"): _scored(candidate.scores.grade, _grade),
        mark("areas"): len(candidate.ticked),
    }


def _answered(candidate: Candidate) -> tables.Cell:
    answered, coming = candidate.answered, candidate.coming
    shown = t("{part} of {all}", part=answered, all=answered + coming)
    return tables.Cell(shown, {", answered": answered, ", coming": coming})


def _scored(score: Score, shown: Callable[[Score], str]) -> tables.Cell:
    return tables.Cell(shown(score), {"": score.value, ", of": score.counted})


def _percent(score: Score) -> str:
    return (
        "–"
        if score.value is None
        else t("{share} of {counted}", share=figure(score.value, ".0%"), counted=score.counted)
    )


def _grade(score: Score) -> str:
    return "–" if score.value is None else t("{grade} of 7", grade=figure(score.value, ".1f"))


def _one(project: Project, candidate: Candidate) -> None:
    st.subheader(candidate.name, anchor=False)
    columns = st.columns(3)
    shares = ((t("Sensitive or not"), candidate.scores.flags), (t("Rankings"), candidate.scores.rankings))
    for column, (title, score) in zip(columns, shares, strict=False):
        _metric(column, title, _percent(score), figure(score.cutoff, ".0%"), score)
    grade = candidate.scores.grade
    _metric(columns[2], t("Written answers"), _grade(grade), figure(grade.cutoff, ".1f"), grade)
    st.text(t("Areas: {areas}", areas=", ".join(candidate.ticked) or t("none ticked")))
    key = f"{project.id}-{candidate.name}-{candidate.attempt}"
    for item in candidate.written:
        _written(project, candidate, item, f"{key}-{item.number}")
    with st.form(f"decide-{key}-{len(candidate.decisions)}"):
        note = f"note-{key}-{len(candidate.decisions)}"
        st.text_input(t("Note on the decision"), max_chars=1000, key=note)
        buttons = st.columns(3)
        for column, outcome in zip(buttons, get_args(Outcome), strict=True):
            given = (project.id, candidate.name, outcome, note)
            column.form_submit_button(t(BUTTONS[outcome]), width="stretch", on_click=_decide, args=given)
    for decision in reversed(candidate.decisions):
        st.text(
            t(
                "{at}: attempt {attempt}, {outcome}, by {by}. {note}",
                at=decision.at,
                attempt=decision.attempt,
                outcome=t(OUTCOMES[decision.outcome]),
                by=decision.by,
                note=decision.note,
            )
        )


def _metric(column: st.delta_generator.DeltaGenerator, title: str, value: str, cutoff: str, score: Score) -> None:
    verdict = {True: t("reached"), False: t("below"), None: t("nothing to say yet")}[score.reached]
    column.metric(title, value)
    column.caption(t("cut-off {cutoff}: {verdict}", cutoff=cutoff, verdict=verdict))


def _written(project: Project, candidate: Candidate, item: Written, key: str) -> None:
    with st.container(border=True):
        st.text(item.prompt)
        if not item.text:
            st.caption(t("Nothing written yet."))
            return
        st.code(item.text, language=None, wrap_lines=True)
        grade = f"grade-{key}"
        st.session_state[grade] = item.grade
        given = (project.id, candidate.name, item.number, grade)
        st.segmented_control(t("Grade, 1 to 7"), list(GRADES), key=grade, on_change=_give, args=given)


# Before the page is drawn anew, so that one click is not lost in the drawing that another has begun:


def _give(project_id: int, name: str, number: int, key: str) -> None:
    _act(lambda me: ExamDesk(services().store).grade(project_id, name, number, st.session_state[key], me.id))


def _decide(project_id: int, name: str, outcome: Outcome, key: str) -> None:
    if _act(lambda me: ExamDesk(services().store).decide(project_id, name, outcome, st.session_state[key], me.id)):
        st.session_state[SAVED] = t("{name}: {outcome}.", name=name, outcome=t(OUTCOMES[outcome]))


def _act(action: Callable[[User], None]) -> bool:
    """Do it, or keep for the page why not."""
    try:
        action(require_manager())
    except ProductError as error:
        st.session_state[FAILED] = str(error)
        return False
    return True
