"""A long-running local process as a Pulumi resource: preview shows changes, `up` restarts it only when it changed."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pulumi
from pulumi.dynamic import CheckFailure, CheckResult, CreateResult, ReadResult, UpdateResult
from pulumi.dynamic import Resource as DynamicResource

from infra.local import launch, preflight
from infra.local.files import Definition, materialize
from infra.local.layout import Layout
from infra.local.provider import LocalProvider
from infra.local.readiness import StartFailed, wait_until_ready
from infra.local.supervisor import Program, Supervisor
from infra.workloads.spec import FileRef, Text


@dataclass(frozen=True)
class ProcessArgs:
    """What to run. `ready` is the URL that tells when it is (see `readiness.wait_until_ready`); `ports` it will bind.

    `secret_env` and `secret_files` are encrypted in the state and reach the process through files of the owner's only.
    """

    command: Sequence[Text | FileRef]
    env: Mapping[str, Text | FileRef] = field(default_factory=dict)
    secret_env: Mapping[str, Text] = field(default_factory=dict)
    files: Mapping[str, Text] = field(default_factory=dict)
    secret_files: Mapping[str, Text] = field(default_factory=dict)
    scratch: Sequence[str] = ()
    ready: str | None = None
    ready_seconds: int = 120
    address: str = "127.0.0.1"
    ports: Sequence[int] = ()
    stop_signal: str = "TERM"
    stop_seconds: int = 30
    account: str | None = None


class Process(DynamicResource, module="local", name="Process"):
    """A supervised process; its `ready` output resolves when it is ready."""

    ready: pulumi.Output[str | None]

    def __init__(
        self, name: str, args: ProcessArgs, layout: Layout, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        properties: dict[str, Any] = {
            **description(layout, name, args),
            "ready": args.ready,
            "ready_seconds": args.ready_seconds,
            "address": args.address,
            "ports": list(args.ports),
            "stop_signal": args.stop_signal,
            "stop_seconds": args.stop_seconds,
            "account": args.account,
        }
        super().__init__(ProcessProvider(), name, properties, opts)


def description(layout: Layout, name: str, args: ProcessArgs) -> dict[str, Any]:
    """The properties that say what runs, with each `FileRef` turned into the path the file will have."""
    folder = layout.run / name

    def resolved(value: Text | FileRef) -> Text:
        return f"{value.prefix}{folder / value.name}" if isinstance(value, FileRef) else value

    return {
        "name": name,
        "root": str(layout.root),
        "definition": {
            "command": [resolved(part) for part in args.command],
            "env": {key: resolved(value) for key, value in args.env.items()},
            "files": dict(args.files),
            "scratch": list(args.scratch),
        },
        "secret_env": pulumi.Output.secret(dict(args.secret_env)),
        "secret_files": pulumi.Output.secret(dict(args.secret_files)),
    }


class ProcessProvider(LocalProvider):
    """Creates, changes and removes processes through the supervisor of the state directory in `root`."""

    replaced_by = ("name", "root")

    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        failures = []
        layout = Layout(Path(news["root"]))
        ours = Supervisor(layout).pids()
        for port in news["ports"]:
            taken = preflight.port_taken(news["address"], int(port), ours)
            if taken:
                failures.append(CheckFailure("ports", taken))
        full = preflight.disk_full(layout.root)
        if full:
            failures.append(CheckFailure("root", full))
        return CheckResult(news, failures)

    def create(self, props: dict[str, Any]) -> CreateResult:
        self._start(props)
        return CreateResult(props["name"], props)

    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        self._start(news)
        return UpdateResult(news)

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        running = Supervisor(Layout(Path(props["root"]))).status(id_).state in ("RUNNING", "STARTING")
        return ReadResult(id_, props) if running else ReadResult("", {})

    def delete(self, id_: str, props: dict[str, Any]) -> None:
        layout = Layout(Path(props["root"]))
        supervisor = Supervisor(layout)
        if supervisor.running():
            supervisor.remove(id_)
        shutil.rmtree(layout.run / id_, ignore_errors=True)

    def _start(self, props: dict[str, Any]) -> None:
        layout = Layout(Path(props["root"]))
        name = str(props["name"])
        command, environment = materialize(layout, name, Definition.of(props))
        supervisor = Supervisor(layout)
        supervisor.start()
        supervisor.put(
            Program(
                name=name,
                command=launch.describe(layout.run / name / "launch.json", command, environment, props.get("account")),
                directory=launch.DIRECTORY,
                stop_signal=props["stop_signal"],
                stop_seconds=int(props["stop_seconds"]),
            )
        )
        if props.get("ready"):
            try:
                seconds = int(props["ready_seconds"])
                wait_until_ready(name, props["ready"], seconds, lambda: supervisor.status(name), layout.log(name))
            except StartFailed:
                supervisor.remove(name)
                raise


def digest(props: dict[str, Any]) -> str:
    """A short name for exactly these properties."""
    relevant = {key: value for key, value in props.items() if not key.startswith("__")}
    return hashlib.sha256(json.dumps(relevant, sort_keys=True).encode()).hexdigest()[:12]
