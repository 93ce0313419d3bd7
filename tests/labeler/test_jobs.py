"""Long work in processes of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from labeler import jobs
from labeler.errors import ConflictError, NotFoundError


def until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def python(code: str) -> tuple[str, ...]:
    return (sys.executable, "-c", code)


@pytest.fixture(autouse=True)
def checkout_on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))


def test_folders_sort_by_time_within_a_second_too(tmp_path: Path):
    names = [jobs.new_folder(tmp_path, "train").name for _ in range(30)]
    assert names == sorted(names)


def test_commands_run_in_turn_in_the_folder(tmp_path: Path):
    folder = jobs.new_folder(tmp_path, "train")
    write = "import pathlib; p = pathlib.Path('out'); p.write_text((p.read_text() if p.exists() else '') + '{}')"
    job = jobs.start(
        folder, "train", {"project": "essays"}, [python(write.format("one ")), python(write.format("two"))]
    )
    until(lambda: not jobs.is_running(job))
    assert jobs.outcome(job) == jobs.Outcome("done")
    assert (folder / "out").read_text() == "one two"
    assert jobs.all_jobs(tmp_path, "train") == (jobs.load(folder),)
    assert jobs.load(folder).about == {"project": "essays"}
    assert jobs.all_jobs(tmp_path, "try") == ()


def test_the_first_failure_ends_it_and_its_last_line_says_why(tmp_path: Path):
    folder = jobs.new_folder(tmp_path, "train")
    failing = python("import sys; print('working'); sys.exit('reward: no such base')")
    job = jobs.start(folder, "train", {}, [failing, python("open('reached', 'w')")])
    until(lambda: not jobs.is_running(job))
    assert jobs.outcome(job) == jobs.Outcome("failed", "reward: no such base")
    assert not (folder / "reached").exists()


def test_cancelling_ends_its_processes_and_no_others(tmp_path: Path):
    bystander = subprocess.Popen(python("import time; time.sleep(60)"))
    folder = jobs.new_folder(tmp_path, "train")
    code = "import os, pathlib, time; pathlib.Path('pid').write_text(str(os.getpid())); time.sleep(60)"
    job = jobs.start(folder, "train", {}, [python(code)])
    try:
        until(lambda: (folder / "pid").exists() and (folder / "pid").read_text())
        assert jobs.outcome(job).state == "running"
        jobs.cancel(job)
        assert jobs.outcome(job).state == "cancelled"
        child = Path("/proc") / (folder / "pid").read_text()
        until(lambda: not child.exists() or "Z (zombie)" in (child / "status").read_text())
        assert bystander.poll() is None
        with pytest.raises(ConflictError, match="ended already"):
            jobs.cancel(job)
    finally:
        bystander.kill()
        bystander.wait()


def test_a_process_that_died_without_a_word_has_failed(tmp_path: Path):
    folder = jobs.new_folder(tmp_path, "train")
    job = jobs.start(folder, "train", {}, [python("import os, signal; os.killpg(0, signal.SIGKILL)")])
    until(lambda: not jobs.is_running(job))
    assert jobs.outcome(job) == jobs.Outcome("failed", "the process ended without a word")


def test_progress_is_read_while_its_last_line_is_being_written(tmp_path: Path):
    job = jobs.Job(tmp_path, "train", {}, (), 0.0)
    assert list(jobs.events(job)) == []
    whole = {"event": "step", "stage": "train", "step": 3, "total": 9, "seconds": 1.5, "loss": 0.6, "accuracy": None}
    job.progress.write_text(json.dumps(whole) + '\nnot json\n{"event": "step", "stage": "tr')
    (event,) = jobs.events(job)
    assert event == jobs.Event("step", "train", 3, 9, 1.5, {"loss": 0.6, "accuracy": None})


def test_a_folder_without_a_job_is_said(tmp_path: Path):
    with pytest.raises(NotFoundError, match="no job"):
        jobs.load(tmp_path)
    (tmp_path / "train-1").mkdir()
    assert jobs.all_jobs(tmp_path, "train") == ()
    assert jobs.all_jobs(tmp_path / "missing", "train") == ()
