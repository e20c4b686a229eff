"""Puts a process's files, scratch directories and environment in place."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.local.layout import Layout, private_directory
from tools.pulumi_home import write_private

INHERITED = ("HOME", "LANG", "LC_ALL", "PATH", "TMPDIR", "TZ", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
"""What a process inherits from the shell of `pulumi up`; anything else would make it depend on who started it."""


@dataclass(frozen=True)
class Definition:
    """What runs, as the provider receives it: every value known, every `FileRef` already a path."""

    command: tuple[str, ...]
    environment: Mapping[str, str]
    files: Mapping[str, str]
    scratch: tuple[str, ...]

    @classmethod
    def of(cls, props: Mapping[str, Any]) -> Definition:
        """Gathers the plain and the secret properties of a resource."""
        plain = props["definition"]
        return cls(
            command=tuple(plain["command"]),
            environment={**plain["env"], **props["secret_env"]},
            files={**plain["files"], **props["secret_files"]},
            scratch=tuple(plain["scratch"]),
        )


def materialize(layout: Layout, name: str, definition: Definition) -> tuple[list[str], dict[str, str]]:
    """Writes the files (0600) of process `name`; returns its command and its whole environment."""
    folder = layout.run / name
    shutil.rmtree(folder, ignore_errors=True)
    private_directory(folder)
    for file, text in definition.files.items():
        write_private(folder / file, text)
    environment = {key: os.environ[key] for key in INHERITED if key in os.environ}
    environment["PYTHONUNBUFFERED"] = "1"
    environment.update(definition.environment)
    for variable in definition.scratch:
        environment[variable] = str(private_directory(folder / variable.lower()))
    return [executable(definition.command[0]), *definition.command[1:]], environment


def executable(command: str) -> str:
    """The path of a command: of this Python environment when it is there, else as it stands."""
    beside = Path(sys.executable).parent / command
    return str(beside) if beside.exists() else command
