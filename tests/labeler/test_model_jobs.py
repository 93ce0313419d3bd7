"""What is done with trained models: the jobs that are started, and what they leave."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from fake_commands import FAKE_REWARD, ROOT, finished, trained
from store_helpers import group

from labeler import jobs, model_jobs, trainings
from labeler.errors import ConflictError, UsageError
from labeler.formats import group_to_row
from labeler.records import Ranking
from labeler.store import Project, Store


@pytest.fixture(autouse=True)
def fake_reward(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "REWARD", FAKE_REWARD)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    return tmp_path / "runs"


@pytest.fixture
def essays(store: Store) -> Project:
    """Six tasks of which two are judged."""
    made = store.add_project("essays", overlap=2)
    said = (Ranking("x", (1, 2, 3)), Ranking("y", (1, 3, 2)))
    store.import_groups(made.id, [group(n, rankings=said if n < 2 else ()) for n in range(6)])
    return made


def test_the_current_model_is_the_chosen_one_else_the_latest(store: Store, essays: Project, runs: Path):
    assert trainings.current(runs, essays) is None
    first = trained(runs, "essays")
    second = replace(trained(runs, "essays"))
    trained(runs, "other")
    latest, earlier = trainings.models(runs, essays)
    assert {latest.folder, earlier.folder} == {first.folder, second.folder}
    assert trainings.current(runs, essays) == latest
    trainings.make_current(runs, essays, earlier)
    assert trainings.current(runs, essays) == earlier
    (earlier.folder / "model" / "config.json").unlink()
    assert trainings.current(runs, essays) == latest


TIED, DECIDED = (1, 1, 1), (1, 1, 2)


@pytest.mark.parametrize(
    ("said", "decides"),
    [
        ({}, False),
        ({"train": TIED}, False),
        ({"train": DECIDED}, True),
        ({"train": DECIDED, "test": TIED}, False),  # prompts that were trained on are not looked at then
        ({"train": TIED, "test": DECIDED}, True),
        ({"valid": DECIDED, "train": TIED}, True),
    ],
)
def test_held_out_rankings_are_evaluated_where_they_decide_anything(
    tmp_path: Path, said: dict[str, tuple[int, ...]], decides: bool
):
    assert not trainings.decides(tmp_path)
    groups = [group(n, rankings=(Ranking("x", ranks),), split=split) for n, (split, ranks) in enumerate(said.items())]
    rows = "".join(json.dumps(group_to_row(one)) + "\n" for one in groups)
    for name in ("groups.jsonl", "held_out.jsonl"):
        (tmp_path / name).write_text(rows)
    assert trainings.decides(tmp_path) is decides


def test_two_models_are_compared_on_the_judgments_of_now(store: Store, essays: Project, runs: Path):
    first, second = trained(runs, "essays"), trained(runs, "essays")
    job = finished(model_jobs.compare(store, runs, essays, first, second))
    assert jobs.outcome(job) == jobs.Outcome("done")
    assert (job.folder / "data" / "groups.jsonl").is_file()
    metrics = json.loads((job.folder / "report" / "metrics.json").read_text())
    assert metrics["against"]["p_value"] == 0.002
    with pytest.raises(UsageError, match="two different models"):
        model_jobs.compare(store, runs, essays, first, first)


def test_pasted_answers_are_ordered(store: Store, essays: Project, runs: Path):
    model = trained(runs, "essays")
    job = finished(model_jobs.order_answers(runs, essays, model, "Why?", ["short", "rather longer"]))
    ranks = [c["rank"] for c in json.loads((job.folder / "output.jsonl").read_text())["completions"]]
    assert ranks == [2, 1]
    with pytest.raises(UsageError, match="two answers"):
        model_jobs.order_answers(runs, essays, model, "Why?", ["short"])


def test_the_model_orders_what_nobody_judged(store: Store, essays: Project, runs: Path):
    """Through both commands, on either database: the second one finds the database by its environment alone."""
    job = finished(model_jobs.order_queue(store, runs, essays, trained(runs, "essays"), most=100, method="fisher"))
    assert jobs.outcome(job) == jobs.Outcome("done"), (job.folder / "log.txt").read_text()
    with store.frozen(essays.id) as frozen:
        place, work = frozen.task_ids(), frozen.task_work()
    assert [work[place[f"g{n}"]].priority for n in range(2)] == [0, 0]
    assert sorted(work[place[f"g{n}"]].priority for n in range(2, 6)) == [97, 98, 99, 100]
    address = store.database.url.render_as_string(hide_password=False)
    for file in job.folder.iterdir():
        assert address not in file.read_text(errors="replace"), file


def test_a_failed_choice_changes_no_priority(store: Store, essays: Project, runs: Path):
    job = finished(model_jobs.order_queue(store, runs, essays, trained(runs, "essays"), most=100, method="margin"))
    assert jobs.outcome(job) == jobs.Outcome("failed", "reward: nothing to choose from")
    with store.frozen(essays.id) as frozen:
        assert {work.priority for work in frozen.task_work().values()} == {0}


def test_a_sample_of_the_queue_is_ordered(store: Store, essays: Project, runs: Path):
    model = trained(runs, "essays")
    job = finished(model_jobs.order_queue(store, runs, essays, model, most=3, method="fisher"))
    assert job.about["tasks"] == 3
    with store.frozen(essays.id) as frozen:
        assert sorted(work.priority for work in frozen.task_work().values()) == [0, 0, 0, 98, 99, 100]


def test_judged_tasks_are_scored(store: Store, essays: Project, runs: Path):
    job = finished(model_jobs.find_disagreement(store, runs, essays, trained(runs, "essays"), 100))
    scored = [json.loads(line) for line in (job.folder / "output.jsonl").read_text().splitlines()]
    assert {row["id"] for row in scored} == {"g0", "g1"}
    assert all(row["rankings"] for row in scored)


def test_nothing_to_do_and_one_at_a_time(store: Store, essays: Project, runs: Path, monkeypatch: pytest.MonkeyPatch):
    model, empty = trained(runs, "essays"), store.add_project("empty")
    with pytest.raises(UsageError, match="nothing is left"):
        model_jobs.order_queue(store, runs, empty, model, most=10, method="fisher")
    with pytest.raises(UsageError, match="nothing has been ranked"):
        model_jobs.find_disagreement(store, runs, empty, model, 10)
    monkeypatch.setattr(jobs, "REWARD", (FAKE_REWARD[0], "-c", "import time; time.sleep(60)"))
    job = model_jobs.sample(runs, essays, model, "Why?", policy="tiny", n=2)
    with pytest.raises(ConflictError, match="one of these runs at a time"):
        model_jobs.sample(runs, essays, model, "Why?", policy="tiny", n=2)
    jobs.cancel(job)


def test_a_relative_database_is_found_from_the_jobs_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    store = Store.create("sqlite:///labeler.db")
    assert model_jobs.address(store.database) == f"sqlite:///{tmp_path / 'labeler.db'}"
    store.close()
