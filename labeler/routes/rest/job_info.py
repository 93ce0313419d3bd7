"""A job as the REST API tells it."""

from __future__ import annotations

from labeler import jobs
from labeler.api.common import JobInfo
from labeler.jobs import Job


def job_info(job: Job) -> JobInfo:
    """How far a job is, or how it ended."""
    outcome, last = jobs.outcome(job), next(reversed(list(jobs.events(job))), None)
    return JobInfo(
        id=job.folder.name,
        state=outcome.state,
        message=outcome.message,
        stage=last.stage if last else None,
        step=last.step if last else 0,
        total=last.total if last else 0,
    )
