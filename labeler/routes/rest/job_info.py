"""A job as the REST API tells it."""

from __future__ import annotations

from labeler import jobs
from labeler.api.common import JobInfo
from labeler.jobs import Job, Outcome


def job_info(job: Job) -> JobInfo:
    """How far a job is, or how it ended; until its process is gone it runs, so that the next may start after it."""
    running, last = jobs.is_running(job), next(reversed(list(jobs.events(job))), None)
    outcome = Outcome("running") if running else jobs.outcome(job)
    return JobInfo(
        id=job.folder.name,
        state=outcome.state,
        message=outcome.message,
        stage=last.stage if last else None,
        step=last.step if last else 0,
        total=last.total if last else 0,
    )
