"""Builds a pinned tool with the Go toolchain into the per-user cache, once, with visible progress."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tools.catalogue import GO_MINIMUM, Tool, ToolError, cache_root


def ensure(tool: Tool) -> Path:
    """The path of `tool`, built now when there is none yet.

    Two builders at once are safe: the second waits for the first one's lock and then finds the result.

    Raises:
        ToolError: Go is missing or too old, or the build failed.
    """
    found = tool.locate()
    if found is not None:
        return found
    cache_root().mkdir(parents=True, exist_ok=True)
    with (cache_root() / f".{tool.module_dir.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return tool.built() or _build(tool)


def _build(tool: Tool) -> Path:
    go = _go(tool)
    module = _module(go, tool)
    version = module["Version"].lstrip("v")
    _say(f"building {tool.name} {version} (once; minutes when cold, seconds with a warm Go cache)")
    staging = Path(tempfile.mkdtemp(prefix=f".{tool.name}-", dir=cache_root()))
    try:
        environment = {**os.environ, "GOBIN": str(staging), "GOFLAGS": "-mod=readonly", "CGO_ENABLED": "0"}
        command = [go, "install", "-trimpath", f"-ldflags={tool.ldflags.format(version=version)}", "tool"]
        run = subprocess.run(
            command, cwd=tool.module_dir, env=environment, stderr=subprocess.PIPE, text=True, check=False
        )
        if run.returncode != 0:
            raise ToolError(f"{tool.name}: `go install` failed: {run.stderr.strip().splitlines()[-1:] or 'no output'}")
        _name_after_tool(staging, tool)
        for script in tool.scripts:
            copied = shutil.copy(Path(module["Dir"]) / script, staging)
            Path(copied).chmod(0o755)
        for companion in tool.companions:
            for file in ensure(companion).parent.iterdir():
                (staging / file.name).symlink_to(file)
        staging.chmod(0o755)
        staging.rename(tool.cache_dir)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    _say(f"{tool.name} {version}: {tool.cache_dir}")
    return tool.cache_dir / tool.name


def _name_after_tool(staging: Path, tool: Tool) -> None:
    """`go install` names a binary after the last element of its import path, which need not be the tool's name."""
    if not (staging / tool.name).exists():
        (binary,) = staging.iterdir()
        binary.rename(staging / tool.name)


def _module(go: str, tool: Tool) -> dict[str, str]:
    _say(f"fetching the sources of {tool.name}")
    run = subprocess.run(
        [go, "mod", "download", "-json", tool.source_module],
        cwd=tool.module_dir,
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode != 0:
        reason = (run.stderr.strip() or run.stdout.strip()).splitlines()[-1:]
        raise ToolError(f"{tool.name}: could not fetch {tool.source_module} with Go: {reason}; is the network up?")
    module: dict[str, str] = json.loads(run.stdout)
    return module


def _go(tool: Tool) -> str:
    go = shutil.which("go")
    wanted = ".".join(map(str, GO_MINIMUM))
    remedies = f"install {tool.name} on PATH, or Go {wanted} or later so that it can be built here"
    if go is None:
        raise ToolError(f"{tool.name}: neither the tool nor Go is on PATH: {remedies}")
    text = subprocess.run([go, "version"], capture_output=True, text=True, check=False).stdout
    version = re.search(r"go(\d+)\.(\d+)", text)
    if version is None or tuple(map(int, version.groups())) < GO_MINIMUM:
        raise ToolError(f"{tool.name}: not on PATH, and `go version` says {text.strip()!r}: {remedies}")
    return go


def _say(text: str) -> None:
    print(f"tools: {text}", file=sys.stderr, flush=True)
