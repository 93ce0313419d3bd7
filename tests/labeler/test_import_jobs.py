"""Imports that the page starts: child processes that check and store, and who may name what."""

from __future__ import annotations

import io
import json
import os
import time
from pathlib import Path

import pytest

from labeler import import_jobs, jobs
from labeler.cleaning import Cleaning
from labeler.entities import User
from labeler.errors import ConflictError, DataError, PermissionDeniedError
from labeler.import_jobs import CHECK, STORE, Choice
from labeler.store import Store

MIA = User(1, "mia", "manager", False)
ROOT = User(2, "root", "admin", False)
ROWS = b"".join(
    json.dumps({"id": f"g{n}", "prompt": f"Why {n}? a@example.com", "responses": ["Because.", "So."]}).encode() + b"\n"
    for n in range(5)
)


@pytest.fixture(autouse=True)
def this_code_in_children(monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs run in folders of their own; they are to import what the tests import."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))


def ended(job: jobs.Job) -> jobs.Job:
    patience = time.monotonic() + 60
    while jobs.is_running(job):
        assert time.monotonic() < patience
        time.sleep(0.05)
    return job


def test_checked_then_stored_by_processes_of_their_own(store: Store, tmp_path: Path):
    source = import_jobs.upload(tmp_path, MIA, "why.jsonl", io.BytesIO(ROWS + b"nonsense\n"))
    assert import_jobs.latest(tmp_path, MIA) == source
    assert import_jobs.latest(tmp_path, ROOT) is None
    choice = Choice(project="a=b -c", task="rank", skip_bad=True, priority=3, cleaning=Cleaning(mask_pii=True))
    job = ended(import_jobs.start(store, source, choice, CHECK))
    assert jobs.outcome(job).state == "done", import_jobs.failure(job, source)
    found = import_jobs.report(job)
    assert found
    assert found.counts
    assert (found.counts.groups, found.bad, found.kinds) == (5, 1, {"EMAIL": 5})
    bad = json.loads(import_jobs.bad_rows(job, source))
    assert (bad["file"], bad["line"], bad["row"]) == ("why.jsonl", 6, "nonsense")
    assert store.projects() == ()
    assert Choice.of(jobs.load(job.folder)) == choice
    assert "LABELER_DB" not in (job.folder / "job.json").read_text()
    assert store.database.address not in (job.folder / "job.json").read_text()
    stored = ended(import_jobs.start(store, source, choice, STORE))
    assert import_jobs.latest_job(source) == jobs.load(stored.folder)
    assert not source.files.exists()  # the rows that were masked are not kept
    tasks = store.task_page(store.project("a=b -c").id, after=0, limit=9)
    assert [(task.row["id"], task.priority) for task in tasks] == [(f"g{n}", 3) for n in range(5)]
    assert {task.row["source"] for task in tasks} == {"why.jsonl"}
    import_jobs.put_away(source)
    assert import_jobs.latest(tmp_path, MIA) is None
    assert list(tmp_path.glob("import-*")) == []


def test_a_failure_calls_the_file_as_its_owner_does(store: Store, tmp_path: Path):
    source = import_jobs.upload(tmp_path, MIA, "my rows.jsonl", io.BytesIO(b"nonsense\n"))
    job = ended(import_jobs.start(store, source, Choice(project="qa"), STORE))
    assert jobs.outcome(job).state == "failed"
    assert import_jobs.failure(job, source).startswith("my rows.jsonl:1: is not JSON")
    assert import_jobs.report(job) is None


@pytest.mark.parametrize(
    "place",
    ["/etc/passwd.csv", "hf:/etc", "hf:../secret", "hf:a/b/c/d", "file.csv", "hf:a/../b", "hf:.", "hf:a b", "hf:", "x"],
)
def test_a_manager_names_no_path_of_the_server(tmp_path: Path, place: str):
    with pytest.raises(PermissionDeniedError, match="only an admin may name a path"):
        import_jobs.named(tmp_path, MIA, place)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_looks_like_a_name_is_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "org" / "set").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(PermissionDeniedError):
        import_jobs.named(tmp_path / "runs", MIA, "hf:org/set/train")


@pytest.mark.parametrize(
    "place", ["hf:org/set", "hf:org/set:config/train", "hf:set/validation", "hf:o/s:c/train[:10%]"]
)
def test_data_sets_of_the_hub_may_be_named(tmp_path: Path, place: str):
    assert import_jobs.named(tmp_path, MIA, place).place == place


def test_an_admin_names_a_path(tmp_path: Path, store: Store):
    path = tmp_path / "rows.jsonl"
    path.write_bytes(ROWS)
    source = import_jobs.named(tmp_path / "runs", ROOT, str(path))
    job = ended(import_jobs.start(store, source, Choice(project="qa"), CHECK))
    found = import_jobs.report(job)
    assert found
    assert found.counts
    assert found.counts.groups == 5
    import_jobs.put_away(source)
    assert path.is_file()


def test_one_at_a_time_and_cancelled(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(import_jobs, "LABELER", ("sh", "-c", "sleep 60"))
    source = import_jobs.upload(tmp_path, MIA, "why.jsonl", io.BytesIO(ROWS))
    job = import_jobs.start(store, source, Choice(project="qa"), CHECK)
    with pytest.raises(ConflictError, match="is being worked on"):
        import_jobs.start(store, source, Choice(project="qa"), STORE)
    import_jobs.put_away(source)
    assert not jobs.is_running(job)


def test_what_nobody_went_on_with_is_removed(tmp_path: Path):
    old, new = (import_jobs.upload(tmp_path, MIA, f"{name}.jsonl", io.BytesIO(ROWS)) for name in ("old", "new"))
    week = time.time() - import_jobs.KEPT_SECONDS - 60
    os.utime(old.folder, (week, week))
    import_jobs.upload(tmp_path, ROOT, "third.jsonl", io.BytesIO(ROWS))
    assert not old.folder.exists()
    assert new.folder.exists()


def test_a_refused_upload_leaves_nothing(tmp_path: Path):
    with pytest.raises(DataError):
        import_jobs.upload(tmp_path, MIA, "x.exe", io.BytesIO(b"x"))
    assert list(tmp_path.iterdir()) == []
