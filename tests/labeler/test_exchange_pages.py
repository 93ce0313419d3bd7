"""The pages Import and Export without a browser: what they offer, start and say."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from store_helpers import group
from streamlit.testing.v1 import AppTest

from labeler import import_jobs, jobs
from labeler.accounts import Accounts
from labeler.app import session
from labeler.records import Ranking
from labeler.review_desk import ReviewDesk
from labeler.routes import Services
from labeler.store import Store

PASSWORD = "correct horse"
ROWS = b"".join(
    json.dumps({"id": f"g{n}", "prompt": "Why? a@example.com", "responses": ["Because.", "So."]}).encode() + b"\n"
    for n in range(3)
)


def imports() -> None:
    from labeler.app import imports  # noqa: PLC0415  (the function travels as source)

    imports.draw()


def exports() -> None:
    from labeler.app import exports  # noqa: PLC0415  (the function travels as source)

    exports.draw()


SCRIPTS = {"imports": imports, "exports": exports}


@pytest.fixture(autouse=True)
def this_code_in_children(monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs run in folders of their own; they are to import what the tests import."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store.create(f"sqlite:///{tmp_path / 'labeler.db'}")
    session.use(Services(opened, Accounts(opened), tmp_path / "runs"))
    yield opened
    opened.close()


@pytest.fixture
def show(store: Store, monkeypatch: pytest.MonkeyPatch) -> Callable[..., AppTest]:
    def show(page: str, role: str = "manager", projects: tuple[str, ...] = ()) -> AppTest:
        accounts = Accounts(store)
        accounts.add("mia", role, projects, PASSWORD)
        token = accounts.sign_in("mia", PASSWORD)
        monkeypatch.setattr(session, "session_token", lambda: token)
        return AppTest.from_function(SCRIPTS[page], default_timeout=120).run()

    return show


def ended(job: jobs.Job | None) -> None:
    assert job is not None
    patience = time.monotonic() + 60
    while jobs.is_running(job):
        assert time.monotonic() < patience
        time.sleep(0.05)


def button(page: AppTest, label: str):
    return next(one for one in page.button if one.label == label)


@pytest.mark.parametrize("page", SCRIPTS)
def test_only_managers_see_them(store: Store, show: Callable[..., AppTest], page: str):
    store.import_into("essays", [group(0)])
    shown = show(page, "labeler")
    assert [error.value for error in shown.error] == ["This page is for managers."]
    assert not shown.header
    assert not shown.button


@pytest.mark.parametrize("page", SCRIPTS)
def test_an_empty_database_is_no_error(show: Callable[..., AppTest], page: str):
    shown = show(page)
    assert not shown.exception
    assert shown.header


def test_a_file_is_checked_cleaned_and_imported(store: Store, show: Callable[..., AppTest], tmp_path: Path):
    store.add_project("essays")
    page = show("imports")
    me, runs = store.user("mia"), session.services().runs
    source = import_jobs.upload(runs, me, "why.jsonl", io.BytesIO(ROWS + b"nonsense\n"))
    page.run()
    assert "why.jsonl" in [one.value for one in page.text]
    button(page, "Check").click().run()
    ended(import_jobs.latest_job(source))
    page.run()
    assert not page.exception
    assert {one.label: one.value for one in page.metric} == {
        "Groups to label": "3",
        "Rankings that come along": "0",
        "Demonstrations": "0",
        "Bad rows": "1",
    }
    assert any(one.value.startswith("Mend the file, or tick") for one in page.info)
    assert any("2 groups repeat an earlier prompt" in one.value for one in page.info)
    assert "3 × EMAIL" in page.warning[0].value
    assert button(page, "Import").disabled
    assert page.dataframe[0].value["line"].tolist() == [4]
    assert [one.value for one in page.code][:3] == ["Why? a@example.com", "Because.", "So."]

    boxes = {one.label: one for one in page.checkbox}
    boxes["Leave bad rows out"].check()
    boxes["Leave out prompts that were there before"].check()
    boxes["Mask personal data"].check()
    button(page, "Check").click().run()
    ended(import_jobs.latest_job(source))
    page.run()
    said = [one.value for one in page.text]
    assert "2 groups left out: their prompt was there before." in said
    assert "1 × EMAIL masked." in said
    assert page.code[0].value == "Why? [EMAIL_1]"
    assert store.counts(store.project("essays").id).tasks == 0
    button(page, "Import").click().run()
    ended(import_jobs.latest_job(source))
    page.run()
    assert page.success[0].value == "Imported into essays: 1 groups, 0 rankings, 0 demonstrations."
    (task,) = store.task_page(store.project("essays").id, after=0, limit=9)
    assert task.row["prompt"][0]["content"] == "Why? [EMAIL_1]"
    button(page, "Import something else").click().run()
    assert not page.exception
    assert import_jobs.latest(runs, me) is None


def test_the_columns_of_a_table_are_named_on_the_page(store: Store, show: Callable[..., AppTest]):
    store.add_project("essays")
    page = show("imports")
    me, runs = store.user("mia"), session.services().runs
    table = b"frage,links,rechts,besser\nWarum?,Darum.,Nein.,a\n"
    source = import_jobs.upload(runs, me, "odd.csv", io.BytesIO(table))
    button(page.run(), "Check").click().run()
    ended(import_jobs.latest_job(source))
    page.run()
    assert "are of no known format" in page.dataframe[0].value.iloc[0, 2]
    assert button(page, "Import").disabled
    boxes = {one.label: one for one in page.selectbox}
    for name, ours in zip(
        ("frage", "links", "rechts", "besser"), ("prompt", "completion_a", "completion_b", "winner"), strict=True
    ):
        boxes[name].set_value(ours)
    button(page, "Check").click().run()
    ended(import_jobs.latest_job(source))
    page.run()
    assert {one.label: one.value for one in page.metric}["Rankings that come along"] == "1"
    assert not button(page, "Import").disabled


def test_a_restricted_manager_makes_no_project_and_names_no_path(store: Store, show: Callable[..., AppTest]):
    store.add_project("essays")
    store.add_project("poems")
    page = show("imports", projects=("poems",))
    page.text_input[0].set_value("/etc/hostname.csv")
    page.button[0].click().run()
    assert page.error[0].value.startswith("only an admin may name a path on the server")
    page.text_input[0].set_value("hf:org/set")
    page.button[0].click().run()
    assert {one.label: one.options for one in page.selectbox}["Into the project"] == ["poems"]


def test_a_new_project_is_made_with_its_task(store: Store, show: Callable[..., AppTest]):
    page = show("imports")
    me, runs = store.user("mia"), session.services().runs
    source = import_jobs.upload(runs, me, "why.jsonl", io.BytesIO(ROWS))
    page.run()
    button(page, "Check").click().run()
    assert page.error[0].value == "Give the new project a name."
    next(one for one in page.text_input if one.label == "Its name").set_value("fresh")
    next(one for one in page.selectbox if one.label == "Task").set_value("rate")
    button(page, "Check").click().run()
    ended(import_jobs.latest_job(source))
    button(page.run(), "Import").click().run()
    ended(import_jobs.latest_job(source))
    assert page.run().success
    assert store.project("fresh").task == "rate"


def test_an_export_is_looked_at_made_and_offered(store: Store, show: Callable[..., AppTest]):
    said = (Ranking("x", (1, 2, 2)), Ranking("y", (2, 1, 1)))
    store.import_into("essays", [group(n, rankings=said) for n in range(4)], overlap=2)
    page = show("exports")
    page.selectbox[1].set_value("trl").run()
    rows = [json.loads(one.value) for one in page.code]
    assert len(rows) == 3
    assert {row["annotator"] for row in rows} == {"x", "y"}
    next(one for one in page.multiselect if one.label == "Labelers").set_value(["y"]).run()
    assert {json.loads(one.value)["annotator"] for one in page.code} == {"y"}
    button(page, "Make it").click().run()
    (job,) = jobs.all_jobs(session.services().runs, "export")
    ended(job)
    page.run()
    assert not page.exception
    assert "8 rows, 4 groups, 4 rankings, 1 annotators, 0 demonstrations" in [one.value for one in page.text]
    page.selectbox[1].set_value("snapshot").run()
    button(page, "Make it").click().run()
    (job,) = jobs.all_jobs(session.services().runs, "export")
    ended(job)
    assert "4 groups, 8 rankings, 0 edits, 2 annotators, 0 demonstrations" in [one.value for one in page.run().text]


def test_what_a_reviewer_decided_can_be_chosen_where_there_is_any(store: Store, show: Callable[..., AppTest]):
    said = (Ranking("x", (1, 2, 3)), Ranking("y", (2, 1, 3)))
    essays, _ = store.import_into("essays", [group(0, rankings=said)])
    page = show("exports")
    page.selectbox[1].set_value("trl").run()
    assert not page.radio
    (judgment, _), boss = store.judgments(essays.id), store.user("mia")
    given = {"task_id": judgment.task_id, "submission_id": "d", "seen": None}
    ReviewDesk(store).decide(boss.id, None, accepted=judgment.id, **given)
    page.run()
    assert {json.loads(one.value)["annotator"] for one in page.code} == {"adjudicated"}
    page.radio[0].set_value("ignore").run()
    assert {json.loads(one.value)["annotator"] for one in page.code} == {"x"}  # its three pairs are the first three
    button(page, "Make it").click().run()
    (job,) = jobs.all_jobs(session.services().runs, "export")
    assert "--adjudicated=ignore" in job.commands[0]
    ended(job)


def test_only_admins_push_and_only_with_a_token(
    store: Store, show: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch
):
    store.import_into("essays", [group(0, rankings=(Ranking("x", (1, 2, 3)),))])
    monkeypatch.delenv("HF_TOKEN", raising=False)
    page = show("exports", "admin")
    page.selectbox[1].set_value("trl").run()
    (box,) = page.text_input
    assert (box.disabled, box.placeholder) == (True, "The server has no token: set HF_TOKEN")
    monkeypatch.setenv("HF_TOKEN", "hf_made_up")
    assert not page.run().text_input[0].disabled
    assert "hf_made_up" not in str(page)


def test_managers_cannot_push(store: Store, show: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch):
    store.import_into("essays", [group(0, rankings=(Ranking("x", (1, 2, 3)),))])
    monkeypatch.setenv("HF_TOKEN", "hf_made_up")
    page = show("exports")
    page.selectbox[1].set_value("trl").run()
    assert not page.text_input
