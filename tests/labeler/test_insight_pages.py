"""The insight pages, run without a browser: who may see them, what they say, what filters leave."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from simulated import honest, pairs
from store_helpers import ask, ranking
from streamlit.testing.v1 import AppTest

from labeler.accounts import Accounts
from labeler.agreement import Estimate, pairwise_agreement
from labeler.app import insight, session, tables
from labeler.app.tables import csv_of
from labeler.languages import LANGUAGES
from labeler.raters import Raters
from labeler.records import Group
from labeler.routes import Services
from labeler.sample_filters import Choice, chosen
from labeler.store import Store

PASSWORD = "correct horse"


def agreement() -> None:
    from labeler.app import agreement  # noqa: PLC0415  (the function travels as source)

    agreement.draw()


def labelers() -> None:
    from labeler.app import labelers  # noqa: PLC0415  (the function travels as source)

    labelers.draw()


def models() -> None:
    from labeler.app import models  # noqa: PLC0415  (the function travels as source)

    models.draw()


def throughput() -> None:
    from labeler.app import throughput  # noqa: PLC0415  (the function travels as source)

    throughput.draw()


def my_work() -> None:
    from labeler.app import my_work  # noqa: PLC0415  (the function travels as source)

    my_work.draw()


def overview() -> None:
    from labeler.app import overview  # noqa: PLC0415  (the function travels as source)

    overview.draw()


def people() -> None:
    from labeler.app import people  # noqa: PLC0415  (the function travels as source)

    people.draw()


PAGES = {"Agreement": agreement, "Labelers": labelers, "Models": models, "Throughput": throughput}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store.create(f"sqlite:///{tmp_path / 'labeler.db'}")
    session.use(Services(opened, Accounts(opened), tmp_path / "runs"))
    yield opened
    opened.close()


def show(store: Store, name: str, page: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> AppTest:
    Accounts(store).set_password(name, PASSWORD)
    token = Accounts(store).sign_in(name, PASSWORD)
    monkeypatch.setattr(session, "session_token", lambda: token)
    return AppTest.from_function(page, default_timeout=120).run()


def judged(store: Store) -> None:
    people = {f"labeler-{n}": honest(0.85) for n in range(4)} | {"labeler-9": honest(0.1)}
    groups = []
    for n, group in enumerate(pairs(people, 80, 3, seed=1)):
        said = tuple(replace(r, at=f"2026-01-{1 + n % 5:02d}T1{n % 3}:00:00Z", seconds=20.0) for r in group.rankings)
        meta = {**group.meta, "use_case": "chat" if n % 2 else "rewrite"}
        groups.append(replace(group, rankings=said, meta=meta))
    store.import_into("essays", groups, overlap=3)
    store.add_user("mia", "manager")


@pytest.mark.parametrize("title", PAGES)
def test_a_labeler_sees_nothing_of_it(store: Store, title: str, monkeypatch: pytest.MonkeyPatch):
    store.add_user("ann", "labeler")
    shown = show(store, "ann", PAGES[title], monkeypatch)
    assert [error.value for error in shown.error] == ["This page is for managers."]
    assert not shown.header


@pytest.mark.parametrize("title", PAGES)
def test_it_opens_with_and_without_judgments(store: Store, title: str, monkeypatch: pytest.MonkeyPatch):
    store.add_user("boss", "manager")
    empty = show(store, "boss", PAGES[title], monkeypatch)
    assert not empty.exception
    assert [item.value for item in empty.header] == [title]
    judged(store)
    shown = show(store, "mia", PAGES[title], monkeypatch)
    assert not shown.exception
    assert shown.dataframe


def test_agreement_says_its_figures_by_category_and_day(store: Store, monkeypatch: pytest.MonkeyPatch):
    judged(store)
    table = show(store, "mia", agreement, monkeypatch).dataframe[0].value
    assert table["of"].tolist() == ["everything", "chat", "rewrite", *(f"2026-01-0{n}" for n in range(1, 6))]


def test_agreement_of_held_out_labelers_stands_beside_the_others(store: Store, monkeypatch: pytest.MonkeyPatch):
    judged(store)
    project_id = store.project("essays").id
    for name in ("labeler-0", "labeler-9"):
        store.add_user(name, "labeler")
        Raters(store).hold_out(project_id, name, held=True)
    table = show(store, "mia", agreement, monkeypatch).dataframe[0].value.set_index("of")
    with store.frozen(project_id) as frozen:
        groups = [group for group, _ in frozen.sample(1000)[0]]
    for name, held in (("training labelers", False), ("held-out labelers", True)):
        some = [
            replace(g, rankings=tuple(r for r in g.rankings if (r.annotator in ("labeler-0", "labeler-9")) == held))
            for g in groups
        ]
        expected = pairwise_agreement(some)
        assert table.loc[name, "comparisons"] == expected.comparisons
        assert table.loc[name, "equal verdicts"].startswith(f"{100 * expected.value:.1f} %")


def test_labelers_tells_who_turns_the_question_round(store: Store, monkeypatch: pytest.MonkeyPatch):
    judged(store)
    table = show(store, "mia", labelers, monkeypatch).dataframe[0].value.set_index("labeler")
    assert table.loc["labeler-9", "verdict"].startswith("says the opposite of the others")
    assert table.loc["labeler-0", "verdict"] == "fine"
    assert table.loc["labeler-0", "gold"] > 70


def test_filters_leave_what_they_say(store: Store, monkeypatch: pytest.MonkeyPatch):
    judged(store)
    page = show(store, "mia", agreement, monkeypatch)
    page.multiselect[1].set_value(["chat"]).run()
    assert not page.exception
    assert page.caption[0].value.startswith("From all judged tasks: 40 tasks and 120 rankings")
    with store.frozen(store.project("essays").id) as frozen:
        everything = frozen.sample(1000)[0]
    some = chosen(everything, Choice(people=("labeler-0",), models=("m0",)))
    assert {r.annotator for group, _ in some for r in group.rankings} == {"labeler-0"}
    assert chosen(everything, Choice(models=("nobody",))) == ()
    days = sorted({r.at[:10] for group, _ in everything for r in group.rankings if r.at})
    first = date.fromisoformat(days[0])
    assert chosen(everything, Choice(since=first, until=date.fromisoformat(days[-1]))) == everything
    assert chosen(everything, Choice(until=first - timedelta(days=1))) == ()


def test_a_large_project_is_sampled_and_says_so(store: Store, monkeypatch: pytest.MonkeyPatch):
    judged(store)
    monkeypatch.setattr(insight, "LIMIT", 30)
    page = show(store, "mia", models, monkeypatch)
    assert page.caption[0].value.startswith("From a random sample of 30 judged tasks: 30 tasks and 90 rankings")
    with store.frozen(store.project("essays").id) as frozen:
        some, complete = frozen.sample(30)
        assert (len(some), complete) == (30, False)
        assert frozen.sample(30)[0] == some
        everything, complete = frozen.sample(80)
        assert (len(everything), complete) == (80, True)


def test_my_work_names_nobody_else(store: Store, monkeypatch: pytest.MonkeyPatch):
    project = store.add_project("essays", overlap=2, dwell_seconds=0)
    store.import_groups(project.id, [Group(g.id, g.prompt, g.completions) for g in pairs({"x": honest(1)}, 30, 1, 2)])
    for name in ("ann", "bob"):
        user = store.add_user(name, "labeler")
        for _ in range(25):
            store.submit(user.id, ranking(ask(store, project, user), seconds=7.0))
    page = show(store, "ann", my_work, monkeypatch)
    assert not page.exception
    assert [(item.label, item.value) for item in page.metric][:2] == [
        ("Rankings", "25"),
        ("Seconds a ranking (median)", "7"),
    ]
    assert "bob" not in str([*page.markdown, *page.caption, *page.metric, *page.text, *page.dataframe])
    nothing = show(store, store.add_user("new", "labeler").name, my_work, monkeypatch)
    assert "You have not ranked anything yet." in [item.value for item in nothing.markdown]


@pytest.mark.parametrize("page", [*PAGES.values(), overview, people])
def test_files_are_the_same_in_every_language_and_the_page_is_not(
    store: Store, page: Callable[[], None], monkeypatch: pytest.MonkeyPatch
):
    judged(store)
    made: list[str] = []
    monkeypatch.setattr(tables, "csv_of", lambda rows: made.append(csv_of(rows)) or "")
    named, titled, files = {}, {}, {}
    for language in LANGUAGES:
        Accounts(store).set_language(store.user("mia").id, language)
        shown = show(store, "mia", page, monkeypatch)
        assert not shown.exception
        named[language] = [list(table.value.columns) for table in shown.dataframe]
        configured = [json.loads(table.proto.columns) for table in shown.dataframe]
        titled[language] = [[table[column]["label"] for column in table if column != "_index"] for table in configured]
        files[language], made[:] = [*made], []
    assert named["en"]
    assert named["de"] == named["es"] == named["en"] == titled["en"]
    assert files["de"] == files["es"] == files["en"]
    assert bool(files["en"]) == (page is not people)
    assert not [cell for file in files["en"] for cell in cells(file) if "%" in cell or "–" in cell]
    for first, other in (("de", "en"), ("es", "en"), ("de", "es")):
        assert all(one != another for one, another in zip(titled[first], titled[other], strict=True))


def cells(file: str) -> list[str]:
    return [cell for row in csv.reader(io.StringIO(file)) for cell in row]


def test_a_file_has_figures_where_the_page_has_words(store: Store, monkeypatch: pytest.MonkeyPatch):
    judged(store)
    made: list[str] = []
    monkeypatch.setattr(tables, "csv_of", lambda rows: made.append(csv_of(rows)) or "")
    Accounts(store).set_language(store.user("mia").id, "de")
    table = show(store, "mia", labelers, monkeypatch).dataframe[0].value.set_index("labeler")
    (file,) = made
    rows = {row["labeler"]: row for row in csv.DictReader(io.StringIO(file))}
    liar = rows["labeler-9"]
    assert liar["verdict"].startswith("says the opposite of the others")
    assert liar["verdict"] != table.loc["labeler-9", "verdict"]
    assert float(liar["agrees, low"]) < float(liar["agrees"]) < float(liar["agrees, high"]) < 0.5
    assert round(100 * float(liar["agrees"]), 1) == table.loc["labeler-9", "agrees"]
    assert "agrees, interval" in table.columns
    assert "agrees, interval" not in liar


def test_an_estimate_is_filed_in_three_columns():
    row = {"of": tables.named("none", "ohne"), "equal": tables.share(Estimate(0.5, 0.25, 0.75, 8)), "n": 8}
    assert csv_of([row]) == 'of,equal,"equal, low","equal, high",n\r\nnone,0.5,0.25,0.75,8\r\n'
    assert csv_of([{"equal": tables.share(Estimate(None, None, None, 0))}]).splitlines()[1] == ",,"


def test_csv_starts_no_formula():
    assert csv_of([{"labeler": "=1+1", "value": -0.5}]) == "labeler,value\r\n'=1+1,-0.5\r\n"
    assert csv_of([]) == "\r\n"
