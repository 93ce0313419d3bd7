"""The pages of a project in which only dialogues are written."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from store_helpers import ask
from streamlit.testing.v1 import AppTest

from labeler.accounts import Accounts
from labeler.app import session
from labeler.chat import Turn, WrittenDialogue
from labeler.endpoint_settings import Endpoint
from labeler.label_schema import LabelSchema
from labeler.records import Group
from labeler.routes import Services
from labeler.store import Store, Submission

PAGES = ("overview", "agreement", "labelers", "models", "throughput", "settings", "my_work")


def draw(page: str) -> None:
    import importlib  # noqa: PLC0415  (the function travels as source)

    importlib.import_module(f"labeler.app.{page}").draw()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store.create(f"sqlite:///{tmp_path / 'labeler.db'}")
    session.use(Services(opened, Accounts(opened), tmp_path / "runs"))
    yield opened
    opened.close()


@pytest.fixture
def written(store: Store, monkeypatch: pytest.MonkeyPatch) -> Store:
    schema = LabelSchema("chat", all_bad=False, suggest=Endpoint("http://127.0.0.1:9/v1", "tiny"), replies=4)
    project = store.add_project("talks", schema=schema, dwell_seconds=0)
    store.import_groups(project.id, [Group(f"d{i}", (), (), meta={"scenario": "Play."}) for i in range(3)])
    boss = store.add_user("boss", "manager")
    task = ask(store, project, boss)
    said = WrittenDialogue((Turn("user", "Hello"), Turn("assistant", "Hi")))
    store.submit(boss.id, Submission("s1", task.task_id, "rank", seconds=5, dialogue=said))
    accounts = Accounts(store)
    token = accounts.enter(accounts.invite("boss"))
    monkeypatch.setattr(session, "session_token", lambda: token)
    return store


@pytest.mark.parametrize("page", PAGES)
def test_every_page_has_something_to_say(written: Store, page: str):
    assert hasattr(importlib.import_module(f"labeler.app.{page}"), "draw")
    shown = AppTest.from_function(draw, default_timeout=120, args=(page,)).run()
    assert not shown.exception
    assert not shown.error
    assert shown.header


def test_the_settings_show_the_model_and_save_a_new_version(written: Store):
    shown = AppTest.from_function(draw, default_timeout=120, args=("settings",)).run()
    assert [each.value for each in shown.text_input] == ["http://127.0.0.1:9/v1", "tiny"]
    shown.text_input[1].set_value("other")
    next(each for each in shown.number_input if each.label == "Replies to rank at each turn").set_value(0)
    shown.button[0].click().run()
    assert not shown.error
    schema = written.project("talks").schema
    assert (schema.suggest.model, schema.replies) == ("other", None) if schema.suggest else False


def test_settings_that_cannot_be_are_refused_in_words(written: Store):
    shown = AppTest.from_function(draw, default_timeout=120, args=("settings",)).run()
    shown.text_input[0].set_value("ftp://h")
    shown.button[0].click().run()
    assert "must begin with http" in shown.error[0].value
    assert written.project("talks").schema_version == 1
