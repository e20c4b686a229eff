"""`platform.json` in the state directory: where the platform's parts are, for `mlops` here. Holds no secret."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pulumi
from pulumi.dynamic import CreateResult, ReadResult, UpdateResult
from pulumi.dynamic import Resource as DynamicResource

from infra.local.layout import Layout
from infra.local.provider import LocalProvider
from tools.pulumi_home import write_private


class Profile(DynamicResource, module="local", name="Profile"):
    """The file; `path` is where it is."""

    path: pulumi.Output[str]

    def __init__(self, name: str, document: str, layout: Layout, opts: pulumi.ResourceOptions | None = None) -> None:
        properties: dict[str, Any] = {"path": str(layout.root / f"{name}.json"), "document": document}
        super().__init__(ProfileProvider(), name, properties, opts)


class ProfileProvider(LocalProvider):
    """Writes and removes the file."""

    replaced_by = ("path",)

    def create(self, props: dict[str, Any]) -> CreateResult:
        write_private(Path(props["path"]), props["document"])
        return CreateResult(props["path"], props)

    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        write_private(Path(news["path"]), news["document"])
        return UpdateResult(news)

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        path = Path(id_)
        return ReadResult(id_, {**props, "document": path.read_text()}) if path.exists() else ReadResult("", {})

    def delete(self, id_: str, _props: dict[str, Any]) -> None:
        Path(id_).unlink(missing_ok=True)
