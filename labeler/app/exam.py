"""A candidate's page: how far the tasks of the exam are, the written part, and the areas they know."""

from __future__ import annotations

import streamlit as st

from labeler.app import account, language
from labeler.app.session import current_user, services
from labeler.entities import User
from labeler.errors import ProductError
from labeler.exam import LONGEST
from labeler.exam_desk import ExamDesk, Sheet
from labeler.languages import mark, t

AREAS_QUESTION = mark("In which areas can you tell what is sensitive? Tick what you know well; nothing is expected.")
KEPT = "exam-kept"


def taking() -> bool:
    """Whether this person is taking an exam."""
    return bool(ExamDesk(services().store).sheets(current_user().id))


def draw() -> None:
    """The page."""
    me = current_user()
    account.draw(me)
    st.header(t("Exam"), anchor=False)
    sheets = ExamDesk(services().store).sheets(me.id)
    if not sheets:
        st.write(t("You are not taking an exam now."))
        return
    for sheet in sheets:
        _sheet(me, sheet)


def _sheet(me: User, sheet: Sheet) -> None:
    st.subheader(sheet.project.name, anchor=False)
    language.strong(t("1 · Tasks"))
    total = sheet.done + sheet.coming
    st.progress(sheet.done / total if total else 1.0, text=t("{done} of {total} done", done=sheet.done, total=total))
    if sheet.coming:
        st.markdown(t("[Go to the tasks](/)"))
    key = str(sheet.project.id)
    with st.form(f"exam-{key}", border=False):
        language.strong(t("2 · Written part"))
        texts = {}
        for item in sheet.written:
            st.text(item.prompt)
            texts[item.number] = st.text_area(
                t("Your answer {number}", number=item.number + 1),
                item.text,
                height=220,
                max_chars=LONGEST,
                key=f"exam-{key}-{item.number}",
            )
        language.strong(t("3 · Areas"))
        st.text(t(AREAS_QUESTION))
        ticked = [
            area
            for number, area in enumerate(sheet.areas)
            if st.checkbox(area, area in sheet.ticked, key=f"area-{key}-{number}")
        ]
        if st.form_submit_button(t("Save"), type="primary"):
            _keep(me, sheet, texts, ticked)
    if kept := st.session_state.pop(f"{KEPT}-{key}", None):
        st.success(kept)


def _keep(me: User, sheet: Sheet, texts: dict[int, str], ticked: list[str]) -> None:
    desk = ExamDesk(services().store)
    before = {item.number: item.text for item in sheet.written}
    try:
        for number, text in texts.items():
            if text != before[number]:
                desk.write(sheet.project.id, me.id, number, text)
        desk.tick(sheet.project.id, me.id, ticked)
    except ProductError as error:
        st.error(str(error))
        return
    st.session_state[f"{KEPT}-{sheet.project.id}"] = t("Saved. You can change it until a manager has decided.")
    st.rerun()
