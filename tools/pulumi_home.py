"""Where the Pulumi CLI keeps this project's state when nobody chose a backend: in `.state/`, inside the project.

A backend chosen by `pulumi login` or `PULUMI_BACKEND_URL` is left alone. In the project's own backend a generated
passphrase encrypts the secrets, and the salt that Pulumi writes into the stack's settings goes to a copy of them, so
that the tracked `Pulumi.<stack>.yaml` never changes.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import tempfile
from itertools import pairwise
from pathlib import Path

from tools.catalogue import ToolError

PROJECT = Path(__file__).parent.parent
COMMANDS_WITH_SETTINGS = {"up", "update", "preview", "refresh", "destroy", "config", "watch", "import"}


def state_dir() -> Path:
    """`$MLFLOW_PLATFORM_STATE`, or `.state` in the project."""
    return Path(os.environ.get("MLFLOW_PLATFORM_STATE") or PROJECT / ".state")


def arguments(command: list[str], environment: dict[str, str]) -> list[str]:
    """The arguments to pass to `pulumi`; adds the project's own backend to `environment` when none was chosen.

    Raises:
        ToolError: the stack has no settings file, or Pulumi could not make the stack.
    """
    environment.setdefault("PULUMI_SKIP_UPDATE_CHECK", "true")
    environment.setdefault("GRPC_VERBOSITY", "NONE")  # its notes about forks mean nothing to a reader of `pulumi up`
    if environment.get("PULUMI_BACKEND_URL") or _logged_in(environment):
        return command
    state = state_dir()
    for folder in (state, state / "pulumi"):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    environment["PULUMI_BACKEND_URL"] = f"file://{state / 'pulumi'}"
    if not environment.keys() & {"PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE"}:
        environment["PULUMI_CONFIG_PASSPHRASE_FILE"] = str(_passphrase(state))
    stack = _stack(command)
    if stack is None or command[0] not in COMMANDS_WITH_SETTINGS or "--config-file" in command:
        return command
    return [*command, "--config-file", str(_settings(stack, state, environment))]


def _logged_in(environment: dict[str, str]) -> bool:
    home = Path(environment.get("PULUMI_HOME") or Path.home() / ".pulumi")
    try:
        return bool(json.loads((home / "credentials.json").read_text()).get("current"))
    except (OSError, ValueError):
        return False


def _passphrase(state: Path) -> Path:
    path = state / "passphrase"
    if not path.exists():
        write_private(path, secrets.token_urlsafe(32))
    return path


def write_private(path: Path, text: str) -> None:
    """Replaces `path` in one step by a file that only its owner can read."""
    handle, name = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(handle, "w") as file:
        file.write(text)
    Path(name).replace(path)


def _stack(command: list[str]) -> str | None:
    for flag, value in pairwise(command):
        if flag in ("--stack", "-s"):
            return value
    return None


def _settings(stack: str, state: Path, environment: dict[str, str]) -> Path:
    tracked = PROJECT / f"Pulumi.{stack}.yaml"
    if not tracked.exists():
        known = sorted(
            path.name.removeprefix("Pulumi.").removesuffix(".yaml") for path in PROJECT.glob("Pulumi.*.yaml")
        )
        raise ToolError(f"stack {stack!r}: no file {tracked.name}; expected one of {', '.join(known)}")
    salt = state / f"salt.{stack}.yaml"
    if not salt.exists() or not _exists(stack, environment):
        _init(stack, salt, environment)
    settings = state / tracked.name
    write_private(settings, f"{tracked.read_text()}\n{salt.read_text()}")
    return settings


def _exists(stack: str, environment: dict[str, str]) -> bool:
    backend = Path(environment["PULUMI_BACKEND_URL"].removeprefix("file://"))
    return any(backend.glob(f".pulumi/stacks/*/{stack}.json*"))


def _init(stack: str, salt: Path, environment: dict[str, str]) -> None:
    """Makes the stack from a folder of its own, because `pulumi stack init` writes the salt beside Pulumi.yaml."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(PROJECT / "Pulumi.yaml", folder)
        run = subprocess.run(
            ["pulumi", "stack", "init", stack, "--non-interactive"],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if run.returncode != 0:
            raise ToolError(f"stack {stack!r}: `pulumi stack init` failed: {run.stderr.strip()}")
        write_private(salt, (Path(folder) / f"Pulumi.{stack}.yaml").read_text())
