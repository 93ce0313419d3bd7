"""The pages on projects in which labelers write: lengths in place of agreement, and nothing that breaks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from store_helpers import ask, group, people, ranking, wrote
from streamlit.testing.v1 import AppTest
from test_insight_pages import PAGES, my_work, show
from test_pages import overview, settings, training

from labeler.accounts import Accounts
from labeler.app import session
from labeler.entities import Edit
from labeler.label_schema import Flag, LabelSchema, preset
from labeler.routes import Services
from labeler.store import Project, Store

Page = Callable[[], None]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store.create(f"sqlite:///{tmp_path / 'labeler.db'}")
    session.use(Services(opened, Accounts(opened), tmp_path / "runs"))
    opened.add_user("mia", "manager")
    yield opened
    opened.close()


@pytest.fixture
def letters(store: Store) -> Project:
    """Three prompts, answered by ann in one, two and three words."""
    schema = LabelSchema("demonstrate", ranking=False, all_bad=False, prompt_flags=(Flag("vague"),))
    made = store.add_project("letters", schema=schema, dwell_seconds=0)
    store.import_groups(made.id, [group(number, 0) for number in range(3)])
    (ann,) = people(store, "ann")
    for words in (1, 2, 3):
        store.submit(
            ann.id, wrote(ask(store, made, ann), "word " * words, prompt_flags=("vague",), seconds=10.0 * words)
        )
    return made


def texts(page: AppTest) -> str:
    return "\n".join(str(item.value) for kind in ("text", "caption", "info", "markdown") for item in page.get(kind))


def test_the_overview_has_lengths_in_place_of_agreement(
    store: Store, letters: Project, monkeypatch: pytest.MonkeyPatch
):
    shown = show(store, "mia", overview, monkeypatch)
    assert not shown.exception
    headers = [item.value for item in shown.subheader]
    assert "Length of answers" in headers
    assert "Agreement" not in headers
    assert "so there is nothing to agree on" in texts(shown)
    assert "3 answers, words: median 2 (" in texts(shown)
    people_table = shown.dataframe[-1].value
    assert people_table[["annotator", "rankings", "median seconds"]].to_numpy().tolist() == [["ann", 3, "20.0"]]


def test_the_overview_of_a_project_in_which_nothing_is_written_yet(store: Store, monkeypatch: pytest.MonkeyPatch):
    store.add_project("letters", schema=preset("demonstrate"))
    shown = show(store, "mia", overview, monkeypatch)
    assert not shown.exception
    assert "Nothing has been written yet." in texts(shown)


@pytest.mark.parametrize("title", ["Agreement", "Labelers", "Models"])
def test_pages_of_agreement_say_that_there_is_none(
    store: Store, letters: Project, title: str, monkeypatch: pytest.MonkeyPatch
):
    shown = show(store, "mia", PAGES[title], monkeypatch)
    assert not shown.exception
    (said,) = shown.info
    assert "there is nothing to agree on and no model to compare" in said.value


def test_throughput_counts_written_answers(store: Store, letters: Project, monkeypatch: pytest.MonkeyPatch):
    shown = show(store, "mia", PAGES["Throughput"], monkeypatch)
    assert not shown.exception
    assert shown.dataframe[0].value["rankings"].sum() == 3


def test_a_labeler_sees_how_much_they_write(store: Store, letters: Project, monkeypatch: pytest.MonkeyPatch):
    shown = show(store, "ann", my_work, monkeypatch)
    assert not shown.exception
    assert [item.value for item in shown.metric] == ["3", "20", "2"]


def test_no_reward_model_is_trained_on_answers(store: Store, letters: Project, monkeypatch: pytest.MonkeyPatch):
    shown = show(store, "mia", training, monkeypatch)
    shown.button[0].click().run()
    assert [item.value for item in shown.error] == [
        "in 'letters' answers are written and none ranked; a policy learns from them: reward sft"
    ]


def test_a_manager_asks_for_answers_and_for_edits(store: Store, monkeypatch: pytest.MonkeyPatch):
    store.add_project("letters")
    page = show(store, "mia", settings, monkeypatch)
    page.selectbox[2].set_value("Labelers must")
    page.button[0].click().run()
    assert not page.exception
    assert store.project("letters").schema == LabelSchema(edit="required")
    page.selectbox[1].set_value("Demonstrate: write the ideal answer").run()
    assert [field.key.partition("-")[0] for field in page.number_input] == [
        "break",
        "overlap",
        "dwell",
        "lease",
    ], "nothing of completions is asked"
    page.button[0].click().run()
    assert not page.exception
    assert store.project("letters").schema == preset("demonstrate")
    page.selectbox[1].set_value("Rank").run()
    page.button[0].click().run()
    after = store.project("letters").schema
    assert (after.task, after.all_bad, after.edit) == ("rank", True, None)


def test_the_overview_counts_edits(store: Store, monkeypatch: pytest.MonkeyPatch):
    made = store.add_project("essays", schema=LabelSchema(edit="optional"), dwell_seconds=0)
    store.import_groups(made.id, [group(number) for number in range(2)])
    (ann,) = people(store, "ann")
    task = ask(store, made, ann)
    best = task.completions[0]
    store.submit(ann.id, ranking(task, edit=Edit(best.completion_id, f"{best.text} And more.")))
    store.submit(ann.id, ranking(ask(store, made, ann)))
    shown = show(store, "mia", overview, monkeypatch)
    assert not shown.exception
    assert [item.value for item in shown.metric] == ["1 of 2", "0", "+2"]
