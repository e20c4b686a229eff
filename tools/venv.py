"""Makes the project's Python environment from the lock file: every package pinned by hash, installed by uv."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

from tools.catalogue import ToolError
from tools.pulumi_home import PROJECT

MINIMUM = (3, 11)
ENVIRONMENT = PROJECT / ".venv"
LOCK = PROJECT / "requirements.lock"


def ensure() -> None:
    """Creates or updates `.venv`; pip stays in it, because Pulumi's Python host asks for it.

    Raises:
        ToolError: Python is too old, or a package could not be installed.
    """
    if sys.version_info < MINIMUM:
        found = ".".join(map(str, sys.version_info[:3]))
        raise ToolError(f"Python {found} ({sys.executable}): expected 3.11 or later; try `make up PYTHON=python3.12`")
    python = ENVIRONMENT / "bin" / "python"
    if not python.exists():
        venv.create(ENVIRONMENT, with_pip=True)
    uv = ENVIRONMENT / "bin" / "uv"
    if not uv.exists():
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as pinned:
            pinned.write(_pinned("uv"))
            pinned.flush()
            _run(str(python), "-m", "pip", "install", "--quiet", "--require-hashes", "-r", pinned.name)
    into = ("--python", str(python), "--quiet", "--compile-bytecode")
    _run(str(uv), "pip", "install", *into, "--require-hashes", "-r", str(LOCK))
    _run(str(uv), "pip", "install", *into, "--no-deps", "--no-build-isolation", "--editable", str(PROJECT))
    (ENVIRONMENT / "ready").touch()


def _pinned(name: str) -> str:
    """The lock file's entry for one package, hashes included."""
    entry = re.search(rf"^{name}==.*?(?=^\S|\Z)", LOCK.read_text(), re.MULTILINE | re.DOTALL)
    if entry is None:
        raise ToolError(f"{LOCK.name}: has no entry for {name}; run `make lock`")
    return entry.group()


def _run(*command: str) -> None:
    run = subprocess.run(command, check=False)
    if run.returncode != 0:
        raise ToolError(f"`{Path(command[0]).name} {' '.join(command[1:4])} …` failed with exit code {run.returncode}")
