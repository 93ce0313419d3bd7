"""The pages of prompts and of trained models, run without a browser: what they say and what they do."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fake_commands import FAKE_REWARD, ROOT, finished, trained
from store_helpers import group
from streamlit.testing.v1 import AppTest

from labeler import jobs, model_jobs, prompt_jobs, server, trainings
from labeler.accounts import Accounts
from labeler.app import model_compare, playground, prompt_lists, session, task_view
from labeler.frozen import Frozen
from labeler.raters import Raters
from labeler.records import Message, Ranking
from labeler.routes import Services
from labeler.store import Project, Store

PASSWORD = "correct horse"
TOPICS = ("prime numbers and what they are", "rivers of the north", "prime numbers and what they do", "stones")


def prompts() -> None:
    from labeler.app import prompts  # noqa: PLC0415  (the function travels as source)

    prompts.draw()


def training() -> None:
    from labeler.app import training  # noqa: PLC0415  (the function travels as source)

    training.draw()


def overview() -> None:
    from labeler.app import overview  # noqa: PLC0415  (the function travels as source)

    overview.draw()


@pytest.fixture(autouse=True)
def fake_reward(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "REWARD", FAKE_REWARD)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store.create(f"sqlite:///{tmp_path / 'labeler.db'}")
    session.use(Services(opened, Accounts(opened), tmp_path / "runs"))
    prompt_lists.task_work.clear()
    yield opened
    opened.close()


@pytest.fixture
def essays(store: Store) -> Project:
    """Twelve prompts about four topics, half of them judged by two people."""
    made = store.add_project("essays", overlap=2)
    said = (Ranking("x", (1, 2, 3)), Ranking("y", (1, 3, 2)))
    groups = [
        replace(
            group(n),
            prompt=(Message("user", f"{TOPICS[n % 4]} {n // 4}"),),
            rankings=said if n < 6 else (),
            meta={"use_case": "chat" if n % 2 else "qa"},
        )
        for n in range(12)
    ]
    store.import_groups(made.id, groups)
    return made


@pytest.fixture
def mapped(store: Store, essays: Project) -> Project:
    finished(prompt_jobs.start(store, session.services().runs, essays, clusters=3))
    return essays


@pytest.fixture
def show(store: Store, monkeypatch: pytest.MonkeyPatch) -> Callable[..., AppTest]:
    """Draws a page for somebody."""

    def draw(page: Callable[[], None], role: str = "manager", **query: str) -> AppTest:
        accounts = Accounts(store)
        name = f"{role}-{len(store.users())}"
        accounts.add(name, role, (), PASSWORD)
        token = accounts.sign_in(name, PASSWORD)
        monkeypatch.setattr(session, "session_token", lambda: token)
        shown = AppTest.from_function(page, default_timeout=120)
        for key, value in query.items():
            shown.query_params[key] = value
        return shown.run()

    return draw


def view(shown: AppTest, name: str) -> AppTest:
    shown.segmented_control[0].set_value(name)
    return shown.run()


@pytest.mark.parametrize("page", [prompts, training])
def test_a_labeler_sees_nothing_of_it(show: Callable[..., AppTest], essays: Project, page: Callable[[], None]):
    shown = show(page, "labeler")
    assert [error.value for error in shown.error] == ["This page is for managers."]
    assert not shown.header
    assert not shown.dataframe


def test_words_are_searched_without_vectors_and_the_page_says_what_is_missing(
    show: Callable[..., AppTest], essays: Project, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(jobs, "missing", lambda: ("torch",))
    shown = show(prompts)
    assert [warning.value for warning in shown.warning] == ["This needs packages that are not installed here:"]
    assert "torch" in [code.value for code in shown.code]
    view(shown, "Search")
    assert shown.radio[0].options == ["words"]
    shown.text_input(key="prompts-query").set_value('"prime numbers"').run()
    assert not shown.exception
    assert "6 prompts hold all of it." in [text.value for text in shown.text]
    assert len(shown.dataframe[0].value) == 6
    view(shown, "Near-duplicates")
    assert not shown.exception


def test_meaning_finds_what_words_do_not(show: Callable[..., AppTest], mapped: Project):
    shown = view(show(prompts), "Search")
    shown.radio[0].set_value("meaning")
    shown.text_input(key="prompts-query").set_value("northern rivers of the north").run()
    assert not shown.exception
    table = shown.dataframe[0].value
    assert table["prompt"].tolist()[0].startswith("rivers of the north")
    assert table["nearness"].is_monotonic_decreasing


def test_filters_leave_what_they_say(show: Callable[..., AppTest], mapped: Project):
    shown = view(show(prompts), "Search")
    shown.text_input(key="prompts-query").set_value("prime").run()
    shown.multiselect[2].set_value(["finished"]).run()
    assert set(shown.dataframe[0].value["state"]) == {"finished"}
    assert len(shown.dataframe[0].value) == 3
    shown.multiselect[0].set_value(["chat"]).run()
    assert "Nothing was found." in [item.value for item in shown.markdown]


def test_clusters_tell_tasks_rankings_and_agreement(show: Callable[..., AppTest], mapped: Project):
    shown = show(prompts)
    assert not shown.exception
    table = shown.dataframe[0].value
    assert table["tasks"].sum() == 12
    assert table["rankings"].sum() == 12
    assert table["finished"].sum() == 6
    judged = table[table["comparisons"] > 0]
    assert judged["equal verdicts"].str.startswith("66.7 %").all()


def test_a_search_sets_the_priority_of_what_it_found(store: Store, show: Callable[..., AppTest], mapped: Project):
    shown = view(show(prompts), "Search")
    shown.text_input(key="prompts-query").set_value("stones").run()
    next(item for item in shown.number_input if item.label == "Priority").set_value(80)
    next(button for button in shown.button if button.label == "Set their priority").click().run()
    assert [item.value for item in shown.success] == ["3 tasks have the priority 80 now."]
    with store.frozen(mapped.id) as frozen:
        place, work = frozen.task_ids(), frozen.task_work()
    assert sorted(n for n in range(12) if work[place[f"g{n}"]].priority == 80) == [3, 7, 11]


def test_what_was_found_becomes_examples_that_are_learned_from(
    show: Callable[..., AppTest], mapped: Project, monkeypatch: pytest.MonkeyPatch
):
    shown = view(show(prompts), "Search")
    for query, name in (("stones", "geology"), ("prime", "numbers")):
        shown.text_input(key="prompts-query").set_value(query).run()
        next(item for item in shown.text_input if item.label == "Category").set_value(name)
        next(button for button in shown.button if button.label == "Name their category").click().run()
    runs = session.services().runs
    assert sorted(set(prompt_jobs.examples(runs, mapped).values())) == ["geology", "numbers"]
    view(shown, "Clusters")
    next(button for button in shown.button if button.label == "Learn the categories of all prompts").click().run()
    finished(prompt_jobs.all_runs(runs, mapped)[0])
    shown = show(prompts)
    categories = shown.dataframe[1].value.set_index("category")
    assert categories.loc["asked", "prompts"] == 12
    assert categories.loc["geology", "examples"] == 3
    assert any(text.value.startswith("Labels: 2 classes") for text in shown.text)
    assert {name.split()[-1] for name in shown.dataframe[0].value["cluster"]} & {"geology", "numbers"}


def test_near_duplicates_come_in_sets(show: Callable[..., AppTest], store: Store, essays: Project):
    copies = [replace(group(100 + n), prompt=(Message("user", "stones and more of the stones"),)) for n in range(3)]
    store.import_groups(essays.id, copies)
    finished(prompt_jobs.start(store, session.services().runs, essays, clusters=3))
    shown = view(show(prompts), "Near-duplicates")
    assert not shown.exception
    sets = shown.dataframe[0].value
    assert {3, "stones and more of the stones"} <= {*sets["prompts"], *sets["such as"]}


def test_a_run_that_failed_says_why(show: Callable[..., AppTest], store: Store, essays: Project):
    finished(prompt_jobs.start(store, session.services().runs, essays, clusters=3, base="broken"))
    shown = show(prompts)
    assert [error.value for error in shown.error] == ["Making the vectors failed."]
    assert "reward: --base broken: no such model" in [code.value for code in shown.code]


def test_new_prompts_without_a_vector_are_counted(show: Callable[..., AppTest], store: Store, mapped: Project):
    store.import_groups(mapped.id, [group(50)])
    shown = show(prompts)
    assert not shown.exception
    assert any("1 came later" in caption.value for caption in shown.caption)


def test_a_task_shows_everything_and_only_of_its_project(show: Callable[..., AppTest], store: Store, essays: Project):
    with store.frozen(essays.id) as frozen:
        task = frozen.task_ids()["g1"]
    shown = show(prompts, project="essays", task=str(task))
    assert not shown.exception
    codes = [code.value for code in shown.code]
    assert "rivers of the north 0" in codes
    assert "Answer 2 to 1." in codes
    assert shown.dataframe[0].value["annotator"].tolist() == ["x", "y"]
    assert shown.dataframe[0].value[["1", "2", "3"]].to_numpy().tolist() == [[1, 2, 3], [1, 3, 2]]
    other = store.add_project("other")
    store.import_groups(other.id, [group(1)])
    for wrong in (str(task), "nonsense", "99999"):
        shown = show(prompts, project="other", task=wrong)
        assert [error.value for error in shown.error] == ["There is no such task in this project."]
    assert task_view.link(replace(essays, name="a&b c"), 3) == "/prompts?project=a%26b%20c&task=3"


# Trained models


def test_without_a_model_nothing_is_tried(show: Callable[..., AppTest], essays: Project):
    shown = show(training)
    for section in ("Compare", "Best of n", "Order the queue", "Disagreement"):
        view(shown, section)
        assert not shown.exception
        assert "No model has been trained yet." in [item.value for item in shown.markdown]


def test_a_model_is_made_current(show: Callable[..., AppTest], essays: Project):
    runs = session.services().runs
    made = {trained(runs, "essays").folder, trained(runs, "essays").folder}
    shown = show(training)
    earlier = trainings.models(runs, essays)[1]
    shown.selectbox[-1].set_value(earlier.folder.name).run()
    next(button for button in shown.button if button.label == "Make it the current model").click().run()
    assert trainings.current(runs, essays) == earlier
    assert earlier.folder in made
    assert "This is the current model." in [text.value for text in shown.text]


QUICK_REWARD = """import json, pathlib, sys
flags = dict(zip(sys.argv[2::2], sys.argv[3::2]))
out = pathlib.Path(flags["--out"])
out.mkdir()
(out / "config.json").write_text("{}")
low = 0.58 if flags["--data"].endswith("held_out.jsonl") else 0.69
(out / "metrics.json").write_text(json.dumps({"accuracy": low + 0.05, "accuracy_ci95": [low, low + 0.1]}))
"""


def test_how_right_a_model_is_on_held_out_raters_stands_beside_its_accuracy(
    store: Store, show: Callable[..., AppTest], essays: Project, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(jobs, "REWARD", (sys.executable, "-c", QUICK_REWARD))
    runs = session.services().runs

    def figures() -> dict[str, str]:
        job = finished(trainings.start(store, runs, essays, "tiny", 1))
        assert jobs.outcome(job).state == "done"
        shown = show(training)
        intervals = [text.value for text in shown.text if text.value.startswith("95 % interval")]
        return dict(zip((f"{one.label}: {one.value}" for one in shown.metric), intervals, strict=True))

    nobody = {"accuracy on held-out pairs: 0.740": "95 % interval over prompts: 0.690 to 0.790"}
    assert figures() == nobody
    store.add_user("y", "labeler")
    Raters(store).hold_out(essays.id, "y", held=True)
    theirs = {"accuracy on held-out labelers' rankings: 0.630": "95 % interval over prompts: 0.580 to 0.680"}
    assert figures() == nobody | theirs


def test_two_models_are_compared(show: Callable[..., AppTest], essays: Project):
    runs = session.services().runs
    for _ in range(2):
        trained(runs, "essays")
    shown = view(show(training), "Compare")
    next(button for button in shown.button if button.label == "Compare on the same pairs").click().run()
    finished(model_jobs.all_of(runs, model_jobs.COMPARE, essays)[0])
    shown = view(show(training), "Compare")
    assert not shown.exception
    said = next(text.value for text in shown.text if "is better than" in text.value)
    assert "74.0 % against 66.0 %, difference +8.0 points (+3.0 to +13.0), p = 0.002" in said


def test_a_comparison_that_shows_nothing_says_so():
    found = {"accuracy": 0.6, "other_accuracy": 0.62, "difference": -0.02, "difference_ci95": None, "p_value": 0.4}
    assert model_compare.verdict("a", "b", found).startswith("No difference is shown between a and b: 60.0 %")
    assert model_compare.verdict("a", "b", found | {"p_value": 0.01}).startswith("b is better than a")


def test_disagreement_is_listed_with_links(show: Callable[..., AppTest], store: Store, essays: Project):
    runs = session.services().runs
    model = trained(runs, "essays")
    finished(model_jobs.find_disagreement(store, runs, essays, model, 100))
    shown = view(show(training), "Disagreement")
    assert not shown.exception
    # The stand-in scores by length: all answers of a task are as long, so it is never against the people.
    assert any("On 0 of 12 pairs" in text.value for text in shown.text)
    longer = replace(
        group(77), completions=tuple(replace(c, text=c.text * (n + 1)) for n, c in enumerate(group(77).completions))
    )
    store.import_groups(essays.id, [replace(longer, rankings=(Ranking("x", (1, 2, 3)),))])
    finished(model_jobs.find_disagreement(store, runs, essays, model, 100))
    shown = view(show(training), "Disagreement")
    table = shown.dataframe[0].value
    assert len(table) == 3
    assert table["margin"].tolist()[0] == 2 * len("Answer 0 to 77.")
    with store.frozen(essays.id) as frozen:
        assert table["task"].tolist()[0] == f"/prompts?project=essays&task={frozen.task_ids()['g77']}"


def test_pasted_answers_are_parted_by_lines():
    assert playground.answers_in("one\ntwo\n---\n\n three \n ---\n   \n---\nfour") == ["one\ntwo", " three ", "four"]
    assert playground.answers_in("") == []


@pytest.mark.parametrize("large", [True, False])
def test_a_large_project_is_read_when_a_server_starts(
    store: Store, essays: Project, show: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch, large: bool
):
    monkeypatch.setattr(server, "LARGE", 12 if large else 13)
    server._warm_up(store)

    def read(*_: object) -> None:
        raise ConnectionError

    for what in ("sample", "prompts"):
        monkeypatch.setattr(Frozen, what, read)
    for page in (overview, prompts):
        assert bool(show(page).exception) is not large
