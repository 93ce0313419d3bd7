"""The Streamlit pages, run without a browser: who may see them, and what they say."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from labeler.accounts import Accounts
from labeler.app import session
from labeler.label_schema import LabelSchema, preset
from labeler.records import Completion, Group, Message, Ranking
from labeler.routes import Services
from labeler.store import Store
from labeler.tokens import Tokens
from labeler.trainings import POINTS, evaluate_every
from reward.config.train import TrainConfig

PASSWORD = "correct horse"
PAGES = ("overview", "people", "settings", "training")


def overview() -> None:
    from labeler.app import overview  # noqa: PLC0415  (the function travels as source)

    overview.draw()


def people() -> None:
    from labeler.app import people  # noqa: PLC0415  (the function travels as source)

    people.draw()


def settings() -> None:
    from labeler.app import settings  # noqa: PLC0415  (the function travels as source)

    settings.draw()


def training() -> None:
    from labeler.app import training  # noqa: PLC0415  (the function travels as source)

    training.draw()


def tokens() -> None:
    from labeler.app import tokens  # noqa: PLC0415  (the function travels as source)

    tokens.draw()


SCRIPTS = {"overview": overview, "people": people, "settings": settings, "training": training, "tokens": tokens}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A store whose pages are served; the process has one set of services."""
    opened = Store.create(f"sqlite:///{tmp_path / 'labeler.db'}")
    session.use(Services(opened, Accounts(opened), tmp_path / "runs"))
    yield opened
    opened.close()


def show(
    store: Store, name: str, role: str, page: str, monkeypatch: pytest.MonkeyPatch, projects: tuple[str, ...] = ()
) -> AppTest:
    accounts = Accounts(store)
    accounts.add(name, role, projects, PASSWORD)
    token = accounts.sign_in(name, PASSWORD)
    monkeypatch.setattr(session, "session_token", lambda: token)
    return AppTest.from_function(SCRIPTS[page], default_timeout=120).run()


def ranked(name: str) -> Group:
    completions = tuple(Completion(f"c{i}", f"text {i}") for i in range(3))
    group = Group(name, (Message("user", f"Question {name}?"),), completions)
    return replace(group, rankings=(Ranking("x", (1, 2, 3)), Ranking("y", (1, 3, 2))))


@pytest.mark.parametrize("page", PAGES)
def test_a_labeler_sees_nothing_of_a_managers_page(store: Store, page: str, monkeypatch: pytest.MonkeyPatch):
    store.add_project("essays")
    shown = show(store, "ann", "labeler", page, monkeypatch)
    assert [error.value for error in shown.error] == ["This page is for managers."]
    assert not shown.header
    assert not shown.button
    assert not shown.dataframe


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("token", [None, "made up"])
def test_without_a_session_there_is_no_page(
    store: Store, page: str, token: str | None, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(session, "session_token", lambda: token)
    shown = AppTest.from_function(SCRIPTS[page], default_timeout=120).run()
    assert [error.value for error in shown.error] == ["You are signed out. Load the page again to sign in."]
    assert not shown.header


@pytest.mark.parametrize("page", PAGES)
def test_an_account_that_is_closed_is_out_at_the_next_run(store: Store, page: str, monkeypatch: pytest.MonkeyPatch):
    store.add_project("essays")
    shown = show(store, "mia", "manager", page, monkeypatch)
    assert shown.header
    Accounts(store).disable("mia")
    assert not shown.run().header


@pytest.mark.parametrize("page", PAGES)
def test_an_empty_database_is_no_error(store: Store, page: str, monkeypatch: pytest.MonkeyPatch):
    shown = show(store, "mia", "manager", page, monkeypatch)
    assert not shown.exception
    assert shown.header


def test_the_overview_counts(store: Store, monkeypatch: pytest.MonkeyPatch):
    store.import_into("essays", [ranked("a"), ranked("b")], overlap=2)
    shown = show(store, "mia", "manager", "overview", monkeypatch)
    projects, people_table = (table.value for table in shown.dataframe)
    assert projects.loc[0, ["tasks", "finished", "rankings"]].tolist() == [2, 2, 4]
    assert people_table["annotator"].tolist() == ["x", "y"]
    assert people_table["agrees with the others"].tolist() == ["66.7 % (66.7 to 66.7)"] * 2


def test_the_overview_shows_ratings_and_flags(store: Store, monkeypatch: pytest.MonkeyPatch):
    marks = (Ranking("x", (1, 2, 3), ratings=(7, 4, 1), flags=(("rude",), (), ())), Ranking("y", (1, 3, 2)))
    store.import_into("essays", [replace(ranked("a"), rankings=marks)], overlap=2)
    shown = show(store, "mia", "manager", "overview", monkeypatch)
    assert "Ratings and flags" in [item.value for item in shown.subheader]
    table = shown.dataframe[1].value
    assert table["rating or flag"].tolist() == ["rating", "rude"]
    assert table["value"].tolist() == ["4.00", "33.3 %"]


def test_a_manager_changes_what_a_project_asks(store: Store, monkeypatch: pytest.MonkeyPatch):
    store.import_into("essays", [ranked("a")])
    page = show(store, "mia", "manager", "settings", monkeypatch)
    assert page.text[0].value == "This is version 1 of the settings, version 1 of the guidelines."
    page.selectbox[1].set_value("Rate, then rank").run()
    page.text_area[0].set_value("Be kind.")
    page.button[0].click().run()
    assert not page.exception
    assert [item.value for item in page.success] == ["Saved: version 2 of the settings, version 2 of the guidelines."]
    project = store.project("essays")
    assert (project.schema, project.guidelines) == (preset("rate"), "Be kind.")
    page.selectbox[1].set_value("Choose of a pair").run()
    page.button[0].click().run()
    assert [item.value for item in page.error] == ["completions: group 'a' has 3 completions; the task pair needs two"]
    assert store.project("essays").schema_version == 2


def test_the_best_few_are_a_number(store: Store, monkeypatch: pytest.MonkeyPatch):
    store.add_project("essays")
    page = show(store, "mia", "manager", "settings", monkeypatch)
    page.number_input[0].set_value(2)
    page.button[0].click().run()
    assert store.project("essays").schema == LabelSchema(top=2)


def test_a_manager_changes_how_tasks_are_handed_out(store: Store, monkeypatch: pytest.MonkeyPatch):
    store.import_into("essays", [ranked("a")])
    page = show(store, "mia", "manager", "settings", monkeypatch)
    for label, value in (
        ("Labelers per task", 3),
        ("Seconds between two answers at least", 1.5),
        ("Minutes that a task stays reserved", 45.0),
    ):
        next(box for box in page.number_input if box.label == label).set_value(value)
    next(button for button in page.button if button.label == "Save how tasks are handed out").click().run()
    assert not page.exception
    assert [item.value for item in page.success] == ["Saved how tasks are handed out."]
    project = store.project("essays")
    assert (project.overlap, project.dwell_seconds, project.lease_seconds) == (3, 1.5, 2700.0)
    assert (project.schema_version, project.guidelines_version) == (1, 1)


def test_a_manager_of_one_project_sees_and_gives_only_that(store: Store, monkeypatch: pytest.MonkeyPatch):
    store.add_project("essays")
    store.add_project("poems")
    shown = show(store, "mia", "manager", "overview", monkeypatch, ("poems",))
    assert shown.dataframe[0].value["project"].tolist() == ["poems"]
    monkeypatch.undo()
    accounts = Accounts(store)
    token = accounts.sign_in("mia", PASSWORD)
    monkeypatch.setattr(session, "session_token", lambda: token)
    page = AppTest.from_function(people, default_timeout=120).run()
    assert page.multiselect[0].options == ["poems"]
    page.text_input[0].set_value("new")
    page.button[0].click().run()
    assert store.memberships(store.user("new").id) == ("poems",)


def test_a_manager_makes_no_admins(store: Store, monkeypatch: pytest.MonkeyPatch):
    store.add_user("root", "admin")
    shown = show(store, "mia", "manager", "people", monkeypatch)
    role, person, account = shown.selectbox
    assert role.options == ["labeler", "manager"]
    assert "root" not in {*person.options, *account.options}


def test_nothing_ranked_is_nothing_to_train_on(store: Store, monkeypatch: pytest.MonkeyPatch):
    store.import_into("essays", [replace(ranked("a"), rankings=())])
    shown = show(store, "mia", "manager", "training", monkeypatch)
    shown.button[0].click().run()
    assert [error.value for error in shown.error] == ["nothing has been ranked in 'essays' yet"]
    assert not (session.services().runs).exists()


@pytest.mark.parametrize("epochs", [1, 3])
@pytest.mark.parametrize("groups", [1, 7, 40, 41, 333, 5000])
def test_a_training_is_validated_about_four_times_on_its_way(groups: int, epochs: int):
    config = TrainConfig(data=("x",), out=Path("y"))
    steps = math.ceil(groups / config.batch) * epochs
    every = evaluate_every(groups, epochs)
    points = len(range(every, steps, every))
    assert points == steps - 1 if steps <= POINTS else POINTS - 1 <= points <= POINTS + 3


def test_a_token_is_shown_once_and_revoked(store: Store, monkeypatch: pytest.MonkeyPatch):
    page = show(store, "ann", "labeler", "tokens", monkeypatch)
    page.text_input[0].set_value("nightly")
    page.button[0].click().run()
    assert not page.exception
    assert Tokens(store).user_for(page.code[0].value) == store.user("ann")
    assert page.dataframe[0].value["token"].tolist() == ["nightly"]
    page.run()
    assert not page.code
    page.selectbox[2].set_value(Tokens(store).of(store.user("ann").id)[0].id)
    page.button[1].click().run()
    assert not page.dataframe
    assert Tokens(store).of(store.user("ann").id) == ()
