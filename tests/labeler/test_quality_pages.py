"""The pages of gold items, screening, exam and reviewers, without a browser."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from store_helpers import ask, group, ranking
from streamlit.testing.v1 import AppTest

from labeler.accounts import Accounts
from labeler.app import session
from labeler.exam_desk import ExamDesk
from labeler.gold import GoldRules
from labeler.gold_desk import GoldDesk
from labeler.raters import Raters
from labeler.review_desk import ReviewDesk
from labeler.routes import Services
from labeler.store import Store

PASSWORD = "correct horse"


def gold() -> None:
    from labeler.app import gold  # noqa: PLC0415  (the function travels as source)

    gold.draw()


def screening() -> None:
    from labeler.app import screening  # noqa: PLC0415  (the function travels as source)

    screening.draw()


def exam() -> None:
    from labeler.app import exam  # noqa: PLC0415  (the function travels as source)

    exam.draw()


def people() -> None:
    from labeler.app import people  # noqa: PLC0415  (the function travels as source)

    people.draw()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store.create(f"sqlite:///{tmp_path / 'labeler.db'}")
    session.use(Services(opened, Accounts(opened), tmp_path / "runs"))
    for name, role in (("boss", "manager"), ("ann", "labeler")):
        Accounts(opened).add(name, role, (), PASSWORD)  # type: ignore[arg-type]
    yield opened
    opened.close()


def show(store: Store, name: str, page, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    token = Accounts(store).sign_in(name, PASSWORD)
    monkeypatch.setattr(session, "session_token", lambda: token)
    shown = AppTest.from_function(page, default_timeout=120).run()
    assert not shown.exception
    return shown


def gold_project(store: Store) -> int:
    made = store.add_project("essays", dwell_seconds=0)
    store.import_groups(made.id, [group(number) for number in range(3)])
    store.import_groups(made.id, [replace(group(9), meta={"gold_ranks": [1, 2, 3], "gold_note": "so"})])
    return made.id


@pytest.mark.parametrize("page", [gold, screening])
def test_a_labeler_sees_nothing_of_a_managers_page(store: Store, page, monkeypatch: pytest.MonkeyPatch):
    gold_project(store)
    shown = show(store, "ann", page, monkeypatch)
    assert [error.value for error in shown.error] == ["This page is for managers."]
    assert not shown.header


@pytest.mark.parametrize("page", [gold, screening])
def test_without_a_project_the_page_says_what_to_do(store: Store, page, monkeypatch: pytest.MonkeyPatch):
    assert "There is no project yet" in show(store, "boss", page, monkeypatch).info[0].value


def test_gold_rules_are_saved_and_wrong_ones_said(store: Store, monkeypatch: pytest.MonkeyPatch):
    project_id = gold_project(store)
    shown = show(store, "boss", gold, monkeypatch)
    shown.slider[0].set_value(20)
    shown.number_input[0].set_value(70)
    next(button for button in shown.button if button.label == "Save").click().run()
    assert GoldDesk(store).rules(project_id) == GoldRules(0.2, "none", 0.7, 5)
    assert shown.success[0].value == "Saved. It holds from the next task on."
    assert "g9" in str(shown.dataframe[-1].value)
    store.add_project("bare")
    other = show(store, "boss", gold, monkeypatch)
    other.selectbox[0].set_value("bare").run()
    other.slider[0].set_value(10)
    next(button for button in other.button if button.label == "Save").click().run()
    assert "no task has known answers" in other.error[0].value


def test_an_exam_from_rules_to_decision(store: Store, monkeypatch: pytest.MonkeyPatch):
    project_id = gold_project(store)
    desk = ExamDesk(store)

    def press(shown: AppTest, label: str) -> AppTest:
        next(button for button in shown.button if button.label == label).click().run()
        assert not shown.exception
        return shown

    assert show(store, "ann", exam, monkeypatch).markdown[0].value == "You are not taking an exam now."
    boss = press(show(store, "boss", screening, monkeypatch), "Save the exam")
    press(boss, "Take them")
    assert desk.pool(project_id) == 1
    press(boss, "Take them")
    assert "no task has known answers" in boss.error[0].value
    boss.selectbox[-1].set_value("ann")
    press(boss, "Let them take the exam")

    ann = store.user("ann")
    store.submit(ann.id, ranking(ask(store, store.project("essays"), ann), ranks={"c0": 1, "c1": 2, "c2": 3}))
    taking = show(store, "ann", exam, monkeypatch)
    taking.text_area[0].set_value("What I would say.")
    taking.checkbox[1].set_value(True)
    press(taking, "Save")
    assert desk.sheets(ann.id)[0].written[0].text == "What I would say."
    assert desk.sheets(ann.id)[0].ticked == ("Religion",)

    boss = show(store, "boss", screening, monkeypatch)
    assert [metric.value for metric in boss.metric] == ["–", "100% of 3", "–"]
    desk.grade(project_id, "ann", 0, 5, store.user("boss").id)
    boss = show(store, "boss", screening, monkeypatch)
    assert boss.metric[2].value == "5.0 of 7"
    assert "cut-off 6.0: below" in [caption.value for caption in boss.caption]
    press(boss, "Admit")
    assert desk.results(project_id)[0].state == "admitted"


def test_reviewers_are_named_on_the_page_of_people(store: Store, monkeypatch: pytest.MonkeyPatch):
    project_id = gold_project(store)
    shown = show(store, "boss", people, monkeypatch)
    next(box for box in shown.multiselect if box.label == "Labelers who may review it").set_value(["ann"]).run()
    next(button for button in shown.button if button.label == "Save reviewers").click().run()
    assert ReviewDesk(store).reviewers(project_id) == ("ann",)


def test_held_out_raters_are_named_there_too(store: Store, monkeypatch: pytest.MonkeyPatch):
    project_id = gold_project(store)
    shown = show(store, "boss", people, monkeypatch)
    next(box for box in shown.multiselect if box.label == "Labelers of whom no model learns").set_value(["ann"]).run()
    next(button for button in shown.button if button.label == "Save held-out raters").click().run()
    assert not shown.exception
    assert Raters(store).held_out(project_id) == ("ann",)


def test_an_account_gets_other_projects(store: Store, monkeypatch: pytest.MonkeyPatch):
    gold_project(store)
    store.add_project("poems")
    name = store.projects()[0].name
    shown = show(store, "boss", people, monkeypatch)
    next(box for box in shown.selectbox if box.label == "Account").set_value("ann").run()
    next(box for box in shown.multiselect if box.label == "Projects of ann").set_value([name]).run()
    next(button for button in shown.button if button.label == "Save projects").click().run()
    assert not shown.exception
    assert store.memberships(store.user("ann").id) == (name,)
