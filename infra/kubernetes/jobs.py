"""Containers that run to completion: before a workload, once, or on a schedule.

A Job has a fixed name, so the cluster itself lets no second one run at the same time; a changed definition replaces it.
"""

from __future__ import annotations

from pulumi_kubernetes.batch.v1 import CronJobSpecArgs, JobSpecArgs, JobTemplateSpecArgs
from pulumi_kubernetes.core.v1 import PodTemplateSpecArgs

DEADLINE_SECONDS = 1800
LATEST_START_SECONDS = 600


def job(template: PodTemplateSpecArgs) -> JobSpecArgs:
    """Tries `template` again a few times, with the cluster's growing delay, and gives up after the deadline."""
    return JobSpecArgs(template=template, backoff_limit=3, active_deadline_seconds=DEADLINE_SECONDS)


def cron_job(schedule: str, template: PodTemplateSpecArgs) -> CronJobSpecArgs:
    """Runs `template` on `schedule` (UTC), never twice at once; a start that was missed for long is left out."""
    return CronJobSpecArgs(
        schedule=schedule,
        time_zone="Etc/UTC",
        concurrency_policy="Forbid",
        starting_deadline_seconds=LATEST_START_SECONDS,
        successful_jobs_history_limit=3,
        failed_jobs_history_limit=3,
        job_template=JobTemplateSpecArgs(spec=job(template)),
    )
