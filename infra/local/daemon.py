"""The supervisor daemon as a Pulumi resource: `destroy` ends it last, `refresh` notices when it died."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pulumi
from pulumi.dynamic import CreateResult, ReadResult
from pulumi.dynamic import Resource as DynamicResource

from infra.local.layout import Layout
from infra.local.provider import LocalProvider
from infra.local.supervisor import Supervisor


class Daemon(DynamicResource, module="local", name="Supervisor"):
    """A running supervisord for the state directory."""

    def __init__(self, name: str, layout: Layout, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(DaemonProvider(), name, {"root": str(layout.root)}, opts)


class DaemonProvider(LocalProvider):
    """Starts and stops the daemon; taking over one that already runs is fine."""

    replaced_by = ("root",)

    def create(self, props: dict[str, Any]) -> CreateResult:
        Supervisor(Layout(Path(props["root"]))).start()
        return CreateResult(props["root"], props)

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        running = Supervisor(Layout(Path(props["root"]))).running()
        return ReadResult(id_, props) if running else ReadResult("", {})

    def delete(self, _id: str, props: dict[str, Any]) -> None:
        layout = Layout(Path(props["root"]))
        Supervisor(layout).stop()
        shutil.rmtree(layout.run, ignore_errors=True)
