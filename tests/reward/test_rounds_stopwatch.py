"""The time of a step is that in which it worked: stops are left out, kills lose nothing."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from reward.rounds import stopwatch
from reward.rounds.ledger import Ledger, Step
from reward.rounds.stopwatch import Stopwatch, was_stopped

PROGRAM = """
import sys, time
from pathlib import Path
from reward.rounds import stopwatch
from reward.rounds.ledger import Ledger, Step
stopwatch.BEAT, stopwatch.LATE = 0.05, 1.0
folder, seconds = Path(sys.argv[1]), float(sys.argv[2])
def work():
    (folder / "begun").touch()
    time.sleep(seconds)
    (folder / "out").write_text("done")
Ledger(folder).do(Step("work", folder / "out", work))
"""


def program(folder, seconds):
    child = subprocess.Popen([sys.executable, "-c", PROGRAM, str(folder), str(seconds)])
    while not (folder / "begun").exists():
        time.sleep(0.02)
        assert child.poll() is None
    return child


def row(folder):
    return json.loads((folder / "ledger.jsonl").read_text())


def test_a_stop_of_the_process_is_left_out(tmp_path):
    child = program(tmp_path, 1.0)
    time.sleep(0.3)
    os.kill(child.pid, signal.SIGSTOP)
    time.sleep(3)
    os.kill(child.pid, signal.SIGCONT)
    assert child.wait() == 0
    assert 0.2 < row(tmp_path)["seconds"] < 2
    assert 2.5 < row(tmp_path)["stopped"] < 4
    assert not (tmp_path / "clock.json").exists()


def test_what_was_worked_before_a_kill_is_counted(tmp_path):
    child = program(tmp_path, 60)
    time.sleep(1.5)
    child.kill()
    child.wait()
    (tmp_path / "begun").unlink()
    assert program(tmp_path, 0.3).wait() == 0
    assert 1.5 < row(tmp_path)["seconds"] < 10


def test_another_step_starts_from_nothing(tmp_path):
    path = tmp_path / "clock.json"
    path.write_text(json.dumps({"step": "before", "seconds": 50.0, "stopped": 7.0}))
    with Stopwatch(path, "now") as clock:
        pass
    assert clock.seconds < 1
    assert clock.stopped == 0
    with Stopwatch(path, "now") as again:
        pass
    assert again.seconds >= clock.seconds


@pytest.mark.parametrize(("elapsed", "processor", "stopped"), [(60, 0.1, True), (60, 50, False), (3, 0, False)])
def test_a_busy_process_and_a_late_beat_are_no_stop(elapsed, processor, stopped):
    assert was_stopped(elapsed, processor) is stopped


def test_a_step_that_fails_keeps_its_time(tmp_path, monkeypatch):
    monkeypatch.setattr(stopwatch, "BEAT", 0.01)

    def fail():
        time.sleep(0.1)
        raise ValueError

    with pytest.raises(ValueError):
        Ledger(tmp_path).do(Step("work", tmp_path / "out", fail))
    Ledger(tmp_path).do(Step("work", tmp_path / "out", (tmp_path / "out").touch))
    assert row(tmp_path)["seconds"] == pytest.approx(0.1, abs=0.5)
    assert row(tmp_path)["seconds"] >= 0.1
