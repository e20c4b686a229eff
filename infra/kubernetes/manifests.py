"""`python -m infra.kubernetes.manifests STACK`: the Kubernetes objects that a stack registers, as YAML to read or scan.

They come from a recording: names and secrets that Pulumi or a cloud would make are made up. Not for `kubectl apply`,
which knows nothing of the order in which Pulumi runs a migration and the server that needs it.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from infra import recording
from infra.computed import autonamed
from infra.recording import Recording

Manifest = dict[str, Any]
FOLDER = recording.ROOT / "build" / "manifests"


def of(recorded: Recording) -> list[Manifest]:
    """The objects of a recording, each after those it depends on."""
    return [
        manifest(resource.name, resource.inputs)
        for resource in recorded.resources
        if resource.custom and resource.type.startswith("kubernetes:")
    ]


def manifest(name: str, inputs: Mapping[str, Any]) -> Manifest:
    """The object that the resource `name` registers."""
    return {"apiVersion": inputs["apiVersion"], "kind": inputs["kind"], **inputs, **autonamed(name, inputs)}


def write(stack: str) -> Path:
    """Writes the objects of `stack` into one file; its path."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / f"{stack}.yaml"
    path.write_text(yaml.safe_dump_all(of(recording.record(stack)), sort_keys=False))
    return path


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m infra.kubernetes.manifests STACK")
    print(write(sys.argv[1]))
