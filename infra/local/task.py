"""A command that runs to completion once for each definition of it, as a Pulumi resource."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pulumi
from pulumi.dynamic import CreateResult, UpdateResult
from pulumi.dynamic import Resource as DynamicResource

from infra.local.files import Definition, materialize
from infra.local.layout import Layout, private_directory
from infra.local.process import ProcessArgs, description, digest
from infra.local.provider import LocalError, LocalProvider
from infra.local.readiness import last_words

TIMEOUT_SECONDS = 600


class Task(DynamicResource, module="local", name="Task"):
    """A finished run of a command; a changed definition runs it again."""

    def __init__(
        self, name: str, args: ProcessArgs, layout: Layout, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(TaskProvider(), name, description(layout, name, args), opts)


class TaskProvider(LocalProvider):
    """Runs the command; there is nothing to read or remove afterwards."""

    def create(self, props: dict[str, Any]) -> CreateResult:
        self._run(props)
        return CreateResult(f"{props['name']}-{digest(props)}", props)

    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        self._run(news)
        return UpdateResult(news)

    def _run(self, props: dict[str, Any]) -> None:
        layout, name = Layout(Path(props["root"])), str(props["name"])
        command, environment = materialize(layout, name, Definition.of(props))
        log = private_directory(layout.logs) / f"{name}.log"
        try:
            with log.open("wb") as output:
                run = subprocess.run(
                    command,
                    env=environment,
                    cwd=layout.root,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    timeout=TIMEOUT_SECONDS,
                    check=False,
                )
        except subprocess.TimeoutExpired:
            raise LocalError(f"{name} did not finish within {TIMEOUT_SECONDS} s; {last_words(log)}") from None
        finally:
            shutil.rmtree(layout.run / name, ignore_errors=True)
        if run.returncode != 0:
            raise LocalError(f"{name} failed with exit code {run.returncode}; {last_words(log)}")
