"""A random text that is generated once, kept as a Pulumi secret, and laid down beside the data that it unlocks.

`destroy` forgets the resource but keeps the file with the data; the next `up` takes the same text up again.
"""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

import pulumi
from pulumi.dynamic import CreateResult, ReadResult
from pulumi.dynamic import Resource as DynamicResource

from infra.local.layout import Layout, private_directory
from infra.local.provider import LocalProvider
from tools.pulumi_home import write_private


class Secret(DynamicResource, module="local", name="Secret"):
    """`value` is URL-safe base64 text of `size` random bytes, always a Pulumi secret."""

    value: pulumi.Output[str]

    def __init__(self, name: str, size: int, layout: Layout, opts: pulumi.ResourceOptions | None = None) -> None:
        properties: dict[str, Any] = {"name": name, "size": size, "root": str(layout.root), "value": None}
        secret = pulumi.ResourceOptions(additional_secret_outputs=["value"])
        super().__init__(SecretProvider(), name, properties, pulumi.ResourceOptions.merge(opts, secret))


class SecretProvider(LocalProvider):
    """Keeps each secret in a file of its own, readable by its owner only."""

    replaced_by = ("name", "size", "root")

    def create(self, props: dict[str, Any]) -> CreateResult:
        path = self._path(props)
        if not path.exists():
            private_directory(path.parent)
            write_private(path, secrets.token_urlsafe(int(props["size"])))
        return CreateResult(props["name"], {**props, "value": path.read_text()})

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        path = self._path(props)
        return ReadResult(id_, {**props, "value": path.read_text()}) if path.exists() else ReadResult("", {})

    @staticmethod
    def _path(props: dict[str, Any]) -> Path:
        return Layout(Path(props["root"])).data / "secrets" / str(props["name"])
