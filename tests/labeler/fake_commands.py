"""The stand-in for the ``reward`` command, for tests of whatever starts it."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from labeler import jobs
from labeler.jobs import Job

ROOT = Path(__file__).parents[2]
FAKE_REWARD = (sys.executable, str(ROOT / "tests" / "e2e" / "fake_reward" / "reward" / "__main__.py"))


def finished(job: Job) -> Job:
    """The job, when it has ended."""
    end = time.monotonic() + 60
    while jobs.is_running(job):
        assert time.monotonic() < end
        time.sleep(0.02)
    return job


def trained(runs: Path, project: str, *, judgments: int = 5, seen: str = "") -> Job:
    """A training that is done, as its folder tells it."""
    folder = jobs.new_folder(runs, "train")
    about = {"project": project, "base": "tiny", "judgments": judgments}
    job = finished(jobs.start(folder, "train", about, [(sys.executable, "-c", "pass")]))
    (folder / "model").mkdir()
    (folder / "model" / "config.json").write_text("{}")
    (folder / "model" / "reward.json").write_text(f'{{"seen_prompts": [{seen}]}}')
    return job
