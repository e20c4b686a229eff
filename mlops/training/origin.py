"""Where a run comes from, as tags: the exact command, commit, interpreter and packages. MLflow adds user and source."""

from __future__ import annotations

import hashlib
import os
import platform
import shlex
import sys
from collections.abc import Mapping
from importlib import metadata

JOB_VARIABLES = {"mlops.slurm_job": "SLURM_JOB_ID", "mlops.ci_run": "GITHUB_RUN_ID"}


def tags(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Tags that `mlops compare` needs to tell how to run it again."""
    packages = sorted(f"{found.name}=={found.version}" for found in metadata.distributions())
    return {
        "mlops.command": shlex.join(["python", *sys.argv]),
        "mlops.python": platform.python_version(),
        "mlops.packages": hashlib.sha256("\n".join(packages).encode()).hexdigest(),
        **{tag: environment[name] for tag, name in JOB_VARIABLES.items() if environment.get(name)},
        **_git(),
    }


def _git() -> dict[str, str]:
    """The commit that the working directory is at, and whether files differ from it; nothing outside a repository."""
    import git

    try:
        repository = git.Repo(search_parent_directories=True)
        commit = repository.head.commit.hexsha
    except (git.InvalidGitRepositoryError, git.NoSuchPathError, ValueError):
        return {}
    found = {"mlflow.source.git.commit": commit, "mlops.git.dirty": str(repository.is_dirty()).lower()}
    if repository.remotes:
        found["mlflow.source.git.repoURL"] = _without_credentials(repository.remotes[0].url)
    return found


def _without_credentials(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}" if separator else url
