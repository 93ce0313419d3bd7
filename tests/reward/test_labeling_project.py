"""The cycle talks to the labeling app as a person at a shell would."""

import time
from contextlib import closing

import pytest
from builders import group

from labeler.entities import Submission
from labeler.errors import StoreError
from labeler.formats import read, write_groups
from labeler.store import Store
from reward.rounds.project import LabelingProject, Standing


def rank_everything(db: str, project: str, name: str) -> None:
    """What a person would do in the browser, straight at the store."""
    with closing(Store.open(db)) as store:
        person, place = store.add_user(name, "labeler"), store.project(project)
        while task := store.next_task(place.id, person.id):
            ranks = {shown.completion_id: rank for rank, shown in enumerate(task.completions, start=1)}
            store.submit(person.id, Submission(f"{name}-{task.task_id}", task.task_id, "rank", ranks))
            time.sleep(place.dwell_seconds)


def test_groups_go_in_people_rank_them_and_a_snapshot_comes_out(tmp_path):
    project = LabelingProject(f"sqlite:///{tmp_path / 'labels.db'}", "cycle")
    asked = tmp_path / "ask.jsonl"
    write_groups([group("one", "Why?", ["a", "b"]), group("two", "How?", ["c", "d"])], asked)
    project.put(asked, overlap=1)
    project.put(asked, overlap=1)  # as after a kill
    assert project.standing() == Standing(tasks=2, finished=0)
    told = []

    def tell(now):
        told.append(now)
        assert len(told) == 1, "the person was done after the first look"
        rank_everything(project.db, "cycle", "labeler-1")

    assert project.wait(tell, seconds=0.1) == Standing(tasks=2, finished=2)
    assert told == [Standing(tasks=2, finished=0)]
    project.snapshot(tmp_path / "snapshot")
    groups = read(str(tmp_path / "snapshot")).groups
    assert {g.id: [r.annotator for r in g.rankings] for g in groups} == {"one": ["labeler-1"], "two": ["labeler-1"]}


def test_what_the_labeler_command_says_is_passed_on(tmp_path):
    project = LabelingProject(f"sqlite:///{tmp_path / 'none.db'}", "cycle")
    with pytest.raises(StoreError, match=r"labeler stats failed: .*labeler init"):
        project.standing()
